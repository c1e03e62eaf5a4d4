"""Which resource: what a resource id says, in lower case, because logs and tables differ in theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass

MANAGED_HSM = "managedhsms"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a resource id says."""

    resource_id: str | None = None
    subscription_id: str | None = None
    resource_group: str | None = None
    resource_type: str | None = None
    hsm: str | None = None


def resource_of(
    resource_id: str | None, resource: str | None = None, resource_type: str | None = None, uri: str | None = None
) -> Resource:
    """What a record says of its resource: by its resource id, else by two columns, else by the host that was asked.

    >>> resource_of("/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO").hsm
    'contoso'
    >>> resource_of(None, "CONTOSO", "MANAGEDHSMS").hsm, resource_of(None, uri="https://kv.vault.azure.net/keys").resource_type
    ('contoso', 'vaults')
    """
    if resource_id:
        return _by_id(resource_id)
    kind = (resource_type or "").lower().strip("/").rpartition("/")[2]
    if kind:
        return Resource(resource_type=kind, hsm=_name(resource) if kind == MANAGED_HSM else None)
    if arm := _ARM.search(uri or ""):
        return _by_id(arm[0])
    name, _, domain = host_of(uri).partition(".")
    if domain.startswith("managedhsm."):
        return Resource(resource_type=MANAGED_HSM, hsm=name)
    return Resource(resource_type="vaults") if domain.startswith("vault.") else Resource()


def origin_of(uri: str | None) -> str | None:
    """The part of a URI that names a resource: its path in Azure Resource Manager, or its host; None where neither does.

    >>> origin_of("https://contoso.managedhsm.azure.net/keys/k?x=1")
    'https://contoso.managedhsm.azure.net'
    """
    arm, host = _ARM.search(uri or ""), host_of(uri)
    return arm[0] if arm else f"https://{host}" if host else None


_ARM = re.compile(
    r"/subscriptions/[^/?#]+/resourcegroups/[^/?#]+/providers/microsoft\.keyvault/\w+/[^/?#]+", re.IGNORECASE
)


def host_of(uri: str | None) -> str:
    """Host of a URI in lower case; nothing where it has none.

    >>> host_of("https://Contoso.managedhsm.azure.net:443/keys/k?x=1")
    'contoso.managedhsm.azure.net'
    """
    found = _HOST.match(uri or "")
    return found[1].lower() if found else ""


_HOST = re.compile(r"\s*[a-zA-Z]+://([^/:?#\s]+)")


def _name(resource: str | None) -> str | None:
    return (resource or "").lower() or None


def _by_id(resource_id: str) -> Resource:
    folded = resource_id.lower()
    parts = folded.strip("/").split("/")
    named = dict(zip(parts[::2], parts[1::2], strict=False))
    at = parts.index("providers") + 2 if "providers" in parts[:-2] else len(parts)
    kind = parts[at] if len(parts) > at else None
    name = parts[at + 1] if kind == MANAGED_HSM and len(parts) > at + 1 else None
    return Resource(folded, named.get("subscriptions"), named.get("resourcegroups"), kind, name)
