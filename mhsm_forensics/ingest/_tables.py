"""The tables beside the events, written anew: what they held that counts, and what came now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import engine, schema
from ..case import require_columns, sha256_of
from ..errors import CaseError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pandas as pd

    from ..case import Case

# Tables beside the events whose records are accounted as out of scope.
ASIDE = {"out_of_scope": schema.EVENTS, **schema.CONTEXT}
TABLES = {"rejects": schema.REJECTS, **ASIDE}
_LINES = 256  # rejects that are held at once: each has up to 64 KB of its line


def tables_beside(case: Case, staging: Path, repeated: pd.DataFrame | None) -> dict[str, Path]:
    """Write rejects, what is out of scope and the other logs; returns where each waits, by its path in the case.

    Parameters
    ----------
    case
        The case.
    staging
        Where what came now is, and where the tables are written.
    repeated
        Records that another one stands for (`repeats`).
    """
    fresh = {}
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        register_loaded(db, case)
        ids = [] if repeated is None else repeated["witness_id"].to_list()
        db.register("repeated", pa.table({"event_id": pa.array(ids, pa.string())}))
        for name in TABLES:
            fresh[place_of(case, name)] = target = staging / f"{name}.parquet"
            new = sorted(staging.glob(f"{name}-*.parquet"))
            if name == "rejects":
                _pass_through(case, held_table(case, name), new, target)
            else:
                _extend(db, name, held_table(case, name), new, target)
    return fresh


def place_of(case: Case, name: str) -> str:
    """Path of a derived table in the case, as its manifest has it."""
    return case.table_path(name).relative_to(case.path).as_posix()


def register_loaded(db: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Make the table `loaded`: evidence whose derived rows count."""
    ids = [entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None]
    db.register("loaded", pa.table({"evidence_id": pa.array(ids, pa.string())}))


def held_table(case: Case, name: str, columns: tuple[schema.Column, ...] | None = None) -> Path | None:
    """Return where the rows of a table are that count so far; None where there is nothing yet, as in a rebuild.

    Raises
    ------
    CaseError
        The table was changed since it was sealed: what is added to it would be sealed with what it holds now.
    """
    path = case.table_path(name)
    sealed = case.manifest.tables.get(place_of(case, name))
    counted = any(sum((entry.fates or {}).values()) for entry in case.manifest.evidence)
    if not counted or not sealed:
        return None
    require_columns([path], columns or TABLES[name])
    if sha256_of(path) != sealed:
        raise CaseError.damaged_table(path, "it was changed since it was sealed")
    return path


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
        engine.copy(db, f"SELECT * FROM ({' UNION ALL '.join(selects)}) ANTI JOIN repeated USING (event_id)", target)
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
