"""The directory of a zip: what it says of each member, with every odd field taken as it stands.

References
----------
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.12 to 4.3.16, 4.5.3)
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import IO

MAX_MEMBERS: Final = 500_000
_MAX_SIZE = 1 << 30  # of a directory that is held

_END, _ENTRY = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L")
_END_64, _PLACE_64 = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_COMMENT = 1 << 16  # longest
_LARGE = (0xFFFF, 0xFFFFFFFF)  # the true value stands elsewhere


@dataclass(frozen=True, slots=True)
class Entry:
    """What a directory says of one member."""

    name: bytes
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    start: int  # of the member's own header in the file
    made_by: int
    attributes: int
    disk: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of a directory, and why those may not be all."""

    entries: list[Entry]
    fault: str | None = None


def read_directory(file: IO[bytes]) -> Directory | None:
    """Read the directory of an open zip; None where there is none."""
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - _COMMENT - _END.size - _PLACE_64.size)
    file.seek(tail_at)
    tail = file.read()
    at, second = len(tail), None
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) >= 0:
        found = _directory(file, tail, at, tail_at) if len(tail) - at >= _END.size else None
        if found and found.entries and not found.fault:
            return found
        second = second or found  # the mark may be text in a comment
    return second


def _directory(file: IO[bytes], tail: bytes, at: int, tail_at: int) -> Directory | None:
    """Read the directory that an end record names; None where it is not there."""
    count, length, start, _ = _END.unpack_from(tail, at)[4:]
    end = tail_at + at
    if any(value in _LARGE for value in (count, length, start)) and (large := _end_64(file, end)):
        count, length, start, end = large
    if length > min(end, _MAX_SIZE):
        return None
    shift = end - length - start  # bytes that stand before the archive
    file.seek(end - length)
    entries, is_whole = _entries(file.read(length), shift)
    if count and not entries:
        return None
    fault = None if is_whole else f"its directory is damaged behind {len(entries):,} members"
    return Directory(entries, f"more than {MAX_MEMBERS:,} members" if len(entries) > MAX_MEMBERS else fault)


def _end_64(file: IO[bytes], end: int) -> tuple[int, int, int, int] | None:
    """Return count, length and start of a directory of more than 4 GB or 65,535 members, and where it ends."""
    file.seek(max(end - _PLACE_64.size, 0))
    place = file.read(_PLACE_64.size)
    if place[:4] != b"PK\x06\x07":
        return None
    stated = _PLACE_64.unpack(place)[2]
    for at in (stated, end - _PLACE_64.size - _END_64.size):  # bytes before the archive move it
        if 0 <= at < end:
            file.seek(at)
            record = file.read(_END_64.size)
            if record[:4] == b"PK\x06\x06" and len(record) == _END_64.size:
                count, length, start = _END_64.unpack(record)[-3:]
                return count, length, start, at
    return None


def _entries(data: bytes, shift: int) -> tuple[list[Entry], bool]:
    """Return the entries of a directory, and whether they are all of it."""
    entries: list[Entry] = []
    at = 0
    while at + _ENTRY.size <= len(data) and data[at : at + 4] == b"PK\x01\x02" and len(entries) <= MAX_MEMBERS:
        fields = _ENTRY.unpack_from(data, at)
        (_, made, _, flags, method, _, _, crc, packed, size, names, extras, comment, disk, _, attributes, start) = (
            fields
        )
        name_at = at + _ENTRY.size
        extra = data[name_at + names : name_at + names + extras]
        size, packed, start = large_sizes(extra, size, packed, start)
        entries.append(
            Entry(data[name_at : name_at + names], method, flags, crc, packed, size, start + shift, made >> 8, attributes,
                  0 if disk == _LARGE[0] else disk)
        )  # fmt: skip
        at = name_at + names + extras + comment
    return entries, data[at : at + 4] in (b"", b"PK\x05\x05")


def large_sizes(extra: bytes, *values: int) -> list[int]:
    """Return values with those of more than 4 GB, which stand behind a member's name, in their place."""
    at, found = 0, list(values)
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            return [next(numbers, value) if value == _LARGE[1] else value for value in found]
        at += 4 + length
    return found


def text_of(name: bytes) -> str:
    """Name of a member as text; most archives that don't say so are UTF-8 all the same."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")
