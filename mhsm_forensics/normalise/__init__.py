"""Raw records → events: a raw field becomes a typed column, and nothing is judged.

What repeats (claims, requests, addresses, resources) is taken apart once for each distinct text, in plain
Python that reads like the field; what doesn't repeat is handled a column at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import schema
from ..load import Batch, Place, Record, Reject
from ._addresses import Address, address_of
from ._callers import Caller, caller_of
from ._requests import Asked, Request, object_of, outcome_of, request_of, whole
from ._times import ticks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..case import Evidence

__all__ = ["Normalised", "Run", "address_of", "caller_of", "event_id", "normalise", "object_of", "outcome_of", "whole"]

_T = TypeVar("_T")
_MANAGED_HSM = "managedhsms"
_REMEMBERED = 1 << 16


@lru_cache(_REMEMBERED)
def _caller(key: tuple[Any, ...]) -> Caller:
    identity, operation, status, tenant_id = key
    challenged = operation == "Authentication" or whole(status) == 401
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


@dataclass(frozen=True, slots=True)
class Resource:
    """What a resource id says."""

    resource_id: str | None = None
    subscription_id: str | None = None
    resource_group: str | None = None
    resource_type: str | None = None
    hsm: str | None = None


@dataclass(frozen=True, slots=True)
class Normalised:
    """The events of a batch, the records of other resources, and records whose time is none."""

    events: pa.Table
    out_of_scope: pa.Table
    rejects: pa.Table


class Run(NamedTuple):
    """How many records and rejects in a row come from one evidence file."""

    evidence: Evidence
    records: int
    rejects: int


def normalise(batch: Batch, runs: Sequence[Run]) -> Normalised:
    """Events of a batch of raw records.

    Parameters
    ----------
    batch
        Records with their places, from `load.records`; of one file or of several in a row.
    runs
        The files they came from.

    Returns
    -------
    Tables with the columns of `schema.EVENTS` and `schema.REJECTS`; one row per record or reject.

    References
    ----------
    https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema
    """
    texts = [record.time or "" for record in batch.records]
    ticks, wrong = ticks_of(texts, [record.zone_known for record in batch.records])
    files = np.repeat(np.arange(len(runs)), [run.records for run in runs])
    rejects = [(run.evidence, reject) for run, reject in zip(_spread(runs), batch.rejects, strict=True)]
    rejects += [(runs[files[i]].evidence, Reject(batch.place(i), why, batch.data[i])) for i, why in wrong.items()]
    if wrong:
        kept = np.array([i for i in range(len(texts)) if i not in wrong], dtype="int64")
        batch, ticks, files = _only(batch, kept), ticks[kept], files[kept]
    table = _events(batch, ticks, [run.evidence for run in runs], files)
    in_scope = _in_scope(table)
    return Normalised(table.filter(in_scope), table.filter(pc.invert(in_scope)), _rejects(rejects))


def _spread(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield the run of each reject."""
    for run in runs:
        yield from repeat(run, run.rejects)


def _events(batch: Batch, ticks: np.ndarray, evidence: list[Evidence], files: np.ndarray) -> pa.Table:
    records = batch.records
    answers = [r.httpStatusCode for r in records]
    operations = [r.operationName for r in records]
    callers = _Facts(
        [list(map(bytes, [r.identity for r in records])), operations, answers, [r.TenantId for r in records]], _caller
    )
    requests = _Facts(_asked(records, operations, answers), _request)
    addresses = _Facts([[r.callerIpAddress for r in records]], _address)
    resources = _Facts([[r.resourceId for r in records]], _resource)
    durations = [_whole(r.durationMs) for r in records]
    columns: dict[str, Any] = {
        **callers.columns(Caller), **requests.columns(Request), **resources.columns(Resource),
        **addresses.named(("caller_ip", "caller_port", "ip_scope")),
        **_places(batch, evidence, files),
        "record_id": _record_ids(ticks, requests, callers, resources, addresses, records, durations),
        "time": pa.array(ticks // 10).cast(pa.timestamp("us")),
        "t": pa.array(ticks // 10),
        "time_text": [r.time for r in records],
        "result_type": _encoded([r.resultType for r in records]),
        "result_description": _encoded([r.resultDescription or None for r in records]),
        "duration_ms": durations,
        "correlation_id": [r.correlationId or None for r in records],
        "route": _encoded([_route(r, evidence[file]) for r, file in zip(records, files, strict=True)]),
    }  # fmt: skip
    return pa.table([_typed(columns[c.name], c.type) for c in schema.EVENTS], names=list(schema.EVENT_NAMES))


def _is_challenge(r: Record) -> bool:
    """Whether the request was asked for a token; the nested shape keeps its status among the properties."""
    return r.operationName == "Authentication" or _whole(r.httpStatusCode) == 401


def _asked(records: list[Record], operations: list[Any], answers: list[Any]) -> list[list[Any]]:
    """Return the fields of `Asked`, column by column."""
    return [
        operations, list(map(bytes, [r.properties for r in records])), [r.clientInfo for r in records],
        [r.requestUri for r in records], answers, [r.resultSignature for r in records],
        [r.subnetId for r in records], [r.PoolName for r in records], [r.operationVersion for r in records],
    ]  # fmt: skip


def _route(record: Record, evidence: Evidence) -> str:
    """Say how a record came. The storage format of before November 2018 wraps records as event hubs do."""
    return "storage" if record.route == "event_hub" and "resourceid=" in evidence.path.lower() else record.route


def resource_of(resource_id: str | None) -> Resource:
    """What a resource id names, in lower case: logs and tables differ in their case.

    >>> resource_of("/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO").hsm
    'contoso'
    """
    if not resource_id:
        return Resource()
    folded = resource_id.lower()
    parts = folded.strip("/").split("/")
    named = dict(zip(parts[::2], parts[1::2], strict=False))
    at = parts.index("providers") + 2 if "providers" in parts[:-2] else len(parts)
    kind = parts[at] if len(parts) > at else None
    name = parts[at + 1] if kind == _MANAGED_HSM and len(parts) > at + 1 else None
    return Resource(folded, named.get("subscriptions"), named.get("resourcegroups"), kind, name)


def _in_scope(table: pa.Table) -> pa.ChunkedArray:
    """Managed HSMs, and records that name no resource at all: nothing says that those are of another one."""
    return pc.fill_null(pc.equal(table["resource_type"].cast(pa.string()), _MANAGED_HSM), fill_value=True)


def _record_ids(
    ticks: np.ndarray,
    requests: _Facts[Request],
    callers: _Facts[Caller],
    resources: _Facts[Resource],
    addresses: _Facts[Any],
    records: list[Record],
    durations: list[int | None],
) -> list[str]:
    """Digest of what every route keeps: time, resource, request, answer, caller, address, correlation id."""
    said = [request.digest for request in requests.facts]
    who = [f"{caller.object_id}\x1f{caller.app_id}" for caller in callers.facts]
    what = [resource.resource_id for resource in resources.facts]
    where = [address.caller_ip for address in addresses.facts]
    return [
        hashlib.sha256(
            f"{tick}\x1f{said[r]}\x1f{who[c]}\x1f{what[s]}\x1f{where[a]}\x1f{record.correlationId or ''}\x1f{ms}".encode()
        ).hexdigest()[:32]
        for tick, r, c, s, a, record, ms in zip(
            ticks.tolist(), requests.index, callers.index, resources.index, addresses.index, records, durations,
            strict=True,
        )
    ]  # fmt: skip


class _Facts(Generic[_T]):
    """What each distinct combination of values says, and which of them each row has."""

    def __init__(self, columns: Sequence[Sequence[Any]], make: Callable[[tuple[Any, ...]], _T]) -> None:
        count = len(columns[0])
        firsts: dict[tuple[Any, ...], int] = {}  # combination → the row that has it first
        codes = np.fromiter(map(firsts.setdefault, zip(*columns, strict=True), range(count)), "int64", count)
        number = np.zeros(count, "int32")
        number[list(firsts.values())] = np.arange(len(firsts))
        self.facts = [make(key) for key in firsts]
        self.index: list[int] = number[codes].tolist()
        self._rows = pa.array(self.index, pa.int32())

    def columns(self, kind: type) -> dict[str, pa.Array]:
        """Every field of the facts as a column of the rows."""
        return self.named([field.name for field in fields(kind) if field.name in _KIND_OF])

    def named(self, names: Sequence[str]) -> dict[str, pa.Array]:
        """Return these fields of the facts as columns of the rows."""
        return {name: self._column(name, [getattr(fact, name) for fact in self.facts]) for name in names}

    def _column(self, name: str, values: list[Any]) -> pa.Array:
        if _KIND_OF[name] == "int":
            return pa.array(values, pa.int64()).take(self._rows)
        distinct = pa.array(values, pa.string()).dictionary_encode()
        return pa.DictionaryArray.from_arrays(distinct.indices.take(self._rows), distinct.dictionary)


def _places(batch: Batch, evidence: list[Evidence], files: np.ndarray) -> dict[str, Any]:
    of = pa.array(files, pa.int32())
    ids = _named(of, [entry.evidence_id for entry in evidence])
    return {
        "event_id": _event_ids(batch, ids),
        "evidence_id": ids,
        "source_file": _named(of, [source_file(entry) for entry in evidence]),
        "source_line": batch.lines,
        "source_offset": batch.offsets,
        "source_length": [len(data) for data in batch.data],
    }


def _named(of: pa.Array, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(of, pa.array(names, pa.string()))


def _event_ids(batch: Batch, evidence_ids: pa.Array) -> pa.Array:
    ends = pa.array(batch.lines, pa.int64()).cast(pa.string())
    if max(batch.nth, default=1) > 1:
        ends = pa.array([f"{n}" if k == 1 else f"{n}.{k}" for n, k in zip(batch.lines, batch.nth, strict=True)])
    return pc.binary_join_element_wise(evidence_ids.cast(pa.string()), ends, ":")


def source_file(evidence: Evidence) -> str:
    """Path of the evidence, with the member's path behind it where it is inside an archive."""
    return evidence.path if evidence.member is None else f"{evidence.path}!{evidence.member}"


def event_id(evidence: Evidence, place: Place) -> str:
    """Id of the record at a place: evidence and line, and which one where several start on the line."""
    return (
        f"{evidence.evidence_id}:{place.line}" if place.nth == 1 else f"{evidence.evidence_id}:{place.line}.{place.nth}"
    )


def _rejects(rejects: list[tuple[Evidence, Reject]]) -> pa.Table:
    names = [column.name for column in schema.REJECTS]
    rows = ((event_id(e, r.place), e.evidence_id, source_file(e), *r.place[:3], r.reason, r.raw) for e, r in rejects)
    named = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=schema.arrow_schema(schema.REJECTS))


def _only(batch: Batch, kept: np.ndarray) -> Batch:
    def chosen(column: list[_T]) -> list[_T]:
        return [column[i] for i in kept.tolist()]

    return Batch(
        chosen(batch.records), chosen(batch.data), chosen(batch.lines), chosen(batch.offsets), chosen(batch.nth)
    )


def _encoded(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


_KINDS = {"string": pa.string(), "int": pa.int64(), "binary": pa.binary(), "timestamp": pa.timestamp("us")}
_KIND_OF = {column.name: column.type for column in schema.EVENTS}


def _typed(values: Any, kind: str) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, _KINDS[kind])
