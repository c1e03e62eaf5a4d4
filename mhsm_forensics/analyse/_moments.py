"""What was done that changes, exports or destroys."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .. import engine
from ._frames import some, timed
from ._names import named


def moments(events: Any) -> pd.DataFrame:
    """Every act that changes, exports or destroys, allowed or not; a run of the same act is one row.

    Parameters
    ----------
    events
        Columns ``t``, ``event_id``, ``hsm``, ``actor``, ``principal``, ``principal_type``, ``caller_ip``,
        ``operation``, ``operation_class``, ``effect``, ``outcome``, ``http_status``, ``key``, ``key_name``.

    Returns
    -------
    Columns ``start``, ``end`` (UTC), ``hsm``, ``actor``, ``principal`` (its name), ``principal_type``, ``caller_ip``,
    ``operation``,
    ``operation_class``, ``effect``, ``outcome``, ``group`` (as in `timeline`), ``events``, ``keys`` (distinct names),
    ``key_names`` (up to five, and how many more), ``event_ids`` (all of them); one row per run, by start. A run ends
    with half an hour without the same act. An operation of unknown effect counts as an act if its status is one that
    no read returns (201, 202, 204).

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> moments(example())[["start", "principal", "operation", "outcome", "events", "key_names"]]
                          start principal  operation outcome  events key_names
    0 2026-01-05 11:00:00+00:00      anna  KeyDelete  denied       1      kek1
    """
    answer = timed(named(engine.query(events, "moments"), events), start_t="start", end_t="end")
    names = pd.Series([some(found) for found in answer["key_list"]], answer.index, pd.StringDtype("pyarrow"))
    return answer.assign(key_list=names).rename(columns={"key_list": "key_names", "group_name": "group"})
