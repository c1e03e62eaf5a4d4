"""Files that only grow, one JSON object a line, each with the SHA-256 of the line before: what was written can be proved."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import CaseError
from ._files import checked, is_count, is_text, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST = "0" * 64  # what the first entry says of the one before

_PATIENCE = 30  # seconds to wait for another process that is writing


def append(path: Path, *said: dict[str, Any], recovered: Callable[[str], dict[str, Any]]) -> str:
    """Append entries; on disk when this returns. Returns the SHA-256 of the newest.

    Parameters
    ----------
    path
        The file.
    said
        What they say; a number (`seq`) and the hash of the entry before (`previous`) are added to each.
    recovered
        Makes the entry that keeps what a killed process left of an unfinished one.

    Raises
    ------
    CaseError
        The file can't be written.
    """
    try:
        with FileLock(path.with_name(f".{path.stem}.lock"), timeout=_PATIENCE):
            newest, torn = _end_of(path)
            if torn:
                os.truncate(path, path.stat().st_size - len(torn))
                said = (recovered(torn.decode("utf-8", "replace")), *said)
            return _write(path, newest, said)
    except Timeout:
        raise CaseError(f"{path}: another process is writing. Hint: try again.") from None
    except OSError as problem:
        raise CaseError.unwritable(path, problem) from problem


def entries(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every whole entry with the SHA-256 of its line.

    An entry that a killed process left unfinished says nothing yet: the next `append` keeps it as recovered.

    Raises
    ------
    CaseError
        The file can't be read, or a line is no entry.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    except OSError as problem:
        raise CaseError.damaged(path, problem.strerror or str(problem)) from None
    for number, line in enumerate(lines, 1):
        yield _entry(path, f"line {number}", line), hashlib.sha256(line).hexdigest()


def breaks(path: Path) -> Iterator[int]:
    """Yield the numbers of the entries that do not continue the one before."""
    previous = FIRST
    for number, (entry, digest) in enumerate(entries(path), 1):
        if entry["previous"] != previous or entry["seq"] != number:
            yield number
        previous = digest


def ends_torn(path: Path) -> bool:
    """Whether a file ends in an entry that was never finished: a process was killed, or somebody cut it."""
    return bool(_end_of(path)[1])


def _entry(path: Path, place: str, line: bytes) -> dict[str, Any]:
    try:
        found = parsed(line)
    except ValueError as problem:
        raise CaseError.damaged(path, f"{place} is no entry: {problem}") from None
    return checked(path, place, found, {"seq": is_count, "previous": is_text}, open_ended=True)


def _write(path: Path, newest: bytes, said: tuple[dict[str, Any], ...]) -> str:
    first = _entry(path, "the last line", newest)["seq"] + 1 if newest else 1
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as log:
            for number, entry in enumerate(said, first):
                previous = hashlib.sha256(newest).hexdigest() if newest else FIRST
                newest = _written({"seq": number, **entry, "previous": previous})
                log.write(newest + b"\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError:  # a full disk takes the first half of an entry
        with suppress(OSError):
            os.truncate(path, size)
        raise
    return hashlib.sha256(newest).hexdigest()


def _written(entry: dict[str, Any]) -> bytes:
    r"""Return an entry as it is written; half of a character, as in a file name that is no text, becomes its number.

    >>> _written({"path": "\udcff.json"})
    b'{"path": "\\\\udcff.json"}'
    """
    text = json.dumps(entry, ensure_ascii=False)
    return _HALF.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text).encode()


_HALF = re.compile("[\ud800-\udfff]")


def _end_of(path: Path, *, window: int = 1 << 16) -> tuple[bytes, bytes]:
    """Newest entry of a file, and what a killed process left of an unfinished one."""
    if not path.exists():
        return b"", b""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - window, 0))
        whole, newline, torn = log.read().rpartition(b"\n")
    if window < size and b"\n" not in whole:  # an entry longer than the window
        return _end_of(path, window=window * 16)
    return (whole.rpartition(b"\n")[2], torn) if newline else (b"", torn)
