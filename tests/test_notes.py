"""The analyst's record and the scope: nothing is lost, nothing is changed, two people's notes merge."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from building import SAMPLES

from mhsm_forensics.case import Scope, create_case, open_case, record_custody, verify
from mhsm_forensics.errors import CaseError, InputError

QUIET = SAMPLES / "quiet-day"
MOMENT = datetime(2026, 3, 4, 2, tzinfo=UTC)


@pytest.fixture
def case(quiet_day, tmp_path):
    """A copy of the quiet day, to write in."""
    shutil.copytree(quiet_day.path, tmp_path / "case")
    return open_case(tmp_path / "case")


@pytest.fixture
def ids(case):
    return case.events.df(["event_id"])["event_id"].head(5).to_list()


def test_a_tag_is_there_after_a_restart(case, ids):
    case.notes.tag(ids[:2], "exfil", "all at once")

    again = open_case(case.path).notes
    assert again.tags() == {ids[0]: ["exfil"], ids[1]: ["exfil"]}
    assert json.loads(again.df()["detail"].iloc[0]) == {"comment": "all at once"}


def test_a_record_that_is_not_there_is_refused_and_nothing_written(case, ids):
    with pytest.raises(InputError, match="no such record"):
        case.notes.tag([ids[0], "nowhere:1"], "exfil")

    assert case.notes.df().empty


def test_rejects_and_records_of_other_logs_can_be_tagged_too(incident, tmp_path):
    shutil.copytree(incident.path, tmp_path / "case")
    case = open_case(tmp_path / "case")
    reject = case.rejects["event_id"].iloc[0]

    case.notes.tag(reject, "torn")

    assert case.notes.tags() == {reject: ["torn"]}


def test_a_correction_counts_and_the_first_words_stay(case, ids):
    first = case.notes.comment("svc-deploy was on leave", ids[0])
    second = case.notes.correct(first, "svc-deploy is a pipeline")
    case.notes.correct(second, "svc-deploy is the release pipeline")

    assert case.notes.df()["text"].to_list() == ["svc-deploy is the release pipeline"]
    assert case.notes.history()["text"].iloc[0] == "svc-deploy was on leave"
    assert case.notes.df()["about"].iloc[0].tolist() == [ids[0]]


def test_what_is_taken_back_no_longer_counts_and_stays_in_the_record(case, ids):
    note = case.notes.tag(ids, "exfil")
    case.notes.retract(note, "the backup was ours")

    assert case.notes.df().empty
    assert case.notes.tags() == {}
    assert case.notes.history()["kind"].to_list() == ["tag", "retraction"]


def test_a_corrected_note_can_be_taken_back(case):
    second = case.notes.correct(case.notes.comment("a"), "b")

    case.notes.retract(second, "wrong")

    assert case.notes.df().empty


def test_a_note_that_is_none_can_not_be_corrected(case):
    with pytest.raises(InputError, match="no such note"):
        case.notes.correct("0" * 16, "x")


def test_the_newest_t0_counts(case):
    case.notes.t0(MOMENT, "first denied call")
    wrong = case.notes.t0(MOMENT.replace(hour=9), "a slip")
    case.notes.retract(wrong, "a slip")

    assert open_case(case.path).t0 == MOMENT


def test_a_hypothesis_gathers_evidence_for_and_against(case, ids):
    claim = case.notes.hypothesis("the pipeline's secret was stolen")
    case.notes.evidence(claim, ids[0], "another network", supports=True)
    case.notes.evidence(claim, ids[1], "the usual client", supports=False)

    found = case.notes.df("evidence")
    assert [json.loads(text) for text in found["detail"]] == [
        {"note_id": claim, "supports": True}, {"note_id": claim, "supports": False},
    ]  # fmt: skip


def test_an_answer_has_one_of_three_states(case):
    case.notes.answer("Did a backup leave?", "not answerable", "needs the storage log")

    with pytest.raises(InputError, match="answered, partly, not answerable"):
        case.notes.answer("Did a backup leave?", "maybe", "x")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_note_without_words_is_refused(case, ids, text):
    with pytest.raises(InputError, match="has no words"):
        case.notes.tag(ids, text)


def test_a_time_without_its_zone_is_refused(case):
    with pytest.raises(InputError, match="zone"):
        case.notes.t0(datetime(2026, 3, 4, 2), "x")  # noqa: DTZ001


def test_two_people_s_notes_merge_and_each_keeps_its_author(case, ids, tmp_path, monkeypatch):
    shutil.copytree(case.path, tmp_path / "other")
    other = open_case(tmp_path / "other")
    case.notes.tag(ids[0], "mine")
    monkeypatch.setattr("mhsm_forensics.case._notes.who", lambda: "bea@laptop")
    other.notes.tag(ids[0], "hers")

    assert case.notes.merge(other.path) == 1
    assert case.notes.merge(other.path) == 0
    assert case.notes.tags() == {ids[0]: ["mine", "hers"]}
    assert case.notes.df()["by"].iloc[1] == "bea@laptop"
    assert verify(case) == []


def test_notes_whose_chain_is_broken_are_not_merged(case, tmp_path):
    other = create_case(tmp_path / "other")
    other.notes.comment("one")
    other.notes.comment("two")
    lines = other.notes.path.read_text().splitlines(keepends=True)
    other.notes.path.write_text(lines[0].replace("one", "1") + lines[1])

    with pytest.raises(CaseError, match="chain is broken before entry 2"):
        case.notes.merge(other.path)


def test_many_notebooks_may_write_at_once(case):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: open_case(case.path).notes.comment(f"note {n}"), range(40)))

    assert sorted(case.notes.df()["text"]) == sorted(f"note {n}" for n in range(40))
    assert verify(case) == []


def test_a_torn_note_is_kept_in_the_next_one(case):
    case.notes.comment("whole")
    with case.notes.path.open("ab") as file:
        file.write(b'{"seq": 2, "note_id"')

    case.notes.comment("after")

    assert case.notes.df()["text"].to_list() == ["whole", "after"]
    assert case.notes.history()["kind"].to_list() == ["comment", "recovered", "comment"]
    assert verify(case) == []


def test_a_torn_note_is_no_note_yet(case):
    case.notes.comment("whole")
    with case.notes.path.open("ab") as file:
        file.write(b'{"seq": 2, "note_id"')

    assert case.notes.df()["text"].to_list() == ["whole"]


def test_a_full_disk_takes_no_half_of_a_note(small_disk):
    case = create_case(small_disk / "case")
    (small_disk / "rest").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 5 * 4096))

    with pytest.raises(CaseError, match="No space left"):
        list(map(case.notes.comment, map(str, range(1000))))

    assert case.notes.path.read_bytes().endswith(b"}\n")
    assert 0 < len(case.notes.df()) < 1000


@pytest.mark.parametrize("line", [b"null", b"{", b'{"seq": 1, "previous": "0"}'])
def test_what_is_no_note_is_told_as_that(case, tmp_path, line):
    (tmp_path / "notes.jsonl").write_bytes(line + b"\n")

    with pytest.raises(CaseError, match=r"notes.jsonl: .*Hint"):
        case.notes.merge(tmp_path / "notes.jsonl")


def test_notes_that_are_nowhere_are_not_merged(case, tmp_path):
    with pytest.raises(CaseError, match="no such file"):
        case.notes.merge(tmp_path / "notes.jsonl")


def test_a_changed_note_shows(case):
    case.notes.comment("the truth")
    case.notes.comment("and more")
    case.notes.path.write_text(case.notes.path.read_text().replace("truth", "story"))

    assert any("notes.jsonl: the chain of notes is broken before entry 2" in problem for problem in verify(case))


def test_a_note_that_is_cut_off_shows_once_custody_knew_it(case):
    case.notes.comment("one")
    case.notes.comment("two")
    assert verify(case) == []
    lines = case.notes.path.read_text().splitlines(keepends=True)
    case.notes.path.write_text(lines[0])

    assert any("a note is missing" in problem for problem in verify(case))


def test_custody_and_notes_can_be_written_by_two_processes_at_once(case):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: record_custody(case.path, "tried", {"n": n}), range(40)))

    assert verify(case) == []


def test_a_scope_is_the_same_for_the_next_who_opens_the_case(case):
    principal = case.events.df(["principal"])["principal"].dropna().iloc[0]
    case.look_at(Scope(MOMENT, principals=(principal,)))

    again = open_case(case.path)
    assert again.scope == Scope(MOMENT, principals=(principal,))
    assert set(again.scoped.df()["principal"]) == {principal}
    assert again.scoped.df()["time"].min() >= MOMENT
    assert len(again.scoped) == len(again.scoped.df()) < len(again.events)


def test_a_case_without_a_scope_is_looked_at_whole(case):
    assert case.scope.is_whole
    assert len(case.scoped) == len(case.events)


def test_questions_are_asked_within_the_scope(case):
    from mhsm_forensics import analyse

    operation = case.events.df(["operation"])["operation"].iloc[0]
    case.look_at(Scope(operations=(operation,)))

    assert analyse.outcomes(case.scoped)["operation"].to_list() == [operation]


def test_a_hostile_name_in_a_scope_is_a_value(case):
    case.look_at(Scope(principals=("x' OR 1=1 --",)))

    assert len(case.scoped) == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"start": 5}', '{"start": "2026-03-04T02:00:00"}'])
def test_a_damaged_scope_says_how_to_go_on(case, text):
    (case.path / "scope.json").write_text(text)

    with pytest.raises((CaseError, InputError), match="Hint"):
        _ = case.scope


def test_a_scope_that_holds_no_time_is_refused():
    with pytest.raises(InputError, match="holds no time"):
        Scope(MOMENT, MOMENT)
