"""Evidence into a case, and a case's events out of its evidence: the whole way, accounted and resumable.

Nothing counts before the manifest is replaced, in one step, at the end. A run that was killed leaves
evidence that the next run finishes and parts that it throws away.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout

from .. import engine, schema
from ..case import (
    Case,
    Evidence,
    Manifest,
    PassedOver,
    create_case,
    open_case,
    record_custody,
    replace_text,
    write_manifest,
)
from ..errors import CaseError, EvidenceError, InputError
from ..evidence import Source, acquire, find, recover, slices
from ._parts import Parts, deriving
from ._settle import settle, sum_fates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from ._parts import Progress

__all__ = ["Added", "Parts", "add", "deriving", "load_events", "raw", "rebuild", "sample_case", "settle", "writing"]


@dataclass(frozen=True, slots=True)
class Added:
    """What an `add` did."""

    case: Case
    new: tuple[Evidence, ...] = ()
    known: tuple[str, ...] = ()  # files whose bytes the case had already
    left_out: tuple[str, ...] = ()  # files that are no log
    passed_over: tuple[PassedOver, ...] = ()  # the same, and what could not be read, with the reason
    resumed: tuple[str, ...] = ()  # paths of an earlier run that was interrupted

    @property
    def fates(self) -> dict[str, int]:
        """Lines of the new evidence by fate."""
        return sum_fates(self.new)


def add(
    case: Case,
    paths: Iterable[Path | str],
    *,
    in_place: bool = False,
    dates: str | None = None,
    times_in: str | None = None,
    progress: Progress | None = None,
) -> Added:
    """Take files and folders into a case as evidence, and derive their events.

    Parameters
    ----------
    case
        The case.
    paths
        Files, folders, ``.gz`` and ``.zip``; in any of the containers that audit logs come in.
    in_place
        Reference the files where they are instead of copying them; they are hashed all the same.
    dates
        What is known of dates that could be read two ways: ``day-first`` or ``month-first``.
    times_in
        The zone that times without one are in: an IANA name, or an offset such as ``+01:00``.
    progress
        Called with the bytes that are accounted for, and those there are.

    Returns
    -------
    What was new, what the case had already and what is no log. Evidence that the case has already, byte
    for byte and under whatever name, changes nothing.

    Raises
    ------
    EvidenceError
        A path does not exist or holds no audit log; nothing was added.
    CaseError
        The case can't be written, or another process is writing it; what was added before is kept.
    """
    wanted = [Path(path) for path in paths]
    with writing(case) as case:
        resumed = _interrupted(case, wanted)
        with _noted(case, [*wanted, *resumed], in_place=in_place):
            found = find(wanted)
        sources = found.sources + (find(resumed).sources if resumed else ())
        unfinished = [entry for entry in case.manifest.evidence if entry.fates is None]
        total = sum(source.path.stat().st_size for source in sources) + sum(entry.size for entry in unfinished)
        with deriving(case, progress) as parts:
            parts.expect(total)
            parts.take(unfinished)
            new, had = _acquire(case, sources, parts, in_place=in_place, dates=dates, times_in=times_in)
            if new:
                write_manifest(case.path, replace(case.manifest, evidence=(*case.manifest.evidence, *new)))
            if parts.any:
                case = settle(open_case(case.path), parts)
        (case.path / ".adding.json").unlink(missing_ok=True)
    ids = {entry.evidence_id for entry in [*unfinished, *new]}
    passed = tuple(PassedOver(name, "left out", "no audit log", name) for name in found.left_out)
    return Added(case, tuple(e for e in case.manifest.evidence if e.evidence_id in ids), tuple(had), found.left_out,
                 passed, tuple(map(str, resumed)))  # fmt: skip


def _acquire(
    case: Case, sources: Iterable[Source], parts: Parts, *, in_place: bool, dates: str | None, times_in: str | None
) -> tuple[list[Evidence], list[str]]:
    """Take files into the case while earlier ones are already read; returns what is new, and what is not."""
    known = {entry.sha256: entry for entry in case.manifest.evidence}
    new: list[Evidence] = []
    had: list[str] = []
    for source in sources:
        entries = acquire(case, source, known, in_place=in_place, dates=dates, times_in=times_in)
        parts.take(entry for entry in entries if entry.fates is None)
        new += entries
        had += [] if entries else [source.relative]
    return new, had


def rebuild(
    case: Case, *, dates: str | None = None, times_in: str | None = None, progress: Progress | None = None
) -> Case:
    """Derive the events of a case again from its evidence; ids and accounting come out the same.

    Parameters
    ----------
    case
        The case.
    dates, times_in
        As for `add`, of all evidence; what was said before holds where nothing is said now.
    progress
        Called with the bytes that are accounted for, and those there are.

    Raises
    ------
    EvidenceError
        Evidence is missing; nothing was changed.
    """
    with writing(case) as case:
        for entry in case.manifest.evidence:
            if not case.evidence_path(entry).is_file():
                raise EvidenceError(
                    f"{case.evidence_path(entry)}: evidence is missing. Hint: verify names all that is."
                )
        archives = {entry.path for entry in case.manifest.evidence if entry.member is not None}
        bare = tuple(
            entry
            if entry.member is None and entry.path in archives
            else replace(entry, fates=None, dates=dates or entry.dates, times_in=times_in or entry.times_in)
            for entry in case.manifest.evidence
        )
        case = replace(case, manifest=Manifest(bare))
        if dates or times_in:
            record_custody(case.path, "rebuilt", {"dates": dates, "times_in": times_in})
        with deriving(case, progress) as parts:
            parts.expect(sum(entry.size for entry in bare))
            parts.take(entry for entry in bare if entry.fates is None)
            return settle(case, parts)


def sample_case(path: Path | str = "cases/demo") -> Case:
    """Return a case of the sample incident and of what stands around it, made in *path* unless it is there."""
    folder = Path(path)
    if (folder / "case.json").exists():
        return open_case(folder)
    from .. import samples

    case = create_case(folder, name="Sample incident", display_zone="Europe/Amsterdam")
    with tempfile.TemporaryDirectory(prefix="mhsm-") as made:
        incident = Path(__file__).parents[2] / "data-samples" / "incident"
        if not incident.is_dir():  # installed without the samples: they are the same to the byte when made anew
            samples.write(Path(made))
            incident = Path(made) / "incident"
        return add(case, [incident / "insights-logs-auditevent", incident / "context"]).case


def load_events(paths: Path | str | Iterable[Path | str]) -> pd.DataFrame:
    """Return the events in some files as a DataFrame, without making a case.

    Returns
    -------
    The events table (`docs/schema.md`), one row per event, in the order of time. ``attrs["accounting"]``
    has the lines by fate; ``attrs["rejects"]`` how many lines were rejected for which reason; ``attrs["copies"]`` how
    many records came by another route before, and are no rows here.

    Raises
    ------
    EvidenceError
        A path does not exist or holds no audit log.
    """
    wanted = [paths] if isinstance(paths, (str, Path)) else list(paths)
    with tempfile.TemporaryDirectory(prefix="mhsm-") as folder:
        added = add(create_case(Path(folder) / "case"), wanted, in_place=True)
        frame = added.case.events.df()
        frame.attrs["accounting"] = added.fates
        frame.attrs["copies"] = len(added.case.copies)
        frame.attrs["rejects"] = added.case.rejects["reason"].value_counts().to_dict()
    return frame


def raw(case: Case, event_id: str) -> Iterator[bytes]:
    """Yield the bytes of a record, or of a reject or duplicate, as they stand in the evidence.

    Raises
    ------
    InputError
        The case has no such record.
    """
    columns = ["evidence_id", "source_offset", "source_length"]
    text = f"SELECT {', '.join(columns)} FROM {{}} WHERE event_id = :id"
    places = engine.run(case.events, f"{text.format('events')} UNION ALL {text.format('copies')}", id=event_id)
    tables = (case.derived(name, kind) for name, kind in _ASIDE.items())
    found = places.to_dict("records") or [
        row
        for table in tables
        for row in table.filter(pc.equal(table["event_id"], event_id)).select(columns).to_pylist()
    ]
    if not found:
        raise InputError.no_such_event(event_id)
    entry = next(e for e in case.manifest.evidence if e.evidence_id == found[0]["evidence_id"])
    place = (int(found[0]["source_offset"]), int(found[0]["source_length"]))
    yield from slices(case.evidence_path(entry), entry.member, [place])


_ASIDE = {"rejects": schema.REJECTS, "duplicates": schema.DUPLICATES, "out_of_scope": schema.EVENTS, **schema.CONTEXT}


@contextmanager
def writing(case: Case) -> Iterator[Case]:
    """Hold the case's lock, with what an earlier run left finished or thrown away.

    Raises
    ------
    CaseError
        Another process holds it, or the case can't be written.
    """
    try:
        with FileLock(case.path / ".lock", timeout=0):
            for leftover in ("events/.staging", ".scratch"):
                shutil.rmtree(case.path / leftover, ignore_errors=True)
            recover(open_case(case.path))  # the caller's case may be older than the folder
            yield open_case(case.path)
    except Timeout:
        raise CaseError(f"{case.path}: another process is writing this case. Hint: wait until it ends.") from None
    except (OSError, pa.ArrowException) as problem:
        raise CaseError.unwritable(case.path, _as_os_error(problem)) from problem


@contextmanager
def _noted(case: Case, paths: list[Path], *, in_place: bool) -> Iterator[None]:
    """Note what is about to be added, so that the next run can finish it; not if a path is wrong."""
    note = case.path / ".adding.json"
    before = note.read_text("utf-8") if note.exists() else None
    replace_text(note, json.dumps({"paths": [str(path.resolve()) for path in paths], "in_place": in_place}))
    try:
        yield
    except EvidenceError:
        note.unlink() if before is None else replace_text(note, before)
        raise


def _interrupted(case: Case, wanted: list[Path]) -> list[Path]:
    """Paths of a run that never came to its end, those that still hold logs."""
    note = case.path / ".adding.json"
    if not note.exists():
        return []
    named = {path.resolve() for path in wanted}
    paths = [Path(path) for path in json.loads(note.read_text("utf-8"))["paths"]]
    return [path for path in paths if path not in named and _holds_logs(path)]


def _holds_logs(path: Path) -> bool:
    try:
        return bool(find([path]).sources)
    except EvidenceError:
        return False


def _as_os_error(problem: Exception) -> OSError:
    return problem if isinstance(problem, OSError) else OSError(str(problem))
