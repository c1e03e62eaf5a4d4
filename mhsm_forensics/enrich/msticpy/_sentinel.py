"""Our questions in KQL, for those who ask Microsoft Sentinel through msticpy."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ...errors import InputError
from ._questions import microseconds

# What a value may hold. None allows a backtick: three of them are what ends a literal in the texts.
_ALLOWED: Final = {
    "hsm": (re.compile(r"[A-Za-z0-9-]{1,64}"), "the name of a managed HSM, without address or id"),
    "key": (re.compile(r"[A-Za-z0-9-]{1,127}"), "the name of a key: letters, digits and -"),
    "operation": (re.compile(r"[A-Za-z0-9]{1,100}"), "an operation as the log names it"),
    "principal": (re.compile(r"[^\s`\\\"\x00-\x20\x7f]{1,256}"), "a user name, an object id or an application id"),
    "correlation_id": (re.compile(r"[A-Za-z0-9._-]{1,100}"), "letters, digits, . _ and -"),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def sentinel_queries() -> Path:
    """Folder of our KQL as query templates: `QueryProvider("MSSentinel", query_paths=[str(sentinel_queries())])`.

    They read `AzureDiagnostics` and `AZKVAuditLogs`, whichever there is, as one table. msticpy pastes values into the text as
    they are: make them with `sentinel_values`. What its provider returns is for looking; as evidence, collect with
    `mhsm_forensics.collect.workspace`, which keeps the service's own bytes and counts every slice.

    References
    ----------
    https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables/azkvauditlogs
    """
    return Path(str(resources.files(__package__).joinpath("sentinel")))


def sentinel_values(**values: Any) -> dict[str, Any]:
    """Values that may be pasted into a query: ``provider.ManagedHSM.list_audit_events_by_key(**sentinel_values(key="kek"))``.

    Parameters
    ----------
    values
        ``start``, ``end`` (half-open, aware), ``principal``, ``caller_ip``, ``key``, ``hsm``, ``operation``, ``correlation_id``.

    Returns
    -------
    The same values, addresses in their shortest spelling and times in UTC.

    Raises
    ------
    InputError
        A value holds what none of its kind has, a time has no zone, or there is no such value.

    Examples
    --------
    >>> sentinel_values(caller_ip="2001:0DB8::1", key="payments-kek")
    {'caller_ip': '2001:db8::1', 'key': 'payments-kek'}
    >>> sentinel_values(key="x```) or true //")
    Traceback (most recent call last):
    ...
    mhsm_forensics.errors.InputError: 'x```) or true //': can't be asked for as key. Hint: ...
    """
    return {name: _checked(name, value) for name, value in values.items()}


def _checked(name: str, value: Any) -> Any:
    if name in ("start", "end"):
        return _EPOCH + timedelta(microseconds=microseconds(value))
    if name == "caller_ip":
        try:
            return str(ipaddress.ip_address(str(value)))
        except ValueError:
            raise _refusal(name, value, "an address without port") from None
    if name not in _ALLOWED:
        raise InputError(f"{name}: no value of our queries. Hint: start, end, caller_ip, {', '.join(_ALLOWED)}.")
    allowed, hint = _ALLOWED[name]
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise _refusal(name, value, hint)
    return value


def _refusal(name: str, value: Any, hint: str) -> InputError:
    return InputError(f"{str(value)[:60]!r}: can't be asked for as {name}. Hint: {hint}.")
