"""What keeps people who do not see, or do not use a mouse, from using a part of a page, as axe-core judges it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import npm

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The guidelines that laws ask for (WCAG 2.1 A and AA), and what axe's authors hold to be good practice.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
# A list of the scope has its name above it; axe would have it in front, where ipywidgets can put one.
_NOT_OURS = {"label-title-only": {"enabled": False}}


def barriers(page: Page, *parts: str) -> list[str]:
    """Name every barrier in some parts of a page: the rule, how grave it is, and the element."""
    page.evaluate(_axe())
    shown = [part for part in parts if page.locator(part).count()]
    options = {"runOnly": _RULES, "rules": _NOT_OURS, "resultTypes": ["violations"]}
    found = page.evaluate(
        "([parts, options]) => axe.run({include: parts.map(part => [part])}, options)", [shown, options]
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@cache
def _axe() -> str:
    folder = npm.installed(Path(__file__).parent / "axe", "axe-core")
    return (folder / "axe-core" / "axe.min.js").read_text("utf-8")
