"""What the tests share: the two samples as cases."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from building import SAMPLES

from mhsm_forensics import case, ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mhsm_forensics.case import Case


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The sample incident, as a case."""
    return _case(tmp_path_factory, "incident", SAMPLES / "incident" / "insights-logs-auditevent")


@pytest.fixture(scope="session")
def quiet_day(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The quiet day, as a case."""
    return _case(tmp_path_factory, "quiet-day", SAMPLES / "quiet-day")


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


def _case(folder: pytest.TempPathFactory, name: str, evidence: Path) -> Case:
    made = case.create_case(folder.mktemp("cases") / name)
    ingest.add(made, [evidence])
    return case.open_case(made.path)
