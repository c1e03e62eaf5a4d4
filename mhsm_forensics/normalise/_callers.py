"""Who called: the claims of the token, whatever their spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from ..identifiers import actor_of, guid_of
from ._nested import object_in

# Label of a caller whose identity an export has spoilt: that is not a caller without identity.
UNREADABLE = "(identity not readable)"

# Claim names differ by token and by table: short (oid), a URI, the URI cut at its dots and nested, or the
# URI with underscores. Flattened and folded they are the same word.
_SPELLINGS = {
    "object_id": ("oid", "http_schemas_microsoft_com_identity_claims_objectidentifier"),
    "app_id": ("appid", "azp", "http_schemas_microsoft_com_identity_claims_appid"),
    "upn": (
        "upn",
        "http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn",
        "unique_name",
        "preferred_username",
        "http_schemas_xmlsoap_org_ws_2005_05_identity_claims_name",
    ),
    "managed_identity_id": ("xms_mirid",),
    "tenant_id": ("tid", "http_schemas_microsoft_com_identity_claims_tenantid"),
    "token_ip": ("ipaddr",),
    "auth_methods": ("amr", "http_schemas_microsoft_com_claims_authnmethodsreferences"),
    "token_id": ("uti",),
}
# Each spelling with the column that it fills; of two for one column the later one is preferred.
_BEST_LAST = [(spelling, name) for name, spellings in _SPELLINGS.items() for spelling in reversed(spellings)]
_TENANT_IN_ISSUER = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a token's claims say about the caller."""

    actor: str | None = None
    principal: str | None = None
    principal_type: str = "unknown"
    object_id: str | None = None
    app_id: str | None = None
    upn: str | None = None
    managed_identity_id: str | None = None
    tenant_id: str | None = None
    token_ip: str | None = None
    auth_methods: str | None = None
    token_id: str | None = None
    identity_json: str | None = None


def caller_of(identity: bytes, *, challenged: bool = False, tenant_id: str | None = None) -> Caller:
    """Who the claims name; nobody where there are none.

    Parameters
    ----------
    identity
        The field `identity` as the source wrote it: an object, an object encoded as text, `{}`, or nothing. What an export
        has made of it and can't be read for sure is an identity of its own, `UNREADABLE`.
    challenged
        The request was answered with 401: a caller without claims is anonymous and not merely unknown.

    tenant_id
        Tenant that the record itself names, for claims that name none.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/logging
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference

    Examples
    --------
    >>> caller_of(b'{"claim":{"oid":"5790","idtyp":"app","xms_mirid":"/subscriptions/7c/x/mi-pay"}}').principal
    'mi-pay'
    >>> caller_of(b"{}", challenged=True).principal_type
    'anonymous'
    """
    text = identity.decode("utf-8", "replace") if identity and identity != b"null" else None
    decoded = _decoded(text)
    claims = _flat(decoded)
    if not claims:
        kind = "anonymous" if challenged else "unknown"
        nobody = Caller(principal_type=kind, tenant_id=guid_of(tenant_id), identity_json=text)
        return (
            nobody
            if decoded is not None or not text
            else replace(nobody, principal=UNREADABLE, principal_type="unreadable")
        )
    said: dict[str, str | None] = dict.fromkeys(_SPELLINGS)
    said |= {name: claims[spelling] for spelling, name in _BEST_LAST if spelling in claims}
    said["object_id"], said["app_id"] = guid_of(said["object_id"]), guid_of(said["app_id"])
    said["tenant_id"] = guid_of(said["tenant_id"] or _tenant_of(claims.get("iss")) or tenant_id)
    actor = actor_of(said["object_id"], said["app_id"], said["upn"])
    return Caller(actor, _label(said), _kind(said, claims), identity_json=text, **said)


def _label(said: dict[str, str | None]) -> str | None:
    identity = (said["managed_identity_id"] or "").rstrip("/").rpartition("/")[2]
    return said["upn"] or identity or said["object_id"] or said["app_id"]


def _kind(said: dict[str, str | None], claims: dict[str, str]) -> str:
    if said["managed_identity_id"]:
        return "managed_identity"
    if said["upn"] or "scp" in claims or claims.get("idtyp") == "user":
        return "user"
    if claims.get("idtyp") == "app" or claims.get("appidacr") in {"1", "2"} or said["app_id"]:
        return "service_principal"
    return "unknown"


def _decoded(text: str | None) -> object:
    """Claims that a text holds, nested or bare; None where it holds something that can't be read."""
    value: object = object_in(text)
    if isinstance(value, dict):
        value = value.get("claim", value.get("claims", value))
    if isinstance(value, str) and value.strip():
        value = object_in(value)
    empty = value in (None, "") and (text or "").strip() in _EMPTY
    return {} if empty or value == "" else value


def claims_in(text: str | None) -> dict[str, str]:
    """Claims of an identity as the source wrote it, by their folded names; none where it can't be read.

    >>> claims_in('{"claim": {"idtyp": "app", "amr": ["pwd", "mfa"]}}')
    {'idtyp': 'app', 'amr': 'pwd,mfa'}
    """
    return _flat(_decoded(text))


_EMPTY = {"", '""', '"null"', '"{}"', "[]"}


def _flat(value: object, prefix: str = "") -> dict[str, str]:
    """Claims by their folded names; a list becomes its items with commas between.

    >>> _flat({"http_schemas_microsoft_com_identity": {"claims": {"objectidentifier": "b1c5"}}, "amr": ["pwd", "mfa"]})
    {'http_schemas_microsoft_com_identity_claims_objectidentifier': 'b1c5', 'amr': 'pwd,mfa'}
    """
    if not isinstance(value, dict):
        return {}
    flat: dict[str, str] = {}
    for key, item in value.items():
        name = prefix + _folded(str(key))
        if isinstance(item, dict):
            flat |= _flat(item, f"{name}_")
        elif isinstance(item, list):
            flat[name] = ",".join(map(str, item))
        elif item is not None and item != "":
            flat[name] = str(item)
    return flat


@lru_cache(1 << 10)
def _folded(name: str) -> str:
    """Return a claim's name in one spelling; there are few names, and a token of its own for every caller and hour."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _tenant_of(issuer: str | None) -> str | None:
    found = _TENANT_IN_ISSUER.search(issuer or "")
    return found[0] if found else None
