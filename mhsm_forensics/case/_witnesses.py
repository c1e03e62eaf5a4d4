"""Which records a case has, and which event each of them says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from .. import schema
from ._tables import damage, read_tables, require_columns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from . import Case
    from ._events import Events

_PLACE = ("evidence_id", "source_offset", "source_length")
_BY: Final = ["evidence_id", "relation"]
_FATE_OF: Final = {"fullest": "event", "same bytes": "duplicate"}
SAID: Final = ("event", "witness", "duplicate")  # fates of records that the table of witnesses has
_IDS = tuple(column for column in schema.WITNESSES if column.name in {"witness_id", "event_id"})


def fates_in(path: Path) -> Counter[tuple[str, str]]:
    """Count the records of a table of witnesses by evidence and fate.

    A record is its event (`fullest`), a `duplicate` of a record before it (`same bytes`), or a `witness` of what another
    record says more fully.

    Raises
    ------
    CaseError
        The file is missing, damaged, or not that table.
    """
    require_columns([path], schema.WITNESSES)
    found: Counter[tuple[str, str]] = Counter()
    try:
        with pq.ParquetFile(path, read_dictionary=_BY) as file:
            for batch in file.iter_batches(columns=_BY):
                counts = pa.Table.from_batches([batch]).group_by(_BY).aggregate([([], "count_all")])
                for row in counts.to_pylist():
                    found[row["evidence_id"], _FATE_OF.get(row["relation"], "witness")] += row["count_all"]
    except (pa.ArrowException, OSError) as problem:
        raise damage([path], schema.WITNESSES) or problem from None
    return found


def events_of(events: Events, ids: list[str]) -> dict[str, str]:
    """Return the event of each of some ids: of an event itself, and of its witnesses; others are missing."""
    table = read_tables(
        events.witnesses, schema.WITNESSES, ["witness_id", "event_id"], ds.field("witness_id").isin(ids)
    )
    return dict(zip(table["witness_id"].to_pylist(), table["event_id"].to_pylist(), strict=True))


def place_of(case: Case, record: str) -> dict[str, Any] | None:
    """Return where the bytes of a record are, whatever became of it; None where there is no such record."""
    tables = [(case.events.witnesses, schema.WITNESSES, "witness_id")]
    if case.is_of_before:
        names = (*case.manifest.parts, *case.manifest.copies)
        tables = [(tuple(case.path / "events" / name for name in names), schema.EVENTS, "event_id")]
    beside = {"rejects": schema.REJECTS, "out_of_scope": schema.EVENTS, **schema.CONTEXT}
    tables += [
        ((path,), columns, "event_id") for name, columns in beside.items() if (path := case.table_path(name)).exists()
    ]
    for paths, columns, of in tables:
        found = read_tables(paths, columns, list(_PLACE), ds.field(of) == record).to_pylist()
        if found:
            return dict(found[0])
    require_columns(case.events.paths, schema.EVENTS)  # of a case that is damaged nobody can say what it lacks
    return None


def ids_in(paths: Iterable[Path], ids: list[str], column: str = "event_id") -> set[str]:
    """Which of some ids stand in a column of Parquet files."""
    files = tuple(path for path in paths if path.exists())
    columns = tuple(one for one in _IDS if one.name == column)
    return set(read_tables(files, columns, [column], ds.field(column).isin(ids))[column].to_pylist())
