"""The seal: what is edited under it is named, a head that was noted outside pins it, and looking never needs to write."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mhsm_forensics import ingest, report
from mhsm_forensics.case import _seal, check, create_case, head, open_case, read_custody, record_custody, verify
from mhsm_forensics.cli import cli
from mhsm_forensics.errors import CaseError, EvidenceError, InputError

SAMPLES = Path(__file__).parents[1] / "data-samples"
BLOBS = sorted((SAMPLES / "quiet-day").rglob("PT1H.json"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A case of two adds, one of them an archive, with rejects, notes and a list for context."""
    work = tmp_path_factory.mktemp("healthy")
    (work / "in").mkdir()
    (work / "in" / "PT1H.json").write_bytes(BLOBS[0].read_bytes() + b"garbage\n")
    shutil.make_archive(str(work / "more"), "zip", BLOBS[1].parent)
    case = create_case(work / "case", name="Contoso")
    ingest.add(case, [work / "in"])
    case = ingest.add(case, [work / "more.zip"]).case
    ids = case.events.df(["event_id"])["event_id"]
    case.notes.tag(ids[0], "exfil")
    case.notes.comment("seen", ids[1])
    assert verify(case) == []
    return case


@pytest.fixture
def case(healthy, tmp_path):
    """A copy of the healthy case, to be damaged."""
    shutil.copytree(healthy.path, tmp_path / "case")
    return open_case(tmp_path / "case")


def problems(case):
    return "\n".join(verify(open_case(case.path), log=False))


def edit_table(path, column, value):
    table = pq.read_table(path)
    made = pa.array([value] * table.num_rows, table.schema.field(column).type)
    pq.write_table(table.set_column(table.column_names.index(column), column, made), path)


def edit_manifest(case, **changes):
    path = case.path / "manifest.json"
    found = json.loads(path.read_text("utf-8"))
    found["evidence"][0] |= changes
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False), "utf-8")


def test_every_derived_table_is_in_the_manifest_and_the_manifest_in_custody(healthy):
    there = {p.relative_to(healthy.path).as_posix() for p in healthy.path.rglob("*.parquet")}

    assert set(healthy.manifest.tables) == there
    assert _seal.sealed_manifest(healthy.path) == _seal.manifest_digest(healthy.path)


def test_a_case_can_be_verified_by_a_relative_path(case, monkeypatch):
    monkeypatch.chdir(case.path.parent)

    assert verify(open_case(case.path.name)) == []


def test_an_edited_event_is_named(case):
    edit_table(case.events.paths[0], "operation", "KeySign")

    (named,) = problems(case).splitlines()
    assert named.startswith(f"changed: {case.events.paths[0]}")


def test_emptied_rejects_are_named(case):
    path = case.table_path("rejects")
    pq.write_table(pq.read_table(path).slice(0, 0), path)

    assert f"changed: {path}" in problems(case)


def test_an_edited_context_table_is_named(case):
    path = case.table_path("signins")
    pq.write_table(pq.read_table(path), path, compression="none")

    assert f"changed: {path}" in problems(case)


def test_a_part_that_nobody_derived_is_named(case):
    shutil.copy(case.events.paths[0], case.path / "events" / "more.parquet")

    assert "not derived by this tool" in problems(case)
    assert len(open_case(case.path).events) == len(case.events)


def test_an_edited_table_with_its_hash_put_right_leaves_the_manifest_named(case):
    path = case.events.paths[0]
    edit_table(path, "principal", "nobody")
    found = (case.path / "manifest.json").read_text("utf-8")
    old = case.manifest.tables[f"events/{path.name}"]
    (case.path / "manifest.json").write_text(found.replace(old, _seal.sha256_of(path)), "utf-8")

    assert f"changed: {case.path / 'manifest.json'}" in problems(case)


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "/elsewhere"},
        {"acquired": "2001-01-01T00:00:00Z"},
        {"modified": "2001-01-01T00:00:00Z"},
        {"note": "x"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_manifest_says_of_evidence_can_not_be_edited(case, changes):
    edit_manifest(case, **changes)

    found = problems(case)

    assert f"changed: {case.path / 'manifest.json'}" in found
    assert ("manifest and custody disagree" in found) is ("note" not in changes)


def test_an_edited_case_json_is_named(case):
    path = case.path / "case.json"
    path.write_text(path.read_text("utf-8").replace("Contoso", "Fabrikam"), "utf-8")

    assert f"changed: {path}" in problems(case)


def test_nothing_is_added_to_a_case_whose_manifest_was_edited(case):
    edit_manifest(case, origin="/elsewhere")

    for write in (lambda: ingest.add(case, [BLOBS[3]]), lambda: ingest.rebuild(case)):
        with pytest.raises(CaseError, match=r"manifest.json: changed since it was sealed"):
            write()


def test_an_edited_table_is_not_sealed_by_the_next_add_and_rebuild_mends_it(case):
    path = case.table_path("rejects")
    before = pq.read_table(path).num_rows
    pq.write_table(pq.read_table(path).slice(0, 0), path)

    with pytest.raises(CaseError, match="changed since it was sealed"):
        ingest.add(case, [BLOBS[3]])

    assert verify(ingest.rebuild(open_case(case.path))) == []
    assert pq.read_table(path).num_rows == before


def test_a_head_that_was_noted_shows_that_the_chain_was_cut(case):
    record_custody(case.path, "exported", {"rows": 1})
    noted = head(case.path)
    assert verify(case, head=noted[:12].upper()) == []
    log = case.path / "custody.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-2]))

    assert verify(open_case(case.path), log=False) == []
    (named,) = verify(open_case(case.path), head=noted)
    assert noted in named


@pytest.mark.parametrize("text", ["", "abc", "x" * 64, "0" * 65])
def test_a_head_is_a_hash(case, text):
    with pytest.raises(InputError, match="no head"):
        check(case, head=text)


def test_a_chain_that_does_not_begin_with_the_creation_is_named(case):
    (case.path / "custody.jsonl").write_bytes(b"")

    assert "does not begin with the case's creation" in problems(case)


def test_rebuild_refuses_evidence_that_changed(case):
    path = case.evidence_path(case.manifest.evidence[0])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"KeyGet", b"KeyPut"))

    with pytest.raises(EvidenceError, match="changed since it was acquired"):
        ingest.rebuild(case)


@pytest.mark.parametrize("member", [False, True])
def test_raw_refuses_evidence_that_changed(case, member):
    entry = next(e for e in case.manifest.evidence if (e.member is not None) is member and sum(e.fates.values()))
    events = case.events.df(["event_id", "evidence_id"])
    event_id = events.loc[events["evidence_id"] == entry.evidence_id, "event_id"].iloc[0]
    path = case.evidence_path(entry)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(EvidenceError, match="verify"):
        list(ingest.raw(case, event_id))


def test_evidence_in_place_that_changed_or_vanished_is_one_clear_line(tmp_path):
    log = tmp_path / "PT1H.json"
    shutil.copy(BLOBS[0], log)
    case = ingest.add(create_case(tmp_path / "case"), [log], in_place=True).case
    event_id = case.events.df(["event_id"])["event_id"][0]

    log.write_bytes(log.read_bytes().replace(b"KeyGet", b"KeyPut"))
    with pytest.raises(EvidenceError, match="changed since"):
        list(ingest.raw(case, event_id))
    log.unlink()
    with pytest.raises(EvidenceError, match="missing"):
        list(ingest.raw(case, event_id))
    longer = tmp_path / "longer" / "PT1H.json"
    longer.parent.mkdir()
    longer.write_bytes(BLOBS[0].read_bytes() + BLOBS[3].read_bytes())
    with pytest.raises(EvidenceError, match="missing"):
        ingest.add(case, [longer])  # its records can't be compared with what is gone


STEPS = ["text_of", "_put_in_place", "manifest", "custody"]


@pytest.mark.parametrize("step", STEPS)
def test_a_seal_that_was_cut_short_is_finished_or_undone_by_the_next_writer(case, monkeypatch, step):
    class Killed(BaseException):
        """The process is gone."""

    def die(*_):
        raise Killed

    if step == "text_of":
        monkeypatch.setattr(_seal, "text_of", die)
    elif step == "_put_in_place":
        monkeypatch.setattr(_seal, "_go_through", die)
    elif step == "manifest":
        real = _seal.replace_text
        monkeypatch.setattr(_seal, "replace_text", lambda p, t: die() if p.parent == case.path else real(p, t))
    else:
        monkeypatch.setattr(_seal, "record_custody", die)
    with pytest.raises(Killed):
        ingest.rebuild(case)
    monkeypatch.undo()

    assert "killed while it sealed" in problems(case)
    assert "changed" not in problems(case)
    added = ingest.add(open_case(case.path), [BLOBS[3]])
    assert verify(added.case) == []
    assert not (case.path / ".sealing").exists()


def test_a_case_of_before_the_seal_says_so_and_rebuild_seals_it(case):
    entries = [entry for entry, _ in read_custody(case.path) if entry["action"] in {"created", "added", "loaded"}]
    found = json.loads((case.path / "manifest.json").read_text("utf-8"))
    del found["tables"]
    (case.path / "manifest.json").write_text(json.dumps(found), "utf-8")
    (case.path / "custody.jsonl").unlink()
    for entry in entries:
        entry["detail"].pop("sha256", None) if entry["action"] == "created" else None
        record_custody(case.path, entry["action"], entry["detail"])

    old = check(open_case(case.path))
    assert old.problems == ()
    assert "not sealed" in old.remarks[0]
    rebuilt = check(ingest.rebuild(open_case(case.path)))
    assert (rebuilt.problems, rebuilt.remarks) == ((), ())
    assert rebuilt.tables == rebuilt.tables_whole > 3


def test_verify_prints_the_head_and_takes_it(case):
    told = CliRunner().invoke(cli, ["verify", str(case.path)], catch_exceptions=False)

    assert told.exit_code == 0
    assert f"head of the chain of custody: {head(case.path)}" in told.output
    again = CliRunner().invoke(cli, ["verify", str(case.path), "--head", head(case.path)], catch_exceptions=False)
    assert again.exit_code == 0


def test_verify_without_log_writes_nothing(case):
    before = {p: p.read_bytes() for p in case.path.rglob("*") if p.is_file()}

    assert CliRunner().invoke(cli, ["verify", str(case.path), "--no-log"], catch_exceptions=False).exit_code == 0

    assert {p: p.read_bytes() for p in case.path.rglob("*") if p.is_file()} == before


def test_the_report_is_red_where_the_verification_fails(case, tmp_path):
    path = case.evidence_path(case.manifest.evidence[0])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\n")

    page = report.write(case, tmp_path / "r.html").read_text("utf-8")

    assert '<span class="alarm"><a href="#evidence">FAILED: 1 claim' in page
    assert f"changed: {path}" in page
    assert any(f"changed: {path}" in p for p in json.loads(case.custody["detail"].iloc[-1])["problems"])


def test_looking_at_a_case_on_read_only_media_never_needs_to_write(healthy, read_only, tmp_path):
    case = read_only(healthy.path)
    event_id = healthy.events.df(["event_id"])["event_id"][0]
    before = {p: p.read_bytes() for p in case.rglob("*") if p.is_file()}
    asked = {
        "verify": [], "what-happened": ["--json"], "findings": [], "raw": [event_id], "report": ["-o", tmp_path / "r.html"],
        "export": ["--format", "events-csv", "-o", tmp_path / "e.csv"],
    }  # fmt: skip

    told = {
        word: CliRunner().invoke(cli, [word, str(case), *map(str, more)], catch_exceptions=False)
        for word, more in asked.items()
    }

    assert {word: done.exit_code for word, done in told.items()} == dict.fromkeys(asked, 0)
    assert all("is not in the chain of custody" in told[word].output for word in ("verify", "report", "export"))
    assert {p: p.read_bytes() for p in case.rglob("*") if p.is_file()} == before
    page = (tmp_path / "r.html").read_text("utf-8")
    assert head(case) in page
    assert "evidence files as acquired" in page
    assert 'class="alarm"' not in page


def test_adding_to_a_case_on_read_only_media_is_one_clear_line(healthy, read_only):
    case = open_case(read_only(healthy.path))

    with pytest.raises(CaseError, match="writable"):
        ingest.add(case, [BLOBS[3]])
