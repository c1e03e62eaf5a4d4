"""What other logs of a workspace say around the events of a case: the right rows of them, and all of these."""

import csv
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rows import SAMPLES, TABLES, WORKSPACE
from signing_in import Login, fill

from mhsm_forensics import ingest
from mhsm_forensics.case import create_case, open_case, verify
from mhsm_forensics.cli import cli
from mhsm_forensics.collect import context, login, workspace_command
from mhsm_forensics.errors import InputError

CONTEXT = SAMPLES / "incident" / "context"
SIGNIN_TABLES = ("SigninLogs", "AADServicePrincipalSignInLogs")


def row_of(table, row):
    known = TABLES[table]
    return {name: json.dumps(v) if isinstance(v, dict) else v for name, v in row.items() if name in known}


def signins(table):
    rows = json.loads((CONTEXT / "sign-ins.json").read_text())
    return [row_of(table, row) for row in rows if row["Type"] == table]


def requests():
    with (CONTEXT / "storage-requests.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row_of("StorageBlobLogs", row) for row in csv.DictReader(file)]
    numbers = {name for name, kind in TABLES["StorageBlobLogs"].items() if kind in {"long", "real", "int"}}
    return [
        {name: float(v) if name in numbers else v for name, v in row.items()}
        | {"TimeGenerated": f"2026-03-17T02:14:{n:02}Z"}
        for n, row in enumerate(rows)
    ]


def activity(hsm, caller="198.51.100.203", at="2026-03-18T04:41:30Z"):
    resource = f"/subscriptions/s/resourcegroups/r/providers/microsoft.keyvault/managedhsms/{hsm}"
    return {
        "TimeGenerated": at, "OperationNameValue": "MICROSOFT.INSIGHTS/DIAGNOSTICSETTINGS/DELETE", "Type": "AzureActivity",
        "ActivityStatusValue": "Success", "CategoryValue": "Administrative", "CallerIpAddress": caller,
        "_ResourceId": resource, "Authorization": json.dumps({"scope": resource}),
    }  # fmt: skip


@pytest.fixture
def case(tmp_path):
    """A case with the audit log of the incident's last days."""
    found = create_case(tmp_path / "case")
    folders = [path for day in ("16", "17", "18") for path in SAMPLES.glob(f"incident/insights*/**/m=03/d={day}")]
    return ingest.add(found, folders).case


@pytest.fixture
def full(server):
    """A workspace with the tables of the other logs, the sign-ins of the sample in them, and of a stranger."""
    for table in SIGNIN_TABLES:
        fill(server, table, signins(table))
    stranger = signins("SigninLogs")[0] | {"UserId": "0" * 8, "IPAddress": "203.0.113.201", "UserPrincipalName": "x@x"}
    fill(server, "SigninLogs", [stranger])
    fill(server, "AzureActivity", [activity("contoso-hsm-prod"), activity("contoso-hsm-dr"), activity("other")])
    fill(server, "StorageBlobLogs", requests())
    return server


@pytest.fixture
def gather(server, tls, case):
    def run(**given):
        given = {"credential": Login(), "endpoint": server.url, "transport": {"connection_verify": tls[1]}} | given
        return context.collect(open_case(case.path), WORKSPACE, **given)

    return run


def test_sign_ins_are_those_of_the_identities_and_addresses_of_the_events(full, gather):
    found = gather(hsms=("contoso-hsm-prod", "contoso-hsm-dr"))
    rows = found.case.context("signins")

    assert found.complete
    assert "x@x" not in set(rows["principal"])
    assert {"svc-deploy", "mateo.osei@contoso.example"} <= set(rows["principal"])
    assert {"198.51.100.77", "198.51.100.203"} <= set(rows["caller_ip"])


def test_only_the_named_hsms_of_the_activity_log_are_asked_for(full, gather):
    found = gather(hsms=("contoso-hsm-prod",))

    assert found.case.context("activity")["hsm"].to_list() == ["contoso-hsm-prod"]


def test_requests_to_a_named_account_are_all_taken(full, gather):
    assert set(gather().case.context("blob_requests")["caller_ip"]) == {"198.51.100.77"}
    assert len(gather(accounts=("contosohsmbackup",)).case.context("blob_requests")) == len(requests())


def test_the_events_stay_as_they_were(full, gather, case):
    before = case.events.df()

    assert gather().case.events.df().equals(before)


def test_absent_tables_are_reported_and_no_error(server, gather):
    fill(server, "AzureActivity", [activity("contoso-hsm-prod")])

    found = gather()

    assert found.complete
    assert set(found.absent) == {*context.CONTEXT_TABLES} - {"AzureActivity"}


def test_a_rerun_asks_for_nothing_twice(full, gather):
    first, full.queries[:] = gather(), []

    again = gather()

    assert again.new == ()
    assert {piece.status for piece in again.slices} == {"known"}
    assert len(first.new) > 0
    assert verify(again.case) == []


def test_more_identities_make_another_question(full, gather):
    gather(accounts=())
    found = gather(accounts=("contosohsmbackup",))

    assert {piece.status for piece in found.slices if piece.table == "StorageBlobLogs"} == {"collected"}


def test_the_time_asked_for_reaches_a_day_around_the_events(full, gather, case):
    first, last = (case.events.df(["time"])["time"].agg(end) for end in ("min", "max"))

    gather()

    for moment in (first - timedelta(days=1), last + timedelta(days=1)):
        assert f"datetime({moment:%Y-%m-%dT%H:%M:%S.%f}Z)" in full.queries[0]


def test_custody_says_what_was_not_asked_for(full, gather):
    entries = gather().case.custody.query("action == 'collecting from Log Analytics'")

    assert "Everything else in these tables stays in the workspace" in entries["detail"].iloc[-1]


def test_a_case_without_events_does_not_say_whom_to_ask_for(server, tls, tmp_path):
    with pytest.raises(InputError, match="collect or add the audit logs first"):
        context.collect(create_case(tmp_path / "empty"), WORKSPACE, credential=Login(), endpoint=server.url)


def test_a_case_without_events_can_ask_for_an_account_and_a_time(full, tls, tmp_path):
    found = context.collect(
        create_case(tmp_path / "empty"), WORKSPACE, credential=Login(), endpoint=full.url, accounts=("contosohsmbackup",),
        start=datetime(2026, 3, 17, tzinfo=UTC), end=datetime(2026, 3, 18, tzinfo=UTC),
        transport={"connection_verify": tls[1]},
    )  # fmt: skip

    assert len(found.case.context("blob_requests")) == len(requests())


def test_the_command_line_says_what_it_brought(full, tls, case, monkeypatch):
    monkeypatch.setattr(login, "sign_in", lambda *_, **__: SimpleNamespace(credential=Login()))
    monkeypatch.setitem(workspace_command.ENDPOINTS, "public", full.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls[1])

    done = CliRunner().invoke(cli, ["collect", "context", str(case.path), "--workspace", WORKSPACE])

    assert done.exit_code == 0, done.output
    assert "AzureActivity: 3 of 3 rows" in done.output
    assert "AADManagedIdentitySignInLogs: the workspace has no such table" in done.output
