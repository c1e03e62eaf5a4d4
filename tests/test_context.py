"""Records of other logs: recognised in every form they are exported in, kept apart, accounted to the line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from building import SAMPLES

import mhsm_forensics as mf
from mhsm_forensics.errors import InputError

CONTEXT = SAMPLES / "incident" / "context"
PLACE = ["event_id", "record_id", "evidence_id", "source_file", "source_line", "source_offset", "source_length",
         "record_json", "source", "time_text"]  # fmt: skip

OID, APP = "5790a6a1-3a4c-4a58-9a16-6b1e5b6f2a10", "0b7c6a11-0d0f-4f6b-8a30-5a5b7b5c9d01"
HSM = "/subscriptions/7c9f/resourceGroups/rg/providers/Microsoft.KeyVault/managedHSMs/Contoso"

# The same sign-in of a service principal: a row of the workspace, a blob of a diagnostic setting, Microsoft Graph.
SIGNIN = {
    "row": {
        "TimeGenerated": "2026-03-04T01:00:00.5Z", "Category": "ServicePrincipalSignInLogs", "ResultType": "7000215",
        "ResultDescription": "Invalid client secret", "ServicePrincipalId": OID, "ServicePrincipalName": "svc-deploy",
        "AppId": APP, "IPAddress": "198.51.100.7", "ResourceDisplayName": "Azure Key Vault", "CorrelationId": "c-1",
        "ResourceIdentity": "cfa8b339", "UniqueTokenIdentifier": "tok-1", "Id": "s-1", "OperationName": "Sign-in activity",
        "ServicePrincipalCredentialKeyId": "key-1", "LocationDetails": '{"city":"Oslo","countryOrRegion":"NO"}',
        "Type": "AADServicePrincipalSignInLogs",
    },
    "blob": {
        "time": "2026-03-04T01:05:00Z", "resourceId": "/tenants/t/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity", "category": "ServicePrincipalSignInLogs", "resultType": "7000215",
        "resultDescription": "Invalid client secret", "correlationId": "c-1", "callerIpAddress": "198.51.100.7",
        "properties": {
            "createdDateTime": "2026-03-04T01:00:00.5Z", "servicePrincipalId": OID, "servicePrincipalName": "svc-deploy",
            "appId": APP, "ipAddress": "198.51.100.7", "resourceDisplayName": "Azure Key Vault", "id": "s-1",
            "resourceIdentity": "cfa8b339", "uniqueTokenIdentifier": "tok-1", "servicePrincipalCredentialKeyId": "key-1",
            "status": {"errorCode": 7000215, "failureReason": "Invalid client secret"},
            "location": {"city": "Oslo", "countryOrRegion": "NO"},
        },
    },
    "graph": {
        "id": "s-1", "createdDateTime": "2026-03-04T01:00:00.5Z", "appId": APP, "ipAddress": "198.51.100.7",
        "correlationId": "c-1", "servicePrincipalId": OID, "servicePrincipalName": "svc-deploy",
        "signInEventTypes": ["servicePrincipal"], "resourceDisplayName": "Azure Key Vault", "resourceId": "cfa8b339",
        "uniqueTokenIdentifier": "tok-1", "servicePrincipalCredentialKeyId": "key-1",
        "status": {"errorCode": 7000215, "failureReason": "Invalid client secret"},
        "location": {"city": "Oslo", "countryOrRegion": "NO"},
    },
}  # fmt: skip

# The same removal of a diagnostic setting: a row of AzureActivity, a blob of the activity log, the interface's object.
_CLAIMS = {"appid": APP, "http://schemas.microsoft.com/identity/claims/objectidentifier": OID, "idtyp": "app"}
_SETTING = f"{HSM}/providers/microsoft.insights/diagnosticSettings/to-storage"
_DELETE = "MICROSOFT.INSIGHTS/DIAGNOSTICSETTINGS/DELETE"
ACTIVITY = {
    "row": {
        "TimeGenerated": "2026-03-04T04:41:30Z", "OperationNameValue": _DELETE, "ActivityStatusValue": "Success",
        "ActivitySubstatusValue": "OK", "CategoryValue": "Administrative", "Level": "Informational", "Caller": OID,
        "CallerIpAddress": "198.51.100.7", "Claims": json.dumps(_CLAIMS), "CorrelationId": "c-2", "_ResourceId": _SETTING,
        "Authorization": json.dumps({"action": _DELETE, "scope": _SETTING}), "Type": "AzureActivity",
    },
    "blob": {
        "time": "2026-03-04T04:41:30Z", "resourceId": _SETTING, "operationName": _DELETE, "category": "Administrative",
        "resultType": "Success", "resultSignature": "OK", "level": "Informational", "correlationId": "c-2",
        "callerIpAddress": "198.51.100.7",
        "identity": {"claims": _CLAIMS, "authorization": {"action": _DELETE, "scope": _SETTING}},
    },
    "interface": {
        "eventTimestamp": "2026-03-04T04:41:30Z", "operationName": {"value": _DELETE, "localizedValue": "Delete"},
        "status": {"value": "Success", "localizedValue": "Success"}, "subStatus": {"value": "OK"}, "caller": OID,
        "category": {"value": "Administrative"}, "level": "Informational", "correlationId": "c-2", "claims": _CLAIMS,
        "httpRequest": {"clientIpAddress": "198.51.100.7"}, "resourceId": _SETTING,
        "authorization": {"action": _DELETE, "scope": _SETTING},
    },
}  # fmt: skip

# The same read of a backup: a row of StorageBlobLogs, and a blob of the storage account's diagnostic setting.
_URI = "https://contosobackup.blob.core.windows.net:443/hsm/mhsm-contoso-1/keys?sv=2023-11-03&sig=secret"
REQUEST = {
    "row": {
        "TimeGenerated": "2026-03-04T02:33:00.1234567Z", "OperationName": "GetBlob", "StatusCode": "206",
        "StatusText": "SASSuccess", "AccountName": "contosobackup", "Uri": _URI, "AuthenticationType": "SAS",
        "AuthenticationHash": "SasSignature(AB)", "CallerIpAddress": "198.51.100.7:40123", "CorrelationId": "c-3",
        "ResponseBodySize": "1048576", "RequestBodySize": "0", "UserAgentHeader": '"curl/8"', "TlsVersion": "TLS 1.2",
        "Category": "StorageRead", "Type": "StorageBlobLogs",
    },
    "blob": {
        "time": "2026-03-04T02:33:00.1234567Z", "resourceId": "/subscriptions/s/…/blobServices/default",
        "category": "StorageRead", "operationName": "GetBlob", "statusCode": 206, "statusText": "SASSuccess", "uri": _URI,
        "callerIpAddress": "198.51.100.7:40123", "correlationId": "c-3",
        "identity": {"type": "SAS", "tokenHash": "SasSignature(AB)"},
        "properties": {"accountName": "contosobackup", "responseBodySize": 1048576, "requestBodySize": 0,
                       "userAgentHeader": '"curl/8"', "tlsVersion": "TLS 1.2"},
    },
}  # fmt: skip


def load(folder, **files):
    """A case of some files, given as records by name: `x_json` is an array, `x_lines` one record a line."""
    paths = []
    for name, records in files.items():
        folder.mkdir(exist_ok=True)
        path = folder / name.replace("_", ".")
        if name.endswith("csv"):
            text = io.StringIO()
            writer = csv.DictWriter(text, records[0])
            writer.writeheader()
            writer.writerows(records)
            path.write_text(text.getvalue())
        else:
            lines = "".join(json.dumps(record) + "\n" for record in records)
            path.write_text(json.dumps(records, indent=1) if name.endswith("json") else lines)
        paths.append(path)
    return mf.add(mf.create_case(folder / "case"), paths).case


def only_row(case, table):
    frame = case.context(table)
    assert len(frame) == 1
    return frame.drop(columns=PLACE).astype(object).where(frame.drop(columns=PLACE).notna(), None).iloc[0].to_dict()


@pytest.mark.parametrize(
    ("table", "forms"),
    [("signins", SIGNIN), ("activity", ACTIVITY), ("blob_requests", REQUEST)],
    ids=lambda x: str(x)[:8],
)
def test_every_form_of_a_record_gives_the_same_row(tmp_path, table, forms):
    rows = {form: only_row(load(tmp_path / form, log_lines=[record]), table) for form, record in forms.items()}
    rows["array"] = only_row(load(tmp_path / "array", log_json=[forms["row"]]), table)
    rows["csv"] = only_row(load(tmp_path / "csv", log_csv=[forms["row"]]), table)

    first, *others = rows.values()
    assert all(other == first for other in others)


def test_a_sign_in_says_who_failed_with_which_credential_from_where(tmp_path):
    row = only_row(load(tmp_path, log_lines=[SIGNIN["row"]]), "signins")

    assert (row["outcome"], row["error_code"], row["principal"], row["principal_type"]) == (
        "failure", "7000215", "svc-deploy", "service_principal",
    )  # fmt: skip
    assert (row["object_id"], row["token_id"], row["credential_id"], row["country"]) == (OID, "tok-1", "key-1", "NO")


def test_a_removed_setting_names_the_hsm_it_was_of(tmp_path):
    row = only_row(load(tmp_path, log_lines=[ACTIVITY["blob"]]), "activity")

    assert (row["hsm"], row["outcome"], row["object_id"], row["caller_ip"]) == (
        "contoso",
        "success",
        OID,
        "198.51.100.7",
    )


def test_a_record_of_the_control_plane_is_no_event_of_the_hsm(tmp_path):
    case = load(tmp_path, log_lines=[ACTIVITY["blob"]])

    assert len(case.events) == 0
    assert case.accounting.loc[0, ["event", "out_of_scope", "lines"]].to_list() == [0, 1, 1]


@pytest.mark.parametrize(
    ("status", "outcome"), [("Success", "success"), ("Start", "accepted"), ("Failure", "failure"), ("odd", "unknown")]
)
def test_a_started_operation_is_accepted_and_not_done(tmp_path, status, outcome):
    row = ACTIVITY["row"] | {"ActivityStatusValue": status, "ActivitySubstatusValue": ""}

    assert only_row(load(tmp_path, log_lines=[row]), "activity")["outcome"] == outcome


def test_a_refused_operation_is_denied(tmp_path):
    row = ACTIVITY["row"] | {
        "ActivityStatusValue": "Failure",
        "ActivitySubstatusValue": "Forbidden (HTTP Status Code: 403)",
    }

    assert only_row(load(tmp_path, log_lines=[row]), "activity")["outcome"] == "denied"


def test_a_signature_in_a_uri_is_not_shown(tmp_path):
    case = load(tmp_path, log_lines=[REQUEST["row"]])
    row = only_row(case, "blob_requests")

    assert row["uri"] == "https://contosobackup.blob.core.windows.net:443/hsm/mhsm-contoso-1/keys"
    assert (row["container"], row["blob"]) == ("hsm", "mhsm-contoso-1/keys")


def test_the_seventh_digit_of_a_time_is_kept_as_text(tmp_path):
    row = load(tmp_path, log_lines=[REQUEST["row"]]).context("blob_requests").iloc[0]

    assert row["time_text"] == "2026-03-04T02:33:00.1234567Z"
    assert row["time"].isoformat() == "2026-03-04T02:33:00.123456+00:00"


@pytest.mark.parametrize(
    ("time", "reason"), [("2026-03-04T01:00:00", "naive_time"), ("soon", "bad_time"), (None, "no_time")]
)
def test_a_record_whose_time_is_none_is_a_reject(tmp_path, time, reason):
    case = load(tmp_path, log_lines=[SIGNIN["row"] | {"TimeGenerated": time}])

    assert case.rejects["reason"].to_list() == [reason]
    assert case.accounting.loc[0, ["out_of_scope", "reject"]].to_list() == [0, 1]


def test_records_that_came_twice_count_once(tmp_path):
    case = load(tmp_path, a_lines=[SIGNIN["row"], REQUEST["row"]], b_lines=[SIGNIN["row"], SIGNIN["graph"]])

    assert case.accounting.loc[0, ["out_of_scope", "duplicate"]].to_list() == [3, 1]
    assert len(case.context("signins")) == 2


def test_context_beside_events_in_one_file_leaves_both_whole(tmp_path):
    audit = json.loads((SAMPLES / "documented" / "backup-create.json").read_text())
    case = load(
        tmp_path, log_lines=[*(audit if isinstance(audit, list) else [audit]), SIGNIN["blob"], ACTIVITY["blob"]]
    )

    assert case.accounting.loc[0, ["event", "out_of_scope", "reject"]].to_list() == [1, 2, 0]


def test_every_row_leads_back_to_its_bytes(tmp_path):
    case = load(tmp_path, a_lines=[SIGNIN["row"], ACTIVITY["row"]], b_json=[REQUEST["row"]])

    for table in mf.schema.CONTEXT:
        row = case.context(table).iloc[0]
        assert json.loads(b"".join(mf.ingest.raw(case, row["event_id"]))) == json.loads(row["record_json"])


def test_rebuild_gives_the_same_context(tmp_path):
    case = load(tmp_path, log_lines=[SIGNIN["row"], ACTIVITY["row"], REQUEST["row"]])
    before = {table: case.context(table) for table in mf.schema.CONTEXT}

    case = mf.rebuild(case)

    assert all(case.context(table).equals(frame) for table, frame in before.items())


def test_no_such_table(quiet_day):
    with pytest.raises(InputError, match="one of activity, signins, blob_requests"):
        quiet_day.context("logins")


def test_a_case_without_context_has_empty_tables(quiet_day):
    assert all(quiet_day.context(table).empty for table in mf.schema.CONTEXT)


def test_the_sample_says_who_stopped_the_logs_and_that_a_backup_left(tmp_path):
    case = mf.add(mf.create_case(tmp_path / "case"), [CONTEXT]).case
    stopped = case.context("activity").query("operation.str.endswith('delete') and outcome == 'success'")
    reads = case.context("blob_requests").query("operation == 'GetBlob'")

    assert stopped["caller_ip"].unique().tolist() == ["198.51.100.203"]
    assert sorted(stopped["hsm"]) == ["contoso-hsm-dr", "contoso-hsm-prod"]
    assert reads["caller_ip"].unique().tolist() == ["198.51.100.77"]


def test_the_token_of_a_sign_in_is_the_one_the_hsm_saw(tmp_path, incident):
    case = mf.add(mf.create_case(tmp_path / "case"), [CONTEXT]).case
    signins = case.context("signins").query("caller_ip == '198.51.100.77' and outcome == 'success'")
    seen = incident.events.df(["token_id", "caller_ip"]).query("caller_ip == '198.51.100.77'")

    assert set(signins["token_id"]) <= set(seen["token_id"].dropna())
