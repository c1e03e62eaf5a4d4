"""Who called: span and weight of every identity, and its sessions."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..text import plural, spell
from ._style import (
    LANES,
    MARKS,
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

_LEAST = 0.003  # share of the width: a session of one event must still be seen


def principals(
    frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES
) -> go.Figure:
    """Bar per identity from its first to its last event; orange for those with control events.

    Parameters
    ----------
    frame
        `analyse.principals`, one row per identity.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most identities drawn (control events and people are kept first).
    """
    title, look = "Identities in the log", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(
        principal=texts(frame["principal"]), x=epoch_ms(frame["first_time"]), x2=epoch_ms(frame["last_time"])
    )
    person = rows["principal_type"].eq("user").fillna(False)  # noqa: FBT003 - pandas wants it so
    rows = rows.assign(acts=rows["control_events"] > 0, person=person)
    ranked = rows.sort_values(["acts", "person", "events", "principal"], ascending=[False, False, True, True])
    drawn = ranked.head(limit)
    labels = [counted(name(who), n, look) for who, n in zip(drawn["principal"], drawn["events"], strict=True)]
    note = f"From first to last event.   {_legend(look)}"
    start, end = float(rows["x"].min()), float(rows["x2"].max())
    return figure(
        [_spans(drawn, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(drawn), len(rows), "identity"),
        height=100 + room_below(zone) + 34 * len(drawn),
        margin={"b": room_below(zone), "r": 230},
        yaxis=lanes(labels, look),
        shapes=lane_rules(len(drawn), look),
        annotations=[*_facts(drawn, look), *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def sessions(
    frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES
) -> go.Figure:
    """Row per identity and address, bar per session; orange for sessions with control events.

    Parameters
    ----------
    frame
        `analyse.sessions`, one row per session.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most rows drawn (control events, then people, then the rarest).
        Of too many sessions, those with control events and the longest are drawn.
    """
    title, look = "Sessions by identity and address", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(
        who=texts(frame["principal"]),
        ip=texts(frame["caller_ip"]),
        x=epoch_ms(frame["start"]),
        x2=epoch_ms(frame["end"]),
        acts=frame["control_events"] > 0,
    )
    pairs = rows.groupby(["who", "ip"]).agg(acts=("acts", "any"), n=("session", "size"), first=("x", "min"))
    lane = {pair: i for i, pair in enumerate(_most_telling(pairs, limit))}
    rows["lane"] = [lane.get(pair, -1) for pair in zip(rows["who"], rows["ip"], strict=True)]
    inside = rows[rows["lane"] >= 0].sort_values(["acts", "seconds"], ascending=False, kind="stable")
    drawn = inside.head(MARKS)
    start, end = float(drawn["x"].min()), float(drawn["x2"].max())
    note = f"A session ends with a pause.   {_legend(look)}"
    return figure(
        [*_session_bars(drawn, max(end - start, HOUR), look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(lane), len(pairs), "pair") + shown_of(len(drawn), len(inside), "session"),
        height=98 + room_below(zone) + 42 * len(lane),
        margin={"b": room_below(zone), "r": 190},
        yaxis=lanes([_pair_label(who, ip, look) for who, ip in lane], look),
        shapes=lane_rules(len(lane), look),
        annotations=[*_session_words(drawn, look), *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def _most_telling(pairs: pd.DataFrame, limit: int) -> list[tuple[str, str]]:
    """Identities with their addresses: chosen by control events, people and rarity, drawn by first time."""
    rows = pairs.reset_index()
    rows = rows.assign(person=rows["who"].str.contains("@", regex=False), nobody=rows["who"] == "")
    by = ["acts", "nobody", "person", "n", "who", "ip"]
    chosen = rows.sort_values(by, ascending=[False, True, False, True, True, True])
    drawn = chosen.head(limit).sort_values(["acts", "first", "who", "ip"])
    return [(str(who), str(ip)) for who, ip in zip(drawn["who"], drawn["ip"], strict=True)]


def _spans(drawn: pd.DataFrame, theme: Theme, zone: str | None) -> Json:
    least = max(float(drawn["x2"].max() - drawn["x"].min()), HOUR) * _LEAST
    words = [
        f"<b>{name(row.principal)}</b><br>{safe(row.principal_type)} {safe(row.object_id)}<br>"
        f"{stamp(row.x, zone)} to {stamp(row.x2, zone)}<br>"
        f"{plural(int(row.events), 'event')}, {row.denial_rate:.0%} denied"
        for row in each(drawn)
    ]
    return spans(
        "identities",
        lanes=range(len(drawn)),
        start=drawn["x"],
        length=np.maximum(drawn["x2"] - drawn["x"], least),
        words=words,
        width=0.42,
        marker={"color": [theme.accent if acts else theme.calm for acts in drawn["acts"]], "opacity": 0.85},
    )


def _facts(drawn: pd.DataFrame, theme: Theme) -> list[Json]:
    """Addresses, control events and refusals, right of the plot."""
    words = []
    for i, row in enumerate(each(drawn)):
        parts = [plural(_amount(row.caller_ips), "address")]
        parts += [plural(int(row.control_events), "control event")] if row.control_events else []
        parts += [f"{row.denial_rate:.0%} denied"] if row.denial_rate >= 0.005 else []
        colour = theme.accent if row.control_events else theme.faint
        words.append(caption(", ".join(parts), theme, x=1, y=i, xref="paper", xshift=8, color=colour))
    return words


def _amount(value: Any) -> int:
    """Count the addresses, whether the frame counts or lists them."""
    return len(value) if isinstance(value, list | tuple | np.ndarray) else int(value)


def _session_bars(drawn: pd.DataFrame, span: float, theme: Theme, zone: str | None) -> list[Json]:
    looks = (("without", theme.calm, 0.6), ("with control events", theme.accent, 1))
    return [
        spans(
            label,
            lanes=part["lane"],
            start=part["x"],
            length=np.maximum(part["x2"] - part["x"], span * _LEAST),
            words=[_session_hover(row, zone) for row in each(part)],
            width=0.46,
            marker={"color": colour, "opacity": opacity},
        )
        for acts, (label, colour, opacity) in enumerate(looks)
        if not (part := drawn[drawn["acts"] == bool(acts)]).empty
    ]


def _session_hover(row: Any, zone: str | None) -> str:
    return (
        f"<b>{name(row.who)}</b> from {safe(row.ip) or 'no address'}<br>"
        f"{stamp(row.x, zone)} to {stamp(row.x2, zone)}, {spell((row.x2 - row.x) / 1000)}<br>"
        f"{plural(int(row.events), 'event')}, {int(row.denied):,} denied, "
        f"{plural(int(row.control_events), 'control event')}<br>{safe(row.top_operations, limit=90)}"
    )


def _session_words(drawn: pd.DataFrame, theme: Theme) -> list[Json]:
    """One line beside each row that holds sessions with control events, right of the plot."""
    words = []
    for lane, part in drawn[drawn["acts"]].groupby("lane"):
        acts, count = int(part["control_events"].sum()), len(part)
        text = f"{plural(acts, 'control event')}, {plural(count, 'session')}"
        words.append(caption(text, theme, x=1, y=int(str(lane)), xref="paper", xshift=8, color=theme.accent))
    return words


def _pair_label(who: str, ip: str, theme: Theme) -> str:
    address = safe(ip, limit=40) or "no address"
    return f"{name(who)}<br><span style='font-size:11px;color:{theme.faint}'>{address}</span>"


def _legend(theme: Theme) -> str:
    return f"{swatch(theme.accent, 'with control events')}   {swatch(theme.calm, 'without')}"
