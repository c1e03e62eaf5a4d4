"""A log under some names, read and judged: findings, and what a person is shown of them."""

from __future__ import annotations

import contextlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .logs import LOGS
from .renaming import renamed
from .truth import Request, told

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Place = tuple[str, int]  # file and line of a record, which no other name changes

_SAMPLES = Path(__file__).parents[2] / "data-samples"
FOLDERS = {
    "incident": _SAMPLES / "incident" / "insights-logs-auditevent",
    "quiet-day": _SAMPLES / "quiet-day" / "insights-logs-auditevent",
    "damaged": _SAMPLES / "damaged",
}
# No log; URIs of hostile keys, which say other things than their operations; tables and bytes in which names are not replaced.
_LEFT_OUT = (
    "expected.json", "hostile-key-names.json", "utf-16.json", "azkv-audit-logs.json", "azure-diagnostics.json",
    "same-records-storage.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """What is found in a log, and what is shown of it; the events of a finding by their places."""

    findings: pd.DataFrame  # with a column `places`
    looked_for: pd.DataFrame
    shown: str = ""  # the overview on a terminal; of a whole case alone
    control: dict[str, int] | None = None  # control operations by object id, as the overview counts them


def names() -> list[str]:
    """Return the name of every log, in order: samples, small logs, scenarios."""
    from mhsm_forensics.samples import scenarios

    return [*FOLDERS, *(log.name for log in LOGS), *(one.name for one in scenarios())]


def files(name: str, seed: int) -> dict[str, bytes]:
    """Return a log under its true names, by file."""
    from mhsm_forensics.samples import scenarios

    if folder := FOLDERS.get(name):
        found = sorted(path for path in folder.rglob("*.json") if path.name not in _LEFT_OUT)
        return {f"{folder.name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in found}
    if small := next((log for log in LOGS if log.name == name), None):
        return {"small/PT1H.json": "\n".join(small.lines(seed)).encode()}
    week = next(one for one in scenarios() if one.name == name).week(seed)
    return {"": "\n".join(week.lines).encode()}


def truth(held: dict[str, bytes]) -> dict[Place, Request]:
    """Return what was really asked, by file and line."""
    return {
        (file, number): one
        for file, data in held.items()
        for number, one in told(data.decode("utf-8", "replace").split("\n")).items()
    }


def read(held: dict[str, bytes], rename: Callable[[str], str] = str) -> Read:
    """Read a log under other names: a scenario as a frame of events, the others as a case."""
    other = {file: renamed(data, rename) for file, data in held.items()}
    return _frame(other[""]) if "" in other else _case(other)


def _frame(data: bytes) -> Read:
    from detection import events_of

    from mhsm_forensics import detect

    events = events_of(data.decode().split("\n"))
    found = detect.run(events)
    places = {one: ("", int(line)) for one, line in zip(events["event_id"], events["source_line"], strict=True)}
    return Read(_placed(found, places), detect.looked_for(events, found))


def _case(held: dict[str, bytes]) -> Read:
    from mhsm_forensics import case, ingest
    from mhsm_forensics.overview import overview
    from mhsm_forensics.terminal import show_overview

    with tempfile.TemporaryDirectory(prefix="names-") as folder:
        for file, data in held.items():
            path = Path(folder) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        evidence = Path(folder) / next(iter(held)).split("/", 1)[0]
        made = ingest.add(case.create_case(Path(folder) / "case"), [evidence]).case
        rows = made.events.df(["event_id", "source_file", "source_line"])
        answer, shown = overview(made), io.StringIO()
        with contextlib.redirect_stdout(shown):
            show_overview(answer)
    places = {one.event_id: (one.source_file, int(one.source_line or 0)) for one in rows.itertuples()}
    people = answer.principals.dropna(subset=["object_id"])
    control = people.groupby("object_id")["control_events"].sum().to_dict()
    return Read(_placed(answer.findings, places), answer.looked_for, shown.getvalue(), control)


def _placed(found: pd.DataFrame, places: dict[str, Place]) -> pd.DataFrame:
    """Add the places of each finding's events; those of other logs have none."""
    own = [frozenset(places[one] for one in ids if one in places) for ids in found["event_ids"]]
    return found.assign(places=own)
