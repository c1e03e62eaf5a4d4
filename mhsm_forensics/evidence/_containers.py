"""A file → the files in it, whatever it is: a log, compressed, an archive, an archive in an archive.

A member is known by its position: how many members stand before it in its archive, for each archive from the outside in.
An archive is read once, from its beginning to its end, and nothing of it is ever written where its names say.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._streams import ENDS, HEAD, TornStreamError, compression, decoded, expanded, failing, gathered, peek, read_from
from ._tars import Pipe, is_tar, tar_members
from ._zips import content_of, is_zip, read_zip
from .formats import Refusal, refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    Position = tuple[int, ...]

MAX_DEPTH: Final = 3  # of archives in archives
MAX_LAYERS: Final = 3  # of compression around one file
TOO_DEEP: Final = f"archives in archives deeper than {MAX_DEPTH}"
# An archive in an archive is put on disk while it is read, if it is a zip: its directory stands at its end.
MAX_HELD = 4 << 30
_HELD_IN_MEMORY = 16 << 20
# What one file that was handed over may give in all: many members that each keep their own limit can fill a disk too.
_SAFE_TOTAL, _MAX_TOTAL_RATIO = 16 << 30, 400


class Tap:
    """The bytes of a member as its archive has them, counted and hashed as they pass."""

    def __init__(self, content: Iterator[bytes], *, hashed: bool) -> None:
        self._content = content
        self._digest = hashlib.sha256() if hashed else None
        self.size = 0
        self.fault: str | None = None  # why they could not be read to their end

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._content:
                self.size += len(block)
                if self._digest:
                    self._digest.update(block)
                yield block
        except TornStreamError as problem:
            self.fault = problem.reason
            raise

    def drain(self) -> None:
        """Read what nobody has read."""
        with suppress(TornStreamError):
            deque(iter(self), maxlen=0)

    @property
    def sha256(self) -> str:
        """SHA-256 of what has passed."""
        return self._digest.hexdigest() if self._digest else ""


@dataclass(slots=True)
class Member:
    """A file in an archive, or a file that is none; its content is read before the next member is asked for.

    `content` is decompressed, and UTF-8 where it was UTF-16. An archive is a member too where it can't be read to its
    end: one without content, behind those that could be read.
    """

    position: Position
    name: str  # in the archive; archives in archives are joined by !
    head: bytes
    content: Iterator[bytes]
    tap: Tap
    special: str | None = None  # what it is, where it is no file: a folder, a link
    refusal: Refusal | None = None  # why it is not opened
    note: str | None = None
    is_archive: bool = False


def walk(path: Path, wanted: Collection[Position] | None = None, *, hashed: bool = False) -> Iterator[Member]:
    """Yield the members of a file in their order, or those of some positions; a file that is no archive is its own.

    Parameters
    ----------
    path
        The file.
    wanted
        Positions of the members that are read; all without it. The others are passed over, without reading them where the
        archive allows that.
    hashed
        Whether to hash the bytes of each member as they pass (`Member.tap`).
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        yield from _Walk(wanted, size, hashed=hashed).file(file)


class _Walk:
    """One way through a file: what is wanted of it, and how much it has given."""

    def __init__(self, wanted: Collection[Position] | None, size: int, *, hashed: bool) -> None:
        self._wanted = None if wanted is None else set(wanted)
        self._around = {at[:depth] for at in wanted or () for depth in range(len(at) + 1)}
        self._hashed, self._given, self._limit = hashed, 0, max(_SAFE_TOTAL, size * _MAX_TOTAL_RATIO)

    def file(self, file: IO[bytes]) -> Iterator[Member]:
        """Yield the members of an open file."""
        yield from self._opened(Tap(read_from(file), hashed=False), "", (), file)

    def _opened(self, tap: Tap, name: str, position: Position, file: IO[bytes] | None) -> Iterator[Member]:
        head, content, is_packed = self._unpacked(iter(tap))
        file = None if is_packed else file
        zipped = is_zip(file, head)
        refused = refusal(head) if zipped else None  # an Excel workbook is a zip
        if is_tar(head) or (zipped and not refused):
            yield from self._archive(head, content, tap, name, position, file)
        elif self._is_wanted(position):
            head, content = peek(decoded(self._counted(content)))
            yield Member(position, name, head, content, tap, refusal=refused)

    def _unpacked(self, content: Iterator[bytes]) -> tuple[bytes, Iterator[bytes], bool]:
        """Undo compression, also of what was compressed twice."""
        head, content = peek(content)
        for layer in range(MAX_LAYERS + 1):
            if (unpack := compression(head)) is None:
                return head, content, layer > 0
            if layer < MAX_LAYERS:
                head, content = peek(gathered(expanded(content, unpack)))
        return b"", failing(f"compressed more than {MAX_LAYERS} times over"), True

    def _archive(
        self, head: bytes, content: Iterator[bytes], tap: Tap, name: str, position: Position, file: IO[bytes] | None
    ) -> Iterator[Member]:
        """Yield the members of an archive; at its end itself, where something in it can't be read and no member shows it."""
        fault = TOO_DEEP if len(position) >= MAX_DEPTH else None
        if not fault:
            try:
                members = self._tar(content, name, position, file) if is_tar(head) else (
                    self._zip(content, name, position, file)
                )  # fmt: skip
                yield from members
            except TornStreamError as problem:
                fault = problem.reason
        if fault and self._is_wanted(position):
            yield Member(position, name, b"", failing(fault), tap, is_archive=True)

    def _tar(self, content: Iterator[bytes], name: str, position: Position, file: IO[bytes] | None) -> Iterator[Member]:
        pipe = Pipe(content)
        if file:
            end = file.seek(0, 2)
            file.seek(0)
            pipe = Pipe(read_from(file, 1 << 20), file, end)
        for one in tar_members(pipe):
            yield from self._member(
                self._tap(one.content), _joined(name, one.name), (*position, one.index), one.special
            )

    def _zip(self, content: Iterator[bytes], name: str, position: Position, file: IO[bytes] | None) -> Iterator[Member]:
        if file is None:
            with tempfile.SpooledTemporaryFile(_HELD_IN_MEMORY) as held:
                fault = self._hold(content, held)
                yield from self._zip_members(held, name, position, fault)
        else:
            yield from self._zip_members(file, name, position, None)

    def _hold(self, content: Iterator[bytes], held: IO[bytes]) -> str | None:
        """Put an archive where its end can be read first; returns why that is not all of it."""
        try:
            for block in self._counted(content):
                held.write(block)
                if held.tell() > MAX_HELD:
                    return f"an archive in an archive, larger than {MAX_HELD >> 30} GB"
        except TornStreamError as problem:
            return problem.reason
        return None

    def _zip_members(self, file: IO[bytes], name: str, position: Position, fault: str | None) -> Iterator[Member]:
        found = read_zip(file)
        fault, tap = fault or found.fault, None
        for one in found.members:
            tap = self._tap(content_of(file, one))
            yield from self._member(tap, _joined(name, one.name), (*position, one.index), one.special, one.note)
        if fault and not (tap and tap.fault == ENDS):  # a torn member shows it
            raise TornStreamError(fault)

    def _member(
        self, tap: Tap, name: str, position: Position, special: str | None, note: str | None = None
    ) -> Iterator[Member]:
        if self._wanted is not None and position not in self._around:
            return
        if special:
            yield Member(position, name, b"", iter(()), tap, special=special)
            return
        for member in self._opened(tap, name, position, None):
            member.note = member.note or note
            yield member

    def _tap(self, content: Iterator[bytes]) -> Tap:
        return Tap(content, hashed=self._hashed)

    def _counted(self, content: Iterator[bytes]) -> Iterator[bytes]:
        for block in content:
            self._given += len(block)
            if self._given > self._limit:
                raise TornStreamError(f"the file it came in expands to more than {self._limit >> 20:,} MB")
            yield block

    def _is_wanted(self, position: Position) -> bool:
        return self._wanted is None or position in self._wanted


def _joined(archive: str, name: str) -> str:
    return f"{archive}!{name}" if archive else name


def contents(path: Path, wanted: Collection[Position]) -> Iterator[tuple[Position, Iterator[bytes]]]:
    """Yield the content of some members of a file, each behind its position; the file is read once, in its order.

    Parameters
    ----------
    path
        The file.
    wanted
        Positions of the members. A content that can't be read to its end raises `TornStreamError` behind what could be;
        so does an archive, where no member of it shows what is wrong.
    """
    left = len(set(wanted))
    for member in walk(path, wanted) if left else ():
        yield member.position, member.content
        left -= 1
        if not left:
            return


def blocks(path: Path, position: Position = ()) -> Iterator[bytes]:
    """Yield the bytes of a file, or of a member of it, decompressed, in blocks of some megabytes; UTF-16 as UTF-8.

    Raises
    ------
    TornStreamError
        After what could be read: it ends early, is damaged or encrypted, or expands without end.
    """
    for _, content in contents(path, [position]):
        yield from content


def is_single(path: Path) -> bool:
    """Whether a file is neither compressed nor an archive."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        return compression(head) is None and not is_tar(head) and not is_zip(file, head)


def head_of(path: Path, position: Position = ()) -> bytes:
    """First bytes of a file, or of a member of it, decompressed; as many as it takes to know what it is."""
    if not position and not is_read_as_one(path):
        with path.open("rb") as file:
            return file.read(HEAD)
    with suppress(TornStreamError):
        return peek(blocks(path, position))[0]
    return b""


def slices(path: Path, position: Position, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes at some places (offset, length) of evidence, decompressed; in the order of offsets."""
    return cut(blocks(path, position), places)


def cut(content: Iterator[bytes], places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes at some places (offset, length) of some content; in the order of offsets."""
    held, start = b"", 0
    for offset, length in places:
        while start + len(held) < offset + length:
            keep = held[max(offset - start, 0) :]
            start += len(held) - len(keep)
            held = keep
            if (more := next(content, None)) is None:
                break
            held += more
        yield held[offset - start : offset - start + length]


def is_read_as_one(path: Path) -> bool:
    """Whether a member can be reached only by reading all that stand before it: an archive that is compressed whole."""
    with path.open("rb") as file:
        return compression(file.read(16)) is not None
