"""A case from a stranger can't lead out of its folder, and a damaged one is one clear line in every command."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mhsm_forensics import ingest
from mhsm_forensics.case import create_case, open_case, record_custody, verify
from mhsm_forensics.cli import cli
from mhsm_forensics.errors import CaseError, EvidenceError, ForensicsError

SAMPLES = Path(__file__).parents[1] / "data-samples"
BLOBS = sorted((SAMPLES / "quiet-day").rglob("PT1H.json"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    case = create_case(tmp_path_factory.mktemp("healthy") / "case")
    case = ingest.add(case, [BLOBS[0], SAMPLES / "documented"]).case
    case.notes.tag(case.events.df(["event_id"])["event_id"][0], "exfil")
    assert verify(case) == []
    return case


@pytest.fixture
def case(healthy, tmp_path):
    shutil.copytree(healthy.path, tmp_path / "case")
    return open_case(tmp_path / "case")


def edit(case, change, name="manifest.json"):
    """Edit a JSON file of the case, as somebody would who has all the rest put right too."""
    path = case.path / name
    found = json.loads(path.read_text("utf-8"))
    change(found)
    path.write_text(json.dumps(found), "utf-8")
    record_custody(case.path, "sealed", {"manifest": hashlib.sha256(path.read_bytes()).hexdigest(), "tables": 0})


OUTSIDE = ["/etc/passwd", "../../secret.json", "a/../../secret.json", "", ".", "a\0b", "a//b", "./a"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_evidence_is_in_the_case(case, path):
    edit(case, lambda found: found["evidence"][0].update(path=path))

    with pytest.raises(CaseError, match="not in the case"):
        open_case(case.path)


@pytest.mark.parametrize(
    "name", ["../x.parquet", "/x.parquet", "a/b.parquet", "*.parquet", ".hidden", "x'); DROP TABLE"]
)
@pytest.mark.parametrize("field", ["parts", "copies", "tables"])
def test_a_table_is_in_its_folder(case, field, name):
    digest = "0" * 64
    edit(case, lambda found: found.update({field: {f"events/{name}": digest} if field == "tables" else [name]}))

    with pytest.raises(CaseError, match=field):
        open_case(case.path)


def test_evidence_that_custody_names_is_not_put_outside_the_case(case, tmp_path):
    payload, target = b"* * * * * root evil\n", tmp_path / "crontab"
    digest = hashlib.sha256(payload).hexdigest()
    (case.path / "evidence" / ".incoming" / digest[:12]).write_bytes(payload)
    about = {"evidence_id": digest[:12], "path": str(target), "sha256": digest, "size": len(payload), "fates": None}
    record_custody(case.path, "added", asdict(case.manifest.evidence[0]) | about)

    with pytest.raises(CaseError, match=r"custody\.jsonl.*not in the case"):
        ingest.add(open_case(case.path), [BLOBS[1]])

    assert not target.exists()


def test_an_id_is_no_path(case, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    record_custody(case.path, "added", asdict(case.manifest.evidence[0]) | {"evidence_id": "../../../outside"})

    with pytest.raises(CaseError, match="evidence_id"):
        ingest.add(open_case(case.path), [BLOBS[1]])

    assert outside.read_text() == "mine"


FILES = ["case.json", "manifest.json", "custody.jsonl", "notes.jsonl", "rejects.parquet", "scope.json", ".adding.json"]


@pytest.mark.parametrize("name", [*FILES, ".lock", ".custody.lock", "case.json.new", "events", "evidence", "reports",
                                  "evidence/.incoming", "events/.staging", "events/x.parquet", "context/signins.parquet",
                                  ".scratch", ".sealing"])  # fmt: skip
def test_a_link_in_a_case_is_refused_and_nothing_is_written_through_it(case, tmp_path, name):
    outside, path = tmp_path / "outside", case.path / name
    if path.exists():
        shutil.move(path, outside)
    else:
        outside.write_text("mine")
    before = outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())
    path.symlink_to(outside)

    with pytest.raises(CaseError, match="a link"):
        ingest.add(open_case(case.path), [BLOBS[1]])

    assert before == (outside.read_bytes() if outside.is_file() else sorted(outside.iterdir()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_a_case_is_not_waited_for(case):
    (case.path / "notes.jsonl").unlink()
    os.mkfifo(case.path / "notes.jsonl")

    with pytest.raises(CaseError, match="pipe"):
        open_case(case.path)


@pytest.mark.parametrize("up", [0, 1], ids=["file", "folder"])
def test_evidence_behind_a_link_is_not_read(case, tmp_path, up):
    entry = max(case.manifest.evidence, key=lambda entry: entry.path.count("/"))
    event_id = case.events.df(["event_id"])["event_id"][0]
    place = [case.path / "evidence" / entry.path, *(case.path / "evidence" / entry.path).parents][up]
    shutil.move(place, tmp_path / "outside")
    place.symlink_to(tmp_path / "outside")

    assert any("a link" in problem for problem in verify(open_case(case.path)))
    with pytest.raises(ForensicsError, match="a link"):
        ingest.rebuild(open_case(case.path))
    if entry.evidence_id == event_id.partition(":")[0]:
        with pytest.raises(CaseError, match="a link"):
            list(ingest.raw(open_case(case.path), event_id))


@pytest.mark.parametrize("fates", [None, {"event": 1}])
def test_a_file_of_this_machine_is_not_read_because_a_stranger_names_it(case, tmp_path, fates):
    mine = tmp_path / "mine.json"
    mine.write_bytes(BLOBS[2].read_bytes())
    named = {"path": str(mine), "in_place": True, "fates": fates, "size": mine.stat().st_size}
    edit(case, lambda found: found["evidence"][0].update(named))

    for write in (
        (lambda c: ingest.rebuild(c), lambda c: ingest.add(c, [BLOBS[1]])) if fates is None else (ingest.rebuild,)
    ):
        with pytest.raises(EvidenceError, match="changed since it was acquired"):
            write(open_case(case.path))


def test_a_staged_manifest_of_a_stranger_is_not_followed_out_of_the_case(case, tmp_path):
    found = json.loads((case.path / "manifest.json").read_text("utf-8"))
    (case.path / ".sealing").mkdir()
    (case.path / ".sealing" / "manifest.json").write_text(
        json.dumps(found | {"tables": {"../outside.parquet": "0" * 64}})
    )

    assert verify(ingest.add(case, [BLOBS[1]]).case) == []
    assert not (tmp_path / "outside.parquet").exists()


GARBAGE = {
    "empty": b"", "binary": b"\x00\xff\xfe\x80", "text": b"not json\n", "list": b"[]\n", "null": b"null\n",
    "number": b"9" * 5000, "deep": b"[" * 100_000, "other": b'{"x": [1, {"y": 1e999}]}\n', "half": b'{"format": 1, "na',
    "surrogate": b'{"name": "\\ud800", "seq": 1, "previous": "0", "evidence": [], "parts": ["\\ud800"]}\n',
    "types": b'{"format": "x", "name": 7, "created": [], "seq": "a", "previous": 0, "evidence": {}, "parts": 3, "hsms": [1],'
             b' "paths": [1]}\n',
}  # fmt: skip
LOOKS = (["verify", "--no-log"], ["what-happened"], ["raw", "x:1"], ["rebuild"], ["add", str(BLOBS[1])])


def one_clear_line(case, words):
    done = CliRunner().invoke(cli, [words[0], str(case.path), *words[1:]])
    assert isinstance(done.exception, (ForensicsError, SystemExit, type(None))), (words, done.exc_info)
    if isinstance(done.exception, ForensicsError):
        assert "\n" not in str(done.exception)
        assert done.exception.args
    return done.exception


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("name", ["case.json", "manifest.json", "custody.jsonl"])
def test_a_damaged_file_is_one_clear_line_in_every_command(case, name, garbage):
    (case.path / name).write_bytes(GARBAGE[garbage])

    for words in LOOKS if name != "custody.jsonl" else (LOOKS[0], LOOKS[-1]):
        problem = one_clear_line(case, words)
        assert problem is not None
        assert isinstance(problem, (SystemExit, type(None))) or name in str(problem)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_an_analyst_or_a_killed_run_left_is_one_clear_line_when_it_is_damaged(case, garbage):
    for name in ("notes.jsonl", "scope.json", ".adding.json"):
        (case.path / name).write_bytes(GARBAGE[garbage])
    opened = open_case(case.path)

    for name, look in (("notes.jsonl", opened.notes.df), ("scope.json", lambda: opened.scope)):
        if not (name == "notes.jsonl" and b"\n" not in GARBAGE[garbage]):  # an unfinished entry says nothing yet
            with pytest.raises(CaseError, match=name.replace(".", r"\.")):
                look()
    with pytest.raises(CaseError, match=r"adding\.json.*delete"):
        ingest.add(opened, [BLOBS[1]])


BROKEN = {
    "magic": lambda path: path.write_bytes(b"PAR1garbagePAR1"),
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "missing": lambda path: path.unlink(),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "other columns": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "other types": lambda path: pq.write_table(
        pa.table({n: pa.array([[1]]) if n == "time" else ["x"] for n in pq.read_schema(path).names}), path
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_damaged_events_are_one_clear_line_in_every_command_and_rebuild_mends_them(case, how):
    path = case.events.paths[0]
    BROKEN[how](path)

    for words in (["verify", "--no-log"], ["what-happened"], ["findings"], ["raw", "x:1"], ["add", str(BLOBS[1])],
                  ["export", "--format", "parquet", "-o", str(case.path / "out.parquet")]):  # fmt: skip
        problem = one_clear_line(case, words)
        assert problem is not None, words
        assert path.name in str(problem) or isinstance(problem, SystemExit), words
    assert verify(ingest.rebuild(open_case(case.path))) == []


@pytest.mark.parametrize("table", ["rejects", "signins"])
@pytest.mark.parametrize("how", ["magic", "other columns", "other types", "missing"])
def test_a_damaged_table_beside_the_events_is_one_clear_line(case, table, how):
    path = case.table_path(table)
    BROKEN[how](path)

    problem = one_clear_line(case, ["verify", "--no-log"])
    assert isinstance(problem, SystemExit)
    if how != "missing":
        with pytest.raises(CaseError, match=f"{table}.parquet"):
            open_case(case.path).rejects if table == "rejects" else open_case(case.path).context(table)
    assert verify(ingest.rebuild(open_case(case.path))) == []


@pytest.mark.skipif(os.name != "posix", reason="every name of a file is text here")
def test_a_file_name_that_is_no_text_is_named_and_custody_stays_readable(case):
    Path(os.fsdecode(os.fsencode(case.path / "events") + b"/\xff.parquet")).write_bytes(b"")

    assert any("not derived by this tool" in problem for problem in verify(case))
    assert "\\udcff.parquet" in open_case(case.path).custody["detail"].iloc[-1]


def test_a_note_that_is_none_is_named(case):
    for kind, detail in (("t0", {"time": "yesterday"}), ("view", {"question": 1}), ("answer", {})):
        entry = {"seq": 1, "note_id": "x", "time": "2026-01-01T00:00:00Z", "by": "me", "kind": kind, "text": "t",
                 "about": [], "detail": detail, "previous": "0" * 64}  # fmt: skip
        case.notes.path.write_text(json.dumps(entry) + "\n")

        with pytest.raises(CaseError, match=r"notes\.jsonl"):
            open_case(case.path).notes.df()
