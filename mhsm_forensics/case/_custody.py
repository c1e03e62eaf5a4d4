"""The chain of custody: who did what and when, in a file that only grows and whose entries prove each other."""

from __future__ import annotations

import getpass
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from ._chain import append, entries
from ._files import checked, is_moment, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    TOOL = f"mhsm-forensics {version('mhsm-forensics')}"
except PackageNotFoundError:  # run from a checkout that was never installed
    TOOL = "mhsm-forensics (not installed)"


def record_custody(folder: Path, action: str, *details: dict[str, Any]) -> None:
    """Append one entry for each detail to the chain of custody; on disk when this returns."""
    said = (_entry(action, detail) for detail in details)
    append(folder / "custody.jsonl", *said, recovered=lambda torn: _entry("recovered", {"torn_entry": torn}))


def recorded(folder: Path, action: str, detail: dict[str, Any]) -> str | None:
    """Append an entry where the case can be written; returns why not, where it can't: looking needs no permission."""
    try:
        record_custody(folder, action, detail)
    except CaseError as problem:
        return str(problem)
    return None


def _entry(action: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"time": utc_now(), "action": action, "by": who(), "tool": TOOL, "detail": detail}


def read_custody(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every custody entry with the SHA-256 of its line.

    Raises
    ------
    CaseError
        The file can't be read, or a line is no entry.
    """
    path = folder / "custody.jsonl"
    for entry, digest in entries(path):
        yield checked(path, f"entry {entry['seq']}", entry, _ENTRY, open_ended=True), digest


_ENTRY = {
    **dict.fromkeys(("action", "by", "tool"), is_text),
    "time": is_moment,
    "detail": lambda value: isinstance(value, dict),
}


def head(folder: Path) -> str | None:
    """SHA-256 of the newest entry of the chain: written down outside the case, it pins all that came before."""
    return next((digest for _, digest in reversed(list(entries(folder / "custody.jsonl")))), None)


def utc_now() -> str:
    """Return the present time, ISO 8601 in UTC."""
    return utc_text(datetime.now(UTC), "microseconds")


def utc_text(moment: datetime, precision: str = "auto") -> str:
    """Return an aware time, ISO 8601 in UTC with Z.

    >>> utc_text(datetime.fromisoformat("2026-03-05T03:00:00+01:00"))
    '2026-03-05T02:00:00Z'
    """
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def who() -> str:
    """Return who runs this, as this machine knows them."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):  # a container without a user database
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
