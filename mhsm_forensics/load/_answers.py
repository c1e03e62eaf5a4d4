"""Answers of query services: rows without names, and the columns that name them.

Log Analytics answers `{"tables":[{"name":…,"columns":[{"name":…}],"rows":[[…],…]}]}`, on one line and up to 100 MB long.
Azure Data Explorer answers the same with other names, or as an array of frames.

References
----------
https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format
https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response
https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response-v2
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ._batch import Place
from ._envelopes import unwrap_row
from ._items import Item, item_of_fields
from ._rows import UnplannedError, plan_of
from ._values import value_of
from ._window import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ._batch import Batch
    from ._window import Window

_ARRAY = b"["[0]
# Tables that Data Explorer puts beside its answer: about the query, and not of it.
_ABOUT = ({"ordinal", "kind", "name", "id", "prettyname"}, {"value"}, {"timestamp", "severity", "statuscode"},
          {"tableid", "key", "value"}, {"clientrequestid", "eventtypename", "payload"})  # fmt: skip


class _Column(msgspec.Struct):
    name: str | None = None
    ColumnName: str | None = None


def column_names(columns: bytes) -> tuple[str, ...]:
    """Names of the columns of a table; none where they are no columns."""
    try:
        return tuple(
            column.name or column.ColumnName or "" for column in msgspec.json.decode(columns, type=list[_Column])
        )
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


class Rows:
    """Reads the rows of one table."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names, self._plan = names, plan_of(names)
        plain = {name.lower() for name in names}
        self._is_about = any(plain == about or (len(about) > 1 and about <= plain) for about in _ABOUT)
        self._one_by_one = 0  # up to this byte of the file, rows can't be cut otherwise

    def take(self, batch: Batch, window: Window, at: int, end: int) -> int:
        """Account for the row at a position, and for those after it that can be had at one go; returns where they end."""
        self._row(batch, window, window.data[at:end], at)
        if window.offset + at < self._one_by_one:
            return end
        limit = min(len(window.data), at + LONGEST)
        last = window.data.rfind(b"],[", end - 1, limit)
        for data in _elements(window.data[end : last + 1]):
            if data[0] != _ARRAY:
                break
            start = window.data.index(b"[", end)
            self._row(batch, window, data, start)
            end = start + len(data)
        if end != last + 1:  # what looks like the end of a row may be text in a cell
            self._one_by_one = window.offset + limit
        return end

    def _row(self, batch: Batch, window: Window, data: bytes, at: int) -> None:
        if self._is_about:
            return
        place = Place(window.line_at(at), window.offset + at, len(data))
        try:
            item = self._item(data)
        except RecursionError:
            batch.reject(place, "too_deep", data)
        except ValueError:
            batch.reject(place, "not_json", data)
        else:
            self._account(batch, item, data, place)

    def _account(self, batch: Batch, item: Item | None, data: bytes, place: Place) -> None:
        if item is None and len(cells := value_of(data)) == len(self._names):
            inner = unwrap_row(dict(zip(self._names, map(_as_text, cells), strict=True)))
            for nth, one in enumerate(inner, 1):
                batch.add(one.item, one.data, place._replace(nth=nth))
                batch.taken_out_of(one.path)
            if inner:
                return
        batch.add(item, data, place)

    def _item(self, data: bytes) -> Item | None:
        try:
            if self._plan:
                return self._plan.read(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, UnplannedError):
            pass  # a closer look says why
        cells = value_of(data)
        if len(cells) != len(self._names):
            return None
        return item_of_fields(dict(zip(self._names, cells, strict=True)))


def _as_text(cell: object) -> object:
    """A cell that is an object of its own, as the text that stands for it."""
    return msgspec.json.encode(cell).decode() if isinstance(cell, (dict, list)) else cell


def _elements(text: bytes) -> Iterator[bytes]:
    """Yield the values in a piece of an array, from the comma before the first of them; none if it is no JSON."""
    try:
        values = msgspec.json.decode(b"[0" + text + b"]", type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return iter(())
    return map(bytes, values[1:])


class Survey(NamedTuple):
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
