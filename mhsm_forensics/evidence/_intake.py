"""Files become evidence: copied verbatim, hashed on the way and made read-only.

Custody is written before a file appears under its final name, so that a process killed at any moment leaves something
that the next run can finish.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import ChainMap
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..case import FATES, Case, Evidence, record_custody, sha256_of, utc_now
from ..errors import CaseError, InputError
from ..zones import zone_name
from ._containers import is_single, walk
from ._find import unreadable
from ._judge import judge, passed_over, storable
from ._streams import BLOCK

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import IO

    from ..case import PassedOver
    from ._containers import Member
    from ._judge import Source

DATE_ORDERS: Final = ("day-first", "month-first")
ARCHIVE: Final = "archive"  # `form` of evidence that is only what other evidence came in
INCOMING: Final = ".incoming"  # below evidence/: what has no final name yet

_ID_LENGTH = 32
# What a path below evidence/ may be: the case stands somewhere, too. `origin` keeps what it was.
_DEEPEST, _LONGEST, _LONGEST_NAME = 64, 2000, 230


@dataclass(frozen=True, slots=True)
class Words:
    """What the responder says of the times in some files, where those don't say it themselves."""

    dates: str | None = None  # day-first, month-first
    times_in: str | None = None  # a zone

    def __post_init__(self) -> None:
        """Refuse what is neither an order of dates nor a zone, before anything is read by it."""
        if self.dates not in {None, *DATE_ORDERS}:
            raise InputError(f"{self.dates!r}: no order of dates. Hint: day-first or month-first.")
        zone_name(self.times_in)

    def __bool__(self) -> bool:
        return bool(self.dates or self.times_in)

    def said_of(self, entry: Evidence) -> Evidence:
        """Return the entry with these words; what is not said leaves what was."""
        return replace(entry, dates=self.dates or entry.dates, times_in=self.times_in or entry.times_in)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one file: its entries, what in it is no evidence, and the entry that the case had of these bytes."""

    entries: tuple[Evidence, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    known: Evidence | None = None


def evidence_id(sha256: str) -> str:
    """Return the id of evidence whose bytes have this SHA-256."""
    return sha256[:_ID_LENGTH]


def by_content(evidence: Iterable[Evidence]) -> dict[str, Evidence]:
    """Evidence by the SHA-256 of its bytes; what could not be read whole has only its id to be known by."""
    return {
        entry.sha256 if entry.sha256.startswith(entry.evidence_id) else entry.evidence_id: entry for entry in evidence
    }


def acquire(
    case: Case,
    source: Source,
    known: dict[str, Evidence],
    *,
    in_place: bool = False,
    words: Words | None = None,
    unrecorded: list[Evidence] | None = None,
) -> Taken:
    """Take one file into the case; nothing but the known entry if the case has these bytes.

    An archive gives an entry for itself and one for each member that is a log, or can't be read. One whose bytes the case
    has already is read again, as what it is: a duplicate.

    Parameters
    ----------
    case
        The case that receives the file.
    source
        The file.
    known
        Evidence `by_content`; new entries are added to it.
    in_place
        Reference the file where it is instead of copying it.
    words
        What the responder says of the times in it.
    unrecorded
        Where the entries of a file in place wait to be recorded with others (`record_added`): each record is a
        write to disk that has to be waited for, and until then nothing of the file is in the case.

    Raises
    ------
    CaseError
        The case can't be written.
    """
    try:
        (case.path / "evidence" / INCOMING).mkdir(parents=True, exist_ok=True)
        return _acquired(case, source, known, words or Words(), unrecorded, in_place=in_place)
    except _SourceError as problem:
        return Taken(passed_over=(problem.about,))
    except OSError as problem:
        raise CaseError.unwritable(case.path, problem) from problem


class _SourceError(Exception):
    """The file that was handed over can't be read, which is no fault of the case."""

    def __init__(self, about: PassedOver) -> None:
        super().__init__(about.reason)
        self.about = about


def record_added(case: Case, entries: Iterable[Evidence]) -> None:
    """Say in the chain of custody what was added; on disk when this returns."""
    record_custody(case.path, "added", *map(asdict, entries))


def _acquired(
    case: Case,
    source: Source,
    known: dict[str, Evidence],
    words: Words,
    unrecorded: list[Evidence] | None,
    *,
    in_place: bool,
) -> Taken:
    copy = case.path / "evidence" / INCOMING / "copy"
    digest = _hashed(source) if in_place else _copied(source, copy)
    if digest in known:
        copy.unlink(missing_ok=True)
        return Taken(known=known[digest])
    entry = words.said_of(_entry(case, source, digest, in_place=in_place))
    if not in_place:
        copy = copy.replace(copy.with_name(entry.evidence_id))
    entries, others = _with_members(source, entry, known, source.path if in_place else copy)
    if in_place and unrecorded is not None:
        unrecorded += entries
    else:  # before the file has its final name
        record_added(case, entries)
    known |= by_content(entries)
    if not in_place:
        put_in_place(case, entry)
    return Taken(tuple(entries), tuple(others))


def _hashed(source: Source) -> str:
    if storable(str(source.path)) != str(source.path):
        hint = "add it without --in-place: a copy gets a name that can be written down"
        raise _SourceError(passed_over(source, "unreadable", "its path is no text (UTF-8)", hint=hint))
    try:
        return sha256_of(source.path)
    except OSError as problem:
        raise _SourceError(unreadable(source, problem)) from problem


def _copied(source: Source, target: Path) -> str:
    """Copy a file and return the SHA-256 of the bytes that were written."""
    digest = hashlib.sha256()
    target.unlink(missing_ok=True)
    try:
        file = source.path.open("rb")
    except OSError as problem:
        raise _SourceError(unreadable(source, problem)) from problem
    with file, target.open("wb") as copy:
        while block := _read(file, source):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _read(file: IO[bytes], source: Source) -> bytes:
    try:
        return file.read(BLOCK)
    except OSError as problem:
        raise _SourceError(unreadable(source, problem)) from problem


def _entry(case: Case, source: Source, digest: str, *, in_place: bool) -> Evidence:
    about = source.path.stat()
    return Evidence(
        evidence_id=evidence_id(digest),
        path=str(source.path) if in_place else free_path(case, storable(source.relative), digest),
        origin=storable(str(source.path)),
        size=about.st_size,
        sha256=digest,
        acquired=utc_now(),
        modified=datetime.fromtimestamp(about.st_mtime, UTC).isoformat().replace("+00:00", "Z"),
        in_place=in_place,
    )


def free_path(case: Case, relative: str, digest: str) -> str:
    """Return a path below evidence/ that no other file has: a blob that grew is kept beside its earlier self."""
    parts = [part for part in Path(relative).parts if part not in ("/", "..")] or ["evidence"]
    parts[0] = "incoming" if parts[0] == INCOMING else parts[0]
    if (
        len(parts) > _DEEPEST
        or len(relative.encode()) > _LONGEST
        or max(len(p.encode()) for p in parts) > _LONGEST_NAME
    ):
        parts = ["long-names", f"{digest[:_ID_LENGTH]}{Path(relative).suffix[:16]}"]
    path, evidence = Path(*parts), case.path / "evidence"
    for around in list(path.parents)[-2::-1]:
        if (evidence / around).is_file():  # a file has the name of the folder
            path = around.with_name(f"{around.name}~{digest[:12]}") / path.relative_to(around)
            break
    taken = (evidence / path).exists()
    return (path.with_name(f"{path.stem}~{digest[:12]}{path.suffix}") if taken else path).as_posix()


def _with_members(
    source: Source, entry: Evidence, known: dict[str, Evidence], path: Path
) -> tuple[list[Evidence], list[PassedOver]]:
    """Return the entry of a file, and behind an archive's those of its members; and what in it is passed over."""
    if is_single(path):
        return [entry], []
    found: dict[str, Evidence] = {}
    others: list[PassedOver] = []
    fault: str | None = None
    for member in walk(path, hashed=True):
        if not member.position and not member.is_archive:
            return [entry], []
        look, reason = judge(source, member, to_the_end=True)
        if not member.position:
            fault = look.fault
        elif reason is None:
            key, new = _member_entry(entry, member, look.fault, ChainMap(found, known))
            found[key] = new
        elif member.special != "a folder":
            others.append(reason)
    note = f"archive; {len(found):,} members, each is evidence of its own"
    fates = None if fault else dict.fromkeys(FATES, 0)
    return [replace(entry, fates=fates, unreadable=fault, form=ARCHIVE, note=note), *found.values()], others


def _member_entry(archive: Evidence, member: Member, fault: str | None, known: Container[str]) -> tuple[str, Evidence]:
    """Return what a member is known by, and its entry: by its bytes, or by its place if others have them or it is torn."""
    member.tap.drain()
    sha256, name = member.tap.sha256, storable(member.name)
    is_apart = member.tap.fault or sha256 in known
    key = _place_id(archive, member) if is_apart else sha256
    return key, replace(
        archive, evidence_id=evidence_id(key), member=name, position=member.position, size=member.tap.size, sha256=sha256,
        origin=f"{archive.origin}!{name}", unreadable=fault, note=member.note,
    )  # fmt: skip


def _place_id(archive: Evidence, member: Member) -> str:
    place = f"{archive.sha256} {'.'.join(map(str, member.position))}"
    return hashlib.sha256(place.encode()).hexdigest()[:_ID_LENGTH]


def put_in_place(case: Case, entry: Evidence) -> None:
    """Give a copied file its final name and make it read-only; harmless when that was done before."""
    waiting, final = case.path / "evidence" / INCOMING / entry.evidence_id, case.evidence_path(entry)
    if waiting.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        waiting.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        waiting.replace(final)
