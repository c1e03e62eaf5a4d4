"""The command line as a responder meets it: real processes, real exit codes, one line for what went wrong."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest

from mhsm_forensics import case as cases
from mhsm_forensics import workbook
from mhsm_forensics.errors import ForensicsError

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data-samples"


def run(*words, cwd=None, binary=False):
    command = [sys.executable, "-m", "mhsm_forensics", *map(str, words)]
    return subprocess.run(command, capture_output=True, cwd=cwd or ROOT, encoding=None if binary else "utf-8")


def answer(*words):
    """What a command says as JSON."""
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "case"
    assert run("add", folder, SAMPLES / "incident").returncode == 0
    return folder


def fails(done, code=1):
    """One line on stderr, no traceback."""
    assert done.returncode == code
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.endswith("…")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_demo_does_the_whole_job(tmp_path):
    done = run("demo", tmp_path / "case")

    assert done.returncode == 0, done.stderr
    assert "critical" in done.stdout
    assert (tmp_path / "case" / "reports" / "report.html").stat().st_size > 1_000_000


def test_add_says_what_became_of_every_line(case):
    done = run("add", case, SAMPLES / "incident")

    assert "nothing was changed" in done.stdout
    assert "truth.json" in done.stdout


def test_what_happened_as_json_is_one_object(case):
    found = answer("what-happened", case, "--json")

    assert found["accounting"]["event"] == 5605
    assert found["first_time"].endswith("Z")
    assert {
        "case",
        "generated",
        "last_time",
        "hsms",
        "coverage",
        "outcomes",
        "operations",
        "principals",
        "findings",
        "looked_for",
    } <= set(found)
    assert {gap["hsm"] for gap in found["coverage"]["gaps"]} == {"contoso-hsm-prod", "contoso-hsm-dr"}
    assert found["hsms"] == ["contoso-hsm-dr", "contoso-hsm-prod"]
    assert found["findings"][0]["severity"] == "critical"
    assert found["findings"][0]["event_ids"]


def test_a_window_is_echoed_in_utc(case):
    done = run("what-happened", case, "--from", "2026-03-16T01:00+01:00", "--to", "2026-03-17T00:00Z", "--json")

    assert "from 2026-03-16T00:00:00Z up to 2026-03-17T00:00:00Z" in done.stderr
    answer = json.loads(done.stdout)
    assert sum(row["events"] for row in answer["coverage"]["hsms"]) < 5605


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_findings_in_three_forms(case, form):
    done = run("findings", case, "--format", form)

    assert done.returncode == 0
    if form == "json":
        assert {"finding_id", "severity", "event_ids", "techniques", "next_step"} <= set(json.loads(done.stdout)[0])
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert json.loads(rows[0]["event_ids"])


def test_raw_prints_the_bytes_of_the_evidence(case):
    event_id = answer("findings", case, "--format", "json")[0]["event_ids"][0]

    data = run("raw", case, event_id, binary=True).stdout

    assert any(data in path.read_bytes() for path in (case / "evidence").rglob("PT1H.json"))


def test_export_events_csv_guards_formulas(tmp_path):
    run("add", tmp_path / "case", SAMPLES / "damaged" / "hostile-key-names.json")
    done = run("export", tmp_path / "case", "--format", "events-csv", "-o", tmp_path / "events.csv")

    rows = list(csv.reader(io.StringIO((tmp_path / "events.csv").read_text("utf-8-sig"), newline="")))
    assert done.returncode == 0
    assert len(rows) > 5
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_export_parquet_is_verbatim(case, tmp_path):
    run("export", case, "--format", "parquet", "-o", tmp_path / "events.parquet")

    assert pq.read_metadata(tmp_path / "events.parquet").num_rows == 5605


def test_verify_exits_1_and_names_what_changed(tmp_path):
    run("add", tmp_path / "case", SAMPLES / "quiet-day")
    assert run("verify", tmp_path / "case").returncode == 0
    path = next((tmp_path / "case" / "evidence").rglob("PT1H.json"))
    path.chmod(0o644)
    path.write_bytes(b"")

    done = run("verify", tmp_path / "case")

    assert done.returncode == 1
    assert str(path) in done.stderr


def test_hostile_text_reaches_the_terminal_as_text(tmp_path):
    run("add", tmp_path / "case", SAMPLES / "damaged" / "hostile-principals.json")

    done = run("what-happened", tmp_path / "case")

    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout.replace("\x1b[0m", "")
    assert "\u202e" not in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "no Managed HSM audit log"),
        ("notes.txt", b"call the bank\n", "no Managed HSM audit log"),
        ("empty.json", b"", "no Managed HSM audit log"),
    ],
)
def test_a_file_that_is_no_log(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)

    assert says in fails(run("add", tmp_path / "case", tmp_path / name))
    assert not (tmp_path / "case").exists()


def test_no_such_path(tmp_path):
    assert "no such file or folder" in fails(run("add", tmp_path / "case", tmp_path / "nowhere"))
    assert not (tmp_path / "case").exists()


def test_an_empty_folder(tmp_path):
    (tmp_path / "logs").mkdir()

    assert "the folder is empty" in fails(run("add", tmp_path / "case", tmp_path / "logs"))


def test_a_folder_without_audit_logs(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("nothing")

    assert "no Managed HSM audit log among 1 file" in fails(run("add", tmp_path / "case", tmp_path / "logs"))


def test_no_case(tmp_path):
    assert "not a case folder" in fails(run("report", tmp_path))


@pytest.mark.parametrize("text", ["2026-03-16", "2026-03-16T02:00", "yesterday"])
def test_a_time_without_its_zone(case, text):
    assert "2026-03-05T02:00Z" in fails(run("what-happened", case, "--from", text))


def test_a_target_that_can_not_be_written(case):
    assert "Hint" in fails(run("report", case, "-o", "/proc/report.html"))
    assert "Hint" in fails(run("export", case, "--format", "parquet", "-o", "/proc/events.parquet"))
    assert "Hint" in fails(run("add", "/proc/case", SAMPLES / "quiet-day"))


def test_no_space_left_keeps_what_was_added_before(small_disk):
    assert run("add", small_disk / "case", SAMPLES / "quiet-day").returncode == 0
    before = answer("what-happened", small_disk / "case", "--json")

    message = fails(run("add", small_disk / "case", SAMPLES / "incident"))

    assert "No space left" in message
    assert "kept" in message
    assert answer("what-happened", small_disk / "case", "--json")["accounting"] == before["accounting"]


def test_what_a_killed_process_left_of_an_entry_keeps_nobody_from_reading(quiet_day, tmp_path):
    shutil.copytree(quiet_day.path, tmp_path / "case")
    before = answer("what-happened", tmp_path / "case", "--json")
    for name in ("custody.jsonl", "notes.jsonl"):
        with (tmp_path / "case" / name).open("ab") as log:
            log.write(b'{"seq": 9, "ti')

    assert answer("what-happened", tmp_path / "case", "--json")["findings"] == before["findings"]
    assert run("report", tmp_path / "case").returncode == 0


def test_a_damaged_chain_is_told_in_one_line(quiet_day, tmp_path):
    shutil.copytree(quiet_day.path, tmp_path / "case")
    log = tmp_path / "case" / "custody.jsonl"
    log.write_bytes(log.read_bytes() + b"[not an entry]\n")

    said = run("verify", tmp_path / "case").stderr
    assert said.count("is no entry") == 2  # the line itself, and that this verification could not be written after it
    assert "2 of the case's claims" in said
    assert "is no entry" in fails(run("what-happened", tmp_path / "case"))


def test_a_day_of_log_is_not_called_free_of_silences(quiet_day):
    said = run("what-happened", quiet_day.path).stdout

    assert "too short a log to tell a silence from a pause" in said
    assert "no silence" not in said


def test_a_wrong_word_is_usage():
    assert run("frobnicate").returncode == 2
    assert run("findings").returncode == 2


def test_a_wrong_zone(tmp_path):
    assert "no such time zone" in fails(run("add", tmp_path / "case", SAMPLES / "quiet-day", "--zone", "Mars/Olympus"))


@pytest.mark.long  # a whole notebook; the next test is of one that ends early
def test_a_notebook_runs_with_nobody_there_and_its_copy_stays_in_the_case(quiet_day, tmp_path):
    shutil.copytree(quiet_day.path, tmp_path / "case")

    done = run("what-happened", tmp_path / "case", "--notebook")

    (copy,) = (tmp_path / "case" / "reports").glob("01-what-happened-*.ipynb")
    book = json.loads(copy.read_text("utf-8"))
    assert done.returncode == 0, done.stderr
    assert str(copy) in done.stdout
    assert any(cell.get("outputs") for cell in book["cells"])
    assert cases.verify(cases.open_case(tmp_path / "case")) == []


def test_a_cell_that_fails_is_said_in_one_line_and_the_copy_is_kept(quiet_day, tmp_path, monkeypatch):
    shutil.copytree(quiet_day.path, tmp_path / "case")
    (tmp_path / "01-what-happened.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1 / 0")])))  # fmt: skip
    monkeypatch.setattr(workbook, "notebooks", lambda: tmp_path)

    with pytest.raises(ForensicsError, match=r"division by zero.*Hint: open"):
        workbook.run(cases.open_case(tmp_path / "case"))

    assert len(list((tmp_path / "case" / "reports").glob("*.ipynb"))) == 1
