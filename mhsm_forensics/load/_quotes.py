"""Where the lines of a block begin and end, and where their quotes are: found by numpy, for thousands of lines at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEWLINE, _RETURN, _SPACE, _QUOTE, _BACKSLASH = b'\n\r "\\'


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of some bytes, as positions in them.

    `ends` are those of the text, before the line break. A line `is_plain` where it is UTF-8 and no control character stands
    in it. Quotes are counted whether a backslash stands before them or not.
    """

    data: bytes
    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    is_plain: NDArray[np.bool_]
    quotes: NDArray[np.int64]
    first_quote: NDArray[np.int64]  # of each line, its number in `quotes`
    quote_count: NDArray[np.int64]
    backslashes: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Bytes up to the end of the last line."""
        return len(self.buffer)


def lines_of(data: bytes, size: int) -> Lines:
    """Return the lines in the first bytes of some data; the last of these is a line break."""
    buffer = np.frombuffer(data, np.uint8, size)
    low = np.flatnonzero(buffer <= _QUOTE)  # one pass for quotes, spaces and every control character
    what = buffer[low]
    newlines, quotes = low[what == _NEWLINE], low[what == _QUOTE]
    starts = np.concatenate([[0], newlines[:-1] + 1])
    returned = (newlines > starts) & (buffer[np.maximum(newlines - 1, 0)] == _RETURN)
    ends = newlines - returned
    is_plain = np.ones(len(starts), bool)
    if np.count_nonzero(what < _SPACE) != len(newlines):
        control = low[(what < _SPACE) & (what != _NEWLINE)]
        row = np.searchsorted(newlines, control)
        is_plain[row[control < ends[row]]] = False
    _refuse_other_than_utf8(data, buffer, newlines, is_plain)
    first = np.searchsorted(quotes, starts)
    count = np.append(first[1:], len(quotes)) - first
    found = np.flatnonzero(buffer == _BACKSLASH) if data.find(b"\\", 0, size) >= 0 else np.zeros(0, np.int64)
    return Lines(data, buffer, starts, ends, is_plain, quotes, first, count, found)


def _refuse_other_than_utf8(
    data: bytes, buffer: NDArray[np.uint8], newlines: NDArray[np.int64], is_plain: NDArray[np.bool_]
) -> None:
    """Have lines looked at one by one where the whole is no UTF-8."""
    if data.isascii():
        return
    try:
        str(memoryview(data)[: len(buffer)], "utf-8")
    except UnicodeDecodeError:
        is_plain[np.searchsorted(newlines, np.flatnonzero(buffer > 127))] = False


def holds_any(places: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether any of some places, which rise, lies between each start and end."""
    if not len(places):
        return np.zeros(len(starts), bool)
    return np.searchsorted(places, starts) < np.searchsorted(places, ends)
