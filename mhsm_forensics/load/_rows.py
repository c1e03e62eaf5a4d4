"""Bare rows → records: what the columns of a table mean is decided once, and not again for every row.

What comes out is what `from_mapping` gives, field by field and byte by byte; whatever is out of the ordinary
is left to it.
"""

from __future__ import annotations

from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from ._context import kind_of
from ._shapes import NOTHING, TEXT_FIELDS, Record, Row, as_raw, is_diagnostics, is_union, meaning, set_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Cells = Sequence[Any]

_REMEMBERED = 1 << 13  # combinations of cells
_NAMING = ("type", "category", "categoryvalue")  # columns that say of which log a row is

# Equal texts are written equally in JSON. Equal numbers are not: 1, 1.0 and true.
_SAME_WHEN_EQUAL = {str, type(None)}

_TEXT: set[type] = {str}
_TEXT_OR_NUMBER: set[type] = {str, int, float}

_decoded = msgspec.json.Decoder(list[Any]).decode


class UnplannedError(Exception):
    """A row that `from_mapping` has to read."""


@lru_cache(4)
def plan_of(names: tuple[str, ...]) -> Plan | None:
    """Return how to read the rows of a table with these columns; None if each has to be looked at for itself."""
    keys = [name.strip().lower() for name in names]
    ordinary = len(set(keys)) == len(keys) and not any(key.endswith(("]", ")")) for key in keys)
    return Plan(keys) if ordinary and any(key.startswith("timegenerated") for key in keys) else None


class Plan:
    """How the rows of one table become records."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys
        self._extra = [at for at, key in enumerate(keys) if key == "additionalfields"]
        self._fields = list(_fields(keys))
        naming = {key: at for at, key in enumerate(keys) if key in _NAMING}
        claims, rest = _of(keys, "claim"), _of(keys, "property")
        bare = {at: name for at, name in rest.items() if keys[at] != "identity"}
        self._known = _Once(naming.values(), partial(_is_audit, keys, list(naming)))
        self._type = naming.get("type")
        self._telling = [at for at, key in enumerate(keys) if is_diagnostics({key: True}) and key != "type"]
        self._by_row = is_union(keys)
        self._claims = _Once(claims, partial(_claims, list(claims.values())))
        self._identity = _Once([at for at in rest if at not in bare], _identity)
        self._rest = _Once(rest, partial(_properties, list(rest.values())))  # `identity` too, where there are claims
        self._bare = _Once(bare, partial(_properties, list(bare.values())))

    def read(self, data: bytes) -> Row:
        """Return the record in the bytes of a row, and how it came.

        Raises
        ------
        UnplannedError
            It is out of the ordinary.
        msgspec.MsgspecError, UnicodeDecodeError
            It is no row, or its text is damaged.
        """
        cells = _decoded(data)
        if len(cells) != len(self._keys) or any(cells[at] not in (None, "") for at in self._extra):
            raise UnplannedError
        record = self._with_fields(cells)
        if record.operationName is None:
            raise UnplannedError
        claims = self._claims(cells)
        record.identity = self._identity(cells) if claims is NOTHING else claims
        record.properties = self._bare(cells) if claims is NOTHING else self._rest(cells)
        return Row(record, self._route(cells))

    def _route(self, cells: Cells) -> str:
        """Which table a row is of: as it says, else by the columns that it fills."""
        self._known(cells)
        named = cells[self._type] if self._type is not None else None
        by_columns = (self._keys[at] for at in self._telling if not self._by_row or cells[at] not in (None, ""))
        filled = {"type": named} if named else dict.fromkeys(by_columns, True)
        return "azure_diagnostics" if is_diagnostics(filled) else "azkv_audit_logs"

    def _with_fields(self, cells: Cells) -> Record:
        record = Record()
        for at, name, wins, as_it_is in self._fields:
            value = cells[at]
            if value is None or value == "" or not (wins or getattr(record, name) is None):
                continue
            if type(value) in as_it_is:
                setattr(record, name, value)
            else:
                set_field(record, name, value)
        return record


class _Once:
    """What is made of some cells of a row; made once for texts that come again."""

    def __init__(self, at: Iterable[int], make: Callable[[Cells], Any]) -> None:
        self._take, self._make = _taking(list(at)), make
        self._made: dict[Cells, Any] = {}

    def __call__(self, cells: Cells) -> Any:
        values = self._take(cells)
        try:
            found = self._made.get(values)
        except TypeError:  # a list or an object in a cell
            return self._make(values)
        return self._remembered(values) if found is None else found

    def _remembered(self, values: Cells) -> Any:
        made = self._make(values)
        if _SAME_WHEN_EQUAL.issuperset(map(type, values)):
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            self._made[values] = made
        return made


def _taking(at: list[int]) -> Callable[[Cells], Cells]:
    if len(at) > 1:
        return itemgetter(*at)
    return lambda cells: tuple(cells[one] for one in at)


def _of(keys: list[str], kind: str) -> dict[int, str]:
    """Where the columns of a kind are, and the names that their values get."""
    found = ((at, *meaning(key)) for at, key in enumerate(keys) if key != "additionalfields")
    return {at: name for at, what, name in found if what == kind}


def _fields(keys: list[str]) -> Iterator[tuple[int, str, bool, set[type]]]:
    """Yield where a field is, its name, whether it replaces what an earlier column said, and which types it takes."""
    before: set[str] = set()
    for at, name in _of(keys, "field").items():
        yield (
            at,
            name,
            name not in before or keys[at].startswith("_"),
            _TEXT if name in TEXT_FIELDS else _TEXT_OR_NUMBER,
        )
        before.add(name)


def _is_audit(keys: list[str], naming: list[str], values: Cells) -> bool:
    """Whether rows that name themselves so are audit records; raises where they are of another log."""
    if kind_of(dict.fromkeys(keys) | dict(zip(naming, values, strict=True))):
        raise UnplannedError
    return True


def _claims(names: list[str], values: Cells) -> msgspec.Raw:
    claims = _given(names, values)
    return as_raw({"claim": claims}) if claims else NOTHING


def _identity(values: Cells) -> msgspec.Raw:
    return as_raw(values[0]) if values and values[0] else NOTHING


def _properties(names: list[str], values: Cells) -> msgspec.Raw:
    return as_raw(_given(names, values))


def _given(names: list[str], values: Cells) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value not in (None, "")}
