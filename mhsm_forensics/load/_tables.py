"""Answers of the Log Analytics query API: rows that stream by, each with its line and byte.

An answer is one JSON object, `{"tables":[{"name":…,"columns":[…],"rows":[[…],…]}]}`, on one line and up to
100 MB long. Its rows have no names, so the columns are kept while the rows pass. What a service says in
`error` beside them (the answer is partial) must never go unseen: it comes out as a piece that is truncated.

References
----------
https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ._documents import Piece, Splitter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

ANSWER = re.compile(rb'\s*\{\s*"tables"\s*:\s*\[')

_KEY = re.compile(rb'"(\w+)"\s*:\s*$')

# Depth at which a value stands: the answer is 1, its tables 2, a table 3, its rows 4.
_ERROR, _COLUMNS, _ROWS = 1, 3, 4
_ARRAY = b"["[0]
_HELD = {(1, b"error"): _ERROR, (3, b"columns"): _COLUMNS}


class _Named(msgspec.Struct):
    name: str


class Tables(Splitter):
    """Cuts an answer into the rows of its tables; `names` are the columns of the present one."""

    _one_by_one = 0  # up to this byte of the file, rows can't be cut otherwise

    def _open(self, at: int) -> None:
        if self._start >= 0:
            return
        if self._level == self._depth == _ROWS:
            self._start, self._start_line = at, self._line_at(at)
            return
        key = _KEY.search(self._buffer[max(at - 64, 0) : at])
        place = (self._depth, key[1] if key else b"")
        if place in _HELD:
            self._level, self._start, self._start_line = _HELD[place], at, self._line_at(at)
        elif place == (3, b"rows"):
            self._level = _ROWS

    def _step(self, at: int) -> Piece | None:
        level = self._level
        piece = super()._step(at)
        if piece is None or level == _ROWS:
            return piece
        self._level = 0
        if level == _COLUMNS:
            self.names = _names(piece.data)
            return None
        return piece._replace(reason="truncated", length=piece.length or len(piece.data))

    def _more(self, at: int) -> Generator[Piece, None, int]:
        """Yield the rows up to the last that ends in the buffer, cut by the decoder, which does not read their cells.

        What looks like the end of a row may be text in a cell. Then the decoder refuses, as it refuses what is
        damaged, and the rows of this buffer are cut one by one.
        """
        if self._level != _ROWS or self._offset + at < self._one_by_one:
            return at
        limit = min(len(self._buffer), at + self._longest)
        end = self._buffer.rfind(b"],[", at, limit)
        for data in _elements(self._buffer[at + 1 : end + 1]):
            if data[0] != _ARRAY:
                break
            start = self._buffer.index(b"[", at + 1)
            yield Piece(data, self._line_at(start), self._offset + start)
            at = start + len(data) - 1
        if at != end:
            self._one_by_one = self._offset + limit
        return at

    def _rest(self, gap: int) -> Iterator[Piece]:
        between = self._start < 0
        yield from super()._rest(gap)
        if between and self._depth:  # cut off between two rows: no row shows it
            end = len(self._buffer)
            yield Piece(b"", self._line_at(end), self._offset + end, "truncated")


def _elements(text: bytes) -> Iterator[bytes]:
    """Yield the values in a piece of an array, from the comma before the first of them; none if it is no JSON."""
    try:
        values = msgspec.json.decode(b"[0" + text + b"]", type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return iter(())
    return map(bytes, values[1:])


def _names(columns: bytes) -> tuple[str, ...]:
    try:
        return tuple(column.name for column in msgspec.json.decode(columns, type=list[_Named]))
    except msgspec.MsgspecError:
        return ()


@dataclass(frozen=True, slots=True)
class Survey:
    """How many rows an answer has, and whether it is all of them."""

    rows: int
    problem: bytes = b""  # what the service says is missing, as it says it
    whole: bool = True  # the document came to its end


class _Table(msgspec.Struct):
    rows: list[msgspec.Raw] = []


class _Answer(msgspec.Struct):
    tables: list[_Table]
    error: msgspec.Raw = msgspec.Raw(b"null")


def survey(path: Path) -> Survey:
    """Count the rows of the answer in a file without reading their cells.

    The file is mapped and not held: an answer has up to 100 MB.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            return Survey(0, whole=False)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _surveyed(content)


def _surveyed(content: mmap.mmap) -> Survey:
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except (msgspec.MsgspecError, RecursionError):
        return Survey(0, whole=False)
    problem = bytes(answer.error)
    return Survey(sum(len(table.rows) for table in answer.tables), b"" if problem == b"null" else problem)
