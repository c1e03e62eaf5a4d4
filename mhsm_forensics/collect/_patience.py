"""Requests that are made again while that can help, and what to say when it can't."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

TRIES = 7
FIRST_WAIT = 0.5  # seconds; doubles with each try
LONGEST_WAIT = 60.0  # seconds; also of what the service asks for: a person is waiting

_TRANSIENT = {408, 429, 500, 502, 503, 504}

_AGAIN = "run the same command again"
_ROLE = "have the role 'Storage Blob Data Reader' given to this login on the container"
_FIREWALL = "run from a network that the account's firewall admits, or have this address added"

# (error code or status, how the service says it) -> the cure
_CURES = {
    "AuthorizationPermissionMismatch": _ROLE,
    "AuthorizationFailure": f"{_FIREWALL}; or {_ROLE}",
    "AuthorizationResourceTypeMismatch": "make the SAS for container and object (srt=co), permissions read and list",
    "AuthorizationProtocolMismatch": "use https, or a SAS that admits this protocol",
    "AuthorizationSourceIPMismatch": "run from the address that the SAS names",
    "AuthenticationFailed": "sign in again, or make a new SAS: this one is expired or not of this account",
    "InvalidAuthenticationInfo": "sign in again, in the tenant that owns the account",
    "NoAuthenticationInformation": "choose a login: --login",
    "PublicAccessNotPermitted": "choose a login: --login",
    "KeyBasedAuthenticationNotPermitted": "the account refuses keys: use --login browser, device or cli",
    "BlobArchived": "move it to an online tier (az storage blob set-tier --tier Hot; hours), then " + _AGAIN,
    "BlobBeingRehydrated": f"wait until it is online, then {_AGAIN}",
    "BlobNotFound": "it is gone since it was listed: look for it among deleted blobs and versions, undelete it",
    "ContainerNotFound": "check --container; the container appears with the first event that a setting delivers",
    "401": "sign in again, in the tenant that owns the account",
    "403": f"{_ROLE}; or {_FIREWALL}",
    "404": "it is gone since it was listed: look for it among deleted blobs and versions, undelete it",
}


class RefusedError(Exception):
    """A request that stays without an answer: why, and the cure."""

    def __init__(self, reason: str, cure: str, code: str = "") -> None:
        super().__init__(f"{reason}. Hint: {cure}.")
        self.reason, self.cure, self.code = reason, cure, code


class StoppedError(Exception):
    """Somebody asked to stop; what was finished is kept."""


def patiently(call: Callable[[], T], stop: Event | None = None) -> T:
    """Return what *call* returns, made again while the trouble may pass.

    Waits as long as the service asks with Retry-After, otherwise twice as long each time. The SDK's own retries
    are switched off: they leave out 429, and don't read Retry-After.

    Raises
    ------
    RefusedError
        The service refuses, or the trouble did not pass.
    """
    for attempt in range(TRIES):
        if stop is not None and stop.is_set():
            raise StoppedError
        try:
            return call()
        except (AzureError, OSError) as problem:  # the SDK lets some errors of its own transport through
            if not _passes(problem) or attempt == TRIES - 1:
                raise refusal(problem) from None  # what it was raised from may hold the address with its signature
            (stop or Event()).wait(_wait(problem, attempt))
    raise AssertionError("unreachable")


def refusal(problem: AzureError | OSError) -> RefusedError:
    """Say why a request failed and what helps, without the address: it may hold a signature."""
    status = getattr(problem, "status_code", None)
    if isinstance(problem, ClientAuthenticationError) and status is None:
        said = str(problem.message).partition("\n")[0]
        return RefusedError(redacted(said), "sign in (az login), or choose another --login", "login")
    if status is None:
        cause = getattr(problem, "inner_exception", None) or problem
        if type(cause) is AzureError:  # not of the transport: an MD5 that differs, time after time
            return RefusedError(redacted(str(cause)), f"{_AGAIN}; if it stays so, compare the blob with a copy")
        return RefusedError(f"no answer ({type(cause).__name__})", f"check the address and the network, then {_AGAIN}")
    code = getattr(problem, "error_code", None) or ""
    code = str(getattr(code, "value", code))  # an enum where the SDK knows the code
    cure = _CURES.get(code) or _CURES.get(str(status)) or _AGAIN
    return RefusedError(f"{status} {code}".strip(), cure, code or str(status))


def redacted(text: str) -> str:
    """Text on one line, without what may be a secret: query strings, keys, tokens.

    >>> redacted("GET https://a.blob.core.windows.net/c?sv=1&sig=abc%3D failed; AccountKey=Zm9v;")
    'GET https://a.blob.core.windows.net/c?… failed; AccountKey=…'
    """
    text = re.sub(r"\?\S*", "?…", " ".join(text.split()))
    text = re.sub(r"(?i)\b(sig|accountkey|sharedaccesssignature|client_secret|code)=\S+", r"\1=…", text)
    return re.sub(r"\beyJ[\w.-]+", "…", text)[:300]


def _passes(problem: AzureError | OSError) -> bool:
    """Whether the same request may yet succeed: also after a body that was cut, or whose MD5 differs."""
    if isinstance(problem, ClientAuthenticationError):
        return False
    status = getattr(problem, "status_code", None)
    return status is None or status in _TRANSIENT


def _wait(problem: AzureError | OSError, attempt: int) -> float:
    asked = seconds_asked(getattr(getattr(problem, "response", None), "headers", None) or {})
    own = FIRST_WAIT * 2**attempt * random.uniform(0.75, 1.25)
    return min(own if asked is None else asked, LONGEST_WAIT)


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks for; none if it doesn't say, or not so that it can be read."""
    text = headers.get("Retry-After")
    if not text:
        return None
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass  # a date
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
