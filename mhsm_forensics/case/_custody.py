"""The chain of custody: who did what and when, in a file that only grows and whose entries prove each other."""

from __future__ import annotations

import getpass
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ._chain import append, entries

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


def _entry(action: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"time": utc_now(), "action": action, "by": who(), "tool": TOOL, "detail": detail}


def read_custody(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every custody entry with the SHA-256 of its line."""
    return entries(folder / "custody.jsonl")


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
