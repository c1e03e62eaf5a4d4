"""What is out of the usual, in numbers that say how often chance would do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from .. import engine, schema
from ._baseline import LEAST_DAYS, SURE_DAYS, Course, courses, history_days
from ._names import names
from ._series import BY, read
from ._windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._baseline import Times
    from ._series import Data, Every, Measure

_TEXTS: Final = ("kind", *BY, "measure", "every", "reason")
_TIMES: Final = ("start", "end")
_COLUMNS: Final = (
    "kind", *BY, "measure", "every", "start", "end", "events", "value", "expected", "low", "high", "chance",
    "chance_corrected", "score", "history_days", "confident", "reason", "event_ids",
)  # fmt: skip


def anomalies(
    events: Any,
    *,
    by: Sequence[str] = ("operation",),
    measure: Measure = "events",
    every: Every = "hour",
    trim: Times | None = None,
    limit: float = 0.2,
) -> pd.DataFrame:
    """What is out of the usual, and how many times in a hundred chance alone would show the like.

    Windows of 1, 3, 8, 24 and 120 hours, or of 1, 5 and 15 minutes (in which only more is looked for, not fewer), are
    compared with the same hours of the other days. A
    window is odd if two things are: so many requests (or so few) are improbable at the expected rate, in clumps as large
    as theirs usually are; and the window goes far beyond the most extreme window of the other days, measured by how much
    these differ. What two other days saw too, or the same hour of another week, is no anomaly. What was found is left out
    of the history, and the rest judged again.

    Parameters
    ----------
    events
        Columns of `series`.
    by, measure, every
        As in `series`.
    trim
        Start and end of a time that teaches nothing, such as that of the incident; aware times. It is judged.
    limit
        Windows of which chance makes more than so many, among all that were looked at, are left out.

    Returns
    -------
    ``kind``:

    ``more``, ``fewer``
        Than the hours of other days let expect.
    ``first_ever``
        The first of its series, after three days or more of evidence without; whatever its chance.
    ``stopped``
        There is none from here to the end of the evidence, which was not usual.
    ``habit_changed``
        From this day on days have another number of events (Pettitt's test; from 14 days on).
    ``silent``
        The log of a whole HSM is silent (`gaps`; only with the measure ``events``).

    Then ``hsm``, ``operation``, ``principal``, ``caller_ip``, ``key`` (those it goes by; null in the others),
    ``measure``, ``every``, ``start``, ``end`` (UTC), ``events``, ``value`` (of the measure: the sum, of a share or duration
    the mean of the bins), ``expected``, ``low``, ``high`` (the same unit), ``chance`` (0 to 1: that a day has such a window;
    of what stopped, that such a pause comes), ``chance_corrected`` (how many such windows chance makes among all that were
    looked at), ``score`` (how many times in a hundred chance alone would show one such window or more: 0 is odd, 100 is
    ordinary), ``history_days``, ``confident``, ``reason`` (why not; else null), ``event_ids`` (complete; of what stopped,
    those of the last bin before; of a changed habit, those of its first day). One row per anomaly, the oddest first. With
    less than three days of history nothing is odd, and with less than seven nothing is sure; see ``enough`` of `baseline`.

    Raises
    ------
    InputError
        As `series`; or a time without its zone.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> anomalies(example().assign(duration_ms=9)).empty  # an hour of history says nothing
    True
    """
    data = read(events, by=by, measure=measure, every=every)
    found = [row for course in courses(data, trim=trim, limit=limit) for row in _told(data, course)]
    if measure == "events":
        found += _silences(data)
    with_ids = _traced(events, data, found)
    frame = pd.DataFrame(with_ids, columns=list(_COLUMNS))
    for column in _TEXTS:
        frame[column] = frame[column].astype("string[pyarrow]")
    for column in _TIMES:
        frame[column] = frame[column].astype("int64").astype("datetime64[us]").dt.tz_localize("UTC")
    for column in ("value", "expected", "low", "high", "chance", "chance_corrected", "score", "history_days"):
        frame[column] = frame[column].astype("float64")
    frame = frame.astype({"events": "int64", "confident": bool})
    order = ["score", "chance_corrected", "start", *BY]
    return frame.sort_values(order, ascending=True, ignore_index=True, kind="stable")


def _told(data: Data, course: Course) -> Iterator[dict[str, Any]]:
    """Rows of one series."""
    first, windows = course.first, list(course.windows)
    if first is not None:
        burst = [pair for pair in windows if pair[1].more and pair[1].first <= first[0].first < pair[1].end]
        windows = [pair for pair in windows if not any(pair is one for one in burst)]
        yield _row(data, course, "first_ever", _with_burst(first[0], [window for _, window in burst]), first[1])
    if course.stopped is not None:
        yield _row(data, course, "stopped", *course.stopped)
    if course.changed is not None:
        yield _row(data, course, "habit_changed", *course.changed)
    for part, window in windows:
        yield _row(data, course, "more" if window.more else "fewer", window, history_days(part))


def _with_burst(first: Window, bursts: list[Window]) -> Window:
    """Say of a first time that it was a burst, if it was."""
    if not bursts:
        return first
    burst = bursts[0]
    log_day, log_all = min(first.log_day, burst.log_day), min(first.log_all, burst.log_all)
    return Window(first.first, burst.end, burst.value, 0.0, 0.0, burst.high, log_day, log_all, more=True)


def _row(data: Data, course: Course, kind: str, window: Window, days: float) -> dict[str, Any]:
    bins = slice(window.first, window.end)
    share = course.weight * (1 if data.measure not in {"denied_share", "duration_ms"} else window.end - window.first)
    values, counts = data.values(course.number)[bins], data.events(course.number)[bins]
    value = float(np.nansum(values))
    if data.measure == "denied_share":
        value = float(np.nansum(values * counts) / max(counts.sum(), 1.0))
    if data.measure == "duration_ms":
        value = value / max(int(np.isfinite(values).sum()), 1)
    return {
        "kind": kind,
        **dict.fromkeys(BY),
        **data.name(course.number),
        "measure": data.measure,
        "every": "hour" if data.grid.width >= 3_600_000_000 else "minute",
        "start": int((data.grid.first + window.first) * data.grid.width),
        "end": int((data.grid.first + window.end) * data.grid.width),
        "events": int(counts.sum()),
        "value": value,
        "expected": window.expected / share,
        "low": window.low / share,
        "high": window.high / share,
        **_chances(window.log_day, window.log_all),
        **_history(days),
    }


def _chances(log_day: float, log_all: float) -> dict[str, float]:
    corrected = float(np.exp(min(log_all, 50.0)))
    return {
        "chance": float(np.exp(min(log_day, 0.0))),
        "chance_corrected": corrected,
        "score": 100 * -float(np.expm1(-corrected)),
    }


def _history(days: float) -> dict[str, Any]:
    sure = days >= SURE_DAYS
    reason = None if sure else f"{days:.1f} days of history; from {SURE_DAYS:.0f} on every day of the week was seen"
    return {"history_days": days, "confident": sure, "reason": reason}


def _silences(data: Data) -> Iterator[dict[str, Any]]:
    """Rows of the silences of the log: they are no zeros of any series."""
    days = float(data.covered[""].sum() * data.grid.width / 86_400_000_000)
    for gap in data.silences.to_dict("records"):
        start, end = (int(moment.value) // 1000 for moment in (gap["start"], gap["end"]))
        log = float(np.log(max(gap["chance"], 1e-300)))
        yield {
            "kind": "silent", **dict.fromkeys(BY), "hsm": gap["hsm"], "measure": data.measure, "every": "hour",
            "start": start, "end": end, "events": 0, "value": 0.0, "expected": gap["expected_events"], "low": np.nan,
            "high": np.nan, **_chances(log, log), **_history(max(days, LEAST_DAYS)),
            "event_ids": [gap[name] for name in ("last_event_id", "next_event_id") if not pd.isna(gap[name])],
        }  # fmt: skip


def _traced(events: Any, data: Data, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lead each row to its events."""
    if not found:
        return found
    held = engine.Session(
        events.events if isinstance(events, engine.Picked) else events, columns=(*schema.ORDER, "actor", *BY)
    )
    asked = engine.Picked(held, events.test, events.bound) if isinstance(events, engine.Picked) else held
    acting = {name: actor for actor, name in names(events).items()} if "principal" in data.by else {}
    try:
        return [row if "event_ids" in row else row | {"event_ids": _ids(asked, data, row, acting)} for row in found]
    finally:
        held.close()


def _ids(events: Any, data: Data, row: dict[str, Any], acting: dict[str, str]) -> list[str]:
    start, end = row["start"], row["end"]
    if row["kind"] == "stopped":
        start, end = start - data.grid.width, start
    if row["kind"] == "habit_changed":
        end = min(end, start + 86_400_000_000)
    asked = {f"by_{column}": column in data.by for column in BY} | {column: row[column] for column in BY}
    asked["principal"] = acting.get(row["principal"], row["principal"])
    return [str(name) for name in engine.query(events, "series_events", start_t=start, end_t=end, **asked)["event_id"]]
