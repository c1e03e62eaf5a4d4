"""A raw field becomes a typed column, whatever its spelling; the same record by any route has the same id."""

import json
from pathlib import Path

import pytest

from mhsm_forensics.ingest import load_events
from mhsm_forensics.normalise import address_of, caller_of, object_of, outcome_of, whole

DAMAGED = Path(__file__).parents[1] / "data-samples" / "damaged"
CLAIMS = "http://schemas.microsoft.com/identity/claims"
ARM = "/subscriptions/7c/resourceGroups/rg/providers/Microsoft.KeyVault"
DOCUMENTED = Path(__file__).parents[1] / "data-samples" / "documented"


def test_the_published_record_is_read_to_the_last_field():
    (event,) = load_events(DOCUMENTED).to_dict("records")

    assert event["hsm"] == "contosomhsm"
    assert (event["operation"], event["operation_class"], event["effect"]) == ("BackupCreate", "hsm_backup", "export")
    assert (event["http_status"], event["outcome"], event["duration_ms"]) == (202, "accepted", 488)
    assert (event["principal"], event["principal_type"]) == ("admin@contoso.com", "user")
    assert event["object_id"] == "b1c52bf0-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
    assert (event["caller_ip"], event["ip_scope"]) == ("X.X.X.X", "invalid")
    assert event["pool_name"] == "mhsmdemo"
    assert event["time"].isoformat() == "2020-08-31T19:52:39.763000+00:00"


@pytest.mark.parametrize(
    "name",
    ["azure-diagnostics.csv", "azure-diagnostics.json", "azkv-audit-logs.csv", "azkv-audit-logs.json",
     "azkv-audit-logs-portal.csv", "azure-diagnostics-portal.csv"],
)  # fmt: skip
def test_the_same_records_by_another_route_have_the_same_ids(name):
    storage, route = load_events(DAMAGED / "same-records-storage.json"), load_events(DAMAGED / name)

    columns = ["object_id", "app_id", "caller_ip", "key_name", "http_status", "outcome", "client_info", "hsm"]
    if "portal" in name:  # the portal cuts times to milliseconds: all but the id can be compared
        assert route[columns].values.tolist() == storage[columns].values.tolist()
        return
    assert route["record_id"].tolist() == storage["record_id"].tolist()
    assert set(route["route"]) == {"azure_diagnostics" if "diagnostics" in name else "azkv_audit_logs"}


@pytest.mark.parametrize(
    ("identity", "principal", "kind"),
    [
        ({"claim": {"oid": "O", "appid": "A", "upn": "anna@contoso.example", "appidacr": "0"}}, "anna@contoso.example", "user"),
        ({"claim": {"oid": "O", "appid": "A", "idtyp": "app", "appidacr": "1"}}, "o", "service_principal"),
        ({"claim": {"oid": "O", "appid": "A", "xms_mirid": "/s/mi-pay"}}, "mi-pay", "managed_identity"),
        ({"claim": {f"{CLAIMS}/objectidentifier": "O", "appid": "A"}}, "o", "service_principal"),
        ({"claim": {"http_schemas_microsoft_com_identity": {"claims": {"objectidentifier": "O"}}}}, "o", "unknown"),
        ({"claim": {"unique_name": "live.com#anna@fabrikam.example"}}, "live.com#anna@fabrikam.example", "user"),
        ({}, None, "unknown"),
        ("no json at all", "(identity not readable)", "unreadable"),
        ([1, 2], "(identity not readable)", "unreadable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoded", [0, 1, 2])
def test_claims_are_found_in_every_spelling(identity, principal, kind, encoded):
    text = json.dumps(identity)
    for _ in range(encoded):
        text = json.dumps(text)

    caller = caller_of(text.encode())

    assert (caller.principal, caller.principal_type) == (principal, kind)


def test_a_challenge_names_nobody():
    challenged = caller_of(b"{}", challenged=True)

    assert (challenged.principal_type, challenged.actor) == ("anonymous", None)


@pytest.mark.parametrize(
    ("claims", "actor"),
    [
        ({"oid": "B1C52BF0-0C38", "appid": "04B0", "upn": "anna@contoso.example"}, "b1c52bf0-0c38"),
        ({"oid": " {b1c52bf0-0c38}\n", "upn": "Anna@Contoso.example"}, "b1c52bf0-0c38"),
        ({"oid": "b1c52bf0-0c38", "upn": "anna_contoso.example#EXT#@fabrikam.example"}, "b1c52bf0-0c38"),
        ({"appid": "04B0"}, "04b0"),
        ({"upn": "Anna.Berg@Contoso.example"}, "anna.berg@contoso.example"),
        ({"upn": " JÖRG@contoso.example"}, "jörg@contoso.example"),
        ({"unique_name": "live.com#Anna@fabrikam.example"}, "live.com#anna@fabrikam.example"),
        ({"upn": "\u212aarl@contoso.example"}, "\u212aarl@contoso.example"),  # the Kelvin sign is no k
        ({"upn": "\u0430nna@contoso.example"}, "\u0430nna@contoso.example"),  # nor is a Cyrillic letter a Latin one
        ({"oid": "", "appid": None, "upn": ""}, None),
        ({"xms_mirid": "/subscriptions/7c/mi-pay"}, None),  # two of one label may be two
    ],
)
def test_an_actor_is_an_id_or_a_folded_name_and_never_a_label(claims, actor):
    assert caller_of(json.dumps({"claim": claims}).encode()).actor == actor


@pytest.mark.parametrize("identity", ["no json at all", [1, 2], "@{claim=}", {}, {"claim": {}}, None])
def test_what_names_nobody_is_no_actor(identity):
    assert caller_of(json.dumps(identity).encode()).actor is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/keys/restore", ("key", None, None)),
        ("/keys/card-00/restore", ("key", "card-00", None)),
        ("/keys/card-00/versions", ("key", "card-00", None)),
        ("/keys/card-00/rotationpolicy", ("key", "card-00", None)),
        ("/keys/card-00/6b0d549b6f03675a1600a35a099950d8/sign", ("key", "card-00", "6b0d549b6f03675a1600a35a099950d8")),
        ("/keys/card-00//sign", ("key", "card-00", None)),
        (
            "//keys//card-00//6b0d549b6f03675a1600a35a099950d8//sign",
            ("key", "card-00", "6b0d549b6f03675a1600a35a099950d8"),
        ),
        ("/keys/card-00/", ("key", "card-00", None)),
        ("/keys", ("key", None, None)),
        ("/keys/providers/Microsoft.Authorization/roleAssignments/7D1F", ("role_assignment", None, None)),
        ("/keys/card-00/providers/Microsoft.Authorization/roleAssignments/7d1f", ("role_assignment", "card-00", None)),
        ("//providers/Microsoft.Authorization/roleDefinitions/9e", ("role_definition", None, None)),
        ("/deletedkeys/card-00/recover", ("deleted_key", "card-00", None)),
        ("/DELETEDKEYS/Card-00", ("deleted_key", "card-00", None)),
        ("/KEYS/Card%2D00/6B0D549B6F03675A1600A35A099950D8", ("key", "card-00", "6b0d549b6f03675a1600a35a099950d8")),
        ("/%6beys/c%61rd-00/sign", ("key", "card-00", None)),
        ("/keys/card%252D00", ("key", "card%252d00", None)),  # decoded once, and no escape comes of it
        ("/keys/card%2F00/sign", ("key", "card%2f00", None)),
        ("/keys/k%00%0A%E2%80%AE%FF%C0%AF%ED%A0%80", ("key", "k%00%0a%e2%80%ae%ff%c0%af%ed%a0%80", None)),
        ("/keys/k%2D%FF%2", ("key", "k-%ff%2", None)),
        ("/keys/%E2%84%AAek", ("key", "\u212aek", None)),
        (f"{ARM}/managedHSMs/Northwind/keys/Card-00", ("key", "card-00", None)),
        (f"{ARM}/MANAGEDHSMS/NORTHWIND/KEYS/CARD%2D00/VERSIONS/{'6B' * 16}", ("key", "card-00", "6b" * 16)),
        (f"{ARM}/managedHSMs/Northwind/keys/versions/versions", ("key", "versions", None)),
        (f"{ARM}/managedHSMs/Northwind/keys", ("key", None, None)),
        (f"{ARM}/managedHSMs/Northwind", ("managed_hsm", None, None)),
        (f"{ARM}/managedHSMs/keys/privateEndpointConnections/keys", ("managed_hsm", None, None)),
        ("/backup/6f/pending", ("backup", None, None)),
        ("/securitydomain/download/pending", ("security_domain", None, None)),
        ("/settings/AllowKeyManagementOperationsThroughARM", ("setting", None, None)),
        (None, (None, None, None)),
        ("/../../etc/passwd", (None, None, None)),
    ],
)
def test_what_a_path_points_at(path, expected):
    found = object_of(path)

    assert (found.object_type, found.key_name, found.key_version) == expected


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/providers/Microsoft.Authorization/roleAssignments/7d", "/"),
        ("//providers/Microsoft.Authorization/roleAssignments", "/"),
        ("/keys/providers/Microsoft.Authorization/roleAssignments/7d", "/keys"),
        ("/keys/card-00/providers/microsoft.authorization/roleassignments/7d", "/keys/card-00"),
        ("/KEYS/Card%2D00/providers/Microsoft.Authorization/roleAssignments/7D", "/keys/card-00"),
    ],
)
def test_the_scope_of_a_role_assignment(path, scope):
    assert object_of(path).scope == scope


@pytest.mark.parametrize(
    ("text", "ip", "port", "scope"),
    [
        ("10.20.0.4", "10.20.0.4", None, "private"),
        ("10.20.0.4:443", "10.20.0.4", 443, "private"),
        ("8.8.8.8", "8.8.8.8", None, "public"),
        ("100.64.1.1", "100.64.1.1", None, "cgnat"),
        ("127.0.0.1", "127.0.0.1", None, "loopback"),
        ("198.51.100.7", "198.51.100.7", None, "reserved"),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443, "reserved"),
        ("2001:DB8:0:0::1", "2001:db8::1", None, "reserved"),
        ("::ffff:8.8.8.8", "8.8.8.8", None, "public"),
        ("010.1.2.3", "010.1.2.3", None, "invalid"),
        ("(unknown)", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
        ("<img src=x>", "<img src=x>", None, "invalid"),
    ],
)
def test_addresses_are_undressed(text, ip, port, scope):
    assert tuple(address_of(text)) == (ip, port, scope)


@pytest.mark.parametrize(
    ("status", "signature", "outcome"),
    [(200, "OK", "success"), (201, None, "success"), (202, None, "accepted"), (204, None, "success"),
     (401, "Unauthorized", "denied"), (403, "OK", "denied"), (404, None, "failure"), (500, None, "failure"),
     (None, "Forbidden", "denied"), (None, "Not Found", "failure"), (None, None, "unknown")],
)  # fmt: skip
def test_the_outcome_comes_from_the_status(status, signature, outcome):
    assert outcome_of(status, signature) == outcome


@pytest.mark.parametrize(
    ("value", "number"), [("78", 78), (202.0, 202), ("x", None), (None, None), (10**40, None), ("NaN", None)]
)
def test_whole_numbers(value, number):
    assert whole(value) == number


def test_one_key_and_one_caller_whatever_their_spelling(tmp_path):
    uris = ["contoso.managedhsm.azure.net/keys/card-00/sign", "contoso.managedhsm.azure.net/KEYS/Card%2D00/sign",
            f"management.azure.com{ARM}/managedHSMs/Contoso/keys/CARD-00/versions"]  # fmt: skip
    tokens = [{"oid": "b1c5", "upn": "anna@x"}, {"oid": "B1C5", "upn": "Anna@X"}, {"oid": "b1c5"}]
    rows = [
        {"time": f"2026-03-05T02:00:0{n}Z", "resourceId": f"{ARM}/managedHSMs/{hsm}".upper(), "operationName": "KeySign",
         "category": "AuditEvent", "identity": {"claim": token}, "properties": {"requestUri": f"https://{uri}?x=1"}}
        for hsm in ("contoso", "second") for n, (uri, token) in enumerate(zip(uris, tokens, strict=True))
    ]  # fmt: skip
    (tmp_path / "PT1H.json").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    found = load_events(tmp_path)

    assert found["actor"].tolist() == ["b1c5"] * 6
    assert found.groupby("key")["key_name"].apply(set).to_dict() == {
        "contoso/card-00": {"card-00"},
        "second/card-00": {"card-00"},
    }
    assert found["request_uri"].str.contains("Card%2D00").sum() == 2


def test_a_key_of_an_hsm_that_nothing_names_is_no_key_of_another(tmp_path):
    row = {"time": "2026-03-05T02:00:00Z", "operationName": "KeySign", "category": "AuditEvent", "identity": {},
           "properties": {"requestUri": "/keys/K/sign", "httpStatusCode": 200}}  # fmt: skip
    (tmp_path / "PT1H.json").write_text(json.dumps(row) + "\n" + json.dumps({**row, "properties": {}}) + "\n", "utf-8")

    assert load_events(tmp_path)["key"].fillna("none").tolist() == ["/k", "none"]
