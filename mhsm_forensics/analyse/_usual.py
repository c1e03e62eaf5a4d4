"""What is usual for each hour of the day and kind of day, and how far the days go beyond it.

Robust throughout: a fifth of the days may be anything at all without teaching it that this is usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ._series import DAY

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._series import Flags, Floats, Grid, Numbers

_SHARE: Final = 0.2  # of the days may be odd
_MINUTES_A_SLOT: Final = 10
_FEW: Final = 4  # added to counts before their logarithm is taken: that of few says little
_PRIOR: Final = 0.1  # bins like the series as a whole that each slot is given, so that nothing is impossible
# Days differ in their most extreme window by at least so much, of the logarithm and of the spread.
_LEAST_MORE, _LEAST_FEWER = 0.1, 0.3
_ONE_DAY_IN_A_HUNDRED: Final = 2.33
_QUANTILES: Final = ((0.75, 0.6745), (0.85, 1.0364), (0.9, 1.2816))  # of the normal distribution
_STIRLING: Final = (1 / 12, -1 / 360, 1 / 1260)


@dataclass(frozen=True)
class Slots:
    """Bins that are alike have the same number."""

    row: Numbers
    count: int


@dataclass(frozen=True)
class Usual:
    """What is usual for each window of one length, and by how much the most extreme window of a day goes beyond it."""

    value: Floats
    expected: Floats
    others: Numbers  # windows that each was compared with
    clump: Floats  # events that come together there, as a rule
    over: Floats  # logarithm of how much larger than what is often reached
    under: Floats  # how far below what is seldom undercut, in its spread
    days: Numbers  # number of the day of each window, from 0
    over_days: tuple[Floats, float, float]  # largest of each day, its median and its spread
    under_days: tuple[Floats, float, float]
    high: Floats
    low: Floats


@lru_cache(maxsize=64)
def slots_of(grid: Grid, kind: str, length: int = 1) -> Slots:
    """Windows that are alike, by where they begin: all, those of an hour of the day, or of an hour and kind of day.

    A window from a workday into a weekend is like others from a workday into a weekend.
    """
    starts = grid.starts
    row = np.zeros(grid.count, np.int64)
    if kind != "any hour":
        slot = max(grid.width, _MINUTES_A_SLOT * 60_000_000)
        row = starts % DAY // slot
        if kind == "hour and kind of day":
            span = (length - 1) * grid.width
            for nth, after in enumerate([*range(0, span, DAY), span]):
                row += DAY // slot * 2**nth * weekend(starts + after)
    return Slots(row, int(row.max(initial=0)) + 1)


def weekend(moments: Numbers) -> Numbers:
    """Say by 0 or 1 whether it is Saturday or Sunday, in UTC; 1 January 1970 was a Thursday."""
    return ((moments // DAY + 3) % 7 >= 5).astype(np.int64)


def windows(values: Floats, known: Flags, length: int) -> tuple[Floats, Flags]:
    """Sums over windows of so many bins, by the bin they begin in, and whether every bin of them is known."""
    if length == 1:
        return values, known
    total = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(values), values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    sums, full = np.full(len(values), np.nan), np.zeros(len(values), bool)
    if length > len(values):
        return sums, full
    sums[: len(values) - length + 1] = total[length:] - total[:-length]
    full[: len(values) - length + 1] = count[length:] - count[:-length] == length
    return sums, full


def usual(
    value: Floats,
    good: Flags,
    slots: Slots,
    *,
    days: Numbers,
    length: int = 1,
    least_clump: float = 1.0,
    tame: bool = False,
) -> Usual:
    """Compare each window with the good ones of its slot.

    With *tame*, what is far beyond a fifth of the days is cut before means are taken: the first look at a series.
    """
    often, seldom = _reached(value, good, slots, days), -_reached(-value, good, slots, days)
    tamed = np.minimum(value, (2 * often + 3)[slots.row]) if tame else value
    expected, others = _means(tamed, good, slots, length)
    clump = _clump(tamed, expected, good, slots, length)
    noise, wide = np.sqrt(np.minimum(np.maximum(clump, least_clump), 1.0) * expected), np.sqrt(clump * expected)
    clump = np.maximum(clump, least_clump)
    distinct = least_clump < 1
    if distinct:  # they are few, and do not come in clumps
        clump = np.minimum(clump, 1.0)
    reach = np.fmax(often[slots.row], expected + np.maximum(2 * noise + 0.75, 0.84 * wide))
    over = np.maximum(np.log((value + _FEW) / (reach + _FEW)), 0.0)
    floor = np.fmin(seldom[slots.row], expected - np.maximum(noise, 0.84 * wide))
    spread = np.maximum(noise, 0.84 * wide) + 0.75
    under = np.maximum((floor - value) / spread, 0.0)
    over_days, under_days = (
        _by_day(over, good, days, _LEAST_MORE / (2 if distinct else 1)),
        _by_day(under, good, days, _LEAST_FEWER),
    )
    noisy = np.sqrt(clump * (expected + 0.375))
    high = (reach + _FEW) * np.exp(over_days[1] + _ONE_DAY_IN_A_HUNDRED * over_days[2]) - _FEW
    low = floor - spread * (under_days[1] + _ONE_DAY_IN_A_HUNDRED * under_days[2])
    return Usual(
        value, expected, others, clump, over, under, days, over_days, under_days,
        np.maximum(high, expected + 3.1 * noisy + 1), np.maximum(np.minimum(low, expected - 3.1 * noisy), 0.0),
    )  # fmt: skip


def chance(found: Usual, *, more: bool, a_day: float, counted: bool) -> Floats:
    """Logarithm of the chance that a day has a window as extreme as this one.

    The larger of two: what requests that come by chance at the expected rate would do (in clumps as large as theirs are,
    among so many windows a day), and how far the most extreme windows of the other days reach.
    """
    extreme, (_, middle, spread) = (found.over, found.over_days) if more else (found.under, found.under_days)
    habit = _normal((extreme - middle) / spread)
    if not counted:
        return np.asarray(habit)
    doubt = np.sqrt(found.clump * found.expected / np.maximum(found.others, 1))
    mean = (found.expected + (doubt if more else -doubt)) / found.clump
    return np.asarray(
        np.maximum(habit, np.minimum(np.log(a_day) + _poisson(found.value / found.clump, mean, more=more), 0.0))
    )


def surprise(value: Floats, expected: Floats, good: Flags, days: Numbers) -> Floats:
    """How badly each day was foretold: deviance of its counts, a day; nan where nothing of it is good."""
    known = good & np.isfinite(expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = 2 * (np.where(value > 0, value * np.log(value / expected), 0.0) - (value - expected))
    total = np.bincount(days[known], each[known], minlength=int(days.max(initial=0)) + 1)
    return np.asarray(np.where(np.bincount(days[known], minlength=len(total)) > 0, total, np.nan))


def _reached(value: Floats, good: Flags, slots: Slots, days: Numbers) -> Floats:
    """What a fifth of the days go beyond within each slot, or almost; no single day can be that where there are two."""
    table = np.full((slots.count, int(days.max(initial=0)) + 1), -np.inf)
    np.maximum.at(table, (slots.row[good], days[good]), value[good])
    table = np.sort(np.where(np.isinf(table), np.nan, table), axis=1)
    count = np.isfinite(table).sum(axis=1)
    place = np.floor((1 - _SHARE) * (count - 1))
    found = np.take_along_axis(table, np.maximum(place, 0).astype(np.int64)[:, None], axis=1)[:, 0]
    return np.asarray(np.where(count > 0, found, np.nan))


def _others(value: Floats, good: Flags, slots: Slots, length: int) -> Floats:
    """Sum over the good windows of the slot that do not overlap with each one."""
    own = np.where(good, value, 0.0)
    total = np.bincount(slots.row, own, minlength=slots.count)[slots.row] - own
    for shift in range(1, min(length, len(own))):
        same = slots.row[shift:] == slots.row[:-shift]
        total[shift:] -= np.where(same, own[:-shift], 0.0)
        total[:-shift] -= np.where(same, own[shift:], 0.0)
    return np.asarray(total)


def _means(tamed: Floats, good: Flags, slots: Slots, length: int) -> tuple[Floats, Numbers]:
    """Mean of the other good windows of the slot, and how many they are."""
    sums = _others(tamed, good, slots, length)
    others = np.rint(_others(np.ones(len(tamed)), good, slots, length)).astype(np.int64)
    overall = float(tamed[good].mean()) if good.any() else 0.0
    mean = (np.maximum(sums, 0.0) + _PRIOR * overall) / (others + _PRIOR)
    return np.asarray(np.where(others > 0, np.maximum(mean, 1e-9), np.nan)), others


def _clump(value: Floats, expected: Floats, good: Flags, slots: Slots, length: int) -> Floats:
    """Variance over mean of the other windows: how many come together. Where there is next to nothing, one by one."""
    known = good & np.isfinite(expected)
    with np.errstate(invalid="ignore"):
        excess = _others(np.where(known, (value - expected) ** 2, 0.0), known, slots, length)
    mass = _others(np.where(known, expected, 0.0), known, slots, length)
    return np.asarray((np.maximum(excess, 0.0) + 1) / (np.maximum(mass, 0.0) + 1))


def _by_day(extreme: Floats, good: Flags, days: Numbers, least: float) -> tuple[Floats, float, float]:
    """Largest of each day (nan where nothing of it is good), their median, and their spread upwards."""
    known = good & np.isfinite(extreme)
    largest = np.full(int(days.max(initial=0)) + 1, -np.inf)
    np.maximum.at(largest, days[known], extreme[known])
    largest[np.isinf(largest)] = np.nan
    there = largest[np.isfinite(largest)]
    if not len(there):
        return largest, 0.0, least
    middle = float(np.median(there))
    # Where a few days are odd, the higher quantiles tell of them; where none is, they tell of the usual.
    # Of few days none may be made up for by its neighbour, or one odd day would hide itself.
    method: Literal["linear", "lower"] = "linear" if len(there) >= 10 else "lower"
    spread = min((float(np.quantile(there, share, method=method)) - middle) / z for share, z in _QUANTILES)
    return largest, middle, max(spread, least) * float(np.sqrt(1 + 8 / len(there)))


def _normal(z: Floats) -> Floats:
    """Logarithm of the normal distribution's upper tail (Birnbaum's bound); that of 1/2 below the middle."""
    far = np.maximum(z, 0.0)
    tail = -(far**2) / 2 - np.log(3 * far + np.sqrt(far**2 + 8)) + np.log(4 / np.sqrt(2 * np.pi))
    return np.asarray(np.where(np.isfinite(z), np.minimum(tail, np.log(0.5)), 0.0))


def _poisson(value: Floats, mean: Floats, *, more: bool) -> Floats:
    """Logarithm of a bound on the chance of so many, or so few; values may be fractions. 0 where it isn't rare."""
    mean = np.maximum(mean, 1e-9)
    ratio = mean / (value + 1) if more else value / mean
    rare = np.isfinite(value) & np.isfinite(mean) & (ratio < 0.9) & ((value > mean) if more else (value < mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = value * np.log(mean) - mean - log_gamma(value + 1) - np.log1p(-np.where(rare, ratio, 0.0))
    return np.where(rare, np.minimum(tail, 0.0), 0.0)


def log_gamma(x: npt.ArrayLike) -> Floats:
    """Logarithm of the gamma function for x > 0, to 9 digits (Stirling's series, from 7 on).

    >>> log_gamma([1.0, 6.0]).round(6).tolist() == [0.0, 4.787492]
    True
    """
    x = np.asarray(x, dtype=np.float64)
    low = np.clip(x, 1e-9, 7.0)
    shift = np.where(x < 7, np.log(np.prod([low + step for step in range(7)], axis=0)), 0.0)
    y = np.where(x < 7, low + 7, x)
    series = sum(term / y ** (2 * nth + 1) for nth, term in enumerate(_STIRLING))
    return np.asarray((y - 0.5) * np.log(y) - y + 0.5 * np.log(2 * np.pi) + series - shift)
