"""The story as a panel: what happened, line by line, each line open to its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from .. import accounting, analyse, detect, known
from ..text import plural
from . import _panel as panel
from . import _words as words
from ._grid import EventGrid

if TYPE_CHECKING:
    import pandas as pd

    from ..case import Case

_SHOWN = 18  # lines on the screen; the list scrolls
_TOLD = 200  # lines where no kernel is


def story(case: Case, findings: pd.DataFrame | None = None) -> StoryPanel:
    """Panel that tells what happened within the scope, in sentences; a line that is chosen opens to its records.

    Parameters
    ----------
    case
        The case.
    findings
        `mf.detect.run(case.events)`; asked for if it is not given.

    Returns
    -------
    The panel. `selected` are the event_ids of the chosen line, so a panel of notes can follow it.
    """
    return StoryPanel(case, findings)


class StoryPanel(panel.Panel):
    """The story; made by `story`."""

    selected = traitlets.List(traitlets.Unicode())

    def __init__(self, case: Case, findings: pd.DataFrame | None = None) -> None:
        super().__init__()
        self._case = case
        self._findings = detect.run(case.events) if findings is None else findings
        self.lines = ipywidgets.Select(rows=_SHOWN, description="Line", layout={"width": "98%"})
        self.lines.style.description_width = "3em"
        self.said, self.whole, self.code = (ipywidgets.HTML() for _ in range(3))
        self.place = ipywidgets.VBox()
        self.box = panel.column(self.said, self.lines, self.whole, self.place, self.code)
        self.lines.observe(lambda change: self._open(change["new"]), "value")
        panel.watch(case, self)
        self.reload()

    def reload(self) -> None:
        """Tell the scope of the case as it is now."""
        self.told = analyse.story(self._case.scoped, self._findings, labels=known.labels(self._case))
        self.lines.options = [("choose a line to see its records", ""), *self._named()]
        self.lines.value = ""
        acts = int((self.told["kind"] != "silence").sum())
        silences = plural(len(self.told) - acts, "silence")
        scope = self._case.scope.in_words()
        nothing = accounting.nothing_examined(self._case, self._case.scope)
        self.said.value = words.paragraph(nothing or f"{plural(acts, 'line')} of acts and {silences}; {scope}.")
        self.code.value = panel.code(
            "mf.analyse.story(case.scoped, mf.detect.run(case.events), labels=mf.known.labels(case))"
        )

    def case_changed(self, what: panel.What) -> None:
        """Follow the scope."""
        if what == "scope":
            self.reload()

    def __repr__(self) -> str:
        return f"Story of {panel.said(self._case.name)}: {plural(len(self.told), 'line')}."

    def _named(self) -> list[tuple[str, str]]:
        """Lines under the headings of their sessions; a heading opens to the records of all its lines."""
        named: list[tuple[str, str]] = []
        before: Any = None
        for number, line in enumerate(self.told.itertuples()):
            if line.kind == "act" and line.chapter != before:
                named.append((panel.said(line.heading, 200), f"chapter == {line.chapter}"))
                before = line.chapter
            mark = panel.MARKS.get(str(line.severity), "")
            named.append((f"\u2003\u2003{mark:\u2003<2} {panel.said(line.line, 200)}", f"index == {number}"))
        return named

    def _open(self, chosen: str | None) -> None:
        told = self.told.query(chosen) if chosen else self.told.iloc[:0]
        self.whole.value = "".join(
            words.paragraph(panel.said(line)) for line in told["line"]
        )  # the list cuts long ones
        if not chosen:
            self.selected, self.place.children = [], []
            return
        ids = [str(event_id) for found in told["event_ids"] for event_id in found]
        self.selected = ids
        named = f"story.query({chosen!r})['event_ids'].explode()"
        self.place.children = [EventGrid(self._case, only=ids, named=named)]

    def _static(self) -> str:
        shown = self.told.head(_TOLD)
        rows = [(line.heading, line.line, line.severity, f"{line.events:,}") for line in shown.itertuples()]
        every = words.paragraph(f"{len(rows):,} of {plural(len(self.told), 'line')}:")
        table = panel.rows_of_html(("session", "what was done", "finding", "events"), rows)
        return f"{every}{table}{self.code.value}"
