"""Which records say the same request: a function of the records alone, and not of the order in which they came.

A record of an export that cut its times to minutes, or left columns out, may be of one of several requests. Each entry of one
list is another request, unless it says the same as another one in everything. So the entries of a list are matched to the
requests that are known, as many of them as can be, one to one; those that are left are requests of their own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ._statements import COLUMNS, Difference, Statement, differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SAME_MOMENT: Final = (
    10_000  # ticks, a millisecond: within it, what has one correlation id and URI by two routes is one request
)
_NAMED: Final = tuple(COLUMNS.index(name) for name in ("correlation_id", "request_uri", "hsm"))


@dataclass(eq=False)
class _Entry:
    """Records that say the same in everything, at most one of each list."""

    said: list[Statement]
    is_first: bool = True  # the others may be the same request, or another one that is written alike
    listings: set[tuple[str, str]] = field(default_factory=set)

    @property
    def one(self) -> Statement:
        return self.said[0]

    def order(self) -> tuple[int, int, int]:
        return self.one.precision, -self.one.filled, self.one.number


class _Known:
    """A request, and what its witnesses say of it together."""

    def __init__(self, entry: _Entry) -> None:
        self.entries = [entry]
        self.columns = list(entry.one.columns)
        self.more = dict(entry.one.more)
        self.start, self.end = entry.one.start, entry.one.end
        self.listings = set(entry.listings)

    def agrees(self, entry: _Entry) -> bool:
        """Whether a record can be of this request: it contradicts it in nothing."""
        said = entry.one
        if said.start >= self.end or said.end <= self.start or entry.listings & self.listings:
            return False
        if any(a is not None and b is not None and a != b for a, b in zip(self.columns, said.columns, strict=True)):
            return False
        return all(self.more.get(name, value) == value for name, value in said.more.items())

    def take(self, entry: _Entry) -> None:
        """Count a record as a witness of this request."""
        said = entry.one
        self.entries.append(entry)
        self.columns = [b if a is None else a for a, b in zip(self.columns, said.columns, strict=True)]
        self.more = {**said.more, **self.more}
        self.start, self.end = max(self.start, said.start), min(self.end, said.end)
        self.listings |= entry.listings

    @property
    def routes(self) -> set[str]:
        return {route for route, _ in self.listings}


@dataclass(frozen=True, slots=True)
class Request:
    """A request: the record that says most of it, all its witnesses by id, and in what each contradicts the fullest."""

    fullest: Statement
    witnesses: list[Statement]
    contradicts: dict[int, list[Difference]]  # by the number of the statement


def requests_of(statements: Iterable[Statement]) -> list[Request]:
    """Say which of some records are of the same request.

    Parameters
    ----------
    statements
        Records of one operation, whose times may be the same.

    Returns
    -------
    Every request with its witnesses; each record is a witness of exactly one.
    """
    entries = sorted(_entries(statements), key=_Entry.order)
    rank: dict[tuple[str, str], int] = {}
    for entry in entries:
        for listing in sorted(entry.listings):
            rank.setdefault(listing, len(rank))
    lists: dict[int, list[_Entry]] = defaultdict(list)
    for entry in entries:
        lists[min(rank[listing] for listing in entry.listings)].append(entry)
    known: list[_Known] = []
    firsts: dict[Any, _Known] = {}
    for _, entries_of_one in sorted(lists.items()):
        _match(known, entries_of_one, firsts)
    return [_told(request) for request in _contradicting(known)]


def _entries(statements: Iterable[Statement]) -> Iterator[_Entry]:
    """Yield records that say the same together, the nth of each list with the nth of the others."""
    alike: dict[Any, dict[tuple[str, str], list[Statement]]] = defaultdict(lambda: defaultdict(list))
    for said in sorted(statements, key=lambda said: said.number):
        alike[said.whole][said.listing].append(said)
    for by_list in alike.values():
        for nth in range(max(map(len, by_list.values()))):
            alike_here = sorted((ones[nth] for ones in by_list.values() if len(ones) > nth), key=lambda one: one.number)
            yield _Entry(alike_here, nth == 0, {one.listing for one in alike_here})


def _match(known: list[_Known], entries: list[_Entry], firsts: dict[Any, _Known]) -> None:
    """Make the entries of a list witnesses of known requests, as many as can be; the others are new ones.

    `firsts` has the request of the first of those that say the same in everything: the others are the same one where no
    request is left that they could be.
    """
    matched = _Matching(known, entries).found()
    for entry in entries:
        if (request := matched.get(entry)) is not None:
            request.take(entry)
        elif entry.is_first:
            known.append(request := _Known(entry))
        if request is not None and entry.is_first:
            firsts[entry.one.whole] = request
    for entry in entries:
        if entry not in matched and not entry.is_first:
            firsts[entry.one.whole].entries.append(entry)
            firsts[entry.one.whole].listings |= entry.listings


class _Matching:
    """The largest matching of the entries of a list to requests; of several, the same one every time."""

    def __init__(self, known: list[_Known], entries: list[_Entry]) -> None:
        self._known, self._entries = known, entries
        self._owner: dict[_Known, _Entry] = {}
        self._candidates: dict[tuple[bool, ...], dict[tuple[Any, ...], list[_Known]]] = {}
        self._rest: dict[tuple[bool, ...], list[_Known]] = {}

    def found(self) -> dict[_Entry, _Known]:
        """Match them all; entries that find no request are missing."""
        if self._known:
            for entry in self._entries:
                self._place(entry)
        return {entry: request for request, entry in self._owner.items()}

    def _place(self, entry: _Entry) -> None:
        """Find a request for an entry; one that is taken, if its entry can have another."""
        for request in self._possible(entry):
            if request not in self._owner and request.agrees(entry):
                self._owner[request] = entry
                return
        came: dict[_Known, _Entry] = {}
        waiting = [entry]
        for one in waiting:
            for request in self._possible(one):
                if request in came or not request.agrees(one):
                    continue
                came[request] = one
                if request not in self._owner:
                    self._pass_on(request, came)
                    return
                waiting.append(self._owner[request])

    def _pass_on(self, free: _Known, came: dict[_Known, _Entry]) -> None:
        had = {entry: request for request, entry in self._owner.items()}
        request: _Known | None = free
        while request is not None:
            entry = came[request]
            self._owner[request], request = entry, had.get(entry)

    def _possible(self, entry: _Entry) -> Iterator[_Known]:
        """Yield the requests that say the same in every column of the entry, then those that lack some of them."""
        mask = tuple(value is not None for value in entry.one.columns)
        if mask not in self._candidates:
            self._sort(mask)
        yield from self._candidates[mask].get(tuple(filter(_is_said, entry.one.columns)), ())
        yield from self._rest[mask]

    def _sort(self, mask: tuple[bool, ...]) -> None:
        by_values: dict[tuple[Any, ...], list[_Known]] = defaultdict(list)
        rest: list[_Known] = []
        for request in self._known:
            values = tuple(value for value, wanted in zip(request.columns, mask, strict=True) if wanted)
            (rest if None in values else by_values[values]).append(request)
        self._candidates[mask], self._rest[mask] = by_values, rest


def _is_said(value: Any) -> bool:
    return value is not None


def _contradicting(known: list[_Known]) -> list[_Known]:
    """Join requests that must be one though routes say different things of it.

    That is: the same operation, URI and correlation id on one HSM within the same millisecond at most, once by one route and
    once by another. Of one route, they are two requests.
    """
    alike: dict[tuple[Any, ...], list[_Known]] = defaultdict(list)
    for request in known:
        names = tuple(request.columns[at] for at in _NAMED)
        if None not in names and request.end - request.start <= _SAME_MOMENT:
            alike[names].append(request)
    joined: set[_Known] = set()
    for requests in alike.values():
        others = {one: [o for o in requests if o is not one and _is_other_route(one, o)] for one in requests}
        for one in requests:
            if one not in joined and len(others[one]) == 1 and others[(other := others[one][0])] == [one]:
                one.entries += other.entries
                joined.add(other)
    return [request for request in known if request not in joined]


def _is_other_route(one: _Known, other: _Known) -> bool:
    return one.start < other.end and other.start < one.end and not one.routes & other.routes


def _told(request: _Known) -> Request:
    said = sorted((said for entry in request.entries for said in entry.said), key=lambda one: one.number)
    fullest = min(said, key=lambda one: (one.precision, -one.filled, one.number))
    differences = ((one.number, differing(one, fullest)) for one in said if one is not fullest)
    return Request(fullest, said, {number: names for number, names in differences if names})
