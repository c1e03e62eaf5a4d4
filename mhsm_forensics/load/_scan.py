"""Records wherever they stand in JSON text, and every stretch between them that is none.

Brackets and commas around records are no part of them, so it doesn't matter whether they are there: lines, objects back to
back, arrays without an end and wrappers for each append are all the same. After a fault the reader goes on at the next
record, and what it passed over is one reject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._answers import Rows, column_names
from ._batch import Place
from ._envelopes import unwrap
from ._items import SIGN, is_certain, item_of
from ._values import KEY, Extent, closing, decoded, extent
from ._window import KEPT, LONGEST

if TYPE_CHECKING:
    from ._batch import Batch
    from ._envelopes import Inner
    from ._items import Item
    from ._window import Window

# What may stand around records: space, commas, the separator of RFC 7464, the mark that begins a file of UTF-8.
_GLUE = re.compile(rb"(?:[\s,\x1e]|\xef\xbb\xbf)*+")
_REST_OF_LINE = re.compile(rb"[ \t,\x1e]*+(?:\r?\n|\r)?")
_LINE_END = re.compile(rb"[\r\n]")
_START = re.compile(rb'\{\s*"')
_FIRST_KEY = re.compile(rb'\{\s*("[^"\\\r\n]{1,64}")\s*:')
_AFTER_SCALAR = re.compile(rb"[ \t]*(?:[,\]}\r\n\x1e]|\Z)")
_EMPTY_WRAPPER = re.compile(rb'\{\s*"\w+"\s*:\s*\[\s*\]\s*\}')
# Answers of query services: their rows have no names, so the columns beside them are read first.
_ANSWER = re.compile(rb'\{\s*(?:"tables"\s*:\s*\[|"FrameType"\s*:)', re.IGNORECASE)
# What is around records begins so, whatever it is called; a broken record hardly does.
_WRAPPER = re.compile(rb'\{\s*"[^"\\\r\n]{1,64}"\s*:\s*\[[\s,]*\{')
_HAS_ROWS = re.compile(rb'"rows"\s*:\s*\[\s*\[', re.IGNORECASE)
_HAS_COLUMNS = re.compile(rb'"columns"\s*:\s*\[\s*\{', re.IGNORECASE)
_NEXT_ROW = re.compile(rb"\]\s*,\s*(?=\[)")

_CLOSERS = re.compile(rb"[\]}\s,]++")
_OPENERS = re.compile(rb"\[++")

_DEEPEST = 64  # levels that are followed: nobody wraps a record so often
_SKIPPED = 4096  # bytes of a nest too deep in which no record begins
_OVERLAP = 128  # bytes of a start that may be cut by the end of what is held
_HEAD = 64 << 10


@dataclass(slots=True)
class _Level:
    """An object or array around the present position that was opened and not taken whole."""

    is_object: bool
    is_tables: bool = False  # its objects are tables of an answer
    rows: Rows | None = None  # its arrays are rows


class Scanner:
    """Follows JSON text from one record to the next."""

    def __init__(self, window: Window, *, lined: bool) -> None:
        self._window = window
        self._lined = lined  # a file of lines: what is no record ends with its line
        self._levels: list[_Level] = []
        self._columns: tuple[str, ...] = ()  # of the present table of an answer

    @property
    def is_between(self) -> bool:
        """Whether the position is in no object or array that was opened."""
        return not self._levels

    def step(self, batch: Batch, at: int) -> int:
        """Account for the next thing from a position on; returns the position behind it and the rest of its line."""
        at = self._past_glue(at)
        window = self._window
        if at >= len(window.data):
            return at
        at = self._thing(batch, at)
        if at + 2 > len(window.data):
            window.more()
        return _REST_OF_LINE.match(window.data, at).end()  # type: ignore[union-attr]

    def finish(self, batch: Batch, at: int) -> None:
        """Say what the end of the file leaves open: an answer of a service that stops between two rows."""
        is_told = bool(batch.rejects) and batch.rejects[-1].reason == "truncated"
        if not is_told and any(level.rows or level.is_tables for level in self._levels):
            batch.reject(Place(self._window.line_at(at), self._window.offset + at, 0), "partial_answer", b"")

    def _past_glue(self, at: int) -> int:
        window = self._window
        while True:
            at = _GLUE.match(window.data, at).end()  # type: ignore[union-attr]
            if at + 3 < len(window.data) or not window.more():
                return at

    def _thing(self, batch: Batch, at: int) -> int:
        """Account for what begins at a position; returns where it ends."""
        first = self._window.data[at : at + 1]
        level = self._levels[-1] if self._levels else None
        if first in {b"]", b"}"}:
            return self._closer(at, level, is_brace=first == b"}")
        if level is not None and level.is_object and first == b'"' and (end := self._member(batch, at)):
            return end
        if first == b"{":
            return self._object(batch, at)
        if first == b"[":
            return self._array(batch, at, level)
        return self._scalar(batch, at)

    def _closer(self, at: int, level: _Level | None, *, is_brace: bool) -> int:
        """Leave the level that ends here; a closer of nothing is no part of a record, and neither are those behind it."""
        if level is None:
            return _CLOSERS.match(self._window.data, at).end()  # type: ignore[union-attr]
        if level.is_object == is_brace:
            self._levels.pop()
        return at + 1

    # -- values ---------------------------------------------------------------------------------------------------------

    def _extent(self, at: int) -> Extent:
        """How the value ends that begins at a position, with as much of the file pulled in as it takes to know."""
        while True:
            end = extent(self._window.data, at)
            is_sure = end.ending == "broken" or (end.ending == "whole" and end.end < len(self._window.data))
            if is_sure or len(self._window.data) - at > LONGEST or not self._window.more():
                return end

    def _object(self, batch: Batch, at: int) -> int:
        self._window.hold(at, 256)
        if self._opens_always(at):
            return self._open(at)
        end = self._extent(at)
        if end.ending == "whole" and end.end - at <= LONGEST:
            return self._element(batch, at, end.end)
        if end.ending == "deep":
            return self._too_deep(batch, at)
        if self._holds_records(at, end.end):
            return self._open(at)
        return self._junk(batch, at, end)

    def _opens_always(self, at: int) -> bool:
        is_table = bool(self._levels) and self._levels[-1].is_tables
        return is_table or _ANSWER.match(self._window.data, at) is not None

    def _open(self, at: int) -> int:
        self._levels.append(_Level(is_object=True))
        return at + 1

    def _element(self, batch: Batch, at: int, end: int) -> int:
        """Account for a whole object: a record, what records lie in, or neither."""
        data = self._window.data[at:end]
        place = self._place(at, end)
        try:
            item = item_of(data)
            if not is_certain(item) and (inner := unwrap(data)):
                self._account_inner(batch, at, inner)
                return end
        except RecursionError:
            batch.reject(place, "too_deep", data)
            return end
        except ValueError:
            batch.reject(place, "not_json", data)
            return end
        if item is None and not self._is_inside_object() and _HAS_ROWS.search(data) and _HAS_COLUMNS.search(data):
            return self._open(at)
        self._account(batch, item, data, place)
        return end

    def _account(self, batch: Batch, item: Item | None, data: bytes, place: Place) -> None:
        if item is None and self._is_inside_object():
            return  # a part of what is around the records
        if item is None and _EMPTY_WRAPPER.fullmatch(data):
            batch.blank += 1
        else:
            batch.add(item, data, place)

    def _is_inside_object(self) -> bool:
        return bool(self._levels) and self._levels[-1].is_object

    def _account_inner(self, batch: Batch, at: int, inner: list[Inner]) -> None:
        """Account for the records inside an object, each with its own bytes or its number in those of its text."""
        line, offset = self._window.line_at, self._window.offset
        last, nth = (-1, -1), 0
        for one in inner:
            nth = nth + 1 if (one.start, one.end) == last else 1
            last = (one.start, one.end)
            place = Place(line(at + one.start), offset + at + one.start, one.end - one.start, nth)
            batch.add(one.item, one.data, place)
            batch.taken_out_of(one.path)

    def _array(self, batch: Batch, at: int, level: _Level | None) -> int:
        if level is not None and level.rows is not None:
            end = self._extent(at)
            if end.ending != "whole" or end.end - at > LONGEST:
                return self._junk(batch, at, end)
            return level.rows.take(batch, self._window, at, end.end)
        if len(self._levels) >= _DEEPEST:
            return _OPENERS.match(self._window.data, at).end()  # type: ignore[union-attr]
        self._levels.append(_Level(is_object=False))
        return at + 1

    def _member(self, batch: Batch, at: int) -> int:
        """Account for a value of an opened object; 0 where there is none."""
        window = self._window
        while (key := KEY.match(window.data, at)) is None or key.end() == len(window.data):
            if len(window.data) - at > KEPT or not window.more():
                break
        if key is None or key.end() >= len(window.data):
            return 0
        name, start = decoded(key[1]).lower(), key.end()
        first = window.data[start : start + 1]
        if first == b"[":
            return self._array_member(name, start)
        if first == b"{":
            return self._error(batch, start) if name == "error" else self._object(batch, start)
        return self._text_member(batch, start)

    def _array_member(self, name: str, at: int) -> int:
        if name == "columns" and (end := self._extent(at)).ending == "whole":
            self._columns = column_names(self._window.data[at : end.end])
            return end.end
        rows = Rows(self._columns) if name == "rows" and self._columns else None
        self._levels.append(_Level(is_object=False, is_tables=name == "tables", rows=rows))
        return at + 1

    def _error(self, batch: Batch, at: int) -> int:
        """A service's own word that its answer is not all there is must never go unseen."""
        end = self._extent(at)
        if end.ending != "whole":
            return self._junk(batch, at, end)
        batch.reject(self._place(at, end.end), "partial_answer", self._window.data[at : end.end])
        return end.end

    def _text_member(self, batch: Batch, at: int) -> int:
        end = self._extent(at)
        if end.ending != "whole":
            return self._junk(batch, at, end)
        self._account_inner(batch, at, unwrap(self._window.data[at : end.end]))
        return end.end

    def _scalar(self, batch: Batch, at: int) -> int:
        """Account for a number, a text or a word that stands where a record could; anything else is junk."""
        end = self._extent(at)
        if end.ending != "whole" or not _AFTER_SCALAR.match(self._window.data, end.end):
            return self._junk(batch, at, end)
        data = self._window.data[at : end.end]
        if inner := unwrap(data):
            self._account_inner(batch, at, inner)
        else:
            batch.reject(self._place(at, end.end), "not_a_record", data)
        return end.end

    def _place(self, at: int, end: int) -> Place:
        return Place(self._window.line_at(at), self._window.offset + at, end - at)

    # -- faults ---------------------------------------------------------------------------------------------------------

    def _too_deep(self, batch: Batch, at: int) -> int:
        window = self._window
        while not (end := closing(window.data, at)) and len(window.data) - at <= LONGEST and window.more():
            pass
        if not end:
            return self._junk(batch, at, Extent("deep", at))
        batch.reject(self._place(at, end), "too_deep", window.data[at:end])
        return end

    def _holds_records(self, at: int, fault: int) -> bool:
        """Whether an object that is torn, too long, or broken further on is what is around records, and no record."""
        data = self._window.data
        if _WRAPPER.match(data, at):
            return True
        for start in _START.finditer(data, at + 1, fault):
            if data[: start.start()].rstrip()[-1:] not in {b"[", b","}:
                continue
            end = extent(data, start.start())
            if SIGN.search(data, start.start(), min(end.end, fault)):
                return True
        return False

    def _junk(self, batch: Batch, at: int, end: Extent) -> int:
        """Account for a stretch that is no record; returns where the next one begins, or the line ends."""
        window, start = self._window, self._window.offset + at
        line, kept = window.line_at(at), window.data[at : at + KEPT]
        key = _FIRST_KEY.match(window.data, at)
        position = at + 1
        while not (stop := self._end_of_junk(position, key[1] if key else None)):
            position = max(len(window.data) - _OVERLAP, position)
            if position > LONGEST:
                window.drop(position)
                position = 0
            if not window.more():
                stop = len(window.data)
                break
        stop = self._without_glue(stop)
        length = window.offset + stop - start
        kept = kept if length > len(kept) else kept[:length]
        batch.reject(Place(line, start, length), self._why(length, end, stop), kept)
        return stop

    def _why(self, length: int, end: Extent, stop: int) -> str:
        if length > LONGEST:
            return "too_long"
        if end.ending == "deep":
            return "too_deep"
        ends_file = self._window.ended and not self._window.data[stop:].strip()
        return "truncated" if end.ending == "torn" and ends_file else "not_json"

    def _without_glue(self, stop: int) -> int:
        """Leave the comma and the space before the next record out of what is no record."""
        while stop and self._window.data[stop - 1] in b" \t\r\n,":
            stop -= 1
        return stop

    def _end_of_junk(self, position: int, key: bytes | None) -> int:
        """Return where the next record begins from a position on, or in a file of lines the line ends; 0 for neither."""
        data = self._window.data
        line_end = _LINE_END.search(data, position) if self._lined else None
        limit = line_end.start() if line_end else len(data)
        if self._levels and self._levels[-1].rows:
            return self._next_row(position)
        while start := _START.search(data, position, limit):
            begins, position = self._begins_record(start.start(), limit, key)
            if begins:
                return start.start()
        return limit if line_end else 0

    def _next_row(self, position: int) -> int:
        """Return where a row of an answer begins after one that is broken or too long; 0 where none does."""
        for row in _NEXT_ROW.finditer(self._window.data, position):
            if self._extent(row.end()).ending == "whole":
                return row.end()
        return 0

    def _begins_record(self, at: int, limit: int, key: bytes | None) -> tuple[bool, int]:
        """Whether a record, or what is around records, begins at a position, for sure or as the broken one did.

        Returns as well where the next may begin.
        """
        data = self._window.data
        first = _FIRST_KEY.match(data, at)
        is_alike = first is not None and first[1] == key
        is_value = data[max(at - 256, 0) : at].rstrip()[-1:] == b":"
        begins_line = data[at - 1 : at] in {b"\n", b"\r"}
        if is_value and not is_alike and not begins_line:
            return False, at + 1
        end = self._extent(at)
        if end.ending == "deep":
            line_end = _LINE_END.search(self._window.data, at, at + _SKIPPED)
            return False, line_end.end() if line_end else at + _SKIPPED
        data = self._window.data
        if not SIGN.search(data, at, min(end.end, limit) if self._lined else end.end):
            return False, at + 1
        if end.ending == "whole":
            return _is_record(data[at : end.end]), at + 1
        is_likely = is_alike or end.ending == "torn" or self._holds_records(at, end.end)
        return is_likely and not is_value, at + 1


def _is_record(data: bytes) -> bool:
    try:
        return is_certain(item_of(data)) or bool(unwrap(data))
    except (ValueError, RecursionError):
        return False
