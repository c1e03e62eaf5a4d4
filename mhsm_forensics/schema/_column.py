"""What a column is: its name, type, unit and meaning, and where each source keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPES = {
    "string": pa.string(),
    "int": pa.int64(),
    "timestamp": pa.timestamp("us"),
    "binary": pa.binary(),
    "list": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    meaning: str
    record: str = ""  # the field of the storage record ("" where the value is derived)
    diagnostics: str = ""  # the column of AzureDiagnostics
    auditlogs: str = ""  # the column of AZKVAuditLogs


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Arrow schema of *columns*."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in columns])


def empty(columns: Iterable[Column]) -> pa.Table:
    """Return a table of *columns* without a row."""
    return arrow_schema(columns).empty_table()
