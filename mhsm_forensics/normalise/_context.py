"""Records of other logs and lists → rows of the context tables, whether from a workspace, a storage account or a portal.

The same sign-in is spelled in four ways: columns of a Log Analytics table, a record with everything under
`properties`, an object of the service's own interface, and a row of the CSV that a portal downloads. By their folded
names the first three are nearly the same words; the fourth is put into them.

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
from ..identifiers import actor_of
from ..load import Reject
from ._addresses import address_of
from ._callers import caller_of
from ._downloads import as_record, time_is_utc
from ._lists import LISTS
from ._places import event_id, source_file
from ._requests import whole
from ._said import first, lower, nested
from ._said import said as said_of
from ._times import Clock, ticks_of

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
        self._rows: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in (*_ROWS, *LISTS)}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def take(self, context: Context, data: bytes, place: Place, evidence: Evidence, clock: Clock) -> Reject | None:
        """Add one record; gives it back as a reject where its time is none, or where a list says nothing of use."""
        said = said_of(context.fields)
        if context.kind in LISTS:
            listed = LISTS[context.kind](said)
            if isinstance(listed, str):
                return Reject(place, listed, data)
            self._rows[context.kind].append(_origin(said, context, data) | listed | _place(evidence, place))
            return None
        downloaded = as_record(context.fields, source_file(evidence))
        said = said if downloaded is None else downloaded
        when = _when(context, said, clock)
        if isinstance(when, str):
            return Reject(place, when, data)
        row = _ROWS[context.kind](said)
        row["actor"] = actor_of(row["object_id"], row["app_id"], row["upn"])
        self._rows[context.kind].append(when | row | _origin(said, context, data) | _place(evidence, place))
        return None

    def tables(self) -> dict[str, pa.Table]:
        """Return all context tables, with the columns of `schema.CONTEXT`."""
        return {
            kind: pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.CONTEXT[kind]))
            for kind, rows in self._rows.items()
        }


def _when(context: Context, said: dict[str, Any], clock: Clock) -> dict[str, Any] | str:
    """When a record says that it was, or why it says no time."""
    text = first(said, *_TIMES[context.kind])
    if text is None:
        return "no_time"
    known = any(name.endswith(" [utc]") or time_is_utc(name) for name in context.fields)
    ticks, wrong = ticks_of([text], [known], clock)
    microseconds = int(ticks[0]) // 10
    return wrong.get(0) or {"time": microseconds, "t": microseconds, "time_text": text}


def _origin(said: dict[str, Any], context: Context, data: bytes) -> dict[str, Any]:
    return {
        "record_id": hashlib.sha256(data).hexdigest()[:32],
        "source": first(said, "type", "categoryvalue", "category"),
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
    identity = nested(said.get("identity"))
    claims = nested(said.get("claims_d") or said.get("claims")) or nested(identity.get("claims"))
    rights = nested(said.get("authorization_d") or said.get("authorization")) or nested(identity.get("authorization"))
    request = nested(said.get("httprequest"))
    resource = (first(said, "_resourceid", "resourceid") or first(rights, "scope") or "").lower() or None
    hsm = _HSM.search(resource or "")
    status = first(said, "activitystatusvalue", "status", "resulttype")
    sub_status = first(said, "activitysubstatusvalue", "substatus", "resultsignature")
    return {
        "operation": first(said, "operationnamevalue", "operationname"),
        "category": first(said, "categoryvalue", "category"), "level": first(said, "level"),
        "outcome": _activity_outcome(status, sub_status), "status": status, "sub_status": sub_status,
        "hsm": hsm[1] if hsm else None, "resource_id": resource,
        "action": first(rights, "action"), "scope": first(rights, "scope"),
        **_caller(claims, first(said, "caller")),
        **_address(first(said, "calleripaddress") or first(request, "clientipaddress")),
        "correlation_id": first(said, "correlationid"),
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
    status, location = nested(said.get("status")), nested(said.get("locationdetails") or said.get("location"))
    code = first(status, "errorcode") or first(said, "resulttype")
    kind = _signin_kind(said)
    user = first(said, "userprincipalname")
    machine = first(said, "serviceprincipalid") if kind != "user" else None
    app = first(said, "appdisplayname") or (first(said, "serviceprincipalname") if machine else None)
    object_id, app_id = machine or first(said, "userid"), first(said, "appid")
    return {
        "outcome": _signin_outcome(code, first(status, "word")), "error_code": code,
        "error": first(status, "failurereason") or first(said, "resultdescription"),
        "principal": (app if machine else user) or object_id or app_id, "principal_type": kind,
        "object_id": lower(object_id), "app_id": lower(app_id), "upn": user if kind == "user" else None,
        "tenant_id": lower(first(said, "aadtenantid", "hometenantid")), "app_name": app,
        **_address(first(said, "ipaddress", "calleripaddress")), "correlation_id": first(said, "correlationid"),
        "client_info": first(said, "useragent"),
        "resource": first(said, "resourcedisplayname"),
        "resource_app_id": lower(first(said, "resourceidentity", "resourceid")),
        "token_id": first(said, "uniquetokenidentifier"), "signin_id": first(said, "id"),
        "credential_id": first(said, "serviceprincipalcredentialkeyid"),
        "credential_thumbprint": first(said, "serviceprincipalcredentialthumbprint"),
        "auth_requirement": first(said, "authenticationrequirement"),
        "auth_protocol": first(said, "authenticationprotocol"),
        "conditional_access": first(said, "conditionalaccessstatus"),
        "risk": first(said, "risklevelduringsignin"),
        "country": first(location, "countryorregion") or _country(said.get("location")), "city": first(location, "city"),
    }  # fmt: skip


def _signin_outcome(code: str | None, word: str | None) -> str:
    """How a sign-in ended: by its error code, and by the word beside it where a portal's CSV has none on success.

    An interrupted sign-in has an error code, too, and gave no token.
    """
    if code is not None:
        return "success" if code in {"0", "Success"} else "failure"
    known = {"success": "success", "failure": "failure", "interrupted": "failure"}
    return known.get((word or "").lower(), "unknown")


def _signin_kind(said: dict[str, Any]) -> str:
    """Say who signed in: by the log's name, else by the event types, else by whether a user is named."""
    named = " ".join(filter(None, [first(said, "type"), first(said, "category"), first(said, "signineventtypes")]))
    found = next((kind for word, kind in _SIGNED_IN_BY.items() if word in named.lower()), None)
    if found or first(said, "userprincipalname", "userid"):
        return found or "user"
    return "service_principal" if first(said, "serviceprincipalid") else "unknown"


def _blob_request(said: dict[str, Any]) -> dict[str, Any]:
    identity = nested(said.get("identity"))
    requester = nested(identity.get("requester"))
    uri = first(said, "uri")
    account, container, blob = _object_of(first(said, "objectkey"), uri)
    status = whole(first(said, "statuscode"))
    upn = first(said, "requesterupn") or first(requester, "upn")
    object_id = first(said, "requesterobjectid") or first(requester, "objectid")
    app_id = first(said, "requesterappid") or first(requester, "appid")
    return {
        "operation": first(said, "operationname"), "outcome": _request_outcome(status), "http_status": status,
        "status": first(said, "statustext"), "account": first(said, "accountname") or account,
        "container": container, "blob": blob, "uri": _bare(uri),
        "auth_type": first(said, "authenticationtype") or first(identity, "type"),
        "auth_hash": first(said, "authenticationhash") or first(identity, "tokenhash"),
        "principal": upn or object_id or app_id, "principal_type": "user" if upn else "unknown",
        "object_id": lower(object_id), "app_id": lower(app_id), "upn": upn,
        "tenant_id": lower(first(said, "requestertenantid") or first(requester, "tenantid")),
        **_address(first(said, "calleripaddress"), port=True), "correlation_id": first(said, "correlationid"),
        "client_info": (first(said, "useragentheader") or "").strip('"') or None,
        "client_request_id": first(said, "clientrequestid"), "tls_version": first(said, "tlsversion"),
        "sent_bytes": whole(first(said, "responsebodysize")), "received_bytes": whole(first(said, "requestbodysize")),
        "source_uri": _bare(first(said, "sourceuri")), "destination_uri": _bare(first(said, "destinationuri")),
    }  # fmt: skip


def _request_outcome(status: int | None) -> str:
    """How a request to storage ended; a range of a blob is answered with 206."""
    if status is None:
        return "unknown"
    known = {202: "accepted", 401: "denied", 403: "denied"}
    return known.get(status, "success" if 200 <= status < 300 else "failure")


_ROWS: dict[Kind, Callable[[dict[str, Any]], dict[str, Any]]] = {
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


def _country(location: Any) -> str | None:
    return location if isinstance(location, str) and len(location) == 2 else None
