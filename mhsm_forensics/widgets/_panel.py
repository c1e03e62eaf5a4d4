"""What panels share: a line of code to copy, text where there is no kernel, and word of what changed in the case."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

import anywidget
import ipywidgets
import pandas as pd
import traitlets

from ..case import utc_text
from ..text import visible
from . import _words as words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from ..case import Case, Scope
    from ..known import Labels

    What = Literal["scope", "notes"]

LABELLED = ("principal", "object_id", "app_id", "caller_ip", "token_ip")
_SHORT = 24  # characters of a cell that are not broken into lines
_WRITTEN = 20  # ids that a line of code may hold
MARKS = {"critical": "◆◆", "high": "◆", "medium": "▲", "low": "●", "info": "○"}  # told apart without colour

# Panels by the folder of their case. Who has closed a notebook is forgotten.
_watching: dict[Path, WeakSet[Any]] = defaultdict(WeakSet)


class OwnKeys(anywidget.AnyWidget):
    """Nothing to be seen: it keeps the notebook, which has the same keys for its cells, from taking those of a panel."""

    _esm = """
    // Keys with Ctrl, such as that to save, are the notebook's all the same.
    const keep = (event) => { if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation(); };
    function render({ el }) {
      el.style.display = "none";
      const own = (left) => {
        const output = el.closest(".jp-OutputArea-output");
        if (output) output.addEventListener("keydown", keep);
        else if (left) setTimeout(own, 50, left - 1); // not in the page yet
      };
      own(100);
    }
    export default { render };
    """


class Panel(traitlets.HasTraits):
    """Something to choose and press in, around `box`; made by the functions of this room."""

    box: Any

    def _static(self) -> str:
        """HTML that says the same without a kernel."""
        raise NotImplementedError

    def case_changed(self, what: What) -> None:
        """Another panel of the same case wrote a scope or a note."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {**self.box._repr_mimebundle_(), **without_kernel(self._static(), repr(self))}


def without_kernel(markup: str, text: str) -> dict[str, str]:
    """What a page without a kernel shows in place of a widget."""
    return {"text/html": markup, "text/plain": f"{text} Run this cell to work with it."}


def watch(case: Case, panel: Any) -> None:
    """Have `panel.case_changed` called when another panel of the case writes something."""
    _watching[case.path.resolve()].add(panel)


def tell(case: Case, what: What, by: Any = None) -> None:
    """Call every panel that watches the case, but the one that wrote."""
    for panel in list(_watching[case.path.resolve()]):
        if panel is by:
            continue
        if hasattr(panel, "case_changed"):
            panel.case_changed(what)
        elif what == "scope":
            panel.reload()


def rows_of_html(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as an HTML table with heads; every character of a cell is text."""
    head = "".join(f'<th scope="col" style="{words._LABEL}">{words.escaped(name)}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    look = "border-collapse:collapse;font-variant-numeric:tabular-nums"
    return f'<table style="{look}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(value: object) -> str:
    text = said(value)
    look = f"{words._TEXT};white-space:nowrap" if len(text) <= _SHORT else words._TEXT
    return f'<td style="{look}">{words.escaped(text)}</td>'


def scope_as_json(scope: Scope) -> dict[str, Any]:
    """Return a scope as JSON has it, without what it does not narrow."""
    return {name: list(value) if isinstance(value, tuple) else utc_text(value)
            for name, value in asdict(scope).items() if value}  # fmt: skip


def code(text: str) -> str:
    """One line of code as HTML, selected whole by one click."""
    look = "margin:4px 0;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5;user-select:all"
    label = '<span style="opacity:.75;user-select:none">the same as code: </span>'
    return f'<pre style="{look}" tabindex="0">{label}{words.escaped(text)}</pre>'


def said(value: object, limit: int = 200) -> str:
    """Return a value as a reader sees it: what is invisible shows, times are UTC, missing is empty."""
    if isinstance(value, pd.Timestamp):
        return clock(value.to_pydatetime())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(value, limit=limit)


def labelled(labels: Labels, kind: str, value: object, limit: int = 200) -> str:
    """Return a value as a reader sees it, and beside an id or an address what the lists in the case say of it."""
    label = visible(labels.of(kind, value), limit=80) if kind in LABELLED else ""
    return said(value, limit) + (f" · {label}" if label else "")


def clock(moment: datetime) -> str:
    """Moment to the millisecond; to the microsecond where it has one.

    >>> clock(pd.Timestamp("2026-03-05T02:00:00.123", tz="UTC"))
    '2026-03-05 02:00:00.123'
    """
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}".removesuffix("000")


def call(function: str, *given: str, **named: Any) -> str:
    """One line that calls a function with what was said, leaving out what was not.

    >>> call("case.notes.tag", "['a:1']", comment=None, tag="exfil")
    "case.notes.tag(['a:1'], tag='exfil')"
    """
    more = [f"{name}={value!r}" for name, value in named.items() if value not in (None, "", (), [], {})]
    return f"{function}({', '.join([*given, *more])})"


def few(ids: Sequence[str], many: str) -> str:
    """Ids as code; of many, the name of what has them all."""
    return repr(list(ids)) if len(ids) <= _WRITTEN else many


def button(text: str, press: Any, tip: str = "", **layout: str) -> Any:
    """One button that calls *press* without arguments."""
    made = ipywidgets.Button(description=text, tooltip=tip, layout={"width": "auto", **layout})
    made.on_click(lambda _: press())
    return made


def column(*children: Any) -> Any:
    """Children one below the other, as a panel of its own."""
    return ipywidgets.VBox([*children, OwnKeys()])


def row(*children: Any, **layout: str) -> Any:
    """Children side by side, on as many lines as they need."""
    return ipywidgets.HBox(list(children), layout={"flex_flow": "row wrap", "align_items": "center", **layout})
