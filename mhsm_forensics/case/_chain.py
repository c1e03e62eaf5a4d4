"""Files that only grow, one JSON object a line, each with the SHA-256 of the line before: what was written can be proved."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST = "0" * 64  # what the first entry says of the one before

_PATIENCE = 30  # seconds to wait for another process that is writing


def append(path: Path, *said: dict[str, Any], recovered: Callable[[str], dict[str, Any]]) -> None:
    """Append entries; on disk when this returns.

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
            _write(path, newest, said)
    except Timeout:
        raise CaseError(f"{path}: another process is writing. Hint: try again.") from None
    except OSError as problem:
        raise CaseError.unwritable(path, problem) from problem


def entries(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every entry with the SHA-256 of its line."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        yield json.loads(line), hashlib.sha256(line).hexdigest()


def breaks(path: Path) -> Iterator[int]:
    """Yield the numbers of the entries that do not continue the one before."""
    previous = FIRST
    for entry, digest in entries(path):
        if entry["previous"] != previous:
            yield entry["seq"]
        previous = digest


def _write(path: Path, newest: bytes, said: tuple[dict[str, Any], ...]) -> None:
    first = json.loads(newest)["seq"] + 1 if newest else 1
    with path.open("ab") as log:
        for number, entry in enumerate(said, first):
            previous = hashlib.sha256(newest).hexdigest() if newest else FIRST
            newest = json.dumps({"seq": number, **entry, "previous": previous}, ensure_ascii=False).encode()
            log.write(newest + b"\n")
        log.flush()
        os.fsync(log.fileno())


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
