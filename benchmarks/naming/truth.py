"""What was really asked, read from the log under its true names: the measure of every sentence about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from .acts import Act, acts

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = re.compile(r"^/+(?:deleted)?keys/(?!restore$|providers/)([^/]+)")
_OBJECT = re.compile(r"/(?:roleassignments|roledefinitions|settings|ekm/privateendpoint)/([^/]+)$")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the act, what came of it, to what it was done, and by whom."""

    act: Act
    status: int
    key: str
    thing: str  # the key, role assignment, role or setting
    who: str  # object id, or nothing

    @property
    def is_done(self) -> bool:
        """Whether it was answered with a success."""
        return self.status < 400


def request(line: str) -> Request | None:
    """Return what a record under its true name says, or nothing where it is none that the truth knows."""
    try:
        record = json.loads(line)
        inner = {**(record.get("properties") or {}), **record}
        act, uri, status = acts().get(record["operationName"]), inner["requestUri"], int(inner["httpStatusCode"])
        who, parts = _who(record.get("identity")), urlsplit(uri)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        return None
    if act is None:
        return None
    path = re.sub("//+", "/", unquote(parts.path)).casefold().rstrip("/")
    found = _KEY.search(path), _OBJECT.search(path)
    key, thing = (match[1] if match else "" for match in found)
    return Request(act, status, key, thing or key, who)


def _who(identity: Any) -> str:
    claims = (json.loads(identity) if isinstance(identity, str) else identity or {}).get("claim") or {}
    nested = claims.get("http_schemas_microsoft_com_identity", {}).get("claims", {}).get("objectidentifier", "")
    return str(
        claims.get("oid") or claims.get("http://schemas.microsoft.com/identity/claims/objectidentifier") or nested
    )


def told(lines: Iterable[str]) -> dict[int, Request]:
    """Return the requests of a log by the number of their line, from 1."""
    read = ((number, request(line)) for number, line in enumerate(lines, 1))
    return {number: one for number, one in read if one is not None}
