"""Rendering: a `Report` in, the text of one HTML file out."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    from ._document import Report


def render(report: Report) -> str:
    """HTML of a report: everything inline, scripts allowed by their hash alone."""
    plotly, script = _script("plotly-cartesian.min.js"), _script("report.js")
    template = _environment().get_template("report.html.j2")
    return template.render(
        report=report,
        style=Markup(_part("report.css")),
        plotly=Markup(plotly),
        script=Markup(script),
        policy=_policy(plotly, script),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline_json"] = _inline_json
    return environment


@cache
def _part(name: str) -> str:
    """File of this room, with the line ends that an HTML parser would make of it."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _script(name: str) -> str:
    return _part(name).replace("</script", "<\\/script")


def _policy(*scripts: str) -> str:
    """Content security policy: nothing may be fetched, and only these scripts may run."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    # plotly writes style attributes; an attacker who could write one still could fetch nothing.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src 'none'; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _inline_json(value: Any) -> Markup:
    """JSON that no HTML parser can take for markup."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, sort_keys=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
