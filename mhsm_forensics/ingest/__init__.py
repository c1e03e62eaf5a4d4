"""Evidence into a case, and a case's events out of its evidence: the whole way, accounted and resumable.

Nothing counts before the manifest is replaced, in one step, at the end. A run that was killed leaves
evidence that the next run finishes and parts that it throws away.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from filelock import FileLock, Timeout

from ..case import (
    RESHAPED,
    Case,
    Evidence,
    PassedOver,
    create_case,
    finish_seal,
    open_case,
    place_of,
    record_custody,
    require_unchanged,
    reshape,
)
from ..errors import CaseError, EvidenceError, InputError
from ..evidence import Words, find, located, recover, slices
from ._adding import Adding, bare, said, unfinished
from ._parts import Parts, deriving
from ._publish import publish, sum_fates
from ._wishes import Wish, forget, noted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from ..evidence import Found
    from ._parts import Progress

__all__ = ["Added", "Parts", "add", "deriving", "load_events", "publish", "raw", "rebuild", "sample_case", "writing"]


@dataclass(frozen=True, slots=True)
class Added:
    """What an `add` did."""

    case: Case
    new: tuple[Evidence, ...] = ()
    known: tuple[str, ...] = ()  # files whose bytes the case had already
    passed_over: tuple[PassedOver, ...] = ()  # what is no evidence, and why
    resumed: tuple[str, ...] = ()  # paths of an earlier run that was interrupted
    replaced: int = 0  # events of before that have the values of a new record

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the files, and of members of archives, that are no log."""
        return tuple(other.name for other in self.passed_over if other.kind == "left out")

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
        Files and folders; compressed, and in archives; in any of the containers that audit logs come in.
    in_place
        Reference the files where they are instead of copying them; they are hashed all the same.
    dates
        Which of day and month stands first in these files, where they don't say it: ``day-first`` or ``month-first``.
    times_in
        The zone of times in these files that name none: ``UTC``, ``Europe/Amsterdam``.
    progress
        Called with the bytes that are accounted for, and those there are.

    Returns
    -------
    What was new, what the case had already and what is passed over. Evidence that the case has already, byte for byte
    and under whatever name, changes nothing, unless something else is said of its times: then all events are derived
    again.

    Raises
    ------
    EvidenceError
        A path does not exist, or nothing in any of them is evidence; nothing was added.
    CaseError
        The case can't be written, or another process is writing it; what was added before is kept.
    """
    wanted = Wish([Path(path) for path in paths], Words(dates, times_in), in_place=in_place)
    with writing(case) as case:
        with noted(case, wanted) as resumed:
            found = [(wish, find(wish.paths, apart=case.path)) for wish in (wanted, *resumed)]
            _refuse_nothing(wanted, found[0][1])
        adding, before = Adding(case), len(case.events)
        with deriving(case, progress) as parts:
            adding.all(found, parts)
            case = adding.counted(parts)
        forget(case)
    new = adding.new_in(case)
    return Added(
        case, new, tuple(adding.known), adding.passed_over, tuple(str(path) for wish in resumed for path in wish.paths),
        max(0, before + sum_fates(new)["event"] - len(case.events)),
    )  # fmt: skip


def _refuse_nothing(wanted: Wish, found: Found) -> None:
    """Raise where nothing that was handed over is evidence, with what is to be said of it."""
    if wanted.paths and not found.sources:  # none are named to finish what a collection took in
        raise EvidenceError.nothing_to_add(wanted.paths, found.passed_over)


def rebuild(
    case: Case, *, dates: str | None = None, times_in: str | None = None, progress: Progress | None = None
) -> Case:
    """Derive the events of a case again from its evidence; ids and accounting come out the same.

    Parameters
    ----------
    case
        The case.
    dates, times_in
        What to say of the times in all evidence from now on, as `add` takes it.
    progress
        Called with the bytes that are accounted for, and those there are.

    Raises
    ------
    EvidenceError
        Evidence is missing or changed; nothing was changed.
    """
    words = Words(dates, times_in)
    with writing(case, of_before=True) as case:
        require_unchanged(case, case.manifest.evidence)
        if words:
            case = said(case, words, {entry.evidence_id for entry in case.manifest.evidence})
        case = bare(case)
        with deriving(case, progress) as parts:
            parts.expect(sum(entry.size for entry in case.manifest.evidence))
            parts.take(unfinished(case))
            return reshaped(publish(case, parts))


def reshaped(case: Case) -> Case:
    """Say of a case of before that it has the present shape now."""
    if not case.is_of_before:
        return case
    record_custody(case.path, RESHAPED, reshape(case.path))
    return open_case(case.path)


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
    The events table (`docs/schema.md`), one row per event, in the order of time, however many records say it.
    ``attrs["accounting"]`` has the lines by fate; ``attrs["rejects"]`` how many lines were rejected for which reason.

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
        frame.attrs["rejects"] = added.case.rejects["reason"].value_counts().to_dict()
    return frame


def raw(case: Case, event_id: str) -> Iterator[bytes]:
    """Yield the bytes of a record as they stand in the evidence: of an event, another witness of one, a reject, any other.

    Raises
    ------
    InputError
        The case has no such record.
    EvidenceError
        The evidence is missing or changed since it was acquired, or the record has no place of its own in it.
    """
    found = place_of(case, event_id)
    if found is None:
        raise InputError.no_such_event(event_id)
    entry = next((e for e in case.manifest.evidence if e.evidence_id == found["evidence_id"]), None)
    offset, length = (found[name] for name in ("source_offset", "source_length"))
    if entry is None or offset is None or length is None:
        raise EvidenceError(f"{event_id!r}: has no place of its own in the evidence. Hint: verify the case.")
    require_unchanged(case, [entry])
    (entry,) = located(case, (entry,))
    place = (max(int(offset), 0), max(int(length), 0))
    yield from slices(case.evidence_path(entry), entry.position, [place])


@contextmanager
def writing(case: Case, *, of_before: bool = False) -> Iterator[Case]:
    """Hold the case's lock, with what an earlier run left finished or thrown away.

    Raises
    ------
    CaseError
        Another process holds it, the case can't be written, or it has the shape of an earlier version and *of_before* does
        not say that this is right.
    """
    try:
        with FileLock(case.path / ".lock", timeout=0):
            if open_case(case.path).is_of_before and not of_before:
                raise CaseError.of_before(case.path)
            finish_seal(open_case(case.path).path)
            for leftover in ("events/.staging", ".scratch"):
                shutil.rmtree(case.path / leftover, ignore_errors=True)
            recover(open_case(case.path))  # the caller's case may be older than the folder
            yield open_case(case.path)
    except Timeout:
        raise CaseError(f"{case.path}: another process is writing this case. Hint: wait until it ends.") from None
    except (OSError, pa.ArrowException) as problem:
        raise CaseError.unwritable(case.path, _as_os_error(problem)) from problem


def _as_os_error(problem: Exception) -> OSError:
    return problem if isinstance(problem, OSError) else OSError(str(problem))
