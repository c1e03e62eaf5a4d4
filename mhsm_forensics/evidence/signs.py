"""What tells a log, or a list of people, rights or addresses, from any other file: names that nothing else has.

References
----------
https://learn.microsoft.com/entra/identity/monitoring-health/howto-download-logs
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log (Download as CSV)
https://learn.microsoft.com/graph/api/resources/user, …/serviceprincipal, …/application, …/ipnamedlocation
https://learn.microsoft.com/cli/azure/keyvault/role/assignment, …/role/definition
https://learn.microsoft.com/entra/identity/users/users-bulk-download
https://learn.microsoft.com/azure/virtual-network/service-tags-overview#discover-service-tags-by-using-downloadable-json-files
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

ListKind = Literal["identities", "role_assignments", "role_definitions", "address_ranges"]
DownloadKind = Literal["activity", "signins"]

# Blobs of the service are evidence by their name, however damaged; any other file by what it holds.
LOG_NAME: Final = re.compile(r"^PT\w+\.json(\.gz)?$", re.IGNORECASE)

_ADDRESS = rb'"(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{0,4}:[\da-f:.]*)(?:/\d+|\s*-[\s\da-f:.]+)?"'
_AT = rb'"(?:cidr|network|ip_?range|range|subnet|prefix|address_?prefix|ip_?address|address|ip)"\s*:\s*' + _ADDRESS
_OF = rb'"(?:label|name|display_?name|description|owner|comment|site|location)"\s*:'
# Fields of the logs; of sign-ins as Microsoft Graph and the portal export them; of lists; an address beside its name.
LOG_TEXT: Final = re.compile(
    rb'operationName\\*"+\s*:|\bTimeGenerated\b|"eyJ[\w+/=-]{64}|\A(?:Obj\x01|PAR1)|\b_raw\b|"(?:uniqueTokenIdentifier|conditionalAccessStatus)"\s*:'
    rb'|"(?:userPrincipalName|servicePrincipalType|appId|roleDefinitionId|assignableScopes|addressPrefixes|cidrAddress)"\s*:'
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
_SEPARATORS = ",;\t|"

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
    if {"permissions", "assignablescopes"} <= plain:
        return "role_definitions"
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


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table, what parts its cells, and where its rows begin in what was looked at."""

    names: tuple[str, ...]
    separator: str
    end: int = 0
    holds_records: bool = False  # whole records as text in a cell

    @property
    def is_log(self) -> bool:
        """Whether a row is a record of a log, none of whose cells may be missing."""
        return self.holds_records or is_log_table(self.names) or not list_kind(self.names)

    @property
    def fewest(self) -> int:
        """How many cells a row has at least."""
        return len(self.names) if download_kind(self.names) else 0

    def row(self, cells: list[str]) -> dict[str, str]:
        """Cells by the names of their columns; of two of one name the one that is filled, and in a list both."""
        if not self.is_log or download_kind(self.names):
            return dict(zip(_distinct(self.names), cells, strict=False))
        row: dict[str, str] = {}
        spelled: dict[str, str] = {}
        for name, cell in zip(self.names, cells, strict=False):
            first = spelled.setdefault(name.strip().lower(), name)
            if cell or first not in row:
                row[first] = row.get(first) or cell
        return row


def table_of(head: bytes) -> Header | None:
    r"""Return the header of the table that begins with these bytes; None where they begin none that is read.

    What programs and people write above it (`sep=;`, `#TYPE …`, a title) is passed over.

    >>> table_of(b"cidr;label\n192.0.2.0/24;Office\n").names
    ('cidr', 'label')
    >>> table_of(b"Exported on Monday\r\nTimeGenerated [UTC],OperationName\r\n").end
    55
    """
    text = head.removeprefix(b"\xef\xbb\xbf")
    start = len(head) - len(text)
    if text.lstrip()[:1] in {b"{", b"["}:
        return None
    for number, line in enumerate(_LINE.finditer(text)):
        if number == _ABOVE:
            break
        separator = _separator_of(line[0])
        header = header_of(line[1], separator) or _of_records(line[1], text[line.end() :], separator)
        if header is not None:
            return replace(header, end=start + line.end())
    return None


_LINE = re.compile(rb"([^\r\n]*+)(?:\r\n|\n|\r|\Z)")
_ABOVE = 12  # lines above a header, at most
_PREAMBLE = re.compile(rb'"?(?:sep=.|#TYPE\b.*)"?', re.IGNORECASE)
_RECORD_CELL = re.compile(rb'""operationname""\s*:', re.IGNORECASE)


def is_preamble(line: bytes) -> bool:
    """Whether a line says how a table is written, and is no row of it."""
    return _PREAMBLE.fullmatch(line.strip()) is not None


def header_of(line: bytes, separator: str) -> Header | None:
    """Return the header that a line is; None where it is a row, or anything else."""
    names = _names(line, separator)
    is_header = is_log_table(names) or (len(names) > 1 and (list_kind(names) or download_kind(names)))
    return Header(names, separator) if is_header else None


def column_names_of(head: bytes) -> Header | None:
    """Return the header of a table that is of a log of Log Analytics and lacks what a record needs; None for any other."""
    for number, line in enumerate(_LINE.finditer(head)):
        if number == _ABOVE:
            break
        names = _names(line[1], separator := _separator_of(line[0]))
        plain = set(map(plain_name, names))
        is_log = any(name.startswith(_TIMES) for name in plain) or bool(plain & _OPERATIONS)
        if is_log and len(names) > 1 and not plain & _OF_OTHER_LOGS:
            return Header(names, separator)
    return None


# Columns that tell a record of another log, which need not say what was asked for.
_OF_OTHER_LOGS = {"type", "category", "ipaddress", "uniquetokenidentifier", "authenticationtype", "operationnamevalue"}


def is_log_table(names: tuple[str, ...]) -> bool:
    """Whether a table with these columns says when, and what was asked for.

    >>> is_log_table(("TimeGenerated [UTC]", "OperationName")), is_log_table(("TimeGenerated", "Operation"))
    (True, False)
    """
    plain = set(map(plain_name, names))
    if any(name.startswith((_TIMES, "originaltimegenerated")) for name in plain):
        return bool(plain & _OPERATIONS)
    # Records of a storage account, their fields as columns; other tables have times and operations too.
    return {"time", "operationname"} <= {name.strip().lower() for name in names} and bool(plain & _OF_A_RECORD)


_OF_A_RECORD = {"resourceid", "identity", "properties", "calleripaddress", "resultsignature"}
_OPERATIONS = {"operationname", "operationnames", "operationnamevalue"}


def _of_records(line: bytes, below: bytes, separator: str) -> Header | None:
    """Return the header of a table that holds whole records as text in one of its cells."""
    names = _names(line, separator)
    is_header = any(names) and _RECORD_CELL.search(below) is not None and b'""' not in line
    return Header(names, separator, holds_records=True) if is_header and not is_preamble(line) else None


def _separator_of(line: bytes) -> str:
    """What parts the cells of a header: names hold none of these, save in quotes."""
    text = line.decode("utf-8", "replace")
    return max(_SEPARATORS, key=text.count)


def _names(line: bytes, separator: str) -> tuple[str, ...]:
    if not line or len(line) > 1 << 16 or line.lstrip()[:1] in {b"{", b"["}:
        return ()
    text = line.decode("utf-8", "replace")
    if text.count('"') % 2:  # a stray quote would swallow the names after it
        text = text.replace('"', "")
    try:
        return tuple(name.strip().strip('"') for name in next(csv.reader([text], delimiter=separator)))
    except (csv.Error, StopIteration):
        return ()


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names of columns, so that none covers another: Entra's sign-ins have "Incoming token type" twice.

    >>> _distinct(("Incoming token type", "Resource", "Incoming token type"))
    ['Incoming token type', 'Resource', 'Incoming token type (2)']
    """
    before = [[other.lower() for other in names[:at]] for at in range(len(names))]
    return [
        f"{name} ({same + 1})" if (same := earlier.count(name.lower())) else name
        for name, earlier in zip(names, before, strict=True)
    ]
