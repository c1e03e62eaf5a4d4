"""What was handed over is evidence, or is passed over with the reason; nothing is skipped in silence."""

import gzip
import json
import os
import shutil
import socket
import stat
import tarfile
from dataclasses import asdict

import pytest
from packing import encrypted, line, special, tarred, zipped

from mhsm_forensics import ingest
from mhsm_forensics.case import create_case, open_case, read_custody, record_custody
from mhsm_forensics.errors import CaseError, EvidenceError
from mhsm_forensics.evidence import find

JUNK = [("__MACOSX/._PT1H.json", b"\0\5\26\7com.apple"), (".DS_Store", b"\0\0\0\1Bud1"), ("note.txt", b"call the bank"),
        ("photo.png", b"\x89PNG")]  # fmt: skip


def told(others):
    return [(other.name, other.kind, other.reason) for other in others]


def names(found):
    return [source.relative for source in found.sources]


@pytest.fixture
def case(tmp_path):
    return create_case(tmp_path / "case")


@pytest.fixture
def logs(tmp_path):
    """A folder, written to by path."""

    def run(files, name="in"):
        for path, data in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return tmp_path / name

    return run


def test_logs_in_hidden_files_and_folders_are_taken(logs):
    folder = logs({".hidden.json": line(1), ".git/x.json": line(2), "PT1H.json": b""})

    assert names(find([folder])) == ["in/.git/x.json", "in/.hidden.json", "in/PT1H.json"]


def test_junk_is_left_out_of_an_archive_as_of_a_folder(case, logs, tmp_path):
    folder = logs({**dict(JUNK), "PT1H.json": line(1)})
    (tmp_path / "in.zip").write_bytes(zipped([*JUNK, ("PT1H.json", line(2))]))

    added = ingest.add(case, [folder, tmp_path / "in.zip"])

    inside = {name for name, _ in JUNK}
    assert {other.name for other in added.passed_over} == {f"in/{n}" for n in inside} | {f"in.zip!{n}" for n in inside}
    assert {(other.kind, other.reason) for other in added.passed_over} == {("left out", "no audit log")}
    assert added.fates == {"event": 2, "witness": 0, "duplicate": 0, "out_of_scope": 0, "blank": 0, "reject": 0}
    assert open_case(case.path).manifest.passed_over == added.passed_over


def test_what_is_passed_over_is_in_the_chain_of_custody_once(case, logs):
    folder = logs({"PT1H.json": line(1), "note.txt": b"x"})
    ingest.add(case, [folder])

    again = ingest.add(case, [folder])

    (entry,) = [entry for entry, _ in read_custody(case.path) if entry["action"] == "passed over"]
    assert (entry["detail"]["count"], entry["detail"]["first"][0]["name"]) == (1, "in/note.txt")
    assert told(again.passed_over) == [("in/note.txt", "left out", "no audit log")]
    assert len(again.case.manifest.passed_over) == 1


def test_links_are_followed_or_named_and_nothing_is_read_twice(logs, tmp_path):
    logs({"PT1H.json": line(1)}, "outside")
    folder = logs({"a/PT1H.json": line(2)})
    for name, target in {"elsewhere": tmp_path / "outside", "twice": folder / "a", "loop": folder, "up": tmp_path,
                         "broken": tmp_path / "nowhere", "self": folder / "self"}.items():  # fmt: skip
        (folder / name).symlink_to(target)

    found = find([folder])

    assert names(found) == ["in/a/PT1H.json", "in/elsewhere/PT1H.json"]
    assert {(other.name, other.kind) for other in found.passed_over} == {
        ("in/twice", "left out"), ("in/loop", "left out"), ("in/up", "left out"), ("in/broken", "unreadable"),
        ("in/self", "unreadable"),
    }  # fmt: skip


def test_pipes_and_sockets_are_named_and_never_opened(logs, monkeypatch):
    folder = logs({"PT1H.json": line(1)})
    os.mkfifo(folder / "pipe.json")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind("socket.json")
        found = find([folder])

    assert {(other.name, other.reason) for other in found.passed_over} == {
        ("in/pipe.json", "a named pipe"), ("in/socket.json", "a socket"),
    }  # fmt: skip


def test_what_may_not_be_read_is_called_unreadable(logs, monkeypatch):
    folder = logs({"a/PT1H.json": line(1), "b/PT1H.json": line(2), "c/x.json": line(3)})
    real_open, real_scan = os.open, os.scandir

    def refuse(path, real, *rest):
        if str(path).endswith(("/b", "x.json")):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest)

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path, real_scan))
    monkeypatch.setattr("io.open", lambda path, *rest, **named: refuse(path, open, *rest))
    monkeypatch.setattr(os, "open", lambda path, *rest: refuse(path, real_open, *rest))

    found = find([folder])

    assert names(found) == ["in/a/PT1H.json"]
    assert [(other.name, other.kind, other.reason) for other in found.passed_over] == [
        ("in/b", "unreadable", "permission denied"), ("in/c/x.json", "unreadable", "permission denied"),
    ]  # fmt: skip


@pytest.fixture
def deep(tmp_path):
    """A log below 1,200 folders; they are taken away one by one, for nothing that calls itself could."""
    folders = [tmp_path / "deep"]
    for _ in range(1200):
        folders.append(folders[-1] / "d")
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "PT1H.json").write_bytes(line(1))
    yield folders[-1]
    (folders[-1] / "PT1H.json").unlink()
    for folder in reversed(folders):
        folder.rmdir()


def test_folders_may_be_nested_deeper_than_functions(case, deep, tmp_path):
    added = ingest.add(case, [tmp_path / "deep"])

    assert added.fates["event"] == 1
    assert added.new[0].origin == str(deep / "PT1H.json")
    assert added.new[0].path.startswith("long-names/")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"note.txt": b"x"}, "no Managed HSM audit log among 1 file"),
        (
            {"book.xlsx": zipped([("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")])},
            "Excel workbook.* CSV",
        ),
        ({"logs.7z": b"7z\xbc\xaf\x27\x1c" + bytes(90)}, "logs.7z .a 7z archive"),
        ({"in.zip": zipped([("logs.7z", b"7z\xbc\xaf\x27\x1c" + bytes(90)), ("photo.png", b"PNG")])}, "in.zip!logs.7z"),
    ],
    ids=["a note", "Excel", "7z", "7z in zip"],
)
def test_where_nothing_is_evidence_the_error_says_what_it_is(case, logs, files, said):
    with pytest.raises(EvidenceError, match=said) as caught:
        ingest.add(case, [logs(files)])

    named = {other.kind for other in caught.value.passed_over}  # where all are left out, the error has said it
    assert ("refused" in named) == ("note.txt" not in files)
    assert open_case(case.path).manifest.evidence == ()


def test_what_is_refused_does_not_keep_the_rest_out(case, logs, tmp_path):
    (tmp_path / "empty").mkdir()
    added = ingest.add(case, [logs({"PT1H.json": line(1), "logs.7z": b"7z\xbc\xaf\x27\x1c"}), tmp_path / "empty"])

    assert [(other.name, other.kind) for other in added.passed_over] == [
        ("in/logs.7z", "refused"),
        ("empty", "left out"),
    ]
    assert added.fates["event"] == 1


def test_members_of_one_name_are_as_many_as_they_are(case, tmp_path):
    (tmp_path / "day.zip").write_bytes(zipped([("PT1H.json", line(hour)) for hour in range(24)]))

    added = ingest.add(case, [tmp_path / "day.zip"])

    assert added.fates["event"] == 24
    assert [entry.position for entry in added.new[1:]] == [(hour,) for hour in range(24)]
    assert len({entry.evidence_id for entry in added.new}) == 25
    event = added.case.events.df().set_index("correlation_id").loc["c3", "event_id"]
    assert b"".join(ingest.raw(added.case, event)) == line(3).strip()


def test_what_cannot_be_read_is_one_reject_a_member_and_no_duplicate(case, tmp_path):
    archive = zipped([(f"{n}/PT1H.json", line(1)) for n in range(3)] + [("photo.png", b"PNG"), ("PT1H.json", b"")])
    (tmp_path / "l.zip").write_bytes(encrypted(archive, "0/PT1H.json", "1/PT1H.json", "photo.png"))

    added = ingest.add(case, [tmp_path / "l.zip"])

    assert added.fates == {"event": 1, "witness": 0, "duplicate": 0, "out_of_scope": 0, "blank": 0, "reject": 2}
    assert [entry.unreadable for entry in added.new] == [None, "encrypted", "encrypted", None, None]
    assert len({entry.evidence_id for entry in added.new}) == 5
    assert told(added.passed_over) == [("l.zip!photo.png", "unreadable", "encrypted")]
    assert ingest.add(added.case, [tmp_path / "l.zip"]).new == ()


def test_an_archive_that_is_damaged_where_no_member_shows_it_is_a_reject(case, tmp_path):
    archive = zipped([("PT1H.json", line(1))])
    (tmp_path / "l.zip").write_bytes(archive[: archive.index(b"PK\1\2")])

    added = ingest.add(case, [tmp_path / "l.zip"])

    assert [(entry.member, entry.unreadable) for entry in added.new] == [
        (None, "its directory is missing or damaged"), ("PT1H.json", None),
    ]  # fmt: skip
    assert (added.fates["event"], added.fates["reject"]) == (1, 1)


def test_the_same_bytes_twice_in_an_archive_are_duplicates(case, tmp_path):
    (tmp_path / "l.tar").write_bytes(tarred([("a/PT1H.json", line(1)), ("b/PT1H.json", line(1))]))

    added = ingest.add(case, [tmp_path / "l.tar"])

    assert (added.fates["event"], added.fates["duplicate"]) == (1, 1)


def test_rebuild_finds_every_member_again(case, tmp_path):
    inner = tarred([("PT1H.json", line(n)) for n in range(4)])
    (tmp_path / "l.zip").write_bytes(zipped([("x.tar.gz", gzip.compress(inner)), ("PT1H.json", line(9))]))
    case = ingest.add(case, [tmp_path / "l.zip"]).case

    before = set(case.events.df()["event_id"])

    rebuilt = ingest.rebuild(case)

    assert set(rebuilt.events.df()["event_id"]) == before
    assert rebuilt.manifest.evidence == case.manifest.evidence


def test_members_that_an_earlier_version_knew_by_name_are_found(case, tmp_path):
    (tmp_path / "l.zip").write_bytes(zipped([("b.json", line(1)), ("a.json", line(2) + line(3))]))
    made = ingest.add(create_case(tmp_path / "new"), [tmp_path / "l.zip"]).case
    for entry in made.manifest.evidence:
        old = {
            k: v for k, v in asdict(entry).items() if k not in ("position", "form", "unreadable", "dates", "times_in")
        }
        record_custody(case.path, "added", old | {"evidence_id": entry.sha256[:12]})
    shutil.copy(tmp_path / "l.zip", case.path / "evidence" / "l.zip")

    rebuilt = ingest.rebuild(open_case(case.path))

    assert [(entry.member, entry.position) for entry in rebuilt.manifest.evidence] == [
        (None, ()), ("b.json", (0,)), ("a.json", (1,)),
    ]  # fmt: skip
    assert rebuilt.accounting["event"].iloc[0] == 3


def test_evidence_never_leaves_its_folder(case, logs, tmp_path):
    archive = tarred([("../../../escaped.json", line(1)), ("/tmp/escaped.json", line(2))]) + special(
        "d", tarfile.SYMTYPE, "/etc"
    )
    added = ingest.add(case, [logs({"a\nb\x1b[31m.json": line(3), "l.tar": archive}, ".incoming")])

    assert added.fates["event"] == 3
    assert {path.relative_to(case.path).parts[0] for path in case.path.rglob("*.json")} <= {
        "evidence", "case.json", "manifest.json",
    }  # fmt: skip
    assert {stat.S_IMODE(p.stat().st_mode) & 0o222 for p in (case.path / "evidence" / "incoming").iterdir()} == {0}
    assert [other.reason for other in added.passed_over] == ["a link to /etc"]


def test_a_file_may_have_the_name_of_a_folder(case, logs, tmp_path):
    ingest.add(case, [logs({"logs": line(1)}, "one") / "logs"])

    added = ingest.add(open_case(case.path), [logs({"PT1H.json": line(2)}, "logs")])

    assert added.fates["event"] == 1


def test_a_name_that_is_no_text_is_kept_as_far_as_it_is(case, logs):
    folder = logs({"PT1H.json": line(1)})
    (folder / "PT1H.json").rename(folder / os.fsdecode(b"a\xff.json"))

    added = ingest.add(case, [folder])

    assert added.new[0].path == "in/a\ufffd.json"
    json.dumps(added.new[0].origin).encode()


def test_the_case_itself_is_not_looked_into(tmp_path):
    case = create_case(tmp_path / "logs" / "case")
    (tmp_path / "logs" / "PT1H.json").write_bytes(line(1))

    added = ingest.add(case, [tmp_path / "logs"])

    assert told(added.passed_over) == [("logs/case", "left out", "this case itself")]


def test_what_is_said_of_times_is_kept_and_read_again_when_it_changes(case, logs):
    folder = logs({"PT1H.json": line(1)})
    (tmp := folder.parent / "l.zip").write_bytes(zipped([("x.json", line(2))]))
    ingest.add(case, [folder, tmp], dates="day-first")

    added = ingest.add(open_case(case.path), [tmp], times_in="Europe/Amsterdam")

    assert [(e.dates, e.times_in) for e in added.case.manifest.evidence] == [
        ("day-first", None), ("day-first", "Europe/Amsterdam"), ("day-first", "Europe/Amsterdam"),
    ]  # fmt: skip
    assert added.case.accounting["event"].iloc[0] == len(added.case.events) == 2
    assert [entry["detail"]["count"] for entry, _ in read_custody(case.path) if entry["action"] == "said of times"] == [
        2
    ]
    again = ingest.rebuild(added.case, dates="month-first")
    assert {entry.dates for entry in again.manifest.evidence} == {"month-first"}


def test_an_interrupted_run_goes_on_as_it_was_meant(case, logs):
    big, small = logs({"PT1H.json": line(1)}, "big"), logs({"PT1H.json": line(2)}, "small")
    note = {"paths": [str(big)], "in_place": True, "dates": "day-first"}
    (case.path / ".adding.json").write_text(json.dumps({"adding": [note]}), "utf-8")

    added = ingest.add(case, [small])

    assert added.resumed == (str(big),)
    assert [(entry.in_place, entry.dates) for entry in added.new] == [(False, None), (True, "day-first")]
    assert not (case.path / ".adding.json").exists()


def test_a_damaged_note_of_an_interrupted_run_is_one_clear_line(case, logs):
    (case.path / ".adding.json").write_text("garbage", "utf-8")

    with pytest.raises(CaseError, match="delete"):
        ingest.add(case, [logs({"PT1H.json": line(1)})])
