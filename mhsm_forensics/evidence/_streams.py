"""Compressed bytes → bytes, block by block, up to the very byte at which they can't be read any more.

A block that comes out is never larger than some megabytes, whatever goes in, and what grows without end is given up.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import zlib
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

import zstandard

from ..errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    Unpack = Callable[[Iterator[bytes]], Iterator[bytes]]

BLOCK: Final = 4 << 20
HEAD: Final = 64 << 10  # bytes by which a file is known

# A compressed log shrinks 10 to 60 times. What grows hundreds of times, and past this size, is meant to fill a disk.
SAFE_EXPANSION = 256 << 20
MAX_RATIO = 400
_SUSPICIOUS = 1 << 20
MAX_MEMORY: Final = 128 << 20  # of a decompressor

ENDS: Final = "ends before its stream does"
CRC: Final = "CRC differs"
DAMAGED: Final = "its compressed data is damaged"
FOLLOWED: Final = "something else follows its stream"
NEEDS_MEMORY: Final = f"needs more than {MAX_MEMORY >> 20} MB of memory to be decompressed"

PACKED: Final = 1 << 18  # compressed bytes read at once
_GATHERED = 1 << 20
# Compressed bytes that are taken at once: a fault takes what they give with it, and a bomb is seen after as many.
_PIECE = 4 << 10
# Of Zstandard, 4 bytes can give 128 KB, and the library has no limit on what it gives at once.
_ZSTD_PIECE = 1 << 10
_ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError, MemoryError)


class TornStreamError(EvidenceError):
    """Evidence can't be read any further: it is torn, damaged, encrypted, or expands without end; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_from(file: IO[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """Yield the rest of an open file."""
    while block := file.read(size):
        yield block


def failing(reason: str) -> Iterator[bytes]:
    """Yield nothing: the content can't be read."""
    yield from ()
    raise TornStreamError(reason)


def peek(content: Iterator[bytes], size: int = HEAD) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of some content, and the whole of it."""
    held: list[bytes] = []
    rest = content
    try:
        while sum(map(len, held)) < size and (block := next(content, None)) is not None:
            held.append(block)
    except TornStreamError as problem:
        rest = failing(problem.reason)
    return b"".join(held)[:size], chain(held, rest)


def gathered(content: Iterator[bytes]) -> Iterator[bytes]:
    """Join small blocks to larger ones."""
    held, size = [], 0
    try:
        for block in content:
            held.append(block)
            size += len(block)
            if size >= _GATHERED:
                yield b"".join(held)
                held, size = [], 0
    except TornStreamError:
        yield b"".join(held)
        raise
    yield b"".join(held)


def compression(head: bytes) -> Unpack | None:
    """What decompresses a stream that begins like this; None for any other."""
    return next((unpack for magic, unpack in _BY_MAGIC.items() if head.startswith(magic)), None)


def expanded(packed: Iterator[bytes], unpack: Unpack) -> Iterator[bytes]:
    """Decompress, as long as what comes out stands in proportion to what went in.

    What is out of proportion is held back until it is clear whether it is a bomb: of that, nothing is given.

    Raises
    ------
    TornStreamError
        After what could be read.
    """
    taken = given = 0
    held: list[bytes] = []  # compressed again: it takes hardly any memory

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for block in packed:
            for at in range(0, len(block), _PIECE):
                taken += len(piece := block[at : at + _PIECE])
                yield piece

    try:
        for block in unpack(counted()):
            given += len(block)
            if given > max(_SUSPICIOUS, taken * MAX_RATIO):
                held.append(zlib.compress(block, 1))
                if given > SAFE_EXPANSION:
                    first = zlib.decompress(held[0])
                    held = [zlib.compress(first.rstrip(first[-1:]))]  # what stood before the bomb began
                    raise TornStreamError(f"expands to more than {given >> 20:,} MB from {max(taken >> 10, 1):,} KB")
                continue
            yield from map(zlib.decompress, held)
            held = []
            yield block
    except TornStreamError:
        yield from map(zlib.decompress, held)
        raise
    yield from map(zlib.decompress, held)


class _Stream(Protocol):
    """One stream that is decompressed: bz2 and lzma have this interface, the others are given it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """Of damaged data, `rescued` has what comes before the fault; the library keeps that to itself."""

    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)
        self.needs_input, self.rescued = True, b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        data, before = self._stream.unconsumed_tail + data, self._stream.copy()
        try:
            block = self._stream.decompress(data, max_length)
        except zlib.error:
            self.rescued = b"".join(_byte_by_byte(before, data, max_length))
            raise
        self.needs_input = len(block) < max_length
        return block


def _byte_by_byte(stream: Any, data: bytes, max_length: int) -> Iterator[bytes]:
    given = 0
    with suppress(zlib.error):
        for at in range(len(data)):
            yield (block := stream.decompress(data[at : at + 1]))
            given += len(block)
            if given >= max_length:
                return


class _Zstd:
    needs_input = True

    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=MAX_MEMORY).decompressobj()

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, _: int, /) -> bytes:
        return self._stream.decompress(data)


def _one_after_another(make: Callable[[], _Stream], *, padding: bytes = b"", single: bool = False) -> Unpack:
    """Return what decompresses the streams of a file, or the first alone."""

    def unpack(packed: Iterator[bytes]) -> Iterator[bytes]:
        stream, begun, ended = make(), False, False
        for block in packed:
            data = block if begun else block.lstrip(padding)
            while data or (begun and not stream.needs_input):
                begun = True
                block, fault = _step(stream, data, later=ended)
                yield block
                if fault:
                    raise TornStreamError(fault)
                data = b""
                if stream.eof:
                    if single:
                        return
                    data, stream, begun, ended = stream.unused_data.lstrip(padding), make(), False, True
        if begun or not ended:
            raise TornStreamError(ENDS)

    return unpack


def _step(stream: _Stream, data: bytes, *, later: bool) -> tuple[bytes, str | None]:
    """Decompress a piece; returns what it gave, and why it goes no further."""
    try:
        return stream.decompress(data, BLOCK), None
    except _ERRORS as problem:
        return getattr(stream, "rescued", b""), FOLLOWED if later and _is_header(problem) else _why(problem)


def _is_header(problem: BaseException) -> bool:
    text = str(problem).lower()
    return "header" in text or "not supported" in text or "frame descriptor" in text


def _why(problem: BaseException) -> str:
    text = str(problem).lower()
    if "memory" in text:
        return NEEDS_MEMORY
    return CRC if any(said in text for said in ("data check", "length check", "checksum")) else DAMAGED


inflate = _one_after_another(lambda: _Zlib(-zlib.MAX_WBITS), single=True)
gunzip = _one_after_another(lambda: _Zlib(16 + zlib.MAX_WBITS), padding=b"\0")
unbzip = _one_after_another(bz2.BZ2Decompressor)
unxz = _one_after_another(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY), padding=b"\0")
unlzma = _one_after_another(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_MEMORY), single=True)
_unzstd = _one_after_another(_Zstd)


def unzstd(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress Zstandard."""
    return _unzstd(block[at : at + _ZSTD_PIECE] for block in packed for at in range(0, len(block), _ZSTD_PIECE))


_BY_MAGIC: Final[dict[bytes, Unpack]] = {
    b"\x1f\x8b": gunzip,
    **{b"BZh%d" % level: unbzip for level in range(1, 10)},
    b"\xfd7zXZ\0": unxz,
    b"\x28\xb5\x2f\xfd": unzstd,
    **{bytes([0x50 + n]) + b"\x2a\x4d\x18": unzstd for n in range(16)},  # a frame to be skipped stands first
    b"]\0\0": unlzma,
}


def decoded(content: Iterator[bytes]) -> Iterator[bytes]:
    """Turn UTF-16 (what a Windows shell writes with >) into UTF-8; leave everything else alone."""
    head, content = peek(content, 2)
    if head not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield from content
        return
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")  # takes the mark
    for block in content:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()
