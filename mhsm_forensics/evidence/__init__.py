"""Evidence files on disk: find them, take them into a case, read their bytes.

Nothing here understands a log line. A file becomes evidence by being copied verbatim, hashed on the way
and made read-only; custody is written before the file appears under its final name, so that a process
killed at any moment leaves something the next run can finish.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..case import FATES, Case, Evidence, Manifest, read_custody, record_custody, sha256_of, utc_now, write_manifest
from ..errors import CaseError, EvidenceError
from .signs import LOG_NAME, LOG_TEXT, table_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 4 << 20

# A compressed log shrinks 10 to 60 times. What grows a thousand times is meant to fill a disk.
_SAFE_EXPANSION = 1 << 30
_MAX_RATIO = 400

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_READ = 1 << 18


class TornStreamError(EvidenceError):
    """Compressed evidence ends early, is damaged, or expands without end."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may become evidence, and where it stood in what was handed over."""

    path: Path
    relative: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files below some paths: those that are taken, and those that are no log."""

    sources: tuple[Source, ...]
    left_out: tuple[str, ...]


def find(paths: Iterable[Path | str]) -> Found:
    """Return the log files at or below *paths*, in the order of their names.

    Raises
    ------
    EvidenceError
        A path does not exist, a folder is empty, or nothing below a path looks like an audit log.
    """
    sources: list[Source] = []
    left_out: list[str] = []
    for path in map(Path, paths):
        files = _files_below(path)
        if not any(looks_like_log(source.path) for source in files):
            raise EvidenceError.no_audit_logs(path, len(files))
        for source in files:
            taken = LOG_NAME.search(source.path.name) or looks_like_log(source.path)
            sources.append(source) if taken else left_out.append(source.relative)
    return Found(tuple(sources), tuple(left_out))


def _files_below(path: Path) -> list[Source]:
    if path.is_file():
        return [Source(path.resolve(), _blob_path(path.resolve()) or path.name)]
    if not path.is_dir():
        raise EvidenceError.no_such_path(path)
    root = path.resolve()
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise EvidenceError.empty_folder(path)
    return [Source(p, (Path(root.name) / p.relative_to(root)).as_posix()) for p in files]


def _blob_path(path: Path) -> str | None:
    """Keep the hour's folders when a single PT1H.json is handed over: they say which HSM and hour it is."""
    parts = path.parts
    first = next((i for i, part in enumerate(parts) if part.lower().startswith("resourceid=")), None)
    return "/".join(parts[first:]) if first is not None else None


def looks_like_log(path: Path, *, limit: int = 64 << 20) -> bool:
    """Whether the file holds the field names of a log, or of a list that says more, also inside gzip or zip.

    >>> from pathlib import Path
    >>> looks_like_log(Path(__file__).with_name("__init__.py"))
    False
    """
    try:
        for member in members(path) or (None,):
            read, tail = 0, b""
            for block in blocks(path, member):
                if LOG_TEXT.search(tail + block) or (not read and table_header(block)):
                    return True
                read, tail = read + len(block), block[-64:]
                if read > limit:
                    break
    except (EvidenceError, OSError):
        return False
    return False


def members(path: Path) -> tuple[str, ...]:
    """Names of the files in a zip archive; nothing for any other file."""
    if not zipfile.is_zipfile(path):
        return ()
    with zipfile.ZipFile(path) as archive:
        return tuple(sorted(info.filename for info in archive.infolist() if not info.is_dir()))


def blocks(path: Path, member: str | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed, in blocks of 4 MB; UTF-16 comes out as UTF-8.

    Raises
    ------
    TornStreamError
        After what could be read: the archive ends early, is damaged or encrypted, or expands without end.
    """
    with path.open("rb") as file:
        if member is None:
            yield from _decoded(_unpacked(file))
            return
        try:
            with zipfile.ZipFile(file) as archive, archive.open(member) as content:
                yield from _decoded(_unpacked(content, archive.getinfo(member).compress_size))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, KeyError, zlib.error) as problem:
            raise TornStreamError(f"{path}: {member}: {problem}") from problem


def slices(path: Path, member: str | None, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes at some places (offset, length) of an evidence file, decompressed; in the order of offsets."""
    content, held, start = blocks(path, member), b"", 0
    for offset, length in places:
        while start + len(held) < offset + length:
            keep = held[max(offset - start, 0) :]
            start += len(held) - len(keep)
            more = next(content, b"")
            if not more:
                break
            held = keep + more
        yield held[offset - start : offset - start + length]


def _unpacked(file: IO[bytes], packed: int | None = None) -> Iterator[bytes]:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not is_gzip:
        yield from _bounded(iter(lambda: file.read(BLOCK), b""), packed)
        return
    yield from _bounded(_gunzipped(file), packed or _size(file))


def _gunzipped(file: IO[bytes]) -> Iterator[bytes]:
    """Decompress a gzip file of any number of members, up to the very byte at which it is torn."""
    member = zlib.decompressobj(_GZIP)
    while packed := file.read(_GZIP_READ):
        while packed:
            try:
                yield member.decompress(packed, BLOCK)
            except zlib.error as problem:
                raise TornStreamError(f"gzip: {problem}") from problem
            packed = member.unconsumed_tail
            if member.eof:  # another member may follow, or padding
                packed = member.unused_data.lstrip(b"\0")
                member = zlib.decompressobj(_GZIP) if packed else member
    if not member.eof:
        raise TornStreamError("gzip: the file ends before its stream does")


def _bounded(content: Iterable[bytes], packed: int | None) -> Iterator[bytes]:
    total = 0
    for block in content:
        total += len(block)
        if packed is not None and total > max(_SAFE_EXPANSION, packed * _MAX_RATIO):
            raise TornStreamError(f"expands to more than {total >> 20:,} MB from {packed >> 10:,} KB")
        yield block


def _decoded(content: Iterator[bytes]) -> Iterator[bytes]:
    """Turn UTF-16 (what a Windows shell writes with >) into UTF-8; leave everything else alone."""
    first = next(content, b"")
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(first[:2])
    if encoding is None:
        yield first
        yield from content
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield decoder.decode(first[2:]).encode()
    for block in content:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _size(file: IO[bytes]) -> int | None:
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, AttributeError):
        return None


def acquire(
    case: Case, source: Source, known: dict[str, Evidence], *, in_place: bool = False, dates: str | None = None,
    times_in: str | None = None,
) -> list[Evidence]:  # fmt: skip
    """Take one file into the case and return its evidence entries; none if the case has these bytes.

    An archive gives an entry for itself and one for each member whose bytes are new.

    Parameters
    ----------
    case
        The case that receives the file.
    source
        The file.
    known
        Evidence by SHA-256; new entries are added to it.
    in_place, dates, times_in
        As for `ingest.add`.

    Raises
    ------
    CaseError
        The case can't be written.
    """
    incoming = case.path / "evidence" / ".incoming"
    entries: list[Evidence] = []
    try:
        incoming.mkdir(parents=True, exist_ok=True)
        copy = incoming / "copy"
        digest = sha256_of(source.path) if in_place else _copy(source.path, copy)
        if digest in known:
            copy.unlink(missing_ok=True)
            return []
        entry = replace(_entry(case, source, digest, in_place=in_place), dates=dates, times_in=times_in)
        if not in_place:
            copy = copy.replace(incoming / entry.evidence_id)
        for new in _with_members(source, entry, known, source.path if in_place else copy):
            record_custody(case.path, "added", asdict(new))
            known[new.sha256] = new
            entries.append(new)
        if not in_place:
            _settle(case, entry)
    except OSError as problem:
        raise CaseError.unwritable(case.path, problem) from problem
    return entries


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
        Evidence by SHA-256; the new entries are added to it.

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
            _settle(case, entry)
    except OSError as problem:
        raise CaseError.unwritable(case.path, problem) from problem
    return found


def _waiting(case: Case, download: Path, entry: Evidence, known: dict[str, Evidence]) -> Evidence | None:
    """Give a download the name under which `recover` finds it; None if its bytes are known."""
    if entry.sha256 in known:
        download.unlink()
        return None
    entry = replace(entry, path=_free_path(case, entry.path, entry.sha256))
    download.replace(download.with_name(entry.evidence_id))
    known[entry.sha256] = entry
    return entry


def recover(case: Case) -> Manifest:
    """Finish what a killed run left: evidence that custody knows is put in place and into the manifest."""
    manifest = case.manifest
    known = {entry.evidence_id for entry in manifest.evidence}
    added = [entry["detail"] for entry, _ in read_custody(case.path) if entry["action"] == "added"]
    found = tuple(Evidence(**detail) for detail in added if detail["evidence_id"] not in known)
    for entry in found:
        if entry.member is None and not entry.in_place:
            _settle(case, entry)
    for leftover in (case.path / "evidence" / ".incoming").glob("*"):
        leftover.unlink()
    if not found:
        return manifest
    manifest = replace(manifest, evidence=(*manifest.evidence, *found))
    write_manifest(case.path, manifest)
    return manifest


def _copy(path: Path, target: Path) -> str:
    """Copy a file and return the SHA-256 of the bytes that were written."""
    digest = hashlib.sha256()
    target.unlink(missing_ok=True)
    with path.open("rb") as source, target.open("wb") as copy:
        while block := source.read(BLOCK):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _entry(case: Case, source: Source, digest: str, *, in_place: bool) -> Evidence:
    about = source.path.stat()
    return Evidence(
        evidence_id=digest[:12],
        path=str(source.path) if in_place else _free_path(case, source.relative, digest),
        origin=str(source.path),
        size=about.st_size,
        sha256=digest,
        acquired=utc_now(),
        modified=datetime.fromtimestamp(about.st_mtime, UTC).isoformat().replace("+00:00", "Z"),
        in_place=in_place,
    )


def _free_path(case: Case, relative: str, digest: str) -> str:
    """Return a path below evidence/ that no other file has: a blob that grew is kept beside its earlier self."""
    path = Path(relative)
    taken = (case.path / "evidence" / path).exists()
    return (path.with_name(f"{path.stem}~{digest[:12]}{path.suffix}") if taken else path).as_posix()


def _with_members(source: Source, entry: Evidence, known: dict[str, Evidence], path: Path) -> list[Evidence]:
    """Return the entry of a file, and behind an archive's those of the members whose bytes are new."""
    names = members(path)
    if not names:
        return [entry]
    found: dict[str, Evidence] = {}
    for name in names:
        digest, size = _member_digest(path, name)
        if digest not in known:
            found.setdefault(digest, replace(entry, evidence_id=digest[:12], member=name, size=size, sha256=digest,
                                             origin=f"{source.path}!{name}"))  # fmt: skip
    note = f"archive; {len(found):,} of {len(names):,} members are new, each is evidence of its own"
    return [replace(entry, fates=dict.fromkeys(FATES, 0), note=note), *found.values()]


def _member_digest(path: Path, name: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        for block in blocks(path, name):
            digest.update(block)
            size += len(block)
    except TornStreamError:
        pass  # the loader says so; what could be read is still evidence
    return digest.hexdigest(), size


def _settle(case: Case, entry: Evidence) -> None:
    """Give a copied file its final name and make it read-only; harmless when that was done before."""
    waiting, final = case.path / "evidence" / ".incoming" / entry.evidence_id, case.evidence_path(entry)
    if waiting.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        waiting.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        waiting.replace(final)
