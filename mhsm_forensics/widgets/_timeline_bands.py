"""Stretches of time behind a timeline: silences of the log, restore mode, sessions, and those that were given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import analyse
from ..text import visible
from . import _timeline_words as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._timeline_points import Lane

_SESSIONS: Final = 2_000  # at most drawn; the longest ones
_NONE: Final = pd.DataFrame({"start": [], "end": [], "hsm": [], "label": []})


@dataclass
class Bands:
    """What is known so far of the stretches of time of some HSMs; `given` are those that somebody named."""

    given: pd.DataFrame | None
    _found: dict[str, pd.DataFrame] = field(default_factory=dict)

    def ask(self, events: Any) -> Iterator[None]:
        """Ask one question after the other, the quickest first; yield when there is more to be drawn."""
        for name, question in (("gaps", analyse.gaps), ("restores", analyse.restores), ("sessions", analyse.sessions)):
            self._found[name] = question(events)
            yield

    def since(self, origin: int, lanes: list[Lane], by: str) -> dict[str, Any]:
        """Stretches in microseconds since *origin*, as the browser draws them."""
        gaps = self._found.get("gaps", _NONE)
        rows = zip(micros(gaps["start"]), micros(gaps["end"]), gaps["hsm"].fillna(""), strict=True)
        silent = [[a - origin, b - origin, words.silence(a, b, hsms)] for a, b, hsms in words.joined(rows)]
        named = (self.given if self.given is not None else _NONE, self._found.get("restores", _NONE))
        shaded = [
            [a - origin, b - origin, visible(label, limit=60)]
            for one in named
            for a, b, label in zip(micros(one["start"]), micros(one["end"]), one["label"], strict=True)
        ]
        return {"gaps": silent, "intervals": shaded, **self._sessions(origin, lanes, by)}

    def _sessions(self, origin: int, lanes: list[Lane], by: str) -> dict[str, Any]:
        """Sessions of the lanes that are shown, the longest where there are too many."""
        sessions = self._found.get("sessions")
        if sessions is None or by not in {"principal", "caller_ip"}:
            return {"sessions": [], "sessions_of": 0}
        place = {lane.name: n for n, lane in enumerate(lanes) if not lane.summed}
        own = [place.get(name if isinstance(name, str) else None, -1) for name in sessions[by]]
        rows = sessions.assign(lane=own).query("lane >= 0").nlargest(_SESSIONS, "seconds")
        spans = zip(rows["lane"], micros(rows["start"]), micros(rows["end"]), strict=True)
        return {"sessions": [[n, a - origin, b - origin] for n, a, b in spans], "sessions_of": len(sessions)}


def micros(moments: pd.Series[Any]) -> list[int]:
    """Microseconds since 1970 of aware times."""
    found: list[int] = pd.to_datetime(moments, utc=True).dt.as_unit("us").astype("int64").to_list()
    return found
