"""What some bytes of a file are: records and rejects with their places, and how many lines were blank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ._context import Context
from ._shapes import Record, Row
from ._window import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._items import Item
    from ._templates import Alike


class Place(NamedTuple):
    """Where a record's bytes are: line and byte on which they start, length, and its number among those there.

    A record without bytes of its own has the place of what encloses it.
    """

    line: int
    offset: int
    length: int
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that are no record, and why."""

    place: Place
    reason: str
    raw: bytes


@dataclass(slots=True)
class Batch:
    """Records in the order of the file, what was rejected between them, and how many lines were blank.

    `records`, `routes` (how each came), `utc` (whether its table says that times are UTC), `lines`, `offsets`, `lengths` and
    `nth` belong together, item by item. `context` holds records of other logs, each with its bytes and their place. `forms`
    says what records were taken out of. `alike` are lines that were not read one by one, beside all of these.
    """

    records: list[Record] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    utc: list[bool] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    nth: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    context: list[tuple[Context, bytes, Place]] = field(default_factory=list)
    blank: int = 0
    forms: set[str] = field(default_factory=set)
    torn: str | None = None  # why compressed evidence ended early
    dates: str | None = None  # which number of a date is the day, where the file or the responder decides it
    alike: Alike | None = None

    def __len__(self) -> int:
        """Count the records and rejects of all kinds."""
        return len(self.records) + len(self.rejects) + len(self.context)

    @property
    def last_line(self) -> int:
        """Number of the last line with a record; 0 where there is none."""
        return max(0, *self.lines, self.alike.last_line if self.alike else 0)

    def reject(self, place: Place, reason: str, raw: bytes) -> None:
        """Account for bytes that are no record."""
        self.rejects.append(Reject(place, reason, raw[:KEPT]))

    def add(self, item: Item | None, data: bytes, place: Place) -> None:
        """Account for an object or a row; one that is no record, or has no time, is a reject."""
        if isinstance(item, Context):
            self.context.append((item, data, place))
        elif item is None or not item.record.operationName:
            self.reject(place, "not_a_record", data)
        elif not item.record.time:
            self.reject(place, "no_time", data)
        else:
            self._add(item, data, place)

    def _add(self, row: Row, data: bytes, place: Place) -> None:
        self.records.append(row.record)
        self.routes.append(row.route)
        self.utc.append(row.is_utc)
        self.data.append(data)
        self.lines.append(place.line)
        self.offsets.append(place.offset)
        self.lengths.append(place.length)
        self.nth.append(place.nth)

    def add_lines(self, records: list[Record], data: list[bytes], lines: Sequence[int], offsets: list[int]) -> None:
        """Account for lines that are a record each, as the service writes them."""
        self.records += records
        self.routes += ["storage"] * len(records)
        self.utc += [False] * len(records)
        self.data += data
        self.lines += lines
        self.offsets += offsets
        self.lengths += map(len, data)
        self.nth += [1] * len(records)

    def taken_out_of(self, path: str) -> None:
        """Note the fields that lead to a record inside something else."""
        if path:
            self.forms.add(f"records inside {path}")

    def absorb(self, other: Batch, place: Place, nth: int) -> int:
        """Account for what another batch holds at one place, numbered from *nth* on; returns the next number."""
        rows = zip(other.records, other.routes, other.utc, other.data, strict=True)
        for record, route, is_utc, data in rows:
            self._add(Row(record, route, is_utc), data, place._replace(nth=nth))
            nth += 1
        for reject in other.rejects:
            self.reject(place._replace(nth=nth), reject.reason, reject.raw)
            nth += 1
        for context, data, _ in other.context:
            self.context.append((context, data, place._replace(nth=nth)))
            nth += 1
        self.blank += other.blank
        self.forms |= other.forms
        return nth

    def place(self, index: int) -> Place:
        """Where a record's bytes are."""
        return Place(self.lines[index], self.offsets[index], self.lengths[index], self.nth[index])

    def only(self, indices: Iterable[int]) -> Batch:
        """Return a batch of some of the records; rejects and blanks stay behind."""
        chosen = list(indices)
        batch = Batch()
        for name in _COLUMNS:
            column = getattr(self, name)
            setattr(batch, name, [column[index] for index in chosen])
        return batch

    def append(self, other: Batch) -> None:
        """Add the records of another batch."""
        for name in _COLUMNS:
            getattr(self, name).extend(getattr(other, name))


_COLUMNS = ("records", "routes", "utc", "data", "lines", "offsets", "lengths", "nth")
