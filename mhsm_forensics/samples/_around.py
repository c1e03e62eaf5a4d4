"""What other logs and lists say around the incident: the control plane, sign-ins, and the storage that a backup went to.

Three exports, each in the form in which its log is mostly had: `az monitor activity-log list`, rows of a workspace as
JSON, and the portal's CSV. The lists beside them are made elsewhere.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ._cast import ANNA, BACKUP, DEPLOY, DR, INGRID, MATEO, PROD, THIEF, THIEF_ELSEWHERE, Actor, Resource, tenant
from ._dice import Dice, guid
from ._exports import WORKSPACE, as_csv, in_the_portal
from ._incident import DAYS, MONDAY, RETAG_DAY, SILENCE, TUESDAY, WEDNESDAY
from ._lists import lists

if TYPE_CHECKING:
    from datetime import datetime

    from ._records import Record

_RESOURCE_MANAGER = "https://management.core.windows.net/"
_KEY_VAULT_APP = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
_ACCOUNT = "contosohsmbackup"
_LOG_FOLDER = "microsoft.insights/diagnosticSettings/to-storage"
_OFFICE = "192.0.2.18"  # what the directory sees of machines in private networks
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


def around() -> dict[str, bytes]:
    """Return the exports and the lists by their paths."""
    texts = {
        "activity-log.json": json.dumps(_newest_first(_activity(), "eventTimestamp"), indent=2) + "\n",
        "sign-ins.json": json.dumps(_newest_first(_signins(), "TimeGenerated"), indent=2) + "\n",
        "storage-requests.csv": "\ufeff" + as_csv([in_the_portal(row) for row in _requests()]),
    }
    files = {name: text.encode() for name, text in texts.items()} | lists()
    return {f"context/{name}": content for name, content in files.items()}


def _newest_first(rows: list[Record], time: str) -> list[Record]:
    return sorted(rows, key=lambda row: row[time], reverse=True)


def _activity() -> list[Record]:
    """Yield changes through Azure Resource Manager: each start has its end."""
    prod_stops, prod_returns = SILENCE[PROD]
    dr_stops, dr_returns = SILENCE[DR]
    setting = "microsoft.insights/diagnosticSettings"
    told: list[tuple[datetime, Actor, str, str]] = [
        (RETAG_DAY.about("15:12:30"), INGRID, PROD.resource_id, "Microsoft.KeyVault/managedHSMs/write"),
        (prod_stops, THIEF_ELSEWHERE, f"{PROD.resource_id}/providers/{_LOG_FOLDER}", f"{setting}/delete"),
        (dr_stops, THIEF_ELSEWHERE, f"{DR.resource_id}/providers/{_LOG_FOLDER}", f"{setting}/delete"),
        (prod_returns, MATEO, f"{PROD.resource_id}/providers/{_LOG_FOLDER}", f"{setting}/write"),
        (dr_returns, MATEO, f"{DR.resource_id}/providers/{_LOG_FOLDER}", f"{setting}/write"),
        (WEDNESDAY.about("10:44:10"), MATEO, PROD.resource_id, "Microsoft.KeyVault/managedHSMs/write"),
    ]
    return [record for about in told for record in _started_and_ended(*about)]


def _started_and_ended(time: datetime, actor: Actor, resource: str, operation: str) -> list[Record]:
    dice = Dice("activity", time, operation, resource)
    shared = {"correlation": dice.guid(), "operation": dice.guid()}
    later = time + timedelta(seconds=dice.whole(1, 4))
    return [
        _activity_record(moment, actor, resource, operation, state, shared | {"event": dice.guid()})
        for moment, state in ((time, "Started"), (later, "Succeeded"))
    ]


def _activity_record(
    time: datetime, actor: Actor, resource: str, operation: str, state: str, ids: dict[str, str]
) -> Record:
    kind = "User" if actor.kind == "user" else "Application"
    claims = {"aud": _RESOURCE_MANAGER, "appid": actor.app_id, _OBJECT_ID: actor.object_id, "ipaddr": actor.address}
    claims |= {"name": actor.name, "upn": actor.upn} if kind == "User" else {"idtyp": "app"}
    return {
        "authorization": {"action": operation, "scope": resource},
        "caller": actor.upn if kind == "User" else actor.object_id,
        "category": {"localizedValue": "Administrative", "value": "Administrative"},
        "claims": claims,
        "correlationId": ids["correlation"],
        "eventDataId": ids["event"],
        "eventTimestamp": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
        "httpRequest": {
            "clientIpAddress": actor.address, "clientRequestId": ids["operation"],
            "method": "DELETE" if operation.endswith("delete") else "PUT",
        },
        "level": "Informational",
        "operationId": ids["operation"],
        "operationName": {"localizedValue": operation, "value": operation},
        "resourceId": resource,
        "status": {"localizedValue": state, "value": state},
        "subStatus": {"localizedValue": "", "value": "" if state == "Started" else "OK"},
        "submissionTimestamp": f"{time + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}",
        "subscriptionId": PROD.subscription,
        "tenantId": tenant(actor.organisation),
    }  # fmt: skip


def _signins() -> list[Record]:
    """Return who fetched a token for the HSMs: the pipeline on workdays, the thief, and the administrators."""
    usual = [(day.about("06:58:40"), DEPLOY, _OFFICE, 0) for day in DAYS if day.is_workday]
    thefts = [
        (MONDAY.about("02:31:12"), THIEF, THIEF.address, 7000215),
        (MONDAY.about("02:39:50"), THIEF, THIEF.address, 0),
        (TUESDAY.about("01:11:37"), THIEF, THIEF.address, 0),
        (TUESDAY.about("03:18:22"), THIEF_ELSEWHERE, THIEF_ELSEWHERE.address, 0),
        (WEDNESDAY.about("04:11:05"), THIEF_ELSEWHERE, THIEF_ELSEWHERE.address, 0),
    ]
    machines = [_machine_signin(*about) for about in usual + thefts]
    people = ((ANNA, "10:46:02"), (MATEO, "10:18:44"), (INGRID, "11:19:50"))
    return machines + [_person_signin(WEDNESDAY.about(clock), actor) for actor, clock in people]


def _signin(time: datetime, actor: Actor, address: str, code: int) -> Record:
    dice = Dice("sign-in", actor.name, time)
    return {
        "TenantId": WORKSPACE, "SourceSystem": "Azure AD", "TimeGenerated": f"{time:%Y-%m-%dT%H:%M:%S.%f}1Z",
        "OperationName": "Sign-in activity", "OperationVersion": "1.0", "ResultType": str(code),
        "ResultDescription": "Invalid client secret is provided." if code else "", "CorrelationId": dice.guid(),
        "IPAddress": address, "AppId": actor.app_id, "Id": dice.guid(), "ConditionalAccessStatus": "notApplied",
        "ResourceDisplayName": "Azure Key Vault", "ResourceIdentity": _KEY_VAULT_APP,
    }  # fmt: skip


def _machine_signin(time: datetime, actor: Actor, address: str, code: int) -> Record:
    token = Dice("token", actor.name, actor.address, time.date()).hex(22)  # the one that the HSM's log shows
    return _signin(time, actor, address, code) | {
        "Category": "ServicePrincipalSignInLogs",
        "ServicePrincipalId": actor.object_id,
        "ServicePrincipalName": actor.name,
        "ServicePrincipalCredentialKeyId": guid("credential", actor.name),
        "UniqueTokenIdentifier": "" if code else token,
        "LocationDetails": {"city": "", "countryOrRegion": "ZZ"},
        "Type": "AADServicePrincipalSignInLogs",
    }


def _person_signin(time: datetime, actor: Actor) -> Record:
    return _signin(time, actor, actor.address, 0) | {
        "Category": "SignInLogs",
        "UserId": actor.object_id,
        "UserPrincipalName": actor.upn,
        "UserDisplayName": actor.name.replace(".", " ").title(),
        "AppDisplayName": "Microsoft Azure CLI" if actor is not ANNA else "Azure Portal",
        "AuthenticationRequirement": "multiFactorAuthentication",
        "UserAgent": actor.client,
        "UniqueTokenIdentifier": Dice("token", actor.name, time).hex(22),
        "RiskLevelDuringSignIn": "none",
        "Type": "SigninLogs",
    }


def _requests() -> list[Record]:
    """Return what was written to the backup account and read from it: nightly backups, and one that left."""
    rows: list[Record] = []
    for day in DAYS[-3:]:
        rows += _backup(PROD, day.about("01:30:35"), "nightly", "10.20.1.20", "SAS")
    stolen = TUESDAY.about("02:14:44")
    rows += _backup(PROD, stolen, "exports", THIEF.address, "SAS")
    folder, when = f"exports/{_folder(PROD, stolen)}", TUESDAY.about("02:33:00")
    for number, part in enumerate(_PARTS):
        moment = when + timedelta(seconds=3 * number)
        rows.append(_request(moment, "GetBlob", f"{folder}/{part}", THIEF.address, "SAS", 206, sent=1_048_576))
    return sorted(rows, key=lambda row: row["TimeGenerated"])


_PARTS = ("manifest.json", "keys-0001", "keys-0002", "roles-0001")


def _folder(hsm: Resource, time: datetime) -> str:
    return f"mhsm-{hsm.name}-{time:%Y%m%d%H%M%S}00"


def _backup(hsm: Resource, time: datetime, container: str, asked_from: str, how: str) -> list[Record]:
    """Return what the HSM writes with the signature that it was handed, and how whoever asked looks at it."""
    folder = f"{container}/{_folder(hsm, time)}"
    service = "203.0.113.77"
    puts = [
        _request(
            time + timedelta(seconds=2 * number), "PutBlob", f"{folder}/{part}", service, how, 201, received=1_048_576
        )
        for number, part in enumerate(_PARTS)
    ]
    return [*puts, _request(time + timedelta(seconds=31), "ListBlobs", container, asked_from, how, 200, sent=2_311)]


def _request(
    time: datetime, operation: str, path: str, address: str, how: str, status: int, *, sent: int = 0, received: int = 0
) -> dict[str, Any]:
    dice = Dice("request", time, operation, path)
    category = "StorageWrite" if operation.startswith("Put") else "StorageRead"
    return {
        "TenantId": WORKSPACE, "TimeGenerated": f"{time:%Y-%m-%dT%H:%M:%S.%f}1Z", "AccountName": _ACCOUNT,
        "Location": "westeurope", "Protocol": "HTTPS", "OperationName": operation, "OperationVersion": "2023-11-03",
        "AuthenticationType": how, "StatusCode": status, "StatusText": "SASSuccess", "DurationMs": dice.whole(4, 40),
        "CallerIpAddress": f"{address}:{dice.whole(20000, 60000)}", "CorrelationId": dice.guid(),
        "Uri": f"https://{_ACCOUNT}.blob.core.windows.net:443/{path}?sv=2023-11-03&sr=c&sp=rwl&sig=XXXXX",
        "ObjectKey": f"/{_ACCOUNT}/{path}", "ResponseBodySize": sent, "RequestBodySize": received,
        "AuthenticationHash": f"SasSignature({Dice('sas', path.partition('/')[0]).hex(64).upper()})",
        "UserAgentHeader": BACKUP.client if category == "StorageRead" else "ManagedHsm/2.0",
        "TlsVersion": "TLS 1.2", "Category": category, "Type": "StorageBlobLogs",
        "_ResourceId": f"/subscriptions/{PROD.subscription}/resourcegroups/rg-backup/providers/"
        f"microsoft.storage/storageaccounts/{_ACCOUNT}",
    }  # fmt: skip
