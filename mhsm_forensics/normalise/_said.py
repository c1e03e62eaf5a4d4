"""What a record of another log or of a list says: its fields by folded names, whatever their dress."""

from __future__ import annotations

import json
from typing import Any


def said(fields: dict[str, Any]) -> dict[str, Any]:
    """All that a record says, by folded names: its own fields before those below `properties`."""
    inner = nested(fields.get("properties_d") or fields.get("properties"))
    return inner | {name.removesuffix(" [utc]"): value for name, value in fields.items() if value not in (None, "")}


def nested(value: Any) -> dict[str, Any]:
    """Return an object, also one that was written as text, with its names folded; nothing for anything else."""
    while isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return {str(name).lower(): item for name, item in value.items()} if isinstance(value, dict) else {}


def first(said: dict[str, Any], *names: str) -> str | None:
    """Return the first of some fields that says something, as text."""
    for name in names:
        value = said.get(name)
        if isinstance(value, dict):  # the activity log's own interface gives a value and its translation
            value = value.get("value")
        if isinstance(value, list):
            value = ",".join(map(str, value))
        if value is not None and value != "" and not isinstance(value, dict):
            return str(value)
    return None


def lower(text: str | None) -> str | None:
    """Return a text in lower case; None for none."""
    return text.lower() if text else None
