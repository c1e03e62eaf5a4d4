"""Figures in both themes without saying everything twice: the light one, and what differs in the dark one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from ._document import Picture, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..plot import ThemeName


class Drawn(Protocol):
    """What `plot` returns, as far as a report needs to know it."""

    def to_json(self) -> str:
        """Return the figure as plotly JSON."""


def picture(
    name: str, draw: Callable[[ThemeName], Drawn], *, label: str, caption: str, table: Table | None = None
) -> Picture:
    """Draw a figure in both themes.

    Parameters
    ----------
    name
        Id in the page, ours and fixed.
    draw
        Function of the theme.
    label
        What a reader who can't see the figure is told; our words only.
    caption, table
        Text below, and the rows behind the figure.
    """
    light, dark = (json.loads(draw(theme).to_json()) for theme in ("light", "dark"))
    spec = {"data": light["data"], "layout": light["layout"], "dark": list(_differences(light, dark, []))}
    return Picture(name, label, caption, int(light["layout"]["height"]), spec, table)


def _differences(light: Any, dark: Any, path: list[str | int]) -> Iterator[list[Any]]:
    """Yield the path and the dark value of every leaf that differs."""
    if isinstance(light, dict) and isinstance(dark, dict) and light.keys() == dark.keys():
        for key in light:
            yield from _differences(light[key], dark[key], [*path, key])
    elif isinstance(light, list) and isinstance(dark, list) and len(light) == len(dark):
        for i, pair in enumerate(zip(light, dark, strict=True)):
            yield from _differences(*pair, [*path, i])
    elif light != dark:
        yield [path, dark]
