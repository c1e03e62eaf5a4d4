"""Bytes → pieces: where one record ends and the next begins, whatever the container.

A piece is the bytes of one line, one array element, one CSV row or one row of a query's answer, with the line
and the byte on which it starts. Four framings cover every container: lines, a JSON document (arrays, wrappers,
pretty-printed objects), CSV, and the answers of the Log Analytics query API.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from ..evidence.signs import download_kind, table_header
from ._documents import TAGS, WRAPPER, Splitter
from ._tables import ANSWER, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

# An audit record is about 1 KB. A line of 16 MB is no record; holding it back would only fill memory.
LONGEST = 16 << 20
KEPT = 64 << 10


@dataclass(slots=True)
class Chunk:
    """Some pieces in a row.

    `nth` counts the records that start on the same line (1 for the first); `rows` are CSV rows already
    taken apart; `names` are the columns of pieces that are bare rows.
    """

    data: list[bytes]
    lines: list[int] | range
    offsets: list[int]
    nth: list[int] | None = None
    rows: list[dict[str, str]] | None = None
    names: tuple[str, ...] | None = None
    torn: bool = False  # the last piece ends with the file, without a newline
    reasons: dict[int, tuple[str, int]] = field(default_factory=dict)  # piece → why it is a reject, its length


def frames(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Yield the pieces of a file, framed as its first bytes suggest."""
    first = next(blocks, b"")
    while len(first) < KEPT and (more := next(blocks, b"")):
        first += more
    offset = 3 if first.startswith(b"\xef\xbb\xbf") else 0
    content = chain([first[offset:]], blocks)
    head = first[offset : offset + KEPT].lstrip()
    if ANSWER.match(head):
        return _element_chunks(Tables(offset, 1, LONGEST, KEPT), content, 4096)
    if _is_document(head):
        return document_chunks(content, offset)
    if _is_table(head):
        return _row_chunks(content, offset)
    if table := table_header(first[offset : offset + KEPT]):
        names, separator = table
        fewest = len(names) if download_kind(names) else 0
        return _row_chunks(content, offset, separator=separator, cells=range(fewest, len(names) + 1))
    return _line_chunks(content, offset)


def _is_document(head: bytes) -> bool:
    """Whether the file is an array, a wrapper or pretty-printed, and not one record a line.

    >>> _is_document(b'[{"time":1}]'), _is_document(b'{"time":1}'), _is_document(b'{' + bytes([10]) + b' "time":1}')
    (True, False, True)
    """
    if head.startswith(b"[") or TAGS.match(head):
        return True
    first, newline, rest = head.partition(b"\n")
    if not head.startswith(b"{") or first.rstrip().endswith(b"}"):
        return False
    if WRAPPER.match(head):
        return True
    return bool(newline) and first.strip() == b"{" and rest.lstrip().startswith((b'"', b"}"))


def _is_table(head: bytes) -> bool:
    header = head.partition(b"\n")[0]
    return b"," in header and re.search(rb'(^|[,"])TimeGenerated\b', header) is not None and b"{" not in header


def _line_chunks(blocks: Iterator[bytes], offset: int) -> Iterator[Chunk]:
    line, carry = 1, b""
    content = iter(blocks)
    for block in content:
        data = carry + block
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > LONGEST:
            length, carry = _skip_line(data, content)
            yield Chunk([data[:KEPT]], [line], [offset], reasons={0: ("too_long", length)})
            offset, line = offset + length + 1, line + 1
            continue
        carry = data[cut:]
        if cut:
            yield (chunk := _lines(data[: cut - 1], line, offset))
            offset, line = offset + cut, line + len(chunk.data)
    if carry:
        chunk = _lines(carry, line, offset)
        chunk.torn = True
        yield chunk


def _lines(data: bytes, line: int, offset: int) -> Chunk:
    pieces = data.split(b"\n")
    lengths = np.fromiter(map(len, pieces), "int64", len(pieces)) + 1
    offsets = (offset + np.cumsum(lengths) - lengths).tolist()
    if b"\r" in data:
        pieces = [piece.rstrip(b"\r") for piece in pieces]
    return Chunk(pieces, range(line, line + len(pieces)), offsets)


def _skip_line(data: bytes, blocks: Iterator[bytes]) -> tuple[int, bytes]:
    """Pass over a line that is too long; returns its length and what follows it."""
    length = len(data)
    for block in blocks:
        cut = block.find(b"\n")
        if cut >= 0:
            return length + cut, block[cut + 1 :]
        length += len(block)
    return length, b""


def document_chunks(blocks: Iterator[bytes], offset: int, line: int = 1, *, size: int = 4096) -> Iterator[Chunk]:
    """Yield the elements of arrays, wrappers and concatenated objects."""
    return _element_chunks(Splitter(offset, line, LONGEST, KEPT), blocks, size)


def _element_chunks(splitter: Splitter, blocks: Iterator[bytes], size: int) -> Iterator[Chunk]:
    chunk = Chunk([], [], [], nth=[])
    last_line, nth = 0, 0
    for piece in splitter.split(blocks):
        if len(chunk.data) >= size or splitter.names is not chunk.names:
            yield chunk
            chunk = Chunk([], [], [], nth=[], names=splitter.names)
        nth = nth + 1 if piece.line == last_line else 1
        last_line = piece.line
        if piece.reason:
            chunk.reasons[len(chunk.data)] = (piece.reason, piece.length or len(piece.data))
        chunk.data.append(piece.data)
        chunk.lines.append(piece.line)  # type: ignore[union-attr]
        chunk.offsets.append(piece.offset)
        chunk.nth.append(nth)  # type: ignore[union-attr]
    yield chunk


def _row_chunks(
    blocks: Iterator[bytes], offset: int, *, size: int = 4096, separator: str = ",", cells: range | None = None
) -> Iterator[Chunk]:
    """Yield CSV rows; a quoted cell may hold line breaks, so a row may span lines.

    `cells` is how many a row may have. More than columns, and a label with a comma in it would lose its end; fewer in
    a log that a program wrote, and the row is torn: what was cut off isn't what the service left out.
    """
    csv.field_size_limit(LONGEST)
    taken: list[tuple[int, bytes]] = []
    reader = csv.reader(_taking(_line_chunks(blocks, offset), taken), strict=True, delimiter=separator)
    header, _ = _next_row(reader)
    names = [name.strip() for name in header or []]
    names = names if cells is None else _distinct(names)
    line = 1 + len(taken)
    chunk = Chunk([], [], [], rows=[])
    while True:
        taken.clear()
        row, reason = _next_row(reader)
        if not taken:
            break
        if reason := reason or _misfit(row, cells):
            chunk.reasons[len(chunk.data)] = (reason, len(_joined(taken)))
        chunk.data.append(_joined(taken))
        chunk.lines.append(line)  # type: ignore[union-attr]
        chunk.offsets.append(taken[0][0])
        chunk.rows.append(dict(zip(names, row, strict=False)))  # type: ignore[union-attr]
        line += len(taken)
        if len(chunk.data) >= size:
            yield chunk
            chunk = Chunk([], [], [], rows=[])
    yield chunk


def _misfit(row: list[str], cells: range | None) -> str:
    """Why a row has not the cells of its table; nothing where it has, or is blank."""
    if cells is None or len(row) in cells or not "".join(row).strip():
        return ""
    return "too_few_cells" if len(row) < cells.start else "too_many_cells"


def _distinct(names: list[str]) -> list[str]:
    """Names of columns, so that none covers another: Entra's sign-ins have "Incoming token type" twice.

    >>> _distinct(["Incoming token type", "Resource", "Incoming token type"])
    ['Incoming token type', 'Resource', 'Incoming token type (2)']
    """
    before = [[other.lower() for other in names[:at]] for at in range(len(names))]
    return [
        f"{name} ({same + 1})" if (same := earlier.count(name.lower())) else name
        for name, earlier in zip(names, before, strict=True)
    ]


def _taking(chunks: Iterator[Chunk], taken: list[tuple[int, bytes]]) -> Iterator[str]:
    """Hand lines to the CSV reader one by one, and remember which it took for the present row."""
    for chunk in chunks:
        for offset, piece in zip(chunk.offsets, chunk.data, strict=False):
            taken.append((offset, piece))
            yield piece.decode("utf-8", "replace") + "\n"


def _joined(taken: list[tuple[int, bytes]]) -> bytes:
    """Return the bytes of a row as they stand in the file, with the line breaks inside it."""
    joined = taken[0][1]
    for offset, data in taken[1:]:
        joined += b"\n" if offset == taken[0][0] + len(joined) + 1 else b"\r\n"
        joined += data
    return joined


def _next_row(reader: Iterator[list[str]]) -> tuple[list[str], str]:
    try:
        return next(reader), ""
    except StopIteration:
        return [], ""
    except csv.Error as problem:
        return [], "truncated" if "end of data" in str(problem) else "not_json"
