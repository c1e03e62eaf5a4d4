"""The parts that are being derived, by other processes where that pays."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from queue import Queue
from threading import Event
from typing import TYPE_CHECKING, Any

from ..derive import Loaded, Reader, Stage, keeping_pages, load_part
from ..evidence import head_of, is_read_as_one
from ..load import holds_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

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
FEW = 8 << 20  # below this, hardly any line comes again
_ROOM = 3  # jobs of a thread that wait: each holds a row group
_LOOK = 0.2  # seconds between two looks at whether a thread has failed


class Parts:
    """Evidence dealt into parts, each derived as soon as it is large enough.

    Files of one record a line are read in this process, by one thread that remembers lines while another writes Parquet.
    Any other file is decoded record by record, for which other processes help where there is much.
    """

    def __init__(self, case: Case, progress: Progress | None) -> None:
        self.staging = case.path / "events" / ".staging"
        self._case, self._total, self._progress = case, 0, progress
        self._pending: dict[bool, list[Evidence]] = {True: [], False: []}  # whether lines → the part that is begun next
        self._lined: dict[str, bool] = {}  # paths of evidence whose lines are records
        self._jobs: list[Callable[[], list[Loaded]]] = []
        self._executor: Any = None
        self._threads: _Threads | None = None
        self._stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"  # no two runs share a name
        self._taken = self._derived = 0  # bytes

    @property
    def any(self) -> bool:
        """Whether there is anything to derive."""
        return bool(self._jobs or any(self._pending.values()))

    def expect(self, total: int) -> None:
        """Say how many bytes will be taken."""
        self._total += total

    def forgo(self, total: int) -> None:
        """Say that so many of the bytes will not be taken after all."""
        self._total -= total
        self._tell()

    def take(self, entries: Iterable[Evidence]) -> None:
        """Add evidence to the present part of its kind, and begin with the part when it is large enough."""
        for _, group in groupby(entries, key=self._unit):
            together = list(group)
            kind = self._holds_lines(together[0])
            self._pending[kind] += together
            self._taken += sum(entry.size for entry in together)
            self._tell()
            if sum(e.size for e in self._pending[kind]) >= min(PART, max(LEAST, self._total // (2 * _PROCESSES))):
                self._begin(kind)

    def _unit(self, entry: Evidence) -> tuple[str, tuple[int, ...]]:
        """What is read in one way: a compressed archive from its beginning, an archive in an archive too."""
        if not entry.position or is_read_as_one(self._case.evidence_path(entry)):
            return entry.path, ()
        return entry.path, entry.position[:1]

    def _holds_lines(self, entry: Evidence) -> bool:
        """Whether a file is of one record a line, or the first of an archive; where there is little, it makes no difference."""
        if self._total <= ALONE:
            return True
        if entry.path not in self._lined:
            self._lined[entry.path] = holds_lines(head_of(self._case.evidence_path(entry), entry.position))
        return self._lined[entry.path]

    def _begin(self, kind: bool) -> None:  # noqa: FBT001 - a key of what is pending
        files = [(entry, self._case.evidence_path(entry)) for entry in self._pending[kind]]
        name, self._pending[kind] = f"{self._stamp}-{len(self._jobs):05d}", []
        if self._total <= FEW:
            self._jobs.append(partial(load_part, self.staging, name, files))
        elif kind:
            self._threads = self._threads or _Threads(self.staging)
            self._jobs.append(self._threads.begin(name, files))
        else:
            self._executor = self._executor or _executor()
            self._jobs.append(self._executor.submit(load_part, self.staging, name, files).result)

    def finish(self) -> list[Loaded]:
        """Wait for all parts; returns what each evidence file gave."""
        for kind, pending in self._pending.items():
            if pending:
                self._begin(kind)
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

    def end(self) -> None:
        """Let the threads go, which have nothing more to do."""
        if self._threads:
            self._threads.end()

    def stop(self) -> None:
        """End the other processes and threads; what they wrote is thrown away by the next run."""
        if self._executor:
            self._executor.shutdown(wait=True, kill_workers=True)
        if self._threads:
            self._threads.stop()


class _Threads:
    """Two threads: one reads parts, and the other makes columns and Parquet of what it has read."""

    def __init__(self, staging: Path) -> None:
        self._pages = ExitStack()
        self._pages.enter_context(keeping_pages())
        self._last = Stage(_ROOM)
        self._first = Stage(0)  # what waits here are names
        self._reader = Reader(staging, self._last, remembers=True)

    def begin(self, name: str, files: list[tuple[Evidence, Path]]) -> Callable[[], list[Loaded]]:
        """Read a part when those before it are read; returns how to wait for what it gave."""
        gave: Queue[list[Loaded]] = Queue(1)
        is_written = Event()

        def read() -> None:
            gave.put(self._reader.part(name, files))
            self._last.do(is_written.set)

        self._first.do(read)
        return partial(self._wait, is_written, gave)

    def _wait(self, is_written: Event, gave: Queue[list[Loaded]]) -> list[Loaded]:
        while not is_written.wait(_LOOK):
            self._first.check()
            self._last.check()
        return gave.get()

    def end(self) -> None:
        """Wait until all is done."""
        self._first.finish()
        self._last.finish()
        self._pages.close()

    def stop(self) -> None:
        """Do nothing more."""
        self._last.stop()
        self._first.stop()
        self._pages.close()


@contextmanager
def deriving(case: Case, progress: Progress | None) -> Iterator[Parts]:
    """Derive evidence while more of it is still taken in; `publish` the parts before this ends."""
    parts = Parts(case, progress)
    parts.staging.mkdir(parents=True, exist_ok=True)
    try:
        yield parts
        parts.end()
    except BaseException:  # Ctrl-C too: nothing goes on in the background
        parts.stop()
        raise
    finally:
        shutil.rmtree(parts.staging, ignore_errors=True)


def _executor() -> Any:
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=_PROCESSES, timeout=10, env=_WORKER)
