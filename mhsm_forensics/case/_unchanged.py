"""Whether the bytes of evidence are those that were acquired."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import CaseError, EvidenceError
from ._seal import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from . import Case
    from ._manifest import Evidence


def own_files(case: Case) -> list[Evidence]:
    """Evidence that is a file of its own: members of an archive are proved by the archive."""
    return [entry for entry in case.manifest.evidence if entry.member is None and not entry.position]


def require_unchanged(case: Case, evidence: Iterable[Evidence]) -> None:
    """See that the files of some evidence have the bytes that were acquired: an archive answers for its members.

    Raises
    ------
    EvidenceError
        One is missing or changed.
    """
    whole = {(entry.path, entry.in_place): entry for entry in own_files(case)}
    for path, in_place in dict.fromkeys((entry.path, entry.in_place) for entry in evidence):
        entry = whole.get((path, in_place))
        if entry is None:
            raise CaseError.damaged(case.path / "manifest.json", f"{path} is in an archive that it doesn't have")
        if problem := what_became(case, entry, hashed=_hashed_before):
            raise (EvidenceError.missing if problem == "missing" else EvidenceError.changed)(case.evidence_path(entry))


@lru_cache(maxsize=1024)
def _hashed_before(path: Path, _version: tuple[int, ...]) -> str:
    """SHA-256 of a file, as long as it is the same: who looks at record after record doesn't wait for it each time."""
    return sha256_of(path)


def _hashed_now(path: Path, _version: tuple[int, ...]) -> str:
    return sha256_of(path)


def what_became(case: Case, entry: Evidence, *, hashed: Callable[[Path, tuple[int, ...]], str] = _hashed_now) -> str:
    """Say what became of an evidence file: `missing`, `changed`, or "" where it is as it was acquired.

    Files that are only referenced are read no further than their size if that differs: whoever made the case chose
    the path.
    """
    path = case.evidence_path(entry)
    if not path.is_file():
        return "missing"
    about = path.stat()
    if entry.in_place and about.st_size != entry.size:
        return "changed"
    found = hashed(path, (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return "" if found == entry.sha256 else "changed"
