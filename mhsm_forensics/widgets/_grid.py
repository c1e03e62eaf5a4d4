"""The events in a table: found, sorted, chosen and copied in the kernel; only the rows on screen cross the wire."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import anywidget
import pandas as pd
import traitlets

from .. import export, known, schema
from ..case import Case, Events, Scope
from ..errors import ForensicsError, InputError
from ..search import COLUMNS, Table
from ..search import events as search_events
from ..text import plural, visible
from . import _panel as panel
from . import _words as words
from ._record import record
from ._scope import as_code

if TYPE_CHECKING:
    from collections.abc import Iterable

_HERE = Path(__file__).parent
_PAGE = 100  # rows
_STATIC = 20  # rows that stay where there is no kernel
_SELECTED = 10_000  # ids that a selection may hold: more is no choice but a search
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FROZEN = ("time", "principal")
_MEANING = {column.name: column.meaning for column in schema.EVENTS}


def events(case: Case, events: Any = None, *, only: Iterable[str] | None = None) -> EventGrid:
    """Table of events, to search, sort, choose rows of and copy.

    Parameters
    ----------
    case
        The case, whose records and tags it shows.
    events
        What to show instead of the case's scope: anything the engine can query.
    only
        Only events of these ids.

    Returns
    -------
    The table. `selected` has the event_ids of the chosen rows, and can be observed.
    """
    return EventGrid(case, events, only)


class EventGrid(anywidget.AnyWidget):
    """A table of events; made by `events`."""

    _esm = _HERE / "grid.js"
    _css = _HERE / "grid.css"
    # What a person says.
    search = traitlets.Unicode().tag(sync=True)
    sort = traitlets.Unicode("time").tag(sync=True)
    descending = traitlets.Bool(default_value=False).tag(sync=True)
    start = traitlets.Int(0).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # What the kernel answers.
    page = traitlets.Dict().tag(sync=True)
    record = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)

    def __init__(
        self, case: Case, events: Any = None, only: Iterable[str] | None = None, *, named: str = "only"
    ) -> None:
        self._case, self._events, self._named = case, events, named
        self._brushed: dict[str, Any] = {}
        self._looked_at: Scope | None = None
        self._found = 0
        self._only = None if only is None else list(only)
        self._zone = ZoneInfo(case.display_zone) if case.display_zone else None
        self._labels = known.labels(case)
        self._asked: tuple[Any, ...] | None = None
        self._answering = False
        chosen = [name for name in COLUMNS if name not in _FROZEN]
        choices = [[name, _MEANING[name]] for name in schema.EVENT_NAMES if name not in _FROZEN]
        super().__init__(columns=chosen, choices=choices)
        self._table = self._opened()
        self._begin()
        self.observe(self._answer, ["search", "sort", "descending", "start", "columns"])
        self.observe(lambda _: self._count(), "selected")
        self.on_msg(lambda _widget, content, _buffers: self._do(content))
        panel.watch(case, self)

    @property
    def found(self) -> list[str]:
        """Ids of all events that were found, in the order of the table."""
        return self._table.ids()

    def show_record(self, event_id: str) -> None:
        """Show a record as it stands in the evidence."""
        self.record = record(self._case, event_id)

    def select_all(self) -> None:
        """Select everything that was found."""
        if self._found > _SELECTED:
            self.problem = f"{self._found:,} events are too many to select. Hint: search for fewer than {_SELECTED:,}."
            return
        self.selected = self.found

    def add_to_report(self) -> str:
        """Keep what is looked at as a view, for the report; return the id of the note."""
        if self._looked_at is None:
            raise InputError(
                "these events are not the case's own. Hint: add a view of widgets.events(case) to the report."
            )
        asked = {
            "text": self.search, "sort": self.sort, "descending": self.descending, "columns": self._columns,
            "scope": panel.scope_as_json(self._looked_at), "equal": self._equal, "only": self._only,
        }  # fmt: skip
        digest = export.digest_of(pd.DataFrame({"event_id": self.found}))
        title = f"Events: {self.search}" if self.search else "Events"
        note = self._case.notes.view(title, "search.events", asked, digest)
        self.problem = f"Added to the report: {visible(title)}, {plural(self._found, 'event')}."
        panel.tell(self._case, "notes", self)
        return note

    def follow(self, timeline: Any) -> EventGrid:
        """Show what is brushed in a timeline, and select what is clicked there; returns the table itself."""
        panel.watch(self._case, timeline)
        timeline.observe(lambda change: self._brush(change["new"], timeline), "selection")
        timeline.observe(lambda change: self.set_trait("selected", list(change["new"])[:_SELECTED]), "clicked")
        return self

    def csv(self) -> str:
        """Selected rows as CSV, in which no cell is a formula."""
        columns = ["event_id", *self._columns]
        wanted = search_events(self._case.events if self._events is None else self._events,
                               columns=columns, only=self.selected)  # fmt: skip
        text = io.StringIO(newline="")
        export.table_as_csv(wanted[columns], text)
        return text.getvalue()

    def case_changed(self, what: str) -> None:
        """Follow the scope and the tags of the case."""
        if what == "scope" and self._events is None and self._only is None:
            self._brushed = {}
            self._reopen()
        else:
            self._show()

    def __repr__(self) -> str:
        return f"Events of {visible(self._case.name)}: {self.status}."

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, about = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **panel.without_kernel(self._static(), repr(self))}, about

    def _brush(self, chosen: dict[str, Any], timeline: Any) -> None:
        """Show the stretch of time that was brushed, and of the lane alone if it was brushed in one."""
        if self._case.scope != self._scope:  # the timeline wrote another one
            panel.tell(self._case, "scope", timeline)
        self._brushed = dict(chosen) | {"by": timeline.by} if chosen else {}
        self._reopen()

    def _shown(self) -> tuple[Any, dict[str, str | None], str]:
        """What the table shows: the events, values that they have, and the events as code."""
        self._scope = self._case.scope
        if self._events is not None:
            return self._events, {}, "events"
        if self._only is not None:
            return self._case.events, {}, "case.events"
        if not self._brushed:
            return self._case.scoped, {}, "case.scoped"
        start, end = (_EPOCH + timedelta(microseconds=self._brushed[name]) for name in ("start_us", "end_us"))
        brushed = replace(self._scope, start=start, end=end)
        lane, nobody = self._brushed.get("lane"), self._brushed.get("nobody", False)
        equal = {self._brushed["by"]: lane} if lane is not None or nobody else {}
        return self._case.events.of(brushed), equal, f"case.events.of({as_code(brushed)})"

    def _opened(self) -> Table:
        """Open what is to be shown."""
        events, self._equal, self._source = self._shown()
        self._looked_at = events.scope if isinstance(events, Events) else None
        return Table(events, only=self._only, equal=self._equal)

    def _reopen(self) -> None:
        """Show something else: what was selected may be no part of it."""
        self._table.close()
        self._table = self._opened()
        self.selected = []
        self._begin()

    def _begin(self) -> None:
        self._asked = None
        self.start = 0
        self._answer()

    def _answer(self, _: Any = None) -> None:
        """Find anew if something else is asked, and show the page that is asked for."""
        if self._answering:
            return
        self._answering = True  # what is set here was not asked by anybody
        asked = (self.search, self.sort, self.descending)
        try:
            if asked != self._asked:
                self._found = self._table.find(self.search, sort=self.sort, descending=self.descending)
                self.start = 0 if self._asked is not None else self.start
                self._asked = asked
            self.problem = ""
            self._show()
        except ForensicsError as problem:
            self.problem = str(problem)
        finally:
            self._answering = False

    def _show(self) -> None:
        start = min(max(self.start, 0), max(self._found - 1, 0)) // _PAGE * _PAGE
        columns = [name for name in dict.fromkeys([*_FROZEN, *self.columns]) if name in _MEANING]
        frame = self._table.page(start, _PAGE, columns)
        tags = self._case.notes.tags()
        rows = [
            {
                "id": event_id,
                "tags": ", ".join(map(visible, tags.get(event_id, ()))),
                "cells": self._cells(columns, values),
            }
            for event_id, *values in frame[["event_id", *columns]].itertuples(index=False, name=None)
        ]
        heads = self._heads(columns, rows)
        self.page = {"start": start, "size": _PAGE, "found": self._found, "heads": heads, "rows": rows}
        self.start = start
        self.code = self._as_code()
        self._count()

    def _cells(self, columns: list[str], values: list[Any]) -> list[str]:
        """Text of each cell; ids and addresses with what the lists in the case say of them."""
        moment, *rest = (panel.labelled(self._labels, name, value) for name, value in zip(columns, values, strict=True))
        other = [panel.clock(values[0].astimezone(self._zone))] if self._zone else []
        return [moment, *other, *rest]

    def _heads(self, columns: list[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Name, label, width and meaning of each column; the first ones stay in sight."""
        names = [columns[0], *(["time"] if self._zone else []), *columns[1:]]
        labels = [f"{columns[0]} (UTC)", *([f"time ({self._zone})"] if self._zone else []), *columns[1:]]
        frozen = len(_FROZEN) + bool(self._zone)
        return [
            {"name": name, "label": text, "frozen": place < frozen, "meaning": _MEANING[name],
             "width": _width(text, [row["cells"][place] for row in rows])}
            for place, (name, text) in enumerate(zip(names, labels, strict=True))
        ]  # fmt: skip

    def _count(self) -> None:
        start, shown = self.page["start"], len(self.page["rows"])
        rows = f"rows {start + 1:,}–{start + shown:,} of {self._found:,}" if shown else "no rows"
        found = f" found in {plural(len(self._table), 'event')}" if self.search.strip() else " events"
        more = f"; {len(self.selected):,} selected" if self.selected else ""
        self.status = rows + (found if shown or self.search.strip() else "") + more

    @property
    def _columns(self) -> list[str]:
        return [*_FROZEN, *self.columns]

    def _as_code(self) -> str:
        only = [] if self._only is None else [f"only={panel.few(self._only, self._named)}"]
        given = {
            "text": self.search,
            "sort": self.sort if self.sort != "time" else "",
            "descending": self.descending or "",
        }
        columns = self._columns if set(self._columns) != set(COLUMNS) else None
        return panel.call("mf.search.events", self._source, *only, **given, equal=self._equal, columns=columns)

    def _do(self, content: dict[str, Any]) -> None:
        """Do what a button asks for."""
        doings = {"all": self.select_all, "report": self.add_to_report, "copy": self._copy}
        try:
            if content.get("do") == "open":
                self.show_record(str(content.get("id")))
            elif doing := doings.get(str(content.get("do"))):
                doing()
        except ForensicsError as problem:
            self.problem = str(problem)

    def _copy(self) -> None:
        if not self.selected:
            raise InputError("no rows are selected. Hint: click rows, or press Space on them.")
        self.send({"csv": self.csv(), "rows": plural(len(self.selected), "row")})

    def _static(self) -> str:
        rows = [row["cells"] for row in self.page["rows"][:_STATIC]]
        cut = f"rows 1–{len(rows):,} of {self._found:,} events" if rows else "no events"
        table = panel.rows_of_html([head["label"] for head in self.page["heads"]], rows)
        return f"{words.paragraph(f'{cut}. Run this cell for the others.')}{table}{panel.code(self.code)}"


def _width(text: str, cells: list[str]) -> int:
    longest = max([len(text) + 3, *map(len, cells)])
    return int(min(max(64, 7.4 * longest + 18), 300))
