"""Whom an id or an address belongs to, by the lists in the case.

A label stands beside an id and never in its place: it is what a list says, and a list may be old, or of another tenant.
"""

from __future__ import annotations

import csv
import ipaddress
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa

from . import engine, schema
from .case import read_tables
from .normalise import address_of
from .text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .case import Case

__all__ = [
    "Labels", "Networks", "addresses", "callers", "identities", "labels", "place_in_words", "places", "places_path", "roles",
    "scope",
]  # fmt: skip

_FIRST_PARTY: Final = "first_party_application"
_IDENTITIES: Final = (
    "object_id", "app_id", "upn", "label", "kind", "enabled", "created", "resource_id", "status", "source", "event_ids",
)  # fmt: skip
_ADDRESSES: Final = (
    "caller_ip", "address_class", "label", "network", "country", "city", "asn", "as_org", "source", "event_ids",
)  # fmt: skip
Row = dict[str, Any]
_LABELLED: Final = ("principal", "object_id", "caller_ip", "token_ip")
_ADDRESS_KINDS: Final = {"caller_ip", "token_ip", "address"}
_CALLERS: Final = "SELECT DISTINCT caller_ip FROM events WHERE caller_ip IS NOT NULL ORDER BY caller_ip"


def identities(case: Case) -> pd.DataFrame:
    """Who an object id or application id is, by the rosters and role assignments in the case.

    Returns
    -------
    Columns ``object_id``, ``app_id`` (of Microsoft's own applications only this), ``upn``, ``label`` (the display name;
    several, parted by `` / ``, where lists disagree), ``kind`` (`user`, `service_principal`, `managed_identity`,
    `application`, `group`, `first_party_application`, `unknown`), ``enabled``, ``created`` (UTC), ``resource_id``,
    ``status`` (of Microsoft's own applications: `documented` or `observed`), ``source`` (the lists that say so) and
    ``event_ids`` (their entries; none where the source is public). One row per id known, in the order of ids.

    References
    ----------
    https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
    https://github.com/merill/microsoft-info
    """
    known: dict[str, dict[str, Any]] = {}
    for entry in (*_listed(case), *_applications()):
        key = entry["object_id"] or entry["app_id"]
        known[key] = _merged(known[key], entry) if key in known else entry
    rows = [_as_row(known[key], _IDENTITIES) for key in sorted(known)]
    table = pa.table({name: pa.array([row[name] for row in rows], _types()[name]) for name in _IDENTITIES})
    return schema.to_pandas(table)


def _listed(case: Case) -> Iterator[dict[str, Any]]:
    """Yield entries of rosters, then the principals that role assignments name and no roster does."""
    named = set()
    for row in _rows(case, "identities"):
        named.add(row["object_id"])
        yield dict.fromkeys(_IDENTITIES) | {name: row[name] for name in _IDENTITIES if name in row} | _of(row)
    for row in _rows(case, "role_assignments"):
        if row["principal"] and row["object_id"] not in named:
            said = {
                "object_id": row["object_id"],
                "label": row["principal"],
                "kind": row["principal_type"] or "unknown",
            }
            yield dict.fromkeys(_IDENTITIES) | said | _of(row)


def _of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": [row["source_file"]],
        "event_ids": [row["event_id"]],
        "label": [_label(row)] if _label(row) else [],
    }


def _label(row: dict[str, Any]) -> str | None:
    label: str | None = row.get("label") or row.get("principal") or row.get("upn")
    return label


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Add what another entry says of the same id; lists that disagree on its name are both heard."""
    lists = {name: list(dict.fromkeys([*one[name], *other[name]])) for name in ("label", "source", "event_ids")}
    return {name: other[name] if one[name] in (None, "unknown") else one[name] for name in one} | lists


def _applications() -> Iterator[dict[str, Any]]:
    """Yield Microsoft's own applications, by public references."""
    for row in _table("applications.csv"):
        said = {"app_id": row["app_id"], "kind": _FIRST_PARTY, "status": row["status"], "label": [row["name"]]}
        yield dict.fromkeys(_IDENTITIES) | said | {"source": [row["source"]], "event_ids": []}


def _as_row(found: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    joined = {"label": " / ".join(found["label"]) or None, "source": "; ".join(found["source"]) or None}
    return {name: joined.get(name, found[name]) for name in names}


@cache
def _types() -> dict[str, pa.DataType]:
    special = {"created": pa.timestamp("us"), "event_ids": pa.list_(pa.string()), "asn": pa.int64()}
    return dict.fromkeys((*_IDENTITIES, *_ADDRESSES), pa.string()) | special


def roles() -> pd.DataFrame:
    """Built-in roles of managed HSMs, and what they allow; columns ``role_definition_id``, ``name``, ``what``, ``source``.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/built-in-roles
    """
    return pd.DataFrame(_table("roles.csv")).astype("string")


def addresses(case: Case, addresses: Iterable[str] | None = None) -> pd.DataFrame:
    """Whose an address is and where, by the address lists, service tags and places in the case.

    Parameters
    ----------
    case
        The case.
    addresses
        Addresses to look up; default those that the case's events came from.

    Returns
    -------
    Columns ``caller_ip``; ``address_class``: what a list of the responder calls it (`corporate`, say), else `azure` where
    a service tag holds it, else the kind of address (`private`, `cgnat`, `public`, `loopback`, `reserved`, `invalid`);
    ``label`` of the responder's most specific network and of the most specific service tags; ``network``, the most
    specific of these; ``country``, ``city``, ``asn``, ``as_org`` where places were kept; ``source`` (the lists and
    databases that say so) and ``event_ids`` (entries of lists). One row per unique address, in the order of its text.
    A tag that begins another (`AzureCloud` beside `AzureCloud.westeurope`) is not repeated.

    References
    ----------
    https://learn.microsoft.com/azure/virtual-network/service-tags-overview
    """
    unique = (
        callers(case) if addresses is None else sorted({str(address) for address in addresses if pd.notna(address)})
    )
    networks, where = Networks.of(case), {row["caller_ip"]: row for row in _records(places(case))}
    rows = [_address_row(address, networks, where.get(address, {})) for address in unique]
    table = pa.table({name: pa.array([row.get(name) for row in rows], _types()[name]) for name in _ADDRESSES})
    return schema.to_pandas(table)


def _address_row(address: str, networks: Networks, where: Mapping[str, Any]) -> dict[str, Any]:
    found = networks.find(address)
    place = {
        name: where[name] for name in ("country", "city", "asn", "as_org") if name in where and pd.notna(where[name])
    }
    sources = [*(source for entry in found for source in entry.sources), *(where["databases"] if place else ())]
    return place | {
        "caller_ip": address,
        "address_class": next(filter(None, (entry.address_class for entry in found)), scope(address)),
        "label": ", ".join(dict.fromkeys(entry.label for entry in found if entry.label)) or None,
        "network": max(found, key=lambda entry: entry.length).network if found else None,
        "source": "; ".join(dict.fromkeys(sources)) or None,
        "event_ids": [event_id for entry in found for event_id in entry.event_ids],
    }


def callers(case: Case) -> list[str]:
    """Addresses that the case's events came from, each once, in the order of their text."""
    found: list[str] = engine.run(case.events, _CALLERS)["caller_ip"].tolist()
    return found


def scope(address: str) -> str | None:
    """Kind of an address by itself: `public`, `private`, `cgnat`, `loopback`, `reserved`, `invalid`.

    >>> scope("10.20.0.4"), scope("198.51.100.7")
    ('private', 'reserved')
    """
    return address_of(address).ip_scope


@dataclass(frozen=True, slots=True)
class Entry:
    """What lists say of one network."""

    network: str
    length: int
    label: str
    address_class: str | None
    sources: tuple[str, ...]
    event_ids: tuple[str, ...]


_ByLength = dict[int, dict[int, dict[int, list[Row]]]]  # bits of an address → length of a prefix → network → rows


class Networks:
    """The networks of address lists and of service tags, for looking up addresses.

    An address is looked up in one dictionary for each length of prefix that occurs, the longest first: that takes as
    long for a hundred thousand networks as for a hundred.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._own: _ByLength = {}
        self._tags: _ByLength = {}
        parsed: dict[str, tuple[int, int, int]] = {}  # service tags repeat each other's networks
        for row in rows:
            index = self._tags if row["source"] == "service_tags" else self._own
            for text in row["networks"]:
                bits, length, number = parsed.get(text) or parsed.setdefault(text, _parsed(text))
                lengths = index.setdefault(bits, {})
                lengths.setdefault(length, {}).setdefault(number, []).append(row)
        for index in (self._own, self._tags):
            for bits, lengths in index.items():
                index[bits] = dict(sorted(lengths.items(), reverse=True))

    @classmethod
    def of(cls, case: Case) -> Networks:
        """Return the networks of the lists in a case."""
        return cls(_rows(case, "address_ranges"))

    def find(self, address: str) -> list[Entry]:
        """Return what the most specific network says, first of the responder's own lists, then of service tags."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return []
        bits, number = parsed.max_prefixlen, int(parsed)
        return [entry for index in (self._own, self._tags) for entry in _entries(index.get(bits, {}), bits, number)]


def _entries(lengths: dict[int, dict[int, list[Row]]], bits: int, number: int) -> Iterator[Entry]:
    """Yield what the longest prefix of an address says, if any is known."""
    of_version = ipaddress.IPv4Network if bits == ipaddress.IPV4LENGTH else ipaddress.IPv6Network
    for length, networks in lengths.items():
        rows = networks.get(number >> (bits - length))
        if rows:
            start = (number >> (bits - length)) << (bits - length)
            yield _entry(str(of_version((start, length))), length, rows)
            return


def _entry(network: str, length: int, rows: list[Row]) -> Entry:
    names = list(dict.fromkeys(row["label"] for row in rows if row["label"]))
    told = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    tagged = "azure" if rows[0]["source"] == "service_tags" else None
    classes = [row["address_class"] for row in rows if row["address_class"]]
    return Entry(
        network, length, ", ".join(told), tagged or next(iter(classes), None),
        tuple(dict.fromkeys(row["source_file"] for row in rows)), tuple(row["event_id"] for row in rows),
    )  # fmt: skip


def _parsed(text: str) -> tuple[int, int, int]:
    network = ipaddress.ip_network(text)
    bits = network.max_prefixlen
    return bits, network.prefixlen, int(network.network_address) >> (bits - network.prefixlen)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels to stand beside ids and addresses.

    `sources` says which lists they are from, each once with how many identities it names; `address_sources` the same of
    addresses.
    """

    names: Mapping[str, str] = field(repr=False)
    networks: Networks = field(repr=False)
    places: Mapping[str, str] = field(repr=False)
    sources: tuple[str, ...] = ()
    address_sources: tuple[str, ...] = ()

    def of(self, kind: str, value: object) -> str:
        """Label to stand beside a value; "" where no list says anything that the value does not say itself.

        Parameters
        ----------
        kind
            The column that the value is of: `caller_ip` or `token_ip`; any other is taken for an id or a name of a user.
        value
            The id or address; null gives "".
        """
        if value is None or value is pd.NA or isinstance(value, float):
            return ""
        text = str(value)
        label = self._of_address(text) if kind in _ADDRESS_KINDS else self.names.get(text.lower(), "")
        return "" if label == text else label

    def beside(self, frame: pd.DataFrame, **kinds: str) -> pd.DataFrame:
        """Frame, for a chart, whose ids and addresses have their label before them: ``svc-deploy · df5edf54-…``.

        Parameters
        ----------
        frame
            Any frame of `analyse`.
        kinds
            Columns and the kind of their values; default ``principal``, ``object_id``, ``caller_ip``, ``token_ip``, as far as
            the frame has them.
        """
        wanted = kinds or {name: name for name in _LABELLED if name in frame}
        return frame.assign(**{name: self._named(frame[name], kind) for name, kind in wanted.items()})

    def _named(self, values: pd.Series[str], kind: str) -> pd.Series[str]:
        labels = {value: self.of(kind, value) for value in values.dropna().unique()}
        names = {value: f"{label} · {value}" if label else value for value, label in labels.items()}
        return values.map(names).astype("string[pyarrow]")

    def _of_address(self, address: str) -> str:
        told = [entry.label or entry.address_class or "" for entry in self.networks.find(address)]
        return ", ".join(filter(None, dict.fromkeys([*told, self.places.get(address, "")])))


def labels(case: Case) -> Labels:
    """Labels of all ids and addresses that the lists in a case name, and of Microsoft's own applications."""
    known = identities(case)
    names: dict[str, str] = {}
    # The lists of the case are heard before public references.
    ordered = known.assign(public=known["kind"].eq(_FIRST_PARTY)).sort_values("public", kind="stable")
    for row in _records(ordered[ordered["label"].notna()]):
        for name in ("object_id", "upn", "app_id"):
            if pd.notna(row[name]):
                names.setdefault(str(row[name]).lower(), str(row["label"]))
    for role in (*_rows(case, "role_definitions"), *_table("roles.csv")):
        if called := role.get("role_name") or role.get("name"):
            names.setdefault(role["role_definition_id"], called)
    where = {row["caller_ip"]: place_in_words(row) for row in _records(places(case))}
    lists = (
        ("identities", "identity"),
        ("role_assignments", "role assignment"),
        ("role_definitions", "role definition"),
    )
    ids = [one for name, noun in lists for one in _sources(case, name, noun)]
    databases = sorted({database for found in places(case)["databases"] for database in found})
    ranges = (*_sources(case, "address_ranges", "address range"), *databases)
    return Labels(names, Networks.of(case), where, tuple(ids), ranges)


def place_in_words(row: Mapping[str, Any]) -> str:
    """Country, city and network operator of a row of places, as far as they are known.

    >>> place_in_words({"country": "NO", "city": None, "asn": 64500, "as_org": "Example Hosting"})
    'NO, AS64500 Example Hosting'
    """
    number = f"AS{row['asn']}" if pd.notna(row["asn"]) else ""
    operator = " ".join(filter(None, (number, row["as_org"] if pd.notna(row["as_org"]) else "")))
    return ", ".join(
        filter(None, (*(row[name] if pd.notna(row[name]) else "" for name in ("country", "city")), operator))
    )


def _sources(case: Case, name: str, noun: str) -> Iterator[str]:
    counts = case.context(name)["source_file"].value_counts(sort=False).sort_index()
    yield from (f"{path} ({plural(int(count), noun)})" for path, count in counts.items())


def places_path(case: Case) -> Path:
    """Where the places of a case's addresses are kept."""
    return case.path / "context" / "places.parquet"


def places(case: Case) -> pd.DataFrame:
    """Countries, cities and networks that were looked up and kept; columns of `schema.PLACES`, one row per address found."""
    path = places_path(case)
    names = [column.name for column in schema.PLACES]
    return schema.to_pandas(read_tables((path,) if path.exists() else (), schema.PLACES, names))


def _records(frame: pd.DataFrame) -> list[Row]:
    return frame.to_dict("records")  # type: ignore[return-value]


def _rows(case: Case, name: str) -> list[Row]:
    """Return the entries of a list, in the order in which they came into the case; nulls are None."""
    order = {entry.evidence_id: number for number, entry in enumerate(case.manifest.evidence)}
    rows: list[Row] = case.derived(name, schema.CONTEXT[name]).drop_columns(["record_json"]).to_pylist()
    return sorted(rows, key=lambda row: (order[row["evidence_id"]], row["source_offset"]))


@cache
def _table(name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
