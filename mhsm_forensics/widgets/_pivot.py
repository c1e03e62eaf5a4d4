"""Pivoting: everything that touches what was clicked, and on from there, with the trail kept."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import pandas as pd
import traitlets

from .. import analyse, engine, export, known, search
from ..case import microseconds
from ..errors import ForensicsError, InputError
from ..schema import to_records
from ..text import plural, visible
from . import _panel as panel
from . import _pivot_page as page
from . import _words as words
from ._record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..case import Case

_HERE = Path(__file__).parent
_MATCHES = 12  # entities that a search offers at once
_ROWS = 25
_COLUMNS = ("time", "operation", "outcome", "http_status", "principal", "caller_ip", "key_name", "client", "hsm")


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of the trail: what was asked about; nothing at its beginning."""

    asked: Mapping[str, str]
    kind: str
    words: str


def pivot(case: Case, **asked: str | None) -> Pivot:
    """Panel to go from an identity to an address to a key and back: what touches it, when, from where, what is new.

    Parameters
    ----------
    case
        The case; what its scope leaves out is not looked at, and T0 says what is new.
    asked
        What to begin with, as `analyse.touching` takes it: ``caller_ip="192.0.2.1"``, say. Default: everything.

    Returns
    -------
    The panel. `profile` is what is looked at; `selected` has the event_ids of the chosen rows, and can be observed.
    """
    return Pivot(case, **asked)


class Pivot(anywidget.AnyWidget):
    """What touches an entity; made by `pivot`."""

    _esm = _HERE / "pivot.js"
    _css = _HERE / "pivot.css"
    search = traitlets.Unicode().tag(sync=True)
    matches = traitlets.List(traitlets.Dict()).tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)
    tokens = traitlets.Dict().tag(sync=True)
    record = traitlets.Dict().tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)

    def __init__(self, case: Case, **asked: str | None) -> None:
        self._case = case
        self.profile: analyse.Profile | None = None
        self._events: Any = None
        self._found = 0
        self._trail = [Stop({}, "", "Everything")]
        super().__init__()
        self._open()
        if given := {name: value for name, value in asked.items() if value is not None}:
            self._trail.append(_stop(given))
        self._show()
        self.observe(lambda change: self._match(change["new"]), "search")
        self.on_msg(lambda _widget, content, _buffers: self._hear(content))
        panel.watch(case, self)

    @property
    def trail(self) -> list[Mapping[str, str]]:
        """What was asked about, stop by stop; empty at the beginning."""
        return [stop.asked for stop in self._trail]

    def go(self, **asked: str) -> None:
        """Ask about something else; the trail grows by it.

        Raises
        ------
        InputError
            Nothing was asked about, or something that can't be.
        """
        if asked and asked == self._trail[-1].asked:
            return
        stop = _stop(asked)
        made = self._page(stop)
        self._trail.append(stop)
        self._show(made)

    def back(self, stops: int = 1) -> None:
        """Go back along the trail."""
        if stops > 0 and len(self._trail) > 1:
            del self._trail[max(len(self._trail) - stops, 1) :]
            self._show()

    def pin(self, title: str = "") -> str:
        """Bookmark the chosen rows in the case's notes; return the id of the note.

        Raises
        ------
        InputError
            No rows are chosen.
        """
        if not self.selected:
            raise InputError("no rows are chosen. Hint: tick rows of the table below, then pin them.")
        note = self._case.notes.bookmark(
            self.selected, title or f"Pivot: {' › '.join(stop.words for stop in self._trail)}"
        )
        self._said(f"Pinned {plural(len(self.selected), 'record')}.")
        return note

    def add_to_report(self) -> str:
        """Keep what is looked at as a view, for the report; return the id of the note.

        Raises
        ------
        InputError
            Nothing is asked about yet.
        """
        stop = self._trail[-1]
        if not stop.asked:
            raise InputError("nothing is asked about yet. Hint: choose an identity, an address or a key first.")
        asked = {**stop.asked, "scope": panel.scope_as_json(self._scope)}
        digest = export.digest_of(analyse.met(self._case.scoped, **stop.asked))
        note = self._case.notes.view(stop.words, "analyse.met", asked, digest)
        self._said("Added to the report.")
        return note

    def case_changed(self, what: str) -> None:
        """Follow the scope and T0 of the case."""
        if what == "scope":
            self._session.close()
            self._open()
            self._show()
        elif self._case.t0 != self._since:
            self._show()

    def close(self) -> None:
        """Let go of what is held open."""
        self._session.close()
        super().close()

    def __repr__(self) -> str:
        return f"Pivot on {visible(self._trail[-1].words)}, {plural(self.rows.get('found', 0), 'event')}."

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, about = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **panel.without_kernel(self._static(), repr(self))}, about

    def _open(self) -> None:
        """Hold what a page needs of the events of the scope, and every value there is."""
        self._scope = self._case.scope
        self._session = analyse.Held(self._case.scoped)
        self._known = self._session.known
        self._ids = page.Ids(self._known)
        self._has_tokens = bool(self._session.run("SELECT count(token_id) AS n FROM events")["n"].iloc[0])
        self._labels = known.labels(self._case)
        labels = [
            page.label(self._labels, kind, value)
            for kind, value in zip(self._known["kind"], self._known["value"], strict=True)
        ]
        self._said_of = (
            self._known["value"].fillna("") + "\n" + pd.Series(labels, dtype="string[pyarrow]")
        ).str.lower()

    def _show(self, made: dict[str, Any] | None = None) -> None:
        """Send the page of the last stop in one piece; make it, where it is not yet *made*."""
        stop = self._trail[-1]
        made = made or self._page(stop)
        with self.hold_sync():
            self.selected, self.record, self.message, self.tokens = [], {}, "", {}
            self.code = self._as_code(stop.asked)
            self.view = made | {
                "number": int(self.view.get("number", 0)) + 1, "kind": page.KINDS.get(stop.kind, ("",))[0],
                "value": visible(stop.words), "label": self._label(stop), "scope": self._scope.in_words(),
                "t0": panel.clock(self._since) if self._since else "",
                "trail": [visible(one.words, limit=60) for one in self._trail],
            }  # fmt: skip
            self._turn(0)
        self.tokens = self._tokens()  # of a million they take a while, and a page can be read without

    def _page(self, stop: Stop) -> dict[str, Any]:
        self._since = self._case.t0
        micros = microseconds(self._since) if self._since else None
        if not stop.kind:
            quarters = engine.query(self._session, "quarters", since=micros)
            self.profile, self._events, self._found = None, self._session, int(quarters["events"].sum())
            every = self._known.assign(is_new=self._known["first_time"] >= self._since if self._since else False)
            return {
                "facts": [("events", f"{self._found:,}")], "strip": page.strip(quarters, micros),
                "lists": page.lists(every, self._ids, self._labels, {}),
                "weeks": [], "departures": page.NONE, "denials": page.NONE,
            }  # fmt: skip
        zone = self._case.display_zone
        found = analyse.profile(self._session, since=self._since, zone=zone, known=self._known, **stop.asked)
        self.profile, self._events, self._found = found, found.events, int(found.summary["events"].iloc[0])
        return {
            "facts": page.facts(found, zone), "strip": page.strip(found.quarters, micros), "weeks": page.weeks(found),
            "lists": page.lists(found.met, self._ids, self._labels, stop.asked),
            "departures": page.departures(found, self._ids, self._labels),
            "denials": page.denials(found),
        }  # fmt: skip

    def _tokens(self) -> dict[str, Any]:
        """The list of tokens, where the log names any, and where they can be counted while somebody waits."""
        if not self._has_tokens or "token_id" in self._trail[-1].asked:
            return {}
        if self._found > page.TOKENS_OF:
            return page.too_many_tokens(self._found)
        found = self.profile.tokens if self.profile else analyse.tokens(self._session)
        return page.tokens(found, self._ids, self._labels, self._since)

    def _turn(self, start: int, between: tuple[int, int] | None = None) -> None:
        """Show other rows: from the one that *start* come before, of a stretch of time or of all."""
        frame = self._called(search.page(self._events, start, _ROWS, columns=(*_COLUMNS, "actor"), between=between))
        count = search.count(self._events, between=between) if between else self._found
        zone = self._case.display_zone
        self.rows = {
            "start": start, "size": _ROWS, "found": count, "between": between and [between[0] // 1000, between[1] // 1000],
            "heads": ["time (UTC)", *([f"time ({zone})"] if zone else []), *(name.replace("_", " ") for name in _COLUMNS[1:])],
            "rows": [{"id": row["event_id"], "cells": self._cells(row, zone)} for row in to_records(frame)],
        }  # fmt: skip

    def _called(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows in which each actor bears its own name, which leads to it and to no other of the same label."""
        named = frame["actor"].map(self._session.names).astype("string[pyarrow]")
        return frame.assign(principal=named.fillna(frame["principal"]))

    def _cells(self, row: dict[Any, Any], zone: str | None) -> list[list[Any]]:
        local = [[panel.clock(row["time"].tz_convert(zone)), -1]] if zone else []
        return [[panel.said(row["time"]), -1], *local, *(page.cell(row, name, self._ids) for name in _COLUMNS[1:])]

    def _match(self, text: str) -> None:
        """Offer entities in whose value or label the words occur; what is no value of the log but can be asked about too."""
        typed = text.strip()
        if not typed:
            self.matches = []
            return
        found = self._known[self._known["value"].notna() & self._said_of.str.contains(typed.lower(), regex=False)]
        exact = found["value"].str.lower() == typed.lower()
        order = found.assign(exact=exact).sort_values(["exact", "events"], ascending=False, kind="stable")
        offered = [self._offer(int(str(row.Index)), row) for row in order.head(_MATCHES).itertuples()]
        more = (
            [{"id": -1, "value": f"{len(found):,} found, {_MATCHES} shown", "kind": ""}]
            if len(found) > _MATCHES
            else []
        )
        self.matches = [*self._other(typed), *offered, *more]

    def _offer(self, number: int, row: Any) -> dict[str, Any]:
        hsm = f" · {panel.said(row.hsm)}" if row.kind == "key" else ""
        return {
            "id": number, "kind": page.KINDS[row.kind][0], "value": visible(row.value, limit=80) + hsm,
            "label": page.label(self._labels, row.kind, row.value), "events": f"{row.events:,}",
        }  # fmt: skip

    def _other(self, typed: str) -> list[dict[str, Any]]:
        """A network, a token or a correlation id: too many to be listed, and asked about as typed."""
        kinds = (
            {"caller_ip": "Network"}
            if _is_network(typed)
            else {"correlation_id": "Correlation id", "token_id": "Token"}
        )
        counts = {kind: search.count(analyse.touching(self._session, **{kind: typed})) for kind in kinds}
        return [
            {"id": self._ids.of(kind, typed), "kind": kinds[kind], "value": visible(typed), "label": "", "events": f"{count:,}"}
            for kind, count in counts.items() if count
        ]  # fmt: skip

    def _hear(self, content: dict[str, Any]) -> None:
        """Do what was pressed; what can't be done says why."""
        doings: dict[str, Callable[[], object]] = {
            "pivot": lambda: self._pivot(int(content.get("id", -1))), "back": lambda: self.back(int(content.get("stops", 1))),
            "rows": lambda: self._asked_rows(content), "open": lambda: self._opened(str(content.get("id"))),
            "pin": self.pin, "report": self.add_to_report,
        }  # fmt: skip
        try:
            if doing := doings.get(str(content.get("do"))):
                doing()
        except (ForensicsError, ValueError, TypeError) as problem:
            self.message = visible(str(problem))

    def _pivot(self, number: int) -> None:
        if asked := self._ids.asked(number):
            self.go(**asked)

    def _asked_rows(self, content: dict[str, Any]) -> None:
        between = content.get("between")
        stretch = (int(between[0]) * 1000, int(between[1]) * 1000) if between else None
        self._turn(max(int(content.get("start", 0)), 0), stretch)

    def _opened(self, event_id: str) -> None:
        found = self._called(analyse.neighbours(self._session, event_id, minutes=page.MINUTES))
        near = page.near(found, event_id, self._ids) | {
            "minutes": page.MINUTES,
            "code": panel.call("mf.analyse.neighbours", self._looked_at(), repr(event_id), minutes=page.MINUTES),
        }
        self.record = record(self._case, event_id) | {"near": near}

    def _said(self, text: str) -> None:
        self.message = text
        panel.tell(self._case, "notes", self)

    def _label(self, stop: Stop) -> str:
        return page.label(self._labels, stop.kind, stop.asked[stop.kind]) if stop.asked else ""

    def _looked_at(self) -> str:
        return "case" if self._scope.is_whole else "case.scoped"

    def _as_code(self, asked: Mapping[str, str]) -> str:
        events = self._looked_at()
        given = {"since": self._since, "zone": self._case.display_zone} if not self._scope.is_whole else {}
        if not asked:
            return panel.call("mf.analyse.entities", events)
        return panel.call("mf.analyse.profile", events, **asked, **given)

    def _static(self) -> str:
        head = words.table([(label, text) for label, text in self.view["facts"]])
        blocks = []
        for one in [*self.view["lists"], *([self.tokens] if self.tokens.get("rows") else [])]:
            shown = one["rows"][:5]
            cells = [(row["value"] or "none", row["label"], f"{row['events']:,}", row["first"]) for row in shown]
            table = panel.rows_of_html((one["title"], "label", "events", "first seen (UTC)"), cells)
            blocks.append(words.paragraph(f"{len(shown):,} of {one['total']:,}:") + table)
        name = words.paragraph(f"{self.view['kind']} {self.view['value']} {self.view['label']}".strip())
        return f"{name}{head}{''.join(blocks)}{panel.code(self.code)}"


def _stop(asked: Mapping[str, str]) -> Stop:
    kind = next((name for name in asked if name != "hsm"), "hsm")
    hsm = f" · {asked['hsm']}" if "hsm" in asked and kind != "hsm" else ""
    return Stop(dict(asked), kind, asked.get(kind, "") + hsm)


def _is_network(text: str) -> bool:
    try:
        return ip_network(text, strict=False).num_addresses >= 1
    except ValueError:
        return False
