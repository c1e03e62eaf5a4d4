"""Events per hour, a panel for every HSM."""

import pandas as pd
import plotly.graph_objects as go

from ._style import (
    GROUPS,
    THEMES,
    Json,
    Theme,
    ThemeName,
    caption,
    figure,
    group_of,
    key_to,
    nothing,
    shown_of,
    swatch,
    texts,
)
from ._text import safe
from ._time import HOUR, axis_names, epoch_ms, gap_bands, room_below, second_axis, time_axes


def hourly(
    frame: pd.DataFrame,
    *,
    gaps: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = 8,
) -> go.Figure:
    """Panel per HSM: events per hour by kind above the line, how many of them were denied below it.

    Parameters
    ----------
    frame
        `analyse.hourly`: ``hour``, ``hsm``, ``operation_class``, ``events``, ``denied``.
    gaps
        `analyse.gaps`; silences of the log.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most HSMs drawn (the busiest are kept).
    """
    title, look = "Events per hour", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(hsm=texts(frame["hsm"]), x=epoch_ms(frame["hour"]))
    rows["group"] = [group_of(kind) for kind in rows["operation_class"]]
    busiest = rows.groupby("hsm")["events"].sum().sort_values(ascending=False, kind="stable").index
    kept = [str(hsm) for hsm in busiest[:limit]]
    groups = [g for g in GROUPS if (rows["group"] == g).any()]
    shapes, words = gap_bands(gaps, look)
    note = f"{key_to(groups)}   {swatch(look.accent, 'denied, below the line')}"
    return figure(
        [
            *(bar for i, hsm in enumerate(kept) for bar in _panel(rows[rows["hsm"] == hsm], i, look)),
            *second_axis(zone),
        ],
        look,
        title=title,
        note=note + shown_of(len(kept), len(busiest), "HSM"),
        height=96 + room_below(zone) + 150 * len(kept),
        margin={"l": 120, "b": room_below(zone), "t": 108},
        barmode="relative",
        shapes=shapes,
        annotations=[*words, *axis_names(look, zone), *panel_names(kept, look)],
        **panel_axes(len(kept), look),
        **time_axes(
            float(rows["x"].min()),
            float(rows["x"].max()) + HOUR,
            look,
            zone=zone,
            foot="y" if len(kept) == 1 else f"y{len(kept)}",
        ),
    )


def _panel(rows: pd.DataFrame, index: int, theme: Theme) -> list[Json]:
    axis = "y" if index == 0 else f"y{index + 1}"
    sums = rows.groupby(["group", "x"], as_index=False)[["events", "denied"]].sum()
    denied = rows.groupby("x", as_index=False)["denied"].sum()
    bars = [(g, sums[sums["group"] == g], GROUPS[g].colour, "events", 1) for g in GROUPS]
    return [
        {
            "type": "bar",
            "name": label,
            "x": part["x"].to_numpy(),
            "width": HOUR,
            "offset": 0,
            "yaxis": axis,
            "y": sign * part[value].to_numpy(),
            "marker": {"color": colour, "line": {"width": 0}},
            "customdata": part[value].to_numpy(),
            "hovertemplate": f"%{{x}}<br>%{{customdata:,}} {label}<extra></extra>",
        }
        for label, part, colour, value, sign in [
            *bars,
            ("denied", denied[denied["denied"] > 0], theme.accent, "denied", -1),
        ]
        if not part.empty
    ]


def panel_axes(count: int, theme: Theme) -> Json:
    """One vertical axis per HSM, stacked from the top."""
    share, air = 1 / count, 0.16 / count
    return {
        f"yaxis{i + 1 if i else ''}": {
            "domain": [1 - (i + 1) * share + (air if i < count - 1 else 0), 1 - i * share - air],
            "gridcolor": theme.rule,
            "zerolinecolor": theme.faint,
            "nticks": 4,
            "ticks": "",
            "tickformat": ",.3~s",
            "tickfont": {"size": 11, "color": theme.faint},
        }
        for i in range(count)
    }


def panel_names(names: list[str], theme: Theme) -> list[Json]:
    return [
        caption(
            f"<b>{safe(hsm)}</b>",
            theme,
            x=0,
            y=1,
            xref="paper",
            yanchor="bottom",
            xshift=2,
            yref=f"y{i + 1 if i else ''} domain",
        )
        for i, hsm in enumerate(names)
    ]
