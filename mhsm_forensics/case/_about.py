"""What a case is called, when it was made and by what: `case.json`, written once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ..errors import CaseError
from ..text import visible
from ._custody import TOOL, utc_now
from ._files import checked, is_count, is_text, or_none, read_json, replace_text
from ._seal import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 2  # 1: copies among the events, duplicates beside them, and no witnesses
RESHAPED = "reshaped"  # the custody entry of a case of before that was brought to this shape


def write_about(folder: Path, *, name: str, display_zone: str | None) -> dict[str, str]:
    """Write `case.json`; returns what custody keeps of it from the case's creation on."""
    name = visible(name)
    about = {"format": FORMAT, "name": name, "created": utc_now(), "tool": TOOL, "display_zone": display_zone}
    replace_text(folder / "case.json", json.dumps(about, indent=2))
    return {"name": name, "sha256": sha256_of(folder / "case.json")}


def reshape(folder: Path) -> dict[str, Any]:
    """Say in `case.json` that the case has the present shape; returns what custody keeps of it."""
    path = folder / "case.json"
    replace_text(path, json.dumps(read_json(path) | {"format": FORMAT}, indent=2))
    return {"format": FORMAT, "sha256": sha256_of(path)}


def read_about(folder: Path) -> dict[str, Any]:
    """Return what `case.json` says.

    Raises
    ------
    CaseError
        A newer version wrote it, or it is damaged.
    """
    path = folder / "case.json"
    about = checked(path, "the case", read_json(path), {"format": or_none(is_count)}, open_ended=True)
    if (about.get("format") or 0) > FORMAT:
        raise CaseError.newer(folder, about["format"], FORMAT)
    return checked(path, "the case", about, _ABOUT, open_ended=True)


def _is_zone(value: Any) -> bool:
    try:
        return is_text(value) and bool(ZoneInfo(value).key)
    except (ValueError, OSError, KeyError):  # a path, a folder, a name that this machine doesn't know
        return False


_ABOUT = {
    "name": lambda value: is_text(value) and visible(value) == value,
    "created": is_text,
    "display_zone": or_none(_is_zone),
}
