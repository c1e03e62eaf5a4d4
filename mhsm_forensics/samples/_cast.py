"""Who and where: the managed HSMs, their keys, and everyone who calls them. All of it is invented."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ._dice import Dice, guid

Kind = Literal["user", "secret", "certificate", "managed_identity"]
UriStyle = Literal["plain", "versionless", "port", "portal"]

BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"
)
CLI = "AZURECLI/2.70.0 (DEB) azsdk-python-core/1.31.0 Python/3.12.8 (Linux-6.8.0-52-generic-x86_64-with-glibc2.39)"

# The application ids of Microsoft's own public clients; they say which program asked, never which person.
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
PORTAL_BLADE = "3686488a-04fc-4d8a-b967-61f98ec41efe"
HSM_GOVERNANCE = "a1b76039-a76c-499f-a2dd-846b4cc32627"
RESOURCE_GRAPH = "509e4652-da8d-478d-a730-e9d4a1996ca4"


@dataclass(frozen=True, slots=True)
class Resource:
    """A managed HSM, or the key vault that writes into the same container."""

    name: str
    group: str
    region: str
    shape: Literal["nested", "flat"] = "nested"
    kind: Literal["managedHSMs", "vaults"] = "managedHSMs"
    organisation: str = "contoso"

    @property
    def subscription(self) -> str:
        """The subscription id, one for each organisation."""
        return guid(self.organisation, "subscription")

    @property
    def resource_id(self) -> str:
        """The ARM id in the case its owner typed; logs mostly hold it in upper case."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.KeyVault/{self.kind}/{self.name}"

    @property
    def host(self) -> str:
        """The data plane's host name."""
        service = "managedhsm" if self.kind == "managedHSMs" else "vault"
        return f"{self.name}.{service}.azure.net"


@dataclass(frozen=True, slots=True)
class Actor:
    """A principal and the way it calls: from where, with which program, in which style of URI."""

    name: str
    kind: Kind
    address: str
    client: str
    api: str = "7.5"
    app: str = ""
    uri: UriStyle = "plain"
    host_resource: str = "Microsoft.ManagedIdentity/userAssignedIdentities"
    organisation: str = "contoso"

    @property
    def object_id(self) -> str:
        """The principal's object id, the one that roles are assigned to."""
        return guid(self.organisation, "object", self.name)

    @property
    def app_id(self) -> str:
        """The application id: the public client's for people, its own for a service."""
        return self.app or guid(self.organisation, "application", self.name)

    @property
    def upn(self) -> str:
        """A person's sign-in name."""
        return f"{self.name}@{self.organisation}.example"


def tenant(organisation: str) -> str:
    """Return the organisation's Entra tenant id."""
    return guid(organisation, "tenant")


def version_of(key: str, generation: int = 1) -> str:
    """Return the key version (32 hexadecimal digits) that a key has in this generation."""
    return Dice("version", key, generation).hex(32)


PROD = Resource("contoso-hsm-prod", "rg-crypto-prod", "westeurope")
DR = Resource("contoso-hsm-dr", "rg-crypto-dr", "northeurope", shape="flat")
VAULT = Resource("contoso-kv-web", "rg-web-prod", "westeurope", kind="vaults")
FABRIKAM = Resource("fabrikam-hsm", "rg-hsm", "swedencentral", organisation="fabrikam")

PROD_KEYS = (
    "payments-kek-01", "payments-kek-02", "tokenizer-aes-01", "sql-tde-prod", "disk-cmk-01",
    "codesign-rsa-01", "codesign-ec-01", "saml-signing-01", "archive-kek-2024", "archive-kek-2025",
    "hr-records-kek", "backup-wrap-01",
)  # fmt: skip
DR_KEYS = ("sql-tde-dr", "storage-cmk-dr", "payments-kek-dr")

_NET = "azsdk-net-Security.KeyVault.Keys/4.7.0 (.NET 8.0.11; Microsoft Windows 10.0.20348)"
_PYTHON = "Python/3.11.11 (Linux-5.15.0-1079-azure-x86_64-with-glibc2.35)"
_STORAGE = "azure-storage-encryption/2026.02"

PAYMENTS = Actor("mi-payments", "managed_identity", "10.20.4.11", _NET, uri="versionless")
TOKENIZER = Actor(
    "vmss-tokenizer",
    "managed_identity",
    "10.20.4.27",
    "azsdk-java-azure-security-keyvault-keys/4.9.2 (17.0.13; Linux; 5.15.0-1079-azure)",
    uri="port",
    host_resource="Microsoft.Compute/virtualMachineScaleSets",
)
SQL = Actor(
    "sql-contoso-prod",
    "managed_identity",
    "203.0.113.140",
    "Microsoft.SqlServer.Tde/16.0",
    api="7.4",
    host_resource="Microsoft.Sql/servers",
)
SQL_DR = replace(SQL, name="sql-contoso-dr", address="203.0.113.141")
DISKS = Actor(
    "des-prod",
    "managed_identity",
    "203.0.113.150",
    "Microsoft.Compute.DiskRP/2026.02",
    api="7.4",
    host_resource="Microsoft.Compute/diskEncryptionSets",
)
STORAGE_DR = Actor("mi-storage-dr", "managed_identity", "10.30.4.8:50514", _STORAGE, api="7.4")
CODESIGN = Actor(
    "svc-codesign", "certificate", "10.20.9.5", "azsdk-go-azkeys/v1.3.1 (go1.23.6; linux)", uri="versionless"
)
MONITOR = Actor("svc-monitor", "secret", "10.20.1.9", f"azsdk-python-keyvault-keys/4.10.0 {_PYTHON}")
BACKUP = Actor("svc-hsm-backup", "secret", "10.20.1.20", f"azsdk-python-keyvault-administration/4.5.0 {_PYTHON}")
POLICY = Actor("hsm-key-governance", "certificate", "203.0.113.12", "ManagedHsmKeyGovernance/1.0", app=HSM_GOVERNANCE)
DEPLOY = Actor(
    "svc-deploy",
    "secret",
    "10.20.9.40",
    "HashiCorp Terraform/1.10.5 (+https://www.terraform.io) terraform-provider-azurerm/4.18.0",
    api="7.4",
)
WEB_APP = Actor(
    "app-web",
    "managed_identity",
    "10.20.6.14",
    "azsdk-net-Security.KeyVault.Secrets/4.7.0 (.NET 8.0.11; Debian GNU/Linux 12 (bookworm))",
    host_resource="Microsoft.Web/sites",
)
GRAPH = Actor(
    "resource-graph",
    "certificate",
    "203.0.113.30",
    "AzureResourceGraph.IngestionWorkerService.global/1.24.1.672",
    api="2023-07-01",
    app=RESOURCE_GRAPH,
)

ANNA = Actor("anna.keller", "user", "192.0.2.18", BROWSER, app=PORTAL_BLADE, uri="portal", api="7.2")
MATEO = Actor("mateo.osei", "user", "2001:db8:20::44", CLI, app=AZURE_CLI)
INGRID = Actor("ingrid.sato", "user", "192.0.2.18", CLI, app=AZURE_CLI, uri="versionless")

# The thief holds svc-deploy's client secret: the same object id and application id, another place and client.
_HOSTED = "Python/3.12.3 (Linux-6.8.0-45-generic-x86_64-with-glibc2.39)"
_STOLEN = replace(DEPLOY, address="198.51.100.77", api="7.6")
THIEF = replace(_STOLEN, client=f"azsdk-python-keyvault-keys/4.11.0 {_HOSTED}")
THIEF_ADMIN = replace(THIEF, client=f"azsdk-python-keyvault-administration/4.6.0 {_HOSTED}")
THIEF_DOMAIN = replace(THIEF, client=f"azsdk-python-keyvault-securitydomain/1.0.0b1 {_HOSTED}")
THIEF_PROBE = replace(THIEF, client="python-requests/2.32.3")
THIEF_ELSEWHERE = replace(THIEF, address="198.51.100.203")
