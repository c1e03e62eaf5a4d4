"""Raw records → events: a raw field becomes a typed column, and nothing is judged.

What repeats (claims, requests, addresses, resources) is taken apart once for each distinct text, in plain
Python that reads like the field; what doesn't repeat is handled a column at a time. Records are let go as
soon as they are counted in, while they are still in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import schema
from ..load import Batch, Record, Reject
from ._addresses import Address, address_of
from ._alike import AlikeRows, Rests
from ._callers import Caller, caller_of, claims_in
from ._context import ContextRows
from ._denials import denial_of
from ._digests import record_ids
from ._facts import Distinct, Facts
from ._nested import object_in
from ._places import event_id, place_columns, rejects_table
from ._requests import Asked, Request, object_of, outcome_of, properties_in, request_of, uri_parts, whole
from ._resources import MANAGED_HSM, Resource, origin_of, resource_of
from ._times import Clock, precisions_of, ticks_of, time_columns

if TYPE_CHECKING:
    from ..case import Evidence

__all__ = [
    "AlikeRows", "Normalised", "Normaliser", "Rests", "address_of", "by_scope", "caller_of", "claims_in", "event_id",
    "object_of", "outcome_of", "properties_in", "resource_of", "taken_apart", "uri_parts", "whole",
]  # fmt: skip

_REMEMBERED = 1 << 16
_CHALLENGE = {401, "401"}  # asked for a token; the nested shape keeps its status among the properties
_KINDS = {"string": pa.string(), "int": pa.int64(), "binary": pa.binary(), "timestamp": pa.timestamp("us")}
_NAMES = set(schema.EVENT_NAMES)

# Kept row by row: what differs from record to record.
_KEPT = ("time_text", "correlation_id", "result_description", "duration_ms", "source_line", "source_offset",
         "source_length", "nth", "file")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Normalised:
    """Events, records of other resources, what is no record, and the context tables by name."""

    events: pa.Table
    out_of_scope: pa.Table
    rejects: pa.Table
    context: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name."""
        return {"events": self.events, "out_of_scope": self.out_of_scope, "rejects": self.rejects, **self.context}


class Normaliser:
    """Events of raw records, batch by batch.

    `take` batches, then `finish` gives the tables: columns of `schema.EVENTS` and `schema.REJECTS`, one row
    per record or reject.

    References
    ----------
    https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema
    """

    def __init__(self) -> None:
        self._evidence: list[Evidence] = []
        self._rejects: list[tuple[Evidence, Reject]] = []
        self._context = ContextRows()
        self._ticks: list[np.ndarray] = []
        self._precisions: list[np.ndarray] = []
        self._kept: dict[str, list[Any]] = {name: [] for name in _KEPT}
        self._callers, self._requests = Facts(_caller), Facts(_request)
        self._addresses, self._resources = Facts(_address), Facts(_resource)

    @property
    def rows(self) -> int:
        """How many records are held, of all logs."""
        return len(self._kept["file"]) + len(self._context)

    @property
    def rejects(self) -> int:
        """How many rejects are held."""
        return len(self._rejects)

    def take(self, batch: Batch, evidence: Evidence) -> None:
        """Add the records and rejects of a batch; a record whose time is none becomes a reject."""
        clock = Clock.of(acquired=evidence.acquired, dates=batch.dates, times_in=evidence.times_in)
        ticks, wrong = ticks_of([r.time or "" for r in batch.records], batch.utc, clock)
        self._rejects += [(evidence, reject) for reject in batch.rejects]
        self._rejects += [(evidence, Reject(batch.place(i), why, batch.data[i])) for i, why in wrong.items()]
        alone = replace(clock, dates=evidence.dates)  # the order of dates was looked for in the audit log alone
        timeless = (self._context.take(*found, evidence, alone) for found in batch.context)
        self._rejects += [(evidence, reject) for reject in timeless if reject]
        if wrong:
            good = [i for i in range(len(batch.records)) if i not in wrong]
            batch, ticks = batch.only(good), ticks[good]
        self._ticks.append(ticks)
        self._precisions.append(precisions_of([r.time or "" for r in batch.records]))
        self._take_facts(batch, evidence)
        self._take_rows(batch, evidence)

    def _take_facts(self, batch: Batch, evidence: Evidence) -> None:
        records = batch.records
        operations, answers = [r.operationName for r in records], [r.httpStatusCode for r in records]
        challenged = [o == "Authentication" or a in _CHALLENGE for o, a in zip(operations, answers, strict=True)]
        self._callers.take(list(map(bytes, [r.identity for r in records])), challenged, [r.TenantId for r in records])
        self._requests.take(
            operations, list(map(bytes, [r.properties for r in records])), [r.clientInfo for r in records],
            [r.requestUri for r in records], answers, [r.resultSignature for r in records],
            [r.resultType for r in records], [r.subnetId for r in records], [r.PoolName for r in records],
            [r.operationVersion for r in records], _routes(batch.routes, evidence),
            [denial_of(r.resultDescription) for r in records],
        )  # fmt: skip
        self._addresses.take([r.callerIpAddress for r in records])
        self._resources.take(*zip(*map(_names_of_resource, records), strict=True) if records else ((), (), (), ()))

    def _take_rows(self, batch: Batch, evidence: Evidence) -> None:
        if not self._evidence or self._evidence[-1] is not evidence:
            self._evidence.append(evidence)
        records, kept = batch.records, self._kept
        kept["time_text"] += [r.time for r in records]
        kept["correlation_id"] += [r.correlationId or None for r in records]
        kept["result_description"] += [r.resultDescription or None for r in records]
        kept["duration_ms"] += [_whole(r.durationMs) for r in records]
        kept["source_line"] += batch.lines
        kept["source_offset"] += batch.offsets
        kept["source_length"] += batch.lengths
        kept["nth"] += batch.nth
        kept["file"] += [len(self._evidence) - 1] * len(records)

    def finish(self) -> Normalised:
        """Return the tables of all that was taken."""
        table, _ = self.taken_apart()
        return Normalised(*by_scope(table), rejects_table(self._rejects), self._context.tables())

    def taken_apart(self) -> tuple[pa.Table, list[str]]:
        """Return the records in and out of scope, and of each what its id rests on beside what hardly ever repeats."""
        ticks = np.concatenate(self._ticks) if self._ticks else np.zeros(0, "int64")
        callers, requests = self._callers.distinct(), self._requests.distinct()
        addresses, resources = self._addresses.distinct(), self._resources.distinct()
        bases = self._bases(callers, requests, addresses, resources)
        kept = self._kept
        columns: dict[str, Any] = {
            **kept, **self._places(), **time_columns(ticks, np.concatenate([ticks[:0], *self._precisions])),
            **callers.columns(_columns_of(Caller)), **requests.columns(_columns_of(Request)),
            **resources.columns(_columns_of(Resource)), **addresses.columns(Address._fields),
            "key": _keys(resources, requests),
            "record_id": record_ids(ticks, bases, kept["correlation_id"], kept["duration_ms"]),
            "result_description": pa.array(kept["result_description"], pa.string()).dictionary_encode(),
        }  # fmt: skip
        names = list(schema.EVENT_NAMES)
        return pa.table([_typed(columns[c.name], c.type) for c in schema.EVENTS], names=names), bases

    def _places(self) -> dict[str, pa.Array]:
        kept = self._kept
        return place_columns(
            self._evidence, kept["file"], kept["source_line"], kept["source_offset"], kept["source_length"], kept["nth"]
        )

    @staticmethod
    def _bases(
        callers: Distinct[Caller],
        requests: Distinct[Request],
        addresses: Distinct[Address],
        resources: Distinct[Resource],
    ) -> list[str]:
        """What a record's id rests on beside time, correlation id and duration: resource, request, answer, caller, address."""
        who = [f"{caller.object_id}\x1f{caller.app_id}" for caller in callers.facts]
        said = [request.digest for request in requests.facts]
        what = [resource.resource_id for resource in resources.facts]
        where = [address.caller_ip for address in addresses.facts]
        rows = zip(*(f.index.tolist() for f in (requests, callers, resources, addresses)), strict=True)
        return [f"{said[r]}\x1f{who[c]}\x1f{what[s]}\x1f{where[a]}" for r, c, s, a in rows]


def taken_apart(*batches: tuple[Batch, Evidence]) -> tuple[pa.Table, list[str]]:
    """`Normaliser.taken_apart` of some batches, each with its evidence."""
    normaliser = Normaliser()
    for batch, evidence in batches:
        normaliser.take(batch, evidence)
    return normaliser.taken_apart()


@lru_cache(_REMEMBERED)
def _caller(key: tuple[Any, ...]) -> Caller:
    identity, challenged, tenant_id = key
    return caller_of(identity, challenged=challenged, tenant_id=tenant_id)


@lru_cache(_REMEMBERED)
def _request(key: tuple[Any, ...]) -> Request:
    return request_of(Asked(*key))


@lru_cache(_REMEMBERED)
def _address(key: tuple[Any, ...]) -> Address:
    return address_of(*key)


@lru_cache(_REMEMBERED)
def _resource(key: tuple[Any, ...]) -> Resource:
    return resource_of(*key)


_whole = lru_cache(_REMEMBERED)(whole)


def _names_of_resource(record: Record) -> tuple[str | None, str | None, str | None, str | None]:
    """What names the resource; the URI only as far as it does that, and only where nothing else does."""
    if record.resourceId or record.ResourceType:
        return record.resourceId, record.Resource, record.ResourceType, None
    held = object_in(bytes(record.properties).decode("utf-8", "replace")) or {}
    named = {str(name).lower(): value for name, value in held.items()}
    uris = (record.requestUri, named.get("requesturi"), named.get("id"))
    origin = next((origin for uri in uris if isinstance(uri, str) and (origin := origin_of(uri))), None)
    return None, record.Resource, None, origin


def _keys(resources: Distinct[Resource], requests: Distinct[Request]) -> pa.Array:
    """HSM and name of a key: of two HSMs, keys of one name are two keys."""
    hsms = resources.columns(["hsm"])["hsm"].cast(pa.string())
    names = requests.columns(["key_name"])["key_name"].cast(pa.string())
    return pc.binary_join_element_wise(pc.fill_null(hsms, ""), names, "/").dictionary_encode()


def _routes(routes: list[str], evidence: Evidence) -> list[str]:
    """Say how records came. The storage format of before November 2018 wraps records as event hubs do."""
    if "event_hub" in routes and "resourceid=" in evidence.path.lower():
        return ["storage" if route == "event_hub" else route for route in routes]
    return routes


def by_scope(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Records of managed HSMs, with those that name no resource at all: nothing says of what they are; and all others."""
    in_scope = pc.fill_null(pc.equal(table["resource_type"].cast(pa.string()), MANAGED_HSM), fill_value=True)
    if pc.all(in_scope).as_py() is not False:
        return table, table.slice(0, 0)
    return table.filter(in_scope), table.filter(pc.invert(in_scope))


def _columns_of(kind: type) -> list[str]:
    return [column.name for column in fields(kind) if column.name in _NAMES]


def _typed(values: Any, kind: str) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, _KINDS[kind])
