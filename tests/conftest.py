"""What the tests share: the samples as cases, the report of one, a browser, a JupyterLab.

A fixture of the session is made once for each worker, and a worker runs a file's tests all (`workers`). What takes long
to make and is the same for every worker is made `once` in a run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import workers
from browser import launched
from building import NOON, SAMPLES, copy_of
from filelock import FileLock

import mhsm_forensics as mf
from mhsm_forensics import case, ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd
    from lab import Lab
    from playwright.sync_api import Browser

    from mhsm_forensics.case import Case


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.ByFile:
    config.option.loadscopereorder = False  # by the number of tests, that is; ours is by what they take
    return workers.ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: workers.rank(item.nodeid))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """`once(name, make)`: the folder of that name, that the first worker to ask has had `make` fill."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if hasattr(request.config, "workerinput") else base) / "shared"
    shared.mkdir(exist_ok=True)

    def folder(name: str, make: Callable[[Path], Any]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / f"{name}.made").exists():
                make(shared / name)
                (shared / f"{name}.made").touch()
        return shared / name

    return folder


@pytest.fixture(scope="session")
def incident(once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """The sample incident, as a case; what is written into it are reports, and evidence is added to copies alone."""
    made = once("incident", lambda folder: _add(folder, SAMPLES / "incident" / "insights-logs-auditevent"))
    found = copy_of(case.open_case(made), tmp_path_factory.mktemp("incident") / "case")
    before = sorted((found.path / "evidence").iterdir())
    yield found
    assert sorted((found.path / "evidence").iterdir()) == before, "a copy that was not made to_add was added to"


@pytest.fixture(scope="session")
def listed(once: Callable[..., Path], incident: Case) -> Case:
    """The sample incident with the other logs and the lists around it; to read, by every worker."""

    def make(folder: Path) -> None:
        _add(copy_of(incident, folder).path, SAMPLES / "incident" / "context")

    return case.open_case(once("listed", make))


@pytest.fixture(scope="session")
def quiet_day(once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The quiet day, as a case."""
    made = once("quiet-day", lambda folder: _add(folder, SAMPLES / "quiet-day"))
    return copy_of(case.open_case(made), tmp_path_factory.mktemp("quiet-day") / "case")


@pytest.fixture(scope="session")
def findings(incident: Case) -> pd.DataFrame:
    """What the rules find in the sample incident, for tests that change nothing of it."""
    return mf.detect.run(incident)


@pytest.fixture(scope="session")
def written(once: Callable[..., Path], incident: Case) -> Path:
    """The report of the sample incident."""
    return once("report", lambda folder: _report(incident, folder)) / "report.html"


@pytest.fixture(scope="session")
def listed_report(once: Callable[..., Path], listed: Case) -> Path:
    """The report of the incident with the other logs and the lists around it."""
    return once("listed-report", lambda folder: _report(listed, folder)) / "report.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium for the tests of a file. It keeps an event loop running, so a session is too long for it."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab over every folder of the tests of this worker."""
    from lab import served  # which loads Jupyter's packages

    with served(tmp_path_factory.getbasetemp(), tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, and not a byte more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk can be mounted only as root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Put a copy of a folder on a disk that nobody can write: mounted so, or without permission where that can't be."""
    disk = tmp_path / "read-only"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True).returncode == 0

    def put(folder: Path) -> Path:
        shutil.copytree(folder, disk / folder.name)
        if mounted:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for path in () if mounted else (disk, *disk.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        if os.access(disk / folder.name, os.W_OK):
            pytest.skip("root can write everywhere here")
        return disk / folder.name

    yield put
    if mounted:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    for path in (disk, *disk.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def _add(folder: Path, evidence: Path) -> None:
    made = case.open_case(folder) if folder.exists() else case.create_case(folder)
    ingest.add(made, [evidence])


def _report(of: Case, folder: Path) -> None:
    mf.report.write(copy_of(of, folder), folder / "report.html", generated=NOON)
