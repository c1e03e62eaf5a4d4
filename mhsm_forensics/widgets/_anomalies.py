"""What is out of the usual, as small charts with their band; each odd stretch leads to its records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import ipywidgets
import numpy as np
import pandas as pd
import traitlets

from .. import accounting, analyse, export, known
from ..case import microseconds
from ..errors import ForensicsError, InputError
from ..text import plural, sentence, visible
from . import _panel as panel
from . import _words as words
from ._grid import EventGrid

if TYPE_CHECKING:
    from ..case import Case

_HERE = Path(__file__).parent
_SHOWN: Final = 24  # series that are drawn, the oddest ones
_LISTED: Final = 200  # anomalies in the list
_POINTS: Final = 360  # of a chart; more are joined, and the extremes stay
BY: Final = {
    "operation": ("operation",), "operation and identity": ("operation", "principal"),
    "operation and key": ("operation", "key"), "operation and address": ("operation", "caller_ip"),
    "operation and HSM": ("operation", "hsm"), "identity": ("principal",), "key": ("key",), "HSM": ("hsm",),
}  # fmt: skip
MEASURES: Final = {
    "events": "events", "share denied": "denied_share", "different keys": "distinct_keys",
    "different callers": "distinct_callers", "new pairs of identity and address": "new_pairs", "duration (ms)": "duration_ms",
}  # fmt: skip
KINDS: Final = {
    "more": "more than usual", "fewer": "fewer than usual", "first_ever": "the first ever", "stopped": "stopped",
    "habit_changed": "another habit from here on", "silent": "the log is silent",
}  # fmt: skip
_NAMES: Final = ("operation", "principal", "key", "caller_ip", "hsm")


def anomalies(case: Case, *, by: str = "operation", measure: str = "events", every: str = "hour") -> AnomaliesPanel:
    """Charts of what is out of the usual, the oddest first; each odd stretch leads to its records.

    Parameters
    ----------
    case
        The case. What is usual is learned from all its evidence, whatever the scope is.
    by, measure, every
        What to begin with: a choice of the panel's own lists, ``hour`` or ``minute``.

    Returns
    -------
    The panel. `selected` has the event_ids of the stretch that was chosen, and can be observed.
    """
    return AnomaliesPanel(case, by=by, measure=measure, every=every)


class AnomalyCharts(anywidget.AnyWidget):
    """The charts and the list; made by `anomalies`."""

    _esm = _HERE / "anomalies.js"
    _css = _HERE / "anomalies.css"
    by = traitlets.Unicode().tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    every = traitlets.Unicode().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    charts = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)


class AnomaliesPanel(panel.Panel):
    """What is out of the usual; made by `anomalies`."""

    selected: traitlets.List[str] = traitlets.List(traitlets.Unicode())

    def __init__(self, case: Case, *, by: str, measure: str, every: str) -> None:
        if by not in BY or measure not in MEASURES or every not in {"hour", "minute"}:
            raise InputError(f"{by!r}, {measure!r}, {every!r}: can't be asked. Hint: by one of {', '.join(BY)}.")
        super().__init__()
        self._case, self._labels = case, known.labels(case)
        self.found = pd.DataFrame()
        self.charts = AnomalyCharts(
            by=by, measure=measure, every=every,
            choices={"by": list(BY), "measure": list(MEASURES), "every": ["hour", "minute"]},
        )  # fmt: skip
        self.code = ipywidgets.HTML()
        self.place = ipywidgets.VBox()
        self.report_button = panel.button(
            "Add to report", self.add_to_report, "Keep this list as a view, for the report"
        )
        self.box = panel.column(self.charts, panel.row(self.report_button), self.place, self.code)
        self.charts.observe(lambda _: self._ask(), ["by", "measure", "every"])
        self.charts.observe(lambda change: self._choose(int(change["new"])), "chosen")
        self._ask()

    def add_to_report(self) -> str:
        """Keep the list as a view, for the report; return the id of the note."""
        asked = {name: list(value) if isinstance(value, tuple) else value for name, value in self._asked.items()}
        title = f"Out of the usual: {self.charts.measure} by {self.charts.by}, each {self.charts.every}"
        note = self._case.notes.view(title, "analyse.anomalies", asked, export.digest_of(self.found))
        self.charts.status = "Added to the report."
        panel.tell(self._case, "notes", self)
        return note

    def __repr__(self) -> str:
        return f"{plural(len(self.found), 'anomaly')} of {visible(self._case.name)}, {self.charts.measure} by {self.charts.by}."

    @property
    def _asked(self) -> dict[str, Any]:
        """What is asked, as the functions of `analyse` take it."""
        charts = self.charts
        return {"by": BY[charts.by], "measure": MEASURES[charts.measure], "every": charts.every}

    def _ask(self) -> None:
        """Ask anew, and draw what is oddest."""
        self.charts.chosen, self.place.children, self.selected = -1, [], []
        self.charts.problem = ""
        try:
            self.found = analyse.anomalies(self._case, **self._asked)
            series = analyse.baseline(self._case, **self._asked)
        except ForensicsError as problem:
            self.found, self.charts.problem = pd.DataFrame(), str(problem)
            self.charts.charts, self.charts.rows = [], []
            return
        self.charts.rows = [
            self._row(number, row) for number, row in enumerate(self.found.head(_LISTED).to_dict("records"))
        ]
        self.charts.charts = self._charts(series)
        self.charts.status = self._status(series)
        events = panel.call("mf.analyse.anomalies", "case", **self._asked)
        self.code.value = panel.code(events)

    def _charts(self, series: pd.DataFrame) -> list[dict[str, Any]]:
        """A chart for each series that has something odd, the oddest first."""
        by = list(BY[self.charts.by])
        odd = self.found[self.found["kind"] != "silent"]
        own = odd.assign(series=_names_of(odd[by]))
        parts = dict(list(series.groupby(_names_of(series[by]), sort=False)))
        names = [name for name in own["series"].unique() if name in parts][:_SHOWN]
        return [self._chart(parts[name], own[own["series"] == name], by) for name in names]

    def _chart(self, part: pd.DataFrame, odd: pd.DataFrame, by: list[str]) -> dict[str, Any]:
        start = part["start"].astype("int64").to_numpy() // 1000
        join = -(-len(part) // _POINTS)
        bin_ms = int((part["end"].iloc[0] - part["start"].iloc[0]).total_seconds() * 1000)
        return {
            "title": self._said(part[by].iloc[0].to_dict()),
            "count": f"{int(part['events'].sum()):,} in whole {self.charts.every}s",
            "from": int(start[0]), "to": int(part["end"].astype("int64").iloc[-1] // 1000), "at": start[::join].tolist(),
            "step": bin_ms * join,  # a hole between two points is a time that the log does not cover
            "value": _joined(part["value"], join, np.nanmax), "low": _joined(part["low"], join, np.nanmin),
            "high": _joined(part["high"], join, np.nanmax),
            "odd": [{"row": int(str(index)), **self._stretch(row)} for index, row in odd.iterrows()],
        }  # fmt: skip

    def _stretch(self, row: Any) -> dict[str, Any]:
        start, end = (microseconds(row[name]) // 1000 for name in ("start", "end"))
        return {
            "start": start,
            "end": end,
            "kind": row["kind"],
            "words": self._words(row),
            "label": _amount(row["value"]),
        }

    def _row(self, number: int, row: dict[Any, Any]) -> dict[str, Any]:
        return {
            "row": number, "what": self._said(row), "kind": KINDS.get(row["kind"], row["kind"]),
            "start": panel.said(row["start"])[:16], "end": panel.said(row["end"])[:16], "events": f"{row['events']:,}",
            "value": _amount(row["value"]), "expected": _amount(row["expected"]), "score": _score(row["score"]),
            "sure": "" if row["confident"] else panel.said(row["reason"]),
        }  # fmt: skip

    def _said(self, row: dict[Any, Any]) -> str:
        named = [
            panel.labelled(self._labels, name, row[name], 60)
            for name in _NAMES
            if name in row and not pd.isna(row[name])
        ]
        return " · ".join(named) or "nothing named"

    def _words(self, row: Any) -> str:
        told = f"{_amount(row['value'])}, {_amount(row['expected'])} expected" if not pd.isna(row["expected"]) else ""
        return f"{KINDS.get(row['kind'], row['kind'])}: {told}; by chance {_score(row['score'])} in a hundred such logs"

    def _status(self, series: pd.DataFrame) -> str:
        if nothing := accounting.nothing_examined(self._case):
            return visible(sentence(nothing))
        by = list(BY[self.charts.by])
        looked = len(series[by].drop_duplicates())
        cut = f"; the {_LISTED} oddest are listed" if len(self.found) > _LISTED else ""
        drawn = f"{len(self.charts.charts):,} of {looked:,} series drawn"
        silent = (
            ""
            if not series.empty and series["enough"].any()
            else ". There are less than three days of history: nothing can be odd yet"
        )
        return f"{plural(len(self.found), 'anomaly')}{cut}; {drawn}{silent}."

    def _choose(self, number: int) -> None:
        """Show the records of one anomaly."""
        if not 0 <= number < len(self.found):
            return
        ids = [str(one) for one in self.found["event_ids"].iloc[number]]
        self.selected = ids
        grid = EventGrid(self._case, only=ids, named=f"mf.analyse.anomalies(case)['event_ids'][{number}]")
        grid.observe(lambda change: setattr(self, "selected", change["new"] or ids), "selected")
        self.place.children = [grid]

    def _static(self) -> str:
        names = ("what", "kind", "start", "end", "value", "expected", "score")
        rows = [[row[name] for name in names] for row in self.charts.rows[:20]]
        cut = words.paragraph(f"{len(rows):,} of {plural(len(self.found), 'anomaly')}. Run this cell for the charts.")
        heads = ("what", "", "from (UTC)", "to (UTC)", "value", "expected", "by chance, in a hundred")
        return f"{cut}{panel.rows_of_html(heads, rows)}{self.code.value}"


def _names_of(columns: pd.DataFrame) -> pd.Series[str]:
    """One text for each series; no name of a log ends with a missing one."""
    return (
        columns.fillna("\0missing").agg("\0".join, axis=1)
        if len(columns.columns) > 1
        else columns.iloc[:, 0].fillna("\0missing")
    )


def _joined(values: pd.Series[float], join: int, most: Any) -> list[float | None]:
    """Join neighbours to one point, the extreme of them; null where there is none."""
    numbers = values.to_numpy("float64", na_value=np.nan)
    padded = np.concatenate([numbers, np.full(-len(numbers) % join, np.nan)]).reshape(-1, join)
    some = ~np.isnan(padded).all(axis=1)
    return [float(most(row)) if any_ else None for row, any_ in zip(padded, some, strict=True)]


def _amount(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"


def _score(score: float) -> str:
    return "less than 0.01" if score < 0.01 else f"{score:.2g}"
