"""A case that an earlier version made opens, says so in one line, and is brought to the present shape by a rebuild.

`cases/of-format-1.tar.gz` was made by that version: ten requests by storage, one of them twice and a torn line; the same ten
as rows of a workspace; four of these again with their times cut to milliseconds. Two records bear tags.
"""

import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from mhsm_forensics import analyse, detect, ingest, overview, search
from mhsm_forensics.case import check, open_case, read_custody, verify
from mhsm_forensics.cli import cli
from mhsm_forensics.errors import CaseError

BEFORE = Path(__file__).parent / "cases" / "of-format-1.tar.gz"


@pytest.fixture
def before(tmp_path):
    with tarfile.open(BEFORE) as packed:
        packed.extractall(tmp_path, filter="data")
    return open_case(tmp_path / "case")


def test_it_opens_and_shows_what_that_version_left(before):
    assert before.is_of_before
    assert len(before.events) == 14
    assert verify(before, log=False) == []
    assert [line for line in check(before).remarks if "rebuild" in line] == [before.of_before]
    assert "\n" not in before.of_before
    (purge,) = search.events(before, "KeyPurge")["event_id"]
    assert b"KeyPurge" in b"".join(ingest.raw(before, purge))
    (copy,) = (record for record, tags in before.notes.tags().items() if "copy" in tags)
    assert b"KeyGet" in b"".join(ingest.raw(before, copy))


def test_of_it_no_route_is_said_to_lack_anything(before):
    looked = detect.looked_for(before, found := detect.run(before)).set_index("rule_id")

    assert analyse.reconcile(before).empty
    assert "route-lacks-records" not in set(found["rule_id"])
    assert "rebuild" in looked.loc["route-lacks-records", "reason"]
    assert overview.as_json(overview.overview(before))["routes"]["witnesses"] == {}


def test_nothing_is_added_to_it(before):
    with pytest.raises(CaseError, match="rebuild"):
        ingest.add(before, [before.path.parent / "case" / "evidence"])


def test_a_rebuild_brings_it_to_the_present_shape(before):
    tags = before.notes.tags()

    case = ingest.rebuild(before)

    assert not case.is_of_before
    assert len(case.events) == 10
    assert case.accounting[["event", "witness", "duplicate", "reject"]].iloc[0].to_list() == [10, 14, 1, 1]
    assert case.witnesses["route"].value_counts().to_dict() == {"azure_diagnostics": 14, "storage": 11}
    assert verify(case) == []
    assert not list((case.path / "events").glob("copies*"))
    assert not (case.path / "duplicates.parquet").exists()
    assert [entry["action"] for entry, _ in read_custody(case.path)].count("reshaped") == 1
    assert sorted(map(tuple, case.notes.tags().values())) == sorted(map(tuple, tags.values()))
    assert set(case.notes.tags()) <= set(case.events.df(["event_id"])["event_id"])
    assert not ingest.add(case, [case.path.parent / "case" / "evidence"]).new


def test_every_command_says_so_in_one_line(before):
    done = CliRunner().invoke(cli, ["what-happened", str(before.path), "--json"])

    assert done.exit_code == 0
    assert done.stderr.count("brings it to the present shape") == 1


def test_a_case_file_that_is_changed_afterwards_is_told(before):
    case = ingest.rebuild(before)
    about = case.path / "case.json"
    about.write_text(about.read_text("utf-8").replace("2026", "2025"), "utf-8")

    assert any("case.json" in problem for problem in verify(open_case(case.path), log=False))
