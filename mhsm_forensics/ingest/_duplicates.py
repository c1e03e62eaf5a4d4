"""Records that came before: taken out of the new parts when all parts are there."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from .. import engine, schema
from ..case import require_columns, sha256_of
from ..errors import CaseError, EvidenceError
from ..evidence import contents, cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from ..case import Case, Evidence

# Tables beside the events whose records are accounted as out of scope.
ASIDE = {"out_of_scope": schema.EVENTS, **schema.CONTEXT}
TABLES = {"rejects": schema.REJECTS, "duplicates": schema.DUPLICATES, **ASIDE}

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
JOIN read_in_order USING (evidence_id)
ORDER BY place, source_offset
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


def take_out(case: Case, staging: Path) -> dict[tuple[str, str], int]:
    """Take records out of the new parts that the case, or an earlier part, has byte for byte, or by another route.

    Returns how many records of which evidence and table came again, byte for byte.

    Raises
    ------
    EvidenceError
        Evidence that is only referenced is missing or changed, and records can't be compared with it.
    """
    new = {kind: sorted(staging.glob(f"{kind}-*.parquet")) for kind in ("events", *ASIDE)}
    aside = {kind: [path] if (path := held_table(case, kind)) else [] for kind in ASIDE}
    old = {"events": list(case.events.paths), "copies": list(case.copies.paths), **aside}
    parts = (*old["events"], *old["copies"])
    require_columns(parts, schema.EVENTS)
    held = [("old", kind, paths) for kind, paths in old.items()] + [("new", kind, paths) for kind, paths in new.items()]
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db, engine.sound(parts):
        register_loaded(db, case)
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


def register_loaded(db: duckdb.DuckDBPyConnection, case: Case) -> None:
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
    entries = sorted(case.manifest.evidence, key=lambda entry: (entry.path, entry.position))
    order = pa.array([entry.evidence_id for entry in entries], pa.string())
    db.register("read_in_order", pa.table({"evidence_id": order, "place": range(len(entries))}))
    candidates = db.sql(_CANDIDATES).to_arrow_table()
    digests = list(_digests(case, entries, candidates))
    db.register("digests", pa.table({"event_id": candidates["event_id"], "digest": pa.array(digests, pa.binary())}))
    ids = [entry.evidence_id for entry in case.manifest.evidence]
    db.register("positions", pa.table({"evidence_id": pa.array(ids, pa.string()), "position": range(len(ids))}))
    engine.copy(db, _SEEN_AGAIN, target)
    db.read_parquet(str(target)).create_view("again")


def _digests(case: Case, entries: list[Evidence], candidates: pa.Table) -> Iterator[bytes]:
    """Yield the SHA-256 of each candidate's bytes; an archive is read once, however many of its members have some."""
    rows = (row for batch in candidates.to_batches(max_chunksize=1 << 14) for row in batch.to_pylist())
    parts = groupby(rows, key=itemgetter("evidence_id"))
    concerned = set(candidates["evidence_id"].unique().to_pylist())
    for _, group in groupby((e for e in entries if e.evidence_id in concerned), key=lambda entry: entry.path):
        members = {entry.position: entry for entry in group}
        first = next(iter(members.values()))
        _require_there(case, first)
        for position, content in contents(case.evidence_path(first), members.keys()):
            evidence_id, part = next(parts)
            if evidence_id != members[position].evidence_id:
                raise EvidenceError.changed(case.evidence_path(first))
            found = cut(content, [(row["source_offset"], row["source_length"]) for row in part])
            yield from (hashlib.sha256(data).digest() for data in found)


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


def held_table(case: Case, name: str) -> Path | None:
    """Return where the rows of a table are that count so far; None where there is nothing yet, as in a rebuild.

    Raises
    ------
    CaseError
        The table was changed since it was sealed: what is added to it would be sealed with what it holds now.
    """
    path = case.table_path(name)
    sealed = case.manifest.tables.get(path.relative_to(case.path).as_posix())
    counted = any(sum((entry.fates or {}).values()) for entry in case.manifest.evidence)
    of_before = not case.manifest.tables and path.exists()  # a case that was made before there was a seal
    if not counted or not (sealed or of_before):
        return None
    require_columns([path], TABLES[name])
    if sealed and sha256_of(path) != sealed:
        raise CaseError.damaged_table(path, "it was changed since it was sealed")
    return path


def _require_there(case: Case, entry: Evidence) -> None:
    path = case.evidence_path(entry)
    if not path.is_file():
        raise EvidenceError.missing(path)
    if entry.in_place and entry.member is None and path.stat().st_size != entry.size:
        raise EvidenceError.changed(path)
