"""Whether a case is as it was acquired."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from ._chain import breaks, entries
from ._custody import read_custody, record_custody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from . import Case
    from ._manifest import Evidence


def verify(case: Case) -> list[str]:
    """Name everything that is not as it was acquired; an empty list if all is.

    Every evidence file is hashed again and compared with the manifest and with the custody entry of its
    acquisition; the custody chain is recomputed; files that nobody added are named.
    """
    problems = [*_evidence_problems(case), *_custody_problems(case), *_notes_problems(case), *_part_problems(case)]
    detail = {"files": len(_files(case)), "problems": problems, "notes": None if problems else case.notes.head}
    try:
        record_custody(case.path, "verified", detail)
    except CaseError as problem:  # a damaged chain, or a case on media that nobody can write
        problems.append(f"this verification is not in the chain of custody: {problem}")
    return problems


def _evidence_problems(case: Case) -> Iterator[str]:
    for entry in _files(case):
        path = case.evidence_path(entry)
        if not path.is_file():
            yield f"missing: {path}"
        elif sha256_of(path) != entry.sha256:
            yield f"changed: {path} (was SHA-256 {entry.sha256})"
    known = {case.evidence_path(entry) for entry in case.manifest.evidence}
    incoming = case.path / "evidence" / ".incoming"  # downloads that the next run finishes or throws away
    for path in sorted((case.path / "evidence").rglob("*")):
        if path.is_file() and path not in known and path.parent != incoming:
            yield f"not added by this tool: {path}"


def _custody_problems(case: Case) -> Iterator[str]:
    try:
        yield from (f"custody chain broken before entry {number}" for number in breaks(case.path / "custody.jsonl"))
    except CaseError as problem:
        yield f"the chain of custody: {problem}"
    said = [entry["detail"] for entry in _readable(case) if entry["action"] == "added"]
    added = {detail.get("evidence_id"): detail.get("sha256") for detail in said}
    for evidence in case.manifest.evidence:
        if added.get(evidence.evidence_id) != evidence.sha256:
            yield f"manifest and custody disagree on {evidence.evidence_id} ({evidence.path})"


def _notes_problems(case: Case) -> Iterator[str]:
    """Notes that were changed or taken out: the newest one of each time that custody wrote down must still be there."""
    try:
        yield from (f"the chain of notes is broken before entry {number}" for number in breaks(case.notes.path))
        there = {digest for _, digest in entries(case.notes.path)}
    except CaseError as problem:
        yield f"the chain of notes: {problem}"
        return
    known = {entry["detail"].get("notes") for entry in _readable(case)} - {None}
    yield from (f"a note is missing that was there before (SHA-256 {digest})" for digest in sorted(known - there))


def _readable(case: Case) -> Iterator[dict[str, Any]]:
    """Yield the custody entries up to the first that can't be read."""
    with suppress(CaseError):
        yield from (entry for entry, _ in read_custody(case.path))


def _part_problems(case: Case) -> Iterator[str]:
    missing = [path for path in (*case.events.paths, *case.copies.paths) if not path.is_file()]
    yield from (f"missing: {path}. Hint: rebuild" for path in missing)
    counted = int(case.accounting["event"].iloc[0])
    held = 0 if missing else len(case.events) + len(case.copies)
    if not missing and held != counted:
        yield f"events hold {held:,} rows, the accounting says {counted:,}. Hint: rebuild"


def _files(case: Case) -> list[Evidence]:
    """Evidence that is a file of its own: members of an archive are proved by the archive."""
    return [entry for entry in case.manifest.evidence if entry.member is None]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
