"""Events as points in lanes: what of them is seen from a distance, and what from nearby."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import engine
from ..analyse._names import names as names_of
from ..errors import InputError
from ..plot._timeline import LANES_OF

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

SHOWN: Final = 16  # lanes; more do not fit on a screen
COLUMN: Final = 3  # pixels; a narrower bar can't be told from its neighbour
STACK: Final = 5  # events that find room above each other in a lane
SINGLY: Final = 300  # events of a lane that are drawn one by one
OUTCOMES: Final = ("success", "accepted", "denied", "failure or unknown")

_SECOND, _MINUTE, _HOUR, _DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6
_STEPS: Final = (
    *(digit * 10**power for power in range(6) for digit in (1, 2, 5)),
    *(count * _SECOND for count in (1, 2, 5, 10, 15, 30)),
    *(count * _MINUTE for count in (1, 2, 5, 10, 15, 20, 30)),
    *(count * _HOUR for count in (1, 2, 3, 4, 6, 12)),
    *(count * _DAY for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane, or the sum of those that are not shown; `name` is null for events that have none."""

    name: str | None
    events: int
    denied: int
    acts: int
    first: int
    last: int
    summed: int = 0  # lanes that it is the sum of
    value: str | None = None  # what its events have in the column: of an identity the actor, whose name `name` is


class Points:
    """Events held open as points in lanes; `view` says what is to be drawn of them.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events.
    by
        Column whose values are the lanes.
    groups
        Names of the groups of operations, in the order in which they are numbered.
    limit
        Most lanes with a name; the rest is summed in one more.
    """

    def __init__(self, events: Any, *, by: str, groups: list[str], limit: int = SHOWN) -> None:
        if by not in LANES_OF:
            raise InputError(f"{by!r}: no lanes. Hint: one of {', '.join(LANES_OF)}.")
        self.by = by
        self._limit = limit
        self._session = engine.Session(events)
        self._session.keep(
            "kinds",
            "SELECT unnest(:names) AS name, unnest(:kinds) AS kind",
            names=groups,
            kinds=list(range(len(groups))),
        )
        self._lay_out(self._ask("timeline_lanes", by=by))

    def __len__(self) -> int:
        return sum(lane.events for lane in self.lanes)

    @property
    def total_lanes(self) -> int:
        """Number of lanes, shown or not."""
        return sum(max(lane.summed, 1) for lane in self.lanes)

    @property
    def span(self) -> tuple[int, int]:
        """Microseconds since 1970 of the first event, and of the moment after the last; an hour where there is none."""
        if not self.lanes:
            return 0, _HOUR
        return min(lane.first for lane in self.lanes), max(lane.last for lane in self.lanes) + 1

    @property
    def whole(self) -> tuple[int, int]:
        """A view of everything, with a little room at both ends."""
        first, end = self.span
        room = max((end - first) // 80, 1) if end - first > 1 else _HOUR // 2
        return first - room, end + room

    def view(self, start: int, end: int, width: int) -> dict[str, Any]:
        """What is to be drawn from *start* up to and without *end* (microseconds since 1970) in so many pixels.

        Returns
        -------
        ``start``, ``end``, ``step`` and ``base`` (microseconds: bins are *step* long, counted from *base*); ``bars``
        (lane, bin, group, events, denied among them), ``acts`` (control acts: lane, group, state, events, first, last)
        and ``marks`` (lane, group, state, time), each a frame, and each event in exactly one of the three; ``events``,
        ``denied`` and ``control`` (counts of all that is in view), ``lanes`` (events in view, by lane). A lane is drawn
        as marks where each of its events finds room, else as bars.
        """
        end = max(end, start + 1)
        step = rounded((end - start) / max(width // COLUMN, 1))
        base = start // step * step
        cells = self._ask("timeline_cells", start=start, end=end, base=base, step=step)
        acts, rest = cells[cells["control"] == 1], cells[cells["control"] == 0]
        singly = _singly(rest)
        by_lane = cells.groupby("lane")["events"].sum()
        return {
            "start": start, "end": end, "step": step, "base": base,
            "bars": _bars(rest[~rest["lane"].isin(singly)]),
            "acts": acts[["lane", "kind", "state", "events", "first_t", "last_t"]],
            "marks": self._ask("timeline_marks", start=start, end=end, lanes=singly),
            "events": int(cells["events"].sum()),
            "denied": int(cells.loc[cells["state"] == 2, "events"].sum()),
            "control": int(acts["events"].sum()),
            "lanes": [int(by_lane.get(place, 0)) for place in range(len(self.lanes))],
        }  # fmt: skip

    def ids(self, start: int, end: int, *, lane: int | None = None, **only: int | None) -> list[str]:
        """Ids of events in a stretch of time, in order; of one `lane`, `kind`, `state` or `control` where it is given."""
        wanted = {"kind": None, "state": None, "control": None} | only
        found = self._ask("timeline_events", by=self.by, start=start, end=end, others=self._others, lane=lane, **wanted)
        ids: list[str] = found["event_id"].to_list()
        return ids

    def count(self, start: int, end: int, lane: int | None = None) -> tuple[int, int, int]:
        """Events, denied ones and control acts in a stretch of time."""
        cells = self._ask("timeline_cells", start=start, end=end, base=start, step=max(end - start, 1))
        cells = cells if lane is None else cells[cells["lane"] == lane]
        denied, acts = cells["state"] == 2, cells["control"] == 1
        return int(cells["events"].sum()), int(cells.loc[denied, "events"].sum()), int(cells.loc[acts, "events"].sum())

    def record(self, event_id: str) -> dict[str, Any]:
        """What the log says of one event, by column; nothing where there is no such event."""
        rows = self._ask("event_record", event_id=event_id).to_dict("records")
        return {str(name): value for name, value in rows[0].items() if not pd.isna(value)} if rows else {}

    def neighbours(self, event_id: str, by: str, name: str) -> dict[str, Any]:
        """Where an event stands among those with the same actor, key or correlation id; those beside it."""
        found = self._ask("event_neighbours", event_id=event_id, by=by, name=name).to_dict("records")
        return {str(k): v if not pd.isna(v) else None for k, v in found[0].items()} if found else {}

    def close(self) -> None:
        """Let go of what is held open."""
        self._session.close()

    @property
    def _others(self) -> int:
        """Number of the lane that is the sum of those without their own."""
        return len(self.lanes) - 1 if self.lanes and self.lanes[-1].summed else len(self.lanes)

    def _lay_out(self, found: pd.DataFrame) -> None:
        called = names_of(self._session) if self.by == "principal" else {}
        lanes = [_lane(row, called) for row in found.to_dict("records")]
        self.lanes = list(chosen(lanes, self._limit))
        own = [lane for lane in self.lanes if not lane.summed]
        names, places = [lane.value for lane in own], list(range(len(own)))
        text = "SELECT unnest(CAST(:names AS VARCHAR[])) AS name, unnest(CAST(:places AS INT[])) AS place"
        self._session.keep("lanes", text, names=names, places=places)
        self._session.keep("points", engine.sql("timeline_points"), by=self.by, others=self._others)

    def _ask(self, question: str, /, **parameters: Any) -> pd.DataFrame:
        return self._session.run(engine.sql(question), **parameters)


def _lane(row: dict[Hashable, Any], called: dict[str, str]) -> Lane:
    value = row["lane"] if isinstance(row["lane"], str) else None
    events, denied, acts, first, last = (int(row[name]) for name in ("events", "denied", "acts", "first_t", "last_t"))
    return Lane(value if value is None else called.get(value, value), events, denied, acts, first, last, value=value)


def chosen(lanes: list[Lane], limit: int) -> Iterator[Lane]:
    """Lanes to be shown: those with control acts and the busiest, then people and the rarest on top; last, the rest."""
    important = sorted(lanes, key=lambda lane: (lane.acts == 0, -lane.events, lane.name or ""))
    kept, rest = important[:limit], important[limit:]
    yield from sorted(
        kept, key=lambda lane: (lane.acts == 0, "@" not in (lane.name or ""), lane.events, lane.name or "")
    )
    if rest:
        events, denied, acts = (sum(getattr(lane, name) for lane in rest) for name in ("events", "denied", "acts"))
        first, last = min(lane.first for lane in rest), max(lane.last for lane in rest)
        yield Lane(None, events, denied, acts, first, last, summed=len(rest))


def rounded(microseconds: float) -> int:
    """The shortest round length of time that is no shorter than this.

    >>> rounded(0.3), rounded(1.2e6), rounded(50 * 60e6) == 3600 * 10**6
    (1, 2000000, True)
    """
    place = bisect_left(_STEPS, microseconds)
    return _STEPS[place] if place < len(_STEPS) else -int(-microseconds // _DAY) * _DAY


def _singly(cells: pd.DataFrame) -> list[int]:
    """Lanes whose events can all be drawn one by one."""
    if cells.empty:
        return []
    fullest = cells.groupby(["lane", "bin"])["events"].sum().groupby("lane").max()
    total = cells.groupby("lane")["events"].sum()
    return [int(lane) for lane in total.index if fullest[lane] <= STACK and total[lane] <= SINGLY]


def _bars(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with their outcomes summed, the denied ones counted apart."""
    denied = cells["events"].where(cells["state"] == 2, 0)
    sums = cells.assign(denied=denied).groupby(["lane", "bin", "kind"], as_index=False)[["events", "denied"]].sum()
    return sums.astype("int64")
