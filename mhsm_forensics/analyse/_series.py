"""What is counted hour by hour, or minute by minute: series of an operation, of an identity, of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from .. import engine
from ..case import Case, Events, Scope
from ..errors import InputError
from ._coverage import gaps
from ._frames import KEPT
from ._names import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Numbers = npt.NDArray[np.int64]

Measure = Literal["events", "denied_share", "distinct_keys", "distinct_callers", "new_pairs", "duration_ms"]
Every = Literal["hour", "minute"]

BY: Final = ("hsm", "operation", "principal", "caller_ip", "key")
WIDTHS: Final = {"hour": 3_600_000_000, "minute": 60_000_000}
DAY: Final = 86_400_000_000
_MOST_ROWS: Final = 20_000_000


@dataclass(frozen=True)
class Grid:
    """Bins one after the other, from that of the first event of the evidence to that of the last."""

    width: int  # microseconds
    first: int  # bins since 1970
    count: int

    @property
    def starts(self) -> Numbers:
        """Microseconds since 1970 at which the bins begin."""
        return (self.first + np.arange(self.count, dtype=np.int64)) * self.width

    def times(self, bins: Numbers) -> pd.Series[pd.Timestamp]:
        """Aware times at which bins of these places begin."""
        return pd.Series(((self.first + bins) * self.width).astype("datetime64[us]")).dt.tz_localize("UTC")


@dataclass(frozen=True)
class Data:
    """Counts by series and bin, and which bins the log covers in full."""

    by: tuple[str, ...]
    measure: Measure
    grid: Grid
    rows: pd.DataFrame  # series, the columns it goes by, bin, events, the measure; by series and bin
    edges: Numbers  # where each series begins in the rows
    silences: pd.DataFrame
    covered: dict[str, Flags]  # by HSM; "" for all of them together

    def __len__(self) -> int:
        return len(self.edges) - 1

    def name(self, number: int) -> dict[str, str | None]:
        """Value of each column that a series goes by."""
        row = self.rows.iloc[self.edges[number]]
        return {column: None if pd.isna(row[column]) else str(row[column]) for column in self.by}

    def whole(self, number: int) -> Flags:
        """Say which bins are covered from their start to their end."""
        hsm = (self.name(number)["hsm"] or "") if "hsm" in self.by else ""
        return self.covered.get(hsm, self.covered[""])

    def events(self, number: int) -> Floats:
        """Events in each bin."""
        return self._dense(number, "events", 0.0)

    def values(self, number: int) -> Floats:
        """The measure in each bin; nan where it has none."""
        if self.measure == "denied_share":
            return self._dense(number, "denied", np.nan) / self._dense(number, "events", np.nan)
        return self._dense(number, self.measure, np.nan if self.measure == "duration_ms" else 0.0)

    def _dense(self, number: int, column: str, empty: float) -> Floats:
        part = self.rows.iloc[self.edges[number] : self.edges[number + 1]]
        filled = np.full(self.grid.count, empty)
        filled[part["bin"].to_numpy("int64") - self.grid.first] = part[column].to_numpy("float64", na_value=np.nan)
        return filled


def series(
    events: Any, *, by: Sequence[str] = ("operation",), measure: Measure = "events", every: Every = "hour"
) -> pd.DataFrame:
    """How much of it there was in each complete hour, or minute, that the log covers.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``event_id``, ``hsm``, ``operation``, ``actor``, ``principal``, ``caller_ip``,
        ``key``, ``outcome``, ``duration_ms``.
    by
        A series for each combination of these: ``hsm``, ``operation``, ``principal`` (an actor, by its name), ``caller_ip``,
        ``key`` (with its HSM).
    measure
        ``events``; ``denied_share`` (0 to 1); ``distinct_keys``, ``distinct_callers``; ``new_pairs`` (an identity from an
        address for the first time in the evidence); ``duration_ms`` (median).
    every
        ``hour`` or ``minute``.

    Returns
    -------
    The columns *by*, ``start``, ``end`` (UTC), ``value`` (of the measure; null where a bin without events has none),
    ``events``; one row per series and bin, those without events included, by series and time. Bins that the evidence
    begins or ends in, and those that one of the `gaps` touches, are left out: what was not logged is no zero.

    Raises
    ------
    InputError
        No such column, measure or length of bins; or more rows than fit into memory.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> series(example().assign(duration_ms=9), every="minute").query("value > 0")[["operation", "start", "value"]]
      operation                     start  value
    68   KeySign 2026-01-05 10:10:00+00:00    1.0
    """
    data = read(events, by=by, measure=measure, every=every)
    if len(data) * data.grid.count > _MOST_ROWS:
        raise InputError(
            f"{len(data):,} series of {data.grid.count:,} {every}s: too many. Hint: fewer columns, hours, or a scope."
        )
    parts = [_frame(data, number) for number in range(len(data))] or [_frame(data, None)]
    return pd.concat(parts, ignore_index=True)


def _frame(data: Data, number: int | None) -> pd.DataFrame:
    places = np.flatnonzero(data.whole(number)) if number is not None else np.zeros(0, np.int64)
    names = data.name(number) if number is not None else dict.fromkeys(data.by)
    return pd.DataFrame(
        {
            **{column: pd.Series([value] * len(places), dtype="string[pyarrow]") for column, value in names.items()},
            "start": data.grid.times(places),
            "end": data.grid.times(places + 1),
            "value": data.values(number)[places] if number is not None else np.zeros(0),
            "events": data.events(number)[places].astype(np.int64) if number is not None else np.zeros(0, np.int64),
        }
    )


def read(events: Any, *, by: Sequence[str], measure: Measure, every: Every) -> Data:
    """Count the events, and find out what the log covers."""
    asked = _checked(by, measure, every)
    width = WIDTHS[every]
    question = "series_new_pairs" if measure == "new_pairs" else "series"
    rows = engine.query(events, question, width=width, **{f"by_{column}": column in asked for column in BY})
    rows = named(rows, events) if "principal" in asked else rows
    whole = _unnarrowed(events)
    spans = engine.query(whole, "hsms")
    if spans.empty or rows.empty:
        return Data(
            asked, measure, Grid(width, 0, 0), rows, np.zeros(1, np.int64), gaps(whole), {"": np.zeros(0, bool)}
        )
    first, last = (_micros(spans["first_time"]).min(), _micros(spans["last_time"]).max())
    grid = Grid(width, int(first // width), int(last // width - first // width) + 1)
    changes = np.flatnonzero(np.diff(rows["series"].to_numpy("int64"))) + 1
    silences = gaps(whole)
    return Data(
        asked, measure, grid, rows, np.concatenate([[0], changes, [len(rows)]]), silences,
        _covered(grid, spans, silences),
    )  # fmt: skip


def _checked(by: Sequence[str], measure: str, every: str) -> tuple[str, ...]:
    asked = tuple(KEPT.get(column, column) for column in ((by,) if isinstance(by, str) else by))
    for what, given, known in (
        ("column", asked, BY), ("measure", (measure,), get_args(Measure)), ("length", (every,), tuple(WIDTHS)),
    ):  # fmt: skip
        for value in given:
            if value not in known:
                raise InputError(f"{value!r}: no {what} of a series. Hint: {', '.join(known)}.")
    if not asked:
        raise InputError(f"no column to go by. Hint: one or more of {', '.join(BY)}.")
    return tuple(column for column in BY if column in asked)


def _unnarrowed(events: Any) -> Any:
    """All that the log holds of that time and those HSMs: what one identity did says nothing about coverage."""
    while isinstance(events, engine.Picked):
        events = events.events
    if isinstance(events, Case):
        events = events.events
    if isinstance(events, Events):
        return events.of(Scope(events.scope.start, events.scope.end, events.scope.hsms))
    return events


def _micros(times: pd.Series[pd.Timestamp]) -> Numbers:
    return times.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)


def _covered(grid: Grid, spans: pd.DataFrame, silences: pd.DataFrame) -> dict[str, Flags]:
    inner = np.ones(grid.count, bool)
    inner[[0, -1]] = False  # the evidence begins within the one, and ends within the other
    found = {"": inner.copy()} | {hsm: inner.copy() for hsm in spans["hsm"].dropna()}
    starts, ends = _micros(silences["start"]), _micros(silences["end"])
    for hsm, start, end in zip(silences["hsm"], starts, ends, strict=True):
        touched = slice(int(start // grid.width) - grid.first, int(end // grid.width) - grid.first + 1)
        for name in {"", "" if pd.isna(hsm) else hsm}:
            found[name][touched] = False
    return found
