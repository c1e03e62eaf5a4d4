"""Azure's clouds, and the kinds of login: what a command line must know before anything of Azure is imported."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("default", "browser", "device", "cli", "managed-identity", "sas", "connection-string")

# kind -> where its secret is looked for before it is asked for
SECRETS = {"sas": "AZURE_STORAGE_SAS_TOKEN", "connection-string": "AZURE_STORAGE_CONNECTION_STRING"}


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where one of Azure's clouds answers."""

    authority: str
    blob_suffix: str
    logs: str


CLOUDS = {
    "public": Cloud("login.microsoftonline.com", "blob.core.windows.net", "https://api.loganalytics.io"),
    "usgov": Cloud("login.microsoftonline.us", "blob.core.usgovcloudapi.net", "https://api.loganalytics.us"),
    "china": Cloud("login.chinacloudapi.cn", "blob.core.chinacloudapi.cn", "https://api.loganalytics.azure.cn"),
}
