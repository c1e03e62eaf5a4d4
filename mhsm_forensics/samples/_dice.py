"""Chance that falls the same way on every machine."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = "managed-hsm-2026"

T = TypeVar("T")


class Dice:
    """A seeded source of chance, one for every purpose.

    Each purpose (an actor's day, a record's ids) throws its own dice, so a change to one actor leaves the
    bytes of all others as they were. Only ``random()`` and ``getrandbits()`` are used: what they give for a
    seed stays, what ``choice`` or ``gauss`` give may change with a release of Python.
    """

    def __init__(self, *purpose: object) -> None:
        self._random = Random("/".join(str(part) for part in (SEED, *purpose)))

    def between(self, low: float, high: float) -> float:
        """Return a number from *low* up to, but not including, *high*."""
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from *low* to *high*, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, things: Sequence[T]) -> T:
        """Return one of *things*."""
        return things[self.whole(0, len(things) - 1)]

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability

    def hex(self, digits: int) -> str:
        """Return that many hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def guid(self) -> str:
        """Return a random (version 4) GUID."""
        return str(UUID(int=self._random.getrandbits(128), version=4))


def guid(*name: object) -> str:
    """Return the GUID that belongs to this name, always the same one."""
    return Dice("guid", *name).guid()
