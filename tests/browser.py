"""A headless Chromium that notes every request and every complaint of a page."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium")


@dataclass
class Visit:
    """A page that is open, and what it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def scroll_through(self) -> None:
        """Look at every part of the page, so that what is drawn on sight is drawn."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, height, 800):
            self.page.evaluate("top => scrollTo({top, behavior: 'instant'})", top)
            self.page.wait_for_timeout(30)
        self.page.wait_for_timeout(300)


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless Chromium that reaches this machine and no other, neither by name nor by address."""
    playwright = pytest.importorskip("playwright.sync_api")
    alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", alone])
        yield browser
        browser.close()


@contextmanager
def visit(
    chromium: Browser, path: Path, *, theme: Literal["light", "dark"] = "light", javascript: bool = True
) -> Iterator[Visit]:
    """Open a local file; nothing but the file itself can be reached."""
    with chromium.new_context(color_scheme=theme, java_script_enabled=javascript) as context:
        page = context.new_page()
        visited = Visit(page)
        page.on("request", lambda request: visited.requests.append(request.url))
        page.on("console", lambda message: visited.complaints.append(message.text))
        page.on("pageerror", lambda error: visited.complaints.append(str(error)))
        page.route("**/*", lambda route: route.continue_() if route.request.url == path.as_uri() else route.abort())
        page.goto(path.as_uri())
        yield visited
