"""Facts: what the events say, on which two careful analysts would always agree.

Each question is one SQL text in `queries/`, handed to the engine; what is left to do here is to name
columns and to give times their zone. *events* is anything the engine can query: a case, its events, a
DataFrame, Parquet paths. Nothing is cut: what a label leaves out, it counts ("… 2 more").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import pandas as pd

from . import engine
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = [
    "activity",
    "coverage",
    "first_seen_pairs",
    "gaps",
    "hourly",
    "keys",
    "moments",
    "outcomes",
    "principals",
    "sessions",
    "unknown_operations",
]

Side = Literal[
    "hsm", "principal", "principal_type", "object_id", "app_id", "caller_ip", "ip_scope", "client", "client_info",
    "client_os", "operation", "operation_class", "outcome", "key_name", "scope", "setting", "api_version", "token_ip",
    "subnet_id", "trusted_service",
]  # fmt: skip

_SIDES: Final = get_args(Side)
_KEYS_SHOWN: Final = 5


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
    >>> hourly(_example())
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
    >>> outcomes(_example())[["operation", "events", "success", "denied"]]
       operation  events  success  denied
    0    KeySign       2        2       0
    1  KeyDelete       1        0       1
    """
    return engine.query(events, "outcomes")


def principals(events: Any) -> pd.DataFrame:
    """Who called, from how many places, and how much of it changed something.

    Parameters
    ----------
    events
        Columns ``time``, ``principal``, ``principal_type``, ``object_id``, ``app_id``, ``operation``,
        ``operation_class``, ``effect``, ``outcome``, ``http_status``, ``caller_ip``, ``key_name``, ``hsm``, ``client``.

    Returns
    -------
    Columns ``principal``, ``principal_type``, ``object_id``, ``app_id`` (null where the principal used several),
    ``first_time``, ``last_time`` (UTC), ``events``, then counts of distinct ``operations``, ``caller_ips``, ``keys``,
    ``hsms``, ``clients``; ``control_events`` (that change, export or destroy, allowed or not), ``denied``,
    ``denial_rate`` (0 to 1). One row per principal and object id, those with most control events first; requests
    without an identity are a row whose ``principal`` is null.

    Examples
    --------
    >>> principals(_example())[["principal", "events", "control_events", "denial_rate"]]
      principal  events  control_events  denial_rate
    0      anna       1               1          1.0
    1  payments       2               0          0.0
    """
    return engine.query(events, "principals")


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
    >>> pairs = first_seen_pairs(_example(), right="operation", since=datetime(2026, 1, 5, 11, tzinfo=UTC))
    >>> pairs[["principal", "operation", "events", "is_new"]]
      principal  operation  events  is_new
    0      anna  KeyDelete       1    True
    1  payments    KeySign       2   False
    """
    if left not in _SIDES or right not in _SIDES or left == right:
        hint = f"Hint: two different ones of {', '.join(_SIDES)}."
        raise InputError(f"{left!r} and {right!r} can't be paired. {hint}")
    text = engine.sql("first_seen_pairs")
    text = text.replace("principal /* left */", left).replace("caller_ip /* right */", right)
    pairs = engine.run(events, text, since=_micros(since))
    return pairs.rename(columns={"left_value": left, "right_value": right})


def coverage(events: Any) -> pd.DataFrame:
    """Hour by hour, whether each HSM logged what it usually logs.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``hsm``, ``event_id``.

    Returns
    -------
    Columns ``hsm``, ``hour`` (UTC), ``events``, ``expected`` (median of the same hour on the days of the same kind,
    workday or weekend in UTC; null with fewer than three such other days that have events), ``state``:

    ``as_expected``
        About as many events as usual, which may be none.
    ``low``
        Far fewer than usual, or less than half of it beside a gap.
    ``silent``
        None, where none is odd: the hour is usually busy, or it lies in one of the `gaps`.
    ``no_history``
        Too little history to expect a number.

    One row per HSM and hour, without a hole, from the HSM's first hour to the last hour of all the evidence. Hours of
    the first and last event are covered in part and are never ``low``. Evidence that spans more than 114 years is not
    covered to its end.
    """
    hours = _timed(engine.query(events, "coverage"), hour_t="hour")
    found = gaps(events)
    for hsm, start, end in zip(found["hsm"], found["start"], found["end"], strict=True):
        same = hours["hsm"].isna() if pd.isna(hsm) else hours["hsm"].eq(hsm).fillna(value=False)
        inside = same & (hours["hour"] + pd.Timedelta(hours=1) > start) & (hours["hour"] < end)
        judged = inside & hours["expected"].notna()
        hours.loc[judged & (hours["events"] == 0), "state"] = "silent"
        hours.loc[judged & (hours["events"] > 0) & (hours["events"] < hours["expected"] / 2), "state"] = "low"
    return hours


def gaps(events: Any) -> pd.DataFrame:
    """Silences that are no part of an HSM's own rhythm.

    A silence is judged by the events that were to be expected in it, from the medians of the same hours on other
    days of the same kind (workday or weekend in UTC; three such days are needed), and on a day that is silent as a
    whole from the median of such days. Counts that vary much make it less telling (negative binomial; Poisson where
    they don't). It is a gap if so long a silence has a chance under 1 in 100, however many silences there are, and
    if it is half as long again as any ordinary silence at that time of day. Odd silences of like length that come
    once a week or more are a rhythm too. So nights, weekends and pauses between batches are no gaps.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``hsm``, ``event_id``.

    Returns
    -------
    Columns ``hsm``, ``start``, ``end`` (UTC: the event before, the event after), ``seconds``, ``expected_events``,
    ``usual_seconds`` (longest ordinary silence at that time on other days of that kind), ``chance`` (0 to 1, for all
    silences of the HSM together), ``last_event_id``, ``next_event_id``; one row per gap, by HSM and start.

    At the end of the evidence ``next_event_id`` is null and ``end`` is the last event of any HSM: the HSM stopped
    before the evidence did. What was before the first event can't be judged.
    """
    return _timed(engine.query(events, "gaps"), start_t="start", end_t="end")


def sessions(events: Any, *, gap_minutes: int = 30) -> pd.DataFrame:
    """Stretches in which one principal worked from one address.

    Parameters
    ----------
    events
        Columns ``t``, ``event_id``, ``principal``, ``caller_ip``, ``operation``, ``operation_class``, ``effect``,
        ``outcome``, ``http_status``, ``key_name``.
    gap_minutes
        A longer pause ends the session.

    Returns
    -------
    Columns ``session`` (number, from 1), ``principal``, ``caller_ip``, ``start``, ``end`` (UTC), ``seconds``,
    ``events``, ``operations`` (distinct), ``top_operations`` (the three most frequent with their counts, and how many
    more), ``keys`` (distinct names), ``denied``, ``control_events``; one row per session, by start.

    Examples
    --------
    >>> sessions(_example())[["session", "principal", "seconds", "events", "top_operations"]]
       session principal  seconds  events top_operations
    0        1  payments    600.0       2      KeySign 2
    1        2      anna      0.0       1    KeyDelete 1
    """
    answer = engine.query(events, "sessions", gap_minutes=gap_minutes)
    return _timed(answer, start_t="start", end_t="end")


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
    >>> activity(_example())[["principal", "bin_start", "group", "events"]]
      principal                 bin_start        group  events
    0  payments 2026-01-05 10:00:00+00:00       crypto       1
    1  payments 2026-01-05 10:10:00+00:00       crypto       1
    2      anna 2026-01-05 11:00:00+00:00  destructive       1
    """
    answer = _timed(engine.query(events, "activity", bins=bins), bin_start_t="bin_start", bin_end_t="bin_end")
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
    >>> moments(_example())[["start", "principal", "operation", "outcome", "events", "key_names"]]
                          start principal  operation outcome  events key_names
    0 2026-01-05 11:00:00+00:00      anna  KeyDelete  denied       1      kek1
    """
    answer = _timed(engine.query(events, "moments"), start_t="start", end_t="end")
    names = pd.Series([_some(found) for found in answer["key_list"]], answer.index, pd.StringDtype("pyarrow"))
    return answer.assign(key_list=names).rename(columns={"key_list": "key_names", "group_name": "group"})


def keys(events: Any) -> pd.DataFrame:
    """Fate of each key that the evidence names.

    Parameters
    ----------
    events
        Columns ``t``, ``hsm``, ``key_name``, ``object_type``, ``operation``, ``operation_class``, ``effect``,
        ``outcome``, ``principal``, ``caller_ip``.

    Returns
    -------
    Columns ``hsm``, ``key_name``, ``first_time``, ``last_time`` (UTC), ``events``, ``principals``, ``caller_ips``
    (distinct), ``uses``, ``exports``, ``changes`` (that succeeded or were accepted), ``denied`` (without the 401
    challenges that open a session), ``deleted_at``, ``purged_at``, ``recovered_at``, ``created_at`` (the latest of
    each, null if not in the evidence), ``state`` (``active``, ``soft-deleted``, ``purged`` at the end of the
    evidence; ``not found`` where no request found it); one row per HSM and key name, by both. A key that answers more
    than ten minutes after its deletion is active again: a restore doesn't name its key.

    References
    ----------
    Deletion reaches an HSM's other region within six minutes:
    https://learn.microsoft.com/azure/key-vault/managed-hsm/multi-region-replication

    Examples
    --------
    >>> keys(_example())[["hsm", "key_name", "uses", "denied", "state"]]
        hsm key_name  uses  denied   state
    0  hsm1     kek1     2       1  active
    """
    acts = ("deleted", "purged", "recovered", "created")
    times = {"first_t": "first_time", "last_t": "last_time"} | {f"{act}_t": f"{act}_at" for act in acts}
    return _timed(engine.query(events, "keys"), **times)


def unknown_operations(events: Any) -> pd.DataFrame:
    """Operations whose name no source knows.

    Parameters
    ----------
    events
        Columns ``time``, ``t``, ``operation``, ``operation_status``, ``class_by_uri``, ``request_uri``.

    Returns
    -------
    Columns ``operation``, ``class_by_uri`` (what the URI alone says it is), ``operation_status``, ``events``,
    ``first_time``, ``last_time`` (UTC), ``example_uri``; one row per operation and class, by first event.
    """
    return engine.query(events, "unknown_operations")


def _timed(frame: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Turn columns of microseconds since the epoch into aware times, under their public names."""
    times = {old: frame[old].astype("datetime64[us]").dt.tz_localize("UTC") for old in names}
    return frame.assign(**times).rename(columns=names)


def _micros(instant: datetime | None) -> int | None:
    if instant is None or pd.isna(instant):
        return None
    if instant.tzinfo is None:
        raise InputError.naive_time(str(instant))
    return (pd.Timestamp(instant) - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)


def _some(names: Sequence[str] | None) -> str | None:
    """Name a few keys, and count the rest."""
    if names is None or not len(names):
        return None
    more = len(names) - _KEYS_SHOWN
    return ", ".join(names[:_KEYS_SHOWN]) + (f" … {more} more" if more > 0 else "")


def _example() -> pd.DataFrame:
    """Three events, for the examples above."""
    times = pd.to_datetime(["2026-01-05T10:00Z", "2026-01-05T10:10Z", "2026-01-05T11:00Z"]).as_unit("us")
    columns = {
        "event_id": ["e:1", "e:2", "e:3"], "hsm": ["hsm1"] * 3, "key_name": ["kek1"] * 3, "object_type": ["key"] * 3,
        "operation": ["KeySign", "KeySign", "KeyDelete"], "operation_class": ["crypto", "crypto", "key_lifecycle"],
        "effect": ["use", "use", "destroy"], "operation_status": ["expected", "expected", "documented"],
        "outcome": ["success", "success", "denied"], "principal": ["payments", "payments", "anna"],
        "principal_type": ["managed_identity", "managed_identity", "user"], "object_id": ["o1", "o1", "o2"],
        "app_id": ["a1", "a1", "a2"], "caller_ip": ["192.0.2.1", "192.0.2.1", "192.0.2.9"],
        "client": ["Go", "Go", "Azure CLI"],
    }  # fmt: skip
    frame = pd.DataFrame(columns).astype(pd.StringDtype("pyarrow"))
    return frame.assign(time=times, http_status=[200, 200, 403])
