"""What a column takes out of a line's slots: found by comparing two lines that differ in nothing else."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..load import Example

CONSTANT, SLICE, NUMBER, JOINED = range(4)
_DIGITS: Final = 15
_LONG: Final = 64
NO_RULE: Final[tuple[int, ...]] = (CONSTANT, 0, 0, 0, 0)


class Rule(NamedTuple):
    """How a value is made: of bytes between two edges of the line, of a number in a slot, or of pieces and slots.

    Edges are given by their number and the bytes behind them; `pieces` are what stands before, between and behind `slots`.
    """

    kind: int
    edge: int
    behind: int
    end_edge: int = 0
    end_behind: int = 0
    pieces: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """Its numbers."""
        return self[:5]


def rule_of(example: Example, one: Any, two: Any) -> Rule | None:
    """Return how a value is made of the slots that is *one* in the first line and *two* in the second; None for no way."""
    if isinstance(one, int) and isinstance(two, int):
        return _number(example, one, two)
    if isinstance(one, str) and isinstance(two, str):
        return _slice(example, one.encode(), two.encode()) or _joined(example, one, two)
    return None


def slice_of(example: Example, value: Any) -> Rule | None:
    """Return where a long text that all lines with a rest share stands in them: it need not be copied from elsewhere."""
    return _slice(example, value.encode(), value.encode()) if isinstance(value, str) and len(value) > _LONG else None


def _number(example: Example, one: int, two: int) -> Rule | None:
    wanted = (str(one).encode(), str(two).encode())
    for number in range(len(example.first.slots)):
        if (example.first.slot(number), example.second.slot(number)) == wanted:
            return Rule(NUMBER, 2 * number + 1, 0)
    return None


def _slice(example: Example, one: bytes, two: bytes) -> Rule | None:
    """Return where the values stand in their lines, if both are at one place."""
    line, edges = example.first.line, example.first.edges
    start = line.find(one)
    if start < 0 or line.find(one, start + 1) >= 0:
        return None
    end = start + len(one)
    edge, end_edge = bisect_right(edges, start) - 1, bisect_right(edges, end) - 1
    rule = Rule(SLICE, edge, start - edges[edge], end_edge, end - edges[end_edge])
    cuts_slot = (edge % 2 and rule.behind) or (end_edge % 2 and rule.end_behind)
    second = example.second
    there = second.line[second.edges[edge] + rule.behind : second.edges[end_edge] + rule.end_behind]
    return rule if not cuts_slot and there == two else None


def _joined(example: Example, one: str, two: str) -> Rule | None:
    """Return the pieces of a value that was put together of slots and what is the same in both lines."""
    slots = [text.decode() for text in example.first.slots]
    places = sorted((one.find(text), number) for number, text in enumerate(slots) if one.count(text) == 1)
    cuts = [0, *(at for place, number in places for at in (place, place + len(slots[number]))), len(one)]
    pieces = tuple(one[start:end] for start, end in list(pairwise(cuts))[::2])
    rule = Rule(JOINED, 0, 0, 0, 0, pieces, tuple(number for _, number in places))
    return rule if _put_together(rule, [text.decode() for text in example.second.slots]) == two else None


def _put_together(rule: Rule, slots: list[str]) -> str:
    parts = [rule.pieces[0]]
    for piece, number in zip(rule.pieces[1:], rule.slots, strict=True):
        parts += [slots[number], piece]
    return "".join(parts)


def joined_text(rule: Rule, data: bytes, edges: NDArray[np.int64]) -> str:
    """What is put together of the slots of one line."""
    slots = [data[edges[2 * n + 1] : edges[2 * n + 2]].decode() for n in range(len(edges) // 2 - 1)]
    return _put_together(rule, slots)


def slices(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> pa.Array:
    """Texts between places of some data that rise, copied out of it."""
    count = len(starts)
    between = np.empty(2 * count, np.int32)
    between[0::2], between[1::2] = starts, ends
    which = np.arange(0, 2 * count, 2, dtype=np.int32)
    if not count:
        return pa.array([], pa.string())
    cut = pa.Array.from_buffers(pa.string(), 2 * count - 1, [None, pa.py_buffer(between), pa.py_buffer(data)])
    return cut.take(pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(which)]))


def whole_numbers(
    buffer: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers whose digits stand at some places, and whether they are digits, and so few that a float holds the number."""
    size, value = ends - starts, np.zeros(len(starts), np.int64)
    good = size <= _DIGITS
    for place in range(int(min(size.max(initial=0), _DIGITS))):
        digit = buffer[np.minimum(starts + place, len(buffer) - 1)].astype(np.int64) - ord("0")
        is_here = place < size
        good &= ~is_here | ((digit >= 0) & (digit <= 9))
        value = np.where(is_here, value * 10 + digit, value)
    return value, good


def values_in(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Values of a column: many times as fast as Arrow lists them, for numbers and ASCII."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_integer(array.type):
        values: list[Any] = array.fill_null(-1).to_numpy().tolist()
    else:
        data = array.buffers()[2].to_pybytes() if len(array) and array.buffers()[2] else b""
        if not data.isascii():
            return list(array.to_pylist())
        bounds = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1].tolist()
        text = data.decode("ascii")
        values = [text[start:end] for start, end in pairwise(bounds)]
    if array.null_count:
        for at in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
            values[at] = None
    return values
