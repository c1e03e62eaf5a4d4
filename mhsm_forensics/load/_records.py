"""A file → its records, whatever the container: text of JSON, a table, or a binary form."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..evidence import TornStreamError
from ..evidence.signs import table_of
from ._batch import Batch, Place
from ._delimited import row_batches
from ._lines import text_batches
from ._order import Order, needs_order
from ._stored import AVRO, PARQUET, stored_batches
from ._window import KEPT, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._templates import Templates

_BLOCK = 64 << 10


def records(
    content: Iterable[bytes], *, dates: str | None = None, templates: Templates | None = None
) -> Iterator[Batch]:
    """Yield the records of a file with their places, and account for every line that is none.

    Parameters
    ----------
    content
        The decompressed bytes, in blocks of any size (`evidence.blocks`). They are asked for a second time where only the
        whole file says which number of its dates is the day; what can't be had twice is kept on disk meanwhile.
    dates
        What the responder says of that, for files that don't decide it: ``day-first`` or ``month-first``.
    templates
        What is known of lines that came before; with it, lines like them are not read one by one (`Batch.alike`).

    Returns
    -------
    Batches of a few thousand records. Lines, array elements and rows add up: each is exactly one record, one reject (with
    its reason and bytes) or one blank.

    References
    ----------
    https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs (JSON Lines since November 2018)
    """
    if isinstance(content, Iterator):
        content = _Kept(content)
    order: str | None = None
    is_known = False
    for batch in _batches(content, templates):
        if not is_known and needs_order(record.time for record in batch.records):
            order, is_known = _order_of(content, dates), True
        batch.dates = order
        yield batch


def _order_of(content: Iterable[bytes], by_responder: str | None) -> str | None:
    order = Order()
    for batch in _batches(content):
        order.look_at(record.time for record in batch.records)
    return order.decided(by_responder)


def _batches(content: Iterable[bytes], templates: Templates | None = None) -> Iterator[Batch]:
    stream = _Stream(content)
    last: Batch | None = None
    for batch in _framed(Window(stream), templates):
        if last is not None:
            yield last
        last = batch
    if last is None:
        last = Batch()
    if stream.torn:
        _say_unreadable(last, stream)
    yield last


def _framed(window: Window, templates: Templates | None) -> Iterator[Batch]:
    window.hold(0, KEPT)
    if window.data.startswith((AVRO, PARQUET)):
        return stored_batches(window)
    header = table_of(window.data[:KEPT])
    return row_batches(window, header) if header else text_batches(window, templates)


def _say_unreadable(batch: Batch, stream: _Stream) -> None:
    """Say in one reject why the rest of the file can't be read; what the fault cut in two is that reject."""
    batch.torn = stream.torn
    reason = f"unreadable: {stream.torn}"
    if batch.rejects and batch.rejects[-1].reason == "truncated":
        cut = batch.rejects.pop()
        batch.reject(cut.place, reason, cut.raw)
    else:
        batch.reject(Place(batch.last_line + 1, stream.read, 0), reason, b"")


class _Kept:
    """Blocks that come once, kept on disk, so that they can be had as often as they are asked for."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=KEPT)  # noqa: SIM115 - closed when this object goes
        weakref.finalize(self, self._file.close)
        self._torn: TornStreamError | None = None
        try:
            for block in blocks:
                self._file.write(block)
        except TornStreamError as problem:
            self._torn = problem

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while True:
            self._file.seek(at)  # another may have read in between
            if not (block := self._file.read(_BLOCK)):
                break
            at += len(block)
            yield block
        if self._torn:
            raise self._torn


class _Stream:
    """Blocks that simply end where a damaged archive does; what was wrong is kept."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.torn: str | None = None
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._blocks:
                self.read += len(block)
                yield block
        except TornStreamError as problem:
            self.torn = problem.reason
