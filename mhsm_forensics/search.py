"""Events that a person looks for by what they type: words, phrases, `column:value`, and what to leave out.

What is typed is compared, never run: names of columns come from the schema, and values are bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import schema
from .engine import Session, run
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

__all__ = ["COLUMNS", "Table", "count", "events", "page"]

# What a reader wants to see first.
COLUMNS = (
    "time", "principal", "operation", "outcome", "key_name", "caller_ip", "hsm", "http_status", "client", "operation_class",
)  # fmt: skip

_TEXTS = tuple(column.name for column in schema.EVENTS if column.type == "string")
_NEAR = 5_000  # rows from the start up to which sorting out the first ones is quicker than sorting all
_BETWEEN = "WHERE (:low IS NULL OR t >= :low) AND (:high IS NULL OR t < :high)"
# -"a phrase"  -column:value  column:"a phrase"  word
_WORD = re.compile(r'(-?)(?:([a-z_]+):)?(?:"([^"]*)"|(\S*))')


def events(
    events: Any,
    text: str = "",
    *,
    columns: Iterable[str] = COLUMNS,
    sort: str = "time",
    descending: bool = False,
    only: Iterable[str] | None = None,
    equal: Mapping[str, str | None] | None = None,
) -> pd.DataFrame:
    """Return the events in which everything that was typed occurs.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events (`schema.EVENTS`).
    text
        Words, parted by blanks; all must occur, in any column of text, in upper or lower case. ``"two words"`` is a
        phrase, ``column:value`` looks in one column only (numbers and times as they are written), ``column:`` finds
        where it is missing, and a minus in front leaves out what has it.
    columns
        Columns to return, besides ``event_id``.
    sort, descending
        Column to sort by; equal ones by time.
    only
        Only events of these ids.
    equal
        Only events that have exactly these values, by column; None is where it is missing.

    Returns
    -------
    ``event_id`` and *columns*; one row per event.

    Raises
    ------
    InputError
        There is no such column.
    """
    table = Table(events, only=only, equal=equal)
    try:
        count = table.find(text, sort=sort, descending=descending)
        return table.page(0, count, columns)
    finally:
        table.close()


def page(
    events: Any, start: int, rows: int, *, columns: Iterable[str] = COLUMNS, between: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Return some rows of events in the order of time.

    Parameters
    ----------
    events
        Anything the engine can query, what was picked of a session included.
    start, rows
        How many come before, and how many to return.
    columns
        Columns to return, besides ``event_id``.
    between
        Only events from the first time up to and without the second, both in microseconds since 1970.

    Returns
    -------
    ``event_id`` and *columns*, one row per event.
    """
    names = ", ".join(dict.fromkeys(["event_id", *map(_column, columns)]))
    low, high = between or (None, None)
    text = f"SELECT {names} FROM events {_BETWEEN} ORDER BY {', '.join(schema.ORDER)} LIMIT :rows OFFSET :start"
    return run(events, text, low=low, high=high, rows=rows, start=start)


def count(events: Any, *, between: tuple[int, int] | None = None) -> int:
    """Return how many events there are, of all or of a stretch of time as `page` takes it."""
    low, high = between or (None, None)
    return int(run(events, f"SELECT count(*) AS n FROM events {_BETWEEN}", low=low, high=high)["n"].iloc[0])


class Table:
    """Events in a table of which one page is looked at: found, sorted, counted."""

    def __init__(
        self, events: Any, *, only: Iterable[str] | None = None, equal: Mapping[str, str | None] | None = None
    ) -> None:
        self._session = Session(events)
        self._from = "events"
        if only is not None:
            self._narrow("only_these", "SELECT unnest(:ids) AS event_id", ids=list(only))
        for number, (name, value) in enumerate((equal or {}).items()):
            same = f"SELECT event_id FROM events WHERE {_column(name)} IS NOT DISTINCT FROM :value"
            self._narrow(f"equal_{number}", same, value=value)
        self._all = int(self._session.run(f"SELECT count(*) AS n FROM {self._from}")["n"].iloc[0])
        self.find("")

    def __len__(self) -> int:
        return self._all

    def find(self, text: str, *, sort: str = "time", descending: bool = False) -> int:
        """Look for other events, or in another order; return how many there are."""
        self._tests, self._values = _tests(text)
        way = "DESC" if descending else "ASC"
        self._order = ", ".join([f"{_column(sort)} {way} NULLS LAST", *(f"{name} {way}" for name in schema.ORDER)])
        self._listed = False
        self._count = self._all
        if self._tests:
            self._list()
            self._count = int(self._session.run("SELECT count(*) AS n FROM found")["n"].iloc[0])
        return self._count

    def page(self, start: int, rows: int, columns: Iterable[str] = COLUMNS) -> pd.DataFrame:
        """Return some rows, `event_id` first."""
        names = ", ".join(dict.fromkeys(["event_id", *map(_column, columns)]))
        if start < _NEAR and not self._listed:  # the first pages of all need no list of all
            return self._session.run(
                f"SELECT {names} FROM {self._from} ORDER BY {self._order} LIMIT :rows OFFSET :start",
                rows=rows, start=start,
            )  # fmt: skip
        self._list()
        # The time, too: it leads to the few row groups that have these rows.
        return self._session.run(
            f"SELECT {names} FROM (SELECT e.*, f.n AS place FROM events AS e JOIN "
            "(SELECT n, t, event_id FROM found WHERE n > :start AND n <= :stop) AS f "
            "ON e.t = f.t AND e.event_id = f.event_id) ORDER BY place",
            start=start, stop=start + rows,
        )  # fmt: skip

    def ids(self) -> list[str]:
        """Return the ids of everything found, in order."""
        self._list()
        found: list[str] = self._session.run("SELECT event_id FROM found ORDER BY n")["event_id"].to_list()
        return found

    def close(self) -> None:
        """Let go of what is held open."""
        self._session.close()

    def _narrow(self, name: str, text: str, /, **values: Any) -> None:
        self._session.keep(name, text, **values)
        self._from += f" SEMI JOIN {name} USING (event_id)"

    def _list(self) -> None:
        if self._listed:
            return
        where = f"WHERE {' AND '.join(self._tests)}" if self._tests else ""
        self._session.keep(
            "found",
            f"SELECT row_number() OVER () AS n, t, event_id FROM "
            f"(SELECT * FROM {self._from} {where} ORDER BY {self._order})",
            **self._values,
        )
        self._listed = True


@dataclass(frozen=True, slots=True)
class _Typed:
    """One thing that was typed."""

    without: bool
    column: str | None
    value: str


def _understood(text: str) -> list[_Typed]:
    """Take apart what was typed.

    >>> _understood('-outcome:success "key vault" 2001:db8::1')
    [_Typed(without=True, column='outcome', value='success'), _Typed(without=False, column=None, value='key vault'),
     _Typed(without=False, column=None, value='2001:db8::1')]
    """
    found = []
    for match in _WORD.finditer(text):
        minus, column, phrase, word = match.groups()
        value = word if phrase is None else phrase
        if column and column not in schema.EVENT_NAMES:  # https://…, an address, a scope
            column, value = None, f"{column}:{value}"
        if value or column:
            found.append(_Typed(bool(minus), column, value))
    return found


def _tests(text: str) -> tuple[list[str], dict[str, str]]:
    """Conditions with the values that they name."""
    typed = _understood(text)
    tests = [_test(one, f":v{number}") for number, one in enumerate(typed)]
    return tests, {f"v{number}": one.value for number, one in enumerate(typed) if one.value}


def _test(typed: _Typed, value: str) -> str:
    if typed.column and not typed.value:
        return f"{typed.column} IS {'NOT ' if typed.without else ''}NULL"
    names = [typed.column] if typed.column else _TEXTS
    said = " OR ".join(f"contains(lower({_as_text(name)}), lower({value}))" for name in names)
    return f"coalesce({said}, false) = {str(not typed.without).lower()}"


def _as_text(column: str) -> str:
    """SQL of a column as a reader sees it: times as ISO 8601."""
    kind = next(known.type for known in schema.EVENTS if known.name == column)
    if kind == "timestamp":
        return f"(replace(CAST({column} AS VARCHAR), ' ', 'T') || 'Z')"
    return column if kind == "string" else f"CAST({column} AS VARCHAR)"


def _column(name: str) -> str:
    if name not in schema.EVENT_NAMES:
        raise InputError(f"{name!r}: no column of events. Hint: docs/schema.md lists them.")
    return name
