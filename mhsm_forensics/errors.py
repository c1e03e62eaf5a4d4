"""Every error this package raises on purpose.

* ForensicsError
  - EvidenceError   a path holds no audit log, or evidence is missing or changed
  - CaseError       a case folder can't be created, opened or written
  - InputError      a value a person typed can't be used (a time, a name, an event id)
  - SchemaError     a frame lacks the columns that a question needs

Each message names the thing, the place and the way out on one line: the command line prints it
and exits with 1.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ForensicsError(Exception):
    """Base class: catch this to catch us."""


class EvidenceError(ForensicsError):
    """An evidence file is missing, changed, or no audit log."""

    passed_over: tuple[Any, ...] = ()  # what was handed over and is no evidence, each with the reason

    @classmethod
    def no_such_path(cls, path: Path) -> Self:
        """Say that *path* is not there."""
        return cls(f"{path}: no such file or folder. Hint: check the spelling; quote paths that contain spaces.")

    @classmethod
    def nothing_to_add(cls, paths: Sequence[Path], passed_over: Sequence[Any]) -> Self:
        """Say that nothing in some paths is evidence: what can't be read, or is not, before what is no log."""
        telling = [other for other in passed_over if other.kind != "left out"]
        where = ", ".join(map(str, paths))
        if not telling:
            is_empty = len(paths) == len(passed_over) == 1 and paths[0].is_dir() and not any(paths[0].iterdir())
            return cls.empty_folder(paths[0]) if is_empty else cls.no_audit_logs(where, len(passed_over))
        first = telling[0]
        more = f", and {len(telling) - 1:,} more" if len(telling) > 1 else ""
        hint = first.hint or "look at it with another tool, or ask for another copy"
        problem = cls(f"{where}: nothing was added; not read: {first.name} ({first.reason}){more}. Hint: {hint}.")
        problem.passed_over = tuple(passed_over)
        return problem

    @classmethod
    def empty_folder(cls, path: Path) -> Self:
        """Say that *path* is a folder without a file."""
        return cls(f"{path}: the folder is empty. Hint: name the folder that holds the PT1H.json files.")

    @classmethod
    def missing(cls, path: Path) -> Self:
        """Say that evidence is not where it was."""
        return cls(f"{path}: evidence is missing. Hint: 'mhsm-forensics verify' names all that is; put it back.")

    @classmethod
    def changed(cls, path: Path) -> Self:
        """Say that evidence is not as it was acquired."""
        return cls(
            f"{path}: changed since it was acquired; nothing was read. Hint: 'mhsm-forensics verify' names all that "
            "changed; restore it from its origin."
        )

    @classmethod
    def no_audit_logs(cls, path: Path | str, files: int) -> Self:
        """Say that nothing below *path* looks like an audit log."""
        return cls(
            f"{path}: no Managed HSM audit log among {files:,} file{'s' if files != 1 else ''}; nothing was added. "
            "Hint: expected PT1H.json files, or rows exported from Log Analytics as CSV or JSON; "
            "or what stands around them (docs/collecting-context.md, docs/known.md)."
        )


class CaseError(ForensicsError):
    """A case folder can't be created, opened or written."""

    @classmethod
    def not_a_case(cls, path: Path) -> Self:
        """Say that *path* holds no case."""
        return cls(f"{path}: not a case folder (no case.json). Hint: 'mhsm-forensics add {path} LOGS…' makes one.")

    @classmethod
    def not_empty(cls, path: Path) -> Self:
        """Say that a case would be made among other files."""
        return cls(
            f"{path}: holds files and is no case; nothing was changed. Hint: a case is a new or an empty folder, and comes "
            "first: mhsm-forensics add CASE LOGS."
        )

    @classmethod
    def swapped(cls, logs: Path, case: Path) -> Self:
        """Say that the case was named where the logs belong."""
        return cls(
            f"{logs}: no case, and {case} is where the case belongs; nothing was changed. Hint: the case comes first: "
            f"mhsm-forensics add {case} {logs}"
        )

    @classmethod
    def no_logs(cls, path: Path) -> Self:
        """Say that a case was named where the logs belong."""
        return cls(
            f"{path}: a case, and no logs; nothing was changed. Hint: the case comes first: "
            f"mhsm-forensics add {path} LOGS; to take its evidence into another case, name {path / 'evidence'}"
        )

    @classmethod
    def of_before(cls, path: Path) -> Self:
        """Say that a case has to be brought to the present shape first."""
        return cls(
            f"{path}: an earlier version made this case; nothing was changed. Hint: mhsm-forensics rebuild {path}"
        )

    @classmethod
    def damaged(cls, path: Path, what: str) -> Self:
        """Say that a file of the case can't be read as what it is."""
        return cls(
            f"{path}: can't be read ({what}). Hint: 'mhsm-forensics verify' names what changed; restore it from a copy."
        )

    @classmethod
    def damaged_table(cls, path: Path, what: str) -> Self:
        """Say that a derived table is not what it should be."""
        return cls(
            f"{path}: can't be read ({what}). Hint: 'mhsm-forensics rebuild' derives it again from the evidence."
        )

    @classmethod
    def leads_out(cls, paths: list[Path]) -> Self:
        """Say that something stands in a case that leads out of it."""
        shown = ", ".join(map(str, paths[:6])) + (f" (6 of {len(paths):,})" if len(paths) > 6 else "")
        return cls(
            f"{shown}: a link, a pipe or a device; nothing was read. Hint: a case holds files and folders of its own; "
            "take it out, or put in its place what it leads to."
        )

    @classmethod
    def unsealed(cls, path: Path) -> Self:
        """Say that the manifest is not the one that custody knows."""
        return cls(
            f"{path}: changed since it was sealed; nothing was written. Hint: 'mhsm-forensics verify' names what "
            "changed; restore it from a copy."
        )

    @classmethod
    def newer(cls, path: Path, found: int, known: int) -> Self:
        """Say that *path* was written by a newer version."""
        return cls(
            f"{path}: made by a newer version (case format {found}, this version reads up to {known}). "
            "Hint: upgrade mhsm-forensics; the case was not touched."
        )

    @classmethod
    def unwritable(cls, path: Path, problem: OSError) -> Self:
        """Say that the target refused a write, and that nothing was lost."""
        reason = problem.strerror or str(problem)
        return cls(
            f"{path}: {reason}. Hint: free space or choose a writable case folder, then run the same command again; "
            "what was added before is kept."
        )


class InputError(ForensicsError, ValueError):
    """A value a person typed can't be used."""

    @classmethod
    def naive_time(cls, text: str) -> Self:
        """Say that *text* names no zone."""
        return cls(f"{text!r}: a time needs its zone. Hint: write 2026-03-05T02:00Z or 2026-03-05T03:00+01:00.")

    @classmethod
    def bad_time(cls, text: str) -> Self:
        """Say that *text* is no time."""
        return cls(f"{text!r}: not a time. Hint: write 2026-03-05T02:00Z.")

    @classmethod
    def bad_zone(cls, text: str) -> Self:
        """Say that *text* is no time zone."""
        return cls(f"{text!r}: no such time zone. Hint: write Europe/Amsterdam, America/New_York, UTC or +01:00.")

    @classmethod
    def no_such_event(cls, event_id: str) -> Self:
        """Say that the case has no such event or record."""
        return cls(f"{event_id!r}: no such record in this case. Hint: copy an event_id from findings or events.")

    @classmethod
    def no_such_hsm(cls, name: str, known: Sequence[str], *, most: int = 20) -> Self:
        """Say that the case has no events of such an HSM, and of which it has."""
        if not known:
            return cls(f"{name!r}: no managed HSM is in this case. Hint: mhsm-forensics what-happened CASE says why.")
        close = get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        cut = f" ({most} of {len(known):,})" if len(known) > most else ""
        return cls(
            f"{name!r}: no such managed HSM in this case. Hint: {meant}There are{cut}: {', '.join(known[:most])}."
        )


class SchemaError(ForensicsError, ValueError):
    """A frame does not have the columns that a question needs."""
