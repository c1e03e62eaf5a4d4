"""Whom a scope means: names as a person types them, and the actors of the case that go by them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds

from .. import schema
from ..identifiers import actors_named
from ._tables import require_columns

if TYPE_CHECKING:
    from pathlib import Path

_GOES_BY = ["actor", "principal", "principal_type", "upn", "app_id", "managed_identity_id"]


def actors_in(paths: tuple[Path, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Actors among the events of some Parquet files that go by one of some names, see `identifiers.actors_named`."""
    if not names or not paths:
        return ()
    require_columns(paths, schema.EVENTS)
    known = _known(paths, tuple(path.stat().st_mtime_ns for path in paths))
    return tuple(dict.fromkeys(actor for name in names for actor in actors_named(name, known)))


@lru_cache(maxsize=8)
def _known(paths: tuple[Path, ...], _versions: tuple[int, ...]) -> list[dict[str, str | None]]:
    """What each actor goes by; kept as long as the files are the same."""
    dataset = ds.dataset([str(path) for path in paths], schema=schema.arrow_schema(schema.EVENTS), format="parquet")
    parts = dataset.to_batches(columns=_GOES_BY, filter=ds.field("actor").is_valid())
    distinct = [pa.Table.from_batches([part]).group_by(_GOES_BY).aggregate([]) for part in parts if part.num_rows]
    return pa.concat_tables(distinct).group_by(_GOES_BY).aggregate([]).to_pylist() if distinct else []
