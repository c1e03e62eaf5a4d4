"""When: times of any spelling and precision, in UTC; a time whose zone or day is not known is no time.

What becomes of a time hangs on its text, on the file's order of dates and on what the responder said, and on nothing that
stands beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLOCK = (
    r"(?:(?:T|,?\s+|\s*)(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<half>[AP]\.?M\.?)?)"
    r"\s*(?P<zone>Z|UTC|GMT|[+-](?:0\d|1[0-4]):?[0-5]\d)?"
)
_YEAR_FIRST = re.compile(r"(?P<Y>\d{4})[-/.](?P<M>\d{1,2})[-/.](?P<D>\d{1,2})" + _CLOCK, re.IGNORECASE)
_TWO_NUMBERS = re.compile(r"(?P<A>\d{1,2})(?P<mark>[/.-])(?P<B>\d{1,2})(?P=mark)(?P<Y>\d{4})" + _CLOCK, re.IGNORECASE)
_COMPACT = re.compile(
    r"(?P<Y>\d{4})(?P<M>\d\d)(?P<D>\d\d)T(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?(?P<half>)(?P<zone>Z)",
    re.IGNORECASE,
)
_JSON_DATE = re.compile(r"\\?/Date\((-?\d{1,16})(?:[+-]\d{4})?\)\\?/")  # what PowerShell 5.1 writes: milliseconds
_NUMBER = re.compile(r"(\d{9,19})(?:\.(\d{1,9}))?")
# Digits before the point → 100 ns ticks: seconds, milliseconds, microseconds and nanoseconds of our time differ in them.
_TICKS_OF: Final = {9: 10_000_000, 10: 10_000_000, 12: 10_000, 13: 10_000, 15: 10, 16: 10}
# What the vector path reads; whatever else is read one by one.
_PLAIN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_EARLIEST = int((datetime(2015, 1, 1, tzinfo=UTC) - _EPOCH) / _SECOND) * 10_000_000  # Key Vault is of 2015
_LATEST = 2**63 - 1
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Clock:
    """How the times of a file are read: what its dates and the responder say, and the last time that can be."""

    dates: str | None = None  # which number of a date is the day: day-first, month-first
    zone: tzinfo | None = None  # of times that name none
    latest: int = _LATEST  # ticks

    @classmethod
    def of(cls, *, acquired: str | None = None, dates: str | None = None, times_in: str | None = None) -> Clock:
        """Return the clock of evidence that was acquired at a time: nothing in it is more than a year younger."""
        latest = (datetime.fromisoformat(acquired) + _YEAR - _EPOCH) // _SECOND * 10_000_000 if acquired else _LATEST
        return cls(dates, zone_of(times_in) if times_in else None, latest)


def ticks_of(texts: Sequence[str], utc: Sequence[bool], clock: Clock = Clock()) -> tuple[np.ndarray, dict[int, str]]:
    """Times as 100 ns ticks since 1970, and for those that are none, by position, why.

    The seventh digit of the source is kept: it is the only thing that orders events within a microsecond.

    Parameters
    ----------
    texts
        Times as the source wrote them.
    utc
        Of each, whether the header of its column says that it is in UTC.
    clock
        What is known of the file's times.

    Examples
    --------
    >>> ticks, wrong = ticks_of(["2026-03-04T09:15:02.0000001Z", "2026-03-04T09:15:02"], [False, False])
    >>> int(ticks[0] % 10), wrong
    (1, {1: 'no_zone'})
    """
    column = pa.array(texts, pa.string())
    is_plain = pc.match_substring_regex(column, _PLAIN).to_numpy(zero_copy_only=False)
    ticks, odd = _plain_ticks(column, is_plain)
    wrong: dict[int, str] = {}
    for index in odd:
        one = _ticks(texts[index].strip(), clock, is_utc=utc[index])
        if isinstance(one, int):
            ticks[index] = one
        else:
            wrong[index] = one
    impossible = (ticks < _EARLIEST) | (ticks > clock.latest)
    wrong |= {int(at): "impossible_time" for at in np.flatnonzero(impossible) if int(at) not in wrong}
    return ticks, dict(sorted(wrong.items()))


def like_ticks(texts: pa.Array, clock: Clock) -> tuple[np.ndarray, np.ndarray]:
    """Times that are spelt as the service does as ticks, and which of them are to be looked at one by one."""
    ticks, is_odd = _cast(texts)
    return ticks, is_odd | (ticks < _EARLIEST) | (ticks > clock.latest)


def _cast(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Ticks of times; a time that is none is looked for by halves."""
    count = len(texts)
    try:
        ticks = pc.cast(texts, pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy() // 100
    except pa.ArrowInvalid:
        if count == 1:
            return np.zeros(1, "int64"), np.ones(1, bool)
        halves = [_cast(texts[: count // 2]), _cast(texts[count // 2 :])]
        return np.concatenate([ticks for ticks, _ in halves]), np.concatenate([odd for _, odd in halves])
    return ticks, np.zeros(count, bool)


def time_columns(ticks: np.ndarray, precisions: np.ndarray) -> dict[str, pa.Array]:
    """Columns that say when, and how finely that was written."""
    t = pa.array(ticks // 10)
    return {"time": t.cast(pa.timestamp("us")), "t": t, "tick": pa.array(ticks % 10), "precision": pa.array(precisions)}


def precisions_of(texts: Sequence[str] | pa.Array) -> np.ndarray:
    """How finely times are written, in ticks of 100 ns: a time of the text lies within so many from what it says.

    >>> precisions_of(["2026-03-04T09:15:02.0000001Z", "2026-03-04T09:15:02.1Z", "3/4/2026 9:15", "1772615702123"]).tolist()
    [1, 1000000, 600000000, 10000]
    """
    column = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
    marks = ((10, "T"), (19, "."), (-1, "Z"))
    plain = [pc.equal(pc.utf8_slice_codeunits(column, at, at + 1 or None), mark) for at, mark in marks]
    is_plain = np.logical_and.reduce([mark.to_numpy(zero_copy_only=False) for mark in plain])
    found: np.ndarray = np.array([10**7, 10**6, 10**5, 10**4, 10**3, 100, 10, 1], "int64")[np.clip(lengths - 21, 0, 7)]
    for index in np.flatnonzero(~is_plain).tolist():
        found[index] = _precision(column[index].as_py().strip())
    return found


@lru_cache(1 << 12)
def _precision(text: str) -> int:
    if number := _NUMBER.fullmatch(text):
        return max(_TICKS_OF.get(len(number[1]), 1) // _POWERS[len(number[2] or "")], 1)
    if _JSON_DATE.fullmatch(text):
        return 10_000
    clock = _SECONDS.search(text)
    if clock is None:
        return 600_000_000
    return max(_POWERS[7] // _POWERS[len(clock[1] or "")], 1)


_POWERS: Final = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000]
_SECONDS = re.compile(r"(?::\d\d:\d\d|T\d{6})(?:[.,](\d{1,9}))?")


def _plain_ticks(column: pa.Array, is_plain: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Times of the service's own spelling a column at a time, and where the others are."""
    ticks = np.zeros(len(column), "int64")
    try:
        cast = pc.cast(column.filter(pa.array(is_plain)), pa.timestamp("ns", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:  # one of them is no time, or of another age
        return ticks, list(range(len(column)))
    ticks[is_plain] = cast.to_numpy() // 100
    return ticks, np.flatnonzero(~is_plain).tolist()


def _ticks(text: str, clock: Clock, *, is_utc: bool) -> int | str:
    number = _JSON_DATE.fullmatch(text)
    if number:
        return int(number[1]) * 10_000
    if counted := _NUMBER.fullmatch(text):
        return _counted(counted[1], counted[2] or "")
    date = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if date:
        parts = date.groupdict()
        return _moment(parts, int(parts["M"]), int(parts["D"]), clock, is_utc=is_utc)
    date = _TWO_NUMBERS.fullmatch(text)
    return _by_order(date.groupdict(), clock, is_utc=is_utc) if date else "bad_time"


def _counted(whole: str, fraction: str) -> int | str:
    """Ticks of a number of seconds, milliseconds, microseconds or nanoseconds since 1970; its length says which."""
    if len(whole) >= 18:
        return int(whole) // 100
    unit = _TICKS_OF.get(len(whole))
    if unit is None:
        return "bad_time"
    return int(whole) * unit + (int(fraction.ljust(9, "0")) * unit // 10**9 if fraction else 0)


def _by_order(parts: dict[str, str | None], clock: Clock, *, is_utc: bool) -> int | str:
    """Ticks of a date whose day and month the file's order tells apart; a point always stands behind the day."""
    first, second = int(parts["A"] or 0), int(parts["B"] or 0)
    day_first = parts["mark"] == "." or clock.dates == "day-first"
    if not day_first and clock.dates is None:
        if first <= 12 and second <= 12 and first != second:
            return "ambiguous_date"
        day_first = first > 12
    day, month = (first, second) if day_first else (second, first)
    return _moment(parts, month, day, clock, is_utc=is_utc)


def _moment(parts: dict[str, str | None], month: int, day: int, clock: Clock, *, is_utc: bool) -> int | str:
    half = (parts["half"] or "").upper().replace(".", "")
    hour = int(parts["h"] or 0)
    if half and hour <= 12:  # an export of the portal writes 21:06 PM as well as 9:06 PM
        hour = hour % 12 + 12 * (half == "PM")
    try:
        local = datetime(int(parts["Y"] or 0), month, day, hour, int(parts["m"] or 0), int(parts["s"] or 0))  # noqa: DTZ001
    except ValueError:
        return "bad_time"
    seconds = _seconds(local, parts["zone"], clock, is_utc=is_utc)
    return seconds if isinstance(seconds, str) else seconds * 10_000_000 + int((parts["f"] or "0").ljust(7, "0")[:7])


def _seconds(local: datetime, zone: str | None, clock: Clock, *, is_utc: bool) -> int | str:
    if zone or is_utc:
        return (local.replace(tzinfo=UTC) - _EPOCH - _offset(zone)) // _SECOND
    if clock.zone is None:
        return "no_zone"
    early, late = (local.replace(tzinfo=clock.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early != late:  # the hour that the clock showed twice, or never
        return "ambiguous_hour"
    return (early - _EPOCH) // _SECOND


def _offset(zone: str | None) -> timedelta:
    if not zone or zone.upper() in {"Z", "UTC", "GMT"}:
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
