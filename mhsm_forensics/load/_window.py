"""The part of a file that is being looked at: pulled in as it is needed, let go once it is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# An audit record is about 1 KB. What goes on for 16 MB is no record; holding it back would only fill memory.
LONGEST = 16 << 20
KEPT = 64 << 10  # bytes of a reject that are kept

# Pulled in at once, however small the blocks are, and however much is held: a window must not grow with the file.
_LEAST, _MOST = 64 << 10, 256 << 10


class Window:
    """Bytes of a file from `offset` on; positions are those in `data`, and stay while more is pulled in."""

    def __init__(self, blocks: Iterable[bytes], offset: int = 0) -> None:
        self._blocks = iter(blocks)
        self.data = b""
        self.offset = offset  # in the file, of the first byte of data
        self.ended = False
        self._line = 1  # on which data begins
        self._counted, self._lines = 0, 0  # line breaks up to a position; it only moves on

    def more(self) -> bool:
        """Pull in more of the file; False where it has no more."""
        wanted, parts = min(max(_LEAST, len(self.data)), _MOST), [self.data]
        while wanted > 0 and not self.ended:
            block = next(self._blocks, None)
            self.ended = block is None
            parts.append(block or b"")
            wanted -= len(parts[-1])
        grown = b"".join(filter(None, parts)) if self.data else b"".join(parts[1:])
        grew, self.data = len(grown) > len(self.data), grown
        return grew

    def hold(self, position: int, size: int) -> bool:
        """Have *size* bytes from a position on; False where the file has fewer."""
        while len(self.data) - position < size:
            if not self.more():
                return False
        return True

    def drop(self, position: int) -> None:
        """Let go of what stands before a position, which becomes 0."""
        self._line = self.line_at(position)
        self._counted = self._lines = 0
        self.offset += position
        self.data = self.data[position:]

    def line_at(self, position: int) -> int:
        """Line on which the byte at a position stands."""
        if position < self._counted:
            self._counted = self._lines = 0
        self._lines += line_breaks(self.data, self._counted, position)
        self._counted = position
        return self._line + self._lines


def line_breaks(data: bytes, start: int, end: int) -> int:
    r"""How many lines end in a piece of text, be it with LF, CR LF, or the CR of old Macs.

    >>> line_breaks(b"a\nb\r\nc\rd", 0, 8)
    3
    """
    breaks = data.count(b"\n", start, end)
    returns = data.count(b"\r", start, end)
    return breaks + returns - data.count(b"\r\n", start, end) if returns else breaks
