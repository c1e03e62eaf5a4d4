"""A request that came by several routes is one event, whatever came first, and no record is lost over it."""

import json

import pytest
from building import SAMPLES, events
from collect_workspace.rows import audit, diagnostics, sample_records

from mhsm_forensics import analyse, detect, ingest, overview, report, terminal
from mhsm_forensics.case import create_case, verify

QUIET = SAMPLES / "quiet-day"
ROUTES = {"azure_diagnostics": diagnostics, "azkv_audit_logs": audit}


def exported(folder, route, records):
    """Rows of a table of Log Analytics, one a line."""
    path = folder / f"{route}.json"
    path.write_text("".join(json.dumps(ROUTES[route](record)) + "\n" for record in records), "utf-8")
    return path


@pytest.fixture(scope="module")
def records():
    return [record for record in sample_records("quiet-day") if "/MANAGEDHSMS/" in record["resourceId"].upper()]


@pytest.fixture(scope="module")
def exports(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    return [exported(folder, route, records) for route in ROUTES]


def held(case):
    """Everything there is to know of the events, but for where their bytes are."""
    names = ["time", "tick", "hsm", "operation", "outcome", "object_id", "caller_ip", "key_name"]
    return case.events.df([*names, "correlation_id"]).sort_values(["time", "tick", "correlation_id"], ignore_index=True)


def test_what_comes_by_a_second_and_a_third_route_changes_no_answer(quiet_day, exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET]).case

    case = ingest.add(case, exports).case

    assert held(case).equals(held(quiet_day))
    findings = ["rule_id", "severity", "title", "events"]
    assert detect.run(case)[findings].equals(detect.run(quiet_day)[findings])
    assert len(case.witnesses) == 3 * len(case.events)
    assert case.accounting[["event", "witness", "duplicate"]].iloc[0].to_list() == [
        len(case.events), 2 * len(case.events), 0,
    ]  # fmt: skip
    assert verify(case) == []
    assert analyse.reconcile(case).empty


@pytest.mark.parametrize("together", [True, False], ids=["in one add", "one after the other"])
@pytest.mark.parametrize("turned", [True, False], ids=["storage last", "storage first"])
def test_the_order_in_which_they_come_changes_nothing(quiet_day, exports, tmp_path, together, turned):
    paths = [QUIET, *exports] if turned else [*exports, QUIET]
    case, other = create_case(tmp_path / "case"), create_case(tmp_path / "other")
    for group in [paths] if together else [[path] for path in paths]:
        case = ingest.add(case, group).case
    other = ingest.add(other, [exports[1], QUIET, exports[0]]).case

    assert case.events.df().equals(other.events.df())
    assert case.witnesses.equals(other.witnesses)
    assert case.accounting.equals(other.accounting)
    assert held(case).equals(held(quiet_day))
    assert verify(case) == []


def test_a_rebuild_tells_them_apart_the_same_way(exports, tmp_path):
    case = ingest.add(ingest.add(create_case(tmp_path / "case"), [QUIET]).case, exports).case
    before = case.events.df(), case.witnesses

    rebuilt = ingest.rebuild(case)

    assert rebuilt.events.df().equals(before[0])
    assert rebuilt.witnesses.equals(before[1])
    assert verify(rebuilt) == []


def test_what_a_route_lacks_is_told_and_stays_an_event(records, tmp_path):
    rows = exported(tmp_path, "azure_diagnostics", [*records[:20], *records[25:]])
    alone = exported(tmp_path, "azkv_audit_logs", records[20:25])

    case = ingest.add(create_case(tmp_path / "case"), [rows, alone]).case

    lacking = analyse.reconcile(case.events)
    assert len(case.events) == len(records)
    assert lacking.groupby("route")["lacking"].sum().to_dict() == {
        "azkv_audit_logs": 5, "azure_diagnostics": len(records) - 5,
    }  # fmt: skip
    assert "route-lacks-records" not in set(detect.run(case)["rule_id"])  # each request is in the workspace


def test_rows_that_differ_in_what_the_workspace_says_of_them_alone_are_one_request(records, tmp_path):
    one = exported(tmp_path, "azkv_audit_logs", records[:1])
    twice = tmp_path / "twice.json"
    rows = [diagnostics(records[0]) | {"SourceSystem": name} for name in ("Azure", "OpsManager")]
    twice.write_text("".join(json.dumps(row) + "\n" for row in rows))

    case = ingest.add(ingest.add(create_case(tmp_path / "case"), [one]).case, [twice]).case

    assert len(case.events) == 1
    assert case.witnesses["route"].value_counts().to_dict() == {"azure_diagnostics": 2, "azkv_audit_logs": 1}


def test_the_same_rows_again_repeat_their_bytes(exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET, exports[0]]).case
    again = tmp_path / "again.json"
    again.write_bytes(exports[0].read_bytes() + b"\n")

    after = ingest.add(case, [again]).case

    assert after.events.df().equals(case.events.df()) or len(after.events) == len(case.events)
    assert (after.witnesses["relation"] == "same bytes").sum() == len(case.events)
    assert after.accounting[["event", "witness", "duplicate"]].iloc[0].to_list() == [len(case.events)] * 3


def test_a_witness_leads_to_its_bytes_and_its_notes_to_the_event(exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET, exports[0]]).case
    second = case.witnesses[case.witnesses["relation"] == "other route"].iloc[7]

    data = b"".join(ingest.raw(case, second["witness_id"]))
    case.notes.tag(second["witness_id"], "second witness")

    path = next(e for e in case.manifest.evidence if e.evidence_id == second["evidence_id"])
    assert data == case.evidence_path(path).read_bytes().splitlines()[second["source_line"] - 1]
    assert case.notes.tags() == {second["event_id"]: ["second witness"]}


def test_terminal_json_and_report_say_what_came_twice_and_what_lacks(records, tmp_path, capsys):
    rows = exported(tmp_path, "azure_diagnostics", [*records[:20], *records[25:]])
    case = ingest.add(ingest.add(create_case(tmp_path / "case"), [QUIET]).case, [rows]).case

    answer = overview.overview(case)
    terminal.show_overview(answer)
    page = report.write(case, tmp_path / "report.html").read_text("utf-8")

    (finding,) = answer.findings[answer.findings["rule_id"] == "route-lacks-records"].to_dict("records")
    assert (finding["events"], finding["title"][:61]) == (
        5,
        "azure_diagnostics lacks 5 records that came by storage on fab",
    )
    assert "second_route" not in overview.answerable(case).set_index("id").loc["second-witness", "missing"]
    said = overview.as_json(answer)["routes"]
    assert said["names"] == ["storage", "azure_diagnostics"]
    assert said["witnesses"] == {"other route": len(records) - 5}
    assert sum(row["lacking"] for row in said["lacking"]) == 5
    shown = " ".join(capsys.readouterr().out.split())
    assert "azure_diagnostics lacks 5 records that storage has, 5 of them while it was delivering" in shown
    assert f"{len(records) - 5:,} records say what came by another route too" in page
    assert "Records that one route has and another lacks." in page


def test_evidence_by_one_route_says_nothing_of_others(quiet_day):
    assert overview.as_json(overview.overview(quiet_day))["routes"] == {
        "names": ["storage"],
        "witnesses": {},
        "lacking": [],
    }


def told_by(folder, storage, workspace):
    """A case of some requests at minutes past ten, each with what more it says, by storage and by a workspace."""
    lines = {
        name: [request(minute, **more) for minute, more in rows] for name, rows in (("s", storage), ("w", workspace))
    }
    paths = [folder / "storage.json", exported(folder, "azkv_audit_logs", lines["w"])]
    paths[0].write_text("".join(json.dumps(line) + "\n" for line in lines["s"]))
    return ingest.add(create_case(folder / "case"), paths).case


def request(minute, *, hsm="contoso", operation="KeyGet", status=200, **more):
    return {
        "time": f"2026-01-05T10:{minute:02d}:00.0000000Z",
        "resourceId": f"/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/{hsm.upper()}",
        "operationName": operation, "category": "AuditEvent", "resultType": "Success", "durationMs": "5",
        "callerIpAddress": "203.0.113.5", "correlationId": f"{hsm}-{minute}", "identity": {"claim": {"oid": "b1c5"}},
        "properties": {"requestUri": f"https://{hsm}.managedhsm.azure.net/keys/k", "httpStatusCode": status}, **more,
    }  # fmt: skip


def test_what_a_route_never_delivered_for_an_hsm_is_no_loss_within(tmp_path):
    case = told_by(tmp_path, [(0, {}), (30, {"hsm": "other"}), (59, {})], [(0, {}), (59, {})])

    (row,) = analyse.reconcile(case).to_dict("records")

    assert (row["hsm"], row["lacking"], row["lacking_within"]) == ("other", 1, 0)


@pytest.mark.parametrize(
    ("minute", "more", "right"),
    [
        (11, {}, [("low", 1)]),
        (11, {"operation": "KeyPurge", "status": 204}, [("medium", 1)]),
        (52, {}, []),  # may still come
    ],
)
def test_losses_are_told_graver_where_an_act_is_lost(tmp_path, minute, more, right):
    both = [(n, {}) for n in range(0, 60, 5)]

    found = detect.run(told_by(tmp_path, [*both, (minute, more)], both))

    rows = found[found["rule_id"] == "route-lacks-records"]
    assert list(zip(rows["severity"], rows["event_ids"].map(len), strict=True)) == right


def test_a_frame_of_events_claims_no_loss(quiet_day):
    assert analyse.reconcile(events({"route": "storage"}, {"route": "event_hub"})).empty


def test_with_one_route_the_comparison_is_not_testable(quiet_day):
    looked = detect.looked_for(quiet_day, detect.run(quiet_day)).set_index("rule_id")

    assert looked.loc["route-lacks-records", "testable"] == "not testable here"
    assert "one route" in looked.loc["route-lacks-records", "reason"]


def test_a_value_that_two_routes_contradict_is_told_with_both_records(tmp_path):
    both = [(n, {}) for n in range(0, 60, 5)]
    case = told_by(tmp_path, [*both, (7, {"status": 403})], [*both, (7, {"status": 200})])

    found = detect.run(case)

    (finding,) = found[found["rule_id"] == "witnesses-contradict"].to_dict("records")
    (other,) = case.witnesses[case.witnesses["contradicts"].notna()].to_dict("records")
    assert len(case.events) == len(both) + 1
    assert finding["severity"] == "high"
    assert list(finding["event_ids"]) == [other["event_id"]]
    assert (list(other["contradicts"]), {*other["says"], *other["instead_of"]}) == (["http_status"], {"200", "403"})
    assert all(text in finding["title"] for text in ("200", "403", other["witness_id"], other["event_id"]))
    assert "route-lacks-records" not in set(found["rule_id"])


SAYING = [
    ("identity_json:idtyp", {"identity": {"claim": {"oid": "b1c5", "idtyp": "user"}}}),
    (
        "properties_json:keyproperties_size",
        {"properties": {"requestUri": request(0)["properties"]["requestUri"], "keyProperties": {"size": 2048}}},
    ),
]


@pytest.mark.parametrize(("name", "more"), SAYING, ids=["claim", "property"])
@pytest.mark.parametrize("other", [True, False], ids=["other", "same"])
def test_what_has_no_column_is_compared_too(tmp_path, name, more, other):
    one = [request(minute, **more) for minute in range(3)]
    text = json.dumps(one[1])
    two = [one[0], json.loads(text.replace("user", "app").replace("2048", "4096") if other else text), one[2]]
    path = tmp_path / "PT1H.json"
    path.write_text("".join(json.dumps(record) + "\n" for record in one))

    case = ingest.add(create_case(tmp_path / "case"), [path, exported(tmp_path, "azure_diagnostics", two)]).case

    found = case.witnesses["contradicts"].dropna().to_list()
    assert len(case.events) == 3
    assert [list(names) for names in found] == ([[name]] if other else [])


def test_of_one_route_two_records_that_differ_are_two_requests(tmp_path):
    case = told_by(tmp_path, [(7, {"status": 403}), (7, {"status": 200})], [(30, {})])

    assert len(case.events) == 3
    assert case.witnesses["contradicts"].isna().all()
