"""A timeline where no kernel is at hand: a picture that can do nothing, and a table."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..plot._style import FONT, GROUPS, THEMES
from ..text import visible
from ._timeline_words import clock, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._timeline_points import Lane

WIDTH: Final = 900
_LEFT, _RIGHT, _TOP, _LANE, _FOOT = 240, 12, 8, 36, 30
_LOOK = THEMES["light"]


def picture(view: dict[str, Any], names: list[str]) -> str:
    """SVG of a view: bars, marks and control acts in their lanes; text from the log is text in it."""
    height = _TOP + _LANE * len(names) + _FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="{escape(FONT)}" font-size="12"><rect width="100%" height="100%" fill="{_LOOK.page}"/>',
        *_axis(view, height), *_names(view, names), *_bars(view), *_dots(view), "</svg>",
    ]  # fmt: skip
    return "".join(parts)


def page(svg: str, title: str, words: str, lanes: list[Lane], names: list[str]) -> str:
    """HTML of the picture, what is in it in words, and its lanes as a table."""
    data = base64.b64encode(svg.encode()).decode()
    heads = "".join(f'<th style="text-align:left">{head}</th>' for head in
                    ("Lane", "Events", "Denied", "Control acts", "First", "Last"))  # fmt: skip
    rows = "".join(_row(lane, name) for lane, name in zip(lanes, names, strict=True))
    return (
        f"<figure><figcaption><b>{escape(title)}</b><br>{escape(words)}</figcaption>"
        f'<img alt="{escape(words)}" width="{WIDTH}" src="data:image/svg+xml;base64,{data}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></figure>"
    )


def _row(lane: Lane, name: str) -> str:
    cells = (name, f"{lane.events:,}", f"{lane.denied:,}", f"{lane.acts:,}", clock(lane.first), clock(lane.last))
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _across(view: dict[str, Any], times: Any) -> Any:
    share = (np.asarray(times, "float64") - view["start"]) / (view["end"] - view["start"])
    return _LEFT + np.clip(share, 0, 1) * (WIDTH - _LEFT - _RIGHT)


def _axis(view: dict[str, Any], height: int) -> Iterator[str]:
    for nth in range(5):
        t = view["start"] + (view["end"] - view["start"]) * nth // 4
        x = float(_across(view, t))
        anchor = "start" if nth == 0 else "end" if nth == 4 else "middle"
        yield f'<path d="M{x:.1f} {_TOP}V{height - _FOOT}" stroke="{_LOOK.rule}"/>'
        yield f'<text x="{x:.1f}" y="{height - 10}" fill="{_LOOK.faint}" text-anchor="{anchor}">{moment(t):%Y-%m-%d %H:%M}</text>'
    yield f'<text x="{_LEFT - 8}" y="{height - 10}" fill="{_LOOK.faint}" text-anchor="end">UTC</text>'


def _names(view: dict[str, Any], names: list[str]) -> Iterator[str]:
    for place, (name, events) in enumerate(zip(names, view["lanes"], strict=True)):
        y = _TOP + _LANE * place
        yield f'<path d="M0 {y + _LANE}H{WIDTH - _RIGHT}" stroke="{_LOOK.rule}"/>'
        shown = escape(visible(name, limit=26).split(" [")[0])
        yield f'<text x="{_LEFT - 8}" y="{y + 22}" text-anchor="end" fill="{_LOOK.ink}">{shown}  {events:,}</text>'


def _bars(view: dict[str, Any]) -> Iterator[str]:
    """One path per group, and one for what was denied; the height is logarithmic within each lane."""
    bars: pd.DataFrame = view["bars"]
    if bars.empty:
        return
    stack = bars.groupby(["lane", "bin"])
    total = stack["events"].transform("sum")
    peak = total.groupby(bars["lane"]).transform("max").clip(lower=3)
    whole = (_LANE - 10) * np.log1p(total) / np.log1p(peak)
    tall = whole * bars["events"] / total
    left = _across(view, view["base"] + bars["bin"] * view["step"])
    wide = _across(view, view["base"] + (bars["bin"] + 1) * view["step"]) - left
    foot = _TOP + _LANE * (bars["lane"] + 1) - 2
    top = foot - tall.groupby([bars["lane"], bars["bin"]]).cumsum()
    boxes = pd.DataFrame({"x": left, "y": top, "w": wide, "h": tall})
    for kind, group in enumerate(GROUPS.values()):
        path = _boxes(boxes[bars["kind"] == kind])
        yield f'<path d="{path}" fill="{group.colour}"/>' if path else ""
    share = stack["denied"].transform("sum") / total
    refused = boxes.assign(y=foot - whole, h=(whole * share).clip(lower=3))[(share > 0) & (stack.cumcount() == 0)]
    yield f'<path d="{_boxes(refused)}" fill="{_LOOK.page}" stroke="{_LOOK.accent}"/>'


def _boxes(boxes: pd.DataFrame) -> str:
    """Path of rectangles."""
    return "".join(f"M{b.x:.1f} {b.y:.1f}h{b.w:.1f}v{b.h:.1f}h-{b.w:.1f}z" for b in boxes.itertuples())


def _dots(view: dict[str, Any]) -> Iterator[str]:
    """Single events at the foot, control acts at the head of their lanes; hollow where denied or failed, pale where accepted."""
    colours = [group.colour for group in GROUPS.values()]
    marks, acts = view["marks"], view["acts"]
    spots = [(marks, marks["t"], _LANE - 7, 3), (acts, acts["first_t"], 8, 4.5)]
    for frame, times, depth, size in spots:
        rows = zip(_across(view, times), frame["lane"], frame["kind"], frame["state"], strict=True)
        for x, lane, kind, state in rows:
            fill, part = (colours[kind], 0.5 if state == 1 else 1) if state < 2 else (_LOOK.page, 1)
            look = f'fill="{fill}" fill-opacity="{part}" stroke="{colours[kind]}"'
            yield f'<circle cx="{x:.1f}" cy="{_TOP + _LANE * lane + depth}" r="{size}" {look}/>'
