"""What was asked for: the request's URI, client and answer, taken apart once for each distinct request."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from ..identifiers import folded, unescaped
from ..operations import meaning
from ._clients import client_of
from ._denials import NO_DENIAL, Denial
from ._nested import object_in

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY_WORDS = {"versions", "rotationpolicy", "rotate", "create", "backup", "restore"}  # no versions of a key
_VERSION = re.compile(r"[0-9a-fA-F]{32}")
_ROLE_KINDS = {"roleassignments": "role_assignment", "roledefinitions": "role_definition"}
_JOBS = {"backup": "backup", "prebackup": "backup", "restore": "restore", "prerestore": "restore"}
_PLAIN = {"securitydomain": "security_domain", "rng": "random", "ekm": "ekm", "subscriptions": "managed_hsm"}
_OUTCOMES = {200: "success", 201: "success", 204: "success", 202: "accepted", 401: "denied", 403: "denied"}
_SIGNATURES = {
    "ok": "success", "created": "success", "nocontent": "success", "accepted": "accepted",
    "unauthorized": "denied", "forbidden": "denied",
}  # fmt: skip
_STATUSES = {"ok": 200, "created": 201, "accepted": 202, "nocontent": 204, "unauthorized": 401, "forbidden": 403}


class Asked(NamedTuple):
    """The parts of a record that repeat from request to request: the key under which they are remembered."""

    operation: str | None
    properties: bytes
    client_info: str | None
    request_uri: str | None
    http_status: str | float | None
    signature: str | float | None
    result_type: str | None
    subnet_id: str | None
    pool_name: str | None
    version: str | float | None
    route: str
    denied: Denial = NO_DENIAL


@dataclass(frozen=True, slots=True)
class Object:
    """What a URI points at."""

    object_type: str | None = None
    key_name: str | None = None
    key_version: str | None = None
    scope: str | None = None
    assignment_id: str | None = None
    role_definition_id: str | None = None
    job_id: str | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a request's repeating parts say."""

    operation: str | None
    operation_class: str
    effect: str
    operation_status: str
    class_by_uri: str | None
    act: str | None
    known_by: str
    denied_action: str | None
    denied_scope: str | None
    outcome: str
    http_status: int | None
    result_type: str | None
    result_signature: str | None
    client_info: str | None
    client: str | None
    client_version: str | None
    client_os: str | None
    request_uri: str | None
    api_version: str | None
    object_type: str | None
    key_name: str | None
    key_version: str | None
    scope: str | None
    assignment_id: str | None
    role_definition_id: str | None
    job_id: str | None
    setting: str | None
    subnet_id: str | None
    private_endpoint_id: str | None
    trusted_service: str | None
    tls_version: str | None
    pool_name: str | None
    route: str
    properties_json: str | None
    digest: str  # of what every route keeps of the request, for record_id


def request_of(asked: Asked) -> Request:
    """Everything that a request's repeating parts say; see `Request`."""
    text = asked.properties.decode("utf-8", "replace") if asked.properties else None
    held = _held(text)
    uri = _text(asked.request_uri) or _text(held.get("requesturi"))
    info = _text(asked.client_info) or _text(held.get("clientinfo"))
    status = whole(held.get("httpstatuscode") if asked.http_status is None else asked.http_status)
    host, path, query = uri_parts(uri)
    what, client = object_of(path), client_of(info)
    known = meaning(
        asked.operation, unescaped(path) if path else path, _answer(status, asked.signature), asked.denied.action
    )
    other = object_of(uri_parts(_text(held.get("id")))[1])  # the object's own URI may name the version
    same_key = other.key_name is not None and other.key_name == what.key_name
    return Request(
        operation=asked.operation,
        operation_class=known.operation_class,
        effect=known.effect,
        operation_status=known.operation_status,
        class_by_uri=known.class_by_uri,
        act=known.act,
        known_by=known.known_by,
        denied_action=asked.denied.action,
        denied_scope=asked.denied.scope,
        outcome=outcome_of(status, asked.signature),
        http_status=status,
        result_type=asked.result_type,
        result_signature=_text(asked.signature),
        client_info=info,
        client=client.client,
        client_version=client.client_version,
        client_os=client.client_os,
        request_uri=uri,
        api_version=_text(asked.version) or _text(query.get("api-version", [None])[0]),
        object_type=what.object_type or other.object_type,
        key_name=what.key_name or (other.key_name if uri is None else None),
        key_version=what.key_version or (other.key_version if same_key or uri is None else None),
        scope=what.scope,
        assignment_id=what.assignment_id,
        role_definition_id=what.role_definition_id,
        job_id=what.job_id,
        setting=what.setting,
        subnet_id=_text(asked.subnet_id) or _text(held.get("subnetid")),
        private_endpoint_id=_text(held.get("privateendpointid")),
        trusted_service=_text(held.get("trustedservice")),
        tls_version=_text(held.get("tlsversion")),
        pool_name=_text(asked.pool_name) or _text(held.get("poolname")) or _text(held.get("hsmpoolresourceid")),
        route=asked.route,
        properties_json=text,
        digest=hashlib.sha256(
            repr((asked.operation, status, info, host, path, sorted(query.items()))).encode()
        ).hexdigest(),
    )


def object_of(path: str | None) -> Object:
    """What a request path points at.

    References
    ----------
    https://learn.microsoft.com/rest/api/keyvault/

    Examples
    --------
    >>> object_of("/keys/providers/Microsoft.Authorization/roleAssignments/7d1f").scope
    '/keys'
    >>> object_of("/keys/restore").key_name is None, object_of("/keys/card-00//sign").key_name
    (True, 'card-00')
    >>> object_of("/keys/card-00/versions").key_version is None, object_of("/KEYS/Card%2D00").key_name
    (True, 'card-00')
    """
    parts = straight(path or "").removeprefix("/").split("/")
    small = [folded(part) for part in parts]
    if small[0] == "subscriptions":
        return _managed(small)
    if "microsoft.authorization" in small:
        return _role(small, small.index("microsoft.authorization"))
    head, second = small[0], parts[1] if len(parts) > 1 and parts[1] else None
    if head == "keys":
        return _key(small)
    if head == "deletedkeys":
        return Object("deleted_key", key_name=folded(second) if second else None)
    if head in _JOBS:
        return Object(_JOBS[head], job_id=second if len(parts) > 2 else None)
    if head == "settings":
        return Object("setting", setting=second)
    return Object(_PLAIN.get(head))


def straight(path: str) -> str:
    """Path without what a server reads over: percent escapes decoded, several slashes as one.

    >>> straight("//keys/Card%2D00//sign")
    '/keys/Card-00/sign'
    """
    return re.sub(r"/{2,}", "/", unescaped(path))


def _managed(parts: list[str]) -> Object:
    """Return what a path of Azure Resource Manager points at: an HSM, or a key in it."""
    inside = parts[parts.index("managedhsms") + 2 :] if "managedhsms" in parts else []
    if inside[:1] != ["keys"]:
        return Object("managed_hsm")
    return _key(inside[:2] + inside[3 if inside[2:3] == ["versions"] else 2 :])


def _key(parts: list[str]) -> Object:
    if len(parts) < 2 or not parts[1] or parts[1:] == ["restore"]:
        return Object("key")
    third = parts[2] if len(parts) > 2 else ""
    is_version = third not in _KEY_WORDS and _VERSION.fullmatch(third) is not None
    return Object("key", key_name=parts[1], key_version=third if is_version else None)


def _role(parts: list[str], at: int) -> Object:
    scope = parts[: max(at - 1, 0)]
    kind = _ROLE_KINDS.get(parts[at + 1] if len(parts) > at + 1 else "")
    role = parts[at + 2] if len(parts) > at + 2 and parts[at + 2] else None
    return Object(
        kind,
        key_name=scope[1] if len(scope) > 1 and parts[0] == "keys" else None,
        scope="/" + "/".join(part for part in scope if part),
        assignment_id=role if kind == "role_assignment" else None,
        role_definition_id=role if kind == "role_definition" else None,
    )


def outcome_of(status: int | None, signature: object) -> str:
    """How the request ended: by its status, else by its reason phrase; never by resultType.

    >>> outcome_of(403, "Forbidden"), outcome_of(None, "Accepted"), outcome_of(None, None)
    ('denied', 'accepted', 'unknown')
    """
    if status is not None:
        return _OUTCOMES.get(status, "failure")
    phrase = _phrase(signature)
    return _SIGNATURES.get(phrase, "failure" if phrase else "unknown")


def _answer(status: int | None, signature: object) -> int | None:
    """Status of the answer, or the one that its reason phrase stands for."""
    return _STATUSES.get(_phrase(signature)) if status is None else status


def _phrase(signature: object) -> str:
    return re.sub(r"[^a-z]", "", str(signature or "").lower())


def whole(value: object) -> int | None:
    """Whole number of a status or duration that may be text or a fraction; None where it is none.

    >>> whole("78"), whole(202.0), whole("n/a"), whole("1e400")
    (78, 202, None, None)
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return int(number) if abs(number) < 2**53 else None


def uri_parts(uri: str | None) -> tuple[str, str | None, dict[str, list[str]]]:
    """Host in lower case without its port, path, and query.

    >>> uri_parts("https://Contoso.managedhsm.azure.net:443/keys/k?api-version=7.5")
    ('contoso.managedhsm.azure.net', '/keys/k', {'api-version': ['7.5']})
    """
    if not uri:
        return "", None, {}
    try:
        parts = urlsplit(uri.strip())
        return (parts.hostname or "").lower(), parts.path, parse_qs(parts.query, keep_blank_values=True)
    except ValueError:  # an attacker's URI may be none
        return "", uri, {}


def _held(text: str | None) -> dict[str, Any]:
    """Properties by their lower-case names; also one level down, where Log Analytics' dynamic columns are."""
    value = object_in(text)
    if value is None:
        return {}
    held = {str(key).lower(): item for key, item in value.items()}
    inner = held.get("properties")
    inner = object_in(inner) if isinstance(inner, str) else inner
    return {**{str(k).lower(): v for k, v in inner.items()}, **held} if isinstance(inner, dict) else held


def properties_in(text: str | None) -> dict[str, str]:
    """Properties as the source wrote them, by their names in lower case; what is in an object by both names.

    >>> properties_in('{"isRbacAuthorized": true, "keyProperties": {"size": 2048}}')
    {'isrbacauthorized': 'True', 'keyproperties_size': '2048'}
    """
    return dict(_leaves(_held(text), ""))


def _leaves(held: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in held.items():
        if isinstance(value, dict):
            yield from _leaves({str(key).lower(): item for key, item in value.items()}, f"{prefix}{name}_")
        elif value is not None and value != "":
            yield f"{prefix}{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(value: object) -> str | None:
    """Text of a value; None for what stands for nothing."""
    if value is None or value == "" or value == "(unknown)":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
