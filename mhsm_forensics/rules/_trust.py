"""Rules on what the HSM trusts: its settings, external keys, the firewall, its Azure resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ..text import visible
from ._readings import acts as acts_of
from ._readings import either, weighed
from ._routine import occasions
from ._rule import DOCS, Hit, Rule
from ._words import confidence, departs, joined, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_ARM: Final = "allowkeymanagementoperationsthrougharm"
_MANY_FAILURES: Final = 10
_WRITE: Final = "microsoft.keyvault/managedhsms/write"


def _settings_acts(found: Material) -> pd.DataFrame:
    acts = found.possible
    return acts[acts["operation_class"] == "settings"]


def _is_arm(acts: pd.DataFrame) -> pd.Series[bool]:
    return (acts["setting"].str.lower() == _ARM).fillna(value=False).astype(bool)


def _is_ekm(acts: pd.DataFrame) -> pd.Series[bool]:
    return acts["gravest"].str.lower().str.startswith("ekm").fillna(value=False).astype(bool)


def _arm(found: Material) -> Iterator[Hit]:
    acts = _settings_acts(found)
    for rows in occasions(acts[_is_arm(acts)], found):
        said = title(f"The setting that lets Azure Resource Manager manage keys was {either(rows, 'written')}", rows)
        yield Hit(said, weighed(raised("high", departs(rows)), rows), confidence(rows, "medium"), rows)


def _ekm(found: Material) -> Iterator[Hit]:
    acts = _settings_acts(found)
    for rows in occasions(acts[_is_ekm(acts)], found):
        what = f"Connection to external keys {either(rows, 'changed')} ({acts_of(rows)})"
        yield Hit(title(what, rows), weighed(raised("medium", departs(rows)), rows), confidence(rows, "medium"), rows)


def _ekm_fails(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.asked("detect_ekm"), by=("hsm",)):
        if len(rows) >= _MANY_FAILURES:
            what = f"External key management failed {times(len(rows))} ({acts_of(rows)})"
            yield Hit(title(what, rows), "medium", "medium", rows)


def _settings(found: Material) -> Iterator[Hit]:
    acts = _settings_acts(found)
    for rows in occasions(acts[~_is_arm(acts) & ~_is_ekm(acts)], found):
        said = ", ".join(visible(name, limit=60) for name in rows["setting"].dropna().unique())
        what = f"Settings {either(rows, 'changed')}" + (f" ({said})" if said else "")
        yield Hit(title(what, rows), weighed(raised("low", departs(rows)), rows), confidence(rows, "medium"), rows)


def _firewall(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_firewall")
    for stretch in stretches(rows, by=("hsm", "caller_ip"), pause=pd.Timedelta(days=1)):
        later = bool(stretch["later_let_in"].any())
        more = "; the same address was let in later" if later else ""
        what = f"Firewall refused {times(len(stretch), 'request')}"
        yield Hit(title(what, stretch, more=more), "high" if later else "low", "medium", stretch)


def _resource(found: Material) -> Iterator[Hit]:
    """Changes of the resource, as the HSM's own log and the activity log tell them: both of one minute are one."""
    acts = found.untold(found.possible, "hsm-deleted")
    acts = acts[acts["operation_class"].isin(["management", "network"]) & (acts["effect"] != "destroy")]
    activity = found.table("activity")
    told = activity[(activity["operation"].str.lower() == _WRITE) & activity["outcome"].isin(["success", "accepted"])]
    told = found.untold(told, "network-opened", "backup-identity-added")
    whole = joined(acts, told)
    for rows in stretches(whole, by=("hsm", "actor")):
        done = either(rows, "changed")
        what = f"The HSM {done} through Azure Resource Manager ({acts_of(rows)}), {times(len(rows), 'record')}"
        new = bool(rows["new_address"].any())
        yield Hit(title(what, rows), weighed(raised("low", new), rows), confidence(rows), rows)


RULES: Final = (
    Rule(
        id="arm-trust-written",
        title="Trust in Azure Resource Manager written",
        question="settings",
        severity="high",
        rises="high; critical with a new address or principal",
        confidence="medium",
        techniques=("T1685", "T1098.003"),
        why="AllowKeyManagementOperationsThroughARM lets whoever has rights on the subscription manage keys, past the HSM's "
        "own roles. The new value is not in the log.",
        benign="Set once, on purpose, for templates that create keys; or set back to false.",
        next_step="az keyvault setting show --hsm-name HSM --name AllowKeyManagementOperationsThroughARM; set it to false "
        "unless you know why, and read who has Contributor on the HSM.",
        operations=("SettingUpdate",),
        classes=("settings",),
        reference=DOCS + "authorize-azure-resource-manager",
        gravity=3,
        check=_arm,
    ),
    Rule(
        id="ekm-connection-changed",
        title="Connection to external keys changed",
        question="settings",
        severity="medium",
        rises="medium; high with a new address or principal",
        confidence="medium",
        techniques=("T1557",),
        why="External key management sends wrap and unwrap requests to a proxy. Whoever changes the connection may put a "
        "proxy of their own in between, or stop every caller.",
        benign="A planned change of the proxy or its certificate.",
        next_step="Compare the proxy's host and certificate with what was agreed, and read the log of the proxy for the "
        "same minute.",
        operations=("EkmConnectionCreate", "EkmConnectionUpdate", "EkmConnectionDelete"),
        classes=("settings",),
        reference=DOCS,
        gravity=3,
        check=_ekm,
    ),
    Rule(
        id="ekm-failing",
        title="External key management fails",
        question="refusals",
        severity="medium",
        rises="told from ten failures, each at most two hours after the one before",
        confidence="medium",
        techniques=("T1557", "T1489"),
        why="The proxy of external keys answers with errors, or not in time: it is down, unreachable, or another one "
        "stands in its place.",
        benign="Maintenance of the proxy or of the external key manager.",
        next_step="Read the logs of the proxy and the external key manager for the same minutes. Was the connection changed "
        "before (rule ekm-connection-changed)?",
        operations=("EkmProxyOperation", "EkmConnectionCheck"),
        reference=DOCS,
        check=_ekm_fails,
    ),
    Rule(
        id="settings-changed",
        title="Settings of the HSM changed",
        question="settings",
        severity="low",
        rises="low; medium with a new address or principal",
        confidence="medium",
        techniques=("T1685",),
        why="The settings decide whom the HSM trusts. The new value is not in the log.",
        benign="A planned change, on a ticket.",
        next_step="az keyvault setting list --hsm-name HSM, and compare with what was agreed.",
        operations=("SettingUpdate",),
        classes=("settings",),
        reference=DOCS + "authorize-azure-resource-manager",
        gravity=4,
        check=_settings,
    ),
    Rule(
        id="refused-by-firewall",
        title="Refused by the firewall of the HSM",
        question="network-path",
        severity="low",
        rises="low; high where the same address was let in later: the firewall was opened for it, or a rule removed",
        confidence="medium",
        techniques=("T1686.001", "T1580"),
        why="Somebody with a valid token called from an address that the firewall keeps out. If it gets in later, the "
        "network rules changed in between.",
        benign="An administrator at home, then on the company's network; a new gateway whose address was missing.",
        next_step="az keyvault network-rule list --hsm-name HSM, and the activity log for who changed it between the two "
        "times.",
        classes=("key_read", "crypto", "key_lifecycle", "access_control"),
        reference=DOCS + "network-security",
        gravity=4,
        check=_firewall,
    ),
    Rule(
        id="resource-changed",
        title="The HSM changed as an Azure resource",
        question="logging-touched",
        severity="low",
        rises="low; medium from a new address",
        confidence="high",
        techniques=("T1686.001",),
        why="A changed resource may have an open firewall, a private endpoint more, or a new identity that can write backups "
        "elsewhere. What was changed is not in the HSM's own log.",
        benign="New tags, a scaling change, a deployment.",
        next_step="Read the activity log of the subscription for the same minute: az monitor activity-log list "
        "--resource-id ID --start-time TIME.",
        operations=("ManagedHsmPut", "ManagedHsmPatch", "PutPrivateEndpointConnectionProxy"),
        classes=("management", "network"),
        reference=DOCS + "logging",
        check=_resource,
    ),
)
