"""Series against what was expected of them: small multiples, the most unusual first."""

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import plural
from ._style import THEMES, Json, Theme, ThemeName, caption, each, figure, nothing, shown_of, swatch, texts
from ._text import NOBODY, safe
from ._time import epoch_ms, gap_bands, room_below, stamp, time_axes

_BY: Final = ("hsm", "operation", "principal", "caller_ip", "key")
_NOUNS: Final = {
    "events": "events", "denied_share": "share denied", "distinct_keys": "keys", "distinct_callers": "callers",
    "new_pairs": "new pairs", "duration_ms": "ms",
}  # fmt: skip
_ROW, _TOP = 150, 118  # pixels
_AIR: Final = 0.05  # of the width, between two panels
_KINDS: Final = {
    "more": "more", "fewer": "fewer", "first_ever": "first ever", "stopped": "stopped", "habit_changed": "habit changed"
}  # fmt: skip
_MOST_POINTS: Final = 2000  # of one panel; more can't be told apart


def anomalies(
    frame: pd.DataFrame,
    *,
    found: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = 12,
) -> go.Figure:
    """Panel per series: what there was, over the band of what was expected; orange for what is out of the usual.

    Parameters
    ----------
    frame
        `analyse.baseline`.
    found
        `analyse.anomalies` of the same series; they are marked, and the series with the least score come first. Without
        it, what lies outside the band is marked, and the series that leave it furthest come first.
    gaps
        `analyse.gaps`; silences of the log.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most series drawn (the most unusual).

    Returns
    -------
    The points of a mark carry the event ids of what they stand for, as `customdata`; without *found* there are none.
    """
    title, look = "What there was, against what was expected", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(label=_labels(frame), x=epoch_ms(frame["start"]), x2=epoch_ms(frame["end"]))
    marks = _marks(rows, found)
    order = _order(rows, marks)
    kept = order[:limit]
    columns = min(3, len(kept))
    panels = [_place(number, len(kept), columns) for number in range(len(kept))]
    shapes, words = gap_bands(gaps, look)
    start, end = float(rows["x"].min()), float(rows["x2"].max())
    traces: list[Json] = []
    notes: list[Json] = []
    layout: Json = {}
    for number, label in enumerate(kept):
        mark = str(number + 1) if number else ""
        part, own = rows[rows["label"] == label], marks[marks["label"] == label]
        traces += _panel(part, own, mark, look, zone)
        notes += _words(label, part, own, mark, look)
        layout |= _axes(panels[number], mark, (start, end), look, zone)
    foot = _foot(len(kept), columns)
    note = (
        f"{swatch(look.calm, 'value', mark='━')}   {swatch(look.cool[0][1], 'expected for that hour and kind of day')}   "
        f"{swatch(look.accent, 'more', mark='●')}   {swatch(look.accent, 'fewer', mark='○')}   Most unusual first."
    )
    return figure(
        traces,
        look,
        title=title,
        note=note + shown_of(len(kept), len(order), "panel"),
        height=_TOP + room_below(None) + _ROW * foot,
        margin={"l": 64, "r": 20, "t": _TOP, "b": room_below(None)},
        shapes=shapes if len(kept) == 1 else _in_panels(shapes, len(kept)),
        annotations=[*words, *notes, *_zone(zone, look)],
        **layout,
    )


def _zone(zone: str | None, theme: Theme) -> list[Json]:
    """Say in which zone hover texts give times too; small panels have no room for a second axis."""
    if zone is None:
        return []
    where: Json = {
        "x": 1,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "right",
        "yanchor": "bottom",
        "yshift": 34,
    }
    return [caption(safe(zone, limit=28), theme, **where, color=theme.faint)]


def _labels(frame: pd.DataFrame) -> pd.Series:
    """One text per series; what is null says so."""
    columns = [column for column in _BY if column in frame]
    parts = [texts(frame[column]) for column in columns]
    label = parts[0]
    for part in parts[1:]:
        label = label + "\x1f" + part
    return label


def _written(label: str, limit: int = 44) -> str:
    shown = [safe(part, limit=limit) or f"<i>{NOBODY}</i>" for part in label.split("\x1f")]
    return " · ".join(shown)


def _marks(rows: pd.DataFrame, found: pd.DataFrame | None) -> pd.DataFrame:
    """What is to be marked: what was found, or what leaves the band."""
    if found is not None:
        own = found[found["kind"].isin(list(_KINDS))]
        columns = [column for column in _BY if column in rows]
        named = own.assign(label=_labels(own[columns]), x=epoch_ms(own["start"]), x2=epoch_ms(own["end"]))
        return named[["label", "kind", "x", "x2", "value", "expected", "score", "events", "event_ids"]]
    over, under = rows["value"] > rows["high"], rows["value"] < rows["low"]
    out = rows[over | under]
    reach = np.abs(out["value"] - out["expected"]) / (
        1 + np.abs(np.where(over[out.index], out["high"], out["low"]) - out["expected"])
    )
    return out.assign(kind=np.where(over[out.index], "more", "fewer"), score=-reach, event_ids=None)[
        ["label", "kind", "x", "x2", "value", "expected", "score", "events", "event_ids"]
    ]


def _order(rows: pd.DataFrame, marks: pd.DataFrame) -> list[str]:
    oddest = marks.groupby("label", sort=False)["score"].min()
    size = rows.groupby("label", sort=False)["events"].sum()
    table = pd.DataFrame({"score": oddest.reindex(size.index), "size": -size})
    return [str(label) for label in table.sort_values(["score", "size"], na_position="last", kind="stable").index]


def _panel(part: pd.DataFrame, own: pd.DataFrame, mark: str, theme: Theme, zone: str | None) -> list[Json]:
    axes = {"xaxis": f"x{mark}", "yaxis": f"y{mark}"}
    line = _broken(_thinned(part))
    across, up = _outline(line)
    return [
        {
            **axes, "type": "scatter", "mode": "lines", "name": "band", "x": across, "y": up, "fill": "toself",
            "fillcolor": theme.cool[0][1], "line": {"width": 0}, "hoverinfo": "skip",
        },
        {
            **axes, "type": "scatter", "mode": "lines", "name": "value", "x": line["x"].to_numpy(),
            "y": line["value"].to_numpy("float64"), "line": {"width": 1.3, "color": theme.calm, "shape": "hv"},
            "text": [_hover(row, zone) for row in each(line)], "hovertemplate": "%{text}<extra></extra>",
        },
        _odd(part, own, axes, theme, zone),
    ]  # fmt: skip


def _outline(line: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Outline of the band: a stepped polygon for each stretch that has one, with a hole in between."""
    across: list[float] = []
    up: list[float] = []
    known = line["high"].notna().to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        part = line.iloc[first:end]
        steps = np.column_stack([part["x"], np.append(part["x"].to_numpy()[1:], part["x2"].iloc[-1])]).ravel()
        across += [*steps, *steps[::-1], np.nan]
        up += [*np.repeat(part["high"], 2), *np.repeat(part["low"], 2)[::-1], np.nan]
    return across, up


def _thinned(part: pd.DataFrame) -> pd.DataFrame:
    """Of neighbours that can't be told apart keep the extreme one, so that no spike is lost."""
    if len(part) <= _MOST_POINTS:
        return part
    group = np.arange(len(part)) * _MOST_POINTS // len(part)
    away = (part["value"] - part["expected"]).abs().fillna(0.0).to_numpy()
    order = np.lexsort((-away, group))
    first = np.concatenate([[True], np.diff(group[order]) > 0])
    return part.iloc[np.sort(order[first])]


def _broken(part: pd.DataFrame) -> pd.DataFrame:
    """Break the line where bins are missing: a gap of the log is no zero."""
    hole = (
        np.flatnonzero(np.diff(part["x"].to_numpy()) > 3 * float(np.median(np.diff(part["x"].to_numpy()))))
        if len(part) > 2
        else np.zeros(0, int)
    )
    if not len(hole):
        return part
    empty = part.iloc[hole].assign(x=part["x2"].iloc[hole], value=np.nan, low=np.nan, high=np.nan)
    return pd.concat([part, empty]).sort_values("x", kind="stable")


def _hover(row: Any, zone: str | None) -> str:
    expected = (
        "not enough history"
        if pd.isna(row.expected)
        else f"expected {row.expected:,.1f}, {row.low:,.1f} to {row.high:,.1f}"
    )
    return f"{stamp(row.x, zone)}<br><b>{row.value:,.4g}</b>; {expected}"


def _odd(part: pd.DataFrame, own: pd.DataFrame, axes: Json, theme: Theme, zone: str | None) -> Json:
    """Dots where something is out of the usual: filled for more, hollow for fewer."""
    peaks = [_peak(part, row) for row in each(own)]
    fewer = own["kind"].isin(["fewer", "stopped"]).to_numpy()
    return {
        **axes, "type": "scatter", "mode": "markers", "name": "unusual", "cliponaxis": False,
        "x": [x for x, _ in peaks], "y": [y for _, y in peaks],
        "customdata": [list(ids) if ids is not None else [] for ids in own["event_ids"]],
        "marker": {
            "size": 9, "color": [theme.page if less else theme.accent for less in fewer],
            "line": {"width": 1.8, "color": theme.accent},
        },
        "text": [_odd_words(row, zone) for row in each(own)], "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _peak(part: pd.DataFrame, row: Any) -> tuple[float, float]:
    """Bin of a mark that is drawn: the highest of more, the lowest of fewer."""
    inside = part[(part["x"] >= row.x) & (part["x"] < row.x2) & part["value"].notna()]
    if inside.empty:
        return float(row.x), float(row.value)
    values = inside["value"].to_numpy("float64")
    place = int(np.argmin(values) if row.kind in {"fewer", "stopped"} else np.argmax(values))
    return float(inside["x"].iloc[place]), float(values[place])


def _odd_words(row: Any, zone: str | None) -> str:
    expected = "?" if pd.isna(row.expected) else f"{row.expected:,.1f}"
    score = "" if row.score < 0 else f"<br>by chance {_score(row.score)} times in a hundred"
    return (
        f"<b>{_KINDS[row.kind]}</b><br>{stamp(row.x, zone)} to {stamp(row.x2, zone)}<br>"
        f"{row.value:,.4g} where {expected} was expected; {plural(int(row.events), 'event')}{score}"
    )


def _score(score: float) -> str:
    return "less than 0.01" if score < 0.01 else f"{score:,.2g}"


def _words(label: str, part: pd.DataFrame, own: pd.DataFrame, mark: str, theme: Theme) -> list[Json]:
    """Name of the panel, how many marks it has, and the oddest of them in words."""
    said = (
        f"<span style='color:{theme.accent}'>{len(own):,} unusual</span>"
        if len(own)
        else f"<span style='color:{theme.faint}'>as expected</span>"
    )
    name = caption(
        f"<b>{_written(label)}</b>  {said}",
        theme,
        x=0,
        y=1,
        xref=f"x{mark} domain",
        yref=f"y{mark} domain",
        yanchor="bottom",
        yshift=3,
    )
    if own.empty:
        return [name]
    row = next(each(own.sort_values("score", kind="stable")))
    x, y = _peak(part, row)
    left = x > (float(part["x"].min()) + float(part["x2"].max())) / 2
    text = _KINDS[row.kind] if row.kind in {"first_ever", "stopped", "habit_changed"} else f"{row.value:,.4g}"
    words = caption(
        f"{text}, {pd.Timestamp(x, unit='ms'):%d %b %H:%M}", theme, x=x, y=y, xref=f"x{mark}", yref=f"y{mark}",
        color=theme.accent,
        xanchor="right" if left else "left", xshift=-8 if left else 8, yanchor="middle",
    )  # fmt: skip
    return [name, words]


def _foot(count: int, columns: int) -> int:
    return -(-count // max(columns, 1))


def _place(number: int, count: int, columns: int) -> tuple[list[float], list[float]]:
    """Share of the page, across and upwards, that a panel has."""
    rows = _foot(count, columns)
    width, height = (1 - _AIR * (columns - 1)) / columns, 1 / rows
    across, down = number % columns, number // columns
    left, top = across * (width + _AIR), 1 - down * height
    return [left, min(left + width, 1.0)], [
        max(top - height + 0.3 * height, 0.0) if down < rows - 1 else 0.0,
        top - 0.06 * height,
    ]


def _axes(
    place: tuple[list[float], list[float]], mark: str, span: tuple[float, float], theme: Theme, zone: str | None
) -> Json:
    across = time_axes(*span, theme, foot=f"y{mark}")["xaxis"]
    across |= {"domain": place[0], "nticks": 4, "showgrid": False} | ({"matches": "x"} if mark else {})
    up = {
        "domain": place[1], "anchor": f"x{mark}", "rangemode": "tozero", "gridcolor": theme.rule, "zerolinecolor": theme.rule,
        "nticks": 4, "ticks": "", "tickformat": ",.3~s", "tickfont": {"size": 11, "color": theme.faint},
    }  # fmt: skip
    return {f"xaxis{mark}": across, f"yaxis{mark}": up}


def _in_panels(shapes: list[Json], panels: int) -> list[Json]:
    """Bands over the silences in every panel, not across the page."""
    made = []
    for number in range(panels):
        mark = str(number + 1) if number else ""
        made += [{**shape, "xref": f"x{mark}", "yref": f"y{mark} domain"} for shape in shapes]
    return made
