"""Every rule over what stands around the events: the activity log, sign-ins, requests to storage accounts, lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from building import SAMPLES

from mhsm_forensics import case as cases
from mhsm_forensics import detect, ingest
from mhsm_forensics.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from mhsm_forensics.case import Case

USUAL, NEW = "192.0.2.1", "198.51.100.9"
HSM = "/subscriptions/aaaa/resourcegroups/rg/providers/microsoft.keyvault/managedhsms/hsm-a"
VAULT = "/subscriptions/aaaa/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv"
STORE = "/subscriptions/aaaa/resourcegroups/rg/providers/microsoft.storage/storageaccounts/contosologs"
ANNA = "11111111-1111-4111-8111-111111111111"
ACTED = "2026-01-16 03:00"
Row = dict[str, Any]


def moment(at: str, minute: int = 0) -> str:
    return f"{pd.Timestamp(at) + pd.Timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S}Z"


def event(at: str, operation: str = "KeyGet", *, path: str = "/keys/k", status: int = 200, ip: str = USUAL) -> Row:
    return {
        "time": moment(at), "category": "AuditEvent", "operationName": operation, "resultType": "Success",
        "callerIpAddress": ip, "resourceId": HSM, "identity": {"claim": {"oid": ANNA, "upn": "anna@contoso.example"}},
        "properties": {"requestUri": f"https://hsm-a.managedhsm.azure.net{path}", "httpStatusCode": status},
    }  # fmt: skip


def reads(count: int = 10) -> list[Row]:
    return [event(f"2026-01-{day:02d} 10:00") for day in range(5, 5 + count)]


def activity(operation: str, resource: str = HSM, *, ip: str = USUAL, minute: int = 0, **properties: Any) -> Row:
    return {
        "operationName": {"value": operation}, "category": {"value": "Administrative"}, "eventTimestamp": moment(ACTED, minute),
        "caller": "anna@contoso.example", "claims": {"http://schemas.microsoft.com/identity/claims/objectidentifier": ANNA},
        "httpRequest": {"clientIpAddress": ip}, "resourceId": resource, "status": {"value": "Succeeded"},
        "subStatus": {"value": "OK"}, "authorization": {"action": operation, "scope": resource}, "properties": properties,
        "correlationId": "c", "eventDataId": f"e{minute}", "level": "Informational",
    }  # fmt: skip


def signin(at: str = ACTED, minute: int = 0, *, ip: str = USUAL, code: int = 0, **more: Any) -> Row:
    return {
        "TimeGenerated": moment(at, minute), "ResultType": str(code), "IPAddress": ip, "UserId": ANNA, "Category": "SignInLogs",
        "UserPrincipalName": "anna@contoso.example", "AppId": "a", "CorrelationId": f"{at}{minute}", "Type": "SigninLogs", **more,
    }  # fmt: skip


def request(
    operation: str, path: str = "nightly/mhsm-hsm-a-2026011603000000/keys", *, at: str = ACTED, ip: str = USUAL
) -> Row:
    return {
        "TimeGenerated": moment(at), "AccountName": "contosobackup", "OperationName": operation, "StatusCode": 200,
        "StatusText": "Success", "CallerIpAddress": f"{ip}:443", "ObjectKey": f"/contosobackup/{path}", "CorrelationId": path,
        "AuthenticationType": "SAS", "ResponseBodySize": 10, "Category": "StorageRead", "Type": "StorageBlobLogs",
        "Uri": f"https://contosobackup.blob.core.windows.net/{path}",
    }  # fmt: skip


def nightly(operation: str, count: int = 3, *, ip: str = USUAL) -> list[Row]:
    """One request each night about the backup of that night."""
    nights = [f"2026-01-{day:02d}" for day in range(10, 10 + count)]
    return [request(operation, f"nightly/mhsm-hsm-a-{night.replace('-', '')}01000000/keys", at=f"{night} 01:00", ip=ip)
            for night in nights]  # fmt: skip


@pytest.fixture
def case_of(tmp_path: Path):
    def made(events: list[Row], around: list[Row]) -> Case:
        case = cases.create_case(tmp_path / "case")
        (tmp_path / "PT1H.json").write_text("\n".join(map(json.dumps, events)) + "\n", "utf-8")
        (tmp_path / "around.json").write_text(json.dumps(around), "utf-8")
        ingest.add(case, [tmp_path / "PT1H.json", tmp_path / "around.json"])
        return cases.open_case(case.path)

    return made


def opened(action: str) -> str:
    return json.dumps({"properties": {"networkAcls": {"defaultAction": action}}})


WRITE = "Microsoft.KeyVault/managedHSMs/write"
SETTING = "/providers/microsoft.insights/diagnosticSettings/d"
DELETED = activity("microsoft.insights/diagnosticSettings/delete", HSM + SETTING)
WRITTEN = activity("microsoft.insights/diagnosticSettings/write", HSM + SETTING)
IDENTITY = json.dumps({"identity": {"userAssignedIdentities": {"i": {}}}})
TAGGED = activity(WRITE, requestbody='{"tags": {}}', responseBody=opened("Allow"))
DAILY = [signin(f"2026-01-{day:02d} 09:00") for day in range(5, 12)]


@dataclass
class Around:
    """What makes a rule speak (`planted` of the rows, from the end) and what must not, or only more softly."""

    rule: str
    severity: str
    rows: list[Row]
    neighbour: list[Row]
    planted: int = 1
    softly: str | None = None


AROUND = [
    Around("logging-removed", "high", [DELETED], [WRITTEN]),
    Around("logging-changed", "low", [WRITTEN],
           [activity("microsoft.insights/diagnosticSettings/write", VAULT + SETTING)]),
    Around("network-opened", "high", [activity(WRITE, requestbody=opened("Allow"))],
           [activity(WRITE, requestbody=opened("Deny"), responseBody=opened("Allow"))]),
    Around("backup-identity-added", "low", [activity(WRITE, requestbody=IDENTITY)], [TAGGED]),
    Around("control-plane-role-given", "low", [activity("Microsoft.Authorization/roleAssignments/write")],
           [activity("Microsoft.Authorization/roleAssignments/write", VAULT)]),
    Around("log-store-touched", "medium", [activity("Microsoft.Storage/storageAccounts/delete", STORE)],
           [activity("Microsoft.Storage/storageAccounts/listKeys/action", STORE)], softly="low"),
    Around("hsm-deleted", "critical", [activity("Microsoft.KeyVault/managedHSMs/delete")], [TAGGED]),
    Around("resource-changed", "low", [TAGGED], [activity(WRITE, requestbody=opened("Allow"))]),
    Around("backup-read", "medium", [*nightly("GetBlob"), request("GetBlob", ip=NEW)], [*nightly("GetBlob"), request("GetBlob")]),
    Around("backup-elsewhere", "medium", [*nightly("PutBlob"), request("PutBlob", "out/mhsm-hsm-a-2026011603000000/keys")],
           [*nightly("PutBlob"), request("PutBlob")]),
    Around("backup-deleted", "medium", [request("DeleteBlob")], nightly("DeleteBlob")),
    Around("signin-guessed", "medium", [*(signin(minute=n, code=50126) for n in range(5)), signin(minute=6)],
           [*(signin(minute=n, code=50126) for n in range(4)), signin(minute=6)], planted=6),
    Around("signin-new-address", "low", [*DAILY, signin(ip=NEW)], [*DAILY, signin()]),
    Around("signin-risky", "high", [signin(RiskLevelDuringSignIn="high")], [signin(RiskLevelDuringSignIn="low")]),
    Around("signin-by-device-code", "low", [signin(AuthenticationProtocol="deviceCode")],
           [signin(AuthenticationProtocol="none")]),
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND, ids=lambda around: around.rule)
def test_the_pattern_alone_makes_the_rule_speak(case_of, around):
    case = case_of(reads(), around.rows)

    found = detect.run(case)

    (finding,) = found[found["rule_id"] == around.rule].to_dict("records")
    assert finding["severity"] == around.severity
    known = [
        event_id for name in ("activity", "signins", "blob_requests") for event_id in case.context(name)["event_id"]
    ]
    in_order = sorted(known, key=byte_of)
    assert [in_order.index(event_id) + 1 for event_id in finding["event_ids"]] == planted_lines(around)


def byte_of(event_id: str) -> int:
    """Where a record begins in its file."""
    return int(event_id.rpartition(":")[2])


def planted_lines(around: Around) -> list[int]:
    last = len(around.rows)
    return list(range(last - around.planted + 1, last + 1))


@pytest.mark.parametrize("around", AROUND, ids=lambda around: around.rule)
def test_the_nearest_innocent_neighbour_does_not(case_of, around):
    found = detect.run(case_of(reads(), around.neighbour))

    assert set(found.loc[found["rule_id"] == around.rule, "severity"]) <= {around.softly}


def test_every_rule_over_other_tables_is_proved_here():
    proved = {around.rule for around in AROUND} | {"success-without-known-right"}

    assert {rule.id for rule in RULES if rule.tables != ("events",)} <= proved


BOB, TEAM = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
BACKUP_ROLE, CRYPTO_USER = "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", "21dbd100-6940-42c2-9190-5d6cb909625b"
CUSTOM = "55555555-5555-4555-8555-555555555555"
SIGNED, STOLEN = event(ACTED, "KeySign", path="/keys/k/sign"), event(ACTED, "BackupCreate", path="/backup", status=202)
GRANTED = event("2026-01-10 10:00", "RoleAssignmentCreate", status=201,
                path="/keys/providers/Microsoft.Authorization/roleAssignments/66666666-6666-4666-8666-666666666666")  # fmt: skip


def assigned(role: str, scope: str = "/", who: str = ANNA, kind: str = "User") -> Row:
    return {
        "name": f"{who[:8]}-{role[:4]}-4111-8111-{len(scope):012d}", "principalId": who, "principalType": kind, "scope": scope,
        "roleDefinitionId": f"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/{role}", "roleName": role[:4],
        "type": "Microsoft.Authorization/roleAssignments",
    }  # fmt: skip


READER, ELSEWHERE = assigned(AUDITOR := "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3"), assigned(CRYPTO_USER, "/keys/other")


@pytest.mark.parametrize(
    ("acts", "listed", "told"),
    [
        ([SIGNED], [READER, ELSEWHERE], ("medium", "medium")),  # its roles are known, and none allows it
        ([STOLEN], [READER], ("high", "medium")),
        ([SIGNED], [READER], ("low", "low")),  # the list may not show the roles on single keys
        ([SIGNED], [READER, ELSEWHERE, assigned(CRYPTO_USER, "/keys", TEAM, "Group")], ("low", "low")),
        ([SIGNED], [READER, assigned(CRYPTO_USER, "/keys/other", TEAM, "Group")], ("medium", "medium")),
        ([GRANTED, SIGNED], [READER, ELSEWHERE, assigned("4bd23610-cdcf-4971-bdee-bdc562cc28e4")], ("low", "low")),
        ([STOLEN], [assigned(AUDITOR, who=BOB)], ("medium", "low")),
        ([SIGNED], [assigned(AUDITOR, who=BOB), assigned(CRYPTO_USER, "/keys/k", BOB)], ("low", "low")),
        ([SIGNED], [READER, assigned(CRYPTO_USER, "/keys")], None),
        ([SIGNED], [READER, assigned(CRYPTO_USER, "/keys/k")], None),
        ([SIGNED], [assigned(CUSTOM)], None),  # nobody knows what a custom role allows
        ([STOLEN], [READER, assigned(BACKUP_ROLE)], None),
        ([], [assigned(CRYPTO_USER, "/keys", BOB)], None),  # reads of somebody whom the list doesn't have
        ([event(ACTED, "SettingUpdate", path="/settings/Other")], [READER], ("medium", "medium")),
        (
            [event(ACTED, "ManagedHsmPatch", path="/subscriptions/s/x/managedHSMs/h")],
            [READER],
            None,
        ),  # needs none of the HSM's
        ([{**STOLEN, "properties": {**STOLEN["properties"], "httpStatusCode": 403}}], [READER], None),
    ],
)
def test_what_no_listed_role_allows_is_told_with_what_else_may_explain_it(case_of, acts, listed, told):
    found = detect.run(case_of([*reads(), *acts], listed))

    mine = found[found["rule_id"] == "success-without-known-right"]
    assert [*zip(mine["severity"], mine["confidence"], strict=True)] == ([told] if told else [])
    assert mine["events"].tolist() == ([1] if told else [])


def defined(role: str, *allowed: str, name: str = "Role", but: tuple[str, ...] = ()) -> Row:
    """A role as the HSM itself lists it; it may read keys."""
    given, taken = (
        [f"Microsoft.KeyVault/managedHsm/{one}" for one in ones] for ones in (("keys/read/action", *allowed), but)
    )
    block = {"actions": [], "notActions": [], "dataActions": given, "notDataActions": taken}
    return {"name": role, "roleName": name, "roleType": "CustomRole", "assignableScopes": ["/"], "permissions": [block]}


NAMELESS = READER | {"roleDefinitionId": "", "roleName": "Managed HSM Backup"}


@pytest.mark.parametrize(
    ("acts", "listed", "told"),
    [
        ([STOLEN], [assigned(CUSTOM), defined(CUSTOM, "keys/sign/action")], ("high", "medium")),
        ([STOLEN], [assigned(CUSTOM), defined(CUSTOM, "backup/*")], None),
        ([STOLEN], [assigned(CUSTOM), defined(CUSTOM, "*", but=("backup/start/action",))], ("high", "medium")),
        (
            [STOLEN],
            [assigned(CUSTOM), defined(CUSTOM, "keys/*"), defined(CUSTOM, "backup/*")],
            None,
        ),  # before and after
        ([STOLEN], [READER, defined(AUDITOR, "backup/*")], None),  # its own word comes before what is published
        ([STOLEN], [assigned(BACKUP_ROLE), defined(BACKUP_ROLE, "keys/*")], ("high", "medium")),
        (
            [STOLEN],
            [assigned(CUSTOM), defined(CUSTOM) | {"permissions": ["?"]}],
            None,
        ),  # can't be read: may allow anything
        ([STOLEN], [READER, NAMELESS], None),  # a built-in role by the name that it had before
        ([STOLEN], [READER, NAMELESS | {"roleName": "Managed HSM Crypto User"}], ("high", "medium")),
        ([STOLEN], [READER, NAMELESS | {"roleName": "Own"}, defined(CUSTOM, "keys/*", name="own")], ("high", "medium")),
        ([STOLEN], [READER, NAMELESS | {"roleName": "Own"}], None),
    ],
)
def test_what_a_role_allows_is_what_the_hsm_itself_says_first(case_of, acts, listed, told):
    found = detect.run(case_of([*reads(), *acts], listed))

    mine = found[found["rule_id"] == "success-without-known-right"]
    assert [*zip(mine["severity"], mine["confidence"], strict=True)] == ([told] if told else [])


def test_a_list_is_of_the_hsm_that_its_name_has(case_of):
    other = {**STOLEN, "resourceId": HSM.replace("hsm-a", "hsm-b")}

    found = detect.run(case_of([*reads(), STOLEN, other], [READER]))

    assert "success-without-known-right" not in set(found["rule_id"])


def test_without_a_list_a_right_is_not_testable_here(case_of):
    case = case_of(reads(), [TAGGED])

    looked = detect.looked_for(case, detect.run(case)).set_index("rule_id").loc["success-without-known-right"]

    assert (looked["testable"], looked["reason"]) == ("not testable here", "no role assignments in the case")


def test_the_change_that_both_logs_tell_is_one_finding(case_of):
    told = event(ACTED, "ManagedHsmPatch", path=HSM)

    found = detect.run(case_of([*reads(), told], [TAGGED]))

    assert found.loc[found["rule_id"] == "resource-changed", "events"].tolist() == [2]


def test_the_end_of_an_opening_that_alone_lacks_the_request_is_part_of_it(case_of):
    begun = {**activity(WRITE, requestbody=opened("Allow")), "status": {"value": "Started"}}

    found = detect.run(case_of(reads(), [begun, activity(WRITE, minute=1)]))

    assert found.loc[found["rule_id"] == "network-opened", "events"].tolist() == [2]
    assert "resource-changed" not in set(found["rule_id"])


def test_a_silence_that_the_activity_log_explains_is_told_once_and_critical(case_of):
    steady = [event(str(pd.Timestamp("2026-01-05") + pd.Timedelta(minutes=15 * n))) for n in range(12 * 96)]
    kept = [row for row in steady if not "2026-01-15T03" < row["time"] < "2026-01-15T12"]
    deleted = {**DELETED, "eventTimestamp": moment("2026-01-15 03:00")}

    found = detect.run(case_of(kept, [deleted]))

    (finding,) = found[found["rule_id"] == "logging-removed"].to_dict("records")
    assert (finding["severity"], finding["events"]) == ("critical", 3)
    assert not found["rule_id"].str.startswith("silence").any()


def test_a_list_proves_to_whom_the_role_was_given(case_of):
    name = "22222222-2222-4222-8222-222222222222"
    path = f"/providers/Microsoft.Authorization/roleAssignments/{name}"
    given = {
        "id": path, "name": name, "type": "Microsoft.Authorization/roleAssignments",
        "properties": {"principalId": ANNA, "scope": "/", "roleDefinitionId": "Microsoft.KeyVault/providers/r/1"},
    }  # fmt: skip
    written = event(ACTED, "RoleAssignmentCreate", path=path, status=201)

    found = detect.run(case_of([*reads(), written], [given]))

    (finding,) = found[found["rule_id"] == "own-rights"].to_dict("records")
    assert "to itself" in finding["title"]


def test_what_is_not_in_the_case_is_not_testable_here(case_of):
    case = case_of(reads(), [TAGGED])

    looked = detect.looked_for(case, detect.run(case)).set_index("rule_id")

    assert looked.loc["logging-removed", "testable"] == "yes"
    assert looked.loc["logging-removed", "rows_examined"] == 1
    assert looked.loc["backup-read", "testable"] == "not testable here"
    assert looked.loc["backup-read", "reason"] == "no log of a storage account in the case"


def test_the_events_of_a_case_bring_what_stands_around_them(case_of):
    case = case_of(reads(), [DELETED])

    pd.testing.assert_frame_equal(detect.run(case), detect.run(case.events))
    assert "logging-removed" not in set(detect.run(case.events.df())["rule_id"])
    before = case.events.within(end=pd.Timestamp("2026-01-15", tz="UTC").to_pydatetime())
    assert "logging-removed" not in set(detect.run(before)["rule_id"])


def test_the_incident_with_all_that_stands_around_it(tmp_path):
    case = cases.create_case(tmp_path / "case")
    ingest.add(case, [SAMPLES / "incident"])

    found = detect.run(cases.open_case(case.path))

    by_rule = found.groupby("rule_id")["severity"].agg(list)
    assert found["rule_id"][:3].tolist() == ["security-domain-download", "keys-purged", "full-backup-not-routine"]
    assert by_rule["logging-removed"] == ["critical", "critical"]
    assert by_rule["backup-read"] == by_rule["backup-elsewhere"] == ["high"]
    assert by_rule["signin-new-address"] == ["medium", "medium"]
    assert not {"silence", "silence-after-grave-act"} & set(by_rule.index)
    before = found[found["first_time"] < pd.Timestamp("2026-03-16T02:00Z")]
    assert set(before["severity"]) <= {"low", "info"}
