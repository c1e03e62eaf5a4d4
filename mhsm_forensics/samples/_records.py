"""From act to log record: the nested shape that storage holds, and the flat shape of the documentation."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ._acts import MANAGEMENT, ROUTES, Act
from ._cast import Actor, tenant
from ._dice import Dice

if TYPE_CHECKING:
    from datetime import datetime

Record = dict[str, Any]

_XML_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_MICROSOFT_CLAIMS = "http://schemas.microsoft.com/identity/claims"

# 100 ns ticks between the start of the Gregorian calendar, where version 1 GUIDs count from, and 1970.
_GREGORIAN_TICKS = 0x01B21DD213814000


def line(act: Act) -> str:
    """Return the act as one line of a PT1H.json file, without its newline."""
    return json.dumps(flat(act) if act.resource.shape == "flat" else nested(act), separators=(",", ":"))


def nested(act: Act) -> Record:
    """Return the shape of real storage records: URI, client and status inside ``properties``."""
    dice = Dice("record", act.resource.name, act.time, act.operation)
    # A few records hold the resource id as its owner typed it, the rest in upper case.
    resource_id = act.resource.resource_id if dice.chance(0.04) else act.resource.resource_id.upper()
    record: Record = {
        "time": f"{act.time:%Y-%m-%dT%H:%M:%S.%f}{dice.whole(0, 9)}Z",
        "category": "AuditEvent",
        "operationName": act.operation,
        # The service writes Success whatever happened; the outcome is in httpStatusCode.
        "resultType": "Success",
        "correlationId": dice.guid(),
        "callerIpAddress": act.actor.address,
        "identity": identity(act),
        "properties": {
            **_object_id(act),
            "clientInfo": act.actor.client,
            "requestUri": request_uri(act, with_query=True),
            "httpStatusCode": act.status,
            "tlsVersion": "TLS1_3",
            **_trust(act.actor),
        },
        "resourceId": resource_id,
        "operationVersion": act.actor.api,
        "resultSignature": _signature(act),
        "durationMs": str(_milliseconds(act, dice)),
    }
    return record | _description(act)


def flat(act: Act) -> Record:
    """Return the documented shape: everything at the top, the identity a JSON text, times in milliseconds."""
    dice = Dice("record", act.resource.name, act.time, act.operation)
    record: Record = {
        "TenantId": tenant(act.resource.organisation),
        "time": f"{act.time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "resourceId": act.resource.resource_id.upper(),
        "operationName": act.operation,
        "operationVersion": act.actor.api,
        "category": "AuditEvent",
        "resultType": "Success",
        "properties": {"PoolType": "M-HSM", "sku_Family": "B", "sku_Name": "Standard_B1"},
        "durationMs": _milliseconds(act, dice),
        "callerIpAddress": act.actor.address,
        "identity": json.dumps(identity(act), separators=(",", ":")),
        "clientInfo": act.actor.client,
        "correlationId": _time_guid(act.time, act.actor),
        "subnetId": "(unknown)",
        "httpStatusCode": act.status,
        "PoolName": "mhsm-pool-7f3a",
        "requestUri": request_uri(act, with_query=False),
        "resourceGroup": act.resource.group,
        "resourceProvider": "MICROSOFT.KEYVAULT",
        "resource": act.resource.name,
        "resourceType": act.resource.kind,
    }
    return record | _description(act)


def identity(act: Act) -> Record:
    """Return who asked, as the record holds it: nothing for a challenge, other claim names for each door."""
    if act.operation == "Authentication":
        return {}
    if act.operation in MANAGEMENT:
        return {"claim": _management_claims(act.actor)}
    return {"claim": _flat_claims(act) if act.resource.shape == "flat" else _token_claims(act)}


def _token_claims(act: Act) -> Record:
    """Return the claims of a data-plane token, under their short names."""
    actor = act.actor
    claims: Record = {"oid": actor.object_id, "appid": actor.app_id}
    if actor.kind == "user":
        sign_in = {"upn": actor.upn, "unique_name": actor.upn, "ipaddr": actor.address, "amr": ["pwd", "mfa"]}
        return claims | {"scp": "user_impersonation", "appidacr": "0"} | sign_in | {"xms_az_nwperimid": []}
    claims |= {"idtyp": "app", "appidacr": "1" if actor.kind == "secret" else "2"}
    if actor.kind == "managed_identity":
        return claims | {
            "xms_az_nwperimid": [],
            "xms_mirid": _managed_identity(actor, act.resource.subscription),
        }
    # A client fetches a token and keeps it for about a day from one place: the token id tells them apart.
    token = Dice("token", actor.name, actor.address, act.time.date()).hex(22)
    return claims | {"iss": f"https://sts.windows.net/{tenant(actor.organisation)}/", "uti": token}


def _flat_claims(act: Act) -> Record:
    """Return the claims as the documented record nests them, URLs taken apart at their slashes."""
    actor = act.actor
    claims: Record = {"appid": actor.app_id}
    claims["http_schemas_microsoft_com_identity"] = {"claims": {"objectidentifier": actor.object_id}}
    if actor.kind == "user":
        claims["http_schemas_xmlsoap_org_ws_2005_05_identity"] = {"claims": {"upn": actor.upn}}
    else:
        claims["idtyp"] = "app"
    if actor.kind == "managed_identity":
        claims["xms_mirid"] = _managed_identity(actor, act.resource.subscription)
    return claims


def _management_claims(actor: Actor) -> Record:
    """Return the claims of a call through Azure Resource Manager, under their URI names."""
    claims = {f"{_MICROSOFT_CLAIMS}/objectidentifier": actor.object_id, "appid": actor.app_id}
    return claims | ({f"{_XML_CLAIMS}/upn": actor.upn} if actor.kind == "user" else {})


def _managed_identity(actor: Actor, subscription: str) -> str:
    return f"/subscriptions/{subscription}/resourcegroups/rg-apps/providers/{actor.host_resource}/{actor.name}"


def request_uri(act: Act, *, with_query: bool) -> str:
    """Return the URI as the client wrote it, with that client's habits."""
    if act.operation in MANAGEMENT:
        return f"https://management.azure.com{act.path}?api-version={act.actor.api}"
    port = ":8443" if act.actor.uri == "port" else ""
    uri = f"https://{act.resource.host}{port}{act.path}"
    if not with_query:
        return uri
    uri += f"?api-version={act.actor.api}"
    if act.actor.uri == "portal":
        page = "&maxresults=25" if "List" in act.operation else ""
        uri += f"{page}&_={int(act.time.timestamp() * 1000)}"
    return uri


def _object_id(act: Act) -> Record:
    """Return the URI of the object that was asked for; lists and whole-HSM operations have none."""
    if not act.key or act.operation == "Authentication" or "List" in act.operation:
        return {}
    versioned = "{version}" in ROUTES[act.operation].path
    family = "secrets" if act.operation.startswith("Secret") else "keys"
    return {"id": f"https://{act.resource.host}/{family}/{act.key}" + (f"/{act.version}" if versioned else "")}


def _trust(actor: Actor) -> Record:
    """Return the mark of a Microsoft service that passes the firewall."""
    is_trusted = actor.host_resource.startswith(("Microsoft.Sql", "Microsoft.Compute/disk"))
    return {"addrAuthType": "TrustedService", "trustedService": actor.host_resource} if is_trusted else {}


def _signature(act: Act) -> str:
    return HTTPStatus(act.status).phrase


def _milliseconds(act: Act, dice: Dice) -> int:
    """Return a service time: short for most, long for the heavy operations."""
    slow = act.operation in {"BackupCreate", "SecurityDomainBackup", "KeyCreate", "KeyRotate"}
    chance = dice.between(0, 1)
    return (310 if slow else 9) + int(260 * chance * chance * chance)


def _description(act: Act) -> Record:
    """Return what the service says about a failure; a success says nothing."""
    match act.status:
        case 403:
            return {"resultDescription": _denial(act)}
        case 404 if act.key:
            return {
                "resultDescription": f"A key with (name/id) {act.key} was not found in this managed HSM. "
                "If you recently deleted this key you may be able to recover it."
            }
        case 404:
            return {"resultDescription": "The requested path does not exist."}
        case 409:
            return {
                "resultDescription": f"Key {act.key} is currently in a deleted but recoverable state, and "
                "its name cannot be reused; in this state, the key can only be recovered or purged."
            }
        case 400:
            return {"resultDescription": "The parameter is incorrect: value is not base64url."}
        case 401:
            return {"resultDescription": "AKV10000: Request is missing a Bearer or PoP token."}
    return {}


def _denial(act: Act) -> str:
    """Return the text of a role denial, several lines in one string as key vaults write it."""
    actor = act.actor
    issuer = f"https://sts.windows.net/{tenant(actor.organisation)}/"
    resource = act.path if act.operation.startswith("Key") else act.scope or "/"
    return "\n".join(
        (
            "Caller is not authorized to perform action on resource.",
            "If role assignments, deny assignments or role definitions were changed recently, "
            "please observe propagation time.",
            f"Caller: appid={actor.app_id};oid={actor.object_id};iss={issuer}",
            f"Action: 'Microsoft.KeyVault/managedHsm/{ROUTES[act.operation].action}'",
            f"Resource: '{resource}'",
            "Assignment: (not found)",
            "DenyAssignmentId: null",
            "DecisionReason: null",
            f"Managed HSM: {act.resource.name};location={act.resource.region}",
        )
    )


def _time_guid(time: datetime, actor: Actor) -> str:
    """Return a version 1 GUID: in it a clock some seconds off, and a documentation network card."""
    card = Dice("network card", actor.name, actor.address)
    node = 0x00005E005300 + card.whole(0, 255)
    skew = card.between(-3, 3)
    ticks = int((time.timestamp() + skew) * 1_000_000) * 10 + _GREGORIAN_TICKS
    return str(UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48, 0x9E, 0x9B, node), version=1))
