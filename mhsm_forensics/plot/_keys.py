"""Life of every key, as far as the log tells it."""

from dataclasses import dataclass
from typing import Any

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
from ._text import safe
from ._time import axis_names, epoch_ms, room_below, second_axis, stamp, time_axes

_RANK = {"purged": 0, "soft-deleted": 1, "deleted or imported": 2, "active": 3}
_TIMES = ("first_time", "last_time", "created_at", "deleted_at", "recovered_at", "purged_at")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Part of a key's life in one state, in epoch milliseconds."""

    lane: int
    start: float
    end: float
    state: str


def keys(frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES) -> go.Figure:
    """Bar per key from its first event: active, soft-deleted (hatched), purged (a cross).

    Parameters
    ----------
    frame
        `analyse.keys`, one row per HSM and key.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most keys drawn (purged, deleted and changed keys first).
    """
    title, look = "Life of the keys", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(
        hsm=texts(frame["hsm"]),
        key_name=texts(frame["key_name"]),
        rank=frame["state"].map(_RANK),
        **{column: epoch_ms(frame[column]) for column in _TIMES},
    )
    rows = rows.sort_values(
        ["rank", "changes", "exports", "uses", "key_name"], ascending=[True, False, False, False, True]
    )
    drawn = rows.head(limit).reset_index(drop=True)
    start, end = float(rows["first_time"].min()), float(rows["last_time"].max())
    lives = [stretch for row in each(drawn) for stretch in _life(row, end)]
    several = len(rows["hsm"].unique()) > 1
    labels = [_label(row, look, several=several) for row in each(drawn)]
    note = (
        f"{swatch(look.calm, 'active')}   {swatch(look.low, 'soft-deleted, recoverable', mark='▨')}   "
        f"{swatch(look.accent, 'purged', mark='✕')}   | created.   "
        "A bar without that mark starts at the key's first event.   Number: uses."
    )
    return figure(
        [*_bars(lives, drawn, look, zone), *_points(drawn, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(drawn), len(rows), "key"),
        height=100 + room_below(zone) + (38 if several else 32) * len(drawn),
        margin={"b": room_below(zone), "r": 200},
        yaxis=lanes(labels, look),
        shapes=lane_rules(len(drawn), look),
        annotations=[*_ends(drawn, look), *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def _life(key: Any, end: float) -> list[_Stretch]:
    """Stretches of one key; the last one runs to the end of the evidence unless the key was purged."""
    born = key.first_time if np.isnan(key.created_at) else key.created_at
    over = end if np.isnan(key.purged_at) else key.purged_at
    if np.isnan(key.deleted_at):
        return [_Stretch(key.Index, born, over, "active")]
    alive = [_Stretch(key.Index, born, key.deleted_at, "active")]
    if key.recovered_at >= key.deleted_at:
        back = _Stretch(key.Index, key.recovered_at, over, "active")
        return [*alive, _Stretch(key.Index, key.deleted_at, key.recovered_at, "soft-deleted"), back]
    return [*alive, _Stretch(key.Index, key.deleted_at, over, "soft-deleted")]


def _bars(lives: list[_Stretch], drawn: pd.DataFrame, theme: Theme, zone: str | None) -> list[Json]:
    hatch = {"shape": "/", "fgcolor": theme.page, "bgcolor": theme.low, "size": 5, "solidity": 0.25}
    looks: dict[str, Json] = {
        "active": {"color": theme.calm, "opacity": 0.7},
        "soft-deleted": {"color": theme.low, "pattern": hatch},
    }
    return [
        spans(
            state,
            lanes=[s.lane for s in part],
            start=[s.start for s in part],
            length=[s.end - s.start for s in part],
            words=[_words(drawn.loc[s.lane], s, zone) for s in part],
            width=0.36,
            marker=marker,
        )
        for state, marker in looks.items()
        if (part := [s for s in lives if s.state == state and s.end >= s.start])
    ]


def _words(key: Any, stretch: _Stretch, zone: str | None) -> str:
    counts = ", ".join(plural(int(key[f"{noun}s"]), noun) for noun in ("use", "change", "export"))
    return (
        f"<b>{safe(key['key_name'])}</b> on {safe(key['hsm'])}: {stretch.state}<br>"
        f"{stamp(stretch.start, zone)} to {stamp(stretch.end, zone)}<br>{counts}, "
        f"{int(key['denied']):,} denied"
    )


def _points(drawn: pd.DataFrame, theme: Theme, zone: str | None) -> list[Json]:
    tick: Json = {
        "symbol": "line-ns-open",
        "size": 15,
        "color": theme.ink,
        "line": {"width": 2, "color": theme.ink},
    }
    cross: Json = {"symbol": "x", "size": 11, "color": theme.accent, "line": {"width": 0}}
    return [
        {
            "type": "scatter",
            "name": word,
            "mode": "markers",
            "x": part[column].to_numpy(),
            "y": list(part.index),
            "marker": marker,
            "text": [f"{word} {stamp(t, zone)}" for t in part[column]],
            "hovertemplate": "%{text}<extra></extra>",
        }
        for column, word, marker in (("created_at", "created", tick), ("purged_at", "purged", cross))
        if not (part := drawn[drawn[column].notna()]).empty
    ]


def _ends(drawn: pd.DataFrame, theme: Theme) -> list[Json]:
    """How the key stands at the end of the evidence, right of the plot, when that is not plain "active"."""
    return [
        caption(text, theme, x=1, y=lane, xref="paper", xshift=8, color=theme.accent)
        for lane, row in enumerate(each(drawn))
        if (text := _end(row))
    ]


def _end(key: Any) -> str:
    if key.state == "purged":
        after = (key.purged_at - key.deleted_at) / 1000
        return "purged" if np.isnan(after) else f"purged {spell(after)} after deletion"
    if key.state in {"soft-deleted", "deleted or imported"}:
        return str(key.state)
    if key.recovered_at >= key.deleted_at:
        return f"recovered after {spell((key.recovered_at - key.deleted_at) / 1000)}"
    return f"exported {plural(int(key.exports), 'time')}" if key.exports else ""


def _label(key: Any, theme: Theme, *, several: bool) -> str:
    words = counted(safe(key.key_name, limit=26), key.uses, theme)
    return (
        f"{words}<br><span style='font-size:10.5px;color:{theme.faint}'>{safe(key.hsm, limit=30)}</span>"
        if several
        else words
    )
