"""What is a routine: the same principal, from the same address, on many days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._readings import is_open
from ._rule import HISTORY_DAYS
from ._words import stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_DAYS: Final = 5  # of the same act at about the same hour make a routine
_FOREVER: Final = pd.Timedelta(days=36_500)
_SAME_HOUR: Final = 60  # minutes around the usual time


def recurring(rows: pd.DataFrame, found: Material, *, same_hour: bool) -> pd.Series[bool]:
    """Whether each act belongs to one that the same principal repeats from the same address on many days.

    What comes from an address that is new for the principal is never routine, however often it comes.
    """
    routine = pd.Series(data=False, index=rows.index)
    needed = _DAYS if found.span[1] - found.span[0] >= pd.Timedelta(days=_DAYS) else HISTORY_DAYS
    act = ["hsm", "actor", "caller_ip", "gravest"]
    old = rows[~rows["new_address"]]
    # One a day at the least: most groups of a busy HSM are too small to be looked at.
    old = old[old.groupby(act, dropna=False)["event_id"].transform("size") >= needed]
    for _, group in old.groupby(act, dropna=False):
        near = _near_usual_time(group) if same_hour else pd.Series(data=True, index=group.index)
        if group.loc[near, "time"].dt.floor("D").nunique() >= needed:
            routine[group.index] = near
    return routine


def occasions(
    rows: pd.DataFrame, found: Material, by: tuple[str, ...] = ("hsm", "actor", "caller_ip")
) -> Iterator[pd.DataFrame]:
    """Yield what belongs together; a call of several readings that is made on many days is told once, as the habit it is."""
    usual = is_open(rows) & recurring(rows, found, same_hour=False)
    yield from stretches(rows[~usual], by=by)
    yield from stretches(rows[usual].assign(made_before=2), by=by, pause=_FOREVER)


def _near_usual_time(group: pd.DataFrame) -> pd.Series[bool]:
    """Whether each is within an hour of the group's middle time of day; days are circles of 1440 minutes."""
    minutes = group["time"].dt.hour * 60 + group["time"].dt.minute
    turned = (minutes + 720) % 1440
    straight = (minutes - minutes.median()).abs()
    across = (turned - turned.median()).abs()
    nearer: pd.Series[float] = straight if straight.median() <= across.median() else across
    return nearer <= _SAME_HOUR
