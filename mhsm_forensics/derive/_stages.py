"""Threads that do one thing after another, so that the steps of many parts overlap."""

from __future__ import annotations

from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = Callable[[], object]


class Worker(Protocol):
    """What does jobs in the order in which they come, now or later."""

    def do(self, job: Job) -> None:
        """Do a job when those before it are done."""


class AtOnce:
    """Worker each job where it is handed over."""

    def do(self, job: Job) -> None:
        """Do a job."""
        job()


class Stage:
    """A thread that does the jobs it is handed.

    The first that fails is the last that is done: what failed is raised to whoever hands over another one, or waits for the
    end. Few jobs may wait, because each holds megabytes; whoever hands over one more waits too.
    """

    def __init__(self, waiting: int) -> None:
        self._jobs: Queue[Job | None] = Queue(waiting)
        self._problem: BaseException | None = None
        self._thread = Thread(target=self._run, name="mhsm", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for job in iter(self._jobs.get, None):
            if self._problem is None:
                try:
                    job()
                except BaseException as problem:  # noqa: BLE001 - raised where somebody waits
                    self._problem = problem
            del job  # while it waits for the next one, it would hold what this one held

    def do(self, job: Job) -> None:
        """Hand over a job, as soon as there is room for it."""
        self.check()
        self._jobs.put(job)

    def finish(self) -> None:
        """Wait until all is done."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self.check()

    def stop(self) -> None:
        """Let what waits be, and wait until the present job is done."""
        self._problem = self._problem or InterruptedError("stopped")
        while self._thread.is_alive():
            try:
                self._jobs.get_nowait()
            except Empty:
                self._jobs.put(None)
                self._thread.join()

    def check(self) -> None:
        """Raise what failed."""
        if self._problem is not None:
            raise self._problem
