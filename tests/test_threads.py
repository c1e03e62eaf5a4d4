"""Threads of an `add`: whatever fails in one of them fails the run, nothing goes on behind it, and the next run finishes it."""

import errno
import threading
import time

import pytest

from mhsm_forensics import ingest, samples
from mhsm_forensics.case import create_case, open_case
from mhsm_forensics.derive import Reader, Stage, _writers
from mhsm_forensics.errors import CaseError
from mhsm_forensics.ingest import _parts


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Enough of a log for several parts."""
    folder = tmp_path_factory.mktemp("bulk") / "logs"
    samples.bulk(folder, megabytes=6, files=12, seed=3)
    return folder


@pytest.fixture(autouse=True)
def _by_threads(monkeypatch):
    monkeypatch.setattr(_parts, "FEW", 1 << 20)
    monkeypatch.setattr(_parts, "PART", 1 << 20)
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("mhsm")] == []


def parquet_below(case):
    return sorted(path.name for path in (case.path / "events").rglob("*.parquet"))


@pytest.fixture
def expected(logs, tmp_path):
    return ingest.add(create_case(tmp_path / "expected"), [logs], in_place=True).fates


def finish(case, logs, expected):
    """The next run takes up what the first left, and accounts for all of it."""
    ingest.add(case, [logs], in_place=True)
    case = open_case(case.path)
    assert ingest._publish.sum_fates(case.manifest.evidence) == expected
    assert len(case.events.df()) == expected["event"]


def test_what_fails_when_parquet_is_written_fails_the_run(tmp_path, logs, expected, monkeypatch):
    case, write = create_case(tmp_path / "case"), _writers.Writers.write

    def failing(writers, tables):
        if writers._name.endswith("00002"):
            raise RuntimeError("the last stage fails")
        write(writers, tables)

    with monkeypatch.context() as patch:
        patch.setattr(_writers.Writers, "write", failing)
        with pytest.raises(RuntimeError, match="the last stage fails"):
            ingest.add(case, [logs], in_place=True)

    assert parquet_below(case) == []
    finish(case, logs, expected)


def test_what_fails_when_lines_are_read_fails_the_run(tmp_path, logs, expected, monkeypatch):
    case, part = create_case(tmp_path / "case"), Reader.part

    def failing(reader, name, files):
        if name.endswith("00003"):
            raise RuntimeError("the first stage fails")
        return part(reader, name, files)

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "part", failing)
        with pytest.raises(RuntimeError, match="the first stage fails"):
            ingest.add(case, [logs], in_place=True)

    assert parquet_below(case) == []
    finish(case, logs, expected)


@pytest.mark.parametrize("calls", [1, 7, 14])
def test_ctrl_c_ends_the_threads_too(tmp_path, logs, expected, calls):
    case, told = create_case(tmp_path / "case"), []

    def interrupted(done, total):
        told.append(done)
        if len(told) == calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.add(case, [logs], in_place=True, progress=interrupted)

    assert parquet_below(case) == []
    finish(case, logs, expected)


def test_a_full_disk_is_one_clear_line_and_loses_nothing(small_disk, logs, expected):
    case = create_case(small_disk / "case")
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 2_600_000)

    with pytest.raises(CaseError, match="space"):
        ingest.add(case, [logs], in_place=True)

    assert parquet_below(case) == []
    filler.unlink()
    finish(case, logs, expected)


def test_a_disk_that_is_full_for_one_thread_is_full_for_the_run(tmp_path, logs, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_writers.Writers, "write", full)

    with pytest.raises(CaseError, match="No space left"):
        ingest.add(create_case(tmp_path / "case"), [logs], in_place=True)


def hand_over(stage, count, done):
    for number in range(count):
        stage.do(lambda number=number: (time.sleep(0.01), done.append(number)))


def test_a_stage_does_nothing_more_after_a_fault_and_keeps_nobody_waiting():
    stage, done = Stage(1), []

    stage.do(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hand_over(stage, 50, done)

    assert done == []
    with pytest.raises(ZeroDivisionError):
        stage.finish()


def test_a_stage_that_is_stopped_lets_what_waits_be():
    stage, done, begun = Stage(0), [], threading.Event()

    stage.do(lambda: (begun.set(), time.sleep(0.05)))
    for number in range(5):
        stage.do(lambda number=number: done.append(number))
    begun.wait()
    stage.stop()

    assert done == []
