"""Pieces → records, with one fate for each: record, reject or blank.

Nearly every chunk of lines is clean and is decoded at one go. A chunk with a fault is taken piece by piece,
so that the fault costs its own line and no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..evidence import TornStreamError
from ._context import KINDS, Context, kind_of
from ._frames import KEPT, LONGEST, Chunk, document_chunks, frames
from ._rows import Plan, UnplannedError, plan_of
from ._shapes import Record, decode, folded, from_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Batch", "Place", "Record", "Reject", "records"]


class Place(NamedTuple):
    """Where a record's bytes are: line and byte on which they start, length, how many records start there."""

    line: int
    offset: int
    length: int
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that are no record, and why."""

    place: Place
    reason: str
    raw: bytes


@dataclass(slots=True)
class Batch:
    """Records in the order of the file, what was rejected between them, and how many lines were blank.

    `records`, `data`, `lines`, `offsets` and `nth` belong together, item by item: a record, its bytes, the
    line and byte on which they start, and how many records start on that line (1 for the first). `context`
    holds records of other logs, each with its bytes and their place.
    """

    records: list[Record] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    nth: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    context: list[tuple[Context, bytes, Place]] = field(default_factory=list)
    blank: int = 0
    torn: str | None = None  # why compressed evidence ended early

    def reject(self, place: Place, reason: str, raw: bytes) -> None:
        """Account for bytes that are no record."""
        self.rejects.append(Reject(place, reason, raw[:KEPT]))

    def add(self, record: Record, data: bytes, place: Place) -> None:
        """Account for a record."""
        self.records.append(record)
        self.data.append(data)
        self.lines.append(place.line)
        self.offsets.append(place.offset)
        self.nth.append(place.nth)

    def place(self, index: int) -> Place:
        """Where a record's bytes are."""
        return Place(self.lines[index], self.offsets[index], len(self.data[index]), self.nth[index])

    def only(self, indices: Iterable[int]) -> Batch:
        """Return a batch of some of the records; rejects and blanks stay behind."""
        chosen = list(indices)
        columns = (self.records, self.data, self.lines, self.offsets, self.nth)
        records, data, lines, offsets, nth = ([column[i] for i in chosen] for column in columns)
        return Batch(records, data, lines, offsets, nth)  # type: ignore[arg-type]

    def extend(self, other: Batch) -> None:
        """Append what another batch accounts for."""
        for name in ("records", "data", "lines", "offsets", "nth", "rejects", "context"):
            getattr(self, name).extend(getattr(other, name))
        self.blank += other.blank
        self.torn = other.torn or self.torn


def records(blocks: Iterable[bytes]) -> Iterator[Batch]:
    """Yield the records of a file with their places, and account for every line that is none.

    Parameters
    ----------
    blocks
        The decompressed bytes, in blocks of any size (`evidence.blocks`).

    Returns
    -------
    Batches of a few thousand records. Lines, array elements and CSV rows add up: each is exactly one
    record, one reject (with its reason and bytes) or one blank.

    References
    ----------
    https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs (JSON Lines since November 2018)
    """
    stream, line, nothing_more = _Stream(blocks), 0, True
    for chunk in frames(iter(stream)):
        yield (batch := _clean(chunk) or _piece_by_piece(chunk))
        line = chunk.lines[-1] if chunk.lines else line
        nothing_more = not (batch.rejects and batch.rejects[-1].reason == "truncated")
    if stream.torn:
        last = Batch(torn=stream.torn)
        if nothing_more:  # the archive is torn between two lines: say so, though no line shows it
            last.reject(Place(line + 1, stream.read, 0), "truncated", b"")
        yield last


class _Stream:
    """Blocks that simply end where a damaged archive does; what was wrong is kept."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.torn: str | None = None
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._blocks:
                self.read += len(block)
                yield block
        except TornStreamError as problem:
            self.torn = str(problem)


def _clean(chunk: Chunk) -> Batch | None:
    """Decode the whole chunk, or give None if anything in it needs a closer look."""
    plan = plan_of(chunk.names) if chunk.names is not None else None
    if chunk.rows is not None or chunk.reasons or (plan is None and chunk.names is not None):
        return None
    read = plan.read if plan else decode
    try:
        found = [read(piece) for piece in chunk.data]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, UnplannedError):
        return None
    if None in [record.operationName for record in found] or None in [record.time for record in found]:
        return None
    if any((category or "").lower() in KINDS for category in {record.category for record in found}):
        return None
    return Batch(found, chunk.data, list(chunk.lines), chunk.offsets, chunk.nth or [1] * len(found))


def _piece_by_piece(chunk: Chunk) -> Batch:
    batch = Batch()
    named = partial(_named, names=chunk.names, plan=plan_of(chunk.names)) if chunk.names is not None else None
    for index, data in enumerate(chunk.data):
        reason, length = chunk.reasons.get(index, ("", len(data)))
        place = Place(chunk.lines[index], chunk.offsets[index], length, chunk.nth[index] if chunk.nth else 1)
        if reason:
            batch.reject(place, reason, data)
        elif not data.strip():
            batch.blank += 1
        elif chunk.rows is not None:
            _account(batch, _of_fields(dict(chunk.rows[index])), data, place)
        else:
            _one(batch, data, place, read=named or _lenient, torn=chunk.torn and index == len(chunk.data) - 1)
    return batch


def _one(
    batch: Batch, data: bytes, place: Place, *, read: Callable[[bytes], Record | Context | None], torn: bool
) -> None:
    """Account for one piece of JSON."""
    if len(data) > LONGEST:
        batch.reject(place, "too_long", data)
        return
    try:
        record = read(data)
    except RecursionError:
        batch.reject(place, "too_deep", data)
    except (msgspec.MsgspecError, ValueError):
        batch.reject(place, "truncated" if torn and data.lstrip()[:1] in b"{[" else "not_json", data)
    else:
        if isinstance(record, Record) and record.operationName is None and (wrapped := _wrapped(record)):
            _unwrap(batch, data, place, wrapped)
        else:
            _account(batch, record, data, place)


def _account(batch: Batch, record: Record | Context | None, data: bytes, place: Place) -> None:
    if isinstance(record, Context):
        batch.context.append((record, data, place))
    elif record is None or not record.operationName:
        batch.reject(place, "not_a_record", data)
    elif not record.time:
        batch.reject(place, "no_time", data)
    else:
        batch.add(record, data, place)


def _lenient(data: bytes) -> Record | Context | None:
    """Decode a piece that may hold damaged text, fields of other types, keys in another case, or another log."""
    try:
        record = decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        data = _mended(data)
    else:
        known = record.operationName is not None and record.time is not None
        if known and (record.category or "").lower() not in KINDS:
            return record
    fields = msgspec.json.decode(data)
    return _of_fields(fields) if isinstance(fields, dict) else None


def _named(data: bytes, names: tuple[str, ...], plan: Plan | None) -> Record | Context | None:
    """Decode a bare row, whose cells the columns of its table name."""
    try:
        if plan:
            return plan.read(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, UnplannedError):
        pass  # a closer look says why
    try:
        cells = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        cells = msgspec.json.decode(_mended(data))
    fits = isinstance(cells, list) and len(cells) == len(names)
    return _of_fields(dict(zip(names, cells, strict=True))) if fits else None


def _of_fields(fields: dict[str, Any]) -> Record | Context | None:
    by_name = folded(fields)
    kind = kind_of(by_name)
    return Context(kind, by_name) if kind else from_mapping(by_name)


# A surrogate without its other half is legal in JSON's grammar and in no Unicode text. Both it and bytes
# that are no UTF-8 become U+FFFD; the evidence keeps what was written.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _mended(data: bytes) -> bytes:
    text = data.decode("utf-8", "replace").encode()
    return _LONE_SURROGATE.sub(lambda m: m[1] + (m[2] or rb"\ufffd"), text)


def _wrapped(record: Record) -> bytes:
    return bytes(record.records) or bytes(record.value)


def _unwrap(batch: Batch, data: bytes, place: Place, wrapped: bytes) -> None:
    """Account for every element of a line that wraps several records, as event hub messages do."""
    if not wrapped.lstrip().startswith(b"["):
        batch.reject(place, "not_a_record", data)
        return
    for chunk in document_chunks(iter([data]), place.offset, place.line):
        inner = _clean(chunk) or _piece_by_piece(chunk)
        for record in inner.records:
            record.route = "event_hub" if record.route == "storage" else record.route
        batch.extend(inner)
