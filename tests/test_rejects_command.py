"""`rejects` lists what is no event: complete for machines, grouped and cut for people, harmless for both."""

import csv
import io
import json

import pytest
from commanding import commander, record, write_lines

from mhsm_forensics import accounting, ingest, open_case
from mhsm_forensics import case as cases


@pytest.fixture
def run(monkeypatch, capsys):
    return commander(monkeypatch, capsys)


@pytest.fixture
def folder(run, tmp_path):
    """A case with seven rejects of one reason, one of another, records out of scope, and files that were not read."""
    junk = [b"=junk %d \x1b[31m\xff" % number for number in range(7)]
    write_lines(tmp_path / "logs" / "PT1H.json", record(1), *junk, record(2), record(3, time="soon"))
    write_lines(tmp_path / "logs" / "v" / "PT1H.json", record(4, kind="VAULTS"), record(5, kind="VAULTS"))
    run("add", tmp_path / "case", tmp_path / "logs")
    case = open_case(tmp_path / "case")
    passed = cases.PassedOver("q1.xlsx", "refused", "an Excel workbook", "/in/q1.xlsx", "save it as CSV")
    manifest = case.manifest
    changed = cases.Manifest(manifest.evidence, manifest.parts, (passed,), manifest.tables)
    cases.seal(case.path, changed)
    return case.path


def test_the_table_counts_every_reason_and_cuts_its_places(run, folder):
    done = run("rejects", folder)

    assert done.code == 0
    assert "reject, not_json: 7 lines" in done.out
    assert "5 of 7 shown" in done.out
    assert "logs/PT1H.json, line 2, byte " in done.out
    assert "out of scope, a record of another resource: vaults: 2 lines" in done.out
    assert "refused, an Excel workbook: 1 file" in done.out
    assert "Hint: save it as CSV." in done.out
    assert "8 reject · 2 out of scope" in done.out


def test_bytes_are_escaped_wherever_they_are_shown(run, folder):
    for form in ("table", "csv", "json"):
        assert "\x1b" not in run("rejects", folder, "--format", form).out


def test_json_and_csv_are_complete_and_lead_back_to_the_bytes(run, folder):
    rows = json.loads(run("rejects", folder, "--format", "json").out)
    table = list(csv.DictReader(io.StringIO(run("rejects", folder, "--format", "csv").out)))

    assert len(rows) == len(table) == 11
    assert [row["kind"] for row in rows].count("reject") == 8
    first = next(row for row in rows if row["reason"] == "not_json")
    assert (first["file"], first["line"]) == ("logs/PT1H.json", 2)
    data = (folder / "evidence" / first["file"]).read_bytes()[first["offset"] :][: first["length"]]
    assert data == b"=junk 0 \x1b[31m\xff"
    assert first["raw"] == "=junk 0 \x1b[31m\\xff"
    assert b"".join(ingest.raw(open_case(folder), first["event_id"])) == data


def test_no_cell_of_the_csv_is_a_formula(run, folder):
    rows = csv.reader(io.StringIO(run("rejects", folder, "--format", "csv").out))

    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_case_in_which_every_line_is_an_event(run, tmp_path):
    path = write_lines(tmp_path / "PT1H.json", record())
    run("add", tmp_path / "case", path)

    assert "no file was passed over" in run("rejects", tmp_path / "case").out
    assert json.loads(run("rejects", tmp_path / "case", "--format", "json").out) == []


def test_what_happened_has_the_reasons(run, folder):
    answer = json.loads(run("what-happened", folder, "--json").out)
    screen = run("what-happened", folder).out

    assert answer["accounting"]["reject"] == sum(row["lines"] for row in answer["rejects"]) == 8
    assert answer["rejects"][0] | {"hint": ""} == {
        "reason": "not_json", "lines": 7, "first_file": "logs/PT1H.json", "first_line": 2, "hint": "",
    }  # fmt: skip
    assert answer["passed_over"][0]["reason"] == "an Excel workbook"
    assert "not_json: 7 lines, the first in logs/PT1H.json, line 2" in screen
    assert "1 file not read: mhsm-forensics rejects CASE says why" in screen


def test_rejects_are_read_a_few_at_a_time(folder):
    ones = accounting.unread(open_case(folder))

    assert next(ones).kind == "refused"
    assert {one.kind for one in ones} == {"reject", "out_of_scope"}
