"""The requests in some cells of records: the plain cases all at once, and the others one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ._pairing import requests_of
from ._statements import COLUMNS, NESTED, agree_beyond, may_say_more, statement_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from ._candidates import Source
    from ._statements import Difference, Statement

    Told = tuple[int, dict[int, list[Difference] | None]]

_COMPARED: Final = [*COLUMNS, *NESTED]
_SAID: Final = ["route", "evidence_id", "t", "tick", "precision", *_COMPARED]


def plain_events(sources: list[Source], rows: pd.DataFrame, first: np.ndarray) -> np.ndarray:
    """Return of each record the number of the one that is its event, where that is plain; -1 where it is not.

    It is plain of records with the same bytes, and of two by two routes that contradict each other in nothing.

    Parameters
    ----------
    sources
        The tables that the records are in.
    rows
        The records (`candidates`).
    first
        Of each the number of the first one with the same bytes (`alike`).
    """
    order, begins = _sorted(rows["cell"].to_numpy())
    sizes = np.diff(begins, append=len(order))
    low, high = (least.reduceat(first[order], begins) for least in (np.minimum, np.maximum))
    event = np.full(len(rows), -1)
    is_same = np.repeat(low == high, sizes)
    event[order[is_same]] = first[order[is_same]]
    twos = begins[(sizes == 2) & (low != high)]
    pairs = _pairs(rows, order[twos[:, None] + np.arange(2)])
    source = rows["source"].to_numpy()[pairs[:, 0]]
    for at in np.unique(source):  # what records say is long
        agreeing = _agreeing(sources, rows, pairs[source == at])
        event[agreeing] = agreeing[:, :1]
    return event


def requests_in(sources: list[Source], rows: pd.DataFrame, first: np.ndarray, which: np.ndarray) -> Iterator[Told]:
    """Yield the number of the fullest record of each request, and those of its witnesses with what they contradict.

    Parameters
    ----------
    sources, rows, first
        As for `plain_events`.
    which
        The numbers of the records that it is asked of: all of their cells.
    """
    order, begins = _sorted(rows["cell"].to_numpy()[which])
    said = _statements(sources, rows, np.unique(first[which])) if len(which) else {}
    lists = list(zip(rows["route"], rows["evidence_id"], strict=True))
    for group in np.split(which[order], begins[1:]) if len(which) else ():
        ones = [_also(said[first[number]], int(number), lists[number]) for number in group]
        for request in requests_of(ones):
            yield request.fullest.number, {one.number: request.contradicts.get(one.number) for one in request.witnesses}


def _sorted(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that has the records of a cell together, by number, and where each cell begins in it."""
    order = np.argsort(cells, kind="stable")
    return order, np.flatnonzero(np.diff(cells[order], prepend=-1))


def _pairs(rows: pd.DataFrame, two: np.ndarray) -> np.ndarray:
    """Of cells of two records those by two routes with one id of what they say, at the same tick of 100 ns."""
    same = {name: rows[name].to_numpy()[two] for name in ("record_id", "start", "end", "route")}
    is_same = np.logical_and.reduce([same[name][:, 0] == same[name][:, 1] for name in ("record_id", "start", "end")])
    exact = same["end"][:, 0] - same["start"][:, 0] == 1
    found: np.ndarray = two[is_same & exact & (same["route"][:, 0] != same["route"][:, 1])]
    return found


def _agreeing(sources: list[Source], rows: pd.DataFrame, pairs: np.ndarray) -> np.ndarray:
    """Pairs that contradict each other in nothing, the fuller record first."""
    one, other = (_columns(sources, rows, pairs[:, side]) for side in (0, 1))
    differ, fuller = np.zeros(len(pairs), bool), np.zeros(len(pairs), "int64")
    for name in COLUMNS:
        differ |= pc.fill_null(pc.not_equal(one[name], other[name]), fill_value=False).to_numpy()
        fuller += pc.is_valid(other[name]).to_numpy().astype("int64") - pc.is_valid(one[name]).to_numpy()
    differ |= _differ_beyond(one, other)
    agreeing: np.ndarray = np.where((fuller > 0)[:, None], pairs[:, ::-1], pairs)[~differ]
    return agreeing


def _differ_beyond(one: pa.Table, other: pa.Table) -> np.ndarray:
    """Pairs that contradict each other in a claim or a property that has no column."""
    differ = np.zeros(len(one), bool)
    for name in NESTED:
        both = pc.and_(pc.is_valid(one[name]), pc.is_valid(other[name])).to_numpy()
        if name == "properties_json":
            both = both & may_say_more(one[name]) & may_say_more(other[name])
        at = np.flatnonzero(both)
        texts = zip(*(table[name].take(pa.array(at)).to_pylist() for table in (one, other)), strict=True)
        differ[at] |= np.array([not agree_beyond(name, a, b) for a, b in texts], bool)
    return differ


def _columns(sources: list[Source], rows: pd.DataFrame, numbers: np.ndarray) -> pa.Table:
    """What the tables say of some records, in their order."""
    source, row = rows["source"].to_numpy()[numbers], rows["row"].to_numpy()[numbers]
    which = np.unique(source)
    parts = [_rows_of(sources[at].path, row[source == at]) for at in which]
    place = np.concatenate([np.flatnonzero(source == at) for at in which])
    return pa.concat_tables(parts, promote_options="permissive").take(pa.array(np.argsort(place)))


def _rows_of(path: Path, rows: np.ndarray) -> pa.Table:
    """What a table says in some rows, in their order; a row group at a time, because its texts are long."""
    order = np.argsort(rows, kind="stable")
    found, start, wanted = [], 0, rows[order]
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)] - start
            if len(here):
                found.append(file.read_row_group(group, columns=_COMPARED).take(pa.array(here)).select(_COMPARED))
            start = end
    return pa.concat_tables(found).take(pa.array(np.argsort(order)))


def _also(said: Statement, number: int, listing: tuple[str, str]) -> Statement:
    """What a record says that has the same bytes as another one."""
    return said if said.number == number else replace(said, number=number, route=listing[0], listing=listing)


def _statements(sources: list[Source], rows: pd.DataFrame, numbers: np.ndarray) -> dict[int, Statement]:
    """What some records say, by number."""
    source, row = rows["source"].to_numpy()[numbers], rows["row"].to_numpy()[numbers]
    found: dict[int, Statement] = {}
    for at in np.unique(source):
        table = pq.read_table(sources[at].path, columns=_SAID).take(pa.array(row[source == at]))
        ones = (one for batch in table.to_batches(max_chunksize=1 << 12) for one in batch.to_pylist())
        which = map(int, numbers[source == at])
        found |= {number: statement_of(one, number) for number, one in zip(which, ones, strict=True)}
    return found
