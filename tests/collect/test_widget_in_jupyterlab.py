"""The form in JupyterLab, in a real browser, by keyboard: begun, stopped, resumed; no secret in the saved notebook."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from browser import needs_chromium
from collect.azurite import KEY
from collect.test_storage import assert_sound, hours, kept
from lab import opened

from mhsm_forensics.case import open_case
from mhsm_forensics.collect._storage_run import WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

CELL = "import mhsm_forensics as mf\nform = mf.widgets.collect(mf.open_case('case'))\nform"

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


def _execute_first(page: Page) -> None:
    """Execute the first cell; Jupyter drops a key that is pressed while it connects to the kernel."""
    prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(10):
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(2_000)
        if (prompt.text_content() or "").strip("[]: \xa0"):
            return
    raise AssertionError("the cell is not executed")


@pytest.fixture
def notebook(case, tmp_path, jupyterlab, chromium) -> Iterator[Page]:
    """A page with a notebook that shows the form, its cell executed."""
    cells, place = [CELL, "6 * 7"], tmp_path / "form.ipynb"
    with opened(jupyterlab, chromium, place, cells, save_widgets=True, size=(1300, 1000)) as found:
        _execute_first(found.page)
        found.page.get_by_role("button", name="Collect").wait_for(timeout=60_000)
        yield found.page


def fill(page: Page, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).fill(text)
    page.keyboard.press("Tab")


def says(page: Page, text: str) -> Any:
    return page.locator(".jp-OutputArea-output").get_by_text(text)


def saved(page: Page, path: Path) -> str:
    """The notebook file, saved now."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        if path.stat().st_mtime_ns != before:
            break
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    return path.read_text("utf-8")


def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    if folder := os.environ.get("MHSM_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_begun_stopped_and_resumed(notebook, container, case, azurite, proxy, tmp_path):
    page, made = notebook, hours(container, 80)
    proxy.latency = 2.0  # ten seconds in all: a browser on a busy machine is slow to press Stop
    shot(page, "1-begin")
    fill(page, "Account", azurite.url.replace(str(azurite.port), str(proxy.port)))
    fill(page, "Container", container.container_name)
    page.get_by_label("Login", exact=True).select_option("connection-string")
    page.get_by_label("Secret", exact=True).click()
    page.keyboard.type(azurite.connection_string(proxy.port))
    page.keyboard.press("Tab")
    page.get_by_placeholder("held in memory until it is used").wait_for()
    typed = saved(page, tmp_path / "form.ipynb")

    page.get_by_role("button", name="Collect").focus()
    page.keyboard.press("Enter")
    says(page, "Fetching and deriving: ").wait_for()
    shot(page, "2-under-way")
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    answer = page.locator(".jp-OutputArea-output").get_by_text("42", exact=True)  # ports may have these digits too
    answer.wait_for(timeout=8_000)  # the kernel is free meanwhile
    while len(proxy.downloads()) <= WORKERS:  # so that the first ones have arrived
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Stop").click()
    says(page, "Stopped.").wait_for()
    shot(page, "3-stopped")
    had = len(kept(case))
    stopped = saved(page, tmp_path / "form.ipynb")

    proxy.latency = 0.0
    page.get_by_role("button", name="Collect").click()
    says(page, "Complete.").wait_for()
    shot(page, "4-complete")
    complete = saved(page, tmp_path / "form.ipynb")

    assert 0 < had < 80
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert len(open_case(case.path).events) == 800
    assert_sound(case)
    for text in (typed, stopped, complete):
        assert "widget-state+json" in text  # the widgets' state was saved, too
        assert container.container_name in text
        assert KEY not in text
        assert "AccountKey" not in text
