"""One record, whatever its shape: storage, event hub, and both tables of Log Analytics.

The same request is spelled in four ways. Here the spelling is undone and nothing else: values stay as the
source wrote them, and what they mean is for `normalise` to say.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTHING: Final = msgspec.Raw(b"")


class Record(msgspec.Struct, gc=False):
    """An audit record as the source wrote it: it has no field that a log could not set."""

    time: str | None = None
    operationName: str | None = None  # noqa: N815 - the field's own name
    resourceId: str | None = None  # noqa: N815
    category: str | None = None
    operationVersion: str | float | None = None  # noqa: N815
    resultType: str | None = None  # noqa: N815
    resultSignature: str | float | None = None  # noqa: N815
    resultDescription: str | None = None  # noqa: N815
    durationMs: str | float | None = None  # noqa: N815
    callerIpAddress: str | None = None  # noqa: N815
    correlationId: str | None = None  # noqa: N815
    identity: msgspec.Raw = NOTHING
    properties: msgspec.Raw = NOTHING
    clientInfo: str | None = None  # noqa: N815
    requestUri: str | None = None  # noqa: N815
    httpStatusCode: str | float | None = None  # noqa: N815
    subnetId: str | None = None  # noqa: N815
    PoolName: str | None = None
    TenantId: str | None = None
    Resource: str | None = None
    ResourceType: str | None = None


class Row(NamedTuple):
    """A record, how it came, and whether its table says that times are UTC, as the portal's CSV does."""

    record: Record
    route: str = "storage"
    is_utc: bool = False


decode = msgspec.json.Decoder(Record).decode

_FIELDS = {name.lower(): name for name in Record.__struct_fields__}
_RAW_FIELDS = {"identity", "properties"}
TEXT_FIELDS = {
    "time", "operationName", "resourceId", "category", "resultType", "resultDescription", "callerIpAddress",
    "correlationId", "clientInfo", "requestUri", "subnetId", "PoolName", "TenantId", "Resource", "ResourceType",
}  # fmt: skip

# Log Analytics column → field. The suffix of an AzureDiagnostics column is the type of the value it first
# saw, so one field may come under several names: _s, _g (looks like a GUID), _d, _b, _t, or none. A union of two
# tables writes the type out where a column has another one in each: DurationMs_long, DurationMs_int.
_SUFFIX = re.compile(r"_(?:[sgdbt]|string|guid|real|long|int|bool|datetime|dynamic)$")
# What portals and people write behind the name of a column of times.
_OF_UTC = re.compile(r"\s*[\[(]\s*utc\s*[\])]$")
_OF_A_ZONE = re.compile(r"\s*[\[(][^\[\]()]*(?:utc|time)[^\[\]()]*[\])]$")
_ROW_FIELDS = {
    "timegenerated": "time",
    "_originaltimegenerated": "time",  # rows of a search job: TimeGenerated is the time of the job there
    "operationname": "operationName",
    "_resourceid": "resourceId",
    "resourceid": "resourceId",
    "category": "category",
    "operationversion": "operationVersion",
    "resulttype": "resultType",
    "resultsignature": "resultSignature",
    "resultdescription": "resultDescription",
    "durationms": "durationMs",
    "calleripaddress": "callerIpAddress",
    "correlationid": "correlationId",
    "clientinfo": "clientInfo",
    "requesturi": "requestUri",
    "httpstatuscode": "httpStatusCode",
    "subnetid": "subnetId",
    "poolname": "PoolName",
    "resource": "Resource",
    "resourcetype": "ResourceType",
}
_ROW_ONLY = {
    "tenantid", "type", "timegenerated", "sourcesystem", "mg", "_isbillable", "_billedsize", "_itemid",
    "_internal_workspaceresourceid",
}  # fmt: skip
_CLAIM = "identity_claim_"


def folded(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields by their names in lower case: services differ in how they write them."""
    return {str(key).strip().lower(): value for key, value in fields.items()}


def from_mapping(folded: dict[str, Any]) -> Row | None:
    """Return the record that some `folded` fields hold, or None where they are no audit record.

    Log Analytics rows are recognised by their columns.

    References
    ----------
    https://learn.microsoft.com/azure/azure-monitor/reference/tables/azurediagnostics
    https://learn.microsoft.com/azure/azure-monitor/reference/tables/azkvauditlogs
    """
    if any(key.startswith(("timegenerated", "_originaltimegenerated")) for key in folded):
        return _from_row(folded)
    columns, is_utc = _without_zones(folded)
    if "operationname" not in columns:
        return None
    record = Record()
    for key, value in columns.items():
        if key in _FIELDS and value is not None and value != "":
            set_field(record, _FIELDS[key], value)
    return Row(record, is_utc=is_utc) if record.operationName else None


def _without_zones(folded: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Columns without what stands behind their names, and whether that says that times are UTC."""
    columns: dict[str, Any] = {}
    is_utc = False
    for key, value in folded.items():
        name, names_utc = _zone_apart(key)
        is_utc |= names_utc
        if columns.get(name) in (None, ""):
            columns[name] = value
    return columns, is_utc


@lru_cache(4096)
def _zone_apart(key: str) -> tuple[str, bool]:
    """Name of a column without a zone behind it, and whether that is UTC."""
    return _OF_A_ZONE.sub("", key), _OF_UTC.search(key) is not None


def set_field(record: Record, name: str, value: Any) -> None:
    """Set a field to a value as it came, as text where the field is text."""
    if name in _RAW_FIELDS:
        setattr(record, name, as_raw(value))
    elif name in TEXT_FIELDS or isinstance(value, (dict, list, bool)):
        setattr(record, name, value if isinstance(value, str) else _json(value))
    else:
        setattr(record, name, value)


def _from_row(folded: dict[str, Any]) -> Row | None:
    """Read a Log Analytics row of either table."""
    named, is_utc = _without_zones(folded)
    columns = {key: value for key, value in named.items() if value not in (None, "")}
    record = Record()
    claims: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in _more_columns(columns).items():
        what, name = meaning(key)
        if what == "claim":
            claims[name] = value
        elif what == "property":
            rest[key] = value
        elif what == "field" and (getattr(record, name) is None or key.startswith("_")):
            set_field(record, name, value)
    identity = {"claim": claims} if claims else rest.pop("identity", None)
    record.identity = as_raw(identity) if identity else NOTHING
    record.properties = as_raw({meaning(key)[1]: value for key, value in rest.items()})
    route = "azure_diagnostics" if is_diagnostics(columns if is_union(named) else named) else "azkv_audit_logs"
    return Row(record, route, is_utc) if record.operationName is not None else None


# Columns that the table of Key Vault alone has: that of all services writes a type behind their names.
_OF_KEY_VAULT = {"requesturi", "httpstatuscode", "clientinfo", "identity", "tlsversion", "isrbacauthorized", "id"}


def is_union(names: Iterable[str]) -> bool:
    """Whether some columns may be those of both tables: then a row is known by those that it fills."""
    return not _OF_KEY_VAULT.isdisjoint(names)


@lru_cache(4096)
def meaning(column: str) -> tuple[Literal["claim", "field", "property", "nothing"], str]:
    """What a column of a row is to a record, and the name that its value has there.

    >>> meaning("identity_claim_oid_g"), meaning("httpstatuscode_d"), meaning("tlsversion_s"), meaning("tenantid")
    (('claim', 'oid'), ('field', 'httpStatusCode'), ('property', 'tlsversion'), ('nothing', ''))
    """
    base = _SUFFIX.sub("", column)
    if base.startswith(_CLAIM):
        return "claim", base.removeprefix(_CLAIM)
    if name := _ROW_FIELDS.get(column) or _ROW_FIELDS.get(base):
        return "field", name
    return ("nothing", "") if column in _ROW_ONLY else ("property", base)


def is_diagnostics(folded: dict[str, Any]) -> bool:
    """Whether a row is of AzureDiagnostics, the table that all services share."""
    if folded.get("type"):
        return str(folded["type"]).lower() == "azurediagnostics"
    return "resourceprovider" in folded or any(key.startswith(_CLAIM) or key.endswith("_s") for key in folded)


def _more_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Put the columns beyond the 500th, which a wide workspace folds into AdditionalFields, beside the others."""
    extra = columns.pop("additionalfields", None)
    if isinstance(extra, str):
        try:
            extra = json.loads(extra)
        except ValueError:
            return columns | {"additionalfields": extra}
    if not isinstance(extra, dict):
        return columns
    return {str(key).lower(): value for key, value in extra.items()} | columns


def as_raw(value: Any) -> msgspec.Raw:
    """Return a value as the JSON that stands for it."""
    return msgspec.Raw(_json(value).encode())


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
