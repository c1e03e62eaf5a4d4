"""The KQL that is sent: one text in `kql/` for each kind of log, its values put in as literals that were checked.

Each text asks for rows. How many they are, in which hours, and whether the table is there at all is asked with the
same text and another end, so that all four questions are about the same rows. The query API binds no parameters:
the `let` lines at the head of a text are replaced. A time is written by the code; names, ids and addresses
may only hold what the service allows in one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

Ask = Literal["rows", "count", "hours"]

TABLES: Final = ("AzureDiagnostics", "AZKVAuditLogs")
CONTEXT_TABLES: Final = (
    "AzureActivity", "SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs",
    "AADManagedIdentitySignInLogs", "StorageBlobLogs",
)  # fmt: skip
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

_TEXTS = {"AzureActivity": "activity", "StorageBlobLogs": "blob_requests"}
_WRITTEN_FOR = {
    "audit": TABLES[0],
    "activity": "AzureActivity",
    "signins": "SigninLogs",
    "blob_requests": "StorageBlobLogs",
}
_ENDS: Final[dict[Ask, tuple[str, str]]] = {
    "rows": ("", ""),
    "count": (
        "// How many rows the slice has: what the collected rows are checked against.\n",
        "| summarize found = count()\n",
    ),
    "hours": (
        "// Rows per hour: what the slices are sized by.\n",
        "| summarize found = count() by hour = bin(TimeGenerated, 1h)\n| sort by hour asc\n",
    ),
}
_EXTENT = """\
// Which of the tables there are, and what they hold. An absent table is no error and has no row; an empty one has a
// row that counts 0. The last leg has no row: it lets the union resolve where a workspace has none of the tables.
"""
_LAST_LEG = "  (datatable(source: string, found: long, oldest: datetime, newest: datetime) [])"

_HSM = re.compile(r"[A-Za-z0-9-]{1,64}")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclass(frozen=True, slots=True)
class Only:
    """Which rows of a table are asked for; values that a kind of log has no use for are left out of its query."""

    hsms: tuple[str, ...] = ()  # of audit rows and the activity log; none: all
    ids: tuple[str, ...] = ()  # object ids, of sign-ins and requests to storage
    addresses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()  # storage accounts

    def checked(self) -> Only:
        """Return the same, in order and without repeats.

        Raises
        ------
        InputError
            A value is none of what it should be.
        """
        _refuse(self.hsms, _HSM, "managed HSM", "give its name alone, without address or id")
        _refuse(self.accounts, _ACCOUNT, "storage account", "give its name alone, without address")
        _refuse(self.ids, _GUID, "object id", "an object id is a GUID")
        addresses = {str(ipaddress.ip_address(address)) for address in self.addresses}
        lower = {name: tuple(sorted({v.lower() for v in getattr(self, name)})) for name in ("hsms", "ids", "accounts")}
        return replace(self, **lower, addresses=tuple(sorted(addresses)))


def _refuse(values: Iterable[str], allowed: re.Pattern[str], what: str, hint: str) -> None:
    for value in values:
        if not allowed.fullmatch(value):
            raise InputError(f"{value!r}: no name of a {what}. Hint: {hint}.")


def query(ask: Ask, start: datetime, end: datetime, *, table: str = TABLES[0], only: Only = Only()) -> str:
    """Return the text that asks a table for rows, or how many they are, of times from *start* up to *end*.

    >>> text = query("count", datetime(2026, 3, 5, tzinfo=UTC), LATEST, only=Only(hsms=("contoso",)))
    >>> text.splitlines()[1]
    'let start_time = datetime(2026-03-05T00:00:00.000000Z);'
    >>> query("count", EARLIEST, LATEST, only=Only(hsms=('x"]); drop',)))
    Traceback (most recent call last):
    ...
    mhsm_forensics.errors.InputError: 'x"]); drop': no name of a managed HSM. Hint: ...
    """
    head, end_of_it = _ENDS[ask]
    comment, lets, rows = _filled(table, start, end, only)
    return f"{head or comment}{lets}{rows}{end_of_it}"


def extent(tables: Iterable[str], start: datetime, end: datetime, *, only: Only = Only()) -> str:
    """Return the text that asks which of some tables there are, how many of the rows they hold, and from when to when."""
    lets: dict[str, None] = {}
    legs = []
    for table in tables:
        _, values, rows = _filled(table, start, end, only)
        lets |= dict.fromkeys(values.splitlines())
        counted = "| summarize found = count(), oldest = min(TimeGenerated), newest = max(TimeGenerated)\n"
        leg = f'{rows}{counted}| extend source = "{table}"'
        legs.append("  (" + leg.replace("\n", "\n  ") + "),\n")
    return _EXTENT + "\n".join(lets) + "\nunion isfuzzy=true\n" + "".join(legs) + _LAST_LEG + "\n"


def digest(text: str) -> str:
    """SHA-256 of a query's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _filled(table: str, start: datetime, end: datetime, only: Only) -> tuple[str, str, str]:
    """Return a text with its values put in: its comment, its `let` lines, and what follows."""
    name = _TEXTS.get(table) or ("audit" if table in TABLES else "signins")
    only = only.checked()
    values = {"start_time": _time(start), "end_time": _time(end)}
    values |= {field: f"dynamic({json.dumps(getattr(only, field))})" for field in Only.__slots__}
    text = _text(name)
    for variable, value in values.items():
        text = re.sub(rf"^let {variable} = .*;$", f"let {variable} = {value};", text, count=1, flags=re.MULTILINE)
    head, _, rows = text.partition(f"\n{_WRITTEN_FOR[name]}\n")
    comment, let, lets = head.partition("let ")
    return comment, f"{let}{lets}\n", f"{table}\n{rows}"


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath("kql", f"{name}.kql").read_text("utf-8")


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InputError.naive_time(moment.isoformat())
    return f"datetime({moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ})"
