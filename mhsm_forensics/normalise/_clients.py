"""What the user agent says of itself. The caller wrote it, so it is a claim and no proof."""

from __future__ import annotations

import re
from typing import NamedTuple


class Client(NamedTuple):
    """Program, version and operating system that a user agent claims."""

    client: str | None
    client_version: str | None
    client_os: str | None


# The first pattern that fits names the client: tools before the libraries that they are built on.
_CLIENTS = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"AZURECLI/(?P<v>[\w.]+)", "Azure CLI"),
        (r"AzurePowershell/v?(?P<v>[\w.]+)", "Azure PowerShell"),
        (r"terraform-provider-azurerm/v?(?P<v>[\w.]+)", "Terraform azurerm"),
        (r"HashiCorp Terraform/v?(?P<v>[\w.]+)", "Terraform"),
        (r"azsdk-(?P<n>python|net|java|js|go|rust)-(?P<p>(?!core)[\w.\-]+)/(?P<v>[\w.\-]+)", ""),
        (r"azsdk-(?P<n>python)-core/(?P<v>[\w.]+)", "azsdk-python-core"),
        (r"Microsoft\.Azure\.KeyVault\.KeyVaultClient/(?P<v>[\w.]+)", "KeyVaultClient (.NET)"),
        (r"Azure-SDK-For-(?P<n>\w+)", "Azure SDK"),
        (r"azure-resource-manager/(?P<v>[\w.]+)", "Azure Resource Manager"),
        (r"AzureResourceGraph\S*?/(?P<v>[\w.]+)", "Azure Resource Graph"),
        (r"python-requests/(?P<v>[\w.]+)", "python-requests"),
        (r"\bcurl/(?P<v>[\w.]+)", "curl"),
        (r"Go-http-client/(?P<v>[\w.]+)", "Go-http-client"),
        (r"okhttp/(?P<v>[\w.]+)", "okhttp"),
        (r"Edg/(?P<v>[\w.]+)", "Edge"),
        (r"Firefox/(?P<v>[\w.]+)", "Firefox"),
        (r"Chrome/(?P<v>[\w.]+)", "Chrome"),
        (r"Version/(?P<v>[\w.]+).*Safari/", "Safari"),
        (r"^python/(?P<v>[\w.]+)", "Python"),
        (r"^(?P<p>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", "application id"),
        (r"^(?P<p>[\w.\-]{1,60})/v?(?P<v>[\w.\-]{1,30})", ""),
    )
)
_SYSTEMS = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"Windows", "Windows"),
        (r"Android", "Android"),
        (r"Mac ?OS|macOS|Darwin", "macOS"),
        (r"Linux|Ubuntu|Debian|Unix", "Linux"),
    )
)


def client_of(client_info: str | None) -> Client:
    """Program, version and system that a user agent claims; None where it doesn't say.

    References
    ----------
    https://azure.github.io/azure-sdk/general_azurecore.html#telemetry-policy

    Examples
    --------
    >>> client_of("AZURECLI/2.74.0 (DEB) azsdk-python-core/1.31.0 Python/3.12.10 (Linux-6.8-azure)")
    Client(client='Azure CLI', client_version='2.74.0', client_os='Linux')
    >>> client_of("azsdk-net-Security.KeyVault.Keys/4.7.0 (.NET 8.0.10; Microsoft Windows 10.0.20348)").client
    'azsdk-net-Security.KeyVault.Keys'
    """
    if not client_info:
        return Client(None, None, None)
    system = next((name for pattern, name in _SYSTEMS if pattern.search(client_info)), None)
    for pattern, name in _CLIENTS:
        if found := pattern.search(client_info):
            said = found.groupdict()
            return Client(name or _spelled(said), said.get("v"), system)
    return Client(None, None, system)


def _spelled(said: dict[str, str]) -> str:
    return f"azsdk-{said['n']}-{said['p']}" if "n" in said else said["p"]
