"""Where a row's bytes are: ids that stay the same, and rejects with what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from .. import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..case import Evidence
    from ..load import Place, Reject

    Numbers = Sequence[int] | NDArray[np.int64]


def event_id(evidence: Evidence, place: Place) -> str:
    """Id of the record at a place: evidence and byte, and its number where several have the same bytes."""
    which = f"{place.offset}" if place.nth == 1 else f"{place.offset}.{place.nth}"
    return f"{evidence.evidence_id}:{which}"


def place_columns(
    evidence: list[Evidence], files: Numbers, lines: Numbers, offsets: Numbers, lengths: Numbers, nth: Sequence[int] = ()
) -> dict[str, pa.Array]:  # fmt: skip
    """Columns that say where records are; *files* are numbers in *evidence*."""
    of = pa.array(files, pa.int32())
    ids = _named(of, [entry.evidence_id for entry in evidence])
    return {
        "event_id": event_ids(ids, offsets, nth),
        "evidence_id": ids,
        "source_file": _named(of, [source_file(entry) for entry in evidence]),
        "source_line": pa.array(lines, pa.int64()),
        "source_offset": pa.array(offsets, pa.int64()),
        "source_length": pa.array(lengths, pa.int64()),
        "source_number": pa.array(nth if len(nth) else [1] * len(files), pa.int64()),
    }


def _named(of: pa.Array, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(of, pa.array(names, pa.string()))


def event_ids(evidence_ids: pa.Array, offsets: Numbers, nth: Sequence[int]) -> pa.Array:
    """Ids of many records: `event_id`, a column at a time."""
    which = pa.array(offsets, pa.int64()).cast(pa.string())
    if max(nth, default=1) > 1:
        which = pa.array([f"{n}" if k == 1 else f"{n}.{k}" for n, k in zip(offsets, nth, strict=True)], pa.string())
    return pc.binary_join_element_wise(evidence_ids.cast(pa.string()), which, ":")


def source_file(evidence: Evidence) -> str:
    """Path of the evidence, with the member's path behind it where it is inside an archive."""
    return evidence.path if evidence.member is None else f"{evidence.path}!{evidence.member}"


def rejects_table(rejects: Iterable[tuple[Evidence, Reject]]) -> pa.Table:
    """Rejects as a table with the columns of `schema.REJECTS`."""
    names = [column.name for column in schema.REJECTS]
    rows = ((event_id(e, r.place), e.evidence_id, source_file(e), *r.place[:3], r.reason, r.raw) for e, r in rejects)
    named = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=schema.arrow_schema(schema.REJECTS))
