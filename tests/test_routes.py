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
    names = ["record_id", "time", "hsm", "operation", "outcome", "object_id", "caller_ip", "key_name"]
    return case.events.df(names).sort_values(["time", "record_id"], ignore_index=True)


def test_what_comes_by_a_second_and_a_third_route_changes_no_answer(quiet_day, exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET]).case

    case = ingest.add(case, exports).case

    assert case.events.df().equals(quiet_day.events.df())
    assert detect.run(case).equals(detect.run(quiet_day))
    assert len(case.copies) == 2 * len(case.events)
    assert case.accounting["event"].iloc[0] == 3 * len(case.events)
    assert verify(case) == []
    assert analyse.reconcile(case).empty


@pytest.mark.parametrize("together", [True, False], ids=["in one add", "one after the other"])
def test_the_first_that_came_is_the_event(quiet_day, exports, tmp_path, together):
    case = create_case(tmp_path / "case")
    for paths in [[*exports, QUIET]] if together else [[path] for path in (*exports, QUIET)]:
        case = ingest.add(case, paths).case

    assert set(case.events.df(["route"])["route"]) == {"azure_diagnostics"}
    assert set(case.copies.df(["route"])["route"]) == {"azkv_audit_logs", "storage"}
    assert held(case).equals(held(quiet_day))


def test_a_rebuild_tells_them_apart_the_same_way(exports, tmp_path):
    case = ingest.add(ingest.add(create_case(tmp_path / "case"), [QUIET]).case, exports).case
    before = case.events.df(), case.copies.df()

    rebuilt = ingest.rebuild(case)

    assert rebuilt.events.df().equals(before[0])
    assert rebuilt.copies.df().equals(before[1])
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


def test_a_record_that_a_route_has_more_often_is_an_event_more(records, tmp_path):
    one = exported(tmp_path, "azkv_audit_logs", records[:1])
    twice = tmp_path / "twice.json"
    rows = [diagnostics(records[0]) | {"SourceSystem": name} for name in ("Azure", "OpsManager")]
    twice.write_text("".join(json.dumps(row) + "\n" for row in rows))

    case = ingest.add(ingest.add(create_case(tmp_path / "case"), [one]).case, [twice]).case

    assert sorted(case.events.df(["route"])["route"]) == ["azkv_audit_logs", "azure_diagnostics"]
    assert case.copies.df(["route"])["route"].to_list() == ["azure_diagnostics"]
    assert case.events.df(["record_id"])["record_id"].nunique() == 1


def test_the_same_rows_again_are_duplicates_and_no_copies(exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET, exports[0]]).case
    copies = len(case.copies)
    again = tmp_path / "again.json"
    again.write_bytes(exports[0].read_bytes() + b"\n")

    case = ingest.add(case, [again]).case

    assert len(case.copies) == copies
    assert case.accounting["duplicate"].iloc[0] == copies


def test_a_copy_leads_to_its_bytes_and_can_be_noted(exports, tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [QUIET, exports[0]]).case
    copy = case.copies.df(["event_id", "source_line"]).iloc[7]

    data = b"".join(ingest.raw(case, copy["event_id"]))
    case.notes.tag(copy["event_id"], "second witness")

    assert data == exports[0].read_bytes().splitlines()[copy["source_line"] - 1]
    assert copy["event_id"] in case.notes.tags()


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
    assert said["copies"] == len(records) - 5
    assert sum(row["lacking"] for row in said["lacking"]) == 5
    shown = " ".join(capsys.readouterr().out.split())
    assert "azure_diagnostics lacks 5 records that storage has, 5 of them while it was delivering" in shown
    assert f"{len(records) - 5:,} event records came by another route before" in page
    assert "Records that one route has and another lacks." in page


def test_evidence_by_one_route_says_nothing_of_others(quiet_day):
    assert overview.as_json(overview.overview(quiet_day))["routes"] == {
        "names": ["storage"],
        "copies": 0,
        "lacking": [],
    }


def test_what_a_route_never_delivered_for_an_hsm_is_no_loss_within():
    at = {"record_id": "r1", "route": "storage", "hsm": "hsm-a"}
    told = events(
        {**at, "at": "2026-01-05 10:00"}, {**at, "record_id": "r2", "hsm": "hsm-b", "at": "2026-01-05 10:30"},
        {**at, "record_id": "r3", "at": "2026-01-05 11:00"},
        *({**at, "record_id": name, "route": "event_hub", "at": f"2026-01-05 {clock}"}
          for name, clock in (("r1", "10:00"), ("r3", "11:00"))),
    )  # fmt: skip

    (row,) = analyse.reconcile(told).to_dict("records")

    assert (row["hsm"], row["lacking"], row["lacking_within"]) == ("hsm-b", 1, 0)


def test_losses_are_told_graver_where_an_act_is_lost_and_not_where_it_may_still_come():
    def lost(clock, **row):
        records = [{"record_id": f"r{n}", "at": f"2026-01-05 10:{n:02d}"} for n in range(0, 60, 5)]
        both = [one | {"route": route} for one in records for route in ("storage", "azkv_audit_logs")]
        return detect.run(events(*both, {"record_id": "x", "route": "storage", "at": f"2026-01-05 {clock}", **row}))

    def told(found):
        rows = found[found["rule_id"] == "route-lacks-records"]
        return list(zip(rows["severity"], rows["event_ids"].map(len), strict=True))

    assert told(lost("10:11")) == [("low", 1)]
    assert told(lost("10:11", operation="KeyPurge", http_status=204, key_name="k")) == [("medium", 1)]
    assert told(lost("10:52")) == []


def test_with_one_route_the_comparison_is_not_testable(quiet_day):
    looked = detect.looked_for(quiet_day, detect.run(quiet_day)).set_index("rule_id")

    assert looked.loc["route-lacks-records", "testable"] == "not testable here"
    assert "one route" in looked.loc["route-lacks-records", "reason"]
