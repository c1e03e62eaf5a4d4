"""Events of lines that are alike: what their rest says is taken apart once, by the same code as any other record.

Two records with the same rest and other slots are normalised. A column in which they are equal is the same for all lines with
that rest; of any other it has to be clear how its value is made of the slots (`_slots`), else the rest is not for this.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import schema
from ..case import Evidence
from ._digests import record_ids
from ._places import place_columns
from ._slots import (
    CONSTANT,
    JOINED,
    NO_RULE,
    NUMBER,
    SLICE,
    Rule,
    joined_text,
    rule_of,
    slice_of,
    slices,
    values_in,
    whole_numbers,
)
from ._times import Clock, like_ticks, precisions_of, time_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..load import Alike, Batch, Example

    Normalise = Callable[..., tuple[pa.Table, list[str]]]

_TIME_TEXT: Final = "time_text"
# Two files that differ in all they can: no column may hang on that.
_FILES: Final = [Evidence(f"e{n}", f"path{n}", f"origin{n}", n, f"{n}", "2030-01-01T00:00:00Z") for n in (1, 2)]


@cache
def _made() -> frozenset[str]:
    """Columns that hang on the place or the time of a record, and its id: made for each row as for any other record."""
    return frozenset(
        {*place_columns([], [], [], [], []), *time_columns(np.zeros(0, np.int64), np.zeros(0, np.int64)), "record_id"}
    )


class _Growing:
    """Rows of whole numbers that only ever become more."""

    def __init__(self, width: int) -> None:
        self._held, self._count = np.zeros((1024, width), np.int64), 0

    def append(self, row: Sequence[int]) -> None:
        if self._count == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._count] = row
        self._count += 1

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._held[rows]


class Rests:
    """What rests of lines say, by their number. One thread learns while another makes columns of what is known."""

    def __init__(self, normalise: Normalise) -> None:
        self._normalise = normalise
        self._tables: list[pa.Table] = []
        self._known: dict[str, pa.ChunkedArray] = {}
        self._joined = 0  # of the tables, how many are in what is known
        self.bases: list[str] = []
        self.rules: dict[str, _Growing] = {}  # of columns that vary
        self.joined: dict[tuple[str, int], Rule] = {}

    def learn(self, examples: list[Example], first: Batch, second: Batch) -> list[bool]:
        """Take the records of two lines for each rest apart; returns of which it is clear what their slots are."""
        if not examples:
            return []
        both, bases = self._normalise(*zip((first, second), _FILES, strict=True))
        count = len(examples)
        if len(both) != 2 * count:  # a time that is none
            return [False] * count
        varying = _varying(both, count)
        same = {name: values_in(_plain(both[name][:count])) for name in varying.keys() | self.rules.keys()}
        clear = []
        for at, example in enumerate(examples):
            rules = {name: rule_of(example, *rows[at]) for name, rows in varying.items() if at in rows}
            time = rules.get(_TIME_TEXT)
            is_clear = (
                bases[at] == bases[count + at] and all(rules.values()) and time is not None and time.kind == SLICE
            )
            clear.append(is_clear)
            if is_clear:
                there = {name: slice_of(example, values[at]) for name, values in same.items() if name not in rules}
                self._keep(bases[at], {name: rule for name, rule in (rules | there).items() if rule})
        if any(clear):
            self._tables.append(both[:count].filter(pa.array(clear, pa.bool_())).drop_columns(list(_made())))
        return clear

    def _keep(self, base: str, rules: dict[str, Rule]) -> None:
        number = len(self.bases)
        for name, rule in rules.items():
            if name not in self.rules:
                self.rules[name] = _Growing(len(NO_RULE))
                for _ in range(number):
                    self.rules[name].append(NO_RULE)
            if rule.kind == JOINED:
                self.joined[name, number] = rule
        for name, held in self.rules.items():
            held.append(rules[name].places if name in rules else NO_RULE)
        self.bases.append(base)

    def columns(self, rest: NDArray[np.int64]) -> dict[str, pa.Array]:
        """Columns of some rows, of which those that vary are to be filled."""
        if self._joined < len(self._tables):
            new = self._tables[self._joined :]
            known = [pa.table(self._known)] if self._known else []
            table = pa.concat_tables(known + new).unify_dictionaries().combine_chunks()
            self._known = dict(zip(table.column_names, table.columns, strict=True))
            self._joined += len(new)
        rows = pa.array(rest)
        return {name: column.chunk(0).take(rows) for name, column in self._known.items()}


def _varying(both: pa.Table, count: int) -> dict[str, dict[int, tuple[Any, Any]]]:
    """Both values of each column in which the two halves of a table differ, by the rows in which they do."""
    found = {}
    for name in both.column_names:
        if name in _made():
            continue
        column = both[name].combine_chunks()
        rows = _differing(column, count)
        if len(rows):
            values = zip(*(_plain(column.take(pa.array(at))).to_pylist() for at in (rows, rows + count)), strict=True)
            pairs = {row: pair for row, pair in zip(rows.tolist(), values, strict=True) if pair[0] != pair[1]}
            found[name] = pairs
    return found


def _differing(column: pa.Array, count: int) -> NDArray[np.int64]:
    """Rows in which the two halves of a column may differ."""
    if pa.types.is_dictionary(column.type):
        codes = pc.fill_null(column.indices, -1).to_numpy()
        return np.flatnonzero(codes[:count] != codes[count:])
    one, two = column[:count], column[count:]
    is_same = pc.or_(pc.fill_null(pc.equal(one, two), fill_value=False), pc.and_(pc.is_null(one), pc.is_null(two)))
    return np.flatnonzero(~is_same.to_numpy(zero_copy_only=False))


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


class AlikeRows:
    """Rows of events as they come, held until they are made a table."""

    def __init__(self, rests: Rests) -> None:
        self._rests = rests
        self._evidence: list[Evidence] = []
        self._ticks: list[NDArray[np.int64]] = []
        self._placed: dict[str, list[NDArray[Any]]] = {
            name: [] for name in ("rest", "file", "line", "offset", "length")
        }
        self._varying: list[dict[str, pa.Array]] = []
        self._counts: list[int] = []
        self.count = 0

    def take(self, alike: Alike, evidence: Evidence) -> Batch:
        """Add lines of some evidence; returns those that have to be read by themselves after all."""
        clock = Clock.of(acquired=evidence.acquired, times_in=evidence.times_in)
        rows = alike.rows
        filled, ticks, is_odd = self._read(alike, rows, clock)
        odd = rows[is_odd]
        if len(odd):
            rows = rows[~is_odd]
            filled, ticks, _ = self._read(alike, rows, clock)
        if len(rows):
            self._add(alike, evidence, rows, ticks)
            self._varying.append(filled)
        return alike.read_again(odd)

    def _read(
        self, alike: Alike, rows: NDArray[np.int64], clock: Clock
    ) -> tuple[dict[str, pa.Array], NDArray[np.int64], NDArray[np.bool_]]:
        """Values that slots give, times, and which rows have in a slot what is no time or number after all."""
        rest, edges = alike.rest[rows], alike.edges[rows]
        places = _slice_places(self._rests.rules[_TIME_TEXT][rest], edges)
        ticks, is_odd = like_ticks(slices(alike.lines.data, *places), clock)
        filled = {}
        for name, rules in self._rests.rules.items():
            of = rules[rest]
            kinds = set(np.unique(of[:, 0]).tolist())
            if kinds == {SLICE}:
                filled[name] = slices(alike.lines.data, *_slice_places(of, edges))
            elif NUMBER in kinds:
                filled[name], is_none = _numbers(alike, of, edges)
                is_odd = is_odd | is_none
            elif kinds != {CONSTANT}:
                filled[name] = self._texts(name, alike, rest, of, edges)
        return filled, ticks, is_odd

    def _add(self, alike: Alike, evidence: Evidence, rows: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        if not self._evidence or self._evidence[-1] is not evidence:
            self._evidence.append(evidence)
        placed, starts = self._placed, alike.lines.starts[rows]
        placed["rest"].append(alike.rest[rows])
        placed["file"].append(np.full(len(rows), len(self._evidence) - 1, np.int32))
        placed["line"].append(alike.line[rows])
        placed["offset"].append(starts + alike.offset)
        placed["length"].append(alike.lines.ends[rows] - starts)
        self._ticks.append(ticks)
        self._counts.append(len(rows))
        self.count += len(rows)

    def _texts(
        self, name: str, alike: Alike, rest: NDArray[np.int64], of: NDArray[np.int64], edges: NDArray[np.int64]
    ) -> pa.Array:
        """Texts of lines whose rules differ."""
        is_slice, is_joined = of[:, 0] == SLICE, of[:, 0] == JOINED
        starts, ends = _slice_places(of, edges)
        starts, ends = np.where(is_slice, starts, edges[:, 0]), np.where(is_slice, ends, edges[:, 0])
        texts = pc.if_else(pa.array(is_slice), slices(alike.lines.data, starts, ends), None)
        if not is_joined.any():
            return texts
        rows = np.flatnonzero(is_joined).tolist()
        joined = [joined_text(self._rests.joined[name, int(rest[row])], alike.lines.data, edges[row]) for row in rows]
        return pc.replace_with_mask(texts, pa.array(is_joined), pa.array(joined, pa.string()))

    def finish(self) -> pa.Table:
        """Return the events, in the columns of `schema.EVENTS`."""
        placed = {name: np.concatenate(arrays) for name, arrays in self._placed.items()}
        ticks = np.concatenate(self._ticks)
        columns = self._rests.columns(placed["rest"])
        for name in set().union(*self._varying):
            columns[name] = self._column(name, columns[name])
        columns |= time_columns(ticks, precisions_of(columns[_TIME_TEXT].combine_chunks()))
        columns |= place_columns(self._evidence, placed["file"], placed["line"], placed["offset"], placed["length"])
        bases = map(self._rests.bases.__getitem__, placed["rest"].tolist())
        varying = values_in(columns["correlation_id"]), values_in(columns["duration_ms"])
        columns["record_id"] = record_ids(ticks, bases, *varying)
        return pa.table({name: columns[name] for name in schema.EVENT_NAMES})

    def _column(self, name: str, constant: pa.Array) -> pa.ChunkedArray:
        """Values that slots give, and where they give none those of the rest."""
        if constant.null_count == len(constant) and all(name in filled for filled in self._varying):
            return pa.chunked_array([filled[name] for filled in self._varying])
        constant = _plain(constant)
        chunks, start = [], 0
        for filled, count in zip(self._varying, self._counts, strict=True):
            own = filled.get(name)
            if own is None or own.null_count:
                rest = constant.slice(start, count)
                own = rest if own is None else pc.coalesce(own, rest)
            chunks.append(own)
            start += count
        return pa.chunked_array(chunks)


def _slice_places(rules: NDArray[np.int64], edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = np.arange(len(edges))
    return edges[rows, rules[:, 1]] + rules[:, 2], edges[rows, rules[:, 3]] + rules[:, 4]


def _numbers(alike: Alike, rules: NDArray[np.int64], edges: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Numbers in slots, null where the rest has them; and where a text stands that is none."""
    rows, is_number = np.arange(len(edges)), rules[:, 0] == NUMBER
    starts, ends = edges[rows, rules[:, 1]], edges[rows, np.minimum(rules[:, 1] + 1, edges.shape[1] - 1)]
    values, are_numbers = whole_numbers(alike.lines.buffer, starts, np.where(is_number, ends, starts))
    return pa.array(values, mask=~is_number), ~are_numbers
