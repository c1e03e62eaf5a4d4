"""What tells a log, or a list of people, rights or addresses, from any other file: names that nothing else has.

References
----------
https://learn.microsoft.com/entra/identity/monitoring-health/howto-download-logs
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log (Download as CSV)
https://learn.microsoft.com/graph/api/resources/user, …/serviceprincipal, …/application, …/ipnamedlocation
https://learn.microsoft.com/cli/azure/keyvault/role/assignment
https://learn.microsoft.com/entra/identity/users/users-bulk-download
https://learn.microsoft.com/azure/virtual-network/service-tags-overview#discover-service-tags-by-using-downloadable-json-files
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from typing import Final, Literal

ListKind = Literal["identities", "role_assignments", "address_ranges"]
DownloadKind = Literal["activity", "signins"]

# Blobs of the service are evidence by their name, however damaged; any other file by what it holds.
LOG_NAME: Final = re.compile(r"^PT\w+\.json(\.gz)?$", re.IGNORECASE)

_ADDRESS = rb'"(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{0,4}:[\da-f:.]*)(?:/\d+|\s*-[\s\da-f:.]+)?"'
_AT = rb'"(?:cidr|network|ip_?range|range|subnet|prefix|address_?prefix|ip_?address|address|ip)"\s*:\s*' + _ADDRESS
_OF = rb'"(?:label|name|display_?name|description|owner|comment|site|location)"\s*:'
# Fields of the logs; of sign-ins as Microsoft Graph and the portal export them; of lists; an address beside its name.
LOG_TEXT: Final = re.compile(
    rb'"operationName"\s*:|\bTimeGenerated\b|"(?:uniqueTokenIdentifier|conditionalAccessStatus)"\s*:'
    rb'|"(?:userPrincipalName|servicePrincipalType|appId|roleDefinitionId|addressPrefixes|cidrAddress)"\s*:'
    rb"|#microsoft\.graph\.(?:user|group|application|servicePrincipal)\b|ManagedIdentity/userAssignedIdentities"
    rb"|" + _AT + rb"[^{}]{1,200}" + _OF + rb"|" + _OF + rb"[^{}]{1,200}" + _AT,
    re.IGNORECASE,
)

# Columns of lists, by their letters and digits alone: exports differ in how they write them.
NETWORKS: Final = (
    "cidr",
    "network",
    "range",
    "iprange",
    "subnet",
    "prefix",
    "addressprefix",
    "ipaddress",
    "address",
    "ip",
)
LABELS: Final = ("label", "name", "displayname", "description", "owner", "comment", "site", "location")
CLASSES: Final = ("class", "addressclass", "zone", "category", "type", "kind")
OBJECT_IDS: Final = ("objectid", "principalid", "id")
APP_IDS: Final = ("appid", "applicationid", "applicationclientid", "clientid")

_PERSON = {"userprincipalname", "serviceprincipaltype", "odatatype"}
_NAMED = {"displayname", "name", "principalid"}
_OF_A_LOG = {"operationname", "operationnamevalue", "eventtimestamp", "correlationid", "uniquetokenidentifier"}
_OF_A_MOMENT = {"time", "timestamp", "datetime", "date", "ts"}  # other logs have addresses and names, too
_TIMES = "timegenerated"
_SEPARATORS = ",;\t"

# What portals put into their CSVs has the names that they display, and those alone: of the sign-ins that the Entra admin
# centre downloads (users', service principals' and managed identities'), and of the Azure portal's activity log.
_DOWNLOADS: Final[tuple[tuple[frozenset[str], DownloadKind], ...]] = (
    (frozenset({"requestid", "signinerrorcode", "ipaddress"}), "signins"),
    (frozenset({"operationname", "eventcategory", "eventinitiatedby"}), "activity"),
)


@lru_cache(64)
def list_kind(names: tuple[str, ...]) -> ListKind | None:
    """Say what a list with columns of these names lists; None where it is none of them.

    >>> list_kind(("userPrincipalName", "displayName", "id")), list_kind(("CIDR", "Site"))
    ('identities', 'address_ranges')
    >>> list_kind(("TimeGenerated", "CallerIPAddress", "OperationName")) is None
    True
    """
    plain = set(map(plain_name, names))
    if plain & _OF_A_LOG or any(name.startswith(_TIMES) for name in plain):
        return None
    if "roledefinitionid" in plain and plain & {"principalid", "objectid"}:
        return "role_assignments"
    if plain & {"addressprefixes", "ipranges"}:
        return "address_ranges"
    if "ipaddress" not in plain and _lists_identities(plain):
        return "identities"
    is_listed = plain.intersection(NETWORKS) and plain.intersection(LABELS) and not plain & _OF_A_MOMENT
    return "address_ranges" if is_listed else None


@lru_cache(64)
def download_kind(names: tuple[str, ...]) -> DownloadKind | None:
    """Say of which log a portal's CSV with columns of these names is; None where it is none.

    >>> download_kind(("Date (UTC)", "Request ID", "IP address", "Sign-in error code"))
    'signins'
    """
    plain = set(map(plain_name, names))
    return next((kind for telling, kind in _DOWNLOADS if telling <= plain), None)


def _lists_identities(plain: set[str]) -> bool:
    has_app = bool(plain.intersection(APP_IDS))
    if plain & _PERSON:
        return has_app or bool(plain.intersection(OBJECT_IDS))
    return has_app and bool(plain & _NAMED)


@lru_cache(4096)
def plain_name(name: str) -> str:
    """Name of a column by its letters and digits alone, in lower case.

    >>> plain_name("Application (client) ID")
    'applicationclientid'
    """
    return "".join(character for character in name.lower() if character.isalnum())


def table_header(head: bytes) -> tuple[tuple[str, ...], str] | None:
    r"""Columns of the list, or of a portal's log, that begins with these bytes, and what parts them; None for any other.

    >>> table_header(b"cidr;label\n192.0.2.0/24;Office\n")
    (('cidr', 'label'), ';')
    """
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].decode("utf-8", "replace").strip()
    if not line or line[0] in "{[" or len(line) > 1 << 14:
        return None
    separator = max(_SEPARATORS, key=line.count)
    try:
        names = tuple(name.strip() for name in next(csv.reader([line], delimiter=separator)))
    except csv.Error:
        return None
    return (names, separator) if len(names) > 1 and (list_kind(names) or download_kind(names)) else None
