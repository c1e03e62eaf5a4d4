"""Everything of the evidence that is no event, one by one: a stream, since it may be millions of lines and gigabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow.parquet as pq

from .. import engine, schema
from ._rejects import loaded_ids, passed_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..case import Case

_PLACE: Final = ("event_id", "evidence_id", "source_file", "source_line", "source_offset", "source_length")
_ROWS: Final = 256  # held at once: each may have 64 KB of bytes
_SEEN: Final = 160  # bytes of a reject that a table has room for

# The first lines of each reason, with the head of their bytes alone.
_FIRST: Final = """
SELECT * FROM (
  SELECT {reason} AS reason, source_file, source_line, source_offset, source_length, event_id, {raw} AS raw,
    count(*) OVER w AS lines,
    row_number() OVER (w ORDER BY list_position(:loaded, evidence_id), source_offset, source_line) AS nth
  FROM (SELECT {columns} FROM events WHERE list_contains(:loaded, evidence_id))
  WINDOW w AS (PARTITION BY {reason})
) WHERE nth <= :most ORDER BY lines DESC, reason, nth
"""


@dataclass(frozen=True, slots=True)
class Unread:
    """A stretch of the evidence, or a file, that is no event, and why.

    `kind` is ``reject``, ``out_of_scope``, ``left out``, ``refused`` or ``unreadable``. A file as a whole has no line; a
    record out of scope has no `raw` here: ``mhsm-forensics raw CASE EVENT_ID`` gives its bytes.
    """

    kind: str
    reason: str
    file: str
    line: int | None = None
    offset: int | None = None
    length: int | None = None
    event_id: str | None = None
    raw: bytes | None = None
    hint: str | None = None


def unread(case: Case) -> Iterator[Unread]:
    """Yield what is no event: files that were not read, rejects, and records out of scope or of other logs."""
    yield from _files(case)
    yield from (_of_row("reject", row["reason"], row) for row in _stream(case, "rejects", "reason", "raw"))
    for row in _stream(case, "out_of_scope", "resource_type"):
        yield _of_row("out_of_scope", _resource(row["resource_type"]), row)
    for name in schema.CONTEXT:
        yield from (_of_row("out_of_scope", _context(name), row) for row in _stream(case, name))


def unread_by_reason(case: Case, *, most: int = 5) -> Iterator[tuple[str, str, int, list[Unread]]]:
    """Yield kind, reason, how many there are, and the first of them, `most` at most, with the head of their bytes."""
    files: dict[tuple[str, str], list[Unread]] = {}
    for one in _files(case):
        files.setdefault((one.kind, one.reason), []).append(one)
    for (kind, reason), ones in files.items():
        yield kind, reason, len(ones), ones[:most]
    yield from _first_of_each(case, "rejects", most=most)
    for name in ("out_of_scope", *schema.CONTEXT):
        yield from _first_of_each(case, name, most=most)


def _first_of_each(case: Case, table: str, *, most: int) -> Iterator[tuple[str, str, int, list[Unread]]]:
    """Yield kind, reason, count and the first rows of a derived table for each of its reasons."""
    path, loaded = case.table_path(table), loaded_ids(case)
    if not path.exists() or not loaded:
        return
    is_reject, kind = table == "rejects", "reject" if table == "rejects" else "out_of_scope"
    reason = {"rejects": "reason", "out_of_scope": "resource_type"}.get(table, f"'{table}'")
    raw = f"raw[1:{_SEEN}]" if is_reject else "NULL"
    own = [reason] if not reason.startswith("'") else []
    text = _FIRST.format(reason=reason, raw=raw, columns=", ".join([*_PLACE, *own, *(["raw"] if is_reject else [])]))
    found = engine.run(path, text, loaded=loaded, most=most)
    for name, rows in found.groupby("reason", sort=False, dropna=False):
        said = str(name) if is_reject else _resource(name) if table == "out_of_scope" else _context(table)
        yield kind, said, int(rows["lines"].iloc[0]), [_of_row(kind, said, row) for row in schema.to_records(rows)]


def _files(case: Case) -> Iterator[Unread]:
    for one in passed_over(case):
        yield Unread(one.kind, one.reason, one.name, hint=one.hint)


def _stream(case: Case, table: str, *more: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a derived table, a few at a time, those of accounted evidence alone."""
    path, loaded = case.table_path(table), set(loaded_ids(case))
    if not path.exists():
        return
    with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS, columns=[*_PLACE, *more]):
            yield from (row for row in batch.to_pylist() if row["evidence_id"] in loaded)


def _of_row(kind: str, reason: str, row: dict[str, Any]) -> Unread:
    place = (row["source_line"], row["source_offset"], row["source_length"])
    return Unread(kind, reason, row["source_file"], *place, row["event_id"], row.get("raw"))


def _resource(resource_type: Any) -> str:
    known = isinstance(resource_type, str) and not pd.isna(resource_type)
    return f"a record of another resource: {resource_type}" if known else "a record of another resource"


def _context(table: str) -> str:
    return f"another log or list, kept as context: {table}"
