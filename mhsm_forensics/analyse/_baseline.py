"""What a series is expected to do, hour by hour, learnt from the days that were not odd."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ._frames import micros
from ._series import DAY, read
from ._usual import slots_of
from ._windows import Part, Window, changed_day, days_of, habit, kind_of, unusual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ._series import Data, Every, Flags, Floats, Measure, Numbers

LEAST_DAYS: Final = 3.0  # of history, before anything can be said
SURE_DAYS: Final = 7.0  # of history, before every day of the week was seen
_SUSPECT: Final = (
    5.0  # times the limit: what is no more than suspect doesn't teach either, and is judged without itself
)
FEW: Final = 3  # events of a series, below which its counts say nothing
Times = tuple["datetime", "datetime"]


@dataclass(frozen=True)
class Course:
    """One series, judged: its parts of one habit each, and what stands out in it."""

    number: int
    value: Floats  # as judged: of a share, times `weight`
    weight: float
    parts: tuple[Part, ...]
    windows: tuple[tuple[Part, Window], ...]
    first: tuple[Window, float] | None  # with the days of history before
    stopped: tuple[Window, float] | None
    changed: tuple[Window, float] | None


def baseline(
    events: Any,
    *,
    by: Sequence[str] = ("operation",),
    measure: Measure = "events",
    every: Every = "hour",
    trim: Times | None = None,
) -> pd.DataFrame:
    """What each hour, or minute, of a series was expected to be, and between which bounds.

    Expected is the mean of the same hour on the other days, and on the other days of its kind (workday or weekend in UTC)
    where these differ. It is robust: counts are cut at about twice of what a fifth of the days reach, and what `anomalies`
    finds is left out, as is the time *trim*. After a change of habit only the days since then count.

    Parameters
    ----------
    events
        Columns of `series`.
    by, measure, every
        As in `series`.
    trim
        Start and end of a time that teaches nothing, such as that of the incident; aware times.

    Returns
    -------
    The columns of `series`, then ``expected``, ``low``, ``high`` (in the unit of the measure; about one day in a hundred
    leaves the band between the two) and ``enough`` (false with less than three days of history, or none for that hour).

    Raises
    ------
    InputError
        As `series`; or a time without its zone.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> baseline(example().assign(duration_ms=9), every="minute")["enough"].any()
    np.False_
    """
    data = read(events, by=by, measure=measure, every=every)
    frames = [_banded(data, course) for course in courses(data, trim=trim, limit=0.2)]
    return pd.concat(frames or [_banded(data, None)], ignore_index=True)


def courses(data: Data, *, trim: Times | None, limit: float) -> Iterator[Course]:
    """Judge one series after the other."""
    sizes = np.add.reduceat(data.rows["events"].to_numpy("int64"), data.edges[:-1]) if len(data) else np.zeros(0)
    looks = max(float((sizes >= FEW).sum()), 1.0)
    left_out = _left_out(data, trim)
    for number in range(len(data)):
        yield _course(data, number, left_out, looks, limit, few=bool(sizes[number] < FEW))


def _course(data: Data, number: int, left_out: Flags, looks: float, limit: float, *, few: bool) -> Course:
    part, weight = _part(data, number, left_out, looks)
    first = stopped = changed = None
    if part.counted and data.measure == "events":
        part, first = _first(part, limit)
        part, stopped = _stopped(part, limit)
    if few or history_days(part) < LEAST_DAYS:
        return Course(number, part.value, weight, (part,), (), first, stopped, None)
    parts: tuple[Part, ...] = (part,)
    if part.counted and data.measure == "events" and (found := changed_day(part, limit)):
        parts, changed = _split(part, *found)
    suspect = [(one, window) for one in parts for window in unusual(one, _every(data), _SUSPECT * limit)]
    odd = [(one, window) for one, window in suspect if window.log_all <= np.log(limit)]
    if part.counted and data.measure == "events" and _every(data) == "hour":
        odd += [(one, pause) for one in parts for pause in _pauses(one, limit) if not _known(odd, pause)]
    taught = tuple(_without(one, [window for its, window in suspect if its is one]) for one in parts)
    return Course(number, part.value, weight, taught, tuple(odd), first, stopped, changed)


def history_days(part: Part) -> float:
    """Days of history that teach, as the sum of their bins."""
    return float((part.taught | part.history).sum() * part.grid.width / DAY)


def _every(data: Data) -> str:
    return "hour" if data.grid.width >= 3_600_000_000 else "minute"


def _left_out(data: Data, trim: Times | None) -> Flags:
    if trim is None:
        return np.zeros(data.grid.count, bool)
    start, end = (micros(moment) or 0 for moment in trim)
    return (data.grid.starts + data.grid.width > start) & (data.grid.starts < end)


def _part(data: Data, number: int, left_out: Flags, looks: float) -> tuple[Part, float]:
    """Return the series as one part, and the requests that a bin usually has where the measure is a share of them.

    A share counts as much as the requests behind it do, up to their usual number: one denial of one request is no wave.
    """
    value, events, whole, weight = data.values(number), data.events(number), data.whole(number), 1.0
    some = events > 0
    judged = whole | some
    if data.measure == "denied_share":
        weight = float(np.median(events[some])) if some.any() else 1.0
        value = np.where(some, value * np.minimum(events, weight), np.nan)
    history = whole & ~left_out
    if data.measure in {"denied_share", "duration_ms"}:
        whole, judged = whole & np.isfinite(value), np.isfinite(value)
    if data.measure == "new_pairs":  # at first, whoever comes is new
        settled = days_of(data.grid) >= LEAST_DAYS
        whole, judged = whole & settled, judged & settled
    counted, least = data.measure != "duration_ms", 0.1 if data.measure.startswith("distinct") else 1.0
    return Part(data.grid, value, judged, whole, whole & ~left_out, history, counted, least, looks), weight


def _first(part: Part, limit: float) -> tuple[Part, tuple[Window, float] | None]:
    """Find the first bin with any, if there was history without; a series that is busy since then begins there."""
    place = int(np.argmax(part.value > 0))
    before = np.arange(part.grid.count) < place
    days = float((before & part.taught).sum() * part.grid.width / DAY)
    if days < LEAST_DAYS or not part.value[place] > 0:
        return part, None
    log = -float(np.log(days + 2))
    grown = changed_day(part, limit)
    if grown is None or not (part.value[days_of(part.grid) < grown[0]] > 0).any():  # else it began, and grew later
        log = min(_log_pause(part, before & part.whole), log)
    window = Window(
        place, place + 1, float(part.value[place]), 0.0, 0.0, 0.0, log, log + float(np.log(part.looks)), more=True
    )
    if window.log_all > np.log(limit):
        return part, (window, days)
    return _cut(part, ~before), (window, days)


def _stopped(part: Part, limit: float) -> tuple[Part, tuple[Window, float] | None]:
    """Find the end of a series that was busy until then."""
    busy = np.flatnonzero(part.value > 0)
    after = np.arange(part.grid.count) > (busy[-1] if len(busy) else part.grid.count)
    silent = after & part.whole
    if not silent.any() or history_days(part) < LEAST_DAYS:
        return part, None
    log = _log_pause(part, silent)
    log_all = log + float(np.log(part.looks))
    if log_all > np.log(limit):
        return part, None
    rate = _rates(replace(part, taught=part.taught & ~after), part.value)
    window = Window(
        int(busy[-1]) + 1, part.grid.count, 0.0, float(np.nansum(rate[silent])), 0.0, np.nan, log, log_all, more=False
    )
    days = history_days(_cut(part, ~after))
    return _cut(part, ~after), (window, days)


def _pauses(part: Part, limit: float) -> list[Window]:
    """Find stretches without any that are longer than pauses are."""
    mass, steps = _mass(part, part.taught)
    if len(steps) < 2:
        return []
    ran = np.cumsum(np.where(part.whole & (part.value == 0), mass, 0.0))[steps]
    lengths = np.diff(ran)
    log = -lengths / _usual_pause(np.delete(lengths, int(np.argmax(lengths))))
    log_all = log + float(np.log(part.looks * len(lengths)))
    rate = np.nan_to_num(_rates(part, part.value))
    return [
        Window(
            int(steps[nth]) + 1, int(steps[nth + 1]), 0.0, float(rate[steps[nth] + 1 : steps[nth + 1]].sum()), 0.0,
            np.nan, float(log[nth]), float(log_all[nth]), more=False,
        )
        for nth in np.flatnonzero(log_all <= np.log(limit))
        if part.whole[steps[nth] + 1 : steps[nth + 1]].all()
    ]  # fmt: skip


def _known(odd: list[tuple[Part, Window]], pause: Window) -> bool:
    return any(not one.more and one.first < pause.end and one.end > pause.first for _, one in odd)


def _log_pause(part: Part, pause: Flags) -> float:
    """Logarithm of the chance of a pause, by how often such bins have any and by how long pauses were till now."""
    mass, steps = _mass(replace(part, taught=part.taught & ~pause), part.taught & ~pause)
    if not len(steps):
        return 0.0
    ran = np.cumsum(np.where(part.taught & ~pause & (part.value == 0), mass, 0.0))[steps]
    return -float(mass[pause].sum()) / _usual_pause(np.diff(ran))


def _mass(part: Part, known: Flags) -> tuple[Floats, Numbers]:
    """How much each bin says by having none, and the bins that have any; no such bins where it is too rare for a rhythm."""
    busy = (part.value > 0).astype(np.float64)
    steps = np.flatnonzero(known & (busy > 0))
    if len(np.unique(days_of(part.grid)[steps])) < LEAST_DAYS:
        return busy, steps[:0]
    share = _rates(part, busy, prior=0.5)
    return np.where(np.isfinite(share), -np.log1p(-share), 0.0), steps


def _usual_pause(pauses: Floats) -> float:
    """How long pauses are as a rule, 1 where they are as chance makes them, more where requests come together."""
    short = 0.1 * float(np.max(pauses, initial=0.0))
    return max(1.0, float(np.mean(pauses[pauses > short] - short)) if (pauses > short).any() else 0.0)


def _rates(part: Part, value: Floats, *, prior: float = 0.0) -> Floats:
    """Mean of the taught bins that are alike, and of one more that has the *prior*; nan where there is none."""
    slots = slots_of(part.grid, kind_of(part))
    sums = np.bincount(slots.row, np.where(part.taught, value, 0.0), minlength=slots.count)
    counts = np.bincount(slots.row, part.taught, minlength=slots.count)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = (sums + (sums > 0) * prior) / (counts + (prior > 0))
        return np.asarray(np.where(counts > 0, rates, np.nan))[slots.row]


def _split(part: Part, day: int, log_all: float) -> tuple[tuple[Part, Part], tuple[Window, float]]:
    """Return what was before a change of habit and what is since, each judged by itself."""
    since = days_of(part.grid) >= day
    first = int(np.argmax(since))
    end = int(np.flatnonzero(part.judged)[-1]) + 1
    before, after = part.taught & ~since, part.whole & since
    usual = float(part.value[before].sum() / max(before.sum(), 1) * after.sum())
    days = np.bincount(days_of(part.grid)[before], part.value[before])
    low, high = (float(np.quantile(days[days > 0], share)) if (days > 0).any() else 0.0 for share in (0.1, 0.9))
    scale = float(after.sum()) * part.grid.width / DAY
    window = Window(
        first, end, float(part.value[since & part.judged].sum()), usual, low * scale, high * scale,
        log_all - float(np.log(part.looks)), log_all, more=bool(part.value[after].sum() > usual),
    )  # fmt: skip
    return (_cut(part, ~since), _cut(part, since)), (window, history_days(_cut(part, ~since)))


def _cut(part: Part, kept: Flags) -> Part:
    return Part(
        part.grid, part.value, part.judged & kept, part.whole & kept, part.taught & kept, part.history & kept,
        part.counted, part.least_clump, part.looks,
    )  # fmt: skip


def _without(part: Part, windows: list[Window]) -> Part:
    taught = part.taught.copy()
    for window in windows:
        taught[window.first : window.end] = False
    return replace(part, taught=taught)


def _banded(data: Data, course: Course | None) -> pd.DataFrame:
    """Rows of one series; those of the empty frame where there is none."""
    places: Numbers = np.flatnonzero(data.whole(course.number)) if course else np.zeros(0, np.int64)
    names = data.name(course.number) if course else dict.fromkeys(data.by)
    band = _band(course, data.grid.count) if course else np.zeros((3, 0))
    enough = np.zeros(len(places), bool)
    if course:
        for part in course.parts:
            enough |= part.judged[places] & (history_days(part) >= LEAST_DAYS)
        enough &= np.isfinite(band[0][places])
    value = data.values(course.number)[places] if course else np.zeros(0)
    counts = data.events(course.number)[places] if course else np.zeros(0)
    return pd.DataFrame(
        {
            **{column: pd.Series([name] * len(places), dtype="string[pyarrow]") for column, name in names.items()},
            "start": data.grid.times(places),
            "end": data.grid.times(places + 1),
            "value": value,
            "events": counts.astype(np.int64),
            **dict(zip(("expected", "low", "high"), band[:, places], strict=True)),
            "enough": enough,
        }
    )


def _band(course: Course, count: int) -> Floats:
    """Expected, low and high of each bin, each from the part that the bin lies in."""
    band = np.full((3, count), np.nan)
    for part in course.parts:
        if part.taught.any():
            found = habit(part, 1, kind_of(part))
            here = part.judged & (found.others > 0)
            for row, values in zip(band, (found.expected, found.low, found.high), strict=True):
                row[here] = values[here] / course.weight
    return band
