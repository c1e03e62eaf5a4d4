"""Counts in a grid: identity by address, operation by outcome."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from ._style import (
    GROUPS,
    LANES,
    THEMES,
    Json,
    Stops,
    Theme,
    ThemeName,
    each,
    figure,
    group_of,
    lanes,
    nothing,
    shown_of,
    swatch,
    texts,
)
from ._text import name, safe
from ._time import stamp

_OUTCOMES = ("success", "accepted", "denied", "failure", "unknown")
_CROWDED = 7  # columns, beyond which their names stand aslant
_ROOMY = 9  # columns, up to which a cell has room for a second line
_WARM = {"denied", "failure"}
_NOUNS = {"principal": "identity", "caller_ip": "address", "key": "key", "hsm": "HSM"}

Cells = npt.NDArray[np.float64]


def first_seen_pairs(
    frame: pd.DataFrame,
    *,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
    columns: int = 14,
) -> go.Figure:
    """Matrix of pairs, events in each cell; orange for pairs first seen since the moment asked about.

    Parameters
    ----------
    frame
        `analyse.first_seen_pairs`: its first two columns name the pair, then ``first_time``, ``last_time``,
        ``events``, ``denied``, ``is_new``.
    theme, zone
        Colours; IANA zone shown beside UTC in the hover text.
    limit, columns
        Most rows and columns drawn (those with new pairs, then the busiest, are kept).
    """
    left, right = frame.columns[0], frame.columns[1]
    title, look = f"Which {_NOUNS.get(left, left)} came with which {_NOUNS.get(right, right)}", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    pairs = frame.assign(left=texts(frame[left]), right=texts(frame[right]), new=frame["is_new"].astype(bool))
    rows, across = _kept(pairs, "left", limit), _kept(pairs, "right", columns)
    drawn = pairs[pairs["left"].isin(rows) & pairs["right"].isin(across)]
    rows, across = _diagonal(drawn, rows, across)
    note = (
        f"Events per pair.   {swatch(look.warm[1][1], 'pair not seen before')}"
        if drawn["new"].any()
        else "Events per pair."
    )
    note += shown_of(len(rows), pairs["left"].nunique(), _NOUNS.get(left, "row"))
    note += shown_of(len(across), pairs["right"].nunique(), _NOUNS.get(right, "column"))
    return figure(
        [*_shades(drawn, rows, across, look, zone)],
        look,
        title=title,
        note=note,
        height=150 + 40 * len(rows),
        margin={"t": 128, "b": 16, "r": 100 if len(across) > _CROWDED else 24},
        yaxis=lanes([name(who) for who in rows], look),
        xaxis=_columns([safe(ip, limit=22) or "none" for ip in across], _new_columns(drawn, across), look),
    )


def outcomes(frame: pd.DataFrame, *, theme: ThemeName = "light", limit: int = 40) -> go.Figure:
    """Matrix of operation by outcome, events in each cell; orange for what was refused or failed.

    Parameters
    ----------
    frame
        `analyse.outcomes`: ``operation``, ``operation_class``, ``effect``, ``success`` … ``unknown``.
    theme, limit
        Colours; most operations drawn (control operations, then the busiest, are kept).
    """
    title, look = "How each operation ended", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    groups = [group_of(kind, effect) for kind, effect in zip(frame["operation_class"], frame["effect"], strict=True)]
    order = [list(GROUPS).index(group) for group in groups]
    rows = frame.assign(operation=texts(frame["operation"]), group=groups, order=order)
    rows = rows.sort_values(["order", "events", "operation"], ascending=[False, False, True], kind="stable")
    drawn = rows.head(limit).reset_index(drop=True)
    across = [outcome for outcome in _OUTCOMES if drawn[outcome].sum() or outcome != "unknown"]
    labels = [
        f"{safe(operation, limit=30)}  <span style='color:{GROUPS[group].colour}'>■</span>"
        for operation, group in zip(drawn["operation"], drawn["group"], strict=True)
    ]
    return figure(
        _outcome_shades(drawn, across, look),
        look,
        title=title,
        note="Events by outcome. Accepted (202) is not done: the result of a long job is not in the log."
        + shown_of(len(drawn), len(rows), "operation"),
        height=128 + 28 * len(drawn),
        margin={"l": 250, "t": 108, "b": 16},
        yaxis=lanes(labels, look),
        xaxis=_columns(list(across), set(), look),
    )


def _kept(pairs: pd.DataFrame, side: str, limit: int) -> list[str]:
    weight = pairs.groupby(side).agg(new=("new", "any"), events=("events", "sum")).reset_index()
    ranked = weight.sort_values(["new", "events", side], ascending=[False, False, True])
    return [str(value) for value in ranked[side].head(limit)]


def _diagonal(drawn: pd.DataFrame, rows: list[str], across: list[str]) -> tuple[list[str], list[str]]:
    """Order both sides so that the usual case, one row with one column, lies on the diagonal."""
    usual = drawn.sort_values("events", ascending=False, kind="stable").drop_duplicates("left")
    home = dict(zip(usual["left"], usual["right"], strict=True))
    newest = drawn.groupby("right")["new"].all()
    columns = sorted(across, key=lambda value: (bool(newest.get(value, False)), value))
    place = {value: i for i, value in enumerate(columns)}
    return sorted(rows, key=lambda value: (place.get(home.get(value, ""), len(columns)), value)), columns


def _shades(drawn: pd.DataFrame, rows: list[str], across: list[str], theme: Theme, zone: str | None) -> list[Json]:
    shades = []
    for new, stops in ((False, theme.cool), (True, theme.warm)):
        part = drawn[drawn["new"] == new]
        events = _grid(part, rows, across, "events")
        words, hover = np.full(events.shape, "", dtype=object), np.full(events.shape, "", dtype=object)
        for pair in each(part):
            cell = rows.index(str(pair.left)), across.index(str(pair.right))
            words[cell] = _cell_words(float(pair.events), float(pair.denied), roomy=len(across) <= _ROOMY)
            hover[cell] = _pair_hover(pair, zone)
        if not part.empty:
            shades.append(_heat(events, words, hover, stops, peak=float(drawn["events"].max())))
    return shades


def _pair_hover(pair: object, zone: str | None) -> str:
    left, right, events, denied = (getattr(pair, field) for field in ("left", "right", "events", "denied"))
    first, last = (stamp(getattr(pair, field).timestamp() * 1000, zone) for field in ("first_time", "last_time"))
    return f"<b>{name(left)}</b> and {safe(right)}<br>{events:,} events, {denied:,} denied<br>{first} to {last}"


def _cell_words(events: float, denied: float, *, roomy: bool) -> str:
    share = denied / events if events else 0
    refused = f"<br><span style='font-size:10px'>{share:.0%} denied</span>" if roomy and share > 0.03 else ""
    return f"<b>{events:,.0f}</b>{refused}"


def _outcome_shades(drawn: pd.DataFrame, across: list[str], theme: Theme) -> list[Json]:
    counts = drawn[across].to_numpy("float64")
    warm = np.array([[outcome in _WARM for outcome in across]] * len(drawn))
    hover = np.array(
        [
            [f"<b>{safe(operation)}</b><br>{n:,.0f} {outcome}" for n, outcome in zip(row, across, strict=True)]
            for operation, row in zip(drawn["operation"], counts, strict=True)
        ],
        dtype=object,
    )
    words = np.array([[f"<b>{n:,.0f}</b>" if n else "" for n in row] for row in counts], dtype=object)
    return [
        _heat(
            np.where((warm == hot) & (counts > 0), counts, np.nan),
            np.where(warm == hot, words, ""),
            hover,
            stops,
            peak=float(counts.max()),
        )
        for hot, stops in ((False, theme.cool), (True, theme.warm))
    ]


def _grid(part: pd.DataFrame, rows: list[str], across: list[str], value: str) -> Cells:
    table = part.pivot_table(index="left", columns="right", values=value, aggfunc="sum", observed=True)
    return table.reindex(index=rows, columns=across).to_numpy("float64")


def _heat(
    events: Cells,
    words: npt.NDArray[np.object_],
    hover: npt.NDArray[np.object_],
    stops: Stops,
    *,
    peak: float,
) -> Json:
    """Cells shaded by the logarithm of their count, the count written in them."""
    return {
        "type": "heatmap",
        "x": list(range(events.shape[1])),
        "y": list(range(events.shape[0])),
        "z": np.log10(events, where=~np.isnan(events), out=np.full(events.shape, np.nan)),
        "zmin": 0,
        "zmax": max(float(np.log10(max(peak, 1))), 1),
        "colorscale": [list(stop) for stop in stops],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "hoverongaps": False,
        "text": words,
        "texttemplate": "%{text}",
        "textfont": {"size": 12},
        "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _new_columns(drawn: pd.DataFrame, across: list[str]) -> set[int]:
    new = drawn.groupby("right")["new"].all()
    return {i for i, value in enumerate(across) if bool(new.get(value, False))}


def _columns(labels: list[str], new: set[int], theme: Theme) -> Json:
    crowded = len(labels) > _CROWDED
    words = [
        f"<b><span style='color:{theme.accent}'>{text}</span></b>" if i in new else text
        for i, text in enumerate(labels)
    ]
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": words,
        "side": "top",
        "range": [-0.5, len(labels) - 0.5],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "tickangle": -30 if crowded else 0,
        "ticklabeloverflow": "allow",
        "tickfont": {"size": 11.5, "color": theme.ink},
    }
