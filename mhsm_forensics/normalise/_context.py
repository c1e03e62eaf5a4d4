"""Records of other logs → rows of the context tables, whether they come from a workspace, a storage account or a portal.

The same sign-in is spelled in three ways: columns of a Log Analytics table, a record with everything under
`properties`, and an object of the service's own interface. By their folded names these are nearly the same words.

References
----------
https://learn.microsoft.com/azure/azure-monitor/reference/tables/azureactivity
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log-schema
https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
https://learn.microsoft.com/graph/api/resources/signin
https://learn.microsoft.com/azure/azure-monitor/reference/tables/storagebloblogs
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from .. import schema
from ..load import Reject
from ._addresses import address_of
from ._callers import caller_of
from ._places import event_id, source_file
from ._requests import whole
from ._times import ticks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..case import Evidence
    from ..load import Context, Kind, Place

_HSM = re.compile(r"/managedhsms/([^/]+)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Words for the same, in the order in which they are believed.
_TIMES = {
    "activity": ("timegenerated", "eventtimestamp", "time"),
    "signins": ("createddatetime", "timegenerated", "time"),
    "blob_requests": ("timegenerated", "time"),
}
_OUTCOMES = {
    "success": "success", "succeeded": "success", "start": "accepted", "started": "accepted", "accept": "accepted",
    "accepted": "accepted", "in progress": "accepted", "failure": "failure", "failed": "failure",
}  # fmt: skip
_SIGNED_IN_BY = {"managedidentity": "managed_identity", "serviceprincipal": "service_principal"}


class ContextRows:
    """Rows of the context tables, record by record."""

    def __init__(self) -> None:
        self._rows: dict[Kind, list[dict[str, Any]]] = {"activity": [], "signins": [], "blob_requests": []}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def take(self, context: Context, data: bytes, place: Place, evidence: Evidence) -> Reject | None:
        """Add one record; gives it back as a reject where its time is none."""
        said = _said(context.fields)
        text = _first(said, *_TIMES[context.kind])
        if text is None:
            return Reject(place, "no_time", data)
        ticks, wrong = ticks_of([text], [any(name.endswith(" [utc]") for name in context.fields)])
        if wrong:
            return Reject(place, wrong[0], data)
        when = {"time": int(ticks[0]) // 10, "t": int(ticks[0]) // 10, "time_text": text}
        row = _ROWS[context.kind](said)
        self._rows[context.kind].append(when | row | _origin(said, context, data) | _place(evidence, place))
        return None

    def tables(self) -> dict[str, pa.Table]:
        """Return the three tables, with the columns of `schema.CONTEXT`."""
        return {
            kind: pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.CONTEXT[kind]))
            for kind, rows in self._rows.items()
        }


def _origin(said: dict[str, Any], context: Context, data: bytes) -> dict[str, Any]:
    return {
        "record_id": hashlib.sha256(data).hexdigest()[:32],
        "source": _first(said, "type", "categoryvalue", "category"),
        "record_json": _verbatim(context, data),
    }


def _verbatim(context: Context, data: bytes) -> str:
    """Return a record as JSON: as it stands, or with the names that the header of its table gives to its cells."""
    if data.lstrip().startswith(b"{"):
        return data.decode("utf-8", "replace")
    return json.dumps(context.fields, ensure_ascii=False, separators=(",", ":"))


def _place(evidence: Evidence, place: Place) -> dict[str, Any]:
    return {
        "event_id": event_id(evidence, place), "evidence_id": evidence.evidence_id, "source_file": source_file(evidence),
        "source_line": place.line, "source_offset": place.offset, "source_length": place.length,
    }  # fmt: skip


def _activity(said: dict[str, Any]) -> dict[str, Any]:
    identity = _object(said.get("identity"))
    claims = _object(said.get("claims_d") or said.get("claims")) or _object(identity.get("claims"))
    rights = _object(said.get("authorization_d") or said.get("authorization")) or _object(identity.get("authorization"))
    request = _object(said.get("httprequest"))
    resource = (_first(said, "_resourceid", "resourceid") or _first(rights, "scope") or "").lower() or None
    hsm = _HSM.search(resource or "")
    status = _first(said, "activitystatusvalue", "status", "resulttype")
    sub_status = _first(said, "activitysubstatusvalue", "substatus", "resultsignature")
    return {
        "operation": _first(said, "operationnamevalue", "operationname"),
        "category": _first(said, "categoryvalue", "category"), "level": _first(said, "level"),
        "outcome": _activity_outcome(status, sub_status), "status": status, "sub_status": sub_status,
        "hsm": hsm[1] if hsm else None, "resource_id": resource,
        "action": _first(rights, "action"), "scope": _first(rights, "scope"),
        **_caller(claims, _first(said, "caller")),
        **_address(_first(said, "calleripaddress") or _first(request, "clientipaddress")),
        "correlation_id": _first(said, "correlationid"),
    }  # fmt: skip


def _caller(claims: dict[str, Any], named: str | None) -> dict[str, Any]:
    """Who did it: by the claims of the token, and by the column Caller, a user's name or an object id."""
    by_token = caller_of(json.dumps(claims).encode())
    user = named if named and "@" in named else None
    object_id = by_token.object_id or (named.lower() if named and _GUID.fullmatch(named) else None)
    return {
        "principal": user or by_token.principal or named,
        "principal_type": "user" if user else by_token.principal_type,
        "object_id": object_id, "app_id": by_token.app_id, "upn": by_token.upn or user,
        "tenant_id": by_token.tenant_id, "token_id": by_token.token_id,
    }  # fmt: skip


def _activity_outcome(status: str | None, sub_status: str | None) -> str:
    if re.search(r"forbidden|unauthorized|\b40[13]\b", sub_status or "", re.IGNORECASE):
        return "denied"
    found = _OUTCOMES.get((status or "").lower())
    return found or _OUTCOMES.get((status or "").partition(".")[0].lower(), "unknown")


def _signin(said: dict[str, Any]) -> dict[str, Any]:
    status, location = _object(said.get("status")), _object(said.get("locationdetails") or said.get("location"))
    code = _first(status, "errorcode") or _first(said, "resulttype")
    kind = _signin_kind(said)
    user = _first(said, "userprincipalname")
    machine = _first(said, "serviceprincipalid") if kind != "user" else None
    app = _first(said, "appdisplayname") or (_first(said, "serviceprincipalname") if machine else None)
    object_id, app_id = machine or _first(said, "userid"), _first(said, "appid")
    return {
        "outcome": {"0": "success", "Success": "success", None: "unknown"}.get(code, "failure"), "error_code": code,
        "error": _first(status, "failurereason") or _first(said, "resultdescription"),
        "principal": (app if machine else user) or object_id or app_id, "principal_type": kind,
        "object_id": _lower(object_id), "app_id": _lower(app_id), "upn": user if kind == "user" else None,
        "tenant_id": _lower(_first(said, "aadtenantid", "hometenantid")), "app_name": app,
        **_address(_first(said, "ipaddress", "calleripaddress")), "correlation_id": _first(said, "correlationid"),
        "client_info": _first(said, "useragent"),
        "resource": _first(said, "resourcedisplayname"),
        "resource_app_id": _lower(_first(said, "resourceidentity", "resourceid")),
        "token_id": _first(said, "uniquetokenidentifier"), "signin_id": _first(said, "id"),
        "credential_id": _first(said, "serviceprincipalcredentialkeyid"),
        "credential_thumbprint": _first(said, "serviceprincipalcredentialthumbprint"),
        "auth_requirement": _first(said, "authenticationrequirement"),
        "auth_protocol": _first(said, "authenticationprotocol"),
        "conditional_access": _first(said, "conditionalaccessstatus"),
        "risk": _first(said, "risklevelduringsignin"),
        "country": _first(location, "countryorregion") or _country(said.get("location")), "city": _first(location, "city"),
    }  # fmt: skip


def _signin_kind(said: dict[str, Any]) -> str:
    """Say who signed in: by the log's name, else by the event types, else by whether a user is named."""
    named = " ".join(filter(None, [_first(said, "type"), _first(said, "category"), _first(said, "signineventtypes")]))
    found = next((kind for word, kind in _SIGNED_IN_BY.items() if word in named.lower()), None)
    if found or _first(said, "userprincipalname", "userid"):
        return found or "user"
    return "service_principal" if _first(said, "serviceprincipalid") else "unknown"


def _blob_request(said: dict[str, Any]) -> dict[str, Any]:
    identity = _object(said.get("identity"))
    requester = _object(identity.get("requester"))
    uri = _first(said, "uri")
    account, container, blob = _object_of(_first(said, "objectkey"), uri)
    status = whole(_first(said, "statuscode"))
    upn = _first(said, "requesterupn") or _first(requester, "upn")
    object_id = _first(said, "requesterobjectid") or _first(requester, "objectid")
    app_id = _first(said, "requesterappid") or _first(requester, "appid")
    return {
        "operation": _first(said, "operationname"), "outcome": _request_outcome(status), "http_status": status,
        "status": _first(said, "statustext"), "account": _first(said, "accountname") or account,
        "container": container, "blob": blob, "uri": _bare(uri),
        "auth_type": _first(said, "authenticationtype") or _first(identity, "type"),
        "auth_hash": _first(said, "authenticationhash") or _first(identity, "tokenhash"),
        "principal": upn or object_id or app_id, "principal_type": "user" if upn else "unknown",
        "object_id": _lower(object_id), "app_id": _lower(app_id), "upn": upn,
        "tenant_id": _lower(_first(said, "requestertenantid") or _first(requester, "tenantid")),
        **_address(_first(said, "calleripaddress"), port=True), "correlation_id": _first(said, "correlationid"),
        "client_info": (_first(said, "useragentheader") or "").strip('"') or None,
        "client_request_id": _first(said, "clientrequestid"), "tls_version": _first(said, "tlsversion"),
        "sent_bytes": whole(_first(said, "responsebodysize")), "received_bytes": whole(_first(said, "requestbodysize")),
        "source_uri": _bare(_first(said, "sourceuri")), "destination_uri": _bare(_first(said, "destinationuri")),
    }  # fmt: skip


def _request_outcome(status: int | None) -> str:
    """How a request to storage ended; a range of a blob is answered with 206."""
    if status is None:
        return "unknown"
    known = {202: "accepted", 401: "denied", 403: "denied"}
    return known.get(status, "success" if 200 <= status < 300 else "failure")


_ROWS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "activity": _activity, "signins": _signin, "blob_requests": _blob_request,
}  # fmt: skip


def _object_of(key: str | None, uri: str | None) -> tuple[str | None, str | None, str | None]:
    """Account, container and blob, from `"/account/container/blob"` or else from the URI.

    >>> _object_of(None, "https://contosobackup.blob.core.windows.net:443/hsm/mhsm-contoso-1/part?sv=1&sig=x")
    ('contosobackup', 'hsm', 'mhsm-contoso-1/part')
    """
    if key:
        parts = key.strip('"').strip("/").split("/", 2)
    elif uri:
        address = urlsplit(uri)
        parts = [(address.hostname or "").partition(".")[0], *address.path.strip("/").split("/", 1)]
    else:
        parts = []
    account, container, blob = (*(part or None for part in parts), None, None, None)[:3]
    return account, container, blob


def _bare(uri: str | None) -> str | None:
    return re.split(r"[?#]", uri, maxsplit=1)[0] or None if uri else None


def _address(text: str | None, *, port: bool = False) -> dict[str, Any]:
    found = address_of(text)
    return {"caller_ip": found.caller_ip, "ip_scope": found.ip_scope} | (
        {"caller_port": found.caller_port} if port else {}
    )


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """All that a record says, by folded names: its own fields before those below `properties`."""
    inner = _object(fields.get("properties_d") or fields.get("properties"))
    return inner | {name.removesuffix(" [utc]"): value for name, value in fields.items() if value not in (None, "")}


def _object(value: Any) -> dict[str, Any]:
    """Return an object, also one that was written as text, with its names folded; nothing for anything else."""
    while isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return {str(name).lower(): item for name, item in value.items()} if isinstance(value, dict) else {}


def _first(said: dict[str, Any], *names: str) -> str | None:
    """Return the first of some fields that says something, as text."""
    for name in names:
        value = said.get(name)
        if isinstance(value, dict):  # the activity log's own interface gives a value and its translation
            value = value.get("value")
        if isinstance(value, list):
            value = ",".join(map(str, value))
        if value is not None and value != "" and not isinstance(value, dict):
            return str(value)
    return None


def _country(location: Any) -> str | None:
    return location if isinstance(location, str) and len(location) == 2 else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
