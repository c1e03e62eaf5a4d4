"""A timeline that is looked at with the mouse and the keyboard: from all of a case to the single event."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import anywidget
import numpy as np
import traitlets

from .. import analyse, export, ingest, known
from ..case import Scope, microseconds
from ..errors import ForensicsError
from ..plot._style import GROUPS, THEMES
from ..plot._timeline import LANES_OF
from ..text import plural, spell, visible
from . import _panel as panel
from . import _timeline_static as static
from . import _timeline_words as words
from ._timeline_bands import Bands
from ._timeline_points import OUTCOMES, Points

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from ..case import Case

_HERE = Path(__file__).parent
_WIDTH: Final = 900  # pixels, until the browser has said how many there are
_STEPS: Final = {"principal": "actor", "key": "key", "correlation_id": "correlation_id"}  # the column that each goes by


def timeline(case: Case, by: str = "principal", *, intervals: pd.DataFrame | None = None) -> Timeline:
    """Timeline of the scope of a case, from everything down to the microsecond.

    Drag to select, double click for the whole, turn the wheel (after a click, or with Ctrl) to zoom, click for the
    record. Arrows pan and change the lane, plus and minus zoom, Enter selects what is in view.

    Parameters
    ----------
    case
        The case; its scope says what is shown.
    by
        What the lanes are: ``principal`` (of each actor one), ``caller_ip``, ``key``, ``operation_class`` or ``hsm``.
    intervals
        More stretches of time to shade, beside the restores that the log shows: columns ``start``, ``end``, ``label``; one
        row each.

    Returns
    -------
    The widget; its `selection` and `clicked` can be observed.
    """
    return Timeline(case, by=by, intervals=intervals)


class Timeline(anywidget.AnyWidget):
    """A timeline to be looked at; made by `timeline`.

    Attributes
    ----------
    by
        Column whose values are the lanes; can be set.
    selection
        What was brushed: ``start_us``, ``end_us`` (microseconds since 1970), ``lane`` (name; null for all lanes) and
        ``nobody`` (whether it is the lane of events without a name); empty where nothing is.
    clicked
        Ids of the events that were clicked, all of them.
    """

    _esm = _HERE / "timeline.js"
    _css = _HERE / "timeline.css"

    by = traitlets.Enum(list(LANES_OF), "principal").tag(sync=True)
    selection = traitlets.Dict()
    clicked: traitlets.List[str] = traitlets.List()

    # What the browser draws. Times are microseconds since `origin`, which is a text: no number there holds it exactly.
    about = traitlets.Dict().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    bands = traitlets.Dict().tag(sync=True)
    brushed = traitlets.Dict().tag(sync=True)
    record = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(self, case: Case, *, by: str = "principal", intervals: pd.DataFrame | None = None) -> None:
        self._case, self._width = case, _WIDTH
        self._labels = known.labels(case)
        self._request: int | None = None
        self._points: Points | None = None
        self._scope: Scope | None = None
        self._bands = Bands(intervals)
        super().__init__(by=by)
        self.reload()
        self.observe(lambda _: self._lay_out(), "by")
        self.observe(self._draw_selection, "selection")
        self.on_msg(self._hear)
        panel.watch(case, self)

    @property
    def code(self) -> str:
        """Python that counts what is in view."""
        return words.code(self._scope_in_view, self.by)

    @property
    def _scope_in_view(self) -> Scope:
        (start, end), (first, last), scope = self._view, self._held.span, self._held_scope
        everything = start <= first and end >= last
        return scope if everything else words.narrowed(scope, start, end, self.by)

    def view(self, start: int, end: int, width: int = _WIDTH) -> dict[str, Any]:
        """What is to be drawn of a stretch of time, as `Points.view` says it."""
        return self._held.view(start, end, width)

    def show(self, start: int, end: int) -> None:
        """Look at a stretch of time, in microseconds since 1970."""
        self._view = (start, max(end, start + 1))
        view = self.view(*self._view, self._width)
        counts = (view["events"], view["denied"], view["control"])
        said = words.in_view(*counts, words.stretch(*self._view))
        self.picture = _packed(view, self._origin) | {
            "words": said, "code": self.code, "request": self._request, "width": self._width,
        }  # fmt: skip
        self._request = None

    def reload(self) -> None:
        """Read the scope of the case again, and show all of it."""
        before, self._scope = self._scope, self._case.scope
        self._lay_out()
        if before is None or before.hsms != self._scope.hsms:
            self._bands = Bands(self._bands.given)
            asked = (self._bands, self._scope.hsms)
            self._searching = Thread(target=self._find_bands, args=asked, name="timeline bands", daemon=True)
            self._searching.start()

    def look_at_selection(self) -> None:
        """Keep the selection as the scope of the case, and show it."""
        if not self.selection:
            self.said = "Nothing is selected."
            return
        chosen, lane = self.selection, self.selection["lane"]
        scope = words.narrowed(self._held_scope, chosen["start_us"], chosen["end_us"], self.by, lane)
        left = "" if lane is None or self.by in words.SCOPES else " The scope keeps the time; it can't name this lane."
        self._case.look_at(scope)
        self.reload()
        panel.tell(self._case, "scope", self)
        self.said = f"Kept in the case: {visible(scope.in_words(), limit=300)}.{left}"

    def add_to_report(self) -> str:
        """Keep what is in view as a view, for the report; return the id of the note."""
        scope = self._scope_in_view
        asked = {"by": self.by, "scope": panel.scope_as_json(scope)}
        answer = analyse.timeline(self._case.events.of(scope), by=self.by)
        title = f"{LANES_OF[self.by][0]}: {scope.in_words()}"
        note = self._case.notes.view(title, "analyse.timeline", asked, export.digest_of(answer))
        panel.tell(self._case, "notes", self)
        self.said = f"Added to the report: {visible(title, limit=300)}."
        return note

    def case_changed(self, what: panel.What) -> None:
        """Follow another panel of the case that wrote a scope or a note."""
        if what == "notes":
            self.about = self.about | {"t0": self._t0()}
        elif self._case.scope != self._scope:
            self.reload()

    def close(self) -> None:
        """Let go of the events."""
        if self._points:
            self._points.close()
        super().close()

    def __repr__(self) -> str:
        return f"{LANES_OF[self.by][0]}: {self.picture['words']}."

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Beside the widget, a picture and a table for where no kernel is at hand."""
        made = super()._repr_mimebundle_(**options)
        bundle, more = made if isinstance(made, tuple) else (made, {})
        view, names = self.view(*self._held.whole, 360), self._names()
        said = words.in_view(view["events"], view["denied"], view["control"], words.stretch(view["start"], view["end"]))
        page = static.page(static.picture(view, names), LANES_OF[self.by][0], said, self._held.lanes, names)
        return {**(bundle or {}), "text/html": page, "text/plain": repr(self)}, more

    @property
    def _held_scope(self) -> Scope:
        assert self._scope is not None  # made in __init__
        return self._scope

    @property
    def _held(self) -> Points:
        assert self._points is not None  # made in __init__
        return self._points

    @property
    def _origin(self) -> int:
        return self._held.span[0]

    def _names(self) -> list[str]:
        """Inert names of the lanes."""
        none = LANES_OF[self.by][2]
        return [
            f"{lane.summed:,} more" if lane.summed else panel.labelled(self._labels, self.by, lane.name) or none
            for lane in self._held.lanes
        ]

    def _t0(self) -> int | None:
        t0 = self._case.t0
        return microseconds(t0) - self._origin if t0 else None

    def _lay_out(self) -> None:
        if self._points:
            self._points.close()
        self._points = Points(self._case.events.of(self._held_scope), by=self.by, groups=list(GROUPS))
        title, noun, _ = LANES_OF[self.by]
        named = [lane for lane in self._held.lanes if not lane.summed]
        first, end = self._held.whole
        self.about = {
            "title": title, "choices": {name: about[1] for name, about in LANES_OF.items()}, "outcomes": list(OUTCOMES),
            "shown": words.shown_of(len(named), self._held.total_lanes, noun),
            "origin": str(self._origin), "whole": [first - self._origin, end - self._origin],
            "zone": self._case.display_zone, "t0": self._t0(),
            "lanes": [
                {"name": name, "known": lane.name is not None, "summed": lane.summed}
                for name, lane in zip(self._names(), self._held.lanes, strict=True)
            ],
            "groups": [{"name": name, "colour": group.colour, "symbol": group.symbol} for name, group in GROUPS.items()],
            "themes": {name: _colours(name) for name in THEMES},
        }  # fmt: skip
        self.selection, self.record = {}, {}
        self.show(first, end)
        self._send_bands()

    def _find_bands(self, found: Bands, hsms: tuple[str, ...]) -> None:
        """Ask for silences, then for sessions, while the timeline can be used.

        Of whole HSMs: where a scope leaves out what others did, the log was not silent.
        """
        try:
            for _ in found.ask(self._case.events.of(Scope(hsms=hsms))):
                if found is not self._bands:  # others are looked at by now
                    return
                self._send_bands()
        except ForensicsError as problem:
            self.said = f"No silences and sessions: {problem}"

    def _send_bands(self) -> None:
        self.bands = self._bands.since(self._origin, self._held.lanes, self.by)

    def _hear(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Do what the browser asks for; what goes wrong is said in the widget."""
        asked: dict[str, Callable[[dict[str, Any]], object]] = {
            "view": self._asked_view, "select": self._asked_selection, "click": self._asked_click,
            "event": lambda asked: self._open(int(asked["place"])), "step": self._asked_step,
            "look": lambda _: self.look_at_selection(), "add": lambda _: self.add_to_report(),
            "close": lambda _: self.set_trait("record", {}),
        }  # fmt: skip
        try:
            asked[content["ask"]](content)
        except ForensicsError as problem:
            self.said = str(problem)

    def _asked_view(self, asked: dict[str, Any]) -> None:
        self._width, self._request = int(asked["width"]), int(asked["request"])
        self.show(*self._times(asked))

    def _asked_selection(self, asked: dict[str, Any]) -> None:
        if asked["start"] is None:
            self.selection = {}
            return
        start, end = self._times(asked)
        lane = None if asked["lane"] is None else self._held.lanes[int(asked["lane"])]
        lane = None if lane and lane.summed else lane
        self.selection = {
            "start_us": start, "end_us": max(end, start + 1), "lane": lane.name if lane else None,
            "nobody": lane is not None and lane.name is None,
        }  # fmt: skip

    def _draw_selection(self, _: Any) -> None:
        """Tell the browser what is selected, and count it."""
        chosen = self.selection
        if not chosen:
            self.brushed = {}
            return
        lane = None
        if chosen["lane"] is not None or chosen.get("nobody"):
            names = [None if one.summed else (one.name,) for one in self._held.lanes]
            lane = names.index((chosen["lane"],)) if (chosen["lane"],) in names else None
        start, end = chosen["start_us"], chosen["end_us"]
        said = words.in_view(*self._held.count(start, end, lane), words.stretch(start, end))
        self.brushed = {
            "start": start - self._origin,
            "end": end - self._origin,
            "lane": lane,
            "words": f"Selected: {said}",
        }

    def _asked_click(self, asked: dict[str, Any]) -> None:
        """Take the events of a mark or a bar, and open the first."""
        start, end = self._times(asked)
        only = {name: asked.get(name) for name in ("lane", "kind", "state", "control")}
        self.clicked = self._held.ids(start, max(end, start + 1), **only)
        self._open(0)

    def _asked_step(self, asked: dict[str, Any]) -> None:
        """Go to the previous or next event of the same principal, key or correlation id."""
        found = self.record.get("steps", {}).get(asked["by"], {}).get(asked["way"])
        if found:
            self.clicked = [found]
            self._open(0)

    def _open(self, place: int) -> None:
        """Show one of the clicked events: its record first, then where it stands among its kind."""
        if not 0 <= place < len(self.clicked):
            self.record = {}
            return
        event_id = self.clicked[place]
        record = self._held.record(event_id)
        raw, note = words.raw(ingest.raw(self._case, event_id))
        shown = {
            "event_id": event_id, "place": place, "of": len(self.clicked), "t": record["t"] - self._origin, "raw": raw,
            "facts": words.facts(record, self._case.display_zone), "note": note, "steps": {},
        }  # fmt: skip
        self.record = shown
        named = {by: record[column] for by, column in _STEPS.items() if column in record}
        steps = {by: self._held.neighbours(event_id, _STEPS[by], name) for by, name in named.items()}
        self.record = shown | {"steps": {by: _step(found) for by, found in steps.items() if found}}

    def _times(self, asked: dict[str, Any]) -> tuple[int, int]:
        """Exact times of what the browser gives in microseconds since the origin."""
        return self._origin + round(asked["start"]), self._origin + round(asked["end"])


def _step(found: dict[str, Any]) -> dict[str, Any]:
    return {"before": found["before"], "after": found["after"],
            "words": f"{int(found['place']):,} of {plural(int(found['events']), 'event')}"}  # fmt: skip


def _colours(theme: str) -> dict[str, str]:
    look = THEMES[theme]
    return {name: getattr(look, name) for name in ("ink", "faint", "rule", "page", "accent", "calm", "low", "gap")}


def _packed(view: dict[str, Any], origin: int) -> dict[str, Any]:
    """Turn a view into what goes over the wire: numbers side by side, times from the view's start, which is exact."""
    start, bars, acts, marks = view["start"], view["bars"], view["acts"], view["marks"]

    def pack(values: Any, kind: str) -> bytes:
        return np.ascontiguousarray(values, kind).tobytes()

    return {
        **{name: view[name] - origin for name in ("start", "end", "base")}, "step": view["step"],
        "per": _per(view["step"]), "lanes": view["lanes"],
        "counts": [view["events"], view["denied"], view["control"]],
        "bars": {"lane": pack(bars["lane"], "<u2"), "bin": pack(bars["bin"], "<i4"), "kind": pack(bars["kind"], "u1"),
                 "events": pack(bars["events"], "<u4"), "denied": pack(bars["denied"], "<u4")},
        "acts": {"lane": pack(acts["lane"], "<u2"), "kind": pack(acts["kind"], "u1"), "state": pack(acts["state"], "u1"),
                 "events": pack(acts["events"], "<u4"), "first": pack(acts["first_t"] - start, "<f8"),
                 "last": pack(acts["last_t"] - start, "<f8")},
        "marks": {"lane": pack(marks["lane"], "<u2"), "kind": pack(marks["kind"], "u1"), "state": pack(marks["state"], "u1"),
                  "time": pack(marks["t"] - start, "<f8")},
    }  # fmt: skip


def _per(step: int) -> str:
    """Length of a bin in words.

    >>> _per(500), _per(20_000), _per(2 * 3600 * 10**6)
    ('500 µs', '20 ms', '2 h')
    """
    return spell(step / 1e6) if step >= 10**6 else f"{step // 1000} ms" if step >= 1000 else f"{step} µs"
