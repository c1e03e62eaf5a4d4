"""Which slices of time to ask for: half-open, without gap or overlap, each small enough to be answered whole."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HOUR = timedelta(hours=1)

# The service ends an answer at 64,000,000 bytes or 500,000 rows. Half of that leaves room for uneven rows.
_BYTES = 32_000_000
_ROWS = 250_000
_BYTES_A_ROW = 3_200  # until the first answer shows how long rows are


@dataclass(frozen=True, slots=True)
class Span:
    """A slice of time from *start* up to and without *end*; `rows` as counted by the service, if it was."""

    start: datetime
    end: datetime
    rows: int | None = None

    @property
    def can_be_halved(self) -> bool:
        """Whether there is a moment between its ends: the language knows microseconds."""
        return self.end - self.start > timedelta(microseconds=1)

    def halves(self) -> tuple[Span, Span]:
        """Cut in two at the middle.

        >>> whole = Span(datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC), 7)
        >>> [f"{half.start:%H}-{half.end:%H}" for half in whole.halves()]
        ['00-12', '12-00']
        """
        middle = self.start + (self.end - self.start) / 2
        return Span(self.start, middle), Span(middle, self.end)


class Pace:
    """How many rows to ask for at a time, learned from the answers."""

    def __init__(self) -> None:
        self.rows = _BYTES // _BYTES_A_ROW

    def learn(self, size: int, rows: int) -> None:
        """Take an answer of *size* bytes into account."""
        if rows >= 100:
            self.rows = max(1, min(_ROWS, _BYTES * rows // size))

    def slow(self, rows: int) -> None:
        """Ask for no more than half of *rows*, which were too many."""
        self.rows = max(1, min(self.rows, rows // 2))


def spans(hours: Sequence[tuple[datetime, int]], whole: Span, pace: Pace) -> Iterator[Span]:
    """Yield the slices of *whole*, in order; *pace* is read anew for each.

    Parameters
    ----------
    hours
        Hours that have rows, and how many, in order.
    whole
        What the slices cover, without gap or overlap.
    pace
        Rows of a slice.
    """
    start, held = whole.start, 0
    for hour, rows in hours:
        begins, ends = max(hour, whole.start), min(hour + HOUR, whole.end)
        if begins >= ends:
            continue
        if held and held + rows > pace.rows:
            yield _counted(Span(start, begins, held), whole)
            start, held = begins, 0
        held += rows
        if held > pace.rows:
            yield from _parts(Span(start, ends), begins, math.ceil(held / pace.rows))
            start, held = ends, 0
    if start < whole.end:
        yield _counted(Span(start, whole.end, held), whole)


def _counted(span: Span, whole: Span) -> Span:
    """Forget the count where an hour that was counted is cut by an end of *whole* that is no end of the case's time."""
    exact = all(moment in (whole.start, whole.end) or moment == floor(moment) for moment in (span.start, span.end))
    return span if exact else replace(span, rows=None)


def _parts(span: Span, busy: datetime, count: int) -> Iterator[Span]:
    """Cut a span into parts of equal length from *busy* on; the quiet time before belongs to the first."""
    step = (span.end - busy) / count
    edges = [span.start, *(busy + step * part for part in range(1, count)), span.end]
    for start, end in itertools.pairwise(edges):
        yield Span(start, end)


def missing(whole: Span, done: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Return which of the spans that are done can be kept, and the gaps between them."""
    kept: list[Span] = []
    gaps: list[Span] = []
    at = whole.start
    for span in sorted(done, key=lambda span: (span.start, span.end)):
        if span.start < at or span.end > whole.end:
            continue
        if span.start > at:
            gaps.append(Span(at, span.start))
        kept.append(span)
        at = span.end
    if at < whole.end:
        gaps.append(Span(at, whole.end))
    return kept, gaps


def floor(moment: datetime) -> datetime:
    """Start of the hour.

    >>> floor(datetime(2026, 3, 5, 1, 59, 17, 5, tzinfo=UTC)).isoformat()
    '2026-03-05T01:00:00+00:00'
    """
    return moment.replace(minute=0, second=0, microsecond=0)


def moment(text: str) -> datetime:
    """Read a time as the service writes it, its seventh digit cut off.

    >>> moment("2026-03-05T01:59:17.5606376Z")
    datetime.datetime(2026, 3, 5, 1, 59, 17, 560637, tzinfo=datetime.timezone.utc)
    """
    whole, point, digits = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}{point}{digits[:6].ljust(6, '0') if point else ''}").replace(tzinfo=UTC)
