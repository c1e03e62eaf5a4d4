"""When all parts are there: duplicates are taken out, every line is accounted for, and the parts count."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .. import engine, schema
from ..case import FATES, Case, Evidence, Manifest, open_case, record_custody, utc_text, write_manifest
from ..evidence import slices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from ..derive import Loaded
    from ._parts import Parts


def settle(case: Case, parts: Parts) -> Case:
    """Account for every line of the parts, and make them count."""
    loaded = parts.finish()
    again = _settle_duplicates(case, parts.staging)
    names, copies = (tuple(path.name for path in sorted(parts.staging.glob(f"{kind}-*.parquet"))) for kind in _EVENTS)
    done = {item.evidence.evidence_id: _accounted(item, again) for item in loaded}
    evidence = tuple(done.get(entry.evidence_id, entry) for entry in case.manifest.evidence)
    manifest = replace(
        case.manifest, evidence=evidence, parts=(*case.manifest.parts, *names), copies=(*case.manifest.copies, *copies)
    )
    _publish(case, parts.staging, (*names, *copies), manifest)
    record_custody(case.path, "loaded", {"files": len(done), "lines": sum_fates(done.values()), "parts": list(names)})
    return open_case(case.path)


_EVENTS = ("events", "copies")

# Tables beside the events whose records are accounted as out of scope.
_ASIDE = {"out_of_scope": schema.EVENTS, **schema.CONTEXT}

# Records that are equal byte for byte, or that came by two routes, have the same record id. Its hash takes half the time to
# group by. An event hub and a storage account are given the same bytes; any two other routes write a record differently.
_SHARED = """
CREATE TABLE shared AS
WITH all_records AS ({sources})
SELECT *, CASE WHEN route = 'event_hub' THEN 'storage' ELSE coalesce(route, '') END AS spelling
FROM all_records
WHERE hash(record_id) IN (SELECT hash(record_id) FROM all_records GROUP BY hash(record_id) HAVING count(*) > 1)
"""
# These alone can be equal byte for byte, and are compared.
_CANDIDATES = """
SELECT event_id, evidence_id, source_offset, source_length
FROM shared SEMI JOIN (
  SELECT record_id, spelling FROM shared GROUP BY record_id, spelling HAVING count(*) > 1
) USING (record_id, spelling)
ORDER BY evidence_id, source_offset
"""
_SEEN_AGAIN = """
WITH ranked AS (
  SELECT s.*, row_number() OVER w AS nth, first_value(event_id) OVER w AS duplicate_of
  FROM shared s JOIN digests USING (event_id) JOIN positions USING (evidence_id)
  WINDOW w AS (PARTITION BY digest ORDER BY position, source_line, source_offset)
)
SELECT event_id, duplicate_of, evidence_id, source_file, source_line, source_offset, source_length, kind
FROM ranked WHERE nth > 1
"""
# A record that came by two routes has the same record id and other bytes. The first that came is the event; where a route
# has it more often than those before, what is more is an event too.
_COPIES = """
WITH told AS (
  SELECT s.event_id, s.record_id, s.route, p.position, s.source_line, s.source_offset
  FROM shared s JOIN positions p USING (evidence_id) ANTI JOIN again USING (event_id)
  WHERE s.kind IN ('events', 'copies')
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY record_id, route ORDER BY position, source_line, source_offset) AS nth
  FROM told
), compared AS (
  SELECT
    event_id, route,
    first_value(route) OVER (PARTITION BY record_id, nth ORDER BY position, source_line, source_offset) AS first_route
  FROM numbered
)
SELECT event_id FROM compared WHERE route <> first_route
"""
_PLACES = "event_id, record_id, evidence_id, source_file, source_line, source_offset, source_length"


def _settle_duplicates(case: Case, staging: Path) -> dict[tuple[str, str], int]:
    """Take records out of the new parts that the case, or an earlier part, has byte for byte, or by another route.

    Returns how many records of which evidence and table came again, byte for byte.
    """
    new = {kind: sorted(staging.glob(f"{kind}-*.parquet")) for kind in ("events", *_ASIDE)}
    aside = {kind: [path] if (path := case.table_path(kind)).exists() else [] for kind in _ASIDE}
    old = {"events": list(case.events.paths), "copies": list(case.copies.paths), **aside}
    held = [("old", kind, paths) for kind, paths in old.items()] + [("new", kind, paths) for kind, paths in new.items()]
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        _register_loaded(db, case)
        sources = [_source(db, kind, age, paths) for age, kind, paths in held if paths]
        if not sources or not _share(db, sources):
            return {}
        _find_again(db, case, staging / "again.parquet")
        for path in (path for paths in new.values() for path in paths):
            _set_apart(db, path, "again")
        db.execute(f"CREATE TABLE copies AS {_COPIES}")
        for path in (path for path in new["events"] if path.exists()):
            _set_apart(db, path, "copies", path.with_name(path.name.replace("events", "copies", 1)))
        found = db.execute("SELECT evidence_id, kind, count(*) FROM again GROUP BY ALL").fetchall()
    return {(evidence_id, kind): count for evidence_id, kind, count in found}


def _source(db: duckdb.DuckDBPyConnection, kind: str, age: str, paths: list[Path]) -> str:
    """Return a SELECT over the places of some parts; of old ones, only what counts."""
    relation = db.read_parquet([str(path) for path in paths], union_by_name=True)
    relation.create_view(f"{kind}_{age}")
    route = "route" if "route" in relation.columns else "NULL"
    only = "SEMI JOIN loaded USING (evidence_id)" if age == "old" else ""
    return f"SELECT {_PLACES}, {route} AS route, '{kind}' AS kind FROM {kind}_{age} {only}"


def _register_loaded(db: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Make the table `loaded`: evidence whose derived rows count."""
    ids = [entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None]
    db.register("loaded", pa.table({"evidence_id": pa.array(ids, pa.string())}))


def _share(db: duckdb.DuckDBPyConnection, sources: list[str]) -> int:
    """Make the table `shared`, of records whose id another one has; returns how many there are."""
    db.execute(_SHARED.format(sources=" UNION ALL ".join(sources)))
    ((count,),) = db.execute("SELECT count(*) FROM shared").fetchall()
    return int(count)


def _find_again(db: duckdb.DuckDBPyConnection, case: Case, target: Path) -> None:
    """Compare the bytes of records that may be equal, and make the view `again` of those that came before."""
    evidence = {entry.evidence_id: entry for entry in case.manifest.evidence}
    candidates, digests = db.sql(_CANDIDATES).to_arrow_table(), []
    rows = (row for batch in candidates.to_batches(max_chunksize=1 << 14) for row in batch.to_pylist())
    for evidence_id, part in groupby(rows, key=itemgetter("evidence_id")):
        entry = evidence[evidence_id]
        places = [(row["source_offset"], row["source_length"]) for row in part]
        found = slices(case.evidence_path(entry), entry.position, places)
        digests += [hashlib.sha256(data).digest() for data in found]
    db.register("digests", pa.table({"event_id": candidates["event_id"], "digest": pa.array(digests, pa.binary())}))
    ids = [entry.evidence_id for entry in case.manifest.evidence]
    db.register("positions", pa.table({"evidence_id": pa.array(ids, pa.string()), "position": range(len(ids))}))
    engine.copy(db, _SEEN_AGAIN, target)
    db.read_parquet(str(target)).create_view("again")


def _set_apart(db: duckdb.DuckDBPyConnection, path: Path, listed: str, target: Path | None = None) -> None:
    """Take the records that are listed out of a part, and into another one if it is named."""
    db.read_parquet(str(path)).create_view("part", replace=True)
    counts = f"SELECT count({listed}.event_id), count(*) FROM part LEFT JOIN {listed} USING (event_id)"
    ((found, held),) = db.execute(counts).fetchall()
    if not found:
        return
    if target is not None:
        engine.copy(db, f"SELECT * FROM part SEMI JOIN {listed} USING (event_id)", target)
    if found < held:
        kept = path.with_suffix(".kept")
        engine.copy(db, f"SELECT * FROM part ANTI JOIN {listed} USING (event_id)", kept)
        kept.replace(path)
    else:
        path.unlink()


def _publish(case: Case, staging: Path, parts: tuple[str, ...], manifest: Manifest) -> None:
    """Put the new parts in place; the manifest, last of all, makes them count."""
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        _register_loaded(db, case)
        _extend(db, case, "rejects", schema.REJECTS, sorted(staging.glob("rejects-*.parquet")))
        _extend(db, case, "duplicates", schema.DUPLICATES, sorted(staging.glob("again.parquet")))
        for name, columns in _ASIDE.items():
            _extend(db, case, name, columns, sorted(staging.glob(f"{name}-*.parquet")))
    for name in parts:
        (staging / name).replace(case.path / "events" / name)
    write_manifest(case.path, manifest)
    for path in (case.path / "events").glob("*.parquet"):  # what a rebuild has replaced
        if path.name not in {*manifest.parts, *manifest.copies}:
            path.unlink()


def _extend(
    db: duckdb.DuckDBPyConnection, case: Case, name: str, columns: tuple[schema.Column, ...], new: list[Path]
) -> None:
    """Write a derived table again: what it held of evidence that counts, and what is new."""
    target = case.table_path(name)
    target.parent.mkdir(exist_ok=True)
    if not new and not target.exists():
        pq.write_table(schema.empty(columns), target)
        return
    names = ", ".join(column.name for column in columns)
    selects = []
    if target.exists():
        db.read_parquet(str(target)).create_view(f"{name}_old")
        selects.append(f"SELECT {names} FROM {name}_old SEMI JOIN loaded USING (evidence_id)")
    if new:
        db.read_parquet([str(path) for path in new], union_by_name=True).create_view(f"{name}_new")
        selects.append(f"SELECT {names} FROM {name}_new")
    fresh = target.with_suffix(".new")
    engine.copy(db, " UNION ALL ".join(selects), fresh)
    fresh.replace(target)


def _accounted(item: Loaded, again: dict[tuple[str, str], int]) -> Evidence:
    entry = item.evidence
    events_again = again.get((entry.evidence_id, "events"), 0)
    others_again = sum(again.get((entry.evidence_id, kind), 0) for kind in _ASIDE)
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
