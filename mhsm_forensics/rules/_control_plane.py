"""Rules on the activity log: what was done to the HSM from outside, by Azure Resource Manager."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pandas as pd

from ..text import spell
from ._rule import DOCS, Hit, Rule
from ._words import departs, joined, names, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_SETTING: Final = "microsoft.insights/diagnosticsettings/"
_WRITE: Final = "microsoft.keyvault/managedhsms/write"
_ROLE: Final = "microsoft.authorization/roleassignments/write"
_STORES: Final = (
    "microsoft.storage/storageaccounts/delete",
    "microsoft.storage/storageaccounts/write",
    "microsoft.storage/storageaccounts/managementpolicies/",
    "microsoft.storage/storageaccounts/blobservices/containers/delete",
    "microsoft.storage/storageaccounts/listkeys/action",
    "microsoft.storage/storageaccounts/listaccountsas/action",
    "microsoft.operationalinsights/workspaces/delete",
    "microsoft.operationalinsights/workspaces/tables/",
    "microsoft.operationalinsights/workspaces/write",
)
# The answer repeats the whole resource as it is: only what was asked for says what was changed.
_ASKED: Final = re.compile(r"requestbody(.*?)(responsebody|statuscode|eventcategory|$)", re.DOTALL)
_OPENED: Final = re.compile(r"defaultaction\W+allow|publicnetworkaccess\W+enabled")


def _activity(found: Material, *operations: str) -> pd.DataFrame:
    """What was done, or begun, under names that start so."""
    rows = found.table("activity")
    named = rows["operation"].str.lower().str.startswith(operations).fillna(value=False).astype(bool)
    return rows[named & ~rows["outcome"].isin(["denied", "failure"])]


def _asked_for(rows: pd.DataFrame, pattern: str | re.Pattern[str]) -> pd.DataFrame:
    """Rows whose request, as far as a record of it holds that, asks for something: its start and its end alike."""
    wanted = re.compile(pattern)
    kept = [
        (asked := _ASKED.search(record.lower())) is not None and wanted.search(asked[1]) is not None
        for record in rows["record_json"].fillna("")
    ]
    asked_so = pd.Series(kept, rows.index, dtype=bool)
    return rows[asked_so | rows["correlation_id"].isin(rows.loc[asked_so, "correlation_id"].dropna())]


def _logging_removed(found: Material) -> Iterator[Hit]:
    rows = _activity(found, _SETTING + "delete")
    for deleted in stretches(rows.dropna(subset="hsm"), by=("hsm", "actor")):
        silence = _silence_of(found, deleted)
        seconds = 0 if silence.empty else (silence["time"].max() - silence["time"].min()).total_seconds()
        more = f"; the log is silent for {spell(seconds)} about it" if seconds else ""
        severity = raised("high", len(silence) > 0)
        said = title("Diagnostic setting deleted: the HSM's log goes nowhere", deleted, more=more)
        yield Hit(said, severity, "high", joined(deleted, silence))


def _silence_of(found: Material, deleted: pd.DataFrame) -> pd.DataFrame:
    """The last event before the silence that the deletion lies in, and the first after it."""
    gaps = found.gaps
    begins = gaps["start"] - pd.Timedelta(minutes=10)
    ends = gaps["end"].fillna(pd.Timestamp.max.tz_localize("UTC"))
    inside = (
        (gaps["hsm"] == deleted["hsm"].iloc[0]) & (begins <= deleted["time"].max()) & (ends >= deleted["time"].min())
    )
    rows = [
        {"event_id": gap[name], "time": gap[time], "hsm": gap["hsm"]}
        for gap in gaps[inside].to_dict("records")
        for name, time in (("last_event_id", "start"), ("next_event_id", "end"))
    ]
    return pd.DataFrame(rows, columns=["event_id", "time", "hsm"]).dropna(subset="event_id")


def _logging_changed(found: Material) -> Iterator[Hit]:
    rows = _activity(found, _SETTING + "write")
    for changed in stretches(rows.dropna(subset="hsm"), by=("hsm", "actor")):
        yield Hit(title("Diagnostic setting written", changed), raised("low", departs(changed)), "medium", changed)


def _network(found: Material) -> Iterator[Hit]:
    rows = _asked_for(_activity(found, _WRITE), _OPENED)
    for opened in stretches(rows, by=("hsm", "actor")):
        said = title("Network rules of the HSM opened: any address, or public access", opened)
        yield Hit(said, raised("high", departs(opened)), "medium", opened)


def _identity(found: Material) -> Iterator[Hit]:
    rows = _asked_for(_activity(found, _WRITE), "userassignedidentities")
    for added in stretches(found.untold(rows, "network-opened"), by=("hsm", "actor")):
        said = title("Identity assigned to the HSM, with which it can write backups", added)
        yield Hit(said, raised("low", departs(added)), "medium", added)


def _roles(found: Material) -> Iterator[Hit]:
    rows = _activity(found, _ROLE)
    for given in stretches(rows.dropna(subset="hsm"), by=("hsm", "actor")):
        said = title("Role on the HSM's Azure resource given", given)
        yield Hit(said, raised("low", departs(given)), "high", given)


def _stores(found: Material) -> Iterator[Hit]:
    rows = _activity(found, *_STORES)
    for touched in stretches(rows, by=("resource_id", "actor")):
        gone = bool(touched["operation"].str.lower().str.contains("delete").any())
        what = f"Where logs or backups are kept was touched ({names(touched['operation'])}), {times(len(touched), 'record')}"
        yield Hit(title(what, touched), raised("low", gone, departs(touched)), "low", touched)


_NEEDS: Final = ("activity",)

RULES: Final = (
    Rule(
        id="logging-removed",
        title="Diagnostic setting of the HSM deleted",
        question="logging-touched",
        severity="high",
        rises="high; critical where the HSM's log falls silent with it",
        confidence="high",
        techniques=("T1685.002",),
        why="Without a diagnostic setting the HSM logs for nobody. Whatever happened until it was written again is not in "
        "this evidence, and can't be had later.",
        benign="A setting that is moved to another destination: deleted and written again within minutes.",
        next_step="Write the setting again, with the categories audit and allLogs. Compare the silence with the metric "
        "ServiceApiHit, which needs no setting, and take the right from whoever deleted it.",
        tables=_NEEDS,
        reference=DOCS + "logging",
        gravity=3,
        check=_logging_removed,
    ),
    Rule(
        id="logging-changed",
        title="Diagnostic setting of the HSM written",
        question="logging-touched",
        severity="low",
        rises="low; medium from an address that is new in the HSM's log",
        confidence="medium",
        techniques=("T1685.002",),
        why="A written setting may send the log elsewhere, or leave categories out. The record rarely holds which.",
        benign="Logging is set up, or restored after an incident.",
        next_step="az monitor diagnostic-settings list --resource ID: does every HSM still log to where you look?",
        tables=_NEEDS,
        reference=DOCS + "logging",
        check=_logging_changed,
    ),
    Rule(
        id="network-opened",
        title="Network rules of the HSM opened",
        question="network-path",
        severity="high",
        rises="high; critical from an address that is new in the HSM's log",
        confidence="medium",
        techniques=("T1686.001",),
        why="The request asked for the default action Allow, or for public access: any address with a token reaches the HSM. "
        "Only records that hold the request can say so.",
        benign="A test HSM, or a template that writes the state it always had.",
        next_step="az keyvault network-rule list --hsm-name HSM; set the default action to Deny again, and look for new "
        "addresses in the HSM's log since.",
        tables=_NEEDS,
        reference=DOCS + "network-security",
        gravity=3,
        check=_network,
    ),
    Rule(
        id="backup-identity-added",
        title="Identity assigned to the HSM",
        question="backup-left",
        severity="low",
        rises="low; medium from an address that is new in the HSM's log",
        confidence="medium",
        techniques=("T1537", "T1098"),
        why="With an assigned identity the HSM writes full backups to any storage account on which that identity has rights, "
        "without a SAS that somebody could revoke.",
        benign="Backups are moved from SAS to a managed identity, as is recommended.",
        next_step="az keyvault show --hsm-name HSM --query identity: whose identity is it, and on which storage accounts has "
        "it rights?",
        tables=_NEEDS,
        reference=DOCS + "backup-restore",
        check=_identity,
    ),
    Rule(
        id="control-plane-role-given",
        title="Role on the HSM's Azure resource given",
        question="rights-changed",
        severity="low",
        rises="low; medium from an address that is new in the HSM's log",
        confidence="high",
        techniques=("T1098.003",),
        why="A role in Azure gives no right on keys, but whoever has it may delete the HSM, open its network and end its "
        "logging; with the trust in Azure Resource Manager it reaches keys too.",
        benign="An administrator gets access, on a ticket.",
        next_step="az role assignment list --scope ID --include-inherited: who got what, and is it still needed?",
        tables=_NEEDS,
        reference=DOCS + "access-control",
        check=_roles,
    ),
    Rule(
        id="log-store-touched",
        title="Where logs or backups are kept was touched",
        question="logging-touched",
        severity="low",
        rises="low; medium where something was deleted; one more from an address that is new in the HSM's log",
        confidence="low",
        techniques=("T1685.002", "T1530"),
        why="Whoever deletes or rewrites the storage account or workspace of the logs removes the evidence; whoever lists "
        "its keys can read the backups in it. Which account is which the record does not say.",
        benign="Ordinary administration of storage accounts and workspaces.",
        next_step="Is it the account of the logs or of the backups? If so: what did its keys open since, and is what it held "
        "still there?",
        tables=_NEEDS,
        reference="https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs",
        check=_stores,
    ),
)
