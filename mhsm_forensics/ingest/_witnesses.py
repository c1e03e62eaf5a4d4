"""Each request one event, and every record that says it a witness: folded when all parts are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import schema
from ..case import fates_in, require_columns
from ..derive import open_table
from ._candidates import Source, alike, candidates
from ._cells import plain_events, requests_in
from ._tables import held_table, place_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from ..case import Case

_CONTRADICTS: Final = {"contradicts": "column", "says": "says", "instead_of": "instead_of"}
_PLACE: Final = ("evidence_id", "source_file", "source_line", "source_offset", "source_length")
_ROWS: Final = 1 << 16
_TEXTS: Final = [column.name for column in schema.EVENTS if column.type == "string"]
_SHARED: Final = ["route", "evidence_id", "source_file"]  # columns of few values, of events too
_FEW: Final = ["log", "relation", *_SHARED]
_FORM: Final = pa.schema(
    pa.field(one.name, pa.dictionary(pa.int32(), pa.string()) if one.name in _FEW else one.type)
    for one in schema.arrow_schema(schema.WITNESSES)
)


@dataclass(frozen=True)
class Folded:
    """Tables that say of every request which record is its event, and how many records of which evidence are."""

    tables: dict[str, Path]  # where each waits, by its path in the case
    parts: tuple[str, ...]  # of the events, all that count from now on
    rewritten: tuple[str, ...]  # those of before that lost an event to a fuller witness
    fates: Counter[tuple[str, str]]  # records by evidence and fate, as the table of witnesses has them


def fold_witnesses(case: Case, staging: Path, repeated: pd.DataFrame | None) -> Folded:
    """Make one event of each request: the record that says most of it. The others are kept beside, and all are witnesses.

    Parameters
    ----------
    case
        The case, with what counts so far.
    staging
        Where the new parts are; what is written anew waits there.
    repeated
        Records of other logs that another one stands for.

    Raises
    ------
    EvidenceError
        Evidence that is only referenced is missing or changed, and records can't be compared with it.
    """
    new = [Source(path, is_new=True) for path in sorted(staging.glob("events-*.parquet"))]
    old = [Source(path, is_new=False) for path in case.events.paths]
    require_columns([source.path for source in old], schema.EVENTS)
    held = held_table(case, "again", schema.EVENTS)
    sources = [*new, *old, *([Source(held, is_new=False, is_events=False)] if held else [])]
    rows = _paired(case, sources) if new else None
    moves = _Moves(case, staging, sources, rows)
    _write_witnesses(case, staging / "witnesses.parquet", new, rows, repeated)
    moves.go()
    fresh = {place_of(case, name): staging / f"{name}.parquet" for name in ("witnesses", "again")}
    return Folded(fresh | moves.tables, moves.parts, moves.rewritten, fates_in(staging / "witnesses.parquet"))


def _paired(case: Case, sources: list[Source]) -> pd.DataFrame | None:
    """Return the records that may be of one request, with the request that each says, and how it says it."""
    rows = candidates(sources)
    if rows is None:
        return None
    first, number = alike(case, rows), np.arange(len(rows))
    event = plain_events(sources, rows, first)
    ids, routes = rows["event_id"].to_numpy(object), rows["route"].to_list()
    again = np.flatnonzero((event == first) & (event != number))
    relation = np.select([event == number, event == first], ["fullest", "same bytes"], "other route").astype(object)
    same, contradicts = np.full(len(rows), None, object), np.full(len(rows), None, object)
    same[again] = ids[first[again]]
    for fullest, witnesses in requests_in(sources, rows, first, np.flatnonzero(event < 0)):
        seen: dict[int, int] = {}
        for one in sorted(witnesses):
            event[one] = fullest
            before = seen.setdefault(first[one], one)
            same[one] = ids[before] if before != one else None
            other = "same in other bytes" if routes[one] == routes[fullest] else "other route"
            relation[one] = "fullest" if one == fullest else "same bytes" if before != one else other
            contradicts[one] = witnesses[one]
    rows = rows.assign(event=event, relation=relation, same_bytes_as=same)
    for name, field_of in _CONTRADICTS.items():
        rows[name] = [one and [getattr(difference, field_of) for difference in one] for one in contradicts]
    return rows


class _Moves:
    """Records that change their table: an event that a fuller witness replaces, and a witness that is an event now."""

    def __init__(self, case: Case, staging: Path, sources: list[Source], rows: pd.DataFrame | None) -> None:
        self._case, self._staging, self._sources = case, staging, sources
        self._leaving: dict[int, np.ndarray] = {}
        if rows is not None:
            self._compare(rows)
        self.parts: tuple[str, ...] = ()
        self.rewritten: tuple[str, ...] = ()
        self.tables: dict[str, Path] = {}

    def _compare(self, rows: pd.DataFrame) -> None:
        """Find out which rows of which table leave it, and what becomes of them."""
        is_fullest = rows["event"].to_numpy() == rows["number"].to_numpy()
        is_event = np.array([source.is_events for source in self._sources])[rows["source"].to_numpy()]
        for is_now in (False, True):
            moved = rows[(is_event != is_now) & (is_fullest == is_now)]
            for at, part in moved.groupby("source"):
                self._leaving[int(at)] = part["row"].to_numpy()

    def go(self) -> None:
        """Write the tables that changed."""
        parts, rewritten = [], []
        with open_table(self._staging / "again.parquet", _EVENTS) as again:
            for at, source in enumerate(self._sources):
                if source.is_events:
                    if (there := self._events(at, source, again)) is not None:
                        parts.append(source.path.name)
                        self.tables |= (
                            {f"events/{source.path.name}": there} if there != source.path or source.is_new else {}
                        )
                    if not source.is_new and at in self._leaving:
                        rewritten.append(source.path.name)
                else:
                    parts += self._again(at, source, again)
        self.parts, self.rewritten = tuple(sorted(parts)), tuple(rewritten)

    def _events(self, at: int, source: Source, again: pq.ParquetWriter) -> Path | None:
        """Take what leaves out of a part of the events; returns where the part is then, None if nothing is left of it."""
        if at not in self._leaving:
            return source.path
        stays = self._stays(at, source)
        target = self._staging / f"{source.path.name}.kept"
        if stays.any():
            with open_table(target, _EVENTS) as kept:
                _part(source.path, stays, kept, again)
        else:
            _part(source.path, stays, again, again)
        if source.is_new:
            source.path.unlink()
        return target if stays.any() else None

    def _again(self, at: int, source: Source, again: pq.ParquetWriter) -> list[str]:
        """Keep what still says an event again, and make events of the rest; returns the names of parts that are new."""
        stays = self._stays(at, source)
        if stays.all():
            _part(source.path, stays, again, again)
            return []
        target = self._staging / f"{self._sources[0].path.stem}-again.parquet"
        with open_table(target, _EVENTS) as events:
            _part(source.path, stays, again, events)
        self.tables[f"events/{target.name}"] = target
        return [target.name]

    def _stays(self, at: int, source: Source) -> np.ndarray:
        stays = np.ones(_rows(source.path), bool)
        stays[self._leaving.get(at, [])] = False
        return stays


_CODED: Final = [name for name in _TEXTS if name not in {"event_id", "record_id", "time_text", "correlation_id"}]
_EVENTS: Final = pa.schema(
    pa.field(one.name, pa.dictionary(pa.int32(), pa.string()) if one.name in _CODED else one.type)
    for one in schema.arrow_schema(schema.EVENTS)
)


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _part(path: Path, stays: np.ndarray, one: pq.ParquetWriter, other: pq.ParquetWriter) -> None:
    """Copy a table in the columns of events into two, a row group at a time: what stays into one, the rest into the other."""
    with pq.ParquetFile(path, read_dictionary=_CODED) as file:
        start = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=_EVENTS.names).select(_EVENTS.names)
            here, start = stays[start : start + len(table)], start + len(table)
            for writer, wanted in ((one, here), (other, ~here)):
                if wanted.any():
                    writer.write_table(table.filter(pa.array(wanted)).cast(_EVENTS))


def _write_witnesses(
    case: Case, target: Path, new: list[Source], rows: pd.DataFrame | None, repeated: pd.DataFrame | None
) -> None:
    """Write the table of witnesses: what it held, and what is new or another event's now."""
    with open_table(target, _FORM) as writer:
        for table in _held(case, rows, repeated):
            writer.write_table(table)
        for at, source in enumerate(new):
            paired = rows.loc[rows["source"] == at, "row"].to_numpy() if rows is not None else np.zeros(0, "int64")
            writer.write_table(_alone(source.path, paired))
        if rows is not None:
            ids = rows["event_id"].to_numpy()
            writer.write_table(_as_witnesses(rows.assign(witness_id=ids, event_id=ids[rows["event"]], log="audit")))
        if repeated is not None:
            writer.write_table(_as_witnesses(repeated))


def _held(case: Case, rows: pd.DataFrame | None, repeated: pd.DataFrame | None) -> Iterator[pa.Table]:
    """Yield the witnesses of before, but for those that are told anew."""
    path = held_table(case, "witnesses", schema.WITNESSES)
    again = [] if rows is None else rows.loc[~rows["is_new"], "event_id"].to_list()
    moved = {} if repeated is None else dict(repeated.loc[~repeated["is_new"], ["witness_id", "event_id"]].to_numpy())
    told_anew = pa.array(again, pa.string())
    for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=_FORM.names) if path else ():
        table = pa.Table.from_batches([batch]).cast(_FORM)
        table = table.filter(pc.invert(pc.is_in(table["witness_id"], told_anew)))
        if moved:
            ids = pa.array([moved.get(one, one) for one in table["event_id"].to_pylist()], pa.string())
            table = table.set_column(1, _FORM.field("event_id"), ids)
        yield table


def _alone(path: Path, paired: np.ndarray) -> pa.Table:
    """Return the records of a part that are the only witness of their event."""
    with pq.ParquetFile(path, read_dictionary=_SHARED) as file:
        table = file.read(["event_id", "route", *_PLACE])
    if len(paired):
        stays = np.ones(len(table), bool)
        stays[paired] = False
        table = table.filter(pa.array(stays))
    count = len(table)
    columns: dict[str, Any] = {
        "witness_id": table["event_id"],
        "log": _all("audit", count),
        "relation": _all("fullest", count),
    }
    return pa.table(
        [columns[one.name] if one.name in columns else table[one.name].cast(one.type) if one.name in table.column_names
         else pa.nulls(count, one.type) for one in _FORM], schema=_FORM,
    )  # fmt: skip


def _all(value: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, "int32")), pa.array([value]))


def _as_witnesses(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows[_FORM.names], schema=_FORM, preserve_index=False)
