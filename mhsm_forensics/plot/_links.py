"""Identities between the addresses they came from and the keys they touched."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import plural
from ._style import THEMES, Json, Theme, ThemeName, each, figure, nothing, swatch, texts
from ._text import name, safe
from ._time import stamp

_STEP: Final = 30  # pixels between two names of a column
_SIDES: Final = {"caller_ip": 0.0, "principal": 1.0, "key": 2.0}
_HEADS: Final = {"caller_ip": "addresses", "principal": "identities", "key": "keys"}
_WIDTHS: Final = ((100, 6.0), (10, 3.5), (0, 1.6))  # from so many events on, so many pixels wide


class Place(NamedTuple):
    """Where a name stands."""

    x: float
    y: float


def links(frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None) -> go.Figure:
    """Lines from addresses to identities to keys, thicker for more events, orange for new ones.

    Parameters
    ----------
    frame
        `analyse.bundles`, which folds what one page can't hold and says how many.
    theme, zone
        Colours; IANA zone shown beside UTC in the hover text.
    """
    title, look = "Who came from where and touched which key", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(
        principal=texts(frame["principal"]), value=texts(frame["value"]), new=frame["is_new"].astype(bool)
    )
    places = _places(rows)
    most = max(sum(kind == side for kind, _ in places) for side in _SIDES)
    note = f"Line width: events.   {swatch(look.accent, 'new')}   {swatch(look.calm, 'known')}"
    folded = int((frame[["principals", "values"]].max(axis=1) > 1).sum())
    note += f"   {plural(folded, 'line')} for several, counted at the ends." if folded else ""
    axis = {"visible": False, "fixedrange": True}
    return figure(
        [*_lines(rows, places, look), _middles(rows, places, zone), *_names(rows, places, look)],
        look,
        title=title,
        note=note,
        height=150 + _STEP * most,
        margin={"l": 230, "r": 230, "t": 110, "b": 20},
        xaxis={**axis, "range": [-0.02, 2.02]},
        yaxis={**axis, "range": [most - 0.4, -0.6]},
        annotations=[_head(kind, look) for kind in _SIDES],
    )


def _places(rows: pd.DataFrame) -> dict[tuple[str, str], Place]:
    """Names of each side, those with a new line first; addresses and keys beside the identity that uses them most."""
    told = rows.groupby("principal").agg(new=("new", "any"), events=("events", "sum")).reset_index()
    people = list(told.sort_values(["new", "events", "principal"], ascending=[False, False, True])["principal"])
    sides = {"principal": people}
    for kind in ("caller_ip", "key"):
        side = rows[rows["kind"] == kind].sort_values(["events", "value"], ascending=[False, True])
        home = side.drop_duplicates("value").assign(at=lambda one: one["principal"].map(people.index))
        sides[kind] = list(home.sort_values(["at", "value"])["value"])
    longest = max(map(len, sides.values()))
    return {
        (kind, value): Place(_SIDES[kind], (i + 0.5) * longest / len(values) - 0.5)
        for kind, values in sides.items()
        for i, value in enumerate(values)
    }


def _ends(row: Any, places: dict[tuple[str, str], Place]) -> tuple[Place, Place]:
    """Both ends of a line, from left to right."""
    there, who = places[row.kind, row.value], places["principal", row.principal]
    return (there, who) if there.x < who.x else (who, there)


def _curve(start: Place, end: Place) -> tuple[list[float | None], list[float | None]]:
    """Points of a line that leaves and arrives level; a gap at its end."""
    along = np.linspace(0, 1, 13)
    rise = along * along * (3 - 2 * along)
    xs = start.x + (end.x - start.x) * (0.02 + 0.96 * along)
    return [*map(float, xs), None], [*map(float, start.y + (end.y - start.y) * rise), None]


def _lines(rows: pd.DataFrame, places: dict[tuple[str, str], Place], theme: Theme) -> Iterator[Json]:
    """One trace per colour and width; new lines on top."""
    for new in (False, True):
        left = rows[rows["new"] == new]
        for least, width in _WIDTHS:
            part, left = left[left["events"] >= least], left[left["events"] < least]
            curves = [_curve(*_ends(row, places)) for row in each(part)]
            if curves:
                yield {
                    "type": "scatter", "mode": "lines", "name": "new" if new else "known", "hoverinfo": "skip",
                    "x": [x for xs, _ in curves for x in xs], "y": [y for _, ys in curves for y in ys],
                    "line": {"width": width, "color": theme.accent if new else theme.calm}, "opacity": 0.9 if new else 0.35,
                }  # fmt: skip


def _middles(rows: pd.DataFrame, places: dict[tuple[str, str], Place], zone: str | None) -> Json:
    """What can be pointed at, since plotly tells nothing of a line between its points."""
    ends = [_ends(row, places) for row in each(rows)]
    words = [
        f"<b>{name(row.principal)}</b> and {safe(row.value) or '<i>none</i>'}<br>{plural(int(row.events), 'event')}, "
        f"{row.denied:,} denied, {plural(int(row.control_events), 'control event')}<br>"
        f"{stamp(row.first_time.timestamp() * 1000, zone)} to {stamp(row.last_time.timestamp() * 1000, zone)}"
        for row in each(rows)
    ]
    return {
        "type": "scatter", "mode": "markers", "name": "lines", "marker": {"size": 14, "opacity": 0},
        "x": [(start.x + end.x) / 2 for start, end in ends], "y": [(start.y + end.y) / 2 for start, end in ends],
        "text": words, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _names(rows: pd.DataFrame, places: dict[tuple[str, str], Place], theme: Theme) -> Iterator[Json]:
    """Names of each side, at its edge; a dot for each, orange where every line of it is new."""
    for kind, at in (("caller_ip", "middle left"), ("principal", "top center"), ("key", "middle right")):
        column = "principal" if kind == "principal" else "value"
        side = rows if kind == "principal" else rows[rows["kind"] == kind]
        fresh = side.groupby(column)["new"].all()
        here = [(value, place) for (one, value), place in places.items() if one == kind]
        shown = [name(value) if kind == "principal" else safe(value, limit=28) or "<i>none</i>" for value, _ in here]
        yield {
            "type": "scatter", "mode": "markers+text", "name": _HEADS[kind], "cliponaxis": False,
            "x": [place.x for _, place in here], "y": [place.y for _, place in here],
            "marker": {"size": 9, "color": [theme.accent if fresh[value] else theme.calm for value, _ in here]},
            "text": shown, "textposition": at, "textfont": {"size": 12, "color": theme.ink},
            "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip


def _head(kind: str, theme: Theme) -> Json:
    anchor = {"caller_ip": "right", "principal": "center", "key": "left"}[kind]
    return {
        "x": _SIDES[kind], "xanchor": anchor, "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 10,
        "text": _HEADS[kind], "showarrow": False, "font": {"size": 11.5, "color": theme.faint},
    }  # fmt: skip
