"""Tables → the Parquet files of one part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLES: Final = ("events", "out_of_scope", "rejects", *schema.CONTEXT)
ROWS: Final = 1 << 16  # rows of a row group

_BYTES = 32 << 20  # of its bytes: those of rejects are whole lines

# Values that hardly ever repeat: numbers as differences, text as it is.
_DELTA = ("t", "time", "source_line", "source_offset")
_PLAIN = ("event_id", "witness_id", "record_id", "time_text", "correlation_id", "raw")
_EVENTS = ("events", "out_of_scope")
# Texts that repeat, or not: held as they come, and coded where the file is written.
_AS_TEXT = (*_PLAIN, "identity_json", "token_id")


class Writers:
    """Parquet files of one part; rows are held back until they fill a row group."""

    def __init__(self, staging: Path, name: str) -> None:
        self._staging, self._name = staging, name
        self._held: dict[str, list[pa.Table]] = {kind: [] for kind in TABLES}
        self._open: dict[str, pq.ParquetWriter] = {}

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        """Add rows to some tables."""
        for kind, table in tables.items():
            if not table.num_rows:
                continue
            held = self._held[kind]
            held.append(_in_one_form(table) if kind in _EVENTS else table)
            if sum(table.num_rows for table in held) >= ROWS or sum(table.nbytes for table in held) >= _BYTES:
                self._flush(kind)

    def finish(self) -> None:
        """Write what is held back, and close the files."""
        for kind in TABLES:
            self._flush(kind)
        self.close()

    def close(self) -> None:
        """Close the files, whatever is in them."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def _flush(self, kind: str) -> None:
        held, self._held[kind] = self._held[kind], []
        if held:
            table = pa.concat_tables(held).unify_dictionaries().combine_chunks()
            if kind == "events" and (shared := _shared(table)) is not None:
                self._write(kind, table.filter(shared), more="-shared")
                table = table.filter(pc.invert(shared))
            self._write(kind, table)

    def _write(self, kind: str, table: pa.Table, more: str = "") -> None:
        if table.num_rows:
            name = f"{kind}-{self._name}{more}"
            if name not in self._open:
                self._open[name] = open_table(self._staging / f"{name}.parquet", table.schema)
            self._open[name].write_table(table, row_group_size=2 * ROWS)


def _shared(events: pa.Table) -> pa.Array | None:
    """Which events have their tick with others: some of them may be one request, and only their file is written anew then."""
    ticks = events["t"].to_numpy() * 10 + events["tick"].to_numpy()
    order = np.argsort(ticks, kind="stable")
    again = np.diff(ticks[order]) == 0
    if not again.any():
        return None
    shared = np.zeros(len(ticks), bool)
    shared[order[1:][again]] = shared[order[:-1][again]] = True
    return pa.array(shared)


def open_table(path: Path, columns: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of a derived table, whose values are written as they take the least room."""
    return pq.ParquetWriter(
        path, columns, compression="zstd", store_schema=False, write_statistics=["t"] if "t" in columns.names else False,
        use_dictionary=[name for name in columns.names if name not in _DELTA + _PLAIN],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in _DELTA if name in columns.names},
    )  # fmt: skip


def _in_one_form(table: pa.Table) -> pa.Table:
    """Texts that repeat as numbers and all others as text, however they came: tables below each other have one schema."""
    for index, field in enumerate(table.schema):
        is_coded, column = pa.types.is_dictionary(field.type), table.column(index)
        if is_coded and field.name in _AS_TEXT:
            table = table.set_column(index, field.name, column.cast(pa.string()))
        elif not is_coded and pa.types.is_string(field.type) and field.name not in _AS_TEXT:
            table = table.set_column(index, field.name, column.dictionary_encode())
    return table
