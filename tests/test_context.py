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

    assert added.left_out == ("notes/other.txt",)


def test_a_list_has_no_time(tmp_path):
    case = load(tmp_path, list_json=[USER])

    assert case.evidence["first_time"].isna().all()
    assert case.evidence["route"].to_list() == ["identities"]


def test_lists_of_the_sample_are_taken_with_the_logs(tmp_path):
    added = mf.add(mf.create_case(tmp_path / "case"), [CONTEXT])

    assert added.left_out == ()
    assert {table: len(added.case.context(table)) for table in ("identities", "role_assignments", "address_ranges")} == {
        "identities": 12, "role_assignments": 16, "address_ranges": 11,
    }  # fmt: skip
    assert added.case.rejects["reason"].to_list() == ["bad_network"]
