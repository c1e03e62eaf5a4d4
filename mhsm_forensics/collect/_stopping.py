"""Requests that somebody may stop: who asked is not kept waiting, and what was asked ends by itself."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ._patience import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

T = TypeVar("T")

GRACE = 1.5  # seconds that requests have to end in after a stop; what they bring later is dropped
_LOOK = 0.1  # seconds between two looks at the stop


class Workers(ThreadPoolExecutor):
    """Threads for requests; after a stop they begin nothing, and nobody waits for them for longer than `GRACE`.

    `halt` is set when the work ends early, for whatever reason: what runs in the threads looks at it.
    """

    def __init__(self, count: int, stop: Event | None) -> None:
        super().__init__(count, thread_name_prefix="collect")
        self.halt = Event()
        self._asked = stop or Event()

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, _trace: Any) -> None:
        if kind is not None:  # Ctrl-C, or a full disk: what runs ends after its present request
            self.halt.set()
        self.shutdown(wait=kind is not StoppedError, cancel_futures=kind is not None)

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], **_: Any) -> Iterator[T]:
        """Yield what *fn* returns, in order.

        Raises
        ------
        StoppedError
            Somebody asked to stop.
        """
        jobs = [self.submit(fn, *given) for given in zip(*iterables, strict=True)]
        return (self._result(job) for job in jobs)

    def finished(self, jobs: Collection[Future[T]]) -> Iterator[Future[T]]:
        """Yield jobs as they finish; after a stop those that finish within `GRACE`.

        Raises
        ------
        StoppedError
            Somebody asked to stop, and not every job was finished.
        """
        done: SimpleQueue[Future[T]] = SimpleQueue()
        for job in jobs:
            job.add_done_callback(done.put)
        left = len(jobs)
        while left and not self._asked.is_set():
            for job in _next(done):
                left -= 1
                yield job
        if left:
            yield from self._finishing(jobs, done, left)

    def _finishing(self, jobs: Collection[Future[T]], done: SimpleQueue[Future[T]], left: int) -> Iterator[Future[T]]:
        self.halt.set()
        for job in jobs:
            job.cancel()
        dropped, until = 0, monotonic() + GRACE
        while left and monotonic() < until:
            for job in _next(done):
                left -= 1
                if job.cancelled() or isinstance(job.exception(), StoppedError):
                    dropped += 1
                else:
                    yield job
        if left or dropped:
            raise StoppedError

    def _result(self, job: Future[T]) -> T:
        while not wait([job], timeout=_LOOK).done:
            if self._asked.is_set():
                raise StoppedError
        return job.result()


def interruptible(call: Callable[[], T], stop: Event | None) -> T:
    """Return what *call* returns, unless somebody asks to stop; then it ends by itself, and its result is dropped.

    Raises
    ------
    StoppedError
        Somebody asked to stop.
    """
    if stop is None:
        return call()
    job: Future[T] = Future()
    Thread(target=_run, args=(call, job), name="collect", daemon=True).start()
    while not wait([job], timeout=_LOOK).done:
        if stop.is_set():
            raise StoppedError
    return job.result()


def _run(call: Callable[[], T], job: Future[T]) -> None:
    try:
        job.set_result(call())
    except BaseException as problem:  # noqa: BLE001 - it is raised where the result is wanted
        job.set_exception(problem)


def _next(done: SimpleQueue[Future[T]]) -> Iterator[Future[T]]:
    try:
        yield done.get(timeout=_LOOK)
    except Empty:
        return
