"""A workspace on this machine, with the rows of the sample incident in both tables."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from azure.core.credentials import AccessToken
from la_server import LogAnalytics
from rows import WORKSPACE, audit, diagnostics, sample_records, types

from mhsm_forensics.collect import _workspace_service as service

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A certificate for this machine, and the file of the authority that signed it."""
    import trustme

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return context, str(path)


@pytest.fixture(scope="session")
def incident_rows() -> dict[str, list[dict[str, Any]]]:
    records = sample_records()
    return {"AzureDiagnostics": [*map(diagnostics, records)], "AZKVAuditLogs": [*map(audit, records)]}


@pytest.fixture
def server(tls: tuple[ssl.SSLContext, str]) -> Iterator[LogAnalytics]:
    """A workspace without a table."""
    with LogAnalytics(WORKSPACE, tls[0], resources=(RESOURCE,)) as running:
        yield running


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the collector would have waited; it does not."""
    waited: list[float] = []
    monkeypatch.setattr(service, "pause", waited.append)
    return waited


def fill(server: LogAnalytics, table: str, rows: list[dict[str, Any]]) -> None:
    server.add(table, types(table, rows), rows)
