"""Synthetic evidence with known incidents, the same bytes on every machine.

``write(folder)`` makes the whole of ``data-samples/``; ``bulk`` and ``long_line`` make what is too large to
be kept. Nothing here comes from a real service: people, organisations, ids and keys are invented, addresses
are the ranges reserved for documentation and private networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._around import around
from ._bulk import bulk, long_line
from ._damaged import damaged
from ._documents import documents
from ._scenarios import Scenario, scenarios
from ._stories import incident, quiet_day
from ._tree import save

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Scenario", "bulk", "long_line", "scenarios", "write"]


def write(target: Path) -> None:
    """Write every sample below *target*, byte for byte the same each time."""
    save(documents(), target)
    save(quiet_day(), target / "quiet-day")
    save(incident() | around(), target / "incident")
    save(damaged(), target / "damaged")
