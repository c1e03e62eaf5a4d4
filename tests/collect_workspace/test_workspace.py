"""A workspace into a case: every row that the service counts, or a precise statement of what is missing."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from la_server import Fault, error
from rows import WORKSPACE, audit
from signing_in import RESOURCE, Login, fill

from mhsm_forensics import analyse, ingest
from mhsm_forensics.case import create_case, open_case, verify
from mhsm_forensics.cli import cli
from mhsm_forensics.collect import _workspace_plan as plan
from mhsm_forensics.collect import login, workspace, workspace_command
from mhsm_forensics.errors import CaseError, EvidenceError, InputError
from mhsm_forensics.load import records

SAMPLE = Path(__file__).parents[2] / "data-samples" / "incident"
START, END = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC)


def record(number, *, at="2026-03-05T10:00:00.0000000Z", hsm="contoso-hsm", step=0):
    moment = datetime.fromisoformat(at[:19] + "+00:00") + timedelta(seconds=number * step)
    return {
        "time": f"{moment:%Y-%m-%dT%H:%M:%S}{at[19:]}",
        "resourceId": f"/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/{hsm.upper()}",
        "operationName": "KeyGet",
        "durationMs": "7",
        "correlationId": f"c-{number:05d}",
        "properties": {"requestUri": f"https://{hsm}.managedhsm.azure.net/keys/k{number}", "httpStatusCode": 200},
    }


def audit_rows(count, **given):
    return [audit(record(number, **given)) for number in range(count)]


@pytest.fixture
def gather(server, tls, tmp_path):
    """Collect from the workspace into the case of the test."""

    def run(**given):
        folder = tmp_path / "case"
        case = open_case(folder) if folder.exists() else create_case(folder)
        given = {"credential": Login(), "endpoint": server.url, "transport": {"connection_verify": tls[1]}} | given
        return workspace.collect(case, given.pop("workspace", WORKSPACE), **given)

    return run


def actions(case, name):
    return [json.loads(detail) for detail in case.custody.query("action == @name")["detail"]]


def sent(server, having):
    return [text for text in server.queries if text.startswith(having)]


ROWS, COUNT = "// The rows", "// How many rows"


def test_three_routes_tell_the_same(server, tls, tmp_path, incident_rows):
    for table, rows in incident_rows.items():
        fill(server, table, rows)
    case = create_case(tmp_path / "case")
    ingest.add(case, [SAMPLE])

    found = workspace.collect(
        open_case(case.path),
        WORKSPACE,
        credential=Login(),
        endpoint=server.url,
        transport={"connection_verify": tls[1]},
    )

    ids = found.case.witnesses.groupby("route")["event_id"].agg(set)
    assert set(ids.index) == {"storage", "azure_diagnostics", "azkv_audit_logs"}
    assert ids["storage"] == ids["azure_diagnostics"] == ids["azkv_audit_logs"]
    assert len(ids["storage"]) > 5_000
    assert found.complete
    assert len(analyse.reconcile(found.case.events)) == 0
    assert len(found.case.events) == len(ids["storage"])


def test_what_one_route_lacks_is_shown(server, tls, tmp_path, incident_rows):
    rows = [row for row in incident_rows["AzureDiagnostics"] if "/managedhsms/" in row["_ResourceId"]]
    taken_out = [row for row in rows if row["TimeGenerated"].startswith("2026-03-05T02")]
    fill(server, "AzureDiagnostics", [row for row in rows if row not in taken_out])
    case = create_case(tmp_path / "case")
    ingest.add(case, [SAMPLE])

    found = workspace.collect(
        open_case(case.path),
        WORKSPACE,
        credential=Login(),
        endpoint=server.url,
        transport={"connection_verify": tls[1]},
    )
    lacking = analyse.reconcile(found.case.events)

    assert set(zip(lacking["route"], lacking["other_route"], strict=True)) == {("storage", "azure_diagnostics")}
    assert set(lacking["hour"].dt.strftime("%dT%H")) == {"05T02"}
    assert lacking["lacking"].sum() == len(taken_out)
    assert (lacking["lacking_within"] == lacking["lacking"]).all()
    assert (lacking["other_records"] == 0).all()


def test_the_answer_is_the_evidence_byte_for_byte(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(3, at="2026-03-05T10:00:00.1234567Z"))

    found = gather()

    (entry,) = found.new
    kept = found.case.evidence_path(entry).read_bytes()
    (detail,) = actions(found.case, "collected from Log Analytics")
    assert entry.path == (
        f"log-analytics/{WORKSPACE}/AZKVAuditLogs/20260305T100000.000000Z--20260305T110000.000000Z.json"
    )
    assert entry.origin.startswith(server.url)
    assert hashlib.sha256(kept).hexdigest() == entry.sha256 == detail["sha256"]
    assert b"2026-03-05T10:00:00.1234567Z" in kept
    assert detail["query"] in server.queries
    assert detail["query_sha256"] == hashlib.sha256(detail["query"].encode()).hexdigest()
    assert detail["request_id"]
    assert (detail["rows"], detail["rows_counted_by_the_service"], detail["verified"]) == (3, 3, True)
    assert found.case.events.df()["time_text"].unique().tolist() == ["2026-03-05T10:00:00.1234567Z"]
    assert verify(found.case) == []


def test_what_was_not_asked_for_is_stated(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(3))

    found = gather(hsms=("contoso-hsm",), start=START, end=END)

    (begin,), (end,) = (
        actions(found.case, name) for name in ("collecting from Log Analytics", "collection from Log Analytics ended")
    )
    assert "managed HSMs only" in begin["limits"]
    assert begin["hsms"] == ["contoso-hsm"]
    assert begin["start"] == "2026-03-05T00:00:00+00:00"
    assert end["tables"] == {"AzureDiagnostics": "absent", "AZKVAuditLogs": {"counted": 3, "rows": 3}}
    assert end["unfinished"] == []


def test_an_absent_table_is_reported_and_an_empty_one_is_not_absent(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(0))

    found = gather()

    assert found.absent == ("AzureDiagnostics",)
    assert [table.counted for table in found.tables] == [0, 0]
    assert found.new == ()
    assert found.complete


def test_a_workspace_with_neither_table_is_not_complete(gather):
    found = gather()

    assert found.absent == ("AzureDiagnostics", "AZKVAuditLogs")
    assert not found.complete


def test_only_the_hsms_and_the_half_open_time_that_were_asked_for(server, gather):
    ends = (
        "2026-03-04T23:59:59.9999999Z",
        "2026-03-05T00:00:00.0000000Z",
        "2026-03-05T23:59:59.9999999Z",
        "2026-03-06T00:00:00Z",
    )
    rows = [audit(record(number, at=at)) for number, at in enumerate(ends)]
    fill(server, "AZKVAuditLogs", rows + audit_rows(5, hsm="another-hsm"))

    found = gather(hsms=("Contoso-HSM",), start=START, end=END, table="AZKVAuditLogs")

    assert found.case.events.df()["time_text"].tolist() == ["2026-03-05T00:00:00Z", "2026-03-05T23:59:59.9999999Z"]
    assert [table.name for table in found.tables] == ["AZKVAuditLogs"]


def test_rows_of_a_key_vault_stay_where_they_are(server, gather):
    vault = audit(record(1))
    vault["_ResourceId"] = vault["_ResourceId"].replace("managedhsms", "vaults")
    fill(server, "AZKVAuditLogs", [vault, *audit_rows(2)])

    found = gather()

    assert found.case.accounting["lines"].tolist() == [2]
    assert found.complete


def test_by_the_resource_id_of_the_hsm(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(4))

    found = gather(workspace=None, resource=RESOURCE)

    assert found.complete
    assert len(found.case.events) == 4
    assert found.new[0].path.startswith("log-analytics/resource-contoso-hsm/AZKVAuditLogs/")
    assert actions(found.case, "collected from Log Analytics")[0]["url"] == f"{server.url}/v1{RESOURCE}/query"


@pytest.mark.parametrize("limits", [{"row_limit": 7}, {"byte_limit": 9_000}])
def test_slices_are_halved_until_none_is_partial(server, gather, limits):
    fill(server, "AZKVAuditLogs", audit_rows(100, step=30))
    for name, value in limits.items():
        setattr(server, name, value)

    found = gather()

    slices = sorted(found.slices, key=lambda piece: piece.start)
    assert found.complete
    assert len(found.case.events) == 100
    assert sum(piece.rows for piece in slices) == 100
    assert all(before.end == after.start for before, after in itertools.pairwise(slices))
    assert found.case.accounting["reject"].tolist() == [0]
    assert all(b'"error"' not in found.case.evidence_path(entry).read_bytes() for entry in found.new)


def test_slices_are_sized_by_the_count(server, gather, monkeypatch):
    monkeypatch.setattr(plan, "_BYTES", 20_000)
    monkeypatch.setattr(plan, "_BYTES_A_ROW", 1_000)
    fill(
        server,
        "AZKVAuditLogs",
        [row for hour in range(10) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)],
    )

    found = gather()

    assert found.complete
    assert [piece.rows for piece in found.slices] == [20] * 5
    assert len(sent(server, ROWS)) == 5
    assert sent(server, COUNT) == []  # the hours had been counted


def test_more_rows_at_one_instant_than_an_answer_may_hold(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(3) + audit_rows(9, at="2026-03-05T10:30:00.0000001Z"))
    server.row_limit = 5

    found = gather()

    assert not found.complete
    (failed,) = found.unfinished
    assert failed.end - failed.start == timedelta(microseconds=1)
    assert "limits of the service" in failed.problem
    assert len(found.case.events) == 3
    assert actions(found.case, "collection from Log Analytics ended")[0]["unfinished"][0]["status"] == "failed"


FAULTS = {
    "reset": Fault(2, ROWS, reset=True),
    "cut": Fault(2, ROWS, cut=True),
    "429 with a time to wait": Fault(2, ROWS, status=429, headers={"Retry-After": "17"}),
    "429 without": Fault(2, ROWS, status=429),
    "503": Fault(2, ROWS, status=503),
    "504": Fault(1, ROWS, status=504),
    "partial for a while": Fault(2, ROWS, partial={"code": "PartialError", "message": "a shard is away"}),
    "counts": Fault(2, COUNT, status=503),
    "hours": Fault(2, "// Rows per hour", reset=True),
    "extent": Fault(2, "// Which of the tables", status=429),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_that_pass_cost_nothing(server, gather, pauses, name):
    fill(server, "AZKVAuditLogs", audit_rows(300, step=1))
    fault = FAULTS[name]
    server.faults = [fault]
    if name == "counts":  # only asked where the count of the hours says otherwise
        server.faults.append(Fault(1, ROWS, drop=1))

    found = gather()

    assert fault.hits == fault.times
    assert found.complete
    assert len(found.case.events) == 300
    assert len(found.retried) == fault.times
    assert found.case.accounting["reject"].tolist() == [0]
    assert pauses == ([17.0, 17.0] if "Retry-After" in fault.headers else [1.0, 2.0][: fault.times])
    assert not list((found.case.path / "evidence" / ".incoming").glob("*"))


def test_a_time_to_wait_may_be_a_date(server, gather, pauses):
    from email.utils import format_datetime

    fill(server, "AZKVAuditLogs", audit_rows(3))
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    server.faults = [Fault(1, ROWS, status=429, headers={"Retry-After": later})]

    gather()

    assert 30 < pauses[0] <= 40


def test_a_query_that_is_too_slow_is_halved(server, gather, pauses):
    fill(server, "AZKVAuditLogs", audit_rows(60, step=60))
    server.faults = [Fault(2, ROWS, status=504, body=error("GatewayTimeout", "Gateway timeout"))]

    found = gather()

    assert found.complete
    assert len(found.slices) == 2


def test_rows_that_go_missing_without_a_word_are_asked_for_again(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(50, step=1))
    server.faults = [Fault(1, ROWS, drop=5)]

    found = gather()

    assert found.complete
    assert len(found.case.events) == 50


def test_a_slice_that_never_holds_what_the_service_counts_is_named(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(50, step=1))
    server.faults = [Fault(99, ROWS, drop=5)]

    found = gather()

    (piece,) = found.unfinished
    assert (piece.status, piece.rows, piece.counted) == ("unsettled", 45, 50)
    assert not found.complete
    assert len(found.case.events) == 45
    (detail,) = actions(found.case, "collected from Log Analytics")
    assert detail["verified"] is False

    server.faults = []
    again = gather()
    assert again.complete
    assert len(again.case.events) == 50


def test_rows_that_arrive_meanwhile_are_collected(server, gather):
    rows = audit_rows(60, step=1)
    fill(server, "AZKVAuditLogs", rows[:50])
    late = Fault(1, ROWS, then=lambda: None)
    server.faults = [late]

    def arrive():
        server._lock.release()
        fill(server, "AZKVAuditLogs", rows[50:])
        server._lock.acquire()

    late.then = arrive
    found = gather()
    again = gather()

    assert found.complete
    assert again.complete
    assert len(again.case.events) == 60


def test_a_rerun_asks_only_for_what_is_new(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(20, step=60))
    first = gather()
    server.queries.clear()

    same = gather()

    assert same.new == ()
    assert same.complete
    assert [piece.status for piece in same.slices] == ["known"]
    assert sent(server, ROWS) == []

    fill(server, "AZKVAuditLogs", audit_rows(5, at="2026-03-05T12:00:00Z"))
    server.queries.clear()
    more = gather()

    assert more.complete
    assert len(more.case.events) == len(first.case.events) + 5
    assert len(sent(server, ROWS)) == 1
    assert verify(more.case) == []


def test_rows_that_came_late_into_a_known_slice_are_collected(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(20, step=60))
    gather()
    fill(server, "AZKVAuditLogs", [audit(record(99, at="2026-03-05T10:05:00Z"))])

    more = gather()

    assert more.complete
    assert len(more.case.events) == 21
    assert more.case.accounting["duplicate"].tolist() == [20]
    assert [Path(entry.path).name.count("~") for entry in more.new] == [1]


def test_refused_login_names_the_role(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(2))

    with pytest.raises(EvidenceError, match="Log Analytics Reader"):
        gather(credential=Login(life=-1))


def test_refused_half_way_keeps_what_there_is(server, gather, monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "_BYTES", 10_000)
    monkeypatch.setattr(plan, "_BYTES_A_ROW", 1_000)
    fill(
        server,
        "AZKVAuditLogs",
        [row for hour in range(5) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)],
    )
    server.faults = [
        Fault(99, "datetime(2026-03-05T03:00:00.000000Z);\nlet end", status=403, body=error("Forbidden", "no"))
    ]

    with pytest.raises(EvidenceError, match="access denied"):
        gather()

    assert len(open_case(tmp_path / "case").events) == 30
    server.faults = []
    found = gather()
    assert found.complete
    assert len(found.case.events) == 50
    assert verify(found.case) == []


def test_one_slice_that_fails_does_not_stop_the_others(server, gather, pauses, monkeypatch):
    monkeypatch.setattr(plan, "_BYTES", 10_000)
    monkeypatch.setattr(plan, "_BYTES_A_ROW", 1_000)
    fill(
        server,
        "AZKVAuditLogs",
        [row for hour in range(5) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)],
    )
    server.faults = [Fault(99, "datetime(2026-03-05T02:00:00.000000Z);\nlet end", status=503)]

    found = gather()

    (piece,) = found.unfinished
    assert (piece.status, piece.counted, piece.start.hour) == ("failed", 10, 2)
    assert len(found.case.events) == 40
    assert "7 tries" in piece.problem


def test_a_service_that_is_down_is_an_error_and_not_an_empty_case(server, gather, pauses):
    server.faults = [Fault(99, status=503)]

    with pytest.raises(EvidenceError, match="no whole answer in 7 tries"):
        gather()


def test_a_wrong_workspace(gather):
    with pytest.raises(EvidenceError, match="not its name"):
        gather(workspace="00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    "given",
    [
        {"workspace": "my-workspace"},
        {"workspace": "../../etc"},
        {"workspace": None},
        {"workspace": None, "resource": "/subscriptions/x/../../query?"},
        {"start": datetime(2026, 3, 5)},  # noqa: DTZ001
        {"hsms": ('a"])',)},
    ],
)
def test_values_that_cannot_be_used_leave_no_trace(server, gather, given, tmp_path):
    with pytest.raises(InputError):
        gather(**given)

    assert server.queries == []
    assert actions(open_case(tmp_path / "case"), "collecting from Log Analytics") == []


def test_the_token_is_for_the_endpoint_and_stands_nowhere(server, gather, tmp_path):
    login = Login()
    fill(server, "AZKVAuditLogs", audit_rows(2))

    gather(credential=login)

    token = login.get_token("x/.default").token.split(".")[0].encode()
    assert set(login.scopes) == {f"{server.url}//.default", f"{server.url}/.default", "x/.default"} & set(login.scopes)
    files = [path for path in (tmp_path / "case").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"Bearer" in path.read_bytes() or token in path.read_bytes()]


def test_another_process_that_writes_the_case_is_waited_for(server, gather, tmp_path):
    from filelock import FileLock

    case = create_case(tmp_path / "case")
    with FileLock(case.path / ".lock"), pytest.raises(CaseError, match="another process"):
        gather()


@pytest.mark.parametrize("wanted", [1, 2, 4])
def test_killed_at_any_moment_loses_and_doubles_nothing(server, tls, tmp_path, gather, wanted):
    hours = [row for hour in range(8) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)]
    fill(server, "AZKVAuditLogs", hours)
    create_case(tmp_path / "case")
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from signing_in import Login
from mhsm_forensics.case import open_case
from mhsm_forensics.collect import _workspace_plan as plan, workspace
plan._BYTES, plan._BYTES_A_ROW = 10_000, 1_000
workspace.collect(open_case({str(tmp_path / "case")!r}), {WORKSPACE!r}, credential=Login(), endpoint={server.url!r},
                  transport={{"connection_verify": {tls[1]!r}}}, progress=lambda done, total: print(done, flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ) as running:
        for _ in range(wanted):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)

    found = gather()

    assert found.complete
    assert len(found.case.events) == 80
    assert found.case.accounting["duplicate"].tolist() == [0]
    assert verify(found.case) == []
    assert not list((found.case.path / "evidence" / ".incoming").glob("*"))


@pytest.fixture
def hours(server, monkeypatch):
    """Eight slices of ten rows."""
    monkeypatch.setattr(plan, "_BYTES", 10_000)
    monkeypatch.setattr(plan, "_BYTES_A_ROW", 1_000)
    rows = [row for hour in range(8) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)]
    fill(server, "AZKVAuditLogs", rows)


@pytest.mark.parametrize("wanted", [1, 3, 7])
def test_a_stopped_collection_keeps_what_is_whole_and_is_resumed(server, gather, hours, wanted):
    stop, seen = Event(), []

    def tell(done, _total):
        seen.append(done)
        if len(seen) == wanted:
            stop.set()

    first = gather(stop=stop, progress=tell)

    assert first.stopped
    assert not first.complete
    assert len(first.case.events) == 10 * wanted
    assert [(table.name, table.rows, table.counted) for table in first.tables if not table.absent] == [
        ("AZKVAuditLogs", 10 * wanted, 80)
    ]
    assert first.case.unfinished == [f"{server.url}/v1/workspaces/{WORKSPACE}/query: it was stopped"]
    assert verify(first.case) == []
    server.queries.clear()

    second = gather()

    assert second.complete
    assert len(sent(server, ROWS)) == 8 - wanted
    assert len(second.case.events) == 80
    assert second.case.accounting["duplicate"].tolist() == [0]
    assert second.case.unfinished == []
    assert verify(second.case) == []


@pytest.mark.parametrize("having", ["", ROWS])
def test_a_request_without_an_answer_does_not_hold_up_a_stop(server, gather, hours, having):
    stop, hangs, answered = Event(), Event(), Event()
    server.faults = [Fault(1, having, then=lambda: (hangs.set(), answered.wait(60)))]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gather, stop=stop)
        hangs.wait(60)
        before = time.monotonic()
        stop.set()
        found = running.result()
        took = time.monotonic() - before
    answered.set()

    assert found.stopped
    assert took < 2
    assert (found.new, found.tables == ()) == ((), not having)
    assert gather().complete
    assert verify(open_case(found.case.path)) == []
    assert not list((found.case.path / "evidence" / ".incoming").glob("*"))


def test_an_interrupted_collection_is_named(server, gather, hours):
    def interrupt(done, _total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather(progress=interrupt, start=START, hsms=("contoso-hsm",))
    case = open_case(gather(table="AzureDiagnostics").case.path)

    assert case.unfinished == [
        f"{server.url}/v1/workspaces/{WORKSPACE}/query for contoso-hsm, 2026-03-05T00:00:00Z up to now: "
        "it was interrupted"
    ]


def test_what_is_missing_is_named_until_it_is_there(server, gather):
    fill(server, "AZKVAuditLogs", audit_rows(12))
    server.faults = [Fault(99, ROWS, drop=1)]

    found = gather()

    assert [text.rpartition(": ")[2] for text in found.case.unfinished] == [
        "1 slice of time does not hold what the service counts"
    ]


def test_memory_does_not_grow_with_the_answer():
    row = json.dumps(list(audit(record(1)).values())).encode()
    names = json.dumps([{"name": name, "type": "string"} for name in audit(record(1))]).encode()

    def blocks(count):
        yield b'{"tables":[{"name":"PrimaryResult","columns":' + names + b',"rows":['
        for number in range(count):
            yield (b"," if number else b"") + b",".join([row] * 500)
        yield b"]}]}"

    tracemalloc.start()
    peaks = []
    for count in (20, 80):
        tracemalloc.reset_peak()
        assert sum(len(batch.records) for batch in records(blocks(count))) == count * 500
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def command(*words, server, tls, monkeypatch):
    monkeypatch.setitem(workspace_command.ENDPOINTS, "public", server.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls[1])
    monkeypatch.setattr(login, "sign_in", lambda *_, **__: SimpleNamespace(credential=Login()))
    return CliRunner().invoke(cli, ["collect", "workspace", *words])


def test_the_command_makes_the_case_and_says_what_it_brought(server, tls, tmp_path, monkeypatch):
    fill(server, "AZKVAuditLogs", audit_rows(12))

    done = command(str(tmp_path / "new"), "--workspace", WORKSPACE, server=server, tls=tls, monkeypatch=monkeypatch)

    assert done.exception is None
    assert "AZKVAuditLogs: 12 of 12 rows" in done.output
    assert "AzureDiagnostics: the workspace has no such table" in done.output
    assert len(open_case(tmp_path / "new").events) == 12


def test_the_command_ends_with_an_error_where_something_is_missing(server, tls, tmp_path, monkeypatch):
    fill(server, "AZKVAuditLogs", audit_rows(12))
    server.faults = [Fault(99, ROWS, drop=1)]

    done = command(str(tmp_path / "new"), "--workspace", WORKSPACE, server=server, tls=tls, monkeypatch=monkeypatch)

    assert isinstance(done.exception, EvidenceError)
    assert (
        "missing: AZKVAuditLogs 2026-03-05T10:00:00Z to 2026-03-05T11:00:00Z: 11 rows, the service counts 12"
        in done.output
    )


@pytest.mark.parametrize("words", [(), ("--workspace", WORKSPACE, "--resource", RESOURCE)])
def test_the_command_wants_one_source(words, server, tls, tmp_path, monkeypatch):
    done = command(str(tmp_path / "new"), *words, server=server, tls=tls, monkeypatch=monkeypatch)

    assert done.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_spans_cover_the_time_without_gap_or_overlap():
    whole = plan.Span(START + timedelta(minutes=7), END)
    hours = [(START + timedelta(hours=hour), rows) for hour, rows in ((0, 5), (3, 40), (4, 1), (20, 12))]
    pace = plan.Pace()
    pace.rows = 10

    found = list(plan.spans(hours, whole, pace))

    assert (found[0].start, found[-1].end) == (whole.start, whole.end)
    assert all(before.end == after.start for before, after in itertools.pairwise(found))
    assert [span.rows for span in found] == [5, None, None, None, None, 1, None, None, 0]


def test_gaps_between_what_is_done():
    hour = timedelta(hours=1)
    whole = plan.Span(START, START + 10 * hour)
    done = [plan.Span(START + a * hour, START + b * hour, 1) for a, b in ((2, 4), (3, 5), (4, 6), (9, 12))]

    kept, gaps = plan.missing(whole, done)

    assert [(span.start.hour, span.end.hour) for span in kept] == [(2, 4), (4, 6)]
    assert [(span.start.hour, span.end.hour) for span in gaps] == [(0, 2), (6, 10)]


def test_a_pause_is_a_pause():
    from mhsm_forensics.collect import _workspace_service as service

    assert service.pause is time.sleep
