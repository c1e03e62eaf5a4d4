"""One blob → one file, as the exact bytes of one moment, even while the service appends to it."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import IncompleteReadError

from ._listing import Blob, properties
from ._patience import RefusedError, patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from threading import Event

    from azure.storage.blob import ContainerClient

PIECE = 4 << 20  # the largest range of which the service states the MD5; also what bounds memory
OVERLAP = 64 << 10  # bytes of what we have that are asked for again, to see that the tail belongs to it

_ATTEMPTS = 3  # at a blob that is replaced while it is read
_GROWN = 50  # how often a blob may grow while one range of it is asked for


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run fetched of a blob: a prefix of it if the blob only grew since."""

    path: Path
    size: int
    sha256: str
    etag: str
    created: str | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A blob on disk. `start` is the first byte that came over the network, 0 for all of them."""

    blob: Blob
    path: Path
    sha256: str
    md5: str
    start: int

    @property
    def md5_differs(self) -> bool:
        """Whether the service's own MD5 is of other bytes. Appending leaves it as it was, so there it says nothing."""
        return self.blob.md5 is not None and not self.blob.appended and self.blob.md5 != self.md5


class _ReplacedError(Exception):
    """The blob is another one than it was."""


def fetch(
    container: ContainerClient,
    blob: Blob,
    target: Path,
    earlier: Earlier | None,
    stop: Event,
    tell: Callable[[int], None],
) -> Fetched:
    """Write the first `blob.size` bytes of a blob to *target*, fetching only what *earlier* does not have.

    Each range is one request, on the condition that the blob is as it was; if it grew meanwhile, and only
    appended to, the bytes up to the planned size are the same and the rest is left to the next run.

    Raises
    ------
    RefusedError
        The blob can't be read, or changes all the time.
    StoppedError
        Somebody asked to stop.
    OSError
        The disk refuses. Whatever is raised, nothing is left at *target*.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _fetch(container, blob, target, _still_prefix(blob, earlier), stop, tell)
        except _ReplacedError:
            blob, earlier = properties(container, blob.name), None
    raise RefusedError("it was replaced again and again while it was read", "run the same command again")


def _still_prefix(blob: Blob, earlier: Earlier | None) -> Earlier | None:
    same = earlier is not None and blob.appended and blob.created == earlier.created and earlier.size <= blob.size
    return earlier if same else None


def _fetch(
    container: ContainerClient,
    blob: Blob,
    target: Path,
    earlier: Earlier | None,
    stop: Event,
    tell: Callable[[int], None],
) -> Fetched:
    whole = _Writer()
    with _whole_or_nothing(target), target.open("wb") as file:
        start = _copy(earlier, file, whole) if earlier else 0
        position, etag = start, blob.etag
        while position < blob.size:
            overlap = min(OVERLAP, PIECE // 2, position) if position == start else 0
            length = min(PIECE, blob.size - position + overlap)
            data, etag = _range(container, blob, position - overlap, length, etag, stop)
            if overlap and data[:overlap] != whole.tail[-overlap:]:
                raise _ReplacedError
            whole.write(file, data[overlap:])
            position += len(data) - overlap
            tell(len(data) - overlap)
        file.flush()
        os.fsync(file.fileno())
    return Fetched(blob, target, whole.sha256.hexdigest(), whole.md5.hexdigest(), start)


@contextmanager
def _whole_or_nothing(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Writer:
    """Hashes of what was written, and its last bytes."""

    def __init__(self) -> None:
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.tail = b""

    def write(self, file: IO[bytes], data: bytes) -> None:
        file.write(data)
        self.sha256.update(data)
        self.md5.update(data)
        self.tail = (self.tail + data)[-OVERLAP:] if len(data) < OVERLAP else data[-OVERLAP:]


def _copy(earlier: Earlier, file: IO[bytes], whole: _Writer) -> int:
    """Copy what an earlier run fetched; nothing of it if it isn't what it was."""
    if earlier.path.is_file() and earlier.path.stat().st_size == earlier.size:
        with earlier.path.open("rb") as before:
            while data := before.read(PIECE):
                whole.write(file, data)
    if whole.sha256.hexdigest() == earlier.sha256:
        return earlier.size
    file.seek(0)
    file.truncate()
    whole.__init__()  # type: ignore[misc]
    return 0


def _range(
    container: ContainerClient, blob: Blob, offset: int, length: int, etag: str, stop: Event
) -> tuple[bytes, str]:
    """Return the bytes of one range, and the ETag that the blob has now."""
    for _ in range(_GROWN):
        try:
            return patiently(partial(_request, container, blob.name, offset, length, etag), stop), etag
        except RefusedError as problem:
            if problem.code not in ("ConditionNotMet", "412"):
                raise
        now = properties(container, blob.name)
        if not blob.appended or now.created != blob.created or now.size < blob.size:
            raise _ReplacedError
        etag = now.etag
    raise RefusedError("it grows faster than it can be read", "run the same command again")


def _request(container: ContainerClient, name: str, offset: int, length: int, etag: str) -> bytes:
    # Through the SDK a request of at most this size is one request, and a range whose MD5 differs is asked for again.
    stream = container.get_blob_client(name).download_blob(
        offset=offset, length=length, etag=f'"{etag}"', match_condition=MatchConditions.IfNotModified,
        validate_content=True,
    )  # fmt: skip
    data = stream.readall()
    if len(data) != length:
        raise IncompleteReadError(f"{len(data)} of {length} bytes")
    return data
