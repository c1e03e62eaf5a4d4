"""What the tests share: the two samples as cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from building import SAMPLES

from mhsm_forensics import case, ingest

if TYPE_CHECKING:
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


def _case(folder: pytest.TempPathFactory, name: str, evidence: Path) -> Case:
    made = case.create_case(folder.mktemp("cases") / name)
    ingest.add(made, [evidence])
    return case.open_case(made.path)
