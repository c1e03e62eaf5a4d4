"""Who asks: the credential for a storage account or a workspace, in each of Azure's clouds.

Secrets come from the environment or are asked for without echo; none is ever written, shown or passed as an
argument. The least that a login needs: 'Storage Blob Data Reader' on the container.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.credentials import AzureSasCredential
from azure.identity import (
    AzureCliCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    InteractiveBrowserCredential,
    ManagedIdentityCredential,
)

from ..errors import InputError
from .clouds import CLOUDS, KINDS, SECRETS, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["CLOUDS", "KINDS", "SECRETS", "Cloud", "Login", "account_url", "sign_in"]


@dataclass(frozen=True, slots=True)
class Login:
    """A credential, and the account's address where a connection string names it. Its repr shows no secret."""

    credential: Any = field(repr=False)
    account_url: str | None = None


def sign_in(
    kind: str = "default", *, cloud: str = "public", tenant: str | None = None, client_id: str | None = None,
    ask: Callable[[str], str] | None = None, show: Callable[[str, str, datetime], None] | None = None,
    environment: bool = True,
) -> Login:  # fmt: skip
    """Return the credential for a kind of login; nothing is sent before it is used.

    Parameters
    ----------
    kind
        One of `KINDS`. The default tries environment, managed identity, Azure CLI and others in turn.
    cloud
        ``public``, ``usgov`` or ``china``.
    tenant
        Entra tenant that owns the account, where it isn't the login's own.
    client_id
        Of a user-assigned managed identity.
    ask
        Asks a person for a secret, given what for; without it the secret must stand in the environment.
    show
        Shows a person where to sign in, with which code, and until when; without it the terminal does.
    environment
        Whether a secret that stands in the environment is taken before a person is asked.

    Raises
    ------
    InputError
        There is no such kind or cloud, or the secret is missing or is none.
    """
    if cloud not in CLOUDS:
        raise InputError(f"{cloud!r}: no such cloud. Hint: one of {', '.join(CLOUDS)}.")
    if kind in SECRETS:
        return _from_secret(kind, _secret(kind, ask, environment=environment), cloud)
    authority: dict[str, Any] = {"authority": CLOUDS[cloud].authority}
    person = authority | ({"tenant_id": tenant} if tenant else {})
    if kind == "browser":
        return Login(InteractiveBrowserCredential(**person))
    if kind == "device":
        return Login(DeviceCodeCredential(prompt_callback=show, **person))
    if kind == "cli":
        return Login(AzureCliCredential(tenant_id=tenant or ""))
    if kind == "managed-identity":
        return Login(ManagedIdentityCredential(client_id=client_id))
    if kind == "default":
        return Login(DefaultAzureCredential(managed_identity_client_id=client_id, **authority))
    raise InputError(f"{kind!r}: no such login. Hint: one of {', '.join(KINDS)}.")


def account_url(account: str, *, cloud: str = "public") -> str:
    """Return the address of an account's blob service, given its address or its name.

    >>> account_url("contosologs", cloud="usgov")
    'https://contosologs.blob.core.usgovcloudapi.net'
    """
    if "/" in account:
        return account.rstrip("/")
    return f"https://{account}" if "." in account else f"https://{account}.{CLOUDS[cloud].blob_suffix}"


def _secret(kind: str, ask: Callable[[str], str] | None, *, environment: bool) -> str:
    text = (environment and os.environ.get(SECRETS[kind])) or (ask(kind) if ask else "")
    if not text.strip():
        raise InputError(
            f"--login {kind}: no secret. Hint: type it, or put it into the environment as {SECRETS[kind]}."
        )
    return text.strip()


def _from_secret(kind: str, text: str, cloud: str) -> Login:
    if kind == "sas":
        signature = urlsplit(text).query if "://" in text else text.lstrip("?")
        if "sig=" not in signature:
            raise InputError(f"--login sas: what {SECRETS['sas']} holds, or was typed, has no signature (sig=).")
        return Login(AzureSasCredential(signature))
    parts = dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)
    name, url = parts.get("AccountName"), parts.get("BlobEndpoint")
    if url is None and name:
        url = f"https://{name}.blob.{parts.get('EndpointSuffix') or CLOUDS[cloud].blob_suffix.removeprefix('blob.')}"
    if name and "AccountKey" in parts:
        return Login({"account_name": name, "account_key": parts["AccountKey"]}, url)
    if url and "SharedAccessSignature" in parts:
        return Login(AzureSasCredential(parts["SharedAccessSignature"].lstrip("?")), url)
    raise InputError("--login connection-string: it names no account with a key or a signature. Hint: copy it whole.")
