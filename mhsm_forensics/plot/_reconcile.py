"""What one route brought and another lacks, a panel for every pair."""

import pandas as pd
import plotly.graph_objects as go

from ._hourly import panel_axes, panel_names
from ._style import THEMES, Json, Theme, ThemeName, figure, nothing, shown_of, swatch, texts
from ._time import HOUR, axis_names, epoch_ms, room_below, second_axis, time_axes


def reconcile(frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = 8) -> go.Figure:
    """Panel per HSM and pair of routes: records per hour that the one brought and the other lacks.

    Parameters
    ----------
    frame
        `analyse.reconcile`: ``hour``, ``hsm``, ``route``, ``other_route``, ``lacking``, ``lacking_within``.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most panels drawn (those that lack most are kept).
    """
    title, look = "Records that one route has and another lacks", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(x=epoch_ms(frame["hour"]), outside=frame["lacking"] - frame["lacking_within"])
    rows["pair"] = (
        texts(frame["hsm"]) + ": " + texts(frame["route"]) + " has, " + texts(frame["other_route"]) + " lacks"
    )
    worst = rows.groupby("pair")["lacking"].sum().sort_values(ascending=False, kind="stable").index
    kept = [str(pair) for pair in worst[:limit]]
    within, outside = "while the other route was delivering", "before its first or after its last"
    key = f"{swatch(look.accent, within)}   {swatch(look.faint, outside)}"
    return figure(
        [*(bar for i, pair in enumerate(kept) for bar in _bars(rows[rows["pair"] == pair], i, look)), *second_axis(zone)],
        look,
        title=title,
        note=key + shown_of(len(kept), len(worst), "pair"),
        height=96 + room_below(zone) + 120 * len(kept),
        margin={"l": 120, "b": room_below(zone), "t": 108},
        barmode="stack",
        annotations=[*axis_names(look, zone), *panel_names(kept, look)],
        **panel_axes(len(kept), look),
        **time_axes(
            *_span(rows["x"]), look, zone=zone,
            foot="y" if len(kept) == 1 else f"y{len(kept)}",
        ),
    )  # fmt: skip


def _span(hours: "pd.Series[float]") -> tuple[float, float]:
    """From the first hour to the end of the last; half a day more on either side, or a lost hour would look like all there is."""
    return float(hours.min()) - 12 * HOUR, float(hours.max()) + 13 * HOUR


def _bars(rows: pd.DataFrame, index: int, theme: Theme) -> list[Json]:
    return [
        {
            "type": "bar", "name": name, "x": part["x"].to_numpy(), "y": part[value].to_numpy(), "width": HOUR, "offset": 0,
            "yaxis": "y" if index == 0 else f"y{index + 1}", "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": f"%{{x}}<br>%{{y:,}} lacking, {name}<extra></extra>",
        }
        for name, value, colour in (("within", "lacking_within", theme.accent), ("outside", "outside", theme.faint))
        if not (part := rows[rows[value] > 0]).empty
    ]  # fmt: skip
