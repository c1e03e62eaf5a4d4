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
    names, again = _settle_duplicates(case, parts.staging)
    done = {item.evidence.evidence_id: _accounted(item, again) for item in loaded}
    evidence = tuple(done.get(entry.evidence_id, entry) for entry in case.manifest.evidence)
    _publish(case, parts.staging, names, Manifest(evidence, (*case.manifest.parts, *names)))
    record_custody(case.path, "loaded", {"files": len(done), "lines": sum_fates(done.values()), "parts": list(names)})
    return open_case(case.path)


# Tables beside the events whose records are accounted as out of scope.
_ASIDE = {"out_of_scope": schema.EVENTS, **schema.CONTEXT}

# Records that are equal byte for byte have the same record id, so only those that share one (or its hash, which
# takes half the time to group by) are compared, byte for byte.
_CANDIDATES = """
WITH all_records AS ({sources})
SELECT * FROM all_records
WHERE hash(record_id) IN (SELECT hash(record_id) FROM all_records GROUP BY hash(record_id) HAVING count(*) > 1)
ORDER BY evidence_id, source_offset
"""
_SEEN_AGAIN = """
WITH ranked AS (
  SELECT c.*, row_number() OVER w AS nth, first_value(event_id) OVER w AS duplicate_of
  FROM candidates c JOIN digests USING (event_id) JOIN positions USING (evidence_id)
  WINDOW w AS (PARTITION BY digest ORDER BY position, source_line, source_offset)
)
SELECT event_id, duplicate_of, evidence_id, source_file, source_line, source_offset, source_length, kind
FROM ranked WHERE nth > 1
"""
_PLACES = "event_id, record_id, evidence_id, source_file, source_line, source_offset, source_length"


def _settle_duplicates(case: Case, staging: Path) -> tuple[tuple[str, ...], dict[tuple[str, str], int]]:
    """Take records out of the new parts that the case, or an earlier part, has byte for byte.

    Returns the new event parts, and how many records of which evidence and table came again.
    """
    new = {kind: sorted(staging.glob(f"{kind}-*.parquet")) for kind in ("events", *_ASIDE)}
    aside = {kind: [path] if (path := case.table_path(kind)).exists() else [] for kind in _ASIDE}
    old = {"events": list(case.events.paths), **aside}
    held = [(kind, age) for kind in new for age in ("old", "new") if (old if age == "old" else new)[kind]]
    counts: dict[tuple[str, str], int] = {}
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        _register_loaded(db, case)
        sources = " UNION ALL ".join(_source(db, kind, age, {"old": old, "new": new}[age][kind]) for kind, age in held)
        candidates = db.sql(_CANDIDATES.format(sources=sources)).to_arrow_table() if held else None
        if candidates is not None and candidates.num_rows:
            _find_again(db, case, candidates, staging / "again.parquet")
            found = db.execute("SELECT evidence_id, kind, count(*) FROM again GROUP BY ALL").fetchall()
            counts = {(evidence_id, kind): count for evidence_id, kind, count in found}
            for path in (path for paths in new.values() for path in paths):
                _without_again(db, path)
    return tuple(path.name for path in new["events"] if path.exists()), counts


def _source(db: duckdb.DuckDBPyConnection, kind: str, age: str, paths: list[Path]) -> str:
    """Return a SELECT over the places of some parts; of old ones, only what counts."""
    db.read_parquet([str(path) for path in paths], union_by_name=True).create_view(f"{kind}_{age}")
    only = "SEMI JOIN loaded USING (evidence_id)" if age == "old" else ""
    return f"SELECT {_PLACES}, '{kind}' AS kind FROM {kind}_{age} {only}"


def _register_loaded(db: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Make the table `loaded`: evidence whose derived rows count."""
    ids = [entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None]
    db.register("loaded", pa.table({"evidence_id": pa.array(ids, pa.string())}))


def _find_again(db: duckdb.DuckDBPyConnection, case: Case, candidates: pa.Table, target: Path) -> None:
    """Compare the bytes of records that may be equal, and make the view `again` of those that came before."""
    evidence = {entry.evidence_id: entry for entry in case.manifest.evidence}
    digests: list[bytes] = []
    for evidence_id, rows in groupby(candidates.to_pylist(), key=itemgetter("evidence_id")):
        entry = evidence[evidence_id]
        places = [(row["source_offset"], row["source_length"]) for row in rows]
        found = slices(case.evidence_path(entry), entry.member, places)
        digests += [hashlib.sha256(data).digest() for data in found]
    db.register("candidates", candidates)
    db.register("digests", pa.table({"event_id": candidates["event_id"], "digest": pa.array(digests, pa.binary())}))
    ids = [entry.evidence_id for entry in case.manifest.evidence]
    db.register("positions", pa.table({"evidence_id": ids, "position": range(len(ids))}))
    engine.copy(db, _SEEN_AGAIN, target)
    db.read_parquet(str(target)).create_view("again")


def _without_again(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    db.read_parquet(str(path)).create_view("part", replace=True)
    ((found,),) = db.execute("SELECT count(*) FROM part SEMI JOIN again USING (event_id)").fetchall()
    if not found:
        return
    kept = path.with_suffix(".kept")
    engine.copy(db, "SELECT * FROM part ANTI JOIN again USING (event_id)", kept)
    if pq.read_metadata(kept).num_rows:
        kept.replace(path)
    else:
        kept.unlink()
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
        if path.name not in manifest.parts:
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
    return replace(entry, fates=fates, first_time=_iso(item.first), last_time=_iso(item.last), note=item.torn,
                   route=", ".join(sorted(item.routes)) or None)  # fmt: skip


def _iso(t: int | None) -> str | None:
    if t is None:
        return None
    return utc_text(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t))


def sum_fates(entries: Iterable[Evidence]) -> dict[str, int]:
    counted = [entry.fates or {} for entry in entries]
    return {fate: sum(fates.get(fate, 0) for fates in counted) for fate in FATES}
