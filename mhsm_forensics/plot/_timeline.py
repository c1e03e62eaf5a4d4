"""Who did what, when: the chart to begin with."""

from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import spell
from ._moments import DONE
from ._style import (
    GROUPS,
    LANES,
    MARKS,
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
    swatch,
    texts,
)
from ._text import safe
from ._time import axis_names, bands, epoch_ms, gap_bands, instants, room_below, second_axis, stamp, time_axes

# Lanes: what a title calls them, one of them, and the one without a value.
LANES_OF: Final = {
    "principal": ("Who did what, when", "identity", "no identity"),
    "caller_ip": ("From where, when", "address", "no address"),
    "key": ("What was done with which key, when", "key", "no key"),
    "operation_class": ("What kind of operation, when", "class", "no class"),
    "hsm": ("What was done on which HSM, when", "HSM", "no HSM"),
}
_CLUSTER: Final = 0.012  # badges nearer than this share of the width would overlap


def timeline(
    frame: pd.DataFrame,
    *,
    by: str = "principal",
    moments: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
    marks: pd.DataFrame | None = None,
    sessions: pd.DataFrame | None = None,
    t0: datetime | None = None,
    intervals: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
) -> go.Figure:
    """Swim lanes: how much of what, when; badges over control acts, bands over silences.

    Parameters
    ----------
    frame
        `analyse.timeline`: ``lane``, ``bin_start``, ``bin_end``, ``group``, ``events``, ``denied``.
    by
        Column that the lanes are values of, as it was asked for.
    moments
        `analyse.moments`; its acts become numbered badges, hollow when every one was refused.
    gaps
        `analyse.gaps`; silences of the log.
    marks
        Moments to point at: ``time``, ``label``.
    sessions
        `analyse.sessions`; lines at the foot of the lanes, where lanes are identities or addresses.
    t0
        Moment of suspected compromise.
    intervals
        Stretches of time to shade: ``start``, ``end``, ``label``.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most lanes drawn (control events and people are kept first).

    Returns
    -------
    One bar trace per group of operations, one marker trace for the badges, one for the sessions.
    """
    (title, noun, none), look = LANES_OF[by], THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(lane=texts(frame["lane"]), x=epoch_ms(frame["bin_start"]), end=epoch_ms(frame["bin_end"]))
    acts = _acts(moments, by)
    ranked = _ranked(rows, acts)
    lane = {who: i for i, who in enumerate(ranked[:limit])}
    drawn = rows[rows["lane"].isin(lane)]
    start, end = float(rows["x"].min()), float(rows["end"].max())
    dark, silences = gap_bands(gaps, look)
    shaded, named = bands(intervals, look)
    lines, words = instants(marks, t0, look, (start + end) / 2)
    own = _own(sessions, by, lane)
    longest = own.nlargest(MARKS, "seconds") if len(own) > MARKS else own
    groups = [g for g in GROUPS if (drawn["group"] == g).any()]
    note = f"Bar height: events per {_width(rows)}, log scale within each lane.   {key_to(groups)}"
    note += f"   {swatch(look.accent, 'denied', mark='□')}" if drawn["denied"].any() else ""
    note += f"   {swatch(look.calm, 'session', mark='▁')}" if len(longest) else ""
    totals = drawn.groupby("lane")["events"].sum()
    labels = [counted(_named(who, none), totals[who], look) for who in lane]
    return figure(
        [
            *_stacks(drawn, lane, none, zone),
            *_refused(drawn, lane, look),
            *_stretches(longest, lane, look),
            *_badges(acts, lane, end - start, look, zone),
            *second_axis(zone),
        ],
        look,
        title=title,
        note=note + shown_of(len(lane), len(ranked), noun) + shown_of(len(longest), len(own), "session"),
        height=112 + room_below(zone) + 44 * len(lane),
        margin={"t": 104, "b": room_below(zone)},
        yaxis=lanes(labels, look, room=0.12),
        shapes=[*shaded, *dark, *lane_rules(len(lane), look), *lines],
        annotations=[*named, *silences, *words, *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def _acts(moments: pd.DataFrame | None, by: str) -> pd.DataFrame | None:
    """Moments with the lane of each; runs on several keys have no lane among keys."""
    if moments is None or moments.empty:
        return None
    if by != "key":
        return moments.assign(lane=texts(moments[by]))
    single = moments[moments["keys"] == 1]
    return single.assign(lane=texts(single["hsm"]) + "/" + texts(single["key_names"]))


def _width(rows: pd.DataFrame) -> str:
    milliseconds = float((rows["end"] - rows["x"]).iloc[0])
    return spell(milliseconds / 1000) if milliseconds >= 1000 else f"{milliseconds:g} ms"


def _named(who: str, none: str) -> str:
    """Safe name of a lane, or that there is none, in italics, which no log text can imitate."""
    return safe(who, limit=27) or f"<i>{none}</i>"


def _ranked(rows: pd.DataFrame, acts: pd.DataFrame | None) -> list[str]:
    """Lanes, most relevant first: those with control events, then people, then the rarest."""
    events = rows.groupby("lane")["events"].sum()
    marked = rows["group"].map(lambda group: GROUPS[group].marked)
    acting = set(rows.loc[marked, "lane"])
    if acts is not None:
        acting |= set(acts["lane"])
    return sorted(events.index, key=lambda who: (who not in acting, "@" not in who, events[who], who))


def _own(sessions: pd.DataFrame | None, by: str, lane: dict[str, int]) -> pd.DataFrame:
    """Sessions of the lanes that are drawn; none where a session has no single lane."""
    if sessions is None or by not in {"principal", "caller_ip"}:
        return pd.DataFrame()
    rows = sessions.assign(lane=texts(sessions[by]))
    return rows[rows["lane"].isin(lane)]


def _stretches(rows: pd.DataFrame, lane: dict[str, int], theme: Theme) -> list[Json]:
    """Lines at the foot of the lanes, one trace."""
    if rows.empty:
        return []
    foot, blank = rows["lane"].map(lane).to_numpy() + 0.45, np.full(len(rows), np.nan)
    x = np.column_stack([epoch_ms(rows["start"]), epoch_ms(rows["end"]), blank]).ravel()
    line = {"width": 2, "color": theme.calm}
    y = np.column_stack([foot, foot, blank]).ravel()
    return [{"type": "scatter", "name": "sessions", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip"}]


def _cells(drawn: pd.DataFrame) -> pd.DataFrame:
    """Parts of bars with their heights: logarithmic within each lane, in the order of groups."""
    cells = drawn.assign(total=drawn.groupby(["lane", "x"])["events"].transform("sum"))
    peak = cells.groupby("lane")["total"].transform("max").clip(lower=3)
    cells["whole"] = 0.74 * np.log1p(cells["total"]) / np.log1p(peak)
    cells["height"] = cells["whole"] * cells["events"] / cells["total"]
    order = {group: i for i, group in enumerate(GROUPS)}
    cells = cells.assign(order=cells["group"].map(order)).sort_values(["lane", "x", "order"], kind="stable")
    cells["floor"] = cells.groupby(["lane", "x"])["height"].cumsum() - cells["height"]
    return cells


def _stacks(drawn: pd.DataFrame, lane: dict[str, int], none: str, zone: str | None) -> list[Json]:
    """Stacked bars inside the lanes, one trace per group."""
    by_group = dict(iter(_cells(drawn).groupby("group")))
    return [
        _stack(group, by_group[group], lane, _bar_words(by_group[group], none, zone))
        for group in GROUPS
        if group in by_group
    ]


def _refused(drawn: pd.DataFrame, lane: dict[str, int], theme: Theme) -> list[Json]:
    """Hollow tops of the bars: the share that was denied, never too small to be seen."""
    found = (
        _cells(drawn).groupby(["lane", "x", "end", "total"], as_index=False).agg({"denied": "sum", "whole": "first"})
    )
    found = found[found["denied"] > 0]
    if found.empty:
        return []
    share = (found["whole"] * found["denied"] / found["total"]).clip(lower=0.08)
    tall = share.clip(upper=found["whole"]).to_numpy()
    return [
        {
            "type": "bar",
            "name": "denied",
            "x": found["x"].to_numpy(),
            "width": (found["end"] - found["x"]).to_numpy(),
            "offset": 0,
            "base": found["lane"].map(lane).to_numpy() + 0.40 - found["whole"].to_numpy() + tall,
            "y": -tall,
            "marker": {"color": theme.page, "line": {"width": 1, "color": theme.accent}},
            "hoverinfo": "skip",
        }
    ]


def _stack(group: str, cells: pd.DataFrame, lane: dict[str, int], words: list[str]) -> Json:
    # The axis points down (first lane on top), so bars grow by negative heights from the lane's foot.
    foot = cells["lane"].map(lane).to_numpy() + 0.40
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
        "text": words,
        "textposition": "none",
        "hovertemplate": "%{text}<br>%{x}<br>%{customdata[0]:,} of %{customdata[1]:,} events: "
        + group
        + "<br>%{customdata[2]:,} denied<extra></extra>",
    }


def _bar_words(cells: pd.DataFrame, none: str, zone: str | None) -> list[str]:
    """Name of each bar's lane; with a second zone, the time in both (plotly writes UTC itself)."""
    names = {who: f"<b>{_named(who, none)}</b>" for who in cells["lane"].unique()}
    if zone is None:
        return [names[who] for who in cells["lane"]]
    return [f"{names[who]}<br>{stamp(x, zone)}" for who, x in zip(cells["lane"], cells["x"], strict=True)]


def _badges(
    found: pd.DataFrame | None, lane: dict[str, int], span: float, theme: Theme, zone: str | None
) -> list[Json]:
    """One marker per cluster of acts: its symbol says the kind of a single act, its number counts several."""
    if found is None:
        return []
    acts = found.assign(x=epoch_ms(found["start"]))
    acts = acts[acts["lane"].isin(lane)].sort_values(["lane", "x"], kind="stable")
    far = acts["x"].diff() > max(span, 1.0) * _CLUSTER
    cluster = (far | changes(acts["lane"])).cumsum()
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
        "y": lane[acts["lane"].iloc[0]] - 0.40,
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
