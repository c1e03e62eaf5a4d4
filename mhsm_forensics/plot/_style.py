"""The look of every figure: colours, margins, lanes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import plural

Json = dict[str, Any]
ThemeName = Literal["light", "dark"]
Stops = tuple[tuple[float, str], ...]

FONT: Final = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
LANES: Final = 24  # more lanes than this can't be read on one page
MARKS: Final = 4000  # more marks than this slow a browser down, and no eye tells them apart


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one theme; `cool` and `warm` shade counts in matrices from few to many."""

    ink: str
    faint: str
    rule: str
    page: str
    accent: str
    calm: str
    low: str
    gap: str
    cool: Stops
    warm: Stops


@dataclass(frozen=True, slots=True)
class Group:
    """How a group of operations looks; those that change state differ by symbol too, not by colour alone."""

    colour: str
    symbol: str
    marked: bool


THEMES: Final = {
    "light": Theme(
        ink="#1B2530",
        faint="#5B6875",
        rule="#E4E8ED",
        page="#FFFFFF",
        accent="#C73E0A",
        calm="#5E86A6",
        low="#E9B44C",
        gap="#F7DFD5",
        cool=((0, "#DCE9F3"), (1, "#1F5A8A")),
        warm=((0, "#F6C9B5"), (1, "#C73E0A")),
    ),
    "dark": Theme(
        ink="#E8ECF1",
        faint="#9AA7B4",
        rule="#2C3640",
        page="#141A20",
        accent="#FF7A45",
        calm="#7FA6C6",
        low="#D9A441",
        gap="#4A2A1E",
        cool=((0, "#22384A"), (1, "#7DB9E6")),
        warm=((0, "#5A2E1C"), (1, "#FF7A45")),
    ),
}

# Okabe-Ito's family, from everyday to severe.
GROUPS: Final = {
    "read": Group("#AEB8C3", "circle", marked=False),
    "crypto": Group("#7FB8DE", "circle", marked=False),
    "other": Group("#8A8173", "circle", marked=False),
    "key lifecycle": Group("#009E73", "diamond", marked=True),
    "access control": Group("#B0609F", "square", marked=True),
    "backup / domain": Group("#E69F00", "triangle-up", marked=True),
    "destructive": Group("#D1430C", "x", marked=True),
}
_GROUP_OF_CLASS: Final = {
    "crypto": "crypto",
    "key_read": "read",
    "key_lifecycle": "key lifecycle",
    "access_control": "access control",
    "key_backup": "backup / domain",
    "key_release": "backup / domain",
    "hsm_backup": "backup / domain",
    "hsm_restore": "backup / domain",
    "security_domain": "backup / domain",
}


def group_of(operation_class: object, effect: object = None) -> str:
    """Group that an operation is drawn in: what destroys is destructive, whatever its class."""
    return "destructive" if effect == "destroy" else _GROUP_OF_CLASS.get(str(operation_class), "other")


def key_to(groups: list[str]) -> str:
    """Legend as coloured words, for the subtitle."""
    return "   ".join(f"<span style='color:{GROUPS[g].colour}'>■</span> {g}" for g in groups)


def swatch(colour: str, words: str, *, mark: str = "■") -> str:
    """One entry of a legend in words."""
    return f"<span style='color:{colour}'>{mark}</span> {words}"


def figure(traces: list[Json], theme: Theme, *, title: str, note: str, height: int, **layout: Any) -> go.Figure:
    """Put traces on the house page: title and note at the top left, light rules, no frame."""
    margin = {"l": 250, "r": 24, "t": 84, "b": 48, "autoexpand": False, **layout.pop("margin", {})}
    page = {
        "template": "none",
        "height": height,
        "margin": margin,
        "paper_bgcolor": theme.page,
        "plot_bgcolor": theme.page,
        "font": {"family": FONT, "size": 12.5, "color": theme.ink},
        "showlegend": False,
        "hovermode": "closest",
        "barmode": "overlay",
        "bargap": 0,
        "dragmode": "zoom",
        "title": _title(title, note, theme),
        "hoverlabel": {
            "bgcolor": "#1B2530",
            "bordercolor": "#1B2530",
            "align": "left",
            "font": {"family": FONT, "size": 12, "color": "#FFFFFF"},
        },
    }
    return go.Figure(data=traces, layout={**page, **layout})


def nothing(title: str, theme: Theme) -> go.Figure:
    """Figure that says in words that there is nothing to show."""
    words = {
        "text": "Nothing to show: the frame has no rows.",
        "x": 0,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "showarrow": False,
        "font": {"size": 13, "color": theme.faint},
    }
    hidden = {"visible": False}
    return figure(
        [],
        theme,
        title=title,
        note="",
        height=150,
        margin={"l": 14, "b": 14},
        annotations=[words],
        xaxis=hidden,
        yaxis=hidden,
    )


def lanes(labels: list[str], theme: Theme, *, room: float = 0.0) -> Json:
    """Vertical axis with one numbered lane per label, the first on top.

    Lanes are numbers, not categories: plotly would read an identity named ``1e5`` as a number.
    """
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": labels,
        "range": [len(labels) - 0.5, -0.5 - room],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 8,
        "tickfont": {"size": 12.5, "color": theme.ink},
    }


def lane_rules(count: int, theme: Theme) -> list[Json]:
    """Hair lines between lanes."""
    line = {"color": theme.rule, "width": 1}
    return [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": i - 0.5,
            "y1": i - 0.5,
            "line": line,
            "layer": "below",
        }
        for i in range(count + 1)
    ]


def spans(name: str, *, lanes: Any, start: Any, length: Any, words: list[str], width: float, marker: Json) -> Json:
    """Horizontal bars from *start*, *length* long, each with its hover text; the widget of every Gantt."""
    return {
        "type": "bar",
        "name": name,
        "orientation": "h",
        "y": np.asarray(lanes),
        "base": np.asarray(start),
        "x": np.asarray(length),
        "width": width,
        "text": words,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {**marker, "line": {"width": 0}},
    }


def caption(text: str, theme: Theme, *, x: float, y: float, **more: Any) -> Json:
    """Annotation beside a mark: no arrow, page-coloured ground."""
    font = {"size": 11.5, "color": more.pop("color", theme.ink)}
    return {"x": x, "y": y, "text": text, "showarrow": False, "xanchor": "left", "font": font, **more}


def shown_of(shown: int, total: int, noun: str) -> str:
    """``24 of 31 identities shown.`` when something was cut, else nothing."""
    return f"  <b>{shown:,} of {plural(total, noun)} shown.</b>" if shown < total else ""


def counted(label: str, count: float, theme: Theme) -> str:
    """Label with its count, fainter."""
    return f"{label}  <span style='color:{theme.faint}'>{count:,.0f}</span>"


def texts(column: pd.Series) -> pd.Series:
    """Column as Arrow strings; null becomes "", which is no value of any log column.

    Arrow, because pandas cuts plain strings at a NUL when it groups them, and would merge two identities.
    """
    return column.astype("string[pyarrow]").fillna("")


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows of a frame as named tuples."""
    yield from frame.itertuples()


def changes(column: pd.Series) -> pd.Series:
    """Say where a value differs from the one before it."""
    return (column != column.shift()).fillna(value=True).astype(bool)


def _title(title: str, note: str, theme: Theme) -> Json:
    return {
        "text": f"<b>{title}</b>",
        "font": {"size": 17, "color": theme.ink},
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 14, "t": 14},
        "subtitle": {"text": note, "font": {"size": 12.5, "color": theme.faint}},
    }
