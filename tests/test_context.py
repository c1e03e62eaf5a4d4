"""Records of other logs: recognised in every form they are exported in, kept apart, accounted to the line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from building import SAMPLES

import mhsm_forensics as mf
from mhsm_forensics.errors import EvidenceError, InputError

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


# Lists: who an id is, who has which role, whose an address is.
USER = {
    "id": OID.upper(), "displayName": "Keller, Anna", "userPrincipalName": "anna@contoso.example", "userType": "Member",
    "accountEnabled": True, "createdDateTime": "2024-01-02T03:04:05Z",
}  # fmt: skip
MACHINE = {
    "id": OID, "appId": APP.upper(), "displayName": "svc-deploy", "servicePrincipalType": "Application",
    "accountEnabled": False, "alternativeNames": [], "appOwnerOrganizationId": "9b0e",
}  # fmt: skip
IDENTITY = {
    "clientId": APP, "principalId": OID, "name": "mi-payments", "location": "westeurope", "tenantId": "9b0e",
    "id": "/subscriptions/7C9F/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-payments",
    "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
}  # fmt: skip
GRANT = {
    "id": "/keys/providers/Microsoft.Authorization/roleAssignments/5F1C", "name": "5F1C", "principalId": OID,
    "principalName": "svc-deploy", "principalType": "ServicePrincipal", "roleName": "Managed HSM Crypto User",
    "roleDefinitionId": "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
    "21dbd100-6940-42c2-9190-5d6cb909625b",
    "scope": "/keys", "type": "Microsoft.Authorization/roleAssignments",
}  # fmt: skip
TAG = {
    "name": "AzureKeyVault.WestEurope", "id": "AzureKeyVault.WestEurope",
    "properties": {"region": "westeurope", "systemService": "AzureKeyVault", "addressPrefixes": ["203.0.113.12/32"]},
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
    ("time", "reason"), [("2026-03-04T01:00:00", "no_zone"), ("soon", "bad_time"), (None, "no_time")]
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
    case = load(tmp_path, a_lines=[SIGNIN["row"], ACTIVITY["row"]], b_json=[REQUEST["row"]],
                c_json=[USER, TAG], d_lines=[GRANT])  # fmt: skip

    for table in mf.schema.CONTEXT:
        row = case.context(table).iloc[0]
        assert json.loads(b"".join(mf.ingest.raw(case, row["event_id"]))) == json.loads(row["record_json"])


def test_rebuild_gives_the_same_context(tmp_path):
    case = load(tmp_path, log_lines=[SIGNIN["row"], ACTIVITY["row"], REQUEST["row"], USER, TAG, GRANT])
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


def listed(folder, content, table, *, name="list.json"):
    """The only row of a list in a file of its own."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    case = mf.add(mf.create_case(folder / "case"), [path]).case
    (row,) = case.context(table).to_dict("records")
    assert case.accounting.loc[0, ["out_of_scope", "lines"]].to_list() == [1, 1]
    assert b"".join(mf.ingest.raw(case, row["event_id"])) in path.read_bytes()
    return row


PORTAL_USERS = (
    "\ufeffuserPrincipalName,displayName,surname,id,userType,accountEnabled,createdDateTime\r\n"
    f'anna@contoso.example,"Keller, Anna",Keller,{OID},Member,True,2024-01-02T03:04:05Z\r\n'
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("az.json", json.dumps([USER], indent=2)),
        (
            "graph.json",
            json.dumps({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "value": [USER]}),
        ),
        ("graph-pretty.json", json.dumps({"@odata.context": "…", "value": [USER], "@odata.nextLink": "…"}, indent=1)),
        ("one.json", json.dumps(USER)),
        ("portal.csv", PORTAL_USERS),
        ("excel.csv", PORTAL_USERS.replace(",", ";").replace("Keller; Anna", "Keller, Anna")),
        ("utf-16.csv", b"\xff\xfe" + PORTAL_USERS[1:].encode("utf-16-le")),
    ],
)
def test_every_form_of_a_roster_says_the_same_of_a_user(tmp_path, name, content):
    if name == "utf-16.csv":  # its bytes are those of its text as UTF-8
        path = tmp_path / name
        path.write_bytes(content)
        (row,) = mf.add(mf.create_case(tmp_path / "case"), [path]).case.context("identities").to_dict("records")
    else:
        row = listed(tmp_path, content, "identities", name=name)

    assert (row["object_id"], row["upn"], row["label"]) == (OID, "anna@contoso.example", "Keller, Anna")
    assert (row["kind"], row["enabled"], row["user_type"]) == ("user", "true", "Member")
    assert row["created"].isoformat() == "2024-01-02T03:04:05+00:00"


_ENTERPRISE = (
    "id,displayName,appId,createdDateTime,applicationType,accountEnabled,applicationVisibility,assignmentRequired,isAppProxy\n"
    f"{OID},svc-deploy,{APP},2024-01-02T03:04:05Z,{{}},True,Visible,False,False\n"
)


@pytest.mark.parametrize(
    ("name", "content", "kind", "object_id"),
    [
        ("sp.json", json.dumps([MACHINE]), "service_principal", OID),
        ("mi-sp.json", json.dumps([MACHINE | {"servicePrincipalType": "ManagedIdentity",
                                              "alternativeNames": ["isExplicit=True", "/subscriptions/7c9f/x"]}]),
         "managed_identity", OID),
        ("mi.json", json.dumps([IDENTITY]), "managed_identity", OID),
        ("app.json", json.dumps([{"id": "a-1", "appId": APP, "displayName": "svc-deploy", "publisherDomain": "contoso.example"}]),
         "application", "a-1"),
        ("enterprise.csv", _ENTERPRISE.format("Enterprise Application"), "service_principal", OID),
        ("managed.csv", _ENTERPRISE.format("Managed Identity"), "managed_identity", OID),
        ("registrations.csv", f"Display name,Application (client) ID,Created on\nsvc-deploy,{APP},3/4/2024\n",
         "application", None),
    ],
)  # fmt: skip
def test_every_kind_of_application_is_told_apart(tmp_path, name, content, kind, object_id):
    row = listed(tmp_path, content, "identities", name=name)

    assert (row["kind"], row["app_id"]) == (kind, APP)
    assert (row["object_id"] if isinstance(row["object_id"], str) else None) == object_id


def test_a_managed_identity_has_the_id_of_its_resource(tmp_path):
    row = listed(tmp_path, json.dumps([IDENTITY]), "identities")

    assert row["resource_id"].endswith("/userassignedidentities/mi-payments")
    assert row["label"] == "mi-payments"


_POWERSHELL = {
    "RoleAssignmentName": "5f1c", "Id": GRANT["id"], "Scope": "/keys", "DisplayName": "svc-deploy", "ObjectId": OID,
    "ObjectType": "ServicePrincipal", "RoleDefinitionName": GRANT["roleName"], "RoleDefinitionId": GRANT["roleDefinitionId"],
}  # fmt: skip
_REST = {name: GRANT[name] for name in ("id", "name", "type")} | {
    "properties": {name: GRANT[name] for name in ("principalId", "roleDefinitionId", "scope")}
}


@pytest.mark.parametrize("entry", [GRANT, _POWERSHELL, _REST], ids=["az", "powershell", "rest"])
def test_every_form_of_a_role_assignment_says_who_has_which_role_where(tmp_path, entry):
    row = listed(tmp_path, json.dumps({"value": [entry]}), "role_assignments")

    assert (row["assignment_id"], row["object_id"], row["scope"]) == ("5f1c", OID, "/keys")
    assert row["role_definition_id"] == "21dbd100-6940-42c2-9190-5d6cb909625b"
    if entry is not _REST:
        assert (row["role_name"], row["principal"]) == ("Managed HSM Crypto User", "svc-deploy")
        assert row["principal_type"] == "service_principal"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("more", [{}, {"id": "/subscriptions/7c9f/…", "name": "Public"}], ids=["published", "az"])
def test_service_tags_are_read_from_the_file_that_is_published(tmp_path, indent, more):
    content = {"changeNumber": 360, "cloud": "Public", **more, "values": [TAG]}

    row = listed(tmp_path, json.dumps(content, indent=indent), "address_ranges")

    assert (row["networks"].tolist(), row["label"]) == (["203.0.113.12/32"], "AzureKeyVault.WestEurope")
    assert (row["source"], row["region"], row["service"]) == ("service_tags", "westeurope", "AzureKeyVault")


@pytest.mark.parametrize(
    "content",
    ["cidr,label,class\n192.0.2.0/24,Office,Corporate\n", "Network;Owner;Zone\n192.0.2.0/24;Office;Corporate\n",
     json.dumps([{"ip": "192.0.2.0/24", "name": "Office", "class": "Corporate"}]),
     '{"range": "192.0.2.0-192.0.2.255", "description": "Office", "class": "corporate"}\n'],
)  # fmt: skip
def test_a_list_of_addresses_may_name_its_columns_as_people_do(tmp_path, content):
    row = listed(tmp_path, content, "address_ranges", name="list.csv" if content[0] not in "[{" else "list.json")

    assert (row["networks"].tolist(), row["label"], row["address_class"]) == (["192.0.2.0/24"], "Office", "corporate")


def test_named_locations_are_address_ranges(tmp_path):
    office = {"@odata.type": "#microsoft.graph.ipNamedLocation", "id": "n-1", "displayName": "Office", "isTrusted": True,
              "ipRanges": [{"cidrAddress": "192.0.2.0/24"}, {"cidrAddress": "2001:db8::/48"}]}  # fmt: skip

    row = listed(tmp_path, json.dumps({"value": [office]}), "address_ranges")

    assert (row["networks"].tolist(), row["address_class"]) == (["192.0.2.0/24", "2001:db8::/48"], "trusted")


def test_each_line_of_a_list_that_says_nothing_is_a_reject_with_its_reason(tmp_path):
    path = tmp_path / "addresses.csv"
    path.write_text(
        "cidr,label\n192.0.2.1/24,a\nsoon,b\n,c\n192.0.2.0/24,Hall 1, north\n\n192.0.2.9-192.0.2.1,d\n198.51.100.7,gate\n"
        "192.0.2.1-2001:db8::1,e\n"
    )

    case = mf.add(mf.create_case(tmp_path / "case"), [path]).case

    assert case.rejects.sort_values("source_line")[["source_line", "reason"]].to_numpy().tolist() == [
        [2, "host_bits_set"], [3, "bad_network"], [4, "no_network"], [5, "too_many_cells"], [7, "bad_network"],
        [9, "bad_network"],
    ]  # fmt: skip
    assert case.accounting.loc[0, ["out_of_scope", "blank", "reject", "lines"]].to_list() == [1, 1, 6, 8]
    assert case.context("address_ranges")["networks"].iloc[0].tolist() == ["198.51.100.7/32"]


def test_a_network_that_can_not_be_read_stays_beside_those_that_can(tmp_path):
    tag = TAG | {"properties": {"addressPrefixes": ["203.0.113.12/32", "soon"]}}

    row = listed(tmp_path, json.dumps({"changeNumber": 1, "cloud": "Public", "values": [tag]}), "address_ranges")

    assert (row["networks"].tolist(), row["unreadable"].tolist()) == (["203.0.113.12/32"], ["soon"])


@pytest.mark.parametrize("entry", [{"displayName": "x", "userPrincipalName": "x@contoso.example", "id": ""},
                                   GRANT | {"principalId": ""}])  # fmt: skip
def test_an_entry_without_an_id_is_a_reject(tmp_path, entry):
    case = load(tmp_path, list_json=[entry, USER])

    assert case.rejects["reason"].to_list() in (["no_id"], ["no_principal"])


def test_what_a_list_says_survives_verbatim(tmp_path):
    hostile = '=HYPERLINK("http://x")\u202e\x1b[31m</script>\'; DROP TABLE events --\u0000'

    row = listed(tmp_path, json.dumps([USER | {"displayName": hostile}]), "identities")

    assert row["label"] == hostile


def test_an_audit_record_is_never_taken_for_a_list_nor_a_list_for_one(tmp_path):
    (audit,) = json.loads((SAMPLES / "documented" / "backup-create.json").read_text())
    odd = audit | {
        "correlationId": "another-request",
        "appId": APP,
        "id": OID,
        "displayName": "x",
        "cidr": "192.0.2.0/24",
        "roleDefinitionId": "r",
        "principalId": "p",
    }

    case = load(tmp_path, log_lines=[audit, odd, USER, GRANT])

    assert case.accounting.loc[0, ["event", "out_of_scope", "reject"]].to_list() == [2, 2, 0]


@pytest.mark.parametrize(
    "text",
    [
        '{"ip": "10.0.0.1", "port": 22}',
        '{"name": "x", "address": "Main Street 1"}',
        "timestamp,name,ip\n1,x,10.0.0.1\n",
        "a,b\n1,2\n",
    ],
)
def test_what_is_no_list_is_left_out(tmp_path, text):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "other.txt").write_text(text)
    (tmp_path / "notes" / "users.json").write_text(json.dumps([USER]))

    added = mf.add(mf.create_case(tmp_path / "case"), [tmp_path / "notes"])

    assert [other.name for other in added.passed_over] == ["notes/other.txt"]


def test_a_list_has_no_time(tmp_path):
    case = load(tmp_path, list_json=[USER])

    assert case.evidence["first_time"].isna().all()
    assert case.evidence["route"].to_list() == ["identities"]


def test_lists_of_the_sample_are_taken_with_the_logs(tmp_path):
    added = mf.add(mf.create_case(tmp_path / "case"), [CONTEXT])

    assert added.passed_over == ()
    assert {table: len(added.case.context(table)) for table in ("identities", "role_assignments", "address_ranges")} == {
        "identities": 12, "role_assignments": 16, "address_ranges": 11,
    }  # fmt: skip
    assert added.case.rejects["reason"].to_list() == ["bad_network"]


# The same sign-ins as the Entra admin centre downloads them: as JSON, and as CSV with the columns of its four files.
GUEST, TENANT = "a3f1c7d2-5b84-4e60-9c1d-7e2f8a9b0c3d", "72f9a1b0-6c3d-4e5f-8a7b-9c0d1e2f3a4b"


def user_signin(**changed):
    return {
        "id": "s-2", "createdDateTime": "2026-03-04T01:00:00Z", "correlationId": "c-7", "userId": GUEST,
        "userDisplayName": "Anna Keller", "userPrincipalName": "anna@contoso.example", "appId": APP,
        "appDisplayName": "Azure CLI", "ipAddress": "2001:db8::7", "resourceDisplayName": "Azure Key Vault",
        "resourceId": "cfa8b339", "uniqueTokenIdentifier": "-tok_2", "userAgent": "python-requests/2", "homeTenantId": TENANT,
        "authenticationProtocol": "deviceCode", "authenticationRequirement": "singleFactorAuthentication",
        "conditionalAccessStatus": "notApplied", "status": {"errorCode": 0, "failureReason": "Other."},
        "location": {"city": "Washington, D.C.", "state": "District of Columbia", "countryOrRegion": "US"},
        "signInEventTypes": ["nonInteractiveUser"],
    } | changed  # fmt: skip


def machine_signin(**changed):
    row = SIGNIN["graph"] | {
        "appDisplayName": "svc-deploy", "homeTenantId": TENANT, "conditionalAccessStatus": "success",
        "location": {"city": "Oslo", "state": "Oslo", "countryOrRegion": "NO"},
    }  # fmt: skip
    return {name: value for name, value in (row | changed).items() if name != "uniqueTokenIdentifier"}


_WORDS = {"notApplied": "Not Applied", "success": "Success", "deviceCode": "Device Code"}


def as_downloaded(signin):
    """The row of the CSV that the portal downloads of a sign-in, with the spelling of its columns."""
    failed, place = signin["status"]["errorCode"], signin["location"]
    who = {
        "User agent": signin.get("userAgent"), "User ID": signin.get("userId"), "User": signin.get("userDisplayName"),
        "Username": signin.get("userPrincipalName"), "Incoming token type": "None",
        "Authentication Protocol": _WORDS.get(signin.get("authenticationProtocol")),
        "Unique token identifier": f"'{signin.get('uniqueTokenIdentifier')}",
    } if "userId" in signin else {
        "Service principal ID": signin["servicePrincipalId"], "Service principal name": signin["servicePrincipalName"],
        "Credential key ID": signin.get("servicePrincipalCredentialKeyId"), "Credential thumbprint": "",
    }  # fmt: skip
    return {
        "Date (UTC)": signin["createdDateTime"], "Request ID": signin["id"], "Correlation ID": signin["correlationId"], **who,
        "Application": signin["appDisplayName"], "Application ID ": signin["appId"].upper(),
        "Resource": signin["resourceDisplayName"], "Resource ID ": signin["resourceId"],
        "Home tenant ID": signin["homeTenantId"], "IP address": signin["ipAddress"],
        "Location": ", ".join([place.get("city", ""), place.get("state", ""), place.get("countryOrRegion", "")]),
        "Status": "Failure" if failed else "Success", "Sign-in error code": failed or "",
        "Failure reason": signin["status"]["failureReason"],
        "Conditional Access": _WORDS[signin["conditionalAccessStatus"]],
    }  # fmt: skip


def download(folder, rows, *, name="log.csv", separator=",", head=None):
    """A case of a file as a portal writes it: with a mark of its encoding, CRLF and quotes about each cell."""
    folder.mkdir(exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, delimiter=separator)
    writer.writerow(head or rows[0])
    writer.writerows(row if isinstance(row, list) else row.values() for row in rows)
    (folder / name).write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
    return mf.add(mf.create_case(folder / "case"), [folder / name]).case


@pytest.mark.parametrize(
    ("name", "signin"),
    [
        ("InteractiveSignIns_2026-03-01_2026-03-05.csv", user_signin()),
        ("NonInteractiveSignIns.csv", user_signin(status={"errorCode": 50126, "failureReason": "Invalid password"})),
        ("ApplicationSignIns.csv", machine_signin()),
        ("MSISignIns_2026-03-01_2026-03-05.csv", machine_signin(
            signInEventTypes=["managedIdentity"], servicePrincipalCredentialKeyId=None, ipAddress="", location={},
            status={"errorCode": 0, "failureReason": "Other."})),
    ],
    ids=["interactive", "non-interactive", "application", "managed-identity"],
)  # fmt: skip
def test_a_sign_in_downloaded_as_csv_says_what_it_says_as_json(tmp_path, name, signin):
    told = only_row(load(tmp_path / "json", log_json=[signin]), "signins")

    found = only_row(download(tmp_path / "csv", [as_downloaded(signin)], name=name), "signins")

    differ = {column for column in told if told[column] != found[column]}
    displayed = {"auth_protocol", "auth_requirement", "conditional_access"}  # in the portal's words
    assert differ - displayed == (set() if told["error_code"] != "0" else {"error_code"})
    assert found["error_code"] in (None, told["error_code"])  # the portal leaves it empty on success


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [("Success", "", "success"), ("Success", "0", "success"), ("Success", "None", "success"), ("Failure", "", "failure"),
     ("Interrupted", "50140", "failure"), ("Interrupted", "", "failure"), ("", "", "unknown"), ("odd", "", "unknown")],
)  # fmt: skip
def test_how_a_downloaded_sign_in_ended_is_said_by_code_or_word(tmp_path, status, code, outcome):
    row = as_downloaded(user_signin()) | {"Status": status, "Sign-in error code": code}

    found = only_row(download(tmp_path, [row]), "signins")

    assert (found["outcome"], found["error_code"]) == (outcome, code if code.isdecimal() else None)


def test_columns_are_known_whatever_their_case_spaces_and_order(tmp_path):
    row = as_downloaded(user_signin())
    told = only_row(download(tmp_path / "as-it-is", [row]), "signins")

    odd = {f" {name.upper()}  ": cell for name, cell in reversed(row.items())}
    found = only_row(download(tmp_path / "odd", [odd], separator=";"), "signins")

    assert found == told


@pytest.mark.parametrize(
    ("time", "reason"),
    [("2026-03-04T01:00:00Z", None), ("2026-03-04 01:00:00", None), ("2026-03-04T02:00:00+01:00", None),
     ("3/4/2026, 1:00:00 AM", "ambiguous_date"), ("04.03.2026 01:00", None), ("", "no_time"), ("soon", "bad_time")],
)  # fmt: skip
def test_a_time_under_utc_is_utc_and_a_day_that_may_be_a_month_is_a_reject(tmp_path, time, reason):
    case = download(tmp_path, [as_downloaded(user_signin()) | {"Date (UTC)": time}])

    assert case.rejects["reason"].to_list() == ([reason] if reason else [])
    times = [moment.isoformat() for moment in case.context("signins")["time"]]
    assert times == ([] if reason else ["2026-03-04T01:00:00+00:00"])


def test_a_time_whose_column_names_no_zone_is_a_reject(tmp_path):
    row = as_downloaded(user_signin())
    row = {"Date": row.pop("Date (UTC)").removesuffix("Z")} | row

    assert download(tmp_path, [row]).rejects["reason"].to_list() == ["no_zone"]


def test_each_line_of_a_damaged_download_has_one_fate(tmp_path):
    good = [str(cell or "") for cell in as_downloaded(user_signin()).values()]
    path = tmp_path / "log.csv"
    download(tmp_path / "whole", [good], head=list(as_downloaded(user_signin())))
    whole = (tmp_path / "whole" / "log.csv").read_bytes()
    head, line, _ = whole.split(b"\r\n")
    torn = line[: len(line) // 2]
    path.write_bytes(b"\r\n".join([head, line, b"", line + b',"more"', b'"2026-03-04T01:00:00Z","s"', line, torn]))

    case = mf.add(mf.create_case(tmp_path / "case"), [path]).case

    assert case.rejects.sort_values("source_line")[["source_line", "reason"]].to_numpy().tolist() == [
        [4, "too_many_cells"], [5, "too_few_cells"], [7, "truncated"],
    ]  # fmt: skip
    fates = ["out_of_scope", "duplicate", "blank", "reject", "lines"]
    assert case.accounting.loc[0, fates].to_list() == [1, 1, 1, 3, 6]


def test_every_row_of_a_download_leads_back_to_its_bytes_and_says_all_of_it(tmp_path):
    hostile = '=HYPERLINK("http://example.com")\r\n<script>alert(1)</script>\x1b[31m\u202e\'; DROP TABLE events --'
    row = as_downloaded(user_signin()) | {"User agent": hostile}
    head = [*row, "Incoming token type"]  # twice, as in the portal's file

    case = download(tmp_path, [[*row.values(), "Primary refresh token"], [*row.values(), "other"]], head=head)

    written = (tmp_path / "log.csv").read_bytes()
    for found in case.context("signins").to_dict("records"):
        data = b"".join(mf.ingest.raw(case, found["event_id"]))
        assert written[found["source_offset"] : found["source_offset"] + found["source_length"]] == data
        assert found["client_info"] == hostile  # quoted text is kept to the byte
    said = json.loads(case.context("signins").sort_values("source_line")["record_json"].iloc[0])
    assert (said["incoming token type"], said["incoming token type (2)"]) == ("None", "Primary refresh token")
    assert case.context("signins")["source_line"].to_list() == [2, 4]


ACTIVITY_ROW = {
    "Correlation id": "c-2", "Operation name": "Delete diagnostic setting", "Status": "Succeeded",
    "Event category": "Administrative", "Level": "Informational", "Time": "2026-03-04T04:41:30.123Z", "Subscription": "7c9f",
    "Event initiated by": "anna@contoso.example", "Resource type": "microsoft.insights/diagnosticSettings",
    "Resource group": "rg", "Resource": _SETTING,
}  # fmt: skip


def test_a_row_of_the_portal_s_activity_log_says_what_it_has_and_no_more(tmp_path):
    row = only_row(download(tmp_path, [ACTIVITY_ROW]), "activity")

    assert {name: value for name, value in row.items() if value is not None} == {
        "time": row["time"], "actor": "anna@contoso.example",
        "t": 1772599290123000, "operation": "Delete diagnostic setting", "category": "Administrative",
        "level": "Informational", "outcome": "success", "status": "Succeeded", "hsm": "contoso",
        "resource_id": _SETTING.lower(), "principal": "anna@contoso.example", "principal_type": "user",
        "upn": "anna@contoso.example", "correlation_id": "c-2",
    }  # fmt: skip


@pytest.mark.parametrize("resource", ["contoso", "", "to-storage"])
def test_a_row_without_a_resource_id_is_of_no_hsm(tmp_path, resource):
    row = only_row(download(tmp_path, [ACTIVITY_ROW | {"Resource": resource, "Event initiated by": ""}]), "activity")

    assert (row["hsm"], row["resource_id"], row["principal"], row["object_id"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("time", "reason"),
    [("2026-03-04 04:41:30", "no_zone"), ("3/4/2026, 4:41 AM", "ambiguous_date"), ("2 hours ago", "bad_time"), ("", "no_time")],
)  # fmt: skip
def test_a_time_of_the_portal_s_activity_log_that_is_none_is_a_reject(tmp_path, time, reason):
    case = download(tmp_path, [ACTIVITY_ROW | {"Time": time}])

    assert case.rejects["reason"].to_list() == [reason]
    assert case.accounting.loc[0, ["out_of_scope", "reject", "lines"]].to_list() == [0, 1, 1]


@pytest.mark.parametrize(
    "head",
    [
        "Request ID,Authentication date,Authentication method,Succeeded",  # the details beside the sign-ins
        "Nome da operação,Status,Categoria do evento,Hora,Evento iniciado por,Recurso",  # the portal in Portuguese
        "Date (UTC),User,Status",
        "Operation name,Status,Time",
    ],
)
def test_what_only_resembles_a_download_is_no_log(tmp_path, head):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "other.csv").write_text(head + "\n" + "x," * head.count(",") + "x\n")
    (tmp_path / "in" / "users.json").write_text(json.dumps([USER]))

    added = mf.add(mf.create_case(tmp_path / "case"), [tmp_path / "in"])

    assert [other.name for other in added.passed_over] == ["in/other.csv"]
    with pytest.raises(EvidenceError):
        mf.add(mf.create_case(tmp_path / "none"), [tmp_path / "in" / "other.csv"])


def test_operations_under_titles_are_not_judged_and_the_rules_say_so(tmp_path):
    case = download(tmp_path, [ACTIVITY_ROW])
    titles = mf.detect.looked_for(case, mf.detect.run(case)).set_index("rule_id").loc["logging-removed"]

    both = mf.add(case, [_written(tmp_path / "activity.json", [ACTIVITY["interface"]])]).case
    ids = mf.detect.looked_for(both, mf.detect.run(both)).set_index("rule_id").loc["logging-removed"]

    assert (titles["testable"], titles["rows_examined"], titles["findings"]) == ("not testable here", 0, 0)
    assert titles["reason"] == "no activity log with operations by id in the case"
    assert (ids["testable"], ids["rows_examined"], ids["findings"]) == ("yes", 1, 1)


def test_risk_that_a_download_leaves_out_is_not_taken_for_none(tmp_path):
    audit = SAMPLES / "documented" / "backup-create.json"
    case = mf.add(download(tmp_path, [as_downloaded(user_signin())]), [audit]).case
    looked = mf.detect.looked_for(case, mf.detect.run(case)).set_index("rule_id")

    assert looked.loc["signin-risky", "reason"] == "no record of the sign-ins in the case has risk"
    assert looked.loc["signin-guessed", "testable"] == "yes"


def _written(path, records):
    path.write_text(json.dumps(records))
    return path
