"""What happened, in order, at any scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import engine
from ..errors import InputError
from ._frames import KEPT, micros, timed
from ._names import named

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

LANES: Final = ("principal", "caller_ip", "key", "operation_class", "hsm")


def timeline(
    events: Any, by: str = "principal", *, start: datetime | None = None, end: datetime | None = None, bins: int = 240
) -> pd.DataFrame:
    """Who did what, when: how many events of which kind, in lanes.

    Parameters
    ----------
    events
        Columns ``t``, ``actor``, ``principal``, ``caller_ip``, ``key``, ``operation_class``, ``hsm``, ``effect``, ``outcome``,
        ``http_status``.
    by
        What the lanes are: ``principal`` (of each actor one, by its name), ``caller_ip``, ``key`` (with its HSM),
        ``operation_class`` or ``hsm``.
    start, end
        Only events from *start* up to and without *end*; aware times, default all.
    bins
        At most so many bins cover the events; a bin is a round time long, from a millisecond to whole days.

    Returns
    -------
    Columns ``lane`` (null where an event has none), ``bin_start``, ``bin_end`` (UTC),
    ``group`` (``read``, ``crypto``, ``key lifecycle``, ``access control``, ``backup / domain``, ``destructive``,
    ``other``), ``events``, ``denied``; one row per lane, bin and group that has events, by time. Every event is counted
    once.

    Raises
    ------
    InputError
        *by* is no such column, or a time names no zone.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> timeline(example())[["lane", "bin_start", "group", "events"]]
           lane                 bin_start        group  events
    0  payments 2026-01-05 10:00:00+00:00       crypto       1
    1  payments 2026-01-05 10:10:00+00:00       crypto       1
    2      anna 2026-01-05 11:00:00+00:00  destructive       1
    """
    by = KEPT.get(by, by)
    if by not in LANES:
        raise InputError(f"{by!r}: no lanes. Hint: one of {', '.join(LANES)}.")
    answer = engine.query(events, "timeline", by=by, start=micros(start), end=micros(end), bins=bins)
    answer = timed(answer, bin_start_t="bin_start", bin_end_t="bin_end")
    answer = named(answer, events, "lane") if by == "principal" else answer
    return answer.rename(columns={"group_name": "group"})
