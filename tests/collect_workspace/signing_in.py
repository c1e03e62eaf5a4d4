"""A login for the tests, and rows for the workspace it signs in to."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken
from rows import types

if TYPE_CHECKING:
    from la_server import LogAnalytics

RESOURCE = "/subscriptions/s/resourceGroups/r/providers/Microsoft.KeyVault/managedHSMs/contoso-hsm"


class Login:
    """A login that makes its own tokens; it keeps what they were asked for."""

    def __init__(self, life: int = 3600) -> None:
        self.life, self.scopes = life, []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        expires = int(time.time()) + self.life
        parts = ({"alg": "none"}, {"aud": scopes[0].removesuffix("/.default"), "exp": expires})
        coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
        return AccessToken(f"{coded[0]}.{coded[1]}.c2ln", expires)


def fill(server: LogAnalytics, table: str, rows: list[dict[str, Any]]) -> None:
    server.add(table, types(table, rows), rows)
