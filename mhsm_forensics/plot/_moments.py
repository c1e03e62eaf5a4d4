"""Every control act, one by one."""

from typing import Final

import pandas as pd
import plotly.graph_objects as go

from ..text import plural
from ._style import (
    GROUPS,
    LANES,
    MARKS,
    THEMES,
    Json,
    Theme,
    ThemeName,
    caption,
    counted,
    figure,
    lane_rules,
    lanes,
    nothing,
    shown_of,
    spans,
    texts,
)
from ._text import name, safe
from ._time import axis_names, epoch_ms, gap_bands, room_below, second_axis, stamps, time_axes

DONE: Final = {"success", "accepted"}


def moments(
    frame: pd.DataFrame,
    *,
    gaps: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
) -> go.Figure:
    """Row per operation, mark per run of the same act: filled when done or accepted, hollow when refused.

    Parameters
    ----------
    frame
        `analyse.moments`, or the part of it that belongs to the incident.
    gaps
        `analyse.gaps`; silences of the log.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most rows drawn (what destroys is kept first).
    """
    title, look = "Control acts, one by one", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(operation=texts(frame["operation"]), x=epoch_ms(frame["start"]), x2=epoch_ms(frame["end"]))
    severity = {group: i for i, group in enumerate(GROUPS)}
    rank = rows.assign(rank=rows["group"].map(severity)).groupby("operation")["rank"].max()
    kept = list(rank.sort_values(ascending=False, kind="stable").index[:limit])
    inside = rows[rows["operation"].isin(kept)].sort_values("x", kind="stable")
    drawn = inside.head(MARKS)
    lane = {operation: i for i, operation in enumerate(dict.fromkeys(drawn["operation"]))}
    start, end = float(drawn["x"].min()), float(drawn["x2"].max())
    pad = max((end - start) * 0.03, 60_000)
    shapes, words = gap_bands(gaps, look)
    counts = drawn.groupby("operation")["events"].sum()
    labels = [counted(safe(operation, limit=28), counts[operation], look) for operation in lane]
    people = list(dict.fromkeys(name(who) for who in texts(drawn["principal"])))
    by = ", ".join(people[:3]) + (f" and {len(people) - 3} more" if len(people) > 3 else "")
    note = f"● done or accepted   ○ refused or failed.   By {by}."
    return figure(
        [*_runs(drawn, lane, zone), _marks(drawn, lane, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(lane), len(rank), "operation") + shown_of(len(drawn), len(inside), "run"),
        height=110 + room_below(zone) + 32 * len(lane),
        margin={"t": 104, "b": room_below(zone), "r": 60},
        yaxis=lanes(labels, look),
        shapes=[*shapes, *lane_rules(len(lane), look)],
        annotations=[*words, *_key_words(drawn, lane, look), *axis_names(look, zone)],
        **time_axes(start - pad, end + pad, look, zone=zone),
    )


def _runs(drawn: pd.DataFrame, lane: dict[str, int], zone: str | None) -> list[Json]:
    """Thin bars from the first to the last event of runs that took time."""
    long = drawn[drawn["x2"] > drawn["x"]]
    if long.empty:
        return []
    return [
        spans(
            "runs",
            lanes=long["operation"].map(lane),
            start=long["x"],
            length=long["x2"] - long["x"],
            words=_act_words(long, zone),
            width=0.16,
            marker={"color": [GROUPS[g].colour for g in long["group"]], "opacity": 0.55},
        )
    ]


def _marks(drawn: pd.DataFrame, lane: dict[str, int], theme: Theme, zone: str | None) -> Json:
    done = drawn["outcome"].isin(DONE)
    colours = [GROUPS[group].colour for group in drawn["group"]]
    fills = [colour if ok else theme.page for colour, ok in zip(colours, done, strict=True)]
    return {
        "type": "scatter",
        "name": "acts",
        "mode": "markers",
        "x": drawn["x"].to_numpy(),
        "y": drawn["operation"].map(lane).to_numpy(),
        "marker": {"size": 12, "color": fills, "opacity": 1, "line": {"width": 2, "color": colours}},
        "text": _act_words(drawn, zone),
        "hovertemplate": "%{text}<extra></extra>",
    }


def _act_words(acts: pd.DataFrame, zone: str | None) -> list[str]:
    starts = stamps(acts["start"], zone)
    columns = ("operation", "outcome", "events", "principal", "caller_ip", "hsm", "key_names")
    values = acts[list(columns)].itertuples(index=False, name=None)
    return [
        f"<b>{safe(operation)}</b> → {safe(outcome)}, {plural(int(events), 'event')}<br>{when}<br>"
        f"{name(who)} from {safe(ip) or 'no address'} on {safe(hsm)}<br>{safe(keys, limit=80)}"
        for when, (operation, outcome, events, who, ip, hsm, keys) in zip(starts, values, strict=True)
    ]


def _key_words(drawn: pd.DataFrame, lane: dict[str, int], theme: Theme) -> list[Json]:
    """Names of the keys beside the marks of each operation, on the side where there is room."""
    named = drawn[drawn["key_names"].notna()].sort_values("keys", kind="stable")
    named = named.drop_duplicates("operation", keep="last")
    keys = dict(zip(named["operation"], named["key_names"], strict=True))
    reach = drawn.groupby("operation").agg(first=("x", "min"), last=("x2", "max"))
    middle = (reach["first"].min() + reach["last"].max()) / 2
    words = []
    for operation, (first, last) in zip(reach.index, reach.to_numpy(), strict=True):
        side = {"x": last, "xshift": 12} if first <= middle else {"x": first, "xshift": -12, "xanchor": "right"}
        if operation in keys:
            text = safe(keys[operation], limit=44)
            words.append(caption(text, theme, y=lane[operation], color=theme.faint, **side))
    return words
