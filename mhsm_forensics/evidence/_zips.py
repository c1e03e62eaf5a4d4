"""Members of a zip, by its directory; and by what stands before each member where there is none, or where it names less.

`zipfile` is not used: what can be read of a damaged member is evidence, and `zipfile` gives up a whole archive for one
odd field, knows neither Zstandard nor xz, and reads members that overlap as if they were many.

References
----------
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._streams import (
    CRC,
    ENDS,
    PACKED,
    TornStreamError,
    expanded,
    gathered,
    inflate,
    unbzip,
    unlzma,
    unxz,
    unzstd,
)
from ._zip_directory import MAX_MEMBERS, large_sizes, read_directory, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from ._streams import Unpack
    from ._zip_directory import Entry

_LOCAL, _END, _DESCRIPTOR = b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"
_HEADER = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _SIZES_BEHIND, _MARKED_END = 1 | 1 << 6, 1 << 3, 1 << 1
_STORED, _LZMA, _AES = 0, 14, 99
_UNPACK: Final[dict[int, Unpack]] = {8: inflate, 12: unbzip, 20: unzstd, 93: unzstd, 95: unxz}
_METHODS: Final = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 10: "DCL Implode", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd",
    **dict.fromkeys(range(2, 6), "Reduce"),
}  # fmt: skip
_BEHIND: Final = ("<LLL", "<LQQ")  # CRC, packed size, size; of more than 4 GB
_NEWEST: Final = 63  # version of the format
_UNIX: Final = 3
_SPECIAL: Final = {1: "a named pipe", 2: "a device", 6: "a device", 10: "a link", 12: "a socket"}


@dataclass(slots=True)
class ZipMember:
    """A member of a zip: what its headers say, and where its bytes are."""

    index: int
    name: str
    method: int
    flags: int
    crc: int  # -1 where it is not known
    packed: int  # bytes it takes in the archive
    size: int
    start: int  # of its header
    data: int = -1  # where its bytes begin; -1 where its header is not there
    special: str | None = None  # what it is, where it is no file
    fault: str | None = None  # why it can't be read
    note: str | None = None


@dataclass(slots=True)
class Zip:
    """What a zip holds, and why that may not be all."""

    members: list[ZipMember]
    fault: str | None = None


def is_zip(file: IO[bytes] | None, head: bytes) -> bool:
    """Whether some content is a zip; where it is a file, also behind a program that unpacks it."""
    if head[:4] in (_LOCAL, _END) or head.startswith(_DESCRIPTOR + _LOCAL):
        return True
    return file is not None and head[:2] in (b"MZ", b"\x7fE", b"#!") and read_directory(file) is not None


def read_zip(file: IO[bytes]) -> Zip:
    """List the members of a zip, those that its directory names first, in its order."""
    end = file.seek(0, os.SEEK_END)
    directory = read_directory(file)
    if directory is None:
        return Zip(_found_between(file, 0, end, torn=True), "its directory is missing or damaged")
    members = [_listed(index, entry) for index, entry in enumerate(directory.entries[:MAX_MEMBERS])]
    for member in members:
        _locate(file, member)
    _mark_overlaps(members)
    found = [one for a, b in _gaps(members, end) for one in _found_between(file, a, b)]
    more = _without_lost(found, members)
    for index, member in enumerate(more, len(directory.entries)):
        member.index, member.note = index, "not in the archive's directory"
    return Zip(members + more, directory.fault)


def content_of(file: IO[bytes], member: ZipMember) -> Iterator[bytes]:
    """Yield the bytes of a member.

    Raises
    ------
    TornStreamError
        After what could be read: it is encrypted, damaged, compressed in a way that is not read, or grows without end.
    """
    if reason := member.fault or _unreadable(member):
        raise TornStreamError(reason)
    crc = size = 0
    for block in _unpacked(file, member):
        crc, size = zlib.crc32(block, crc), size + len(block)
        yield block
    if member.crc < 0 and member.method == _STORED:
        raise TornStreamError(ENDS)
    if crc != member.crc >= 0:
        raise TornStreamError(CRC)


def _unreadable(member: ZipMember) -> str | None:
    if member.flags & _ENCRYPTED or member.method == _AES:
        return "encrypted"
    if member.method not in (_STORED, _LZMA, *_UNPACK):
        name = _METHODS.get(member.method)
        return f"compression method {member.method}" + (f" ({name})" if name else "")
    return "its place in the archive holds no member" if member.data < 0 else None


def _unpacked(file: IO[bytes], member: ZipMember) -> Iterator[bytes]:
    packed = _packed(file, member.data, member.packed)
    if member.method == _STORED:
        return packed
    if member.method == _LZMA:
        return expanded(_with_lzma_header(packed, member), unlzma)
    return gathered(expanded(packed, _UNPACK[member.method]))


def _packed(file: IO[bytes], at: int, size: int) -> Iterator[bytes]:
    """Yield the bytes of a member as they stand in the archive; others may read the file in between."""
    while size:
        file.seek(at)
        block = file.read(min(size, PACKED))
        if not block:
            raise TornStreamError(ENDS)
        at, size = at + len(block), size - len(block)
        yield block


def _with_lzma_header(packed: Iterator[bytes], member: ZipMember) -> Iterator[bytes]:
    """Put the header of the LZMA format, which a zip writes in its own way, before the stream."""
    first = next(packed, b"")
    length = int.from_bytes(first[2:4], "little")
    if length != 5 or len(first) < 9:
        raise TornStreamError(ENDS)
    size = (1 << 64) - 1 if member.flags & _MARKED_END else member.size
    yield first[4:9] + struct.pack("<Q", size) + first[9:]
    yield from packed


def _listed(index: int, entry: Entry) -> ZipMember:
    text, mode = text_of(entry.name), entry.attributes >> 28
    special = _SPECIAL.get(mode) if entry.made_by == _UNIX else None
    if text.endswith(("/", "\\")) and not entry.size:
        special = "a folder"
    return ZipMember(
        index, text, entry.method, entry.flags, entry.crc, entry.packed, entry.size, entry.start, special=special,
        fault="split over several files" if entry.disk else None,
    )  # fmt: skip


def _locate(file: IO[bytes], member: ZipMember) -> None:
    """Find where the bytes of a member begin: its own header says how long that is."""
    if member.start >= 0:
        file.seek(member.start)
        header = file.read(_HEADER.size)
        if len(header) == _HEADER.size and header[:4] == _LOCAL:
            *_, name, extra = _HEADER.unpack(header)
            member.data = member.start + _HEADER.size + name + extra


def _mark_overlaps(members: list[ZipMember]) -> None:
    """Say of members that share bytes with another that they do: few bytes are read as many files otherwise."""
    reached, owner = 0, None
    for member in sorted((m for m in members if m.data >= 0), key=lambda m: (m.start, m.index)):
        if member.start < reached and owner is not None:
            late = member if member.start == owner.start else owner
            late.fault = late.fault or "shares bytes with another member"
        if member.data + member.packed > reached:
            reached, owner = member.data + member.packed, member


def _gaps(members: list[ZipMember], end: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches between members that are long enough to hold another one."""
    at = 0
    for member in sorted((m for m in members if m.data >= 0), key=lambda m: m.start):
        if member.start - at > _HEADER.size:
            yield at, member.start
        at = max(at, member.data + member.packed)
    if end - at > _HEADER.size:
        yield at, end


def _without_lost(found: list[ZipMember], members: list[ZipMember]) -> list[ZipMember]:
    """Give members that are not where the directory says the place where they were found; returns the others found."""
    lost = {(m.name, m.crc, m.packed): m for m in members if m.data < 0}
    others = []
    for one in found:
        if member := lost.pop((one.name, one.crc, one.packed), None):
            member.start, member.data = one.start, one.data
        else:
            others.append(one)
    return others


def _found_between(file: IO[bytes], at: int, end: int, *, torn: bool = False) -> list[ZipMember]:
    """List the members whose headers stand in a stretch of the archive, by those headers alone."""
    found: list[ZipMember] = []
    while (start := _find(file, _LOCAL, at, end)) >= 0 and len(found) < MAX_MEMBERS:
        at = start + len(_LOCAL)
        member = _from_header(file, start, end)
        if member and (torn or member.data + member.packed <= end):
            member.index = len(found)
            found.append(member)
            at = max(min(member.data + member.packed, end), at)
    return found


def _from_header(file: IO[bytes], start: int, end: int) -> ZipMember | None:
    file.seek(start)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    _, needs, flags, method, _, _, crc, packed, size, name_length, extra_length = _HEADER.unpack(header)
    name, extra = file.read(name_length), file.read(extra_length)
    if not name or needs & 0xFF > _NEWEST or method > _AES:  # bytes that only look like a header
        return None
    size, packed, *_ = large_sizes(extra, size, packed)
    member = ZipMember(0, text_of(name), method, flags, crc, packed, size, start, file.tell())
    member.special = "a folder" if name.endswith(b"/") and not size else None
    if flags & _SIZES_BEHIND and not packed:
        _measure(file, member, end)
    return member


def _measure(file: IO[bytes], member: ZipMember, end: int) -> None:
    """Find where a member ends whose sizes stand behind it: at the first such statement that is true."""
    following = _find(file, _LOCAL, member.data, end)
    stop = following if following >= 0 else end
    places = [stop - struct.calcsize(form) for form in _BEHIND]  # the mark of a statement may be left out
    at = member.data
    while (at := _find(file, _DESCRIPTOR, at, end)) >= 0:
        at += len(_DESCRIPTOR)
        if _states(file, member, at, len(_DESCRIPTOR)):
            return
    if not any(_states(file, member, place, 0) for place in places):
        member.crc, member.packed = -1, stop - member.data


def _states(file: IO[bytes], member: ZipMember, at: int, mark: int) -> bool:
    """Whether the sizes of a member stand at a place; it has them then."""
    file.seek(max(at, 0))
    stated = file.read(struct.calcsize(_BEHIND[-1]))
    for form in _BEHIND:
        if len(stated) >= struct.calcsize(form):
            crc, packed, size = struct.unpack_from(form, stated)
            if packed == at - mark - member.data:
                member.crc, member.packed, member.size = crc, packed, size
                return True
    return False


def _find(file: IO[bytes], wanted: bytes, at: int, end: int) -> int:
    """Where some bytes stand first, or -1."""
    tail = b""
    while at < end:
        file.seek(at)
        block = file.read(min(1 << 20, end - at))
        if not block:
            return -1
        if (found := (tail + block).find(wanted)) >= 0:
            return at - len(tail) + found
        at, tail = at + len(block), block[-len(wanted) + 1 :]
    return -1
