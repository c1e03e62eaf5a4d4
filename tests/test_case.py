"""The case folder: what it says it can prove, and a run killed at any moment loses nothing and doubles nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mhsm_forensics import ingest
from mhsm_forensics.case import create_case, open_case, read_custody, verify
from mhsm_forensics.errors import CaseError, EvidenceError, InputError

SAMPLES = Path(__file__).parents[1] / "data-samples"
INCIDENT = SAMPLES / "incident" / "insights-logs-auditevent"
TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))
FATES = {fate: TRUTH["fates"][fate] for fate in ("event", "witness", "duplicate", "out_of_scope", "blank", "reject")}


def accounting(case):
    return case.accounting[list(FATES)].iloc[0].to_dict()


def fingerprint(folder):
    """Every file of a case with its bytes, but for the lock."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_the_incident_is_accounted_for_to_the_line(incident):
    assert accounting(incident) == FATES
    assert len(incident.events) == FATES["event"]


def test_every_record_that_repeats_another_has_its_bytes_and_its_event(incident):
    events = set(incident.events.df(["event_id"])["event_id"])
    repeats = incident.witnesses[incident.witnesses["relation"] == "same bytes"]
    assert len(repeats) == FATES["duplicate"]
    for row in repeats.itertuples():
        assert row.event_id in events
        assert b"".join(ingest.raw(incident, row.witness_id)) == b"".join(ingest.raw(incident, row.same_bytes_as))


def test_adding_the_same_evidence_again_changes_no_byte(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [INCIDENT]).case
    before = fingerprint(case.path)

    again = ingest.add(case, [INCIDENT.parent / INCIDENT.name])

    assert again.new == ()
    assert len(again.known) == len(case.manifest.evidence)
    assert fingerprint(case.path) == before


def test_a_record_that_came_in_an_earlier_file_counts_once(tmp_path):
    first = next(INCIDENT.rglob("PT1H.json"))
    copy = tmp_path / "PT1H.json"
    copy.write_bytes(first.read_bytes().splitlines(keepends=True)[0] * 2 + b"\n")
    case = ingest.add(create_case(tmp_path / "case"), [first]).case
    before = accounting(case)

    after = ingest.add(case, [copy]).case

    assert accounting(after) == before | {"duplicate": before["duplicate"] + 2, "blank": before["blank"] + 1}
    (event,) = after.witnesses.loc[after.witnesses["relation"] == "same bytes", "event_id"].unique()
    ids = after.witnesses.loc[after.witnesses["event_id"] == event, "witness_id"]
    assert event == min(ids, key=lambda one: (one.partition(":")[0], int(one.partition(":")[2])))


def test_runs_that_follow_within_a_second_keep_all_events(tmp_path):
    case = create_case(tmp_path / "case")
    for blob in sorted(INCIDENT.rglob("PT1H.json"))[:6]:
        case = ingest.add(case, [blob]).case

    assert verify(case) == []
    assert len(case.manifest.parts) > 3


def test_a_case_object_that_is_older_than_the_folder_does_no_harm(tmp_path):
    first, second = sorted(INCIDENT.rglob("PT1H.json"))[:2]
    old = create_case(tmp_path / "case")
    ingest.add(old, [first])
    parts = open_case(old.path).manifest.parts

    case = ingest.add(old, [second]).case

    assert set(parts) < set(case.manifest.parts)
    assert verify(case) == []


def test_rebuild_gives_the_same_ids_and_accounting(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [INCIDENT]).case
    before = case.events.df()

    rebuilt = ingest.rebuild(case)

    pd.testing.assert_frame_equal(rebuilt.events.df(), before)
    assert accounting(rebuilt) == FATES
    assert verify(rebuilt) == []


def test_evidence_in_place_is_hashed_and_not_copied(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [INCIDENT], in_place=True).case

    assert accounting(case) == FATES
    assert not list((case.path / "evidence").rglob("*.json"))
    assert verify(case) == []


def test_copied_evidence_is_read_only(quiet_day):
    assert {p.stat().st_mode & 0o222 for p in (quiet_day.path / "evidence").rglob("PT1H.json")} == {0}


def test_a_blob_that_grew_is_kept_beside_its_earlier_self(tmp_path):
    blob = tmp_path / "PT1H.json"
    lines = next(INCIDENT.rglob("PT1H.json")).read_bytes().splitlines(keepends=True)
    blob.write_bytes(b"".join(lines[:2]))
    case = ingest.add(create_case(tmp_path / "case"), [blob]).case
    blob.write_bytes(b"".join(lines[:3]))

    added = ingest.add(case, [blob])

    assert len(added.case.manifest.evidence) == 2
    assert (added.case.accounting["event"].iloc[0], added.case.accounting["duplicate"].iloc[0]) == (3, 2)
    assert added.fates["event"] - added.replaced == 1


def test_verify_names_what_changed(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [SAMPLES / "quiet-day"]).case
    changed, missing, *_ = sorted((case.path / "evidence").rglob("PT1H.json"))
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes().replace(b"KeyGet", b"KeyPut"))
    missing.unlink()
    (case.path / "evidence" / "planted.json").write_text("{}")

    problems = "\n".join(verify(case))

    assert f"changed: {changed}" in problems
    assert f"missing: {missing}" in problems
    assert "planted.json" in problems


def test_a_custody_entry_that_is_rewritten_breaks_the_chain(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [SAMPLES / "quiet-day"]).case
    log = case.path / "custody.jsonl"
    log.write_bytes(log.read_bytes().replace(b"quiet-day", b"other-day", 1))

    assert any("custody chain broken" in problem for problem in verify(case))


def test_evidence_and_manifest_changed_together_disagree_with_custody(tmp_path):
    case = ingest.add(create_case(tmp_path / "case"), [SAMPLES / "quiet-day"]).case
    sha256 = case.manifest.evidence[0].sha256
    manifest = case.path / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace(sha256, "0" * 64), "utf-8")

    assert any("manifest and custody disagree" in problem for problem in verify(open_case(case.path)))


def test_a_torn_custody_entry_is_kept_in_the_next_one(tmp_path):
    case = create_case(tmp_path / "case")
    with (case.path / "custody.jsonl").open("ab") as log:
        log.write(b'{"seq": 2, "ti')

    verify(case)

    assert [entry["action"] for entry, _ in read_custody(case.path)] == ["created", "recovered", "verified"]
    assert verify(case) == []


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2])
def test_a_run_killed_at_any_moment_is_completed_by_the_next(tmp_path, seconds):
    folder = tmp_path / "case"
    create_case(folder)
    ready = tmp_path / "ready"
    code = (
        "import sys; from pathlib import Path; from mhsm_forensics import ingest; from mhsm_forensics.case import open_case;"
        "Path(sys.argv[3]).touch(); ingest.add(open_case(sys.argv[1]), [sys.argv[2]])"
    )
    run = subprocess.Popen([sys.executable, "-c", code, folder, INCIDENT, ready])
    while not ready.exists():
        time.sleep(0.005)
    time.sleep(seconds)
    run.send_signal(signal.SIGKILL) if os.name == "posix" else run.kill()
    run.wait()
    begun = (folder / ".adding.json").exists() or (folder / "manifest.json").exists()

    added = ingest.add(open_case(folder), [SAMPLES / "quiet-day"])  # another path: the interrupted one is finished too

    ids = added.case.events.df(["event_id", "hsm"])
    assert ids["event_id"].is_unique
    assert (ids["hsm"] != "fabrikam-hsm").sum() == (FATES["event"] if begun else 0)
    assert begun or seconds < 0.1
    assert verify(added.case) == []


def test_a_case_of_a_newer_version_is_not_touched(tmp_path):
    case = create_case(tmp_path / "case")
    about = case.path / "case.json"
    about.write_text(about.read_text("utf-8").replace('"format": 2', '"format": 99'), "utf-8")

    with pytest.raises(CaseError, match="newer version"):
        open_case(case.path)


def test_a_folder_that_is_no_case_says_how_to_make_one(tmp_path):
    with pytest.raises(CaseError, match="add"):
        open_case(tmp_path)


def test_two_writers_do_not_meet(tmp_path):
    case = create_case(tmp_path / "case")

    with ingest.writing(case), pytest.raises(CaseError, match="another process"):
        ingest.add(case, [SAMPLES / "quiet-day"])


def test_a_wrong_path_adds_nothing(tmp_path):
    case = create_case(tmp_path / "case")

    with pytest.raises(EvidenceError, match="no such file"):
        ingest.add(case, [tmp_path / "nowhere", INCIDENT])

    assert open_case(case.path).manifest.evidence == ()


def test_an_empty_folder_adds_nothing(tmp_path):
    case = create_case(tmp_path / "case")
    (tmp_path / "empty").mkdir()

    with pytest.raises(EvidenceError, match="is empty"):
        ingest.add(case, [tmp_path / "empty"])


def test_no_such_event(quiet_day):
    with pytest.raises(InputError, match="no such record"):
        list(ingest.raw(quiet_day, "x'; DROP TABLE events --"))


def test_raw_gives_the_line_as_it_stands(quiet_day):
    event = quiet_day.events.df().iloc[5]

    data = b"".join(ingest.raw(quiet_day, event["event_id"]))

    assert data in (quiet_day.path / "evidence" / event["source_file"]).read_bytes().splitlines()


def test_the_one_liner_needs_no_case():
    events = ingest.load_events(SAMPLES / "quiet-day")

    assert len(events) == events.attrs["accounting"]["event"] > 0
