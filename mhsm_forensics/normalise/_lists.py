"""Entries of lists → rows: who an id is, who has which role, whose an address is.

A list has no time: it says what was so when somebody made it, and the entry's own date of creation at most.

References
----------
https://learn.microsoft.com/graph/api/resources/user
https://learn.microsoft.com/graph/api/resources/serviceprincipal
https://learn.microsoft.com/graph/api/resources/application
https://learn.microsoft.com/graph/api/resources/ipnamedlocation
https://learn.microsoft.com/cli/azure/identity#az-identity-list
https://learn.microsoft.com/cli/azure/keyvault/role/assignment#az-keyvault-role-assignment-list
https://learn.microsoft.com/cli/azure/keyvault/role/definition#az-keyvault-role-definition-list
https://learn.microsoft.com/azure/virtual-network/service-tags-overview
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from ..evidence.signs import APP_IDS, CLASSES, LABELS, NETWORKS, OBJECT_IDS, plain_name
from ._said import first, lower, nested
from ._times import ticks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..load import Kind

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_KINDS = {
    "user": "user", "group": "group", "application": "application", "serviceprincipal": "service_principal",
    "managedidentity": "managed_identity", "msi": "managed_identity",
}  # fmt: skip
_PARTS = ("actions", "notActions", "dataActions", "notDataActions")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def identity(said: dict[str, Any]) -> dict[str, Any] | str:
    """Row of `identities` of an entry, or why it is none."""
    said = _plain(said)
    kind, resource_id = _identity_kind(said), _resource_of(said)
    object_id, app_id = lower(first(said, *OBJECT_IDS)), lower(first(said, *APP_IDS))
    if object_id == resource_id:
        object_id = None
    if not object_id and not app_id:
        return "no_id"
    return {
        "object_id": object_id, "app_id": app_id, "upn": first(said, "userprincipalname"),
        "label": first(said, "displayname", "appdisplayname", "name"), "kind": kind,
        "enabled": lower(first(said, "accountenabled")), "user_type": first(said, "usertype"),
        "owner_tenant_id": lower(first(said, "appownerorganizationid", "appownertenantid", "tenantid")),
        "resource_id": resource_id, "created": _moment(first(said, "createddatetime", "createdon", "created")),
        "source": first(said, "odatatype", "type"),
    }  # fmt: skip


def _identity_kind(said: dict[str, Any]) -> str:
    """Say what kind of identity an entry is, by what it calls itself, else by the fields that only one kind has."""
    named = plain_name((first(said, "odatatype") or "").rpartition(".")[2])
    kind = plain_name(first(said, "serviceprincipaltype", "applicationtype", "type") or "")
    if "managedidentity" in kind:
        return "managed_identity"
    if named in _KINDS:
        return _KINDS[named]
    if "userprincipalname" in said:
        return "user"
    if said.keys() & {"publisherdomain", "requiredresourceaccess", "applicationclientid"}:
        return "application"
    return "service_principal" if said.keys() & {"serviceprincipaltype", "applicationtype", *APP_IDS} else "unknown"


def _resource_of(said: dict[str, Any]) -> str | None:
    """Resource id of a managed identity: its own id, or among the other names of its service principal."""
    names = said.get("alternativenames")
    texts = [first(said, "id"), *(names if isinstance(names, list) else ())]
    found = (str(text).lower() for text in texts if text and str(text).lower().startswith("/subscriptions/"))
    return next(found, None)


def role_assignment(said: dict[str, Any]) -> dict[str, Any] | str:
    """Row of `role_assignments` of an entry, or why it is none."""
    said = _plain(said)
    object_id = lower(first(said, "principalid", "objectid"))
    if not object_id:
        return "no_principal"
    kind = first(said, "principaltype", "objecttype")
    return {
        "assignment_id": _last(first(said, "roleassignmentname", "name", "id")),
        "object_id": object_id, "principal": first(said, "principalname", "displayname", "signinname"),
        "principal_type": _KINDS.get(plain_name(kind or ""), lower(kind)),
        "role_definition_id": _last(first(said, "roledefinitionid")),
        "role_name": first(said, "rolename", "roledefinitionname"), "scope": first(said, "scope"),
        "created": _moment(first(said, "createdon")), "source": first(said, "type"),
    }  # fmt: skip


def role_definition(said: dict[str, Any]) -> dict[str, Any] | str:
    """Row of `role_definitions` of an entry, or why it is none. Of a role of the REST interface, `type` says what it is of."""
    inner, said = nested(said.get("properties")), _plain(said)
    role = _last(first(said, "name", "id"))
    if not role:
        return "no_id"
    scopes = said.get("assignablescopes")
    return {
        "role_definition_id": role, "role_name": first(said, "rolename"),
        "role_type": first(said, "roletype") or first(inner, "type"),
        "description": first(said, "description"), "scopes": scopes if _is_texts(scopes) else [],
        "permissions": _permissions(said.get("permissions")), "source": first(said, "type"),
    }  # fmt: skip


def _permissions(blocks: Any) -> str | None:
    """Blocks of rights as JSON; None where one of them can't be read, since nobody knows then what the role allows."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return None
    read = [{plain_name(str(name)): value for name, value in block.items()} for block in blocks]
    rows = [{name: block.get(name.lower()) or [] for name in _PARTS} for block in read]
    if any("dataactions" not in block for block in read) or not all(
        _is_texts(part) for row in rows for part in row.values()
    ):
        return None
    return json.dumps(rows, separators=(",", ":"))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def address_range(said: dict[str, Any]) -> dict[str, Any] | str:
    """Row of `address_ranges` of an entry, or why it is none."""
    said = _plain(said)
    source, prefixes = _prefixes(said)
    networks, wrong = _networks(prefixes)
    if not networks:
        return next(iter(wrong.values()), "no_network")
    trusted = "trusted" if str(said.get("istrusted")).lower() == "true" else None
    return {
        "networks": networks, "unreadable": list(wrong), "label": first(said, *LABELS),
        "address_class": trusted or (lower(first(said, *CLASSES)) if source == "list" else None),
        "region": first(said, "region") or None, "service": first(said, "systemservice"), "source": source,
    }  # fmt: skip


def _prefixes(said: dict[str, Any]) -> tuple[str, list[str]]:
    """Addresses of an entry as they are written, and what kind of list it is of."""
    if isinstance(tagged := said.get("addressprefixes"), list):
        return "service_tags", [str(prefix) for prefix in tagged]
    if isinstance(located := said.get("ipranges"), list):
        return "named_location", [first(nested(one), "cidraddress") or str(one) for one in located]
    text = first(said, *NETWORKS)
    return "list", [text] if text else []


def _networks(prefixes: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return the networks, and why which of the texts is none.

    >>> _networks(["192.0.2.7", "198.51.100.0-198.51.100.2", "192.0.2.1/24"])
    (['192.0.2.7/32', '198.51.100.0/31', '198.51.100.2/32'], {'192.0.2.1/24': 'host_bits_set'})
    """
    found: list[str] = []
    wrong: dict[str, str] = {}
    for text in prefixes:
        try:
            found += map(str, _parsed(text))
        except ValueError as problem:
            wrong[text] = "host_bits_set" if "host bits" in str(problem) else "bad_network"
        except TypeError:  # from an IPv4 address to an IPv6 one
            wrong[text] = "bad_network"
    return found, wrong


def _parsed(text: str) -> Iterator[Network]:
    start, dash, end = text.partition("-")
    if dash:
        return ipaddress.summarize_address_range(*map(ipaddress.ip_address, (start.strip(), end.strip())))
    network = ipaddress.ip_network(text.strip())
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        short = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        network = ipaddress.ip_network((short, network.prefixlen - 96))
    return iter((network,))


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    return {plain_name(name): value for name, value in said.items()}


def _last(text: str | None) -> str | None:
    return text.rstrip("/").rpartition("/")[2].lower() or None if text else None


def _moment(text: str | None) -> int | None:
    """Microseconds since 1970 of a date of creation; None where its zone is not known."""
    ticks, wrong = ticks_of([text or ""], [False])
    return None if wrong else int(ticks[0]) // 10


LISTS: dict[Kind, Callable[[dict[str, Any]], dict[str, Any] | str]] = {
    "identities": identity, "role_assignments": role_assignment, "role_definitions": role_definition,
    "address_ranges": address_range,
}  # fmt: skip
