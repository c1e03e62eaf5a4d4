"""The notebooks in JupyterLab, in a real browser: all cells run, rows chosen and tagged, the tag there when it is opened anew."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from accessible import barriers
from browser import needs_chromium
from building import copy_of
from lab import opened
from test_notebooks import SHOWN, kinds

from mhsm_forensics import report
from mhsm_forensics.case import open_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Opened
    from playwright.sync_api import Locator

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OURS = (".jupyter-widgets",)  # and not what Jupyter itself draws
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


# The same again in the other colours, where most of what is proved is the same.
BOTH = pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.long)])


@pytest.fixture
def case(incident, tmp_path):
    """A copy of the incident, to write in; with a second time zone."""
    return copy_of(incident, tmp_path / "case", zone="Europe/Amsterdam")


@pytest.fixture
def running(case, tmp_path, jupyterlab, chromium):
    """`running(name, theme)`: a notebook of ours in which all cells have run."""

    @contextmanager
    def ran(name: str, theme: str, folder: str = "lab") -> Iterator[Opened]:
        (path,) = NOTEBOOKS.glob(f"{name}-*.ipynb")
        cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        place, environment = tmp_path / folder / path.name, {"MHSM_CASE": str(case.path)}
        with opened(jupyterlab, chromium, place, cells, environment=environment, theme=THEMES[theme]) as found:
            found.run_all()
            found.wait_for_cells()
            assert SHOWN[path.stem] <= kinds(found.saved())
            yield found
            looked_at(found, theme)

    return ran


def looked_at(found: Opened, theme: str) -> None:
    """Nothing keeps anybody out, in these colours or in the others, and the page has nothing to complain of."""
    assert barriers(found.page, *OURS) == []
    found.turn(THEMES["light" if theme == "dark" else "dark"])
    assert barriers(found.page, *OURS) == []
    assert found.outside == []
    assert found.complaints == []


def brush(canvas: Locator) -> None:
    """Drag over a part of the timeline."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    mouse, middle = canvas.page.mouse, box["y"] + 60
    mouse.move(box["x"] + box["width"] * 0.4, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    mouse.up()


def shot_of(found: Opened, part: Locator, name: str) -> None:
    part.scroll_into_view_if_needed()
    found.page.wait_for_timeout(500)
    found.shot(name)


@BOTH
def test_a_case_is_opened(running, theme):
    with running("00", theme) as found:
        page = found.page
        picker = page.get_by_role("button", name="Make case")
        picker.wait_for(timeout=60_000)
        shot_of(found, picker, f"00-case-{theme}")
        page.get_by_label("New case", exact=True).fill("../outside")
        picker.click()
        page.get_by_text("no name of a folder").wait_for()
        assert page.locator(".jp-OutputArea-output .jp-RenderedText[data-mime-type*=error]").count() == 0


@BOTH
def test_rows_are_tagged_and_the_tag_is_there_for_the_next_person(case, running, theme):
    with running("02", theme) as found:
        page = found.page
        grid = page.locator(".mhsm-grid")
        grid.wait_for(timeout=90_000)
        shot_of(found, page.get_by_role("button", name="Look at this"), f"02-scope-{theme}")

        page.locator('select[title="Operations"]').focus()
        page.keyboard.press("ArrowDown")
        page.get_by_text("30 of 30, 1 chosen").wait_for()

        page.get_by_label("Search events", exact=False).fill("operation:KeyPurge")
        grid.get_by_text("found in").wait_for()
        rows = grid.locator("tbody tr")
        rows.nth(0).click()
        rows.nth(2).click(modifiers=["Shift"])
        grid.get_by_text("3 selected").wait_for()
        grid.get_by_role("button", name="Copy as CSV").click()
        grid.get_by_text("3 rows").wait_for()
        rows.nth(0).press("ArrowDown")
        cells = page.locator(".jp-CodeCell").count()
        page.keyboard.press("x")  # in a notebook: cut the cell
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        assert page.locator(".jp-CodeCell").count() == cells
        assert page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "5"
        page.keyboard.press("Enter")
        grid.get_by_text("As it stands in the evidence").wait_for()
        shot_of(found, grid, f"02-events-{theme}")
        page.keyboard.press("Escape")

        page.get_by_text("A note about 3 selected records").wait_for()
        page.get_by_label("Tag", exact=True).fill("destruction")
        page.get_by_label("Tag", exact=True).press("Tab")
        page.get_by_role("button", name="Save note").click()
        page.get_by_text("Saved: tag about 3 selected records").wait_for()
        grid.locator(".tag", has_text="destruction").first.wait_for()
        shot_of(found, page.get_by_role("button", name="Save note"), f"02-notes-{theme}")

        brush(page.locator(".mf-frame canvas"))
        grid.get_by_text("case.events.of(mf.case.Scope(start=").wait_for()

    # The next person: another page, another kernel.
    with running("02", theme, "again") as found:
        page = found.page
        page.get_by_label("Search events", exact=False).fill("operation:KeyPurge")
        page.locator(".mhsm-grid .tag", has_text="destruction").first.wait_for(timeout=60_000)

    tags = open_case(case.path).notes.tags()
    assert list(tags.values()) == [["destruction"]] * 3


def test_a_finding_is_read_and_tagged(case, running):
    with running("01", "light") as found:
        page = found.page
        page.get_by_role("button", name="Show its events").click(timeout=90_000)
        page.locator(".mhsm-grid tbody tr").first.wait_for()
        page.get_by_role("button", name="Next", exact=True).first.click()
        page.get_by_role("button", name="Add to report").first.click()
        page.get_by_text("Added to the report.").wait_for()
        shot_of(found, page.get_by_role("button", name="Show its events"), "01-finding-light")
        assert (case.path / "reports" / "report.html").is_file()

    assert open_case(case.path).notes.df("view")["text"].size == 1


@BOTH
def test_pivoting_from_an_address_to_an_identity_to_a_key_and_back(case, running, theme):
    with running("03", theme) as found:
        page = found.page
        panel = page.locator(".mhsm-pivot")
        panel.wait_for(timeout=90_000)
        heading = panel.locator("h3")

        panel.get_by_role("combobox").fill("198.51.100.77")
        panel.get_by_role("option").first.wait_for()
        page.keyboard.press("Enter")
        heading.get_by_text("198.51.100.77").wait_for()
        panel.locator("section", has_text="Identities").get_by_role("button", name="df5edf54").first.click()
        heading.get_by_text("df5edf54").wait_for()
        assert page.evaluate("document.activeElement.tagName") == "H3"
        shot_of(found, panel, f"03-pivot-{theme}")
        panel.get_by_role("button", name="payments-kek-02", exact=True).first.click()
        heading.get_by_text("payments-kek-02").wait_for()
        page.keyboard.press("Alt+ArrowLeft")
        heading.get_by_text("df5edf54").wait_for()
        panel.get_by_role("navigation").get_by_role("button", name="198.51.100.77").click()
        heading.get_by_text("198.51.100.77").wait_for()

        panel.get_by_label("Tick record", exact=False).first.focus()
        page.keyboard.press("Space")
        panel.get_by_text("1 ticked").wait_for()
        panel.get_by_role("button", name="Pin rows to notes").click()
        panel.get_by_text("Pinned 1 record.").wait_for()
        panel.get_by_role("button", name="record", exact=True).first.click()
        panel.get_by_text("As it stands in the evidence").wait_for()
        panel.get_by_role("button", name="Add to report").click()
        panel.get_by_text("Added to the report.").wait_for()

    text = report.write(case, case.path / "report.html").read_text("utf-8")
    assert "Pivot: Everything › 198.51.100.77" in text
    assert list(case.notes.df("view")["text"]) == ["198.51.100.77"]


@BOTH
def test_an_odd_stretch_leads_to_its_records(case, running, theme):
    with running("04", theme) as found:
        page = found.page
        charts = page.locator(".mhsm-odd figure")
        charts.first.wait_for(timeout=90_000)
        shot_of(found, page.locator(".mhsm-odd"), f"04-anomalies-{theme}")

        charts.first.locator(".odd").first.focus()
        page.keyboard.press("Enter")
        page.locator(".mhsm-grid tbody tr").first.wait_for()
        page.get_by_text("rows 1–").first.wait_for()
        page.get_by_role("button", name="Add to report").first.click()
        page.get_by_text("Added to the report.").wait_for()

    assert list(case.notes.df("view")["text"]) == ["Out of the usual: events by operation, each hour"]
