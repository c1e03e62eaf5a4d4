"""Files of one record a line, as the service writes them: decoded at one go, and looked at closely only where that fails."""

from __future__ import annotations

from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ._batch import Batch
from ._items import is_certain, is_plain, item_of
from ._scan import Scanner
from ._shapes import Record, decode
from ._window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._templates import Alike, Templates

_HEAD = 64 << 10
_FIRST = 16  # lines
_GLUE = b" \t\r\n,[]\x1e"


def text_batches(window: Window, templates: Templates | None = None) -> Iterator[Batch]:
    """Yield what JSON text holds, be it lines or a document; lines that are alike need not be read one by one."""
    window.hold(0, _HEAD)
    lined = is_lined(window.data[:_HEAD])
    reader = _Text(window, Scanner(window, lined=lined), templates if lined else None)
    while window.data or window.more():
        yield reader.batch()


def _read(data: bytes) -> Iterator[Batch]:
    return text_batches(Window([data]))


def is_lined(head: bytes) -> bool:
    """Whether a line of the file is a whole record by itself, whatever stands around it."""
    return any(_is_record(line.strip(_GLUE)) for line in head.splitlines())


def holds_lines(head: bytes) -> bool:
    r"""Whether lines of a file are records with nothing around them, so that lines like them may come again.

    >>> line = b'{"time":"2026-03-04T09:15:02Z","operationName":"KeyGet","identity":{}}'
    >>> holds_lines(line + b"\n"), holds_lines(b"[" + line + b",\n" + line), holds_lines(b'{"records":[\n' + line + b",\n")
    (True, False, False)
    """
    lines = head[:_HEAD].strip().splitlines()[:_FIRST]
    if head.lstrip().startswith(b"["):
        return False
    return any(line.startswith(b"{") and line.endswith(b"}") and _is_record(line) for line in lines)


def _is_record(line: bytes) -> bool:
    try:
        return line[:1] == b"{" and is_certain(item_of(line))
    except (ValueError, RecursionError):
        return False


class _Text:
    """Goes through JSON text, by lines where a line begins and by what stands there elsewhere."""

    def __init__(self, window: Window, scanner: Scanner, templates: Templates | None) -> None:
        self._window, self._scanner, self._templates = window, scanner, templates
        self._alike: Alike | None = None
        self._at_line_start = True

    def batch(self) -> Batch:
        """Account for about as much as is held, and let go of it."""
        batch, at = Batch(), 0
        known = self._templates if self._begins_line else None
        self._alike = known.read(self._window.data, self._window.offset, _read) if known else None
        batch.alike = self._alike
        end = self._window.offset + len(self._window.data)
        while at < len(self._window.data) and self._window.offset + at < end:
            at = self._some(batch, at)
        if self._window.ended and at >= len(self._window.data):
            self._scanner.finish(batch, at)
        self._window.drop(at)
        return batch

    @property
    def _begins_line(self) -> bool:
        return self._scanner.is_between and self._at_line_start

    def _some(self, batch: Batch, at: int) -> int:
        if not self._begins_line:
            return self._step(batch, at)
        window, limit = self._window, len(self._window.data)
        if self._alike:
            if end := self._alike.run_at(window.offset + at, window.line_at(at)):
                return end - window.offset
            limit = min(limit, self._alike.next_run(window.offset + at) - window.offset)
        last = window.data.rfind(b"\n", at, limit)
        return self._lines(batch, at, last) if last >= at else self._step(batch, at)

    def _step(self, batch: Batch, at: int) -> int:
        at = self._scanner.step(batch, at)
        self._at_line_start = self._window.data[at - 1 : at] in {b"\n", b"\r"}
        return at

    def _lines(self, batch: Batch, at: int, last: int) -> int:
        """Account for the lines up to the last break; returns where they end, or where a longer thing does."""
        window = self._window
        pieces = window.data[at:last].split(b"\n")
        lengths = np.fromiter(map(len, pieces), "int64", len(pieces)) + 1
        starts = (window.offset + at + np.cumsum(lengths) - lengths).tolist()
        numbers: Sequence[int] = range(first := window.line_at(at), first + len(pieces))
        if b"\r" in window.data:
            numbers = _numbered(pieces, first)
            pieces = [piece.rstrip(b"\r") for piece in pieces]
        index = 0
        while index < len(pieces):
            index += self._plain_lines(batch, pieces, index, numbers, starts)
            if index < len(pieces) and not pieces[index].strip():
                batch.blank += 1
                index += 1
            elif index < len(pieces):
                end = self._one_line(batch, starts[index])
                index += 1
                if end != (starts[index] if index < len(starts) else starts[-1] + int(lengths[-1])):
                    return end - window.offset
        return last + 1

    def _one_line(self, batch: Batch, start: int) -> int:
        """Account for a line that needs a closer look; returns the byte of the file at which that ended."""
        at = self._step(batch, start - self._window.offset)
        while at < len(self._window.data) and not (self._at_line_start and self._scanner.is_between):
            at = self._step(batch, at)
            if not self._scanner.is_between and self._at_line_start:
                break
        return self._window.offset + at

    def _plain_lines(
        self, batch: Batch, pieces: list[bytes], index: int, lines: Sequence[int], starts: list[int]
    ) -> int:
        """Account for lines that are records as the service writes them; returns how many there are in a row."""
        records = _decoded(pieces, index)
        count = len(records)
        if count:
            places = slice(index, index + count)
            batch.add_lines(records, pieces[places], lines[places], starts[places])
        return count


def _numbered(pieces: list[bytes], first: int) -> list[int]:
    """Numbers of lines that end with a newline, where a carriage return by itself ends one too."""
    breaks = (piece.count(b"\r") + (not piece.endswith(b"\r")) for piece in pieces[:-1])
    return list(accumulate(breaks, initial=first))


def _decoded(pieces: list[bytes], index: int) -> list[Record]:
    """Return the records of the lines from one on, up to the first that is not plain.

    More and more are tried at one go: a log whose every line is odd would otherwise be decoded again for each.
    """
    records: list[Record] = []
    size = 1
    while index < len(pieces):
        several = _plain(pieces[index : index + size])
        records += several
        if len(several) < min(size, len(pieces) - index):
            break
        index, size = index + size, size * 8
    return records


def _plain(pieces: list[bytes]) -> list[Record]:
    records: list[Record] = []
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # of the line after those that are there
        records.extend(map(decode, pieces))
    odd = next((at for at, record in enumerate(records) if not is_plain(record)), len(records))
    return records[:odd]
