"""What a record says, so that it can be compared with what another says of the same request.

Two routes, formats and exports spell one value in several ways, and leave out different ones. What one of two records lacks
is no difference; what both have is one if it is another value however it is spelled.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow.compute as pc

from ..identifiers import folded
from ..normalise import claims_in, properties_in, uri_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

# Columns that a record itself says something in; the others are derived of these, or say where it came from. Its time and its
# operation are compared before.
COLUMNS: Final = (
    "hsm", "resource_id", "http_status", "result_type", "result_signature", "result_description", "duration_ms", "caller_ip",
    "caller_port", "object_id", "app_id", "upn", "managed_identity_id", "token_ip", "auth_methods", "token_id", "client_info",
    "request_uri", "api_version", "key_name", "key_version", "correlation_id", "subnet_id", "private_endpoint_id",
    "trusted_service", "tls_version", "pool_name",
)  # fmt: skip
NESTED: Final = ("identity_json", "properties_json")

# What the columns say already: its spellings differ more than its values.
_IN_COLUMNS: Final = {
    "httpstatuscode", "requesturi", "clientinfo", "subnetid", "privateendpointid", "trustedservice", "tlsversion", "poolname",
    "hsmpoolresourceid", "oid", "appid", "azp", "upn", "unique_name", "preferred_username", "xms_mirid", "ipaddr", "amr", "uti",
    "tid", "iss",
}  # fmt: skip
# What a table of Log Analytics says of its row, and not of the request.
_OF_THE_ROW: Final = {
    "resource", "resourcetype", "resourcegroup", "resourceprovider", "subscriptionid", "_subscriptionid", "_resourceid",
    "sourcetable", "sourcesystem", "tenantid", "type", "category", "level", "location", "computer", "rawdata", "time", "event",
}  # fmt: skip
_VALUE: Final = r':\s*(?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)'  # for RE2
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_NOTHING: Final = {"", "(unknown)", "null", "None", "[]", "{}"}


@dataclass(frozen=True, eq=False)
class Statement:
    """What a record says: when, within how much, and in which columns what."""

    number: int  # among the records that are compared; a smaller one has the smaller id
    route: str
    listing: tuple[str, str]  # the list that it is an entry of: a route's records in one file
    start: int
    precision: int
    columns: tuple[Any, ...]
    nested: tuple[str | None, ...]

    @property
    def end(self) -> int:
        """The tick before which the request was."""
        return self.start + self.precision

    @cached_property
    def filled(self) -> int:
        """In how many columns it says something."""
        return sum(value is not None for value in self.columns)

    @cached_property
    def more(self) -> dict[str, str]:
        """What it says beyond the columns: claims and properties, by column and folded name."""
        return {**_claims(self.nested[0]), **_properties(self.nested[1])}

    @cached_property
    def whole(self) -> tuple[Any, ...]:
        """Everything it says: equal for two records that say the same."""
        return self.start, self.precision, self.columns, tuple(sorted(self.more.items()))


def statement_of(row: dict[str, Any], number: int) -> Statement:
    """Return what a row in the columns of events says."""
    return Statement(
        number,
        row["route"] or "",
        (row["route"] or "", row["evidence_id"]),
        row["t"] * 10 + row["tick"],
        row["precision"],
        tuple(_SPELLED.get(name, _text)(row[name]) if row[name] is not None else None for name in COLUMNS),
        tuple(row[name] for name in NESTED),
    )


class Difference(NamedTuple):
    """A column in which two records say something, and not the same; of claims and properties, with the name behind it."""

    column: str
    says: str
    instead_of: str


def differing(one: Statement, other: Statement) -> list[Difference]:
    """Return in what a record says something else than another one."""
    pairs = zip(COLUMNS, one.columns, other.columns, strict=True)
    found = [Difference(name, str(a), str(b)) for name, a, b in pairs if a is not None and b is not None and a != b]
    more = ((name, value, other.more.get(name, value)) for name, value in sorted(one.more.items()))
    return [*found, *(Difference(name, a, b) for name, a, b in more if a != b)]


@lru_cache(1 << 14)
def agree_beyond(column: str, one: str, other: str) -> bool:
    """Whether two texts of claims or of properties say nothing different in what has no column."""
    said = _claims if column == "identity_json" else _properties
    more = said(other)
    return all(more.get(name, value) == value for name, value in said(one).items())


def may_say_more(texts: pa.ChunkedArray) -> np.ndarray:
    """Which texts of properties may say something that has no column: judged by their names, which are often the same."""
    named = pc.replace_substring_regex(texts, _VALUE, ":0").combine_chunks().dictionary_encode()
    says_more = np.array([_has_more(text) for text in named.dictionary.to_pylist()] + [False])
    found: np.ndarray = says_more[pc.fill_null(named.indices, -1).to_numpy()]
    return found


def _has_more(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), dict) or bool(_properties(text))
    except (ValueError, RecursionError):
        return True


@lru_cache(1 << 14)
def _text(value: Any) -> Any:
    """Return a value in one spelling; None for what stands for nothing.

    >>> _text("7.50"), _text('["pwd", "mfa"]'), _text(" OK "), _text("True"), _text("(unknown)")
    ('7.5', 'pwd,mfa', 'OK', 'true', None)
    """
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value).split())
    if text in _NOTHING:
        return None
    if _NUMBER.fullmatch(text):
        return f"{float(text):.15g}"
    if text[0] == "[":
        return _items(text)
    return text.lower() if text.lower() in {"true", "false"} else text


def _items(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return ",".join(map(str, found)) if isinstance(found, list) else text


@lru_cache(1 << 14)
def _folded(value: str) -> str | None:
    text = _text(value)
    return folded(text) if text else None


@lru_cache(1 << 14)
def _uri(value: str) -> Any:
    host, path, query = uri_parts(value)
    return host, path, tuple(sorted((name, *values) for name, values in query.items()))


_SPELLED: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("hsm", "resource_id", "object_id", "app_id", "upn", "managed_identity_id", "key_name", "key_version", "correlation_id",
         "subnet_id", "private_endpoint_id", "pool_name", "result_signature"), _folded),
    "request_uri": _uri,
}  # fmt: skip


@lru_cache(1 << 12)
def _claims(text: str | None) -> dict[str, str]:
    return _named("identity_json", claims_in(text))


@lru_cache(1 << 12)
def _properties(text: str | None) -> dict[str, str]:
    return _named("properties_json", properties_in(text))


def _named(column: str, held: dict[str, str]) -> dict[str, str]:
    left_out = _IN_COLUMNS | (_OF_THE_ROW if column == "properties_json" else set())
    spelled = ((name, _text(value)) for name, value in held.items() if name not in left_out)
    return {f"{column}:{name}": value for name, value in spelled if value is not None}
