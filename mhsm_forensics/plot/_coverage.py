"""What the log covers: events per hour, hours as expected or not, silences."""

import pandas as pd
import plotly.graph_objects as go

from ..text import spell
from ._style import (
    LANES,
    THEMES,
    Json,
    Theme,
    ThemeName,
    caption,
    changes,
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
from ._time import HOUR, axis_names, epoch_ms, room_below, second_axis, stamp, time_axes

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
    start, end = float(rows["x"].min()), float(rows["x"].max()) + HOUR
    note = "Each hour against the usual number of events for that hour and kind of day.   " + "  ".join(
        swatch(colour, _STATES[state]) for state, colour in _colours(look).items() if (runs["state"] == state).any()
    )
    judged = rows["state"].ne("no_history").groupby(rows["hsm"]).any()
    shares = {hsm: f"{1 - silent[hsm]:.1%}" if judged[hsm] else "" for hsm in lane}
    labels = [f"{safe(hsm, limit=26)}  <span style='color:{look.faint}'>{shares[hsm]}</span>" for hsm in lane]
    return figure(
        [*_strips(runs, lane, look, zone), *second_axis(zone)],
        look,
        title=title,
        note=note + shown_of(len(lane), len(ranked), "HSM"),
        height=98 + room_below(zone) + 44 * len(lane),
        margin={"b": room_below(zone)},
        yaxis=lanes(labels, look),
        annotations=[*_lengths(gaps, lane, look, (start, end)), *axis_names(look, zone)],
        **time_axes(start, end, look, zone=zone),
    )


def gaps(frame: pd.DataFrame, *, theme: ThemeName = "light", zone: str | None = None, limit: int = LANES) -> go.Figure:
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
    words = [_gap_words(row, zone) for row in each(drawn)]
    bars = spans(
        "silences",
        lanes=drawn["hsm"].map(lane),
        start=drawn["x"],
        length=drawn["x2"] - drawn["x"],
        words=words,
        width=0.46,
        marker={"color": look.accent},
    )
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
        annotations=[*_lengths(drawn, lane, look, (start - pad, end + pad)), *axis_names(look, zone)],
        **time_axes(start - pad, end + pad, look, zone=zone),
    )


def _colours(theme: Theme) -> dict[str, str]:
    return {"as_expected": theme.calm, "low": theme.low, "silent": theme.accent, "no_history": theme.rule}


def _runs(rows: pd.DataFrame) -> pd.DataFrame:
    """Neighbouring hours of one state as one bar: a year of hours would be slow to draw."""
    hours = rows.sort_values(["hsm", "x"], kind="stable")
    new = changes(hours["hsm"]) | changes(hours["state"]) | (hours["x"].diff() != HOUR)
    run = hours.groupby(new.cumsum())
    return run.agg(
        hsm=("hsm", "first"),
        state=("state", "first"),
        x=("x", "min"),
        last=("x", "max"),
        events=("events", "sum"),
        expected=("expected", "sum"),
    )


def _strips(runs: pd.DataFrame, lane: dict[str, int], theme: Theme, zone: str | None) -> list[Json]:
    return [
        spans(
            _STATES[state],
            lanes=part["hsm"].map(lane),
            start=part["x"],
            length=part["last"] - part["x"] + HOUR,
            words=[_strip_words(row, zone) for row in each(part)],
            width=0.56,
            marker={"color": colour},
        )
        for state, colour in _colours(theme).items()
        if not (part := runs[runs["state"] == state]).empty
    ]


def _strip_words(run: object, zone: str | None) -> str:
    row = run  # a named tuple of `_runs`
    hsm, state, x, last, events, expected = (
        getattr(row, f) for f in ("hsm", "state", "x", "last", "events", "expected")
    )
    usual = "" if state == "no_history" else f", usually about {expected:,.0f}"
    hours = f"{stamp(x, zone)} to {stamp(last + HOUR, zone)}"
    return f"<b>{safe(hsm)}</b>: {_STATES[state]}<br>{hours}<br>{events:,.0f} events{usual}"


def _gap_words(gap: object, zone: str | None) -> str:
    hsm, x, x2, seconds = (getattr(gap, f) for f in ("hsm", "x", "x2", "seconds"))
    expected, chance = getattr(gap, "expected_events", None), getattr(gap, "chance", None)
    usual = "" if pd.isna(expected) else f"<br>about {expected:,.0f} events usually come in such a time"
    luck = "" if pd.isna(chance) else f"<br>chance of such a silence: {chance:.2g}"
    return f"<b>{safe(hsm)}</b>: {spell(seconds)}<br>{stamp(x, zone)} to {stamp(x2, zone)}{usual}{luck}"


def _lengths(gaps: pd.DataFrame | None, lane: dict[str, int], theme: Theme, around: tuple[float, float]) -> list[Json]:
    """Length of every silence, on the side of it where there is room."""
    if gaps is None or gaps.empty:
        return []
    late = around[0] + 0.85 * (around[1] - around[0])
    words = []
    for hsm, a, b, seconds in zip(
        gaps["hsm"], epoch_ms(gaps["start"]), epoch_ms(gaps["end"]), gaps["seconds"], strict=True
    ):
        if hsm in lane:
            right = {"x": b, "xshift": 6}
            side = right if b < late else {"x": a, "xanchor": "right", "xshift": -6}
            text = f"<b>{spell(seconds)}</b>"
            words.append(caption(text, theme, y=lane[hsm], bgcolor=theme.page, borderpad=2, **side))
    return words
