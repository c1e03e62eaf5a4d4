"""What one JSON object, or one row of a table, is: an audit record, a record of another log or list, or neither."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..evidence.signs import LOG_TEXT
from ._context import KINDS, Context, kind_of
from ._shapes import NOTHING, Record, Row, decode, folded, from_mapping
from ._values import value_of

Item = Row | Context

# No record is without one of the names of LOG_TEXT, however deep it lies in whatever else.
SIGN: Final = LOG_TEXT
_LISTS = {"identities", "role_assignments", "role_definitions", "address_ranges"}


def item_of(data: bytes) -> Item | None:
    """Return what a JSON object is; None where it is no record of any log or list.

    Damaged text, fields of other types and keys in another case are no fault.

    Raises
    ------
    ValueError, RecursionError
        It is no JSON, or too deep.
    """
    try:
        record = decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # a closer look says why
    else:
        if is_plain(record):
            return Row(record)
    fields = value_of(data)
    return item_of_fields(fields) if isinstance(fields, dict) else None


def is_plain(record: Record) -> bool:
    """Whether what was decoded at one go is an audit record as the service writes it."""
    return (
        bool(record.operationName)
        and bool(record.time)
        and (record.category or "").lower() not in KINDS
        and (record.identity is not NOTHING or record.properties is not NOTHING)
    )


def item_of_fields(fields: dict[str, Any]) -> Item | None:
    """Return what an object with these fields is; None where it is no record of any log or list."""
    by_name = folded(fields)
    kind = kind_of(by_name)
    return Context(kind, by_name) if kind else from_mapping(by_name)


def is_listed(item: Item | None) -> bool:
    """Whether an item is an entry of a list of people, rights or addresses."""
    return isinstance(item, Context) and item.kind in _LISTS


def is_certain(item: Item | None) -> bool:
    """Whether an item is what it seems, so that nobody need look for a record inside it.

    A record without a time, or with neither identity nor properties, may be what a collector took from a record that
    stands whole beside it; a list is known by few columns.
    """
    if isinstance(item, Context):
        return not is_listed(item)
    if item is None or not item.record.time:
        return False
    return item.record.identity is not NOTHING or item.record.properties is not NOTHING
