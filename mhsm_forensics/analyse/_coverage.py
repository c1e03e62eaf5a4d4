"""What the log covers, where it is silent, and what one route lacks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .. import engine, schema
from ..case import Case, Events, Scope
from ._frames import timed


def coverage(events: Any) -> pd.DataFrame:
    """Hour by hour, whether each HSM logged what it usually logs.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``hsm``, ``event_id``. Of a scope only its time and HSMs count, as for `gaps`.

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
    if (narrowed := _narrowed(events)) is not None:
        return _touching(coverage(narrowed.of(Scope())), "hour", "hour", narrowed.scope)
    hours = timed(engine.query(events, "coverage"), hour_t="hour")
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
        Columns ``t``, ``time``, ``hsm``, ``event_id``. The events of a scope are judged against all the evidence, and
        silences that touch its time, of its HSMs, are returned: that one principal is quiet is no silence of the log.

    Returns
    -------
    Columns ``hsm``, ``start``, ``end`` (UTC: the event before, the event after), ``seconds``, ``expected_events``,
    ``usual_seconds`` (longest ordinary silence at that time on other days of that kind), ``chance`` (0 to 1, for all
    silences of the HSM together), ``last_event_id``, ``next_event_id``; one row per gap, by HSM and start.

    At the end of the evidence ``next_event_id`` is null and ``end`` is the last event of any HSM: the HSM stopped
    before the evidence did. What was before the first event can't be judged.
    """
    if (narrowed := _narrowed(events)) is not None:
        return _touching(gaps(narrowed.of(Scope())), "start", "end", narrowed.scope)
    return timed(engine.query(events, "gaps"), start_t="start", end_t="end")


def _narrowed(events: Any) -> Events | None:
    """Events of a case that are not all of it."""
    return events if isinstance(events, Events) and not events.scope.is_whole else None


def _touching(found: pd.DataFrame, first: str, last: str, scope: Scope) -> pd.DataFrame:
    """Keep what touches the time of a scope, of its HSMs."""
    kept = found
    if scope.start is not None:
        kept = kept[kept[last] >= pd.Timestamp(scope.start).floor("h" if first == last else "us")]
    if scope.end is not None:
        kept = kept[kept[first] < scope.end]
    if scope.hsms:
        kept = kept[kept["hsm"].isin(scope.hsms)]
    return kept.reset_index(drop=True)


def reconcile(events: Any) -> pd.DataFrame:
    """Requests that one route told of and another did not: what was lost, or taken out, on the way.

    Parameters
    ----------
    events
        A case or its events, which know every witness of a request. Two routes at least (a storage container and a
        workspace, say); with one alone there is nothing to compare, and a frame of events knows no other witness of them.

    Returns
    -------
    Columns ``hour`` (UTC, start of the hour), ``hsm``, ``route``, ``other_route``, ``records`` (events of the hour that
    *route* told of), ``other_records`` (that *other_route* told of), ``lacking`` (events that *route* told of and
    *other_route* did not), ``lacking_within`` (of those, within the time from the first to the last event that
    *other_route* told of for this HSM: the rest may never have been collected), ``first_time``, ``last_time`` (UTC, of what
    is lacking), ``event_id`` (one of them). One row per hour, HSM and pair of routes that differ, in that order; none where
    the routes agree. An empty answer means that no route has a request that another lacks, and nothing about requests
    that all of them lack.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> len(reconcile(example()))
    0
    """
    by_one_route = isinstance(events, Case) and len(events.routes) < 2
    return engine.query(schema.empty(schema.EVENTS) if by_one_route else events, "reconcile")
