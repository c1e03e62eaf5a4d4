"""Which operations, when, and how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engine

if TYPE_CHECKING:
    import pandas as pd


def hourly(events: Any) -> pd.DataFrame:
    """Events per hour, HSM and class of operation.

    Parameters
    ----------
    events
        Columns ``time``, ``hsm``, ``operation_class``, ``outcome``; one row per event.

    Returns
    -------
    Columns ``hour`` (UTC, start of the hour), ``hsm``, ``operation_class``, ``events``, ``denied`` (counts); one row
    per hour, HSM and class that has events, in that order. Hours without events have no row: see `coverage`.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> hourly(example())
                           hour   hsm operation_class  events  denied
    0 2026-01-05 10:00:00+00:00  hsm1          crypto       2       0
    1 2026-01-05 11:00:00+00:00  hsm1   key_lifecycle       1       1
    """
    return engine.query(events, "hourly")


def outcomes(events: Any) -> pd.DataFrame:
    """Operations that were asked for, and how they ended.

    Parameters
    ----------
    events
        Columns ``time``, ``operation``, ``operation_class``, ``effect``, ``operation_status``, ``outcome``.

    Returns
    -------
    Columns ``operation``, ``operation_class``, ``effect``, ``operation_status``, ``events``, then one count per outcome
    (``success``, ``accepted``, ``denied``, ``failure``, ``unknown``), ``first_time``, ``last_time`` (UTC); one row per
    operation, the most frequent first. *Accepted* is not *succeeded*: the log doesn't hold how a job ended.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> outcomes(example())[["operation", "events", "success", "denied"]]
       operation  events  success  denied
    0    KeySign       2        2       0
    1  KeyDelete       1        0       1
    """
    return engine.query(events, "outcomes")


def unknown_operations(events: Any) -> pd.DataFrame:
    """Operations whose name no source knows, or says other than path and status do.

    Parameters
    ----------
    events
        Columns ``time``, ``t``, ``operation``, ``operation_status``, ``act``, ``known_by``, ``class_by_uri``, ``request_uri``.

    Returns
    -------
    Columns ``operation``, ``act`` (what path and status say it is; several parted by ``|``), ``known_by`` (``route``,
    ``contradiction`` or ``nothing``), ``class_by_uri``, ``operation_status``, ``events``, ``first_time``, ``last_time``
    (UTC), ``example_uri``; one row per operation and act, by first event.
    """
    return engine.query(events, "unknown_operations")
