"""When all parts are there: every line is accounted for, and the parts are published under the seal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import engine, schema
from ..case import FATES, Case, Evidence, open_case, record_custody, seal, utc_text
from ._duplicates import ASIDE, TABLES, held_table, register_loaded, take_out

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from ..derive import Loaded
    from ._parts import Parts


def publish(case: Case, parts: Parts) -> Case:
    """Account for every line of the parts, and make them count."""
    loaded = parts.finish()
    again = take_out(case, parts.staging)
    tables = _tables(case, parts.staging)
    names, copies = (tuple(path.name for path in sorted(parts.staging.glob(f"{kind}-*.parquet"))) for kind in _EVENTS)
    tables |= {f"events/{name}": parts.staging / name for name in (*names, *copies)}
    done = {item.evidence.evidence_id: _accounted(item, again) for item in loaded}
    before = case.manifest
    evidence = tuple(done.get(entry.evidence_id, entry) for entry in before.evidence)
    manifest = replace(before, evidence=evidence, parts=(*before.parts, *names), copies=(*before.copies, *copies))
    seal(case.path, manifest, tables)
    forms = {entry.evidence_id: entry.form for entry in done.values() if entry.form}
    detail = {"files": len(done), "lines": sum_fates(done.values()), "parts": list(names)}
    record_custody(case.path, "loaded", detail | ({"forms": forms} if forms else {}))
    return open_case(case.path)


_EVENTS = ("events", "copies")
_LINES = 256  # rejects that are held at once: each has up to 64 KB of its line


def _tables(case: Case, staging: Path) -> dict[str, Path]:
    """Write the tables beside the events anew, with what came now; returns where each waits, by its path in the case."""
    new = {name: sorted(staging.glob(f"{name}-*.parquet")) for name in ("rejects", *ASIDE)}
    new["duplicates"] = sorted(staging.glob("again.parquet"))
    fresh = {}
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        register_loaded(db, case)
        for name in TABLES:
            place = case.table_path(name).relative_to(case.path).as_posix()
            fresh[place] = staging / f"{name}.parquet"
            if name == "rejects":
                _pass_through(case, held_table(case, name), new[name], fresh[place])
            else:
                _extend(db, name, held_table(case, name), new[name], fresh[place])
    return fresh


def _extend(db: duckdb.DuckDBPyConnection, name: str, held: Path | None, new: list[Path], target: Path) -> None:
    """Write a derived table: what it held of evidence that counts, and what is new."""
    columns = TABLES[name]
    names = ", ".join(column.name for column in columns)
    selects = []
    if held:
        db.read_parquet(str(held)).create_view(f"{name}_old")
        selects.append(f"SELECT {names} FROM {name}_old SEMI JOIN loaded USING (evidence_id)")
    if new:
        db.read_parquet([str(path) for path in new], union_by_name=True).create_view(f"{name}_new")
        selects.append(f"SELECT {names} FROM {name}_new")
    if selects:
        engine.copy(db, " UNION ALL ".join(selects), target)
    else:
        pq.write_table(schema.empty(columns), target)


def _pass_through(case: Case, held: Path | None, new: list[Path], target: Path) -> None:
    """Write the rejects as `_extend` writes a table, a few at a time: DuckDB would hold hundreds of MB of their lines."""
    loaded = pa.array([entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None], pa.string())
    form = schema.arrow_schema(schema.REJECTS)
    with pq.ParquetWriter(target, form, compression="zstd") as writer:
        for path in (*([held] if held else []), *new):
            for batch in pq.ParquetFile(path).iter_batches(_LINES, columns=form.names):
                rows = pa.Table.from_batches([batch]).cast(form)
                counts = pc.is_in(rows["evidence_id"], loaded) if path is held else None
                writer.write_table(rows if counts is None else rows.filter(counts))


def _accounted(item: Loaded, again: dict[tuple[str, str], int]) -> Evidence:
    entry = item.evidence
    events_again = again.get((entry.evidence_id, "events"), 0)
    others_again = sum(again.get((entry.evidence_id, kind), 0) for kind in ASIDE)
    fates = {
        "event": item.events - events_again,
        "duplicate": events_again + others_again,
        "out_of_scope": item.out_of_scope - others_again,
        "blank": item.blank,
        "reject": item.rejects,
    }
    return replace(entry, fates=fates, first_time=_iso(item.first), last_time=_iso(item.last),
                   note=item.torn or entry.note, unreadable=item.torn or entry.unreadable,
                   route=", ".join(sorted(item.routes)) or None, form=_form(item.forms))  # fmt: skip


def _form(forms: set[str]) -> str | None:
    """How the records of a file were written, the most telling eight of it."""
    return "; ".join(sorted(forms)[:8]) or None


def _iso(t: int | None) -> str | None:
    if t is None:
        return None
    return utc_text(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t))


def sum_fates(entries: Iterable[Evidence]) -> dict[str, int]:
    counted = [entry.fates or {} for entry in entries]
    return {fate: sum(fates.get(fate, 0) for fates in counted) for fate in FATES}
