"""The timeline in words: what was done, by whom, in order, and when the log was silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import plural, spell
from ._coverage import gaps as silences
from ._moments import moments
from ._sessions import sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..known import Labels

_ALIKE: Final = ["routine", "chapter", "principal", "caller_ip", "hsm", "operation"]
_OUTCOMES: Final = {
    "success": "succeeded", "accepted": "accepted", "denied": "denied", "failure": "failed", "unknown": "of unknown outcome",
}  # fmt: skip
_GRAVITY: Final = ("critical", "high", "medium", "low", "info")
_COLUMNS: Final = ("start", "end", "kind", "chapter", "heading", "line", "severity", "findings", "hsm", "principal",
                   "caller_ip", "operation", "events", "event_ids")  # fmt: skip


def story(
    events: Any, findings: pd.DataFrame | None = None, *, gaps: pd.DataFrame | None = None, labels: Labels | None = None
) -> pd.DataFrame:
    """Tell what happened, line by line: the acts that change, export or destroy, in the sessions they belong to.

    Parameters
    ----------
    events
        The columns that `moments`, `sessions` and `gaps` need; one row per event.
    findings
        `detect.run`: gives each line the gravest severity and the titles of the findings that it is part of. What
        findings call routine is told once, as routine, and not night by night.
    gaps
        `gaps`, where it was asked for already.
    labels
        `known.labels`: what the lists in the case say of an identity or an address stands before it in the words.

    Returns
    -------
    Columns ``start``, ``end`` (UTC), ``kind`` (`act`, `silence`, `routine`), ``chapter`` (from 1; null for silences
    and routine), ``heading`` (who worked from where with what, and how much: all the sessions of one principal from one
    address that follow each other), ``line`` (the words), ``severity`` (null where no finding names the line),
    ``findings`` (list of titles), ``hsm``, ``principal``, ``caller_ip``, ``operation``, ``events`` (number of events
    told), ``event_ids`` (all of them); one row per line, by start. Reads and the use of keys are no acts: the heading
    counts all events. Names are told as the log has them.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> story(example())["line"].to_list()
    ['11:00 KeyDelete 1 key (kek1) on hsm1, denied']
    """
    acts, chapters = _named(moments(events), labels), _named(_chapters(sessions(events)), labels)
    usual = _routine(findings)
    acts = acts.assign(routine=[usual.issuperset(ids) for ids in acts["event_ids"]])
    acts = acts.assign(chapter=pd.array(_chapter_of(acts, chapters), dtype="Int64"))
    lines = [_act(run, chapters, findings) for _, run in acts.groupby(_ALIKE, dropna=False, sort=False)]
    lines += [_silence(gap) for gap in (silences(events) if gaps is None else gaps).itertuples()]
    told = pd.DataFrame(lines, columns=list(_COLUMNS))
    return _typed(told).sort_values(["start", "end"], kind="stable", ignore_index=True)


def _chapters(runs: pd.DataFrame) -> pd.DataFrame:
    """Put sessions of one principal from one address together that overlap, or follow each other without a real pause."""
    rows = runs.sort_values(["start", "session"], kind="stable")
    by = [rows["principal"].fillna(""), rows["caller_ip"].fillna("")]
    ended = rows.groupby(by)["end"].cummax().groupby(by).shift()
    pause = (rows["start"] - ended).dt.total_seconds()
    begins = ~(pause <= rows["longest_pause_seconds"])
    rows = rows.assign(nth=begins.groupby(by).cumsum())
    groups = rows.groupby(["principal", "caller_ip", "nth"], dropna=False, sort=False)
    found = groups.agg(
        start=("start", "min"), end=("end", "max"), events=("events", "sum"), denied=("denied", "sum"),
        clients=("client", lambda names: list(dict.fromkeys(names.dropna()))),
    ).reset_index()  # fmt: skip
    return found.sort_values("start", kind="stable", ignore_index=True)


def _chapter_of(acts: pd.DataFrame, chapters: pd.DataFrame) -> list[int | None]:
    """Number of the chapter in which each act was done; none for routine."""
    by_caller = {
        (who, where): rows for (who, where), rows in chapters.fillna({"principal": "", "caller_ip": ""}).groupby(
            ["principal", "caller_ip"])
    }  # fmt: skip
    callers = zip(acts["principal"].fillna(""), acts["caller_ip"].fillna(""), strict=True)
    found: list[int | None] = []
    for caller, start, routine in zip(callers, acts["start"], acts["routine"], strict=True):
        own = by_caller[caller]
        inside = own.index[(own["start"] <= start) & (own["end"] >= start)]
        found.append(None if routine else int(inside[0]) + 1)
    return found


def _heading(chapter: pd.Series[Any]) -> str:
    clients = chapter["clients"]
    more = f" and {plural(len(clients) - 1, 'other client')}" if len(clients) > 1 else ""
    said = [_who(chapter)] + [f"{clients[0]}{more}" for _ in clients[:1]]
    counts = plural(int(chapter["events"]), "event") + (f", {chapter['denied']:,} denied" if chapter["denied"] else "")
    return f"{_span(chapter['start'], chapter['end'], day=True)} UTC · {', '.join(said)}: {counts}"


def _named(frame: pd.DataFrame, labels: Labels | None) -> pd.DataFrame:
    """Add what an identity and an address are called in the words."""
    named = labels.beside(frame, principal="principal", caller_ip="caller_ip") if labels else frame
    return frame.assign(who=named["principal"], where=named["caller_ip"])


def _who(row: pd.Series[Any]) -> str:
    named = row["who"] if pd.notna(row["who"]) else "nobody who is named"
    return f"{named} from {row['where']}" if pd.notna(row["where"]) else str(named)


def _act(run: pd.DataFrame, chapters: pd.DataFrame, findings: pd.DataFrame | None) -> tuple[Any, ...]:
    """Tell one run: the same operation on the same HSM by the same caller in a chapter, whatever came of it."""
    ids = [event_id for found in run["event_ids"] for event_id in found]
    severity, titles = _judged(ids, findings)
    first, start, end = run.iloc[0], run["start"].min(), run["end"].max()
    routine, chapter = bool(first["routine"]), first["chapter"]
    what = f"{_name(first['operation'])} {_what(run)}{_on(first)}"
    if routine:
        days = plural(run["start"].dt.date.nunique(), "day")
        words = f"{_span(start, end, day=True)} {_who(first)}: {what} on {days}, {_came_of_it(run)}"
    else:
        words = f"{_span(start, end, day=False)} {what}, {_came_of_it(run)}"
    heading = None if routine else _heading(chapters.iloc[int(chapter) - 1])
    kind, number = ("routine", None) if routine else ("act", int(chapter))
    return (start, end, kind, number, heading, words, severity, titles, first["hsm"], first["principal"],
            first["caller_ip"], first["operation"], len(ids), ids)  # fmt: skip


def _what(run: pd.DataFrame) -> str:
    times = int(run["events"].sum())
    most = run["keys"].astype("int64").argmax()
    keys, names = int(run["keys"].iloc[most]), run["key_names"].iloc[most]
    if not keys:
        return "once" if times == 1 else f"{times:,} times"
    return f"{plural(keys, 'key')} ({names})" + (f", {times:,} times" if times != keys else "")


def _on(act: pd.Series[Any]) -> str:
    return f" on {act['hsm']}" if pd.notna(act["hsm"]) else ""


def _came_of_it(run: pd.DataFrame) -> str:
    """Say how it ended, in the order in which it did: three denied, then one succeeded."""
    by_outcome = run.sort_values("start").groupby("outcome", sort=False)["events"].sum()
    words = [_OUTCOMES.get(str(outcome), str(outcome)) for outcome in by_outcome.index]
    if len(words) == 1:
        return words[0] if int(by_outcome.iloc[0]) == 1 else f"all {words[0]}"
    return ", then ".join(f"{count:,} {word}" for count, word in zip(by_outcome, words, strict=True))


def _silence(gap: Any) -> tuple[Any, ...]:
    words = (
        f"{_span(gap.start, gap.end, day=True)} no log of {gap.hsm} for {spell(gap.seconds)}; "
        f"about {plural(round(gap.expected_events), 'event')} would be expected"
    )
    ids = [event_id for event_id in (gap.last_event_id, gap.next_event_id) if pd.notna(event_id)]
    return (gap.start, gap.end, "silence", None, None, words, None, [], gap.hsm, None, None, None, 0, ids)


def _judged(ids: list[str], findings: pd.DataFrame | None) -> tuple[str | None, list[str]]:
    """Return the gravest severity and the titles of the findings that name one of the events."""
    if findings is None or findings.empty:
        return None, []
    own = set(ids)
    named = findings[[not own.isdisjoint(found) for found in findings["event_ids"]]]
    grave = [severity for severity in _GRAVITY if severity in set(named["severity"])]
    return (grave[0] if grave else None), named["title"].to_list()


def _routine(findings: pd.DataFrame | None) -> set[str]:
    """Events that findings call routine, and that no other finding names."""
    if findings is None or findings.empty:
        return set()
    usual = findings["rule_id"].str.startswith("routine-")
    return set(_ids(findings[usual])) - set(_ids(findings[~usual]))


def _ids(findings: pd.DataFrame) -> Iterator[str]:
    return (event_id for found in findings["event_ids"] for event_id in found)


def _name(operation: Any) -> str:
    return str(operation) if pd.notna(operation) else "(no operation)"


def _span(start: pd.Timestamp, end: pd.Timestamp, *, day: bool) -> str:
    """Spell a stretch of time to the minute: its day where asked for, the second day only where it is another."""
    first = f"{start:%Y-%m-%d %H:%M}" if day else f"{start:%H:%M}"
    if f"{start:%F %H:%M}" == f"{end:%F %H:%M}":
        return first
    return f"{first}–{end:%H:%M}" if start.date() == end.date() else f"{first} – {end:%Y-%m-%d %H:%M}"


def _typed(told: pd.DataFrame) -> pd.DataFrame:
    text = pd.StringDtype("pyarrow")
    names = ("kind", "heading", "line", "severity", "hsm", "principal", "caller_ip", "operation")
    times = dict.fromkeys(("start", "end"), "datetime64[us, UTC]")
    return told.astype({**dict.fromkeys(names, text), **times, "chapter": "Int64", "events": "int64"})
