"""Every answer the report needs, asked once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from .. import accounting, analyse, detect, engine, known, schema
from .. import views as saved_views
from ..text import sentence, visible

if TYPE_CHECKING:
    from ..case import Case, PassedOver

ROUTINE: Final = "routine-"  # how the ids of rules begin that recognise a routine
GRAVE: Final = ("critical", "high")
QUESTIONS: Final = (
    "outcomes",
    "principals",
    "first_seen_pairs",
    "coverage",
    "gaps",
    "sessions",
    "timeline",
    "moments",
    "keys",
    "unknown_operations",
    "reconcile",
    "restores",
)
ROWS_PER_FINDING: Final = 10


@dataclass(frozen=True)
class Answers:
    """The frames of one report.

    `alarms` and `routine` are the findings, parted by their rules; `rows` holds the first events of each alarm.
    """

    case: Case
    nothing_examined: str | None
    rejects: pd.DataFrame
    passed_over: tuple[PassedOver, ...]
    alarms: pd.DataFrame
    routine: pd.DataFrame
    looked_for: pd.DataFrame
    outcomes: pd.DataFrame
    principals: pd.DataFrame
    pairs: pd.DataFrame
    coverage: pd.DataFrame
    gaps: pd.DataFrame
    sessions: pd.DataFrame
    timeline: pd.DataFrame
    moments: pd.DataFrame
    keys: pd.DataFrame
    unknown: pd.DataFrame
    lacking: pd.DataFrame
    restores: pd.DataFrame
    story: pd.DataFrame
    views: list[saved_views.View]
    labels: known.Labels
    rows: dict[str, pd.DataFrame]

    @property
    def since(self) -> pd.Timestamp | None:
        """T0 of the case if it is set, else the first event of a grave alarm, else of any."""
        return _since(self.case, self.alarms)

    @property
    def grave(self) -> pd.DataFrame:
        """The critical and high alarms; all of them if there is none."""
        return _grave(self.alarms)

    @property
    def examined(self) -> str:
        """Sentence that says why nothing was examined; "" where something was."""
        return sentence(visible(self.nothing_examined))

    def incident(self) -> pd.DataFrame:
        """Control acts that belong to an alarm."""
        ids = {event_id for ids in self.alarms["event_ids"] for event_id in ids}
        own = self.moments["event_ids"].map(lambda event_ids: not ids.isdisjoint(event_ids))
        return self.moments[own.astype(bool)]

    def findings_of(self, event_ids: list[str]) -> list[tuple[str, str]]:
        """Number and confidence of every alarm that rests on one of these events."""
        wanted = set(event_ids)
        columns = (self.alarms["number"], self.alarms["confidence"], self.alarms["event_ids"])
        return [(str(i), str(c)) for i, c, ids in zip(*columns, strict=True) if not wanted.isdisjoint(ids)]


def gather(case: Case) -> Answers:
    """Ask every question of the report."""
    events = case.events
    findings = detect.run(case)  # of its events alone, each rule would open the case again
    routine = findings["rule_id"].astype("string[pyarrow]").str.startswith(ROUTINE).astype(bool)
    alarms, gaps, labels = findings[~routine], analyse.gaps(events), known.labels(case)
    return Answers(
        case=case,
        nothing_examined=accounting.nothing_examined(case),
        rejects=accounting.rejects_by_reason(case),
        passed_over=accounting.passed_over(case),
        alarms=alarms,
        routine=findings[routine],
        looked_for=detect.looked_for(case, findings),
        outcomes=analyse.outcomes(events),
        principals=analyse.principals(events),
        pairs=analyse.first_seen_pairs(events, since=_since(case, alarms)),
        coverage=analyse.coverage(events),
        gaps=gaps,
        sessions=analyse.sessions(events),
        timeline=analyse.timeline(events),
        moments=analyse.moments(events),
        keys=analyse.keys(events),
        unknown=analyse.unknown_operations(events),
        lacking=analyse.reconcile(case),
        restores=analyse.restores(events),
        views=saved_views.saved(case),
        labels=labels,
        story=analyse.story(events, findings, gaps=gaps, labels=labels),
        rows=_rows(case, alarms),
    )


def _since(case: Case, alarms: pd.DataFrame) -> pd.Timestamp | None:
    if case.t0 is not None:
        return pd.Timestamp(case.t0)
    told = _grave(alarms)
    return None if told.empty else told["first_time"].min()


def _grave(alarms: pd.DataFrame) -> pd.DataFrame:
    grave = alarms[alarms["severity"].isin(GRAVE)]
    return grave if len(grave) else alarms


def _rows(case: Case, alarms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the first few events of every alarm, and records of other logs that it rests on, in the order of time."""
    ids = zip(alarms["finding_id"], alarms["event_ids"], strict=True)
    others = [case.context(name) for name in schema.CONTEXT]
    with closing(engine.Session(case.events)) as events:
        return {
            str(finding_id): _of_every_log(
                engine.query(events, "event_rows", event_ids=list(event_ids)), others, set(event_ids)
            )
            for finding_id, event_ids in ids
        }


def _of_every_log(rows: pd.DataFrame, others: list[pd.DataFrame], event_ids: set[str]) -> pd.DataFrame:
    told = [other[other["event_id"].isin(event_ids)] for other in others if "time" in other]
    same = [other.reindex(columns=rows.columns).astype(rows.dtypes) for other in told if len(other)]
    whole = pd.concat([*([rows] if len(rows) else []), *same]) if same else rows
    return whole.sort_values("time", kind="stable").head(ROWS_PER_FINDING)
