"""A workspace on this machine, with the rows of the sample incident in both tables."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from la_server import LogAnalytics
from rows import WORKSPACE, audit, diagnostics, sample_records
from signing_in import RESOURCE

from mhsm_forensics.collect import _workspace_service as service

if TYPE_CHECKING:
    from collections.abc import Iterator


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
