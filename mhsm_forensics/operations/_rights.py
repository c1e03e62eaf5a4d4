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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Days on which somebody listed the roles of a managed HSM and published what it answered.
LISTED: Final = (
    date(2020, 11, 1), date(2021, 1, 31), date(2021, 6, 7), date(2022, 5, 27), date(2025, 9, 30), date(2026, 6, 26),
)  # fmt: skip
_PREFIX: Final = "microsoft.keyvault/managedhsm/"  # before a data action in a definition of a role


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


def allows(permissions: Iterable[Mapping[str, Sequence[str]]], data_action: str) -> bool:
    """Whether a role allows a data action, by its own definition: one block of it does, less what that block excludes.

    Parameters
    ----------
    permissions
        Blocks with ``dataActions`` and ``notDataActions``, and with ``actions`` and ``notActions``, where some roles have them.
    data_action
        As in `operations.csv`; in a definition it stands behind ``Microsoft.KeyVault/managedHsm/``.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/custom-roles
    https://learn.microsoft.com/azure/role-based-access-control/role-definitions

    Examples
    --------
    >>> block = {"dataActions": ["Microsoft.KeyVault/managedHsm/keys/*"],
    ...          "notDataActions": ["Microsoft.KeyVault/managedHsm/keys/sign/action"]}
    >>> allows([block], "keys/read/action"), allows([block], "keys/sign/action"), allows([block], "backup/start/action")
    (True, False, False)
    """
    pairs = (("dataActions", "notDataActions"), ("actions", "notActions"))
    return any(
        _named(block.get(given, ()), data_action) and not _named(block.get(taken, ()), data_action)
        for block in permissions for given, taken in pairs
    )  # fmt: skip


def _named(patterns: Iterable[str], data_action: str) -> bool:
    short = data_action.lower()
    return any(_fits(pattern.strip().lower(), text) for pattern in patterns for text in (_PREFIX + short, short))


def _fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern with stars; no regular expression, that a pattern of nothing but stars would stall."""
    head, *middle = pattern.split("*")
    if not middle or not text.startswith(head):
        return pattern == text
    at, tail = len(head), middle.pop()
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(tail) and at + len(tail) <= len(text)


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


@cache
def role_ids() -> dict[str, str]:
    """Ids of the built-in roles by their names in small letters, those of before among them.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/built-in-roles

    Examples
    --------
    >>> role_ids()["managed hsm backup"] == role_ids()["managed hsm backup user"]
    True
    """
    text = resources.files(__package__.rpartition(".")[0]).joinpath("roles.csv").read_text("utf-8")
    return {
        name.strip().lower(): role["role_definition_id"]
        for role in csv.DictReader(text.splitlines())
        for name in (role["name"], *filter(None, role["other_names"].split("|")))
    }
