"""Members of a tar, in their order, from a stream that is read once: a tar of any size passes by.

Headers are read here and not by `tarfile`, which ends in silence at a damaged one and holds what a hostile one names.

References
----------
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13 (pax and ustar)
https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ._streams import ENDS, MAX_RATIO, SAFE_EXPANSION, TornStreamError, failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_RECORD = 512
_ZEROS = 1 << 16
_MAX_HEADER = 1 << 20  # of a long name, or of a member's further fields

_FILES: Final = b"\0" + b"07"
_SPECIAL: Final = {
    b"1": "a link to", b"2": "a link to", b"3": "a device", b"4": "a device", b"6": "a named pipe",
}  # fmt: skip
_FIELD = re.compile(rb"(\d{1,7}) ([^=\n]+)=")


@dataclass(slots=True)
class TarMember:
    """A member of a tar; its content is read before the next one is asked for."""

    index: int
    name: str
    content: Iterator[bytes]
    special: str | None  # what it is, where it is no file


@dataclass(slots=True)
class _About:
    """What stands before a member about it."""

    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    sparse: bool = False


class Pipe:
    """Reads exactly so many bytes from blocks of any size."""

    def __init__(self, content: Iterator[bytes], file: IO[bytes] | None = None, end: int = 0) -> None:
        self._content, self._held, self._file, self._end = content, b"", file, end
        self.at = 0
        self.told = False  # that the stream is torn: whoever read a member knows

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        return b"".join(self._upto(size))

    def content(self, size: int) -> Iterator[bytes]:
        """Yield so many bytes."""
        start = self.at
        try:
            yield from self._upto(size)
            if self.at - start < size:
                raise TornStreamError(ENDS)
        except TornStreamError:
            self.told = True
            raise

    def skip(self, size: int) -> None:
        """Pass over so many bytes; those of a file on disk are not read."""
        if self._file and size > len(self._held):
            beyond, self._held = size - len(self._held), b""
            self.at += size
            if self._file.seek(beyond, 1) > self._end:
                raise TornStreamError(ENDS)
            return
        if sum(map(len, self._upto(size))) < size:
            raise TornStreamError(ENDS)

    def _upto(self, size: int) -> Iterator[bytes]:
        while size:
            block, self._held = self._held or next(self._content, b""), b""
            if not block:
                return
            if len(block) > size:
                block, self._held = block[:size], block[size:]
            size -= len(block)
            self.at += len(block)
            yield block


def is_tar(head: bytes) -> bool:
    """Whether some content begins with the header of a tar member."""
    return len(head) >= _RECORD and head[:1] != b"\0" and _is_header(head[:_RECORD])


def tar_members(pipe: Pipe) -> Iterator[TarMember]:
    """Yield the members of a tar.

    Raises
    ------
    TornStreamError
        After the members that could be read: the tar is torn or damaged where no member shows it.
    """
    index, about, walk = 0, _About(), _Walk(pipe)
    for header in walk.headers():
        kind, size = header[156:157], _size(header, about)
        pieces = _pieces(header, pipe)
        end = pipe.at + size + -size % _RECORD
        if kind in (b"x", b"g", b"L", b"K"):
            about = _told(about, kind, pipe.read(size) if size <= _MAX_HEADER else b"")
        else:
            yield _member(index, header, about, size, pipe, pieces)
            index, about = index + 1, _About()
            if pipe.told:
                return
        pipe.skip(end - pipe.at)
    if walk.fault:
        raise TornStreamError(walk.fault)


def _size(header: bytes, about: _About) -> int:
    """How long a member's content is; links, folders and devices have none, whatever their header says."""
    if header[156:157] in b"123456":
        return 0
    return about.size if about.size is not None else _number(header[124:136])


def _pieces(header: bytes, pipe: Pipe) -> list[tuple[int, int]]:
    """Where the pieces of a file with holes belong, which stands in its header and in blocks behind that."""
    if header[156:157] != b"S":
        return []
    fields, more = header[386:482], header[482:483]
    while more not in (b"", b"\0", b"0"):
        block = pipe.read(_RECORD)
        fields, more = fields + block[:504], block[504:505]
    pairs = [(fields[at : at + 12], fields[at + 12 : at + 24]) for at in range(0, len(fields), 24)]
    return [(_number(offset), _number(length)) for offset, length in pairs if length.strip(b"\0 ")]


def _with_holes(pipe: Pipe, size: int, pieces: list[tuple[int, int]], whole: int) -> Iterator[bytes]:
    """Yield a file with its holes as zeros."""
    if whole > max(SAFE_EXPANSION, size * MAX_RATIO):
        raise TornStreamError(f"expands to {whole >> 20:,} MB from {size >> 10:,} KB")
    at = 0
    for offset, length in [*pieces, (whole, 0)]:
        yield from (bytes(min(_ZEROS, offset - zero)) for zero in range(at, offset, _ZEROS))
        yield from pipe.content(length)
        at = offset + length


@dataclass(slots=True)
class _Walk:
    """The headers of a tar, found again behind what is damaged; tars that stand one behind another are one."""

    pipe: Pipe
    fault: str | None = None
    ended: bool = field(default=False)

    def headers(self) -> Iterator[bytes]:
        while header := self.pipe.read(_RECORD):
            if len(header) < _RECORD:
                self.fault = self.fault or ENDS
                return
            if not header.strip(b"\0"):
                self.ended = True
            elif self._is_next(header):
                self.ended = False
                yield header
            else:
                self.fault = self.fault or f"a damaged header at byte {self.pipe.at - _RECORD:,}"
        if not self.ended:
            self.fault = self.fault or "ends without its end mark"

    def _is_next(self, header: bytes) -> bool:
        """Behind a fault, only what has the mark of a header is one: content may look like anything."""
        return (not self.fault or header[257:262] == b"ustar") and _is_header(header)


def _is_header(header: bytes) -> bool:
    stated = header[148:156].strip(b"\0 ")
    if not stated.isdigit() or not header[:1].strip(b"\0"):
        return False
    try:
        return int(stated, 8) == sum(header[:148]) + 256 + sum(header[156:]) and _number(header[124:136]) >= 0
    except ValueError:
        return False


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # as bytes, where digits don't suffice
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return int(field.strip(b"\0 ") or b"0", 8)


def _told(about: _About, kind: bytes, data: bytes) -> _About:
    if kind == b"L":
        about.name = data.rstrip(b"\0")
    elif kind == b"K":
        about.link = data.rstrip(b"\0")
    elif kind == b"x":
        fields = dict(_fields(data))
        about.name = fields.get(b"GNU.sparse.name") or fields.get(b"path") or about.name
        about.link = fields.get(b"linkpath") or about.link
        about.sparse = any(name.startswith(b"GNU.sparse") for name in fields)
        size = fields.get(b"size", b"")
        about.size = int(size) if size.isdigit() and len(size) < 20 else None
    return about


def _fields(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while found := _FIELD.match(data, at):
        end = at + int(found[1])
        yield found[2], data[found.end() : end - 1]
        at = max(end, found.end())


def _member(
    index: int, header: bytes, about: _About, size: int, pipe: Pipe, pieces: list[tuple[int, int]]
) -> TarMember:
    kind, name = header[156:157], about.name or _name(header)
    if kind in _SPECIAL:
        link = about.link or header[157:257].rstrip(b"\0")
        what = f"{_SPECIAL[kind]} {_text(link)}" if kind in b"12" else _SPECIAL[kind]
        return TarMember(index, _text(name), iter(()), what)
    if kind == b"5" or (kind in _FILES and name.endswith(b"/")):
        return TarMember(index, _text(name), iter(()), "a folder")
    if kind == b"S":
        return TarMember(index, _text(name), _with_holes(pipe, size, pieces, _number(header[483:495])), None)
    if about.sparse:
        return TarMember(index, _text(name), failing("a file with holes (sparse, pax)"), None)
    return TarMember(index, _text(name), pipe.content(size), None)


def _name(header: bytes) -> bytes:
    name, prefix = (header[a:b].partition(b"\0")[0] for a, b in ((0, 100), (345, 500)))
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
