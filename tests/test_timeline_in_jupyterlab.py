"""The timeline in JupyterLab, in a real browser: brushed, zoomed, clicked, by mouse and by keyboard, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import needs_chromium
from building import copy_of
from lab import Opened, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from mhsm_forensics.case import Case

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

LEFT, TOP, LANE = 236, 26, 44  # of the drawing, in pixels
CELLS = [
    "import mhsm_forensics as mf\nimport pandas as pd\ncase = mf.open_case({path!r})",
    'day = {{"start": [pd.Timestamp("2026-03-10 08:00Z")], "end": [pd.Timestamp("2026-03-10 20:00Z")], '
    '"label": ["restore <b>mode</b>"]}}\n'
    "timeline = mf.widgets.timeline(case, intervals=pd.DataFrame(day))\ntimeline",
    "seen = []\ntimeline.observe(lambda change: seen.append(change['new']), 'selection')",
]


@pytest.fixture
def case(incident: Case, tmp_path) -> Case:
    """A copy of the sample incident, to write in."""
    return copy_of(incident, tmp_path / "case")


@pytest.fixture(params=["Light", pytest.param("Dark", marks=pytest.mark.long)])
def notebook(
    request: pytest.FixtureRequest, case: Case, tmp_path, jupyterlab, chromium
) -> Iterator[tuple[Opened, str]]:
    cells = [cell.format(path=str(case.path)) for cell in CELLS]
    place, theme = tmp_path / "notebooks" / "look.ipynb", f"JupyterLab {request.param}"
    with opened(jupyterlab, chromium, place, cells, theme=theme) as found:
        yield found, request.param.lower()


def settled(canvas: Locator, milliseconds: int = 5_000) -> tuple[int, int]:
    """Events drawn and events in view, once the picture is of the view."""
    page = canvas.page
    page.wait_for_timeout(150)
    page.wait_for_function(
        "() => document.querySelector('.mf-frame canvas')?.dataset.fresh === 'true'", timeout=milliseconds
    )
    return tuple(int(canvas.get_attribute(f"data-{name}") or -1) for name in ("drawn", "events"))  # type: ignore[return-value]


def test_looked_at_brushed_and_clicked(notebook, case):
    found, theme = notebook
    page = found.page
    found.run_all()
    canvas = page.locator(".mf-frame canvas")
    canvas.wait_for(timeout=90_000)
    page.locator(".mf-legend").get_by_text("session").wait_for()  # the last of what is asked for in the background
    assert settled(canvas) == (5605, 5605)
    ground = page.locator(".mf-timeline").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 26, 32)"}[theme]
    found.shot(f"timeline-{theme}-1-whole")

    # brush the last days, go there, and everything drawn is everything there is
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 120, steps=4)
    page.mouse.up()
    chosen = page.locator(".mf-chosen")
    chosen.get_by_text("Selected:").wait_for()
    selected = int((chosen.text_content() or "").split()[1].replace(",", ""))
    found.shot(f"timeline-{theme}-2-brushed")
    page.get_by_role("button", name="Zoom to selection").click()
    assert settled(canvas) == (selected, selected)

    # by keyboard: the whole, a lane, its records
    canvas.focus()
    page.keyboard.press("Home")
    assert settled(canvas) == (5605, 5605)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen.get_by_text("Selected: 15 events").wait_for()
    page.keyboard.press("Escape")
    chosen.wait_for(state="hidden")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    drawn, events = settled(canvas)
    assert 0 < drawn == events < 5605
    page.keyboard.press("Home")
    settled(canvas)

    # click the denied and the done acts of the intruder's lane
    page.mouse.click(box["x"] + box["width"] * 0.945, box["y"] + TOP + 3 * LANE + 10)
    record = page.locator(".mf-record")
    record.get_by_text("Same principal:").wait_for()
    assert "df5edf54-f331-46cf-baa6-0157746b7a4f" in record.inner_text()
    assert '"operationName"' in record.locator("pre").inner_text()
    record.get_by_label("Next event of the same principal").click()
    record.get_by_text("264 of 281 events").wait_for()
    record.locator("pre").scroll_into_view_if_needed()
    found.shot(f"timeline-{theme}-3-record")

    # zoom with the wheel onto single events
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.945, box["y"] + TOP + 3 * LANE + 30)
    canvas.focus()
    for _ in range(5):
        page.mouse.wheel(0, -300)
    drawn, events = settled(canvas)
    assert 0 < drawn == events < 1000
    found.shot(f"timeline-{theme}-4-near")

    # keep what is selected as the scope of the case
    page.keyboard.press("Enter")
    chosen.get_by_text(f"Selected: {events:,} event").wait_for()
    page.get_by_role("button", name="Look only at this").click()
    page.get_by_text("Kept in the case: from").wait_for()
    assert settled(canvas) == (events, events) == (len(case.scoped),) * 2

    assert found.complaints == []
    assert found.outside == []
