"""Events and findings in files that other tools read; the case itself is not changed but for its custody."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .. import schema
from ..case import damage, recorded, require_columns, sha256_of
from ..errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..case import Case

# What a spreadsheet takes for a formula when a cell starts with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(case: Case, kind: str, path: Path | str, *, tell: Callable[[str], None] | None = None) -> Path:
    """Write the events of a case as a file, record it in the chain of custody, and return its path.

    Parameters
    ----------
    case
        The case.
    kind
        ``events-csv`` (cells that a spreadsheet would run as a formula get a leading apostrophe; UTF-8 with a
        byte order mark, as spreadsheets want), ``parquet`` (verbatim), ``navigator`` (a layer of the ATT&CK
        Navigator: what was found, and what was looked for) or ``sentinel`` (a folder of scheduled analytics rules).
    path
        The file to write, or the folder.
    tell
        Called with one line where the case can't be written, and its chain of custody doesn't have the export.

    Raises
    ------
    CaseError
        The target can't be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = _WAYS[kind](case, target)
    except OSError as problem:
        raise CaseError.unwritable(target, problem) from problem
    about = {"format": kind, "path": str(target.resolve()), "rows": rows, "sha256": _digest(target)}
    unwritten = recorded(case.path, "exported", about)
    if unwritten and tell:
        tell(f"this export is not in the chain of custody: {unwritten}")
    return target


def _as_parquet(case: Case, target: Path) -> int:
    events = case.events
    require_columns(events.paths, schema.EVENTS)
    if len(events.paths) == 1:
        shutil.copyfile(events.paths[0], target)
        return len(events)
    with pq.ParquetWriter(target, schema.arrow_schema(schema.EVENTS), compression="zstd") as writer:
        for path in events.paths:
            for batch in _batches(path):
                writer.write_batch(batch.cast(writer.schema))
    return len(events)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from pq.ParquetFile(path).iter_batches()
    except (pa.ArrowException, OSError) as problem:
        raise damage([path], schema.EVENTS) or problem from None


def _as_csv(case: Case, target: Path) -> int:
    frame = case.events.df()
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        table_as_csv(frame, file)
    return len(frame)


def _as_layer(case: Case, target: Path) -> int:
    from ._navigator import layer  # it judges, which the other ways don't

    made = layer(case)
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False), encoding="utf-8")
    return len(made["techniques"])


def _as_rules(_: Case, target: Path) -> int:
    from ._sentinel import analytics_rules

    return analytics_rules(target)


def _digest(target: Path) -> str:
    """SHA-256 of a file; of a folder that of the digests of its files, in hex, sorted by name, joined by line feeds."""
    if target.is_file():
        return sha256_of(target)
    each = "\n".join(sha256_of(path) for path in sorted(target.iterdir()) if path.is_file())
    return hashlib.sha256(each.encode()).hexdigest()


_WAYS: dict[str, Callable[[Case, Path], int]] = {
    "events-csv": _as_csv, "parquet": _as_parquet, "navigator": _as_layer, "sentinel": _as_rules,
}  # fmt: skip
KINDS = tuple(_WAYS)


def table_as_csv(frame: pd.DataFrame, file: TextIO) -> None:
    """Write a frame as CSV in which no cell is a formula; times are ISO 8601 in UTC, lists are JSON."""
    rows_as_csv(frame.columns, frame.itertuples(index=False, name=None), file)


def rows_as_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]], file: TextIO) -> None:
    """Write rows as CSV in the same way, one after the other as they come."""
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def digest_of(frame: pd.DataFrame) -> str:
    """SHA-256 of what a frame says, as CSV: the same answer has the same digest, whatever engine or version gave it.

    Examples
    --------
    >>> digest_of(pd.DataFrame({"operation": ["KeyGet"], "events": [2]}))[:16]
    '0a93b3f9403c42a6'
    """
    text = io.StringIO(newline="")
    table_as_csv(frame, text)
    return hashlib.sha256(text.getvalue().encode("utf-8", "surrogatepass")).hexdigest()


def _cell(value: Any) -> Any:
    plain = plain_value(value)
    if isinstance(plain, list):
        plain = json.dumps(plain, ensure_ascii=False)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(_FORMULA) else plain


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it: times as ISO 8601 with Z, missing as None, lists as lists."""
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        items = value.tolist() if hasattr(value, "tolist") else value
        return [plain_value(item) for item in items] if isinstance(items, (list, tuple)) else plain_value(items)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return None if pd.isna(value) else value
    return value


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as a list of JSON objects, one for each row."""
    columns = list(frame.columns)
    return [
        {column: plain_value(value) for column, value in zip(columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
