"""What scenarios are told with: a week of days, its dice, and moments in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ._acts import Act, Day, after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ._dice import Dice


@dataclass(frozen=True, slots=True)
class Plot:
    """The week in which something happens, and the chance that decides when."""

    days: list[Day]
    dice: Dice

    def night(self) -> datetime:
        """Return a moment at night, from Tuesday to Friday."""
        return after(self._day().at("00:30"), self.dice.between(0, 4 * 3600))

    def office(self) -> datetime:
        """Return a moment in office hours, from Tuesday to Friday."""
        return after(self._day().at("08:30"), self.dice.between(0, 7 * 3600))

    def _day(self) -> Day:
        return self.days[self.dice.whole(1, 4)]

    def pause(self, moment: datetime, low: float = 3, high: float = 40) -> datetime:
        """Return a moment some seconds later."""
        return after(moment, self.dice.between(low, high))


@dataclass(frozen=True, slots=True)
class Told:
    """What a scenario adds to the week, what it changes in it, and when nothing reaches the log."""

    acts: list[Act]
    change: Callable[[list[Act]], list[Act]] | None = None
    silence: tuple[datetime, datetime] | None = None

    def changed(self, acts: list[Act]) -> list[Act]:
        """Return the ordinary acts as the scenario leaves them."""
        return self.change(acts) if self.change else acts

    def is_silent(self, act: Act) -> bool:
        """Whether the act falls into a time from which nothing reached the log."""
        return self.silence is not None and self.silence[0] <= act.time < self.silence[1]


def core(acts: Iterable[Act]) -> list[Act]:
    """Mark the acts that a responder has to be shown."""
    return [replace(act, phase="core") for act in acts]


def lead(acts: Iterable[Act]) -> list[Act]:
    """Mark the acts that lead to them."""
    return [replace(act, phase="lead") for act in acts]
