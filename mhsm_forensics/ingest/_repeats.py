"""Records of other logs and lists, and of other resources, that came before, byte for byte: each is kept once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import engine
from ._candidates import alike
from ._tables import ASIDE, held_table, register_loaded

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pandas as pd

    from ..case import Case

# Records that are equal byte for byte have the same record id; its hash takes half the time to group by. A record's number
# among those at its place stands at the end of its id.
_SHARED = """
WITH records AS ({sources})
SELECT event_id, evidence_id, source_file, source_line, source_offset, source_length, record_id, log, is_new,
  coalesce(TRY_CAST(split_part(split_part(event_id, ':', 2), '.', 2) AS BIGINT), 1) AS source_number
FROM records
WHERE hash(record_id) IN (SELECT hash(record_id) FROM records GROUP BY hash(record_id) HAVING count(*) > 1 AND bool_or(is_new))
"""
_PLACES = "event_id, record_id, evidence_id, source_file, source_line, source_offset, source_length"


def repeats(case: Case, staging: Path) -> pd.DataFrame | None:
    """Return the records beside the events that are equal to another one byte for byte, but for the first of each by id.

    Returns
    -------
    Columns of witnesses, and ``is_new`` (whether it came now); None where there is none.
    """
    new = {log: paths for log in ASIDE if (paths := sorted(staging.glob(f"{log}-*.parquet")))}
    if not new:
        return None
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        register_loaded(db, case)
        sources = [_source(db, log, paths, is_new=True) for log, paths in new.items()]
        sources += [_source(db, log, [held], is_new=False) for log in ASIDE if (held := held_table(case, log))]
        rows = db.sql(_SHARED.format(sources=" UNION ALL ".join(sources))).to_arrow_table().to_pandas()
    return _told(case, rows) if len(rows) else None


def _told(case: Case, rows: pd.DataFrame) -> pd.DataFrame | None:
    rows = rows.sort_values(["evidence_id", "source_offset", "source_number"], kind="stable", ignore_index=True)
    rows = rows.assign(cell=rows["log"], number=range(len(rows)), route="")
    first = alike(case, rows)
    again = np.flatnonzero(first != np.arange(len(rows)))
    if not len(again):
        return None
    found = rows.iloc[again].rename(columns={"event_id": "witness_id"})
    ids = rows["event_id"].to_numpy()[first[again]]
    return found.assign(
        event_id=ids, same_bytes_as=ids, relation="same bytes", route=None, contradicts=None, says=None, instead_of=None
    )


def _source(db: duckdb.DuckDBPyConnection, log: str, paths: list[Path], *, is_new: bool) -> str:
    """Return a SELECT over the places of some tables; of old ones, only what counts."""
    name = f"{log}_{'new' if is_new else 'old'}"
    db.read_parquet([str(path) for path in paths], union_by_name=True).create_view(name)
    only = "" if is_new else "SEMI JOIN loaded USING (evidence_id)"
    return f"SELECT {_PLACES}, '{log}' AS log, {is_new} AS is_new FROM {name} {only}"
