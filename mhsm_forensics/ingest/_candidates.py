"""Which records may say the same request, found by when and what they are of; the others are never looked at closer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import EvidenceError
from ..evidence import at_places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from ..case import Case, Evidence

_TIMES: Final = ["t", "tick", "precision"]
_ABOUT: Final = ["event_id", "evidence_id", "operation", "hsm", "route", "record_id", "source_file", "source_line",
                 "source_offset", "source_length", "source_number", "correlation_id"]  # fmt: skip
_GUID: Final = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_READ: Final = ["number", "source_offset", "source_length"]
# An event hub and a storage account are given the same bytes; any two other routes write a record differently.
_SPELLED_ALIKE: Final = {"event_hub": "storage"}


@dataclass(frozen=True, slots=True)
class Source:
    """A table in the columns of events: a part that is new or counts already, or the records that say something again."""

    path: Path
    is_new: bool
    is_events: bool = True


def candidates(sources: list[Source]) -> pd.DataFrame | None:
    """Return the records that may say the same request as another one, new ones and those that they meet.

    Returns
    -------
    Columns ``source`` (position in *sources*), ``row`` (in it), ``start`` and ``end`` (ticks), ``cell`` (only records of one
    cell can be of one request), ``number`` (their order by id), and what the tables say of them; None where there are none.
    """
    times = [_times(source) for source in sources]
    start, end = (np.concatenate([pair[which] for pair in times]) for which in (0, 1))
    where = np.flatnonzero(_together(start, end) >= 0)
    if not len(where):
        return None
    first = np.cumsum([0, *(len(pair[0]) for pair in times)])
    source = np.searchsorted(first, where, side="right") - 1
    return _cells(sources, source, where - first[source], start[where], end[where])


def _times(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The ticks between which each record's request was."""
    with pq.ParquetFile(source.path) as file:
        table = file.read(_TIMES)
    t, tick, precision = (table[name].to_numpy() for name in _TIMES)
    start = t * 10 + tick
    return start, start + precision


def _together(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Number of the stretch of overlapping times that each is in; -1 for one that overlaps no other."""
    order = np.argsort(start, kind="stable")
    begins = np.ones(len(order), bool)
    begins[1:] = start[order][1:] >= np.maximum.accumulate(end[order])[:-1]
    stretch = np.cumsum(begins) - 1
    stretch[np.bincount(stretch, minlength=1)[stretch] == 1] = -1
    found = np.empty(len(order), "int64")
    found[order] = stretch
    return found


def _cells(
    sources: list[Source], source: np.ndarray, row: np.ndarray, start: np.ndarray, end: np.ndarray
) -> pd.DataFrame | None:

    about = [
        pq.read_table(sources[at].path, columns=_ABOUT).take(pa.array(row[source == at])) for at in np.unique(source)
    ]
    rows: pd.DataFrame = pa.concat_tables(about, promote_options="permissive").to_pandas()
    rows = rows.assign(source=source, row=row, start=start, end=end)
    rows["is_new"] = np.array([one.is_new for one in sources])[source]
    of = ["operation"] if rows["hsm"].isna().any() else ["operation", "hsm"]  # a record without one may be of any
    rows["of"] = rows.groupby(of, sort=False, observed=True).ngroup()
    rows = rows.sort_values(["of", "start"], kind="stable", ignore_index=True)
    reach = rows.groupby("of")["end"].cummax().shift(fill_value=0)
    rows["cell"] = ((rows["of"] != rows["of"].shift()) | (rows["start"] >= reach)).cumsum()
    rows["cell"] = _by_correlation(rows["cell"].to_numpy(), pa.array(rows.pop("correlation_id"), pa.string()))
    rows = rows[_may_agree(rows)]
    if rows.empty:
        return None
    rows = rows.sort_values(["evidence_id", "source_offset", "source_number"], kind="stable", ignore_index=True)
    return rows.assign(number=range(len(rows)))


def _by_correlation(cells: np.ndarray, correlations: pa.Array) -> np.ndarray:
    """Divide the cells in which every record has a correlation id: records of two of them are never of one request.

    What is no GUID may be spelled in several ways, and a record that lacks it may be of any request.
    """
    has_one = pc.fill_null(pc.match_substring_regex(correlations, _GUID), fill_value=False)
    lacking = np.bincount(cells, weights=pc.invert(has_one).to_numpy(zero_copy_only=False))
    codes = pc.ascii_lower(correlations).dictionary_encode().indices.fill_null(0).to_numpy().astype("int64")
    codes[lacking[cells] > 0] = 0
    found: np.ndarray = np.unique(cells.astype("int64") * (codes.max() + 1) + codes, return_inverse=True)[1]
    return found


def _may_agree(rows: pd.DataFrame) -> pd.Series:
    """Rows of cells with a new record, in which there are several lists, or records of one list that say the same."""
    cells = rows.groupby("cell")
    lists = rows.drop_duplicates(["cell", "route", "evidence_id"]).groupby("cell").size()
    said = rows.drop_duplicates(["cell", "record_id"]).groupby("cell").size()
    sizes = cells.size()
    wanted = cells["is_new"].any() & (sizes > 1) & ((lists > 1) | (said < sizes))
    return rows["cell"].map(wanted)


def alike(case: Case, rows: pd.DataFrame) -> np.ndarray:
    """Return of each record the number of the first one in its cell that has the same bytes: its own, where there is none.

    Raises
    ------
    EvidenceError
        Evidence is missing or changed, and records can't be compared with it.
    """
    spelled = rows["route"].astype(object).replace(_SPELLED_ALIKE)
    by = ["cell", "record_id", "spelled", "source_length", "source_number"]
    read = rows[rows.assign(spelled=spelled).duplicated(by, keep=False) & rows["source_offset"].notna()]
    # Records without bytes of their own have those of what encloses them, and their number in it.
    where, found = list(zip(rows["cell"], rows["source_number"], strict=True)), np.arange(len(rows))
    firsts: dict[tuple[Any, ...], int] = {}
    for number, digest in sorted(_digests(case, read)):
        found[number] = firsts.setdefault((*where[number], digest), number)
    return found


def _digests(case: Case, rows: pd.DataFrame) -> Iterator[tuple[int, bytes]]:
    """Yield the SHA-256 of the bytes of some records; an archive is read once, however many of its members have some."""
    places = {
        str(evidence): [(int(n), int(offset), int(length)) for n, offset, length in part[_READ].to_numpy()]
        for evidence, part in rows.groupby("evidence_id", observed=True)
    }
    concerned = sorted(
        (e for e in case.manifest.evidence if e.evidence_id in places), key=lambda e: (e.path, e.position)
    )
    for _, group in groupby(concerned, key=lambda entry: entry.path):
        members = {entry.position: entry for entry in group}
        first = next(iter(members.values()))
        _require_there(case, first)
        wanted = {at: [place[1:] for place in places[entry.evidence_id]] for at, entry in members.items()}
        for position, content in at_places(case.evidence_path(first), wanted):
            numbers = (place[0] for place in places[members[position].evidence_id])
            yield from zip(numbers, (hashlib.sha256(data).digest() for data in content), strict=True)


def _require_there(case: Case, entry: Evidence) -> None:
    path = case.evidence_path(entry)
    if not path.is_file():
        raise EvidenceError.missing(path)
    if entry.in_place and entry.member is None and path.stat().st_size != entry.size:
        raise EvidenceError.changed(path)
