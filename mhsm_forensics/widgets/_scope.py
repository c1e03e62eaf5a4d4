"""The one scope bar: what part of the case is looked at, chosen from what there is, kept in the case."""

from __future__ import annotations

from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import ipywidgets
import traitlets

from .. import accounting, analyse, engine, known
from ..case import Scope, utc_text
from ..errors import ForensicsError
from ..text import sentence, visible
from ..typed import moment
from . import _panel as panel
from . import _words as words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..case import Case

# field of a scope, the column that it narrows, what a reader calls it, how wide its names are
_CHOICES = (
    ("hsms", "hsm", "Managed HSMs", "15em"),
    ("principals", "principal", "Principals", "25em"),
    ("caller_ips", "caller_ip", "Addresses", "17em"),
    ("operations", "operation", "Operations", "20em"),
)
_SHOWN = 200  # names to choose from at once; a search finds the others
_STATIC = 5


def scope(case: Case) -> ScopeBar:
    """Bar that says what part of the case is looked at; every notebook and panel of the case follows.

    Parameters
    ----------
    case
        The case, which keeps the scope.

    Returns
    -------
    The bar. `scope` is what is looked at, and can be observed.
    """
    return ScopeBar(case)


class ScopeBar(panel.Panel):
    """What is looked at; made by `scope`."""

    scope = traitlets.Instance(Scope)

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case
        self._zone = ZoneInfo(case.display_zone) if case.display_zone else None
        self._before: list[Scope] = []
        session, labels = engine.Session(case), known.labels(case)
        self._all = int(session.run("SELECT count(*) AS n FROM events")["n"].iloc[0])
        self.choices = {
            field: Choice(title, _counts(case, session, column), width, partial(labels.of, column))
            for field, column, title, width in _CHOICES
        }
        session.close()
        self.start, self.start_beside = self._time("From, UTC", "2026-03-05T14:00Z; empty: all")
        self.end, self.end_beside = self._time("To, not included", "2026-03-06T15:00+01:00; empty: all")
        self.look_button = panel.button("Look at this", self.look, "Keep this scope in the case")
        self.look_button.button_style = "primary"
        self.whole_button = panel.button("Whole case", self.whole, "Leave nothing out")
        self.undo_button = panel.button("Undo", self.undo, "Back to the scope before")
        self.status, self.code = ipywidgets.HTML(), ipywidgets.HTML()
        times = [
            ipywidgets.VBox([one, beside])
            for one, beside in ((self.start, self.start_beside), (self.end, self.end_beside))
        ]
        self.box = panel.column(
            panel.row(*(choice.box for choice in self.choices.values()), align_items="flex-start"),
            panel.row(*times, self.look_button, self.whole_button, self.undo_button, align_items="flex-start"),
            self.status, self.code,
        )  # fmt: skip
        panel.watch(case, self)
        self._read()

    def look(self) -> None:
        """Look at what was chosen; a time without its zone is refused, and nothing changes."""
        try:
            start, end = (moment(field.value.strip() or None) for field in (self.start, self.end))
            chosen = {field: choice.chosen for field, choice in self.choices.items()}
            self._look_at(Scope(start, end, **chosen))
        except ForensicsError as problem:
            self._say(str(problem))

    def whole(self) -> None:
        """Look at the whole case."""
        self._look_at(Scope())

    def undo(self) -> None:
        """Look at what was looked at before."""
        if self._before:
            before = self._before.pop()
            self._look_at(before, remember=False)

    def case_changed(self, what: str) -> None:
        """Another panel wrote a scope."""
        if what == "scope":
            self._read()

    def __repr__(self) -> str:
        return self._in_words()

    def _look_at(self, wanted: Scope, *, remember: bool = True) -> None:
        if remember and wanted != self.scope:
            self._before.append(self.scope)
        self._case.look_at(wanted)
        self._show(wanted)
        panel.tell(self._case, "scope", self)

    def _read(self) -> None:
        """Take the scope from the case; what another panel wrote can be undone here, too."""
        try:
            found = self._case.scope
        except ForensicsError as problem:
            self._show(Scope())
            self._say(str(problem))
            return
        if self.trait_has_value("scope") and found != self.scope:
            self._before.append(self.scope)
        self._show(found)

    def _show(self, found: Scope) -> None:
        self.scope = found
        for field, choice in self.choices.items():
            choice.choose(getattr(found, field))
        for field, value in ((self.start, found.start), (self.end, found.end)):
            field.value = utc_text(value) if value else ""
        self.undo_button.disabled = not self._before
        self._say(self._in_words())
        self.code.value = panel.code(f"case.look_at({as_code(found)})")

    def _in_words(self) -> str:
        looked = len(self._case.events.of(self.scope))
        if nothing := accounting.nothing_examined(self._case, self.scope):
            return visible(sentence(nothing))
        return f"Looking at {visible(self.scope.in_words())}: {looked:,} of {self._all:,} events."

    def _say(self, text: str) -> None:
        self.status.value = words.paragraph(text)

    def _time(self, description: str, hint: str) -> tuple[Any, Any]:
        """Make a field for a time, and a line beneath that says it in the second zone."""
        field = ipywidgets.Text(description=description, placeholder=hint, style={"description_width": "8em"},
                                layout={"width": "28em"})  # fmt: skip
        beside = ipywidgets.Label(layout={"margin": "0 0 0 8em", "display": "none"})
        field.observe(lambda change: _tell_beside(beside, self._beside(change["new"])), "value")
        return field, beside

    def _beside(self, typed: str) -> str:
        if not typed.strip():
            return ""
        try:
            found = moment(typed.strip())
        except ForensicsError as problem:
            return str(problem)
        other = f", {found.astimezone(self._zone):%Y-%m-%d %H:%M} in {self._zone}" if found and self._zone else ""
        return f"{found.astimezone(UTC):%Y-%m-%d %H:%M} UTC{other}" if found else ""

    def _static(self) -> str:
        rows = [
            (choice.title, value, f"{count:,}", f"{min(_STATIC, len(choice.counts))} of {len(choice.counts):,}")
            for choice in self.choices.values()
            for value, count in choice.counts[:_STATIC]
        ]
        table = panel.rows_of_html(["", "name", "events", "names shown"], rows)
        return f"{words.paragraph(repr(self))}{table}{self.code.value}"


class Choice:
    """Some of many names, each with its count and what the lists in the case say of it; a search finds the others."""

    def __init__(
        self, title: str, counts: list[tuple[str, int]], width: str = "20em", label: Callable[[str], str] = str
    ) -> None:
        self.title, self.counts = title, counts
        self._names = {name: " · ".join(dict.fromkeys(filter(None, (label(name), name)))) for name, _ in counts}
        self.chosen: tuple[str, ...] = ()
        self._filling = False
        self.search = ipywidgets.Text(
            tooltip=f"Search {title}", placeholder=f"search {title.lower()}", layout={"width": width}
        )
        self.list = ipywidgets.SelectMultiple(rows=5, tooltip=title, layout={"width": width})
        self.note = ipywidgets.Label()
        self.box = ipywidgets.VBox([ipywidgets.Label(title), self.search, self.list, self.note])
        self.search.observe(lambda _: self._fill(), "value")
        self.list.observe(lambda _: self._take(), "value")

    def choose(self, names: tuple[str, ...]) -> None:
        """Choose these names, and no other."""
        self.chosen = names
        self._fill()

    def _take(self) -> None:
        if not self._filling:
            self.chosen = tuple(self.list.value)
            self._count()

    def _fill(self) -> None:
        """Show what is chosen, and then what the search finds, the most frequent ones first."""
        sought, counted = self.search.value.casefold().strip(), dict(self.counts)
        found = [name for name, _ in self.counts if sought in self._names[name].casefold() and name not in self.chosen]
        self._found = len(found) + len(self.chosen)
        self._filling = True
        shown = [*self.chosen, *found[:_SHOWN]]
        said = [visible(self._names.get(name, name), limit=72) for name in shown]
        self.list.options = [
            (f"{text} ({counted.get(name, 0):,})", name) for text, name in zip(said, shown, strict=True)
        ]
        self.list.value = self.chosen
        self._filling = False
        self._count()

    def _count(self) -> None:
        shown = len(self.list.options)
        cut = (
            f"{shown:,} of {self._found:,} shown; search for others"
            if shown < self._found
            else f"{shown:,} of {len(self.counts):,}"
        )
        self.note.value = f"{cut}, {len(self.chosen)} chosen" if self.chosen else cut


def as_code(found: Scope) -> str:
    """Return a scope as code.

    >>> from datetime import UTC, datetime
    >>> as_code(Scope(datetime(2026, 3, 5, tzinfo=UTC), hsms=("contoso",)))
    "mf.case.Scope(start=datetime.fromisoformat('2026-03-05T00:00:00Z'), hsms=('contoso',))"
    """
    given = [f"{name}=datetime.fromisoformat({utc_text(value)!r})"
             for name, value in (("start", found.start), ("end", found.end)) if value]  # fmt: skip
    given += [f"{field}={getattr(found, field)!r}" for field, *_ in _CHOICES if getattr(found, field)]
    return f"mf.case.Scope({', '.join(given)})"


def _counts(case: Case, session: engine.Session, column: str) -> list[tuple[str, int]]:
    if column == "principal":
        people = (
            analyse.principals(case)
            .dropna(subset="principal")
            .sort_values(["events", "principal"], ascending=[False, True])
        )
        return [(str(name), int(count)) for name, count in zip(people["principal"], people["events"], strict=True)]
    counted = session.run(
        f"SELECT {column} AS name, count(*) AS n FROM events WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY n DESC, name"
    )
    return [(str(name), int(count)) for name, count in zip(counted["name"], counted["n"], strict=True)]


def _tell_beside(beside: Any, text: str) -> None:
    beside.value = text
    beside.layout.display = None if text else "none"
