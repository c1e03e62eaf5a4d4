"""Some evidence files → one part: their records as they are read, and what was counted."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from .. import schema
from ..evidence import blocks, contents
from ..load import Templates, records
from ..normalise import AlikeRows, Normaliser, Rests, by_scope, taken_apart
from ._stages import AtOnce
from ._writers import ROWS, Writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..case import Evidence
    from ..load import Batch
    from ._stages import Worker

_REJECTS = 256  # rejects held at once: each may be 64 KB


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


def load_part(staging: Path, name: str, files: list[tuple[Evidence, Path]]) -> list[Loaded]:
    """Write the events, rejects and records out of scope of some files as one part."""
    return Reader(staging).part(name, files)


class Reader:
    """Derives parts one after the other, in one thread; columns and Parquet are made by another if it is given one."""

    def __init__(self, staging: Path, last: Worker | None = None, *, remembers: bool = False) -> None:
        """Read into a folder; *remembers* lines, so that those like them need not be read one by one."""
        self._staging, self._last = staging, last or AtOnce()
        self._remembers = remembers
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._rests = Rests(taken_apart)
        self._templates = Templates(self._rests.learn) if self._remembers else None

    def part(self, name: str, files: list[tuple[Evidence, Path]]) -> list[Loaded]:
        """Read some files; what they gave is known, and on disk, when the last step is done."""
        part = _Part(Writers(self._staging, name), files, self._last)
        try:
            with _no_cycles():
                for entry, content in _read(files):
                    self._file(part, entry, content)
                part.pass_on()
        except BaseException:
            self._last.do(part.writers.close)
            raise
        self._last.do(part.writers.finish)
        return list(part.loaded.values())

    def _file(self, part: _Part, entry: Evidence, content: Content) -> None:
        for batch in records(content, dates=entry.dates, templates=self._templates):
            if batch.alike and batch.alike.accounted.any():
                part.take(part.alike_of(self._rests).take(batch.alike, entry), entry)
            part.take(batch, entry)
            batch.alike = None  # its bytes are not needed any more
            if self._templates and self._templates.is_full:
                part.pass_on()
                self._begin_anew()


class _Part:
    """Records of some files as they are read, and what is made of them."""

    def __init__(self, writers: Writers, files: list[tuple[Evidence, Path]], last: Worker) -> None:
        self.writers, self._last = writers, last
        self.loaded = {entry.evidence_id: Loaded(entry) for entry, _ in files}
        self._held = Normaliser()
        self._alike: AlikeRows | None = None

    def alike_of(self, rests: Rests) -> AlikeRows:
        """Rows of lines that are alike."""
        if self._alike is None:
            self._alike = AlikeRows(rests)
        return self._alike

    def take(self, batch: Batch, entry: Evidence) -> None:
        """Add the records of a batch."""
        self._held.take(batch, entry)
        item = self.loaded[entry.evidence_id]
        item.blank += batch.blank
        item.torn = batch.torn
        item.forms |= batch.forms
        if self._held.rows >= ROWS or self._held.rejects >= _REJECTS or (self._alike and self._alike.count >= ROWS):
            self.pass_on()

    def pass_on(self) -> None:
        """Have columns made of all that is held."""
        alike, held = self._alike, self._held
        self._alike, self._held = None, Normaliser()
        if alike and alike.count:
            self._last.do(partial(self._write_alike, alike))
        if held.rows or held.rejects:
            self._last.do(partial(self._write, held))

    def _write_alike(self, rows: AlikeRows) -> None:
        events, out_of_scope = by_scope(rows.finish())
        self._write_tables({"events": events, "out_of_scope": out_of_scope})

    def _write(self, held: Normaliser) -> None:
        self._write_tables(held.finish().tables)

    def _write_tables(self, tables: dict[str, pa.Table]) -> None:
        self.writers.write(tables)
        _count(self.loaded, tables)


def _read(files: list[tuple[Evidence, Path]]) -> Iterator[tuple[Evidence, Content]]:
    """Yield the content of each file; members of one archive as they pass, in one way through it."""
    for path, group in groupby(files, key=itemgetter(1)):
        entries = {entry.position: entry for entry, _ in group}
        for position, content in contents(path, entries.keys()):
            yield entries[position], Content(path, position, content)


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


def _count(loaded: dict[str, Loaded], tables: dict[str, pa.Table]) -> None:
    for name, table in tables.items():
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
