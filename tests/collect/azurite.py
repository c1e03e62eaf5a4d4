"""Azurite, the storage service for tests: a process of its own on a free loopback port, from the locked npm package."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import npm
from azure.storage.blob import BlobServiceClient, ContainerClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).parent

# The account that every Azurite has; Microsoft publishes its key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def installed() -> Path:
    """Where Azurite is."""
    return npm.installed(HERE, "Azurite") / "azurite" / "dist" / "src" / "blob" / "main.js"


class Azurite:
    """A running Azurite; with *oauth* over https, taking bearer tokens."""

    def __init__(self, folder: Path, *, oauth: bool = False) -> None:
        self.folder, self.oauth, self.port = folder, oauth, free_port()
        self.url = f"{'https' if oauth else 'http'}://127.0.0.1:{self.port}/{ACCOUNT}"
        self.ca = folder / "ca.pem"

    def __enter__(self) -> Azurite:
        # Without --disableTelemetry, it reports to a service outside.
        command = ["node", str(installed()), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--silent"]
        command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
        if self.oauth:
            certificate(self.ca, self.folder / "key.pem")
            command += ["--oauth", "basic", "--cert", str(self.ca), "--key", str(self.folder / "key.pem")]
        with (self.folder / "azurite.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._await_answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _await_answer(self) -> None:
        trust = ssl.create_default_context(cafile=str(self.ca)) if self.oauth else None
        for _ in range(600):
            assert self._process.poll() is None, (self.folder / "azurite.log").read_text()
            try:
                urllib.request.urlopen(f"{self.url}?comp=list", timeout=1, context=trust)
            except urllib.error.HTTPError as refused:  # it answers, if only to say no
                refused.close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("Azurite does not answer")

    def connection_string(self, port: int | None = None) -> str:
        """How to reach it, also through a proxy on another port."""
        url = self.url.replace(str(self.port), str(port or self.port))
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url};"

    def container(self, name: str) -> ContainerClient:
        """A container made anew, to fill."""
        key = {"account_name": ACCOUNT, "account_key": KEY}
        options: dict[str, Any] = {"connection_verify": str(self.ca)} if self.oauth else {}
        return BlobServiceClient(self.url, credential=key, **options).create_container(name)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def certificate(path: Path, key_path: Path) -> None:
    """Write a certificate for 127.0.0.1 that vouches for itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def append(container: ContainerClient, name: str, data: bytes, *, anew: bool = False) -> None:
    """Append to a blob as a diagnostic setting does; *anew* deletes what was there."""
    blob = container.get_blob_client(name)
    if anew:
        blob.delete_blob()
    if not blob.exists():
        blob.create_append_blob()
    for start in range(0, len(data), 4 << 20):
        blob.append_block(data[start : start + (4 << 20)])
