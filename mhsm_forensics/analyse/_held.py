"""Events at hand, for someone who asks about one entity after another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .. import engine
from ._names import names
from ._touching import COLUMNS, entities, named_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_MANY: Final = frozenset({"token_id", "correlation_id"})  # of which there may be as many as events


class Held(engine.Session):
    """Events at hand: every question takes it as it takes a case, and `profile` answers in a tenth of a second.

    Parameters
    ----------
    events
        A case, or events with the columns that `profile` needs. They are read once: what comes in later is not looked at.

    Attributes
    ----------
    known
        What `entities` says of all of them.
    names
        Name of each actor.

    Examples
    --------
    >>> from mhsm_forensics.analyse import profile
    >>> from mhsm_forensics.analyse._frames import example
    >>> held = Held(example())
    >>> profile(held, principal="payments").summary["events"].tolist()
    [2]
    >>> held.close()
    """

    def __init__(self, events: Any) -> None:
        super().__init__(events, columns=COLUMNS)
        self.keep("alike", engine.sql("_alike"))
        self.names = names(self)
        self.known = named_values(engine.query(engine.Picked(self, "true", among="alike"), "entities_of_alike"), self)

    def met(self, picked: engine.Picked, asked: Iterable[str]) -> pd.DataFrame:
        """What `entities` says of what was picked, by the counts of what is alike, where these name what was *asked*."""
        if not _MANY.isdisjoint(asked):
            return entities(picked)
        return named_values(engine.query(replace(picked, among="alike"), "entities_of_alike"), self)
