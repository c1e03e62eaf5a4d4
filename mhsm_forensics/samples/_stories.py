"""The two stories as folders: an ordinary day, and the incident with the truth about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from ._acts import Act, Day
from ._cast import FABRIKAM, PROD
from ._incident import COLLECTED, DAYS, MONDAY, is_logged, story
from ._routine import prod_day
from ._tree import blobs, deliver, delivered_twice, held_back, torn, with_blank_lines
from ._truth import truth

if TYPE_CHECKING:
    from collections.abc import Iterable


def incident() -> dict[str, bytes]:
    """Return the files of the incident: two HSMs and a key vault in one container, and truth.json."""
    acts = story()
    deliveries = deliver(filter(is_logged, acts), until=COLLECTED)
    deliveries = held_back(deliveries, every=211, hours=30, before=MONDAY.at("00:00"))
    deliveries = delivered_twice(deliveries, PROD, DAYS[5].at("14:00"), 5)
    deliveries = torn(with_blank_lines(deliveries, 1000, 3000))
    return blobs(deliveries) | {"truth.json": truth(deliveries, acts).encode()}


def quiet_day() -> dict[str, bytes]:
    """Return the files of one HSM on one ordinary UTC day, each line in the blob of its own hour."""
    day = Day(date(2026, 3, 4), "fabrikam")
    deliveries = deliver(_at_fabrikam(prod_day(day)), until=COLLECTED)
    return blobs([replace(one, received=one.act.time) for one in deliveries])


def _at_fabrikam(acts: Iterable[Act]) -> list[Act]:
    """Return the acts as another organisation's, on its own HSM."""
    moved = (replace(act, resource=FABRIKAM, actor=replace(act.actor, organisation="fabrikam")) for act in acts)
    return sorted(moved, key=lambda act: act.time)
