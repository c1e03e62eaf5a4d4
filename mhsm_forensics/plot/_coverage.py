"""What the log covers: events per hour, hours as expected or not, silences."""

import pandas as pd
import plotly.graph_objects as go

from ._style import (
    GROUPS,
    LANES,
    THEMES,
    Json,
    Theme,
    ThemeName,
    caption,
    changes,
    figure,
    group_of,
    key_to,
    lane_rules,
    lanes,
    nothing,
    shown_of,
    swatch,
    texts,
)
from ._text import safe, spell
from ._time import HOUR, axis_names, epoch_ms, gap_bands, room_below, second_axis, stamp, time_axes

_STATES = {
    "as_expected": "as expected",
    "low": "fewer than expected",
    "silent": "nothing received",
    "no_history": "too little history to expect a number",
}


def coverage(
    frame: pd.DataFrame,
    *,
    gaps: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    zone: str | None = None,
    limit: int = LANES,
) -> go.Figure:
    """Strip per HSM: hours as expected, with too few events, with none at all.

    Parameters
    ----------
    frame
        `analyse.coverage`: ``hsm``, ``hour``, ``events``, ``expected``, ``state``.
    gaps
        `analyse.gaps`; their lengths are written beside them.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most HSMs drawn (those with silent hours are kept first).
    """
    title, look = "What the log covers", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(hsm=texts(frame["hsm"]), x=epoch_ms(frame["hour"]))
    silent = rows["state"].eq("silent").groupby(rows["hsm"]).mean()
    ranked = sorted(silent.index, key=lambda hsm: (-silent[hsm], hsm))
    lane = {hsm: i for i, hsm in enumerate(ranked[:limit])}
    runs = _runs(rows[rows["hsm"].isin(lane)])
    note = "Each hour against the usual number of events for that hour and kind of day.   " + "  ".join(
        swatch(colour, _STATES[state])
        for state, colour in _colours(look).items()
        if (runs["state"] == state).any()
    )
    labels = [
        f"{safe(hsm, limit=26)}  <span style='color:{look.faint}'>{1 - silent[hsm]:.1%}</span>"
        for hsm in lane
    ]
    return figure(
        [*_strips(runs, lane, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(lane), len(ranked), "HSM"),
        height=98 + room_below(zone) + 44 * len(lane),
        margin={"b": room_below(zone)},
        yaxis=lanes(labels, look),
        annotations=[*_lengths(gaps, lane, look, float(rows["x"].max())), *axis_names(look, zone)],
        **time_axes(float(rows["x"].min()), float(rows["x"].max()) + HOUR, look, zone=zone),
    )


def gaps(
    frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES
) -> go.Figure:
    """Bar per silence of each HSM, with its length and how likely it is by chance.

    Parameters
    ----------
    frame
        `analyse.gaps`: ``hsm``, ``start``, ``end``, ``seconds``, ``expected_events``, ``chance`` and more.
    theme, zone, limit
        Colours; IANA zone shown beside UTC; most HSMs drawn (the longest silences are kept first).
    """
    title, look = "Silences in the log", THEMES[theme]
    if frame.empty:
        return nothing(title, look)
    rows = frame.assign(hsm=texts(frame["hsm"]), x=epoch_ms(frame["start"]), x2=epoch_ms(frame["end"]))
    longest = rows.groupby("hsm")["seconds"].max().sort_values(ascending=False, kind="stable")
    lane = {str(hsm): i for i, hsm in enumerate(longest.index[:limit])}
    drawn = rows[rows["hsm"].isin(lane)]
    start, end = float(rows["x"].min()), float(rows["x2"].max())
    words = [_gap_words(row, zone) for row in drawn.itertuples()]
    bars = {
        "type": "bar", "name": "silences", "orientation": "h", "y": drawn["hsm"].map(lane).to_numpy(), "width": 0.46,
        "base": drawn["x"].to_numpy(), "x": (drawn["x2"] - drawn["x"]).to_numpy(), "text": words,
        "textposition": "none", "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": look.accent, "line": {"width": 0}},
    }  # fmt: skip
    pad = max(end - start, HOUR) * 0.15
    return figure(
        [bars, *second_axis(zone)],
        look,
        title=title,
        note="Longest time without any event, per HSM." + shown_of(len(lane), len(longest), "HSM"),
        height=98 + room_below(zone) + 44 * len(lane),
        margin={"b": room_below(zone)},
        yaxis=lanes([safe(hsm, limit=26) for hsm in lane], look),
        shapes=lane_rules(len(lane), look),
        annotations=[*_lengths(drawn, lane, look, end + pad), *axis_names(look, zone)],
        **time_axes(start - pad, end + pad, look, zone=zone),
    )


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
        margin={"l": 90, "b": room_below(zone), "t": 108},
        barmode="relative",
        shapes=shapes,
        annotations=[*words, *axis_names(look, zone), *_panel_names(kept, look)],
        **_panel_axes(len(kept), look),
        **time_axes(
            float(rows["x"].min()),
            float(rows["x"].max()) + HOUR,
            look,
            zone=zone,
            foot="y" if len(kept) == 1 else f"y{len(kept)}",
        ),
    )


def _colours(theme: Theme) -> dict[str, str]:
    return {"as_expected": theme.calm, "low": theme.low, "silent": theme.accent, "no_history": theme.rule}


def _runs(rows: pd.DataFrame) -> pd.DataFrame:
    """Neighbouring hours of one state as one bar: a year of hours would be slow to draw."""
    hours = rows.sort_values(["hsm", "x"], kind="stable")
    new = changes(hours["hsm"]) | changes(hours["state"]) | (hours["x"].diff() != HOUR)
    run = hours.groupby(new.cumsum())
    return run.agg(
        hsm=("hsm", "first"), state=("state", "first"), x=("x", "min"), last=("x", "max"), events=("events", "sum"),
        expected=("expected", "sum"),
    )  # fmt: skip


def _strips(runs: pd.DataFrame, lane: dict[str, int], theme: Theme, zone: str | None) -> list[Json]:
    strips = []
    for state, colour in _colours(theme).items():
        part = runs[runs["state"] == state]
        if not part.empty:
            length = part["last"] - part["x"] + HOUR
            strips.append({
                "type": "bar", "name": _STATES[state], "orientation": "h", "y": part["hsm"].map(lane).to_numpy(),
                "base": part["x"].to_numpy(), "x": length.to_numpy(), "width": 0.56, "textposition": "none",
                "text": [_strip_words(row, zone) for row in part.itertuples()], "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "line": {"width": 0}},
            })  # fmt: skip
    return strips


def _strip_words(run: object, zone: str | None) -> str:
    row = run  # a named tuple of `_runs`
    hsm, state, x, last, events, expected = (
        getattr(row, f) for f in ("hsm", "state", "x", "last", "events", "expected")
    )
    usual = "" if state == "no_history" else f", usually about {expected:,.0f}"
    return f"<b>{safe(hsm)}</b>: {_STATES[state]}<br>{stamp(x, zone)} to {stamp(last + HOUR, zone)}<br>{events:,.0f} events{usual}"


def _gap_words(gap: object, zone: str | None) -> str:
    hsm, x, x2, seconds = (getattr(gap, f) for f in ("hsm", "x", "x2", "seconds"))
    expected, chance = getattr(gap, "expected_events", None), getattr(gap, "chance", None)
    usual = "" if pd.isna(expected) else f"<br>about {expected:,.0f} events usually come in such a time"
    luck = "" if pd.isna(chance) else f"<br>chance of such a silence: {chance:.2g}"
    return f"<b>{safe(hsm)}</b>: {spell(seconds)}<br>{stamp(x, zone)} to {stamp(x2, zone)}{usual}{luck}"


def _lengths(gaps: pd.DataFrame | None, lane: dict[str, int], theme: Theme, end: float) -> list[Json]:
    """Length of every silence, on the side of it where there is room."""
    if gaps is None or gaps.empty:
        return []
    words = []
    for hsm, a, b, seconds in zip(
        gaps["hsm"], epoch_ms(gaps["start"]), epoch_ms(gaps["end"]), gaps["seconds"], strict=True
    ):
        if hsm in lane:
            room = end - b > 0.12 * (end - a) or a <= 0
            side = (
                {"x": b, "xanchor": "left", "xshift": 6}
                if room
                else {"x": a, "xanchor": "right", "xshift": -6}
            )
            words.append(
                caption(
                    f"<b>{spell(seconds)}</b>", theme, y=lane[hsm], bgcolor=theme.page, borderpad=2, **side
                )
            )
    return words


def _panel(rows: pd.DataFrame, index: int, theme: Theme) -> list[Json]:
    axis = "y" if index == 0 else f"y{index + 1}"
    sums = rows.groupby(["group", "x"], as_index=False)[["events", "denied"]].sum()
    denied = rows.groupby("x", as_index=False)["denied"].sum()
    bars = [(g, sums[sums["group"] == g], GROUPS[g].colour, "events", 1) for g in GROUPS]
    return [
        {"type": "bar", "name": label, "x": part["x"].to_numpy(), "width": HOUR, "offset": 0, "yaxis": axis,
         "y": sign * part[value].to_numpy(), "marker": {"color": colour, "line": {"width": 0}},
         "customdata": part[value].to_numpy(), "hovertemplate": f"%{{x}}<br>%{{customdata:,}} {label}<extra></extra>"}
        for label, part, colour, value, sign in [*bars, ("denied", denied[denied["denied"] > 0], theme.accent, "denied", -1)]
        if not part.empty
    ]  # fmt: skip


def _panel_axes(count: int, theme: Theme) -> Json:
    """One vertical axis per HSM, stacked from the top."""
    share, air = 1 / count, 0.16 / count
    return {
        f"yaxis{i + 1 if i else ''}": {
            "domain": [1 - (i + 1) * share + (air if i < count - 1 else 0), 1 - i * share - air],
            "gridcolor": theme.rule, "zerolinecolor": theme.faint, "nticks": 4, "ticks": "", "tickformat": ",.3~s",
            "tickfont": {"size": 11, "color": theme.faint},
        }
        for i in range(count)
    }  # fmt: skip


def _panel_names(names: list[str], theme: Theme) -> list[Json]:
    return [
        caption(f"<b>{safe(hsm)}</b>", theme, x=0, y=1, xref="paper", yanchor="bottom", xshift=2,
                yref=f"y{i + 1 if i else ''} domain")
        for i, hsm in enumerate(names)
    ]  # fmt: skip
