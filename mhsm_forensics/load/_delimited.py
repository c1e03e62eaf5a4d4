"""Tables as text: rows whose cells a comma, a semicolon, a tab or a bar parts, and which fit their header or are rejects.

A row is cut by the rules of RFC 4180, byte by byte; one that doesn't keep them costs its own line and no other. A header
may stand again further on, with the same columns or others: two exports in one file.
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..evidence.signs import Header, header_of, is_preamble
from ._batch import Batch, Place
from ._envelopes import unwrap_row
from ._items import SIGN, is_certain, item_of_fields
from ._window import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._window import Window

_ROWS = 4096
_LINE = re.compile(rb"[^\r\n]*+")
_BREAK = re.compile(rb"\r\n|\n|\r")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars"}


@lru_cache(8)
def _row_pattern(separator: str) -> re.Pattern[bytes]:
    part = re.escape(separator.encode())
    cell = rb'(?:"(?:[^"]++|"")*+"|[^"' + part + rb"\r\n][^" + part + rb"\r\n]*+)?+"
    return re.compile(cell + rb"(?:" + part + cell + rb")*+(?=[\r\n]|\Z)")


def row_batches(window: Window, header: Header) -> Iterator[Batch]:
    """Yield the rows of a table whose header is known."""
    csv.field_size_limit(LONGEST)
    reader, at = _Reader(window, header), header.end
    while True:
        batch = Batch(forms=reader.forms())
        while len(batch) + batch.blank < _ROWS and (at < len(window.data) or window.more()):
            at = reader.row(batch, at)
        window.drop(at)
        at = 0
        yield batch
        if window.ended and not window.data:
            return


class _Reader:
    """Reads row after row by the present header."""

    def __init__(self, window: Window, header: Header) -> None:
        self._window, self._header = window, header

    def forms(self) -> set[str]:
        """What is out of the ordinary in how the cells are parted."""
        name = _NAMES.get(self._header.separator)
        return {f"a table with {name} between its cells"} if name else set()

    def row(self, batch: Batch, at: int) -> int:
        """Account for the row at a position; returns where the next begins."""
        window = self._window
        end = self._end_of_row(at)
        data = window.data[at:end]
        if not data.strip():
            batch.blank += 1
            return self._next_line(end)
        cells, reason = self._cells(data)
        if reason and _BREAK.search(data):  # a quote that never closes: what it swallowed are rows of their own
            end = _LINE.match(window.data, at).end()  # type: ignore[union-attr]
            data = window.data[at:end]
            reason = "open_quote"
        place = Place(window.line_at(at), window.offset + at, len(data))
        if reason:
            is_cut = window.ended and end == len(window.data) and reason in {"too_few_cells", "open_quote"}
            batch.reject(place, "truncated" if is_cut else reason, data)
        elif not self._is_header(cells, data):
            self._account(batch, cells, data, place)
        return self._next_line(end)

    def _end_of_row(self, at: int) -> int:
        """Return where the row ends; where it keeps no rules, its line does."""
        window, pattern = self._window, _row_pattern(self._header.separator)
        while True:
            row = pattern.match(window.data, at)
            if row and (row.end() < len(window.data) or window.ended):
                return row.end()
            line_end = _BREAK.search(window.data, at)
            is_enough = len(window.data) - at > LONGEST or (row is None and line_end and '"' not in self._tail(at))
            if is_enough or not window.more():
                return row.end() if row else _LINE.match(window.data, at).end()  # type: ignore[union-attr]

    def _tail(self, at: int) -> str:
        """What is held from a position on, where an open quote could still close."""
        return self._window.data[at : at + LONGEST].decode("latin-1")

    def _next_line(self, end: int) -> int:
        window = self._window
        if end + 2 > len(window.data):
            window.more()
        line_break = _BREAK.match(window.data, end)
        return line_break.end() if line_break else end

    def _cells(self, data: bytes) -> tuple[list[str], str]:
        """Cells of a row, or why they are not those of its header."""
        if len(data) > LONGEST:
            return [], "too_long"
        try:
            cells = next(csv.reader([_text(data)], delimiter=self._header.separator, strict=True))
        except (csv.Error, StopIteration):
            return [], "open_quote"
        return cells, "" if is_preamble(data) or header_of(data, self._header.separator) else self._misfit(cells, data)

    def _misfit(self, cells: list[str], data: bytes) -> str:
        width = len(self._header.names)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()  # a separator behind the last cell
        if not any(cell.strip() for cell in cells):
            return ""
        if len(cells) > width:
            return "too_many_cells"
        if len(cells) < width and (self._header.is_log or len(cells) < self._header.fewest):
            return "too_few_cells"
        part = self._header.separator.encode()
        inner = _BREAK.split(data)[1:-1]
        return "open_quote" if width > 2 and any(line.count(part) >= width - 1 for line in inner) else ""

    def _is_header(self, cells: list[str], data: bytes) -> bool:
        """Whether a row says what the rows after it hold, or how they are written."""
        header = header_of(data, self._header.separator)
        if header is not None:
            self._header = header
        return header is not None or is_preamble(data)

    def _account(self, batch: Batch, cells: list[str], data: bytes, place: Place) -> None:
        if not any(cell.strip() for cell in cells):
            batch.blank += 1
            return
        row = self._header.row(cells)
        item = item_of_fields(row)
        is_open = SIGN.search(data) and (self._header.holds_records or not is_certain(item))
        inner = unwrap_row(row) if is_open else []
        for nth, one in enumerate(inner, 1):
            batch.add(one.item, one.data, place._replace(nth=nth))
            batch.taken_out_of(one.path)
        if not inner:
            batch.add(item, data, place)


def _text(data: bytes) -> str:
    """Text of a row: UTF-8, or what Windows wrote before it where nothing in the row is UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        damaged = _UTF_8.search(data) is not None
        return data.decode("utf-8", "replace") if damaged else data.decode("cp1252", "replace")
