"""Incidents and innocent weeks by the dozen, each with the acts that matter marked: what detection is measured on.

Two weeks of ordinary days of one HSM, other dice for every seed, then a week in which one thing happens. An act of an
incident whose `phase` is `core` is what a responder has to be shown; the others lead to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ._acts import Day
from ._records import line
from ._routine import prod_day
from ._scenarios_benign import BENIGN
from ._scenarios_incidents import INCIDENTS, OUTSIDE_ONLY, from_inside
from ._scenarios_parts import Plot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._scenarios_parts import Told

HISTORY: Final = 14  # ordinary days before the week
_FROM_INSIDE: Final = 0.35  # of the incidents come from the victim's own machine, by its own client
_FIRST: Final = date(2026, 2, 2)  # a Monday


@dataclass(frozen=True, slots=True)
class Week:
    """One telling of a scenario: the log's lines, and the numbers (from 1) of those that a responder has to be shown."""

    lines: list[str]
    core: frozenset[int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that happens in a week: its name, what it is in the words of ATT&CK, and its acts."""

    name: str
    techniques: tuple[str, ...]
    tell: Callable[[Plot], Told]

    @property
    def is_incident(self) -> bool:
        """Whether it has acts that must be found."""
        return self.name in INCIDENTS

    def week(self, seed: int) -> Week:
        """Return one telling: three weeks of one HSM, the same for the same seed."""
        days = [Day(_FIRST + timedelta(days=number), f"{self.name}/{seed}") for number in range(HISTORY + 7)]
        plot = Plot(days[HISTORY:], days[0].dice("scenario", self.name))
        told = self.tell(plot)
        if self.is_incident and self.name not in OUTSIDE_ONLY and plot.dice.chance(_FROM_INSIDE):
            told = from_inside(told)
        ordinary = told.changed([act for day in days for act in prod_day(day)])
        acts = sorted((act for act in [*ordinary, *told.acts] if not told.is_silent(act)), key=lambda act: act.time)
        shown = frozenset(number for number, act in enumerate(acts, 1) if act.phase == "core")
        return Week([line(act) for act in acts], shown)


def scenarios() -> Iterator[Scenario]:
    """Yield every incident, then every innocent week."""
    for name, (techniques, tell) in (INCIDENTS | BENIGN).items():
        yield Scenario(name, techniques, tell)
