"""Records that say more about the same people: of other logs (control plane, sign-ins, storage), and of lists.

They are recognised by what they call themselves, and by their fields where an export leaves that out. Their
fields are kept as they came; what they mean is for `normalise` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from ..evidence.signs import download_kind, list_kind

Kind = Literal[
    "activity", "signins", "blob_requests", "identities", "role_assignments", "role_definitions", "address_ranges"
]

# Category of a record, or the name of its table in Log Analytics → what it tells about.
_SIGNINS = (
    "signinlogs", "noninteractiveusersigninlogs", "serviceprincipalsigninlogs", "managedidentitysigninlogs",
    "aadnoninteractiveusersigninlogs", "aadserviceprincipalsigninlogs", "aadmanagedidentitysigninlogs",
)  # fmt: skip
_ACTIVITY = (
    "administrative", "security", "servicehealth", "alert", "recommendation", "policy", "autoscale", "resourcehealth",
    "azureactivity",
)  # fmt: skip
_BLOB_REQUESTS = ("storageread", "storagewrite", "storagedelete", "storagebloblogs")
KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_ACTIVITY, "activity"),
    **dict.fromkeys(_SIGNINS, "signins"),
    **dict.fromkeys(_BLOB_REQUESTS, "blob_requests"),
}

# Fields that only one of them has, for exports that say neither category nor table.
_TELLING: Final[tuple[tuple[frozenset[str], Kind], ...]] = (
    (frozenset({"operationnamevalue"}), "activity"),
    (frozenset({"eventtimestamp", "operationname"}), "activity"),
    (frozenset({"createddatetime", "ipaddress", "appid"}), "signins"),
    (frozenset({"uniquetokenidentifier", "ipaddress"}), "signins"),
    (frozenset({"authenticationtype", "authenticationhash"}), "blob_requests"),
)


@dataclass(frozen=True, slots=True)
class Context:
    """A record of another log or of a list, its fields by their names in lower case."""

    kind: Kind
    fields: dict[str, Any]


def kind_of(folded: dict[str, Any]) -> Kind | None:
    """Say of which log or list a record is; None where it is none of those that give context.

    >>> kind_of({"category": "Administrative"}), kind_of({"category": "AuditEvent", "type": "AzureDiagnostics"})
    ('activity', None)
    >>> kind_of({"eventtimestamp": "2026-03-04T09:00:00Z", "operationname": {"value": "x"}})
    'activity'
    """
    named = [_text(folded.get(name)) for name in ("type", "category", "categoryvalue")]
    if any(named):
        found = next((KINDS[name] for name in named if name in KINDS), None)
        if found or "auditevent" in named:
            return found
    found = next((kind for telling, kind in _TELLING if telling <= folded.keys()), None)
    names = _names(folded)
    return found or list_kind(names) or download_kind(names)


def _names(folded: dict[str, Any]) -> tuple[str, ...]:
    """Names of a record's fields; Azure's own interfaces keep most of them one level below."""
    inner = folded.get("properties")
    return (*folded, *map(str, inner)) if isinstance(inner, dict) else tuple(folded)


def _text(value: Any) -> str:
    if isinstance(value, dict):  # {"value":…, "localizedValue":…} of the activity log's own interface
        value = value.get("value")
    return value.lower() if isinstance(value, str) else ""
