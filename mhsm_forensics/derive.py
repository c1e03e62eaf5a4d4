"""Evidence → Parquet parts: what one worker does, with nothing imported that it can do without.

A part holds the events of some evidence files in a row, and beside it their rejects, the records that are out of scope
and those of other logs and lists that give context. Duplicates are still in it: they are known only when the whole case
is.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import schema
from .evidence import blocks, contents
from .load import records
from .normalise import Normalised, Normaliser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .case import Evidence

TABLES = ("events", "out_of_scope", "rejects", *schema.CONTEXT)

_ROWS = 1 << 16  # rows of a row group
_BYTES = 32 << 20  # of its bytes: those of rejects are whole lines
_REJECTS = 256  # rejects held at once: each may be 64 KB

# Values that hardly ever repeat: numbers as differences, text as it is.
_DELTA = ("t", "time", "source_line", "source_offset")
_PLAIN = ("event_id", "witness_id", "record_id", "time_text", "correlation_id", "raw")


@dataclass(slots=True)
class Loaded:
    """What one file gave, before duplicates are known."""

    evidence: Evidence
    events: int = 0
    out_of_scope: int = 0
    rejects: int = 0
    blank: int = 0
    first: int | None = None
    last: int | None = None
    routes: set[str] = field(default_factory=set)
    torn: str | None = None
    forms: set[str] = field(default_factory=set)


class Content:
    """The bytes of a piece of evidence: the first time as they pass by in its archive, then anew as often as asked for."""

    def __init__(self, path: Path, position: tuple[int, ...], passing: Iterator[bytes]) -> None:
        self._path, self._position = path, position
        self._passing: Iterator[bytes] | None = passing

    def __iter__(self) -> Iterator[bytes]:
        passing, self._passing = self._passing, None
        yield from blocks(self._path, self._position) if passing is None else passing


def ready() -> None:
    """Do nothing, in a process that has everything imported by then."""


def load_part(staging: Path, name: str, files: list[tuple[Evidence, Path]]) -> list[Loaded]:
    """Write the events, rejects and records out of scope of some files as one part."""
    loaded = {entry.evidence_id: Loaded(entry) for entry, _ in files}
    with _no_cycles(), _Writers(staging, name) as writers:
        held = Normaliser()
        for entry, content in _read(files):
            for batch in records(content, dates=entry.dates):
                held.take(batch, entry)
                loaded[entry.evidence_id].blank += batch.blank
                loaded[entry.evidence_id].torn = batch.torn
                loaded[entry.evidence_id].forms |= batch.forms
                if held.rows >= _ROWS or held.rejects >= _REJECTS:
                    _pass_on(held, writers, loaded)
                    held = Normaliser()
        _pass_on(held, writers, loaded)
    return list(loaded.values())


def _read(files: list[tuple[Evidence, Path]]) -> Iterator[tuple[Evidence, Content]]:
    """Yield the content of each file; members of one archive as they pass, in one way through it."""
    for path, group in groupby(files, key=itemgetter(1)):
        entries = {entry.position: entry for entry, _ in group}
        for position, content in contents(path, entries.keys()):
            yield entries[position], Content(path, position, content)


def _pass_on(held: Normaliser, writers: _Writers, loaded: dict[str, Loaded]) -> None:
    found = held.finish()
    writers.write(found)
    _count(loaded, found)


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Don't look for cycles among millions of records that refer to nothing; it took a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _count(loaded: dict[str, Loaded], found: Normalised) -> None:
    for name, table in found.tables.items():
        for row in pc.value_counts(table["evidence_id"].cast(pa.string())).to_pylist():
            item, fate = loaded[row["values"]], "out_of_scope" if name in schema.CONTEXT else name
            setattr(item, fate, getattr(item, fate) + row["counts"])
        for row in _spans(table) if name != "rejects" else ():
            item = loaded[row["evidence_id"]]
            item.routes.add(row.get("route", name))
            if row.get("t_min") is not None:  # lists have no time
                item.first = min(row["t_min"], item.first if item.first is not None else row["t_min"])
                item.last = max(row["t_max"], item.last if item.last is not None else row["t_max"])


def _spans(table: pa.Table) -> list[dict[str, Any]]:
    """First and last time of each evidence file, and how its records came where a table says that."""
    by = [name for name in ("evidence_id", "route") if name in table.column_names]
    times = {"t": table["t"]} if "t" in table.column_names else {}
    plain = pa.table({name: table[name].cast(pa.string()) for name in by} | times)
    spans: list[dict[str, Any]] = (
        plain.group_by(by).aggregate([(t, f) for t in times for f in ("min", "max")]).to_pylist()
    )
    return spans


class _Writers:
    """Parquet files of one part; rows are held back until they fill a row group."""

    def __init__(self, staging: Path, name: str) -> None:
        self._staging, self._name = staging, name
        self._held: dict[str, list[pa.Table]] = {kind: [] for kind in TABLES}
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, problem: type[BaseException] | None, *_: object) -> None:
        for kind in TABLES:
            if problem is None:
                self._flush(kind)
        for writer in self._open.values():
            writer.close()

    def write(self, found: Normalised) -> None:
        for kind, held in self._held.items():
            held.append(found.tables[kind])
            if sum(table.num_rows for table in held) >= _ROWS or sum(table.nbytes for table in held) >= _BYTES:
                self._flush(kind)

    def _flush(self, kind: str) -> None:
        table = pa.concat_tables(self._held[kind]).unify_dictionaries() if self._held[kind] else None
        self._held[kind] = []
        if table is not None and table.num_rows:
            self._writer(kind, table.schema).write_table(table.combine_chunks(), row_group_size=2 * _ROWS)

    def _writer(self, kind: str, columns: pa.Schema) -> pq.ParquetWriter:
        if kind not in self._open:
            self._open[kind] = open_table(self._staging / f"{kind}-{self._name}.parquet", columns)
        return self._open[kind]


def open_table(path: Path, columns: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of a derived table, whose values are written as they take the least room."""
    return pq.ParquetWriter(
        path, columns, compression="zstd", store_schema=False, write_statistics=["t"] if "t" in columns.names else False,
        use_dictionary=[name for name in columns.names if name not in _DELTA + _PLAIN],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in _DELTA if name in columns.names},
    )  # fmt: skip
