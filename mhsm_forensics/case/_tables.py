"""Derived tables, read as what they must be: a damaged or foreign file is named, and never read as something else."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from .. import schema
from ..errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Columns = tuple[schema.Column, ...]

_ALWAYS = {"event_id", "evidence_id", "t"}  # what every version wrote where the table has it; newer columns may lack
_KINDS = (
    (pa.types.is_integer, "int"), (pa.types.is_timestamp, "timestamp"), (pa.types.is_list, "list"),
    (pa.types.is_string, "string"), (pa.types.is_large_string, "string"), (pa.types.is_binary, "binary"),
)  # fmt: skip


def read_tables(
    paths: tuple[Path, ...], columns: Columns, names: list[str], only: ds.Expression | None = None
) -> pa.Table:
    """Read some columns of Parquet files; an empty table where there is none.

    Raises
    ------
    CaseError
        A file is missing, damaged, or not the table that it should be.
    """
    wanted = schema.arrow_schema(columns)
    if not paths:
        return wanted.empty_table().select(names)
    require_columns(paths, columns)
    try:
        dataset = ds.dataset([str(path) for path in paths], schema=wanted, format="parquet")
        return dataset.to_table(columns=names, filter=only)
    except (pa.ArrowException, OSError) as problem:
        raise damage(paths, columns) or problem from None


def rows_in(paths: tuple[Path, ...], columns: Columns, only: ds.Expression | None = None) -> int:
    """Count the rows of Parquet files without reading them.

    Raises
    ------
    CaseError
        A file is missing, damaged, or not the table that it should be.
    """
    if not paths:
        return 0
    require_columns(paths, columns)
    try:
        dataset = ds.dataset([str(path) for path in paths], format="parquet")
        return int(dataset.count_rows(filter=only))
    except (pa.ArrowException, OSError) as problem:
        raise damage(paths, columns) or problem from None


def require_columns(paths: Iterable[Path], columns: Columns) -> None:
    """See that Parquet files have the columns of a table, each of its kind.

    Raises
    ------
    CaseError
        One has not.
    """
    for path in paths:
        try:
            about = path.stat()
        except OSError as problem:
            raise CaseError.damaged_table(path, _reason(problem)) from None
        wrong = _what_is_wrong(path, columns, (about.st_mtime_ns, about.st_size, about.st_ino))
        if wrong:
            raise CaseError.damaged_table(path, wrong)


def damage(paths: Iterable[Path], columns: Columns) -> CaseError | None:
    """Read Parquet files to their last byte; returns what is wrong with the first that is damaged."""
    for path in paths:
        try:
            require_columns([path], columns)
            with pq.ParquetFile(path) as file:
                for _ in file.iter_batches():
                    pass
        except CaseError as problem:
            return problem
        except (pa.ArrowException, OSError) as problem:
            return CaseError.damaged_table(path, _reason(problem))
    return None


@lru_cache(maxsize=4096)
def _what_is_wrong(path: Path, columns: Columns, _version: tuple[int, ...]) -> str:
    """Say what keeps a file from being a table with these columns; kept as long as the file is the same."""
    try:
        found = {field.name: field.type for field in pq.read_schema(path)}
    except (pa.ArrowException, OSError) as problem:
        return _reason(problem)
    lacking = next((column.name for column in columns if column.name in _ALWAYS and column.name not in found), None)
    if lacking:
        return f"it has no column {lacking}"
    other = (c for c in columns if c.name in found and _kind(found[c.name]) not in (c.type, "null"))
    return next((f"column {column.name} holds {found[column.name]}, not {column.type}" for column in other), "")


def _kind(held: pa.DataType) -> str:
    held = held.value_type if pa.types.is_dictionary(held) else held
    return next((kind for test, kind in _KINDS if test(held)), str(held))


def _reason(problem: Exception) -> str:
    said = getattr(problem, "strerror", None) or str(problem)
    return str(said).splitlines()[0].rstrip(".") if said else type(problem).__name__
