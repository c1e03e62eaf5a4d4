"""Storage services for the tests of collect: a real one, one that takes bearer tokens, and a proxy that breaks things."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from collect.azurite import Azurite
from collect.proxy import Proxy

from mhsm_forensics.case import Case, create_case
from mhsm_forensics.collect import _patience, login, storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import ContainerClient


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite-oauth"), oauth=True) as server:
        yield server


@pytest.fixture
def container(azurite: Azurite) -> ContainerClient:
    return azurite.container(f"logs-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    with Proxy(azurite.port) as running:
        yield running


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return create_case(tmp_path / "case")


@pytest.fixture
def signed(azurite: Azurite, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> login.Login:
    """A login by connection string, through the proxy."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string(proxy.port))
    return login.sign_in("connection-string")


@pytest.fixture
def collect(container: ContainerClient, signed: login.Login) -> Any:
    """`storage.collect` from the container of this test, through the proxy."""

    def run(case: Case, **options: Any) -> storage.Collected:
        given = {"container": container.container_name, "credential": signed.credential} | options
        return storage.collect(case, str(signed.account_url), **given)

    return run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between tries; what the service asks for with Retry-After is still waited."""
    monkeypatch.setattr(_patience, "FIRST_WAIT", 0.02)
