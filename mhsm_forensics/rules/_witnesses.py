"""Rules on what the witnesses of a request say of each other: what one route lacks, and what two of them contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..text import visible
from ._readings import acts as acts_of
from ._rule import Hit, Rule
from ._words import names, on, raised, stretches, times, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from ._material import Material

# Who called, from where, for what and with what result: a wrong word in these sends an investigation elsewhere.
_GRAVE: Final = {
    "http_status",
    "result_signature",
    "caller_ip",
    "object_id",
    "app_id",
    "upn",
    "managed_identity_id",
    "key_version",
}
_SHOWN: Final = 3  # contradictions that a title spells out


def _lacking(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.asked("detect_lacking"), by=("hsm", "other_route")):
        acts = int(rows["control"].sum())
        what = f"{rows['other_route'].iloc[0]} lacks {times(len(rows), 'record')} that came by {names(rows['route'])}"
        grave = f", {times(acts, 'act')} among them ({acts_of(rows[rows['control'] == 1])})" if acts else ""
        yield Hit(f"{what}{grave}{on(rows)}, {when(rows)}", raised("low", bool(acts)), "medium", rows)


def _contradicted(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.asked("detect_disputed"), by=("hsm", "other_route", "route")):
        columns = {column for listed in rows["contradicts"] for column in listed}
        what = f"{rows['other_route'].iloc[0]} contradicts {rows['route'].iloc[0]} on {times(len(rows), 'request')}"
        severity = raised("medium", bool(columns & _GRAVE))
        yield Hit(f"{what}: {_spelled(rows)}{on(rows)}, {when(rows)}", severity, "high", rows)


def _spelled(rows: pd.DataFrame) -> str:
    """What the records say, each with its id; no more than a title has room for."""
    said = [
        f"{visible(column, limit=60)} {visible(says, limit=40)}, not {visible(instead, limit=40)} "
        f"(record {row['witness_id']} of event {row['event_id']})"
        for row in rows.to_dict("records")
        for column, says, instead in zip(row["contradicts"], row["says"], row["instead_of"], strict=True)
    ]
    more = f" and {len(said) - _SHOWN:,} more" if len(said) > _SHOWN else ""
    return "; ".join(said[:_SHOWN]) + more


RULES = (
    Rule(
        id="witnesses-contradict",
        title="Two records of one request contradict each other",
        question="second-witness",
        severity="medium",
        rises="medium; high where they differ in who called, from where or with what result",
        confidence="high",
        techniques=("T1565.001", "T1070"),
        why="One request came by two routes at the same instant, with the same correlation id and URI, and the two records "
        "say something else of it. A service writes both from one and the same: then one of them was changed afterwards, in "
        "a file, in a container or on its way. Or they are two requests, of which each route has one.",
        benign="An export that rewrote a column; two requests of one client within a millisecond, each of which only one "
        "route has.",
        next_step="Read both records: mhsm-forensics raw CASE ID, with the id of the event and that of the witness in "
        "case.witnesses. Collect both again. Who could write to the copy that differs?",
        reference="https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs",
        routes=2,
        gravity=4,
        broad=True,
        check=_contradicted,
    ),
    Rule(
        id="route-lacks-records",
        title="Records that one route has and another lacks",
        question="second-witness",
        severity="low",
        rises="low; medium where what lacks changes, exports or destroys",
        confidence="medium",
        techniques=("T1685.002", "T1070"),
        why="The same HSM's log came by two ways, and one of them lacks what the other has, in a time in which both were "
        "delivering. It was lost on that way, or somebody took it out there: rows of a workspace can be purged, blobs of a "
        "container replaced.",
        benign="Azure Monitor doesn't promise every record; an export that was cut short; files that are missing from this "
        "evidence.",
        next_step="mf.analyse.reconcile(case.events) has the hours. Collect both again. Who may purge the workspace or write to "
        "the container, and what do the activity log and the log of the storage account say of these hours?",
        reference="https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs",
        routes=2,
        gravity=4,
        broad=True,
        check=_lacking,
    ),
)
