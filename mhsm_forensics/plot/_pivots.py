"""One entity: the hours it works in, what it came together with; and who was in two places at once."""

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import plural, spell
from ._style import (
    LANES,
    THEMES,
    Json,
    Theme,
    ThemeName,
    caption,
    counted,
    each,
    figure,
    lane_rules,
    lanes,
    nothing,
    shown_of,
    spans,
    swatch,
    texts,
)
from ._text import name, safe
from ._time import HOUR, axis_names, epoch_ms, room_below, second_axis, stamp, time_axes

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LARGEST: Final = 30  # pixels across, of the busiest hour of the week
_LEAST: Final = 0.003  # share of the width that a mark has at least
_NOUNS: Final = {
    "principal": "identity", "object_id": "object id", "caller_ip": "address", "token_ip": "token address",
    "key": "key", "hsm": "HSM", "client": "client", "operation": "operation",
}  # fmt: skip


def hours(frame: pd.DataFrame, *, theme: ThemeName = "light") -> go.Figure:
    """Punch card: events by weekday and hour, one panel per clock; orange for hours first worked in since T0.

    Parameters
    ----------
    frame
        `hours` of `analyse.profile`.
    theme
        Colours.
    """
    title, look = "Hours of the week", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    zones = list(dict.fromkeys(frame["zone"]))
    later = bool(frame["later"].sum())
    split = f"{swatch(look.calm, 'before', mark='●')}   {swatch(look.calm, 'since, in an hour known before', mark='○')}"
    note = (
        f"Area: events.   {split}   {swatch(look.accent, 'hour not worked in before', mark='●')}"
        if later
        else "Area: events."
    )
    peak = float(frame[["before", "later"]].to_numpy("float64").max())
    layout: Json = {}
    for number, zone in enumerate(zones):
        layout |= _week_axes(zone, number, len(zones), look)
    return figure(
        [
            mark
            for number, zone in enumerate(zones)
            for mark in _punches(frame[frame["zone"] == zone], number, peak, look)
        ],
        look,
        title=title,
        note=note,
        height=112 + 236 * len(zones),
        margin={"l": 60, "b": 44},
        annotations=[_clock(zone, number, len(zones), look) for number, zone in enumerate(zones)],
        **layout,
    )


def met(
    frame: pd.DataFrame,
    *,
    kind: str = "caller_ip",
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
) -> go.Figure:
    """Bar per value from its first to its last event, the busiest above and the rarest below; orange for new ones.

    Parameters
    ----------
    frame
        `met` of `analyse.profile`, or `analyse.entities`.
    kind
        What to draw of it: ``caller_ip``, ``key``, ``client``, ``operation``, ``hsm``, ``principal`` and so on.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most values drawn: half of them the busiest, half the rarest.
    """
    noun, look = _NOUNS.get(kind, kind), THEMES[theme]
    title = f"With each {noun}"
    rows = frame[frame["kind"] == kind]
    if rows.empty:
        return nothing(title, look)
    rows = rows.assign(
        label=texts(rows["value"]), new=rows["is_new"].astype(bool) if "is_new" in rows else False,
        x=epoch_ms(rows["first_time"]), x2=epoch_ms(rows["last_time"]),
    ).sort_values(["events", "label"], ascending=[False, True], kind="stable")  # fmt: skip
    drawn = rows if len(rows) <= limit else pd.concat([rows.head(limit - limit // 2), rows.tail(limit // 2)])
    cut = limit - limit // 2 if len(rows) > limit else None
    start, end = float(rows["x"].min()), float(rows["x2"].max())
    note = f"From first to last event, the busiest first.   {swatch(look.accent, 'new')}   {swatch(look.calm, 'known')}"
    rules = lane_rules(len(drawn), look)
    if cut is not None:
        rules[cut] |= {"line": {"color": look.faint, "width": 1, "dash": "dot"}}
        note += f"   Below the dotted line: the rarest {limit // 2}."
    return figure(
        [_value_spans(drawn, max(end - start, HOUR), look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(drawn), len(rows), noun),
        height=100 + room_below(zone) + 30 * len(drawn),
        margin={"b": room_below(zone), "r": 230},
        yaxis=lanes([counted(_value(row), row.events, look) for row in each(drawn)], look),
        shapes=rules,
        annotations=[*_value_words(drawn, look), *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def concurrent(
    frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES
) -> go.Figure:
    """Bar per identity and pair of places, from the first turn between the two to the last one.

    Parameters
    ----------
    frame
        `analyse.concurrent`, one row per identity and pair of places.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most rows drawn (those with most turns).
    """
    title, look = "One identity in two places at once", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(x=epoch_ms(frame["first_time"]), x2=epoch_ms(frame["last_time"]))
    drawn = rows.head(limit)
    start, end = float(rows["x"].min()), float(rows["x2"].max())
    words = [
        f"<b>{name(row.principal)}</b> {safe(row.object_id)}<br>{safe(row.one_place)} and {safe(row.other_place)}<br>"
        f"{plural(int(row.turns), 'turn')}, the quickest within {spell(row.shortest_seconds)}<br>"
        f"{stamp(row.x, zone)} to {stamp(row.x2, zone)}"
        for row in each(drawn)
    ]
    length = np.maximum(drawn["x2"] - drawn["x"], max(end - start, HOUR) * _LEAST)
    bars = spans("identities", lanes=range(len(drawn)), start=drawn["x"], length=length, words=words, width=0.42,
                 marker={"color": look.calm, "opacity": 0.85})  # fmt: skip
    facts = [
        caption(f"{safe(row.one_place, limit=24)} ⇄ {safe(row.other_place, limit=24)}, {row.turns:,}×", look,
                x=1, y=i, xref="paper", xshift=8, color=look.faint)
        for i, row in enumerate(each(drawn))
    ]  # fmt: skip
    return figure(
        [bars, *second_axis(zone)],
        look,
        title=title,
        note="Events in turn from one place and from the other. A service on several machines does this all day."
        + shown_of(len(drawn), len(rows), "pair"),
        height=100 + room_below(zone) + 34 * len(drawn),
        margin={"b": room_below(zone), "r": 330},
        yaxis=lanes([name(who) for who in drawn["principal"]], look),
        shapes=lane_rules(len(drawn), look),
        annotations=[*facts, *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def _punches(week: pd.DataFrame, number: int, peak: float, theme: Theme) -> list[Json]:
    """Filled: before; rings: since; orange: since, in an hour without any event before."""
    fresh = (week["before"] == 0) & (week["later"] > 0)
    plain = {"color": theme.calm, "opacity": 0.55, "line": {"width": 0}}
    ring = {"color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": theme.calm}}
    hot = {"color": theme.accent, "line": {"width": 0}}
    parts = (
        ("before", week[week["before"] > 0], "before", plain),
        ("since", week[(week["later"] > 0) & ~fresh], "later", ring),
        ("new hour", week[fresh], "later", hot),
    )
    return [
        {
            "type": "scatter",
            "mode": "markers+text" if label == "new hour" else "markers",
            "name": label,
            "x": part["hour"].to_numpy(),
            "y": part["weekday"].to_numpy(),
            "xaxis": f"x{number + 1}" if number else "x",
            "yaxis": f"y{number + 1}" if number else "y",
            "marker": {**look, "size": _LARGEST * np.sqrt(np.maximum(part[column].to_numpy("float64") / peak, 0.03))},
            "text": [f"<b>{n:,}</b>" for n in part[column]] if label == "new hour" else None,
            "textposition": "middle right",
            "textfont": {"size": 11.5, "color": theme.accent},
            "hovertext": [_hour_words(row) for row in each(part)],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        for label, part, column, look in parts
        if not part.empty
    ]


def _hour_words(row: Any) -> str:
    counts = f"{row.before:,} before, {row.later:,} since" if row.later else plural(int(row.events), "event")
    return f"<b>{_DAYS[row.weekday]} {row.hour:02d}:00</b> {safe(row.zone)}<br>{counts}<br>{row.denied:,} denied"


def _week_axes(zone: str, number: int, panels: int, theme: Theme) -> Json:
    """Axes of one panel; the panels stand one below the other."""
    mark = str(number + 1) if number else ""
    height = 1 / panels
    top = 1 - number * height
    across = {
        "anchor": f"y{mark}", "range": [-0.7, 23.9], "tickvals": list(range(0, 24, 2)),
        "ticktext": [f"{hour:02d}" for hour in range(0, 24, 2)], "gridcolor": theme.rule, "zeroline": False, "ticks": "",
        "tickfont": {"size": 11.5, "color": theme.faint}, "fixedrange": True,
    }  # fmt: skip
    down = {**lanes(list(_DAYS), theme), "anchor": f"x{mark}", "domain": [max(top - height + 0.08, 0), top - 0.02]}
    return {f"xaxis{mark}": across, f"yaxis{mark}": down}


def _clock(zone: str, number: int, panels: int, theme: Theme) -> Json:
    words = f"hour of day, {safe(zone, limit=40)}"
    top = 1 - number / panels
    return caption(
        words, theme, x=1, y=top, xref="paper", yref="paper", xanchor="right", yanchor="bottom", color=theme.faint
    )


def _value_spans(drawn: pd.DataFrame, span: float, theme: Theme, zone: str | None) -> Json:
    words = [
        f"<b>{_value(row)}</b><br>{stamp(row.x, zone)} to {stamp(row.x2, zone)}<br>"
        f"{plural(int(row.events), 'event')}, {row.denied:,} denied, {plural(int(row.control_events), 'control event')}"
        for row in each(drawn)
    ]
    return spans(
        "values",
        lanes=range(len(drawn)),
        start=drawn["x"],
        length=np.maximum(drawn["x2"] - drawn["x"], span * _LEAST),
        words=words,
        width=0.42,
        marker={"color": [theme.accent if new else theme.calm for new in drawn["new"]], "opacity": 0.85},
    )


def _value_words(drawn: pd.DataFrame, theme: Theme) -> list[Json]:
    """What is notable of a value, right of the plot."""
    words = []
    for i, row in enumerate(each(drawn)):
        parts = [plural(int(row.control_events), "control event")] if row.control_events else []
        parts += [f"{row.denied:,} denied"] if row.denied else []
        parts += ["nobody else"] if getattr(row, "only_here", False) else []
        colour = theme.accent if row.new else theme.faint
        words.append(caption(", ".join(parts), theme, x=1, y=i, xref="paper", xshift=8, color=colour))
    return words


def _value(row: Any) -> str:
    """Label of a value; a key with its HSM."""
    if row.kind == "principal":
        return name(row.label)
    where = f" · {safe(row.hsm, limit=20)}" if row.kind == "key" and not pd.isna(row.hsm) else ""
    return (safe(row.label, limit=30) or "<i>none</i>") + where
