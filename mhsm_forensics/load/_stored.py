"""Files that hold records in a binary form: Event Hubs Capture (Avro) and the export jobs of Log Analytics (Parquet).

Their records have no bytes of their own to show. A record has the place of the block or row group that holds it, and
its number there.

References
----------
https://learn.microsoft.com/azure/event-hubs/event-hubs-capture-overview
https://learn.microsoft.com/azure/azure-monitor/logs/logs-export-logic-app
https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

from __future__ import annotations

import json
import tempfile
from typing import IO, TYPE_CHECKING, Any

from ._batch import Batch, Place
from ._envelopes import unwrap_row
from ._items import SIGN, is_certain, item_of_fields
from ._lines import text_batches
from ._window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

AVRO, PARQUET = b"Obj\x01", b"PAR1"

_IN_MEMORY = 64 << 20
_ROWS = 4096


def stored_batches(window: Window) -> Iterator[Batch]:
    """Yield the records of an Avro or Parquet file."""
    is_avro = window.data.startswith(AVRO)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        size = _spool(window, file)
        try:
            yield from _avro(file) if is_avro else _parquet(file)
        except Exception as problem:  # noqa: BLE001 - the readers raise what they like at a damaged file
            batch = Batch()
            batch.reject(Place(1, size, 0), f"unreadable: {'Avro' if is_avro else 'Parquet'}: {_short(problem)}", b"")
            yield batch


def _spool(window: Window, file: IO[bytes]) -> int:
    while window.data or window.more():
        file.write(window.data)
        window.drop(len(window.data))
    file.seek(0)
    return window.offset


def _avro(file: IO[bytes]) -> Iterator[Batch]:
    import fastavro

    number = 1
    for block in fastavro.block_reader(file):
        batch, nth = Batch(forms={"Avro"}), 1
        for message in block:
            body = message.get("Body", message) if isinstance(message, dict) else message
            data = bytes(body) if isinstance(body, (bytes, bytearray)) else _as_json(body)
            for inner in text_batches(Window([data])):
                nth = batch.absorb(inner, Place(number, block.offset, block.size), nth)
            number += 1
        yield batch


def _parquet(file: IO[bytes]) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    stored = pq.ParquetFile(file)
    number = 1
    for group in range(stored.metadata.num_row_groups):
        about = stored.metadata.row_group(group)
        columns = [about.column(index) for index in range(about.num_columns)]
        start, size = min(map(_first_byte, columns)), sum(column.total_compressed_size for column in columns)
        nth = 1
        for table in stored.iter_batches(batch_size=_ROWS, row_groups=[group]):
            batch = Batch(forms={"Parquet"})
            for row in _rows(table):
                nth = batch.absorb(_row(row), Place(number, start, size), nth)
                number += 1
            yield batch


def _first_byte(column: Any) -> int:
    return int(column.dictionary_page_offset or column.data_page_offset)


def _rows(table: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, times as text that says their zone where the file does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            suffix = "Z" if column.type.tz else ""
            moved = column.cast(pa.timestamp(column.type.unit, "UTC")) if column.type.tz else column
            column = pc.binary_join_element_wise(
                pc.cast(moved.cast(pa.timestamp(column.type.unit)), pa.string()), suffix, ""
            )
        columns[name] = column
    yield from pa.table(columns).to_pylist()


def _row(row: dict[str, Any]) -> Batch:
    batch, data, place = Batch(), _as_json(row), Place(0, 0, 0)
    item = item_of_fields(row)
    if not is_certain(item) and SIGN.search(data) and (inner := unwrap_row({k: _text(v) for k, v in row.items()})):
        for one in inner:
            batch.add(one.item, one.data, place)
            batch.taken_out_of(one.path)
    else:
        batch.add(item, data, place)
    return batch


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def _short(problem: Exception) -> str:
    return str(problem).splitlines()[0][:120] if str(problem) else type(problem).__name__
