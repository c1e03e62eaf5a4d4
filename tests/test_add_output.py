"""`add` says at once what came of each file, and refuses what can't be meant."""

import json
from dataclasses import replace

import pytest
from commanding import commander, record, write_lines

from mhsm_forensics import accounting, create_case, errors, ingest, open_case
from mhsm_forensics.case import Evidence, PassedOver
from mhsm_forensics.reasons import REASONS, reason_of


@pytest.fixture
def run(monkeypatch, capsys):
    return commander(monkeypatch, capsys)


@pytest.fixture
def logs(tmp_path):
    """A folder whose name says nothing, in which tests put files."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def naive(second):
    return record(second, time=f"2026-03-05T02:00:{second:02}")


def test_each_reason_is_told_with_its_count_its_first_line_and_the_way_out(run, tmp_path, logs):
    write_lines(logs / "PT1H.json", record(1), b"junk", naive(2), naive(3), record(4))

    done = run("add", tmp_path / "case", logs)

    (reason,) = [row["reason"] for row in rejects(tmp_path) if row["lines"] == 2]
    assert done.code == 0
    assert f"{reason}: 2 lines, the first is on line 3. Hint: {reason_of(reason).hint}." in done.out
    assert "not_json: 1 line, the first is on line 2. Hint: " in done.out
    assert "5 lines = 2 event, 3 reject" in done.out


def rejects(tmp_path):
    return accounting.rejects_by_reason(open_case(tmp_path / "case")).to_dict("records")


def test_the_way_out_stands_once_for_many_files(run, tmp_path, logs):
    for hour in range(3):
        write_lines(logs / f"h={hour}" / "PT1H.json", record(hour), b"junk")

    done = run("add", tmp_path / "case", logs)

    assert done.out.count("not_json: 1 line, the first is on line 2") == 3
    assert done.out.count("Hint:") == 1


def test_many_files_with_nothing_but_events_are_one_line(run, tmp_path, logs):
    for hour in range(15):
        write_lines(logs / f"h={hour:02}" / "PT1H.json", record(hour), *([b"junk"] if hour == 9 else []))

    lines = run("add", tmp_path / "case", logs).out.splitlines()

    assert "14 files: 14 lines = 14 event" in lines
    assert "logs/h=09/PT1H.json: 2 lines = 1 event, 1 reject" in lines
    assert len(lines) == 4


def test_many_files_with_faults_are_cut_and_counted(run, tmp_path, logs):
    for hour in range(23):
        write_lines(logs / f"h={hour:02}" / "PT1H.json", record(hour), b"junk")

    out = run("add", tmp_path / "case", logs).out

    assert out.count("not_json: 1 line") == 20
    assert "20 of 23 such files named; mhsm-forensics rejects CASE lists all" in out


def test_a_file_that_gives_nothing_is_a_warning(run, tmp_path, logs):
    write_lines(logs / "a" / "PT1H.json", record())
    write_lines(logs / "b" / "PT1H.json", record(kind="VAULTS"))

    done = run("add", tmp_path / "case", logs)

    assert done.code == 0
    assert "warning: nothing came of it, no event and no record of another log; its records are of another" in done.out
    assert done.out.count("warning") == 1


def test_nothing_but_rejects_is_exit_1_and_the_second_time_it_is_known(run, tmp_path, logs):
    path = write_lines(logs / "PT1H.json", naive(1), naive(2))

    first, second = run("add", tmp_path / "case", path), run("add", tmp_path / "case", path)

    assert first.code == 1
    assert "nothing came of it" in first.err
    assert "--times-in" in first.err
    assert len([line for line in first.err.splitlines() if not line.endswith("…")]) == 1
    assert second.code == 0


def test_what_was_said_of_known_evidence_is_not_silently_without_effect(run, tmp_path, logs):
    path = write_lines(logs / "PT1H.json", naive(1))
    run("add", tmp_path / "case", path)

    done = run("add", tmp_path / "case", path, "--times-in", "+1")

    assert "mhsm-forensics rebuild CASE --times-in +01:00" in done.out or not rejects(tmp_path)


def test_files_that_were_not_read_are_named_with_the_reason(tmp_path):
    case = create_case(tmp_path / "case")
    passed = (
        PassedOver("q1.xlsx", "refused", "an Excel workbook", "/in/q1.xlsx", "save it as CSV"),
        PassedOver("locked", "unreadable", "permission denied", "/in/locked"),
        PassedOver("notes.txt", "left out", "no audit log", "/in/notes.txt"),
    )

    lines = list(accounting.lines_of(ingest.Added(case, passed_over=passed)))

    assert "not read: q1.xlsx, an Excel workbook. Hint: save it as CSV" in lines
    assert "not read: locked, permission denied" in lines
    assert "left out, no audit log: notes.txt" in lines


def test_a_member_that_can_not_be_read_and_a_form_are_told(tmp_path):
    entry = Evidence("e1", "logs.zip", "/in/logs.zip", 9, "00", "2026-03-05T02:00:00Z", fates={"event": 2, "reject": 0})
    torn = replace(entry, evidence_id="e2", member="a.json", position=(1,), unreadable="encrypted", fates={"reject": 1})
    form = replace(entry, evidence_id="e3", path="s.json", form="records inside Splunk _raw")

    lines = list(accounting.lines_of(ingest.Added(create_case(tmp_path / "case"), new=(torn, form))))

    assert "  not read: logs.zip!a.json, encrypted" in lines
    assert "s.json: 2 lines = 2 event, records inside Splunk _raw" in lines


def test_what_was_read_again_is_told_like_what_is_new(tmp_path):
    entry = Evidence("e1", "a.csv", "/in/a.csv", 9, "00", "2026-03-05T02:00:00Z", dates="day-first", fates={"event": 2})

    lines = list(accounting.lines_of(ingest.Added(create_case(tmp_path / "case"), known=("a.csv",)), again=[entry]))

    assert "1 file already in the case, byte for byte; read again with what you said of its times:" in lines
    assert "a.csv: 2 lines = 2 event" in lines


def test_names_from_outside_are_shown_and_not_obeyed(run, tmp_path, logs):
    write_lines(logs / "a\x1b[31m\n.json", record(), b"junk")

    assert "\x1b" not in run("add", tmp_path / "case", logs).both


@pytest.mark.parametrize("case", ["case", "new"])
def test_swapped_arguments_are_refused_with_the_right_order(run, tmp_path, logs, case):
    write_lines(logs / "PT1H.json", record())
    create_case(tmp_path / "case")

    done = run("add", logs, tmp_path / case)

    assert done.code == 1
    assert f"mhsm-forensics add {tmp_path / case} {logs}" in done.err
    assert sorted(path.name for path in logs.iterdir()) == ["PT1H.json"]
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_case_is_refused(run, tmp_path, logs):
    path = write_lines(logs / "PT1H.json", record())

    done = run("add", path, tmp_path / "new")

    assert done.code == 1
    assert "the case comes first" in done.err


def test_a_case_in_place_of_logs_is_refused(run, tmp_path):
    create_case(tmp_path / "case")

    done = run("add", tmp_path / "typo", tmp_path / "case")

    assert done.code == 1
    assert "a case, and no logs" in done.err
    assert not (tmp_path / "typo").exists()


def test_a_case_is_a_new_or_an_empty_folder(run, tmp_path, logs):
    path = write_lines(logs / "in" / "PT1H.json", record())
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_bytes(b"\0")

    done = run("add", tmp_path / "home", path)
    with pytest.raises(errors.CaseError, match="holds files and is no case"):
        create_case(tmp_path / "home")

    assert done.code == 1
    assert "holds files and is no case" in done.err
    assert [entry.name for entry in (tmp_path / "home").iterdir()] == ["thesis.txt"]
    assert run("add", tmp_path / "empty", path).code == 0


def test_what_the_responder_said_is_in_custody_manifest_and_report(run, tmp_path, logs):
    path = write_lines(logs / "PT1H.json", record(1))

    done = run("add", tmp_path / "case", path, "--dates", "day-first", "--times-in", "Europe/Berlin")
    run("report", tmp_path / "case", "-o", tmp_path / "report.html")

    (entry,) = open_case(tmp_path / "case").manifest.evidence
    page = (tmp_path / "report.html").read_text("utf-8")
    assert done.code == 0
    assert (entry.dates, entry.times_in) == ("day-first", "Europe/Berlin")
    assert all(
        f'"{word}"' in (tmp_path / "case" / "custody.jsonl").read_text() for word in (entry.dates, entry.times_in)
    )
    assert "times without a zone are in Europe/Berlin" in page
    assert "dates that can be read two ways are day-first" in page
    said = json.loads(run("what-happened", tmp_path / "case", "--json").out)["responder_said"]
    assert {"of": "times_in", "value": "Europe/Berlin", "files": 1} in said


def test_rebuild_takes_the_same_words(run, tmp_path, logs):
    path = write_lines(logs / "PT1H.json", record(1))
    run("add", tmp_path / "case", path, "--dates", "day-first")

    run("rebuild", tmp_path / "case", "--times-in", "-0530")

    (entry,) = open_case(tmp_path / "case").manifest.evidence
    assert (entry.dates, entry.times_in) == ("day-first", "-05:30")
    assert "-05:30" in (tmp_path / "case" / "custody.jsonl").read_text()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "CET+1", "../etc/passwd", ""])
def test_a_wrong_zone_is_one_clear_line(run, tmp_path, logs, zone):
    path = write_lines(logs / "PT1H.json", record(1))

    done = run("add", tmp_path / "case", path, "--times-in", zone)

    assert done.code == 1
    assert "no such time zone. Hint:" in done.err
    assert not (tmp_path / "case").exists()


def test_every_reason_that_the_loader_gives_is_explained():
    """Reasons are words with an underscore that begin like one; whoever adds one adds its meaning and its way out."""
    import ast
    import re
    from pathlib import Path

    import mhsm_forensics

    package = Path(mhsm_forensics.__file__).parent
    looks = re.compile(r"(?:not|no|bad|too|naive|impossible|ambiguous|host)(?:_[a-z]+)+|truncated|unreadable(?=:|$)")
    given = {
        found[0]
        for room in ("load", "normalise")
        for path in (package / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := looks.match(node.value))
        if found[0] == node.value.partition(":")[0]
    }

    assert {"not_json", "no_time", "truncated", "too_deep", "too_many_cells"} <= given
    assert given <= {reason.name for reason in REASONS}
