"""Times on an axis: UTC as epoch milliseconds, and the second time zone beside it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..text import plural, spell
from ._style import Json, Theme
from ._text import safe

Floats = npt.NDArray[np.float64]
HOUR: Final = 3_600_000.0

_DAY = 86400
_STEPS: Final = (
    60,
    300,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    _DAY,
    2 * _DAY,
    4 * _DAY,
    7 * _DAY,
    14 * _DAY,
    30 * _DAY,
    91 * _DAY,
    365 * _DAY,
)


def epoch_ms(times: pd.Series) -> Floats:
    """Milliseconds since 1970 UTC; nan where there is no time.

    Floats, because plotly takes datetime64[ns] for numbers in some places and for local times in others.
    """
    moments = pd.to_datetime(times, utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / 1000.0)


def stamps(times: pd.Series, zone: str | None) -> list[str]:
    """Write times in UTC, and in *zone* after a dot when one is given."""
    return [stamp(t, zone) for t in epoch_ms(times)]


def stamp(ms: float, zone: str | None = None) -> str:
    """One time in words for a hover text."""
    if np.isnan(ms):
        return "unknown"
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    utc = f"{moment:%Y-%m-%d %H:%M:%S}Z"
    return f"{utc}  ·  {moment.astimezone(ZoneInfo(zone)):%a %d %b %H:%M:%S %z}" if zone else utc


def time_axes(start: float, end: float, theme: Theme, *, zone: str | None = None, foot: str = "y") -> Json:
    """Layout of the time axis from *start* to *end* in epoch milliseconds, with a second line for *zone*.

    It stands at the foot of the vertical axis *foot*.
    """
    around = [start, end] if end > start else [start - HOUR / 2, start + HOUR / 2]
    axis = {
        "type": "date",
        "anchor": foot,
        "range": around,
        "hoverformat": "%Y-%m-%d %H:%M:%SZ",
        "showgrid": True,
        "gridcolor": theme.rule,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": 11.5, "color": theme.faint},
        "tickformatstops": [
            {"dtickrange": [None, 1000], "value": "%H:%M:%S.%L"},
            {"dtickrange": [1000, 60000], "value": "%H:%M:%S"},
            {"dtickrange": [60000, 86400000], "value": "%H:%M\n%a %d %b"},
            {"dtickrange": [86400000, None], "value": "%d %b\n%Y"},
        ],
    }
    return {"xaxis": axis} if zone is None else {"xaxis": axis, "xaxis2": _local_axis(around, theme, zone, foot)}


def axis_names(theme: Theme, zone: str | None) -> list[Json]:
    """Say which clock the axis shows, once, at its left end."""
    names = [("UTC", -5)] if zone is None else [("UTC", -5), (safe(zone, limit=28), -38)]
    return [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "right",
            "xshift": -36,
            "y": 0,
            "yref": "paper",
            "yanchor": "top",
            "yshift": shift,
            "text": text,
            "showarrow": False,
            "font": {"size": 11, "color": theme.faint},
        }
        for text, shift in names
    ]


def second_axis(zone: str | None) -> list[Json]:
    """Empty trace that plotly needs before it draws the axis of *zone*."""
    empty = {"type": "scatter", "x": [None], "y": [None], "xaxis": "x2", "hoverinfo": "skip"}
    return [] if zone is None else [empty]


def room_below(zone: str | None) -> int:
    """Height of the margin below the plot, in pixels."""
    return 48 if zone is None else 66


def gap_bands(gaps: pd.DataFrame | None, theme: Theme) -> tuple[list[Json], list[Json]]:
    """Bands over the silences of the log, and words for the longest three (silences that overlap are one)."""
    if gaps is None or gaps.empty:
        return [], []
    spans = _merged(gaps)
    shapes: list[Json] = [
        {
            "type": "rect",
            "x0": a,
            "x1": b,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": theme.gap,
            "line": {"width": 0},
            "layer": "below",
        }
        for a, b, _ in spans
    ]
    longest = sorted(spans, key=lambda span: span[0] - span[1])[:3]
    words: list[Json] = [
        {
            "x": b,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": "right",
            "showarrow": False,
            "text": f"no log for {spell((b - a) / 1000)} ({_who(hsms)})",
            "font": {"size": 11.5, "color": theme.accent},
        }
        for a, b, hsms in longest
    ]
    return shapes, words


def bands(intervals: pd.DataFrame | None, theme: Theme) -> tuple[list[Json], list[Json]]:
    """Shade stretches of time that were given, each with its label."""
    if intervals is None or intervals.empty:
        return [], []
    spans = list(zip(epoch_ms(intervals["start"]), epoch_ms(intervals["end"]), intervals["label"], strict=True))
    shapes: list[Json] = [
        {"type": "rect", "x0": a, "x1": b, "yref": "paper", "y0": 0, "y1": 1, "fillcolor": theme.low, "opacity": 0.2,
         "line": {"width": 0}, "layer": "below"}
        for a, b, _ in spans
    ]  # fmt: skip
    words = [_at(a, safe(label, limit=40), theme.ink, np.inf) for a, _, label in spans]
    return shapes, words


def instants(
    marks: pd.DataFrame | None, t0: datetime | None, theme: Theme, middle: float
) -> tuple[list[Json], list[Json]]:
    """Draw lines at moments that were given, and at the moment of suspected compromise; words point to the *middle*."""
    found: list[tuple[float, str, str, str]] = []
    if marks is not None:
        found += [
            (x, safe(label, limit=40), theme.ink, "dot")
            for x, label in zip(epoch_ms(marks["time"]), marks["label"], strict=True)
        ]
    if t0 is not None:
        x = epoch_ms(pd.Series([t0]))[0]
        found.append((x, f"T0 {stamp(x)}", theme.accent, "solid"))
    lines: list[Json] = [
        {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"width": 1.5, "color": colour, "dash": dash}}
        for x, _, colour, dash in found
    ]  # fmt: skip
    return lines, [_at(x, text, colour, middle) for x, text, colour, _ in found]


def _at(x: float, text: str, colour: str, middle: float) -> Json:
    """Words above a moment, over those of the silences."""
    place = {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 15, "xanchor": "left" if x < middle else "right"}
    return {**place, "x": x, "text": text, "showarrow": False, "font": {"size": 11.5, "color": colour}}


def _merged(gaps: pd.DataFrame) -> list[tuple[float, float, list[str]]]:
    spans: list[tuple[float, float, list[str]]] = []
    rows = zip(epoch_ms(gaps["start"]), epoch_ms(gaps["end"]), gaps["hsm"], strict=True)
    for start, end, hsm in sorted(rows, key=lambda row: row[0]):
        if spans and start < spans[-1][1]:
            a, b, hsms = spans.pop()
            spans.append((a, max(b, end), [*hsms, str(hsm)]))
        else:
            spans.append((start, end, [str(hsm)]))
    return spans


def _who(hsms: list[str]) -> str:
    distinct = sorted(set(hsms))
    return safe(distinct[0], limit=24) if len(distinct) == 1 else plural(len(distinct), "HSM")


def _local_axis(around: list[float], theme: Theme, zone: str, foot: str) -> dict[str, Any]:
    ticks = _local_ticks(around[0], around[1], zone)
    return {
        "type": "date",
        "overlaying": "x",
        "matches": "x",
        "side": "bottom",
        "anchor": foot,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 34,
        "tickfont": {"size": 11, "color": theme.faint},
        "tickvals": [ms for ms, _ in ticks],
        "ticktext": [text for _, text in ticks],
    }


def _local_ticks(start: float, end: float, zone: str) -> list[tuple[float, str]]:
    """At most nine round local times between *start* and *end*.

    Counted in the offset that holds at *start*: after a clock change the labels are less round, never wrong.
    """
    span = (end - start) / 1000
    step = next((s for s in _STEPS if span / s <= 8), _STEPS[-1])
    clock = ZoneInfo(zone)
    first = datetime.fromtimestamp(start / 1000, UTC)
    offset = (first.astimezone(clock).utcoffset() or timedelta()).total_seconds()
    tick = -(-(start / 1000 + offset) // step) * step - offset
    ticks = []
    while tick * 1000 <= end:
        local = datetime.fromtimestamp(tick, UTC).astimezone(clock)
        ticks.append((tick * 1000, f"{local:%H:%M}" if step < _DAY / 4 else f"{local:%d %b %H:%M}"))
        tick += step
    return ticks
