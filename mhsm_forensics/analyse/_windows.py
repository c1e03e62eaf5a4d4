"""Windows of a series that are out of the usual, and days on which a habit changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ._series import DAY
from ._usual import Usual, chance, slots_of, surprise, usual, weekend, windows

if TYPE_CHECKING:
    from ._series import Flags, Floats, Grid, Numbers

LENGTHS: Final = {"hour": (1, 3, 8, 24, 120), "minute": (1, 5, 15)}
_KINDS: Final = ("any hour", "hour of day", "hour and kind of day")
_PASSES: Final = 4
_MOST_ODD: Final = 0.25  # of the bins; more than that is a habit
_ALIKE: Final = 0.25  # in the logarithm: about as large
_FEWEST_DAYS: Final = 14  # to look for a change of habit
_COARSER: Final = 1.1  # what tells hours apart has to foretell by so much better
_MOST_UNTOLD: Final = 0.1  # of the bins
_FEWEST_SINCE, _FEWEST_EVENTS = 5, 10  # days on either side of a change, events in all
_TRUE_CHANGE: Final = 1.5
_MOST_BUSY: Final = 0.5  # of the bins: what is in more than that doesn't come in bursts
_FEWEST_OTHERS: Final = 2  # windows to compare one with


@dataclass(frozen=True)
class Window:
    """Bins that stand out together, the last one not included."""

    first: int
    end: int
    more: bool = field(kw_only=True)
    value: float
    expected: float
    low: float
    high: float
    log_day: float  # logarithm of the chance that a day has such a window
    log_all: float  # logarithm of how many such windows chance makes among all that were looked at


@dataclass(frozen=True)
class Part:
    """A series with one habit: what is counted in each bin, and which bins may teach what is usual."""

    grid: Grid
    value: Floats
    judged: Flags  # bins that can hold too much
    whole: Flags  # bins that can also hold too little: covered from start to end
    taught: Flags  # bins that may teach
    history: Flags  # bins that the log covers, whether or not they have a value
    counted: bool  # it is a number of things that come one by one
    least_clump: float  # 1 of what may come by chance; less of what hardly varies
    looks: float  # how many such series are looked at


def days_of(grid: Grid) -> Numbers:
    """Count the days from that of the first bin on."""
    return grid.starts // DAY - grid.first * grid.width // DAY


def kind_of(part: Part) -> str:
    """Say which bins are alike: the coarsest of what foretells most days best."""
    days = days_of(part.grid)
    free = weekend(part.grid.starts) > 0
    enough = all(len(np.unique(days[part.taught & side])) >= 2 for side in (free, ~free))
    kinds = _KINDS if enough else _KINDS[:2]
    missed = []
    for kind in kinds:
        foretold = usual(part.value, part.taught, slots_of(part.grid, kind), days=days, tame=True).expected
        if np.isnan(foretold[part.taught]).mean() > _MOST_UNTOLD:
            continue
        each = surprise(part.value, foretold, part.taught, days)
        sides = [each[np.unique(days[part.taught & side])] for side in (free, ~free)]
        missed.append(sum(len(side) * float(np.nanmedian(side)) for side in sides if np.isfinite(side).any()))
    if not missed:
        return kinds[0]
    margins = [total * (1.0 if nth == 0 else _COARSER) for nth, total in enumerate(missed)]
    return kinds[int(np.argmin(margins))]


def habit(part: Part, length: int, kind: str, *, tame: bool = False) -> Usual:
    """What is usual for windows of so many bins."""
    sums, _ = windows(part.value, part.whole, length)
    _, good = windows(part.value, part.taught, length)
    return usual(
        sums,
        good,
        slots_of(part.grid, kind, length),
        days=days_of(part.grid),
        length=length,
        least_clump=part.least_clump,
        tame=tame,
    )


def unusual(part: Part, every: str, limit: float) -> list[Window]:
    """Windows of which chance makes at most *limit* among all that were looked at, the oddest first."""
    found: list[Window] = []
    for nth in range(_PASSES):
        taught = part.taught.copy()
        for window in found:
            taught[window.first : window.end] = False
        if taught.sum() < (1 - _MOST_ODD) * part.taught.sum():
            break
        again = _scan(replace(part, taught=taught), every, limit, tame=nth == 0)
        same = {(w.first, w.end) for w in again} == {(w.first, w.end) for w in found}
        found = again
        if same and nth:
            break
    return _joined(found, 1 if every == "hour" else 5)


def _scan(part: Part, every: str, limit: float, *, tame: bool) -> list[Window]:
    plain = part.counted and part.least_clump >= 1
    kind, lengths = kind_of(part), LENGTHS[every] if plain else LENGTHS[every][:2]
    found: list[Window] = []
    single = habit(part, 1, kind, tame=tame)
    for length in lengths:
        about = habit(part, length, kind, tame=tame) if length > 1 else single
        judged = windows(part.value, part.judged, length)[1]  # at the edge of a silence too
        full = windows(part.value, part.whole, length)[1]
        a_day = max(2.0 * DAY / part.grid.width / length, 1.0) if length > 1 else DAY / part.grid.width
        looked_at = np.isfinite(about.over_days[0]).sum() * part.looks * (2 if every == "hour" else 1) * len(lengths)
        # what lacks for minutes only is next to nothing: that is looked for by hours
        for more, can in ((True, judged), (False, full))[: 2 if every == "hour" else 1]:
            log_day = chance(about, more=more, a_day=a_day, counted=part.counted)
            hit = np.flatnonzero(
                can & (about.others >= _FEWEST_OTHERS) & (log_day + np.log(max(looked_at, 1)) <= np.log(limit))
            )
            found += _windows_at(
                part, (about, single), hit, length, more=more, log_day=log_day, looks=looked_at, limit=limit
            )
    return _oddest(found, part.grid.count)


def _windows_at(
    part: Part,
    habits: tuple[Usual, Usual],
    places: Numbers,
    length: int,
    *,
    more: bool,
    log_day: Floats,
    looks: float,
    limit: float,
) -> list[Window]:
    (about, single), made = habits, []
    for place in places:
        log = max(float(log_day[place]), _as_often(part, about, int(place), length, more=more))
        if (log_all := log + np.log(max(looks, 1))) <= np.log(limit):
            first, end = _core(part.value, single.expected, int(place), length, more=more)
            made.append(
                Window(
                    first, end, float(about.value[place]), float(about.expected[place]),
                    float(about.low[place]), float(about.high[place]), log, float(log_all), more=more,
                )
            )  # fmt: skip
    return made


def _core(value: Floats, expected: Floats, first: int, length: int, *, more: bool) -> tuple[int, int]:
    """Leave out bins at either edge of a window that have nothing to do with it."""
    bins = slice(first, first + length)
    odd = np.flatnonzero(value[bins] > expected[bins] if more else value[bins] < expected[bins] - 1e-6)
    return (first + int(odd[0]), first + int(odd[-1]) + 1) if len(odd) else (first, first + length)


def _as_often(part: Part, about: Usual, place: int, length: int, *, more: bool) -> float:
    """Logarithm of the share of days that saw the like: on two other days, or at that time of the week."""
    extreme, (largest, _, _) = (about.over, about.over_days) if more else (about.under, about.under_days)
    least = extreme[place] - _ALIKE if more else 0.8 * extreme[place]
    day = about.days[place]
    there, alike = np.isfinite(largest), largest >= least
    first = last = int(day)
    while first > 0 and alike[first - 1]:
        first -= 1
    while last + 1 < len(alike) and alike[last + 1]:
        last += 1
    reach = 1 + length * part.grid.width // DAY
    apart = (np.arange(len(largest)) < min(first, day - reach)) | (np.arange(len(largest)) > max(last, day + reach))
    times = int((alike & there & apart).sum())
    week, around = 7 * DAY // part.grid.width, max(3_600_000_000 // part.grid.width, 1)
    at = [place + nth * week for nth in range(-(place // week), (len(extreme) - place) // week + 1) if nth]
    near = [extreme[max(n - around, 0) : n + around + 1][part.taught[max(n - around, 0) : n + around + 1]] for n in at]
    weekly = sum(bool(len(one)) and bool(np.nanmax(one, initial=-np.inf) >= least) for one in near if len(one))
    if times < 2 and not weekly:
        return -np.inf
    return float(np.log((max(times, weekly) + 1) / (there.sum() + 1)))


def _oddest(found: list[Window], count: int) -> list[Window]:
    """Of windows that overlap and tell the same, the oddest; of equally odd ones the shortest."""
    kept: list[Window] = []
    taken = {True: np.zeros(count, bool), False: np.zeros(count, bool)}
    for window in sorted(found, key=lambda w: (w.log_all, w.end - w.first, w.first)):
        bins = taken[window.more][window.first : window.end]
        if not bins.any():
            bins[:] = True
            kept.append(window)
    return kept


def _joined(found: list[Window], pause: int) -> list[Window]:
    """Join what lies side by side and tells the same."""
    made: list[Window] = []
    for window in sorted(found, key=lambda w: (w.more, w.first)):
        last = made[-1] if made else None
        if last and last.more == window.more and window.first - last.end <= pause:
            made[-1] = Window(
                last.first, window.end, last.value + window.value, last.expected + window.expected,
                last.low + window.low, last.high + window.high, min(last.log_day, window.log_day),
                min(last.log_all, window.log_all), more=last.more,
            )  # fmt: skip
        else:
            made.append(window)
    return sorted(made, key=lambda w: w.log_all)


def _by_rate(totals: Floats, share: Floats) -> tuple[float, int]:
    """How telling the best split of the days into two rates is (logarithm of a likelihood ratio, for all splits), and where.

    Counts vary by more than chance within each of the two; the highest tenth is cut.
    """
    totals, n = np.minimum(totals, np.quantile(totals, 0.9)), len(totals)
    best = (0.0, 0)
    if totals.sum() < _FEWEST_EVENTS:
        return best
    share = np.maximum(share, 1e-9)
    for at in range(_FEWEST_SINCE, n - _FEWEST_SINCE + 1):
        sides = [(totals[:at], share[:at]), (totals[at:], share[at:])]
        rates = [max(float(x.sum() / e.sum()), 1e-9) for x, e in sides]
        overall = float(totals.sum() / share.sum())
        ratio = sum(float(x.sum()) * np.log(rate / overall) for (x, _), rate in zip(sides, rates, strict=True))
        pearson = sum(float(((x - r * e) ** 2 / (overall * e)).sum()) for (x, e), r in zip(sides, rates, strict=True))
        best = max(best, (float(ratio) / max(pearson / (n - 2), 1.0) - 0.5 * float(np.log(n)), at - 1))
    return best


def changed_day(part: Part, limit: float) -> tuple[int, float] | None:
    """Day from which on a day has another number of events, and how many such days chance makes; None if none.

    Of what comes in bursts a day's number says little, as there are few of them: how many come at a time is compared too.

    References
    ----------
    Pettitt, A. N. (1979): A non-parametric approach to the change-point problem. Applied Statistics 28, 126-135.
    """
    days, size = days_of(part.grid), DAY // part.grid.width
    hours = np.bincount(days[part.whole], minlength=int(days.max(initial=0)) + 1)
    full = hours >= 0.8 * size
    if full.sum() < _FEWEST_DAYS:
        return None
    events = np.bincount(days[part.whole], part.value[part.whole], minlength=len(full))
    busy = np.bincount(days[part.whole & (part.value > 0)], minlength=len(full))
    free = weekend((np.arange(len(full)) + part.grid.first * part.grid.width // DAY) * DAY) > 0
    found = [_change(events * size / np.maximum(hours, 1), full, free, least=1.0)]
    if busy[full].sum() < _MOST_BUSY * hours[full].sum():
        found.append(_change(events / np.maximum(busy, 1), full & (busy > 0), free, least=0.0, by_rate=False))
    told, day = max(found)
    log_all = float(np.log(2 * (len(found) + 1) * part.looks)) - told  # two ways, of a day's number; one, of a burst's
    return (day, log_all) if log_all <= np.log(limit) else None


def _change(totals: Floats, good: Flags, free: Flags, *, least: float, by_rate: bool = True) -> tuple[float, int]:
    """How telling the best split of the good days in two is, and the first day after it; 0 where it is no true change."""
    level, share, places = totals.copy(), np.ones(len(totals)), np.flatnonzero(good)
    for kind in (free & good, ~free & good):
        if kind.any():
            level[kind] -= np.median(totals[kind])
            share[kind] = totals[kind].mean()
    if (n := len(places)) < _FEWEST_DAYS:
        return 0.0, 0
    course = np.abs(np.cumsum(np.sign(level[places][:, None] - level[places][None, :]).sum(axis=1)))[:-1]
    told, at = float(6 * course.max() ** 2 / (n**3 + n**2)), int(np.argmax(course))
    if by_rate:
        told, at = max((told, at), _by_rate(totals[places], share[places]))
    # Weekends are not spread evenly over the two sides.
    sides = (places[: at + 1], places[at + 1 :])
    lower, upper = sorted(
        float(totals[side].sum() / max(share[side].mean(), 1e-9) * share[places].mean() / len(side)) for side in sides
    )
    return (told, int(places[at + 1])) if upper >= _TRUE_CHANGE * lower + least else (0.0, 0)
