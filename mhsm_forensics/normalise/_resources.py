"""Which resource: what a resource id says, in lower case, because logs and tables differ in theirs."""

from __future__ import annotations

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


def resource_of(resource_id: str | None) -> Resource:
    """What a resource id names; nothing where there is none.

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
    name = parts[at + 1] if kind == MANAGED_HSM and len(parts) > at + 1 else None
    return Resource(folded, named.get("subscriptions"), named.get("resourcegroups"), kind, name)
