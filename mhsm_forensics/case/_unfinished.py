"""Which collections of a case are incomplete, from its chain of custody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from ..text import plural
from ._custody import read_custody

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTED = "it was interrupted"
STOPPED = "it was stopped"


def unfinished(folder: Path) -> list[str]:
    """Name the collections whose evidence is incomplete: stopped, interrupted, or with something unreadable.

    A later collection from the same place with the same times replaces an earlier one. A collection from a workspace
    counts from the service's first answer on.
    """
    state: dict[str, str | None] = {}
    for entry, _ in read_custody(folder):
        try:
            state |= _told(entry["action"], entry["detail"])
        except (KeyError, TypeError, ValueError):  # no entry of this tool
            raise CaseError.damaged(folder / "custody.jsonl", f"entry {entry['seq']} tells of no collection") from None
    return [f"{what}: {why}" for what, why in state.items() if why]


def _told(action: str, about: dict[str, Any]) -> dict[str, str | None]:
    """Say why the collection that an entry tells of is incomplete; nothing of other entries."""
    if action in {"collecting", "collected", "collection stopped"}:
        return {_container(about): _storage(action, about)}
    if action in {"collecting from Log Analytics", "collection from Log Analytics ended"}:
        return {_workspace(about): _log_analytics(action, about)}
    return {}


def _storage(action: str, about: dict[str, Any]) -> str | None:
    if action != "collected":
        return INTERRUPTED if action == "collecting" else STOPPED
    return None if about["complete"] else f"{len(about['unreadable']):,} of {about['listed']:,} blobs could not be read"


def _log_analytics(action: str, about: dict[str, Any]) -> str | None:
    if action == "collecting from Log Analytics" or about.get("interrupted"):
        return INTERRUPTED
    if about.get("stopped"):
        return STOPPED
    slices = len(about["unfinished"])
    hold = "does not hold" if slices == 1 else "do not hold"
    return f"{plural(slices, 'slice')} of time {hold} what the service counts" if slices else None


def _container(about: dict[str, Any]) -> str:
    return _named(about["place"], about["from"], about["to"])


def _workspace(about: dict[str, Any]) -> str:
    what = " (context)" if about["context"] else ""
    start, end = (about[name] and _short(about[name]) for name in ("start", "end"))
    return _named(f"{about['url']}{what}{' for ' + ', '.join(about['hsms']) if about['hsms'] else ''}", start, end)


def _short(moment: str) -> str:
    return moment.replace("+00:00", "Z")


def _named(place: str, start: str | None, end: str | None) -> str:
    times = f", {start or 'the beginning'} up to {end or 'now'}"
    return f"{place}{times if start or end else ''}"
