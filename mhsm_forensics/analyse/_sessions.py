"""Who worked when, in stretches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engine
from ._frames import timed
from ._names import named

if TYPE_CHECKING:
    import pandas as pd


def sessions(events: Any, *, gap_minutes: float | None = None) -> pd.DataFrame:
    """Stretches in which one principal worked from one address, by one client with one token.

    Parameters
    ----------
    events
        Columns ``t``, ``event_id``, ``actor``, ``principal``, ``caller_ip``, ``client``, ``token_id``, ``operation``,
        ``operation_class``, ``effect``, ``outcome``, ``http_status``, ``key``.
    gap_minutes
        A longer pause ends the session. Without it, a pause that does not fit the principal's own cadence does:
        twenty times its median pause from that address by that client, at least half an hour and at most four hours;
        half an hour where fewer than ten pauses show no habit.

    Returns
    -------
    Columns ``session`` (number, from 1), ``actor``, ``principal`` (its name), ``caller_ip``, ``client``,
    ``token_id`` (null where the log
    has none), ``start``, ``end`` (UTC), ``seconds``, ``longest_pause_seconds`` (a longer one would have ended it),
    ``events``, ``operations`` (distinct), ``top_operations`` (the three most frequent with their counts, and how many
    more), ``keys`` (distinct names), ``denied``, ``control_events``; one row per session, by start.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> sessions(example())[["session", "principal", "seconds", "events", "top_operations"]]
       session principal  seconds  events top_operations
    0        1  payments    600.0       2      KeySign 2
    1        2      anna      0.0       1    KeyDelete 1
    """
    answer = named(engine.query(events, "sessions", gap_minutes=gap_minutes), events)
    return timed(answer, start_t="start", end_t="end")
