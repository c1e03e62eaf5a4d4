"""Which built-in role allows what, and since when."""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Days on which somebody listed the roles of a managed HSM and published what it answered.
LISTED: Final = (
    date(2020, 11, 1), date(2021, 1, 31), date(2021, 6, 7), date(2022, 5, 27), date(2025, 9, 30), date(2026, 6, 26),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grant:
    """One data action of one role; the first and the last listing that has it, None where it has no bound."""

    role_definition_id: str
    data_action: str
    first_seen: date | None
    last_seen: date | None

    def may_hold(self, day: date) -> bool:
        """Whether the role may have had it on a day: between two listings that differ nobody knows."""
        before = bisect_left(LISTED, self.first_seen) - 1 if self.first_seen else -1
        after = bisect_right(LISTED, self.last_seen) if self.last_seen else len(LISTED)
        return (before < 0 or day > LISTED[before]) and (after >= len(LISTED) or day < LISTED[after])


def _rows() -> Iterator[Grant]:
    text = resources.files(__package__).joinpath("role_actions.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["status"] != "refuted":
            days = (date.fromisoformat(row[name]) if row[name] else None for name in ("first_seen", "last_seen"))
            yield Grant(row["role_definition_id"], row["data_action"], *days)


@cache
def _grants() -> dict[str, tuple[Grant, ...]]:
    found: dict[str, list[Grant]] = {}
    for grant in _rows():
        found.setdefault(grant.role_definition_id, []).append(grant)
    return {role: tuple(grants) for role, grants in found.items()}


@cache
def granted(on: date | None = None) -> dict[str, frozenset[str]]:
    """Which data actions each built-in role allows, by the id of the role.

    Parameters
    ----------
    on
        The day to look back to; default today. What a role may or may not have had on that day counts as had.

    `role_actions.csv` holds what Microsoft's table says, and what managed HSMs answered when their roles were listed (status
    ``observed``). Where listings refute the table, they win: it ticks the purge for the auditor, who never had it.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/built-in-roles
    https://github.com/Azure/azure-sdk-assets (recordings of azure-keyvault-administration)

    Examples
    --------
    >>> "keys/sign/action" in granted()["21dbd100-6940-42c2-9190-5d6cb909625b"]
    True
    >>> administrator = "a290e904-7015-4bba-90c8-60543313cdb4"
    >>> "keys/sign/action" in granted()[administrator], "keys/sign/action" in granted(date(2020, 12, 1))[administrator]
    (False, True)
    """
    day = on or datetime.now(UTC).date()
    return {
        role: frozenset(grant.data_action for grant in grants if grant.may_hold(day))
        for role, grants in _grants().items()
    }
