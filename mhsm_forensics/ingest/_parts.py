"""The parts that are being derived, by other processes where that pays."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..derive import Loaded, load_part, ready
from ..evidence import is_read_as_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..case import Case, Evidence

    Progress = Callable[[int, int], None]

PART = 64 << 20  # bytes of evidence in one part, about
LEAST = 16 << 20  # where there is not enough for all processors otherwise
# Blocks of some megabytes come and go all the time: glibc is to keep them, and not to ask the kernel for
# fresh, zeroed pages each time. The workers do no algebra either.
_WORKER = {
    "MALLOC_MMAP_THRESHOLD_": str(512 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "OPENBLAS_NUM_THREADS": "1",
}

_PROCESSES = os.cpu_count() or 1
ALONE = 32 << 20  # below this, a second process costs more than it gives


class Parts:
    """Evidence dealt into parts, each derived as soon as it is large enough."""

    def __init__(self, case: Case, progress: Progress | None) -> None:
        self.staging = case.path / "events" / ".staging"
        self._case, self._total, self._progress = case, 0, progress
        self._part: list[Evidence] = []
        self._jobs: list[Callable[[], list[Loaded]]] = []
        self._executor: Any = None
        self._stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"  # no two runs share a name
        self._taken = self._derived = 0  # bytes

    @property
    def any(self) -> bool:
        """Whether there is anything to derive."""
        return bool(self._jobs or self._part)

    def expect(self, total: int) -> None:
        """Say how many bytes will be taken: where they are many, other processes begin to get ready."""
        self._total += total
        if self._total > ALONE and self._executor is None:
            self._executor = _executor()
            for _ in range(_PROCESSES):
                self._executor.submit(ready)

    def forgo(self, total: int) -> None:
        """Say that so many of the bytes will not be taken after all."""
        self._total -= total
        self._tell()

    def take(self, entries: Iterable[Evidence]) -> None:
        """Add evidence to the present part, and begin with the part when it is large enough."""
        for _, group in groupby(entries, key=self._unit):
            self._part += (together := list(group))
            self._taken += sum(entry.size for entry in together)
            self._tell()
            if sum(e.size for e in self._part) >= min(PART, max(LEAST, self._total // (2 * _PROCESSES))):
                self._begin()

    def _unit(self, entry: Evidence) -> tuple[str, tuple[int, ...]]:
        """What is read in one way: a compressed archive from its beginning, an archive in an archive too."""
        if not entry.position or is_read_as_one(self._case.evidence_path(entry)):
            return entry.path, ()
        return entry.path, entry.position[:1]

    def _begin(self) -> None:
        files = [(entry, self._case.evidence_path(entry)) for entry in self._part]
        job = (self.staging, f"{self._stamp}-{len(self._jobs):05d}", files)
        self._jobs.append(self._executor.submit(load_part, *job).result if self._executor else partial(load_part, *job))
        self._part = []

    def finish(self) -> list[Loaded]:
        """Wait for all parts; returns what each evidence file gave."""
        if self._part:
            self._begin()
        loaded: list[Loaded] = []
        for job in self._jobs:
            loaded += (result := job())
            self._derived += sum(item.evidence.size for item in result)
            self._tell()
        return loaded

    def _tell(self) -> None:
        """Report the bytes that are done: half of the work is to take them in, half to derive their events."""
        done = (self._taken + self._derived) // 2
        if self._progress:
            self._progress(done, max(self._total, done))

    def stop(self) -> None:
        """End the other processes; what they wrote is thrown away by the next run."""
        if self._executor:
            self._executor.shutdown(wait=True, kill_workers=True)


@contextmanager
def deriving(case: Case, progress: Progress | None) -> Iterator[Parts]:
    """Derive evidence while more of it is still taken in; `settle` the parts before this ends."""
    parts = Parts(case, progress)
    parts.staging.mkdir(parents=True, exist_ok=True)
    try:
        yield parts
    except BaseException:  # Ctrl-C too: nothing goes on in the background
        parts.stop()
        raise
    finally:
        shutil.rmtree(parts.staging, ignore_errors=True)


def _executor() -> Any:
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=_PROCESSES, timeout=10, env=_WORKER)
