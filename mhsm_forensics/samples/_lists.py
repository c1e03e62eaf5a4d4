"""Lists that say who and whose: what a responder asks for beside the logs, as it was on the day after the incident.

Two rosters in the forms of the portal and of `az ad sp list`, what `az keyvault role assignment list` prints, the
organisation's own list of addresses, and a few service tags.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ._cast import (
    ANNA,
    BACKUP,
    CODESIGN,
    DEPLOY,
    DISKS,
    HSM_GOVERNANCE,
    INGRID,
    MATEO,
    MONITOR,
    PAYMENTS,
    POLICY,
    PROD,
    SQL,
    TOKENIZER,
    Actor,
    tenant,
)
from ._dice import guid
from ._exports import as_csv
from ._incident import NEW_KEY_DAY
from ._routine import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._records import Record

_PEOPLE = (ANNA, MATEO, INGRID)
_MACHINES = (DEPLOY, CODESIGN, MONITOR, BACKUP, PAYMENTS, TOKENIZER, SQL, DISKS, POLICY)
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"  # the tenant of Microsoft's own applications

_ROLES = {
    "Managed HSM Administrator": "a290e904-7015-4bba-90c8-60543313cdb4",
    "Managed HSM Crypto Officer": "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
    "Managed HSM Crypto User": "21dbd100-6940-42c2-9190-5d6cb909625b",
    "Managed HSM Crypto Auditor": "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
    "Managed HSM Crypto Service Encryption User": "33413926-3206-4cdd-b39a-83574fe37a17",
    "Managed HSM Backup": "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
}
_GRANTS = (
    (INGRID, "Managed HSM Administrator", "/"),
    (MATEO, "Managed HSM Administrator", "/"),
    (MATEO, "Managed HSM Crypto Officer", "/"),
    (MATEO, "Managed HSM Crypto User", "/keys"),
    (INGRID, "Managed HSM Crypto User", "/keys"),
    (ANNA, "Managed HSM Crypto Officer", "/"),
    (ANNA, "Managed HSM Crypto Auditor", "/"),
    (BACKUP, "Managed HSM Backup", "/"),
    (MONITOR, "Managed HSM Crypto Auditor", "/"),
    (POLICY, "Managed HSM Crypto Auditor", "/"),
    (CODESIGN, "Managed HSM Crypto User", "/keys"),
    (PAYMENTS, "Managed HSM Crypto User", "/keys"),
    (TOKENIZER, "Managed HSM Crypto User", "/keys/tokenizer-aes-01"),
    (SQL, "Managed HSM Crypto Service Encryption User", "/keys/sql-tde-prod"),
    (DISKS, "Managed HSM Crypto Service Encryption User", "/keys/disk-cmk-01"),
)


def lists() -> dict[str, bytes]:
    """Return the lists by their names."""
    texts = {
        "users.csv": "\ufeff" + as_csv([_person(actor) for actor in _PEOPLE]),
        "service-principals.json": json.dumps([_machine(actor) for actor in _MACHINES], indent=2) + "\n",
        f"role-assignments-{PROD.name}.json": json.dumps(list(_assignments()), indent=2) + "\n",
        "addresses.csv": as_csv([dict(zip(_ADDRESS_COLUMNS, row, strict=True)) for row in _ADDRESSES]),
        "service-tags.json": json.dumps(_tags(), indent=2) + "\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def _person(actor: Actor) -> Record:
    first, last = actor.name.title().split(".")
    return {
        "userPrincipalName": actor.upn, "displayName": f"{first} {last}", "surname": last, "mail": actor.upn,
        "givenName": first, "id": actor.object_id, "userType": "Member", "jobTitle": "", "department": "Cryptography",
        "accountEnabled": "True", "usageLocation": "NL", "createdDateTime": "2024-02-12T08:30:00Z",
    }  # fmt: skip


def _machine(actor: Actor) -> Record:
    is_identity, own = actor.kind == "managed_identity", actor.app != HSM_GOVERNANCE
    resource = f"/subscriptions/{PROD.subscription}/resourcegroups/rg-apps/providers/{actor.host_resource}/{actor.name}"
    return {
        "accountEnabled": actor is not DEPLOY,  # disabled on the Wednesday, with everything it could do
        "alternativeNames": ["isExplicit=True", resource] if is_identity else [],
        "appId": actor.app_id,
        "appOwnerOrganizationId": tenant(actor.organisation) if own else _MICROSOFT,
        "createdDateTime": "2024-03-04T10:00:00Z",
        "displayName": actor.name if own else "Azure Key Vault Managed HSM Key Governance Service",
        "id": actor.object_id,
        "servicePrincipalType": "ManagedIdentity" if is_identity else "Application",
    }


def _assignments() -> Iterator[Record]:
    """Yield who had which role after the administrators had cleaned up: the thief's grants are gone."""
    for actor, role, scope in _GRANTS:
        yield _assignment(guid("grant", actor.name, role, scope), actor, role, scope)
    granted = next(act for act in new_key(NEW_KEY_DAY) if act.operation == "RoleAssignmentCreate")
    yield _assignment(granted.job, PAYMENTS, "Managed HSM Crypto User", granted.scope)


def _assignment(name: str, actor: Actor, role: str, scope: str) -> Record:
    path = "/providers/Microsoft.Authorization"
    return {
        "id": f"{'' if scope == '/' else scope}{path}/roleAssignments/{name}",
        "name": name,
        "principalId": actor.object_id,
        "principalName": actor.upn if actor.kind == "user" else actor.name,
        "principalType": "User" if actor.kind == "user" else "ServicePrincipal",
        "roleDefinitionId": f"Microsoft.KeyVault{path}/roleDefinitions/{_ROLES[role]}",
        "roleName": role,
        "scope": scope,
        "type": "Microsoft.Authorization/roleAssignments",
    }


_ADDRESS_COLUMNS = ("cidr", "label", "class")
_ADDRESSES = (
    ("192.0.2.0/28", "Utrecht office, guests", "guest"),
    ("192.0.2.16/28", "Utrecht office, staff", "corporate"),
    ("192.0.2.0/24", "Contoso, provider block", "corporate"),
    ("2001:db8:20::/48", "Staff at home, VPN", "corporate"),
    ("10.20.0.0/16", "rg-crypto-prod, virtual network", "corporate"),
    ("10.20.9.40", "build agent of the deployment pipeline", "corporate"),
    ("10.30.0.0/16", "rg-crypto-dr, virtual network", "corporate"),
    ("192.0.2.300/32", "a typing error, kept as people make them", "corporate"),
)


def _tags() -> Record:
    """Return service tags as Microsoft publishes them; their networks are of the ranges for documentation."""
    told = {
        "AzureCloud": ("", "", ["203.0.113.0/24"]),
        "AzureCloud.westeurope": ("westeurope", "", ["203.0.113.0/25", "203.0.113.128/26"]),
        "AzureKeyVault.WestEurope": ("westeurope", "AzureKeyVault", ["203.0.113.12/32", "2001:db8:ffff::/64"]),
        "Sql.WestEurope": ("westeurope", "AzureSQL", ["203.0.113.140/31"]),
    }
    values = [
        {
            "name": name,
            "id": name,
            "properties": {
                "changeNumber": 1, "region": region, "platform": "Azure", "systemService": service,
                "addressPrefixes": prefixes, "networkFeatures": ["API", "NSG"],
            },
        }
        for name, (region, service, prefixes) in told.items()
    ]  # fmt: skip
    return {"changeNumber": 1, "cloud": "Public", "values": values}
