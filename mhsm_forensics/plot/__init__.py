"""Figures: a frame from `analyse` in, a plotly Figure out; nothing counted, nothing shown, no file known.

Every function draws the frame of the same name in `analyse`. Times are UTC and reach plotly as epoch
milliseconds; text from the log reaches plotly only through `safe`. An empty frame gives a figure that
says so.
"""

import plotly.io as pio

from ._anomalies import anomalies
from ._coverage import coverage, gaps
from ._hourly import hourly
from ._keys import keys
from ._links import links
from ._matrices import first_seen_pairs, outcomes
from ._moments import moments
from ._people import principals, sessions
from ._pivots import concurrent, hours, met
from ._reconcile import reconcile
from ._style import ThemeName
from ._text import safe
from ._timeline import timeline

__all__ = [
    "CONFIG",
    "ThemeName",
    "anomalies",
    "concurrent",
    "coverage",
    "first_seen_pairs",
    "gaps",
    "hourly",
    "hours",
    "keys",
    "links",
    "met",
    "moments",
    "outcomes",
    "principals",
    "reconcile",
    "safe",
    "sessions",
    "timeline",
]

# plotly.js 4 shows a "Share chart" button that uploads the chart's data. Evidence stays here.
CONFIG: dict[str, object] = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "responsive": True,
    "typesetMath": False,
    "modeBarButtonsToRemove": [
        "sendChartToCloud",
        "lasso2d",
        "select2d",
        "autoScale2d",
        "zoomIn2d",
        "zoomOut2d",
    ],
}


def _forbid_upload() -> None:
    """Make a bare figure in a notebook cell as safe as one shown with `CONFIG`."""
    for name in pio.renderers:
        renderer = pio.renderers[name]
        if hasattr(renderer, "config"):
            renderer.config = {**(renderer.config or {}), **CONFIG}


_forbid_upload()
