"""What is in the case already, on its way: downloads that become evidence, and what a killed run left."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..case import Case, Evidence, Manifest, read_custody, record_custody, write_manifest
from ..errors import CaseError
from ._containers import walk
from ._intake import INCOMING, free_path, put_in_place
from ._streams import TornStreamError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ._containers import Member, Position


def receive(
    case: Case, downloads: Iterable[tuple[Path, Evidence]], known: dict[str, Evidence]
) -> list[Evidence | None]:
    """Take files that were downloaded to evidence/.incoming into the case.

    Parameters
    ----------
    case
        The case that receives the files.
    downloads
        The files, whole and on disk, which are moved and not copied, each with what is known about it; the path in
        that is the one wished for, and gets a suffix if another file has it.
    known
        Evidence `by_content`; the new entries are added to it.

    Returns
    -------
    The entry of each file, None where the case had its bytes.

    Raises
    ------
    CaseError
        The case can't be written.
    """
    found: list[Evidence | None] = []
    try:
        for download, entry in downloads:
            found.append(_waiting(case, download, entry, known))
        new = [entry for entry in found if entry]
        if new:  # in the chain of custody before any has its final name
            record_custody(case.path, "added", *map(asdict, new))
        for entry in new:
            put_in_place(case, entry)
    except OSError as problem:
        raise CaseError.unwritable(case.path, problem) from problem
    return found


def _waiting(case: Case, download: Path, entry: Evidence, known: dict[str, Evidence]) -> Evidence | None:
    """Give a download the name under which `recover` finds it; None if its bytes are known."""
    if entry.sha256 in known:
        download.unlink()
        return None
    entry = replace(entry, path=free_path(case, entry.path, entry.sha256))
    download.replace(download.with_name(entry.evidence_id))
    known[entry.sha256] = entry
    return entry


def recover(case: Case) -> Manifest:
    """Finish what a killed run left: evidence that custody knows is put in place and into the manifest."""
    manifest = case.manifest
    known = {entry.evidence_id for entry in manifest.evidence}
    added = [entry["detail"] for entry, _ in read_custody(case.path) if entry["action"] == "added"]
    found = tuple(_entry(detail) for detail in added if detail["evidence_id"] not in known)
    for entry in found:
        if entry.member is None and not entry.in_place:
            put_in_place(case, entry)
    for leftover in (case.path / "evidence" / INCOMING).glob("*"):
        leftover.unlink()
    evidence = located(case, (*manifest.evidence, *found))
    if evidence == manifest.evidence:
        return manifest
    manifest = replace(manifest, evidence=evidence)
    write_manifest(case.path, manifest)
    return manifest


def _entry(detail: dict[str, Any]) -> Evidence:
    return Evidence(**{**detail, "position": tuple(detail.get("position", ()))})


def located(case: Case, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Return evidence with the positions of members that an earlier version knew by their names alone."""
    lost = [entry for entry in evidence if entry.member is not None and not entry.position]
    places = {
        entry.evidence_id: position
        for path in {case.evidence_path(entry) for entry in lost}
        if path.is_file()
        for entry, position in _places(path, [entry for entry in lost if case.evidence_path(entry) == path])
    }
    return tuple(replace(e, position=places.get(e.evidence_id, e.position)) for e in evidence) if places else evidence


def _places(path: Path, lost: list[Evidence]) -> Iterator[tuple[Evidence, Position]]:
    there: dict[str, list[tuple[Position, set[str]]]] = {}
    for member in walk(path, hashed=True):
        there.setdefault(member.name, []).append((member.position, _digests(member)))
    for entry in lost:
        named = there.get(entry.member or "", [])
        same = [position for position, digests in named if entry.sha256 in digests]
        if named:
            yield entry, same[0] if same else named[-1][0]


def _digests(member: Member) -> set[str]:
    """SHA-256 of a member's bytes, and of what is read of them: earlier versions kept that."""
    digest = hashlib.sha256()
    with suppress(TornStreamError):
        for block in member.content:
            digest.update(block)
    member.tap.drain()
    return {member.tap.sha256, digest.hexdigest()}
