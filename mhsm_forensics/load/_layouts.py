r"""How lines are laid out: which of their values vary from record to record, found by the names of their keys.

A *slot* is the text between two quotes, or digits between a colon and the next quote. It is known by the number of the quote
before it, which is the same in all lines of a layout. What is in no slot has to be equal, byte for byte, before two lines
count as alike. So it is enough to look at one of them to know that its slots are values of such keys (`Layout.is_of`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ._quotes import Lines, holds_any
from ._shapes import meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_SLOTS: Final = 10
_LONGEST_NUMBER: Final = 15  # digits: a float holds it exactly
_LONGEST_KEY = 96  # bytes, with what stands around it

# What a field or claim is called, and what says nothing but is another one in each row of Log Analytics.
_VARYING = {("field", name) for name in ("correlationId", "durationMs")} | {
    ("claim", name) for name in ("uti", "iat", "nbf", "exp", "aio", "rh", "sid")
}
_CLAIMS = {name for what, name in _VARYING if what == "claim"}
_IDS = {"_itemid", "_timereceived", "_billedsize"}

_KEY_END = re.compile(rb"[ ]*:[ ]*")
_ALPHANUMERIC = re.compile(rb"[0-9A-Za-z]")
_DIGITS = re.compile(rb"(?:0|[1-9]\d{0,14})(?=[,} \\]*\Z)")


class Slot(NamedTuple):
    """A value that varies: the number of the quote before it, and how many bytes stand between these and the next."""

    quote: int
    before: int
    behind: int
    is_number: bool
    is_time: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The slots of lines, in their order."""

    slots: tuple[Slot, ...]

    def cut(self, lines: Lines, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the edges of pieces and slots of some lines, by turns, and whether each slot has what belongs there."""
        edges = np.repeat(lines.ends[rows, None], 2 * MOST_SLOTS + 2, axis=1)
        edges[:, 0] = lines.starts[rows]
        good = np.ones(len(rows), bool)
        for number, slot in enumerate(self.slots):
            before = lines.first_quote[rows] + slot.quote
            start = lines.quotes[before] + 1 + slot.before
            last = slot.quote + 1 >= lines.quote_count[rows[0]]
            end = (lines.ends[rows] if last else lines.quotes[before + 1]) - slot.behind
            edges[:, 2 * number + 1], edges[:, 2 * number + 2] = start, end
            good &= start < end
            if slot.is_number:
                good &= _are_digits(lines.buffer, start, end - start)
            else:
                good &= ~holds_any(lines.backslashes, start, end)
            if slot.is_time:
                good &= _are_like_times(lines.buffer, start, end)
        return edges, good

    def is_of(self, line: bytes, edges: Sequence[int]) -> bool:
        """Whether each slot of a line that is JSON is the value of a key that varies.

        The text before it tells: a quote behind a brace or a comma that is followed by a name can't end a text.
        """
        return all(
            _is_value(line, edges[2 * number + 1], edges[2 * number + 2], slot)
            for number, slot in enumerate(self.slots)
        )


_BEFORE_TEXT = re.compile(rb'[{,] *(\\?)"(\w{1,64})\1" *: *\1"\Z')
_BEFORE_NUMBER = re.compile(rb'[{,] *(\\?)"(\w{1,64})\1" *: *\Z')
_AFTER_NUMBER = b",} "


def _is_value(line: bytes, start: int, end: int, slot: Slot) -> bool:
    before = line[max(start - _LONGEST_KEY, 0) : start]
    key = (_BEFORE_NUMBER if slot.is_number else _BEFORE_TEXT).search(before)
    if key is None or (slot.is_number and line[end : end + 1] not in _AFTER_NUMBER):
        return False
    name = key[2].decode("utf-8", "replace").lower()
    return _varies(name) and _is_time(name) == slot.is_time


def layout_of(line: bytes) -> Layout | None:
    """Return the layout of a line; None where no time is found in it."""
    quotes = [at.start() for at in re.finditer(b'"', line)]
    edges = [*quotes, len(line)]
    slots = [_slot(line, edges, number) for number in range(len(quotes) - 1)]
    taken = [slot for slot in slots if slot is not None][:MOST_SLOTS]
    return Layout(tuple(taken)) if any(slot.is_time for slot in taken) else None


def _slot(line: bytes, edges: list[int], number: int) -> Slot | None:
    """Return the slot whose key stands between a quote and the next; None where it is no key, or does not vary."""
    name = line[edges[number] + 1 : edges[number + 1]].rstrip(b"\\").decode("utf-8", "replace").lower()
    if not _varies(name):
        return None
    gap = line[edges[number + 1] + 1 : edges[number + 2]]
    colon = _KEY_END.match(gap)
    if colon is None:
        return None
    if digits := _DIGITS.match(gap, colon.end()):
        return Slot(number + 1, colon.end(), len(gap) - digits.end(), is_number=True, is_time=False)
    if number + 3 >= len(edges) or colon.end() + gap.endswith(b"\\") != len(gap):
        return None
    text, is_escaped = line[edges[number + 2] + 1 : edges[number + 3]], gap.endswith(b"\\")
    if is_escaped and not text.endswith(b"\\"):
        return None
    text = text[:-1] if is_escaped else text
    if b"\\" in text or _ALPHANUMERIC.search(text) is None:
        return None
    return Slot(number + 2, 0, int(is_escaped), is_number=False, is_time=_is_time(name))


@lru_cache(4096)
def _varies(name: str) -> bool:
    return name in _CLAIMS or name in _IDS or _is_time(name) or meaning(name) in _VARYING


def _is_time(name: str) -> bool:
    return name == "time" or meaning(name) == ("field", "time")


def _are_digits(buffer: NDArray[np.uint8], start: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether whole numbers as JSON writes them stand at some places."""
    good: NDArray[np.bool_] = (size > 0) & (size <= _LONGEST_NUMBER)
    for place in range(int(min(size.max(initial=0), _LONGEST_NUMBER))):
        here = buffer[np.minimum(start + place, len(buffer) - 1)]
        good &= (place >= size) | ((here >= ord("0")) & (here <= ord("9")))
        if place == 0:
            good &= (size == 1) | (here != ord("0"))
    return good


def _are_like_times(buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether texts have the marks of ``2026-03-04T09:15:02.1234567Z`` in their places: any other is looked at by itself."""
    size = end - start
    good: NDArray[np.bool_] = (size >= 20) & (size <= 30) & (size != 21)
    for place, mark in ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")):
        good &= buffer[np.minimum(start + place, len(buffer) - 1)] == ord(mark)
    good &= (size == 20) | (buffer[np.minimum(start + 19, len(buffer) - 1)] == ord("."))
    good &= buffer[np.maximum(end - 1, 0)] == ord("Z")
    return good
