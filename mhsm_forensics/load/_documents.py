"""A JSON document cut into its elements while it streams by, with the line and byte of each.

A parser would give values without their bytes, and would stop at the first fault. This one only follows
brackets and strings: at any moment it holds one element, and what lies between elements is handed out too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

# {"records":[ of the format before November 2018 and of event hub messages, {"value":[ of REST answers.
WRAPPER = re.compile(rb'\s*\{\s*"(records|value)"\s*:\s*\[', re.IGNORECASE)
# A list of service tags: {"changeNumber":…,"cloud":…,"values":[
TAGS = re.compile(rb'\s*\{\s*"changeNumber"\s*:', re.IGNORECASE)
_WRAPPED = re.compile(rb'"(records|value)"\s*:\s*$', re.IGNORECASE)
_TAGGED = re.compile(rb'"values"\s*:\s*$', re.IGNORECASE)

# Possessive, so that a long string is passed over once: everything up to the next bracket outside strings.
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_TO_QUOTE = re.compile(rb"(?:[^\"\\]++|\\.)*+", re.DOTALL)

_QUOTE, _ARRAY = b'"['
_SEPARATORS = b" \t\r\n,"


class Piece(NamedTuple):
    """One element, or the text between two; with a reason where it is known to be no record."""

    data: bytes
    line: int
    offset: int
    reason: str = ""
    length: int = 0  # of an element that is too long to hold; 0: the length of data


class Splitter:
    """Cuts one document; `split` is called once."""

    names: tuple[str, ...] | None = None  # columns, where the elements are rows without names of their own

    def __init__(self, offset: int, line: int, longest: int, kept: int) -> None:
        self._offset = offset  # of the first byte of the buffer, in the file
        self._line, self._counted = line, 0  # line at this position of the buffer; only ever moves on
        self._longest, self._kept = longest, kept
        self._buffer = b""
        self._depth = 0
        self._level = 0  # depth at which elements stand: 0 at the top, 1 in an array, 2 in a wrapper
        self._start, self._start_line = -1, 0  # where the open element starts; -1: between elements
        self._cut = 0  # bytes of the open element that were let go because it is too long

    def split(self, blocks: Iterable[bytes]) -> Iterator[Piece]:
        """Yield the elements of the document in *blocks*, and the text between them that is no separator."""
        position = gap = 0
        for block in blocks:
            self._buffer += block
            while (at := self._next_bracket(position)) < len(self._buffer) and self._buffer[at] != _QUOTE:
                if self._start < 0:
                    yield from self._between(gap, at)
                if (element := self._step(at)) is not None:
                    yield element
                    at = yield from self._more(at)
                position = gap = at + 1
            position, gap = self._forget(position, gap)
        yield from self._rest(gap)

    def _more(self, at: int) -> Generator[Piece, None, int]:
        """Yield elements that follow the one closed at *at* and can be had at one go; returns where they end."""
        yield from ()
        return at

    def _next_bracket(self, position: int) -> int:
        """Where the next bracket stands; a quote there means that a string is still open, the end that none is."""
        return _TO_BRACKET.match(self._buffer, position).end()  # type: ignore[union-attr]

    def _step(self, at: int) -> Piece | None:
        """Follow one bracket; returns the element that it closes."""
        if self._buffer[at] in b"[{":
            self._open(at)
            self._depth += 1
            return None
        self._depth = max(self._depth - 1, 0)
        if self._start >= 0 and self._depth == self._level:
            return self._close(at + 1)
        if self._depth < self._level:  # the end of the array, or of a wrapper's
            self._level = 0
        return None

    def _open(self, at: int) -> None:
        is_array = self._buffer[at] == _ARRAY
        if self._depth == self._level == 0 and is_array:
            self._level = 1  # an array at the top: its elements are the records
        elif self._depth == self._level:
            self._start, self._start_line = at, self._line_at(at)
        elif self._depth == 1 and self._level == 0 and is_array and self._is_wrapped(at):
            self._level, self._start = 2, -1

    def _is_wrapped(self, at: int) -> bool:
        before = self._buffer[max(self._start, at - 64, 0) : at]
        if _TAGGED.search(before):
            return TAGS.match(self._buffer, max(self._start, 0)) is not None
        return _WRAPPED.search(before) is not None

    def _close(self, end: int) -> Piece:
        start, self._start = self._start, -1
        cut, self._cut = self._cut, 0
        length = end - start + cut
        data = self._buffer[start:end]
        if length > self._longest:
            return Piece(data[: self._kept], self._start_line, self._offset + start - cut, "too_long", length)
        return Piece(data, self._start_line, self._offset + start)

    def _between(self, start: int, end: int) -> Iterator[Piece]:
        """Yield what stands between elements and is no separator; the keys of a wrapper are no lines."""
        text = self._buffer[start:end]
        if self._depth != self._level or not text.strip(_SEPARATORS):
            return
        at = start
        for part in text.split(b"," if self._level else b"\n"):
            if data := part.strip(_SEPARATORS):
                where = at + part.index(data)
                yield Piece(data, self._line_at(where), self._offset + where)
            at += len(part) + 1

    def _forget(self, position: int, gap: int) -> tuple[int, int]:
        """Let go of what has been handed out, and of the middle of an element that is too long."""
        keep = self._start if self._start >= 0 else gap
        self._line_at(keep)
        self._offset += keep
        self._counted -= keep
        self._buffer = self._buffer[keep:]
        position, gap = position - keep, gap - keep
        if self._start >= 0:
            self._start = 0
            if len(self._buffer) > self._longest:
                return self._forget_middle(position)
        return position, gap

    def _forget_middle(self, position: int) -> tuple[int, int]:
        """Keep the head of an element that is too long, and what is needed to find its end."""
        open_string = self._next_bracket(position)
        tail = b""
        if open_string < len(self._buffer):  # its quote, and a backslash whose other half is still to come
            inside = _TO_QUOTE.match(self._buffer, open_string + 1).end()  # type: ignore[union-attr]
            tail = self._buffer[open_string : open_string + 1] + self._buffer[inside:]
        head = self._buffer[: self._kept]
        self._line_at(len(self._buffer))
        self._cut += len(self._buffer) - len(head) - len(tail)
        self._offset += len(self._buffer) - len(head) - len(tail)
        self._buffer, self._counted = head + tail, len(head) + len(tail)
        return len(head), len(head)

    def _rest(self, gap: int) -> Iterator[Piece]:
        """Whatever the end of the file leaves open is a reject."""
        if self._start < 0:
            yield from self._between(gap, len(self._buffer))
        elif data := self._buffer[self._start :]:
            length = len(data) + self._cut
            reason = "too_long" if length > self._longest else "truncated"
            yield Piece(data[: self._kept] if self._cut else data, self._start_line,
                        self._offset + self._start - self._cut, reason, length)  # fmt: skip

    def _line_at(self, position: int) -> int:
        if position > self._counted:
            self._line += self._buffer.count(b"\n", self._counted, position)
            self._counted = position
        return self._line
