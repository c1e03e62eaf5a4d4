"""Who, from where, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engine
from ._frames import KEPT, micros
from ._names import named
from ._pairs import Side, paired, sided

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


def principals(events: Any) -> pd.DataFrame:
    """Who called, from how many places, and how much of it changed something.

    Parameters
    ----------
    events
        Columns ``time``, ``actor``, ``principal``, ``principal_type``, ``object_id``, ``app_id``, ``operation``,
        ``operation_class``, ``effect``, ``outcome``, ``http_status``, ``caller_ip``, ``key``, ``hsm``, ``client``.

    Returns
    -------
    Columns ``actor``, ``principal`` (its name: a label that is no other actor's, else with the id beside it),
    ``principal_type``, ``object_id``, ``app_id`` (null where the actor used several),
    ``first_time``, ``last_time`` (UTC), ``events``, then counts of distinct ``operations``, ``caller_ips``, ``keys``,
    ``hsms``, ``clients``; ``control_events`` (that change, export or destroy, allowed or not), ``denied``,
    ``denial_rate`` (0 to 1). One row per actor, those with most control events first; requests without an identity are a
    row whose ``actor`` and ``principal`` are null, and those whose identity can't be read one without an ``actor``.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> principals(example())[["principal", "events", "control_events", "denial_rate"]]
      principal  events  control_events  denial_rate
    0      anna       1               1          1.0
    1  payments       2               0          0.0
    """
    return named(engine.query(events, "principals"), events)


def first_seen_pairs(
    events: Any, *, left: Side = "principal", right: Side = "caller_ip", since: datetime | None = None
) -> pd.DataFrame:
    """Which values came together, and which pairs are new.

    Parameters
    ----------
    events
        Columns ``time``, ``outcome`` and the two that are paired.
    left, right
        Names of two different columns, out of a closed list.
    since
        A pair whose first event is at this instant or later is new; an aware time. Without it none is.

    Returns
    -------
    The two columns, ``first_time``, ``last_time`` (UTC), ``events``, ``denied``, ``is_new``; one row per pair, nulls
    included, the latest first event first.

    Raises
    ------
    InputError
        A column that can't be paired, or a time without a zone.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from mhsm_forensics.analyse._frames import example
    >>> pairs = first_seen_pairs(example(), right="operation", since=datetime(2026, 1, 5, 11, tzinfo=UTC))
    >>> pairs[["principal", "operation", "events", "is_new"]]
      principal  operation  events  is_new
    0      anna  KeyDelete       1    True
    1  payments    KeySign       2   False
    """
    sides = {"left_value": KEPT.get(left, left), "right_value": KEPT.get(right, right)}
    pairs = engine.run(events, paired("first_seen_pairs", *sides.values()), since=micros(since))
    return sided(pairs, events, **sides)
