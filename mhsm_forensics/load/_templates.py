"""Lines that are alike: what varies is cut out of them, and what is left is read once by the ordinary reader.

The *rest* of a line is its bytes without its slots (`_layouts`). Lines of one layout with the same rest differ in nothing but
slots, and in these stands no quote, no backslash and no control character, so that JSON decodes them alike. Before a rest
stands for its lines, the ordinary reader reads two lines with it whose slots have other contents; whoever turns records into
events says whether it can tell from them what each slot is. Lines that are not surely alike are left to the ordinary reader.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from ._batch import Batch, Place
from ._items import item_of
from ._layouts import MOST_SLOTS, Layout, Slot, layout_of
from ._quotes import Lines, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Reader = Callable[[bytes], Iterator[Batch]]

_LEVELS: Final = 3  # layouts of lines with the same number of quotes
_UNKNOWN, _UNREADABLE, _MET_ONCE = -1, -2, -3  # what is no number of a rest
_MOST: Final = 1 << 15  # rests that are kept: each is about 1 KB
_MET: Final = 1 << 17
_TOO_LITTLE: Final = 0.3  # share of lines that are like one before, below which there is hardly anything to learn
_PATIENCE: Final = 12  # blocks of so little in a row
_PAUSE: Final = 64  # blocks that are then read without
_SHORTEST: Final = 16 << 10  # bytes below which the ordinary reader is as fast


@dataclass(frozen=True, slots=True)
class Probe:
    """A line with a rest, and where its slots are: start and end by turns, behind the start of the line."""

    line: bytes
    edges: tuple[int, ...]

    def slot(self, number: int) -> bytes:
        """What stands in a slot."""
        return self.line[self.edges[2 * number + 1] : self.edges[2 * number + 2]]

    @property
    def slots(self) -> list[bytes]:
        """What stands in each slot; none of them is empty."""
        edges = self.edges
        count = edges.index(edges[-1]) // 2 if edges[-2] == edges[-1] else MOST_SLOTS
        return [self.line[edges[at] : edges[at + 1]] for at in range(1, 2 * count, 2)]


@dataclass(frozen=True, slots=True)
class Example:
    """Two lines with the same rest, other contents in each slot, and the records that they are."""

    first: Probe
    second: Probe

    @property
    def tells_slots_apart(self) -> bool:
        """Whether no slot has what another one has, or has in the other line."""
        first, second = self.first.slots, self.second.slots
        return len({*first, *second}) == len(first) + len(second)


Learn = Callable[[list[Example], Batch, Batch], list[bool]]


@dataclass(slots=True)
class Alike:
    """Lines of one block that are like others; `accounted` are those that the reader went past."""

    lines: Lines
    rest: NDArray[np.int64]
    edges: NDArray[np.int64]
    line: NDArray[np.int64]
    accounted: NDArray[np.bool_]
    offset: int  # in the file, of the first byte of the block
    begins: list[int]  # offsets in the file at which lines in a row that are alike begin
    stops: list[int]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The lines that the reader went past."""
        return np.flatnonzero(self.accounted)

    @property
    def last_line(self) -> int:
        """Number of the last of them in the file; 0 where there is none."""
        return int(self.line.max(initial=0))

    def run_at(self, offset: int, line: int) -> int:
        """Account for the lines in a row that begin at a byte of the file; returns where they end, 0 where none begins."""
        at = bisect_right(self.begins, offset) - 1
        if at < 0 or offset >= self.stops[at]:
            return 0
        start, stop = offset - self.offset, self.stops[at] - self.offset
        first, last = np.searchsorted(self.lines.starts, (start, stop)).tolist()
        if self.lines.starts[first] != start:
            return 0
        self.accounted[first:last] = True
        self.line[first:last] = np.arange(line, line + last - first)
        return self.stops[at]

    def read_again(self, rows: NDArray[np.int64]) -> Batch:
        """Read some lines as the ordinary reader does: each is a whole record."""
        batch = Batch()
        for row in rows.tolist():
            start, end = int(self.lines.starts[row]), int(self.lines.ends[row])
            place = Place(int(self.line[row]), self.offset + start, end - start)
            batch.add(item_of(self.lines.data[start:end]), self.lines.data[start:end], place)
        return batch

    def next_run(self, offset: int) -> int:
        """Byte of the file at which the next lines that are alike begin, or behind all of it."""
        at = bisect_left(self.begins, offset)
        return self.begins[at] if at < len(self.begins) else sys.maxsize


class Templates:
    """Rests of lines, each known by its number."""

    def __init__(self, learn: Learn) -> None:
        self._learn = learn
        self._layouts: dict[int, list[Layout | None]] = {}  # by the number of quotes
        self._rests: list[dict[bytes, int]] = [{} for _ in range(_LEVELS)]
        self._met: set[int] = set()  # hashes of rests that came once: many never come again
        self._count = 0
        self._poor = self._pause = 0  # blocks

    @property
    def is_full(self) -> bool:
        """Whether it knows so many that it is to begin anew."""
        return sum(map(len, self._rests)) > _MOST

    def read(self, data: bytes, offset: int, reader: Reader) -> Alike | None:
        """Say which of the whole lines in some data are like others; None where it is not worth asking."""
        size = data.rfind(b"\n") + 1
        if size < _SHORTEST or self._is_pausing():
            return None
        lines = lines_of(data, size)
        rest = np.full(len(lines.starts), _UNKNOWN)
        edges = np.repeat(lines.starts[:, None], 2 * MOST_SLOTS + 2, axis=1)
        for level in range(_LEVELS):
            self._read_level(level, lines, rest, edges, reader)
        self._look_whether_it_pays(rest)
        return _alike(lines, rest, edges, offset)

    def _look_whether_it_pays(self, rest: NDArray[np.int64]) -> None:
        """Read without for a while after some blocks in a row whose lines have hardly been there before."""
        is_poor = np.count_nonzero(rest >= 0) < _TOO_LITTLE * len(rest)
        self._poor = self._poor + 1 if is_poor else 0
        if self._poor == _PATIENCE:
            self._poor, self._pause = 0, _PAUSE

    def _is_pausing(self) -> bool:
        self._pause -= self._pause > 0
        return self._pause > 0

    def _read_level(
        self, level: int, lines: Lines, rest: NDArray[np.int64], edges: NDArray[np.int64], reader: Reader
    ) -> None:
        """Find the rests of lines by one layout for each number of quotes, and learn those that come again."""
        rows, cuts = self._cut(level, lines, rest)
        if not len(rows):
            return
        known, texts = self._rests[level], _rests(lines, cuts)
        numbers = np.array([known.get(text, _UNKNOWN) for text in texts])
        unknown: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(numbers == _UNKNOWN).tolist():
            unknown.setdefault(texts[row], []).append(row)
        if wanted := self._worth_learning(unknown):
            examples = [self._example(level, lines, rows[unknown[text][0]], cuts[unknown[text][0]]) for text in wanted]
            for text, is_learned in zip(wanted, self._learned(examples, reader), strict=True):
                numbers[unknown[text]] = known[text] = self._count if is_learned else _UNREADABLE
                self._count += is_learned
        rest[rows] = np.where(numbers == _UNREADABLE, _UNKNOWN, np.where(numbers >= 0, numbers, _MET_ONCE))
        edges[rows] = cuts

    def _cut(self, level: int, lines: Lines, rest: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cut the lines that no level before this one knows; returns them and their edges, in the order of the block."""
        left = np.flatnonzero(lines.is_plain & (rest == _UNKNOWN) & (lines.ends > lines.starts))
        counts = lines.quote_count[left]
        rows, cuts = [np.zeros(0, np.int64)], [np.zeros((0, 2 * MOST_SLOTS + 2), np.int64)]
        for count in np.flatnonzero(np.bincount(counts, minlength=1)).tolist():
            mine = left[counts == count]
            if layout := self._layout(level, count, lines, mine):
                cut, good = layout.cut(lines, mine)
                rows.append(mine[good])
                cuts.append(cut[good])
        together = np.concatenate(rows)
        order = np.argsort(together, kind="stable")
        return together[order], np.concatenate(cuts)[order]

    def _layout(self, level: int, count: int, lines: Lines, rows: NDArray[np.int64]) -> Layout | None:
        """Return the layout of lines with so many quotes; one that is new is that of the first of them."""
        layouts = self._layouts.setdefault(count, [])
        if len(layouts) <= level:
            found = layout_of(lines.data[lines.starts[rows[0]] : lines.ends[rows[0]]])
            layouts.append(None if found in layouts else found)
        return layouts[level]

    def _worth_learning(self, unknown: dict[bytes, list[int]]) -> list[bytes]:
        """Those of some rests that came before, or come several times here."""
        if len(self._met) > _MET:
            self._met.clear()
        wanted = [text for text, rows in unknown.items() if len(rows) > 1 or hash(text) in self._met]
        self._met.update(map(hash, unknown))
        return wanted

    def _example(self, level: int, lines: Lines, row: int, edges: NDArray[np.int64]) -> Example | None:
        """Return two other lines with the rest of one; None where its slots are no values that vary."""
        start, end = int(lines.starts[row]), int(lines.ends[row])
        layout = self._layouts[int(lines.quote_count[row])][level]
        line = Probe(lines.data[start:end], tuple((edges - start).tolist()))
        if layout is None or not layout.is_of(line.line, line.edges):
            return None
        example = Example(*(_with_others(line, layout.slots, which) for which in (0, 1)))
        return example if example.tells_slots_apart else None

    def _learned(self, examples: list[Example | None], reader: Reader) -> list[bool]:
        """Have the ordinary reader read both lines of each example, and say for which that tells all."""
        good = [(number, example) for number, example in enumerate(examples) if example]
        one, first = _alone([example.first.line for _, example in good], reader)
        two, second = _alone([example.second.line for _, example in good], reader)
        at_one, at_two = ({number: at for at, number in enumerate(numbers)} for numbers in (first, second))
        both = [at for at in range(len(good)) if at in at_one and at in at_two]
        batches = one.only(at_one[at] for at in both), two.only(at_two[at] for at in both)
        told = self._learn([good[at][1] for at in both], *batches)
        learned = {good[at][0] for at, is_clear in zip(both, told, strict=True) if is_clear}
        return [number in learned for number in range(len(examples))]


def _rests(lines: Lines, edges: NDArray[np.int64]) -> list[bytes]:
    """Lines without their slots."""
    ends = edges[:, -1:]
    used = int(np.count_nonzero(edges < ends, axis=1).max())  # behind these there are only ends
    places = np.concatenate([edges[:, : used + 1 - used % 2], ends], axis=1).astype(np.int32)
    count, width = places.shape
    pieces = pa.Array.from_buffers(pa.binary(), places.size - 1, [None, *map(pa.py_buffer, (places, lines.data))])
    kept = pieces.take(_numbers(np.arange(0, places.size, 2, dtype=np.int32)))
    bounds = np.frombuffer(kept.buffers()[1], np.int32)[: count * width // 2 + 1 : width // 2].tolist()
    data = kept.buffers()[2].to_pybytes()
    return [data[start:end] for start, end in pairwise(bounds)]


def _numbers(values: NDArray[np.int32]) -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])


def _with_others(line: Probe, slots: tuple[Slot, ...], which: int) -> Probe:
    """Return a line with other contents of its slots."""
    pieces, edges, at, size = [], [0], 0, 0
    for number, slot in enumerate(slots):
        start, end = line.edges[2 * number + 1], line.edges[2 * number + 2]
        other = _other(number, which, line.line[start:end], slot)
        pieces += [line.line[at:start], other]
        size += start - at
        edges += [size, size + len(other)]
        size, at = size + len(other), end
    whole = b"".join(pieces) + line.line[at:]
    return Probe(whole, tuple(edges + [len(whole)] * (2 * MOST_SLOTS + 2 - len(edges))))


def _other(number: int, which: int, text: bytes, slot: Slot) -> bytes:
    """Return what else could stand in a slot: the same for all of a kind, so that who asked is taken apart once."""
    if slot.is_time:
        return b"202%d-0%d-1%dT0%d:05:06.%d23456%dZ" % (which, 1 + number % 9, which, number % 10, which, number % 10)
    if slot.is_number or text.isdigit():
        return b"%d" % (1001 + 7 * number + 1900 * which)
    turned = number + 1 + which * MOST_SLOTS
    for kind, like in _KINDS:
        if kind.fullmatch(text):
            return _turned(like[: len(text)], turned)
    return _turned(text, turned)


# Text of each kind, from which others are made by turning its letters on.
_KINDS: Final = (
    (re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), b"0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"),
    (re.compile(rb"[\w-]{16,64}"), b"Qx7mZ2kLs9Wd4RvTg1Bn6HyJc3Fp8uEo" * 2),
)
_CLASSES: Final = (b"0123456789", b"abcdef", b"ABCDEF", b"ghijklmnopqrstuvwxyz", b"GHIJKLMNOPQRSTUVWXYZ")


def _turned(text: bytes, by: int) -> bytes:
    """Return a text whose letters are others of their class, by some steps: a GUID stays one."""
    return text.translate(_turning(by))


@cache
def _turning(by: int) -> bytes:
    classes = b"".join(_CLASSES)
    return bytes.maketrans(classes, b"".join(one[by % len(one) :] + one[: by % len(one)] for one in _CLASSES))


def _alone(lines: list[bytes], reader: Reader) -> tuple[Batch, list[int]]:
    """Return the records that are a whole line each, as the ordinary reader finds them, and the numbers of their lines."""
    found, numbers = _each(lines, reader)
    for number in sorted(set(range(len(lines))) - set(numbers)) if len(lines) > 1 else ():
        more, same = _each([lines[number]], reader)  # it may have been swallowed by one before it
        found.append(more)
        numbers += [number] * len(same)
    return found, numbers


def _each(lines: list[bytes], reader: Reader) -> tuple[Batch, list[int]]:
    found, numbers = Batch(), []
    sizes = np.array([len(line) + 1 for line in lines], np.int64)
    starts = {int(start): number for number, start in enumerate(np.cumsum(sizes) - sizes)}
    for batch in reader(b"\n".join(lines) + b"\n"):
        if batch.forms:
            return Batch(), []
        places = zip(batch.offsets, batch.lengths, batch.nth, strict=True)
        whole = [at for at, (offset, length, nth) in enumerate(places)
                 if nth == 1 and offset in starts and length == len(lines[starts[offset]])]  # fmt: skip
        found.append(batch.only(whole))
        numbers += [starts[batch.offsets[at]] for at in whole]
    return found, numbers


def _alike(lines: Lines, rest: NDArray[np.int64], edges: NDArray[np.int64], offset: int) -> Alike:
    is_known = np.concatenate([[False], rest >= 0, [False]])
    turns = np.flatnonzero(is_known[1:] != is_known[:-1])
    bounds = np.append(lines.starts, lines.size) + offset
    begins, stops = bounds[turns[0::2]].tolist(), bounds[turns[1::2]].tolist()
    nothing = np.zeros(len(rest), np.int64)
    return Alike(lines, rest, edges, nothing, np.zeros(len(rest), bool), offset, begins, stops)
