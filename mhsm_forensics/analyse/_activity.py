"""What was done, in order."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .. import engine
from ._frames import some, timed


def activity(events: Any, *, bins: int = 240) -> pd.DataFrame:
    """Who did what, when: the story in one picture.

    Parameters
    ----------
    events
        Columns ``t``, ``principal``, ``operation_class``, ``effect``, ``outcome``, ``http_status``.
    bins
        About how many bins cover the evidence; a bin is a round time long: 1, 5, 15, 30 minutes, 1, 2, 3, 6, 12
        hours or whole days.

    Returns
    -------
    Columns ``principal``, ``bin_start``, ``bin_end`` (UTC), ``group`` (``read``, ``crypto``, ``key lifecycle``,
    ``access control``, ``backup / domain``, ``destructive``, ``other``), ``events``, ``denied``; one row per
    principal, bin and group that has events, by time.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> activity(example())[["principal", "bin_start", "group", "events"]]
      principal                 bin_start        group  events
    0  payments 2026-01-05 10:00:00+00:00       crypto       1
    1  payments 2026-01-05 10:10:00+00:00       crypto       1
    2      anna 2026-01-05 11:00:00+00:00  destructive       1
    """
    answer = timed(engine.query(events, "activity", bins=bins), bin_start_t="bin_start", bin_end_t="bin_end")
    return answer.rename(columns={"group_name": "group"})


def moments(events: Any) -> pd.DataFrame:
    """Every act that changes, exports or destroys, allowed or not; a run of the same act is one row.

    Parameters
    ----------
    events
        Columns ``t``, ``event_id``, ``hsm``, ``principal``, ``principal_type``, ``object_id``, ``caller_ip``,
        ``operation``, ``operation_class``, ``effect``, ``outcome``, ``http_status``, ``key_name``.

    Returns
    -------
    Columns ``start``, ``end`` (UTC), ``hsm``, ``principal``, ``principal_type``, ``caller_ip``, ``operation``,
    ``operation_class``, ``effect``, ``outcome``, ``group`` (as in `activity`), ``events``, ``keys`` (distinct names),
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
    answer = timed(engine.query(events, "moments"), start_t="start", end_t="end")
    names = pd.Series([some(found) for found in answer["key_list"]], answer.index, pd.StringDtype("pyarrow"))
    return answer.assign(key_list=names).rename(columns={"key_list": "key_names", "group_name": "group"})
