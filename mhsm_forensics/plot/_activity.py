"""Who did what, when: the chart to begin with."""

from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import spell
from ._moments import DONE
from ._style import (
    GROUPS,
    LANES,
    THEMES,
    Json,
    Theme,
    ThemeName,
    changes,
    counted,
    figure,
    key_to,
    lane_rules,
    lanes,
    nothing,
    shown_of,
    texts,
)
from ._text import name, safe
from ._time import axis_names, epoch_ms, gap_bands, room_below, second_axis, stamp, time_axes

_CLUSTER: Final = 0.012  # badges nearer than this share of the width would overlap


def activity(
    frame: pd.DataFrame,
    *,
    moments: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
) -> go.Figure:
    """Swim lane per identity: how much of what, when; badges over control acts, bands over silences.

    Parameters
    ----------
    frame
        `analyse.activity`: ``principal``, ``bin_start``, ``bin_end``, ``group``, ``events``, ``denied``.
    moments
        `analyse.moments`; its acts become numbered badges, hollow when every one was refused.
    gaps
        `analyse.gaps`; silences of the log.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most lanes drawn (control events and people are kept first).

    Returns
    -------
    One bar trace per group of operations, one marker trace for the badges.
    """
    title, look = "Who did what, when", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(
        principal=texts(frame["principal"]), x=epoch_ms(frame["bin_start"]), end=epoch_ms(frame["bin_end"])
    )
    ranked = _ranked(rows, moments)
    lane = {who: i for i, who in enumerate(ranked[:limit])}
    drawn = rows[rows["principal"].isin(lane)]
    start, end = float(rows["x"].min()), float(rows["end"].max())
    shapes, words = gap_bands(gaps, look)
    groups = [g for g in GROUPS if (drawn["group"] == g).any()]
    width = spell(float((rows["end"] - rows["x"]).iloc[0]) / 1000)
    note = f"Bar height: events per {width}, log scale within each lane.   {key_to(groups)}"
    totals = drawn.groupby("principal")["events"].sum()
    labels = [counted(name(who), totals[who], look) for who in lane]
    return figure(
        [*_stacks(drawn, lane, zone), *_badges(moments, lane, end - start, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(lane), len(ranked), "identity"),
        height=112 + room_below(zone) + 44 * len(lane),
        margin={"t": 104, "b": room_below(zone)},
        yaxis=lanes(labels, look, room=0.12),
        shapes=[*shapes, *lane_rules(len(lane), look)],
        annotations=[*words, *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def _ranked(rows: pd.DataFrame, moments: pd.DataFrame | None) -> list[str]:
    """Identities, most relevant first: those with control events, then people, then the rarest."""
    events = rows.groupby("principal")["events"].sum()
    marked = rows["group"].map(lambda group: GROUPS[group].marked)
    acting = set(rows.loc[marked, "principal"])
    if moments is not None:
        acting |= set(texts(moments["principal"]))
    return sorted(events.index, key=lambda who: (who not in acting, "@" not in who, events[who], who))


def _stacks(drawn: pd.DataFrame, lane: dict[str, int], zone: str | None) -> list[Json]:
    """Stacked bars inside the lanes, one trace per group."""
    cells = drawn.assign(total=drawn.groupby(["principal", "x"])["events"].transform("sum"))
    peak = cells.groupby("principal")["total"].transform("max").clip(lower=3)
    cells["height"] = 0.74 * np.log1p(cells["total"]) / np.log1p(peak) * cells["events"] / cells["total"]
    order = {group: i for i, group in enumerate(GROUPS)}
    cells = cells.assign(order=cells["group"].map(order)).sort_values(["principal", "x", "order"], kind="stable")
    cells["floor"] = cells.groupby(["principal", "x"])["height"].cumsum() - cells["height"]
    return [
        _stack(group, cells[cells["group"] == group], lane, zone) for group in GROUPS if (cells["group"] == group).any()
    ]


def _stack(group: str, cells: pd.DataFrame, lane: dict[str, int], zone: str | None) -> Json:
    # The axis points down (first lane on top), so bars grow by negative heights from the lane's foot.
    foot = cells["principal"].map(lane).to_numpy() + 0.40
    return {
        "type": "bar",
        "name": group,
        "x": cells["x"].to_numpy(),
        "width": (cells["end"] - cells["x"]).to_numpy(),
        "offset": 0,
        "base": foot - cells["floor"].to_numpy(),
        "y": -cells["height"].to_numpy(),
        "marker": {"color": GROUPS[group].colour, "line": {"width": 0}},
        "customdata": cells[["events", "total", "denied"]].to_numpy("float64"),
        "text": _bar_words(cells, zone),
        "textposition": "none",
        "hovertemplate": "%{text}<br>%{x}<br>%{customdata[0]:,} of %{customdata[1]:,} events: "
        + group
        + "<br>%{customdata[2]:,} denied<extra></extra>",
    }


def _bar_words(cells: pd.DataFrame, zone: str | None) -> list[str]:
    """Name of each bar's lane; with a second zone, the time in both (plotly writes UTC itself)."""
    names = {who: f"<b>{name(who)}</b>" for who in cells["principal"].unique()}
    if zone is None:
        return [names[who] for who in cells["principal"]]
    return [f"{names[who]}<br>{stamp(x, zone)}" for who, x in zip(cells["principal"], cells["x"], strict=True)]


def _badges(
    moments: pd.DataFrame | None, lane: dict[str, int], span: float, theme: Theme, zone: str | None
) -> list[Json]:
    """One marker per cluster of acts: its symbol says the kind of a single act, its number counts several."""
    if moments is None or moments.empty:
        return []
    acts = moments.assign(principal=texts(moments["principal"]), x=epoch_ms(moments["start"]))
    acts = acts[acts["principal"].isin(lane)].sort_values(["principal", "x"], kind="stable")
    far = acts["x"].diff() > max(span, 1.0) * _CLUSTER
    cluster = (far | changes(acts["principal"])).cumsum()
    badges = [_badge(group, lane, theme, zone) for _, group in acts.groupby(cluster)]
    return [_merge_markers(badges)] if badges else []


def _badge(acts: pd.DataFrame, lane: dict[str, int], theme: Theme, zone: str | None) -> Json:
    count = int(acts["events"].sum())
    worst = max(acts["group"], key=list(GROUPS).index)
    refused = not acts["outcome"].isin(DONE).any()
    colour = GROUPS[worst].colour
    lines = [
        f"{stamp(x, zone)}  {safe(operation)} → {outcome}" + (f" ({events:,} times)" if events > 1 else "")
        for x, operation, outcome, events in zip(
            acts["x"], acts["operation"], acts["outcome"], acts["events"], strict=True
        )
    ]
    more = [f"… {len(lines) - 12} more"] if len(lines) > 12 else []
    number = f"{count}" if count < 1000 else f"{count / 1000:.1f}k"
    return {
        "x": (acts["x"].min() + acts["x"].max()) / 2,
        "y": lane[acts["principal"].iloc[0]] - 0.40,
        "symbol": GROUPS[worst].symbol if count == 1 else "circle",
        "size": 9 if count == 1 else 14 + 4 * len(number),
        "fill": theme.page if refused else colour,
        "line": colour if refused else theme.page,
        "text": "" if count == 1 else f"<b>{number}</b>",
        "ink": colour if refused else "#FFFFFF",
        "hover": "<br>".join(lines[:12] + more),
    }


def _merge_markers(badges: list[Json]) -> Json:
    def each(field: str) -> list[object]:
        return [badge[field] for badge in badges]

    return {
        "type": "scatter",
        "name": "control acts",
        "mode": "markers+text",
        "x": each("x"),
        "y": each("y"),
        "text": each("text"),
        "textfont": {"size": 11, "color": each("ink")},
        "customdata": each("hover"),
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "symbol": each("symbol"),
            "size": each("size"),
            "color": each("fill"),
            "opacity": 1,
            "line": {"width": 1.5, "color": each("line")},
        },
    }
