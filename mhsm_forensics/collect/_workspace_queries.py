"""The KQL that is sent: one text in `kql/`, its values put in as literals that were checked.

The query API binds no parameters, so the `let` lines at the head of each text are replaced. A time is
written by the code, a name of an HSM may only hold what the service allows in one.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

Table = Literal["AzureDiagnostics", "AZKVAuditLogs"]

TABLES: Final[tuple[Table, ...]] = ("AzureDiagnostics", "AZKVAuditLogs")
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


def query(name: str, start: datetime, end: datetime, *, table: Table = TABLES[0], hsms: Iterable[str] = ()) -> str:
    """Return the text of `kql/<name>.kql` for one table, the times from *start* up to *end*, and these HSMs.

    >>> text = query("count", datetime(2026, 3, 5, tzinfo=UTC), LATEST, hsms=["contoso"])
    >>> text.splitlines()[1]
    'let start_time = datetime(2026-03-05T00:00:00.000000Z);'
    >>> query("count", EARLIEST, LATEST, hsms=['x"]); drop'])
    Traceback (most recent call last):
    ...
    mhsm_forensics.errors.InputError: 'x"]); drop': no name of a managed HSM. Hint: ...
    """
    text = _text(name)
    values = {"start_time": _time(start), "end_time": _time(end), "hsms": _names(hsms)}
    for variable, value in values.items():
        text = re.sub(rf"^let {variable} = .*;$", f"let {variable} = {value};", text, count=1, flags=re.MULTILINE)
    return re.sub(rf"^{TABLES[0]}$", table, text, flags=re.MULTILINE)


def digest(text: str) -> str:
    """SHA-256 of a query's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath("kql", f"{name}.kql").read_text("utf-8")


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InputError.naive_time(moment.isoformat())
    return f"datetime({moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ})"


def _names(hsms: Iterable[str]) -> str:
    names = list(hsms)
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r}: no name of a managed HSM. Hint: give its name alone, without address or id.")
    return f"dynamic({json.dumps(names)})"
