"""What happened, on one screen: the answers that every investigation asks for first, as one object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import accounting, analyse, detect, engine, playbook, schema
from .case import FATES, Case, PassedOver, Scope, utc_now, utc_text
from .errors import InputError
from .export import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .case import Events


@dataclass(frozen=True, slots=True)
class Overview:
    """The first answers about a case, each as the frame of the question that gave it."""

    case: Case
    events: Events
    start: datetime | None
    end: datetime | None
    hsms: pd.DataFrame
    gaps: pd.DataFrame
    outcomes: pd.DataFrame
    principals: pd.DataFrame
    unknown: pd.DataFrame
    lacking: pd.DataFrame  # what one route has and another lacks
    findings: pd.DataFrame
    looked_for: pd.DataFrame
    rejects: pd.DataFrame  # by reason, of the whole case
    passed_over: tuple[PassedOver, ...]  # of the whole case
    nothing_examined: str | None  # why no event was examined: to be said before anything else


def overview(
    case: Case, *, start: datetime | None = None, end: datetime | None = None, hsms: Iterable[str] = ()
) -> Overview:
    """Return the first answers about a case, or about a window of it; first of all, whether anything was examined.

    Parameters
    ----------
    case
        The case.
    start, end
        Only events from *start* up to and without *end*; aware times. Silences and findings are judged
        against all the evidence and kept if they touch the window.
    hsms
        Only these managed HSMs.

    Raises
    ------
    InputError
        A time names no zone, the start is not before the end, or a managed HSM is not in the case.
    """
    scope = Scope(start, end)  # a window that holds no time is refused before a name is
    names = case.having_hsms(hsms)
    window = case.events.within(start, end, names)
    found = detect.run(case)
    return Overview(
        case, window, start, end,
        hsms=engine.query(window, "hsms"),
        gaps=analyse.gaps(window),
        outcomes=analyse.outcomes(window),
        principals=analyse.principals(window),
        unknown=analyse.unknown_operations(window),
        lacking=_touching(analyse.reconcile(case), "first_time", "last_time", start, end, names),
        findings=_touching(found, "first_time", "last_time", start, end, names),
        looked_for=detect.looked_for(case, found),
        rejects=accounting.rejects_by_reason(case),
        passed_over=accounting.passed_over(case),
        nothing_examined=accounting.nothing_examined(case, replace(scope, hsms=names)),
    )  # fmt: skip


def as_json(answer: Overview) -> dict[str, Any]:
    """Return an overview as one JSON object; times are ISO 8601 with Z."""
    hsms = rows_of(answer.hsms)
    silent = rows_of(answer.gaps[["hsm", "start", "end", "seconds", "expected_events"]])
    fates = {fate: int(answer.case.accounting[fate].iloc[0]) for fate in FATES}
    totals = answer.outcomes[["success", "accepted", "denied", "failure", "unknown"]].sum()
    return {
        "case": answer.case.name,
        "generated": utc_now(),
        "nothing_examined": answer.nothing_examined,
        "window": {"from": _iso(answer.start), "to": _iso(answer.end)},
        "first_time": min((hsm["first_time"] for hsm in hsms), default=None),
        "last_time": max((hsm["last_time"] for hsm in hsms), default=None),
        "hsms": [hsm["hsm"] for hsm in hsms],
        "accounting": fates,
        "rejects": rows_of(answer.rejects),
        "passed_over": [asdict(one) for one in answer.passed_over],
        "responder_said": [
            {"of": kind, "value": value, "files": files}
            for kind, value, files in accounting.responder_said(answer.case)
        ],
        "routes": {
            "names": list(answer.case.routes),
            "witnesses": {relation: records for relation, (records, _) in accounting.by_relation(answer.case).items()},
            "lacking": rows_of(answer.lacking),
        },
        "coverage": {"hsms": hsms, "gaps": silent, "unfinished": answer.case.unfinished},
        "outcomes": {name: int(count) for name, count in totals.items()},
        "operations": rows_of(answer.outcomes),
        "unknown_operations": rows_of(answer.unknown),
        "principals": rows_of(answer.principals),
        "findings": rows_of(answer.findings),
        "looked_for": rows_of(answer.looked_for),
    }


def _touching(
    frame: pd.DataFrame, first: str, last: str, start: datetime | None, end: datetime | None, hsms: tuple[str, ...]
) -> pd.DataFrame:
    kept = frame
    if start is not None:
        kept = kept[kept[last].isna() | (kept[last] >= start)]
    if end is not None:
        kept = kept[kept[first] < end]
    if hsms:
        kept = kept[kept["hsm"].isin(hsms)]
    return kept.reset_index(drop=True)


def _iso(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None


def answerable(case: Case, group: str | None = None) -> pd.DataFrame:
    """Which questions of the playbook the evidence in a case covers.

    Parameters
    ----------
    case
        The case.
    group
        Only questions of this group: ``Orientation``, ``Ways in`` and so on.

    Returns
    -------
    Columns ``id``, ``group``, ``question``, ``covered`` (``yes``; ``in part``: some of the tables are there, or the log leaves
    something open; ``no``: no table of the case has anything on it), ``missing`` (tables that would answer it and are
    empty), ``needs`` (which evidence answers it, and what that leaves open); one row per question, in the order of the
    playbook.

    Raises
    ------
    InputError
        There is no such group.
    """
    asked = [one for one in playbook.questions() if group in (None, one.group)]
    if not asked:
        groups = ", ".join(dict.fromkeys(one.group for one in playbook.questions()))
        raise InputError(f"{group!r}: no group of the playbook. Hint: one of {groups}.")
    filled = {name for name in schema.CONTEXT if not case.context(name).empty} | (
        {"events"} if len(case.events) else set()
    )
    filled |= {"second_route"} if len(case.routes) > 1 else set()
    rows = []
    for one in asked:
        tables = one.tables.split()
        missing = [name for name in tables if name not in filled]
        part = "in part" if missing or ";" in one.needs else "yes"
        covered = "no" if len(missing) == len(tables) else part
        rows.append([one.id, one.group, one.question, covered, ", ".join(missing), one.needs])
    return pd.DataFrame(rows, columns=["id", "group", "question", "covered", "missing", "needs"], dtype="string")
