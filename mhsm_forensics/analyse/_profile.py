"""One identity, address, key or client: all of it on one page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from .. import engine
from ..case import Case
from ..errors import InputError
from ._frames import micros, timed
from ._held import Held
from ._sessions import sessions
from ._touching import entities, rows, tokens, touching

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ROUTINE_DAYS: Final = 3  # what is taken up later than that departs from what an entity did before
_OUTCOMES: Final = ["success", "accepted", "denied", "failure", "unknown"]
_DEPARTING: Final = ("caller_ip", "client", "hsm", "key", "operation", "principal", "token_ip")
_DAY: Final = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Profile:
    """One entity: small frames, each of whose numbers `rows` leads to."""

    asked: Mapping[str, str]
    events: engine.Picked
    since: datetime | None
    summary: pd.DataFrame
    met: pd.DataFrame
    quarters: pd.DataFrame
    hours: pd.DataFrame
    departures: pd.DataFrame

    @cached_property
    def denials(self) -> pd.DataFrame:
        """What it was denied."""
        return engine.query(self.events, "denials")

    @cached_property
    def sessions(self) -> pd.DataFrame:
        """The entity's sessions, as `sessions` says it, over its events alone."""
        return sessions(self.events)

    @cached_property
    def tokens(self) -> pd.DataFrame:
        """The tokens in its events, as `tokens` says it."""
        return tokens(self.events)

    def rows(self, **also: str | None) -> pd.DataFrame:
        """The events of the entity that touch another one too: ``profile.rows(caller_ip="192.0.2.1")``."""
        return rows(touching(self.events.events, **{**also, **self.asked}))


def profile(
    events: Any, *, since: datetime | None = None, zone: str | None = None, known: pd.DataFrame | None = None,
    **asked: str | None,
) -> Profile:  # fmt: skip
    """Everything about one identity, address, key, client, operation, token or correlation id.

    Parameters
    ----------
    events
        A case, or events with the columns that `entities`, `sessions`, `tokens` and `touching` need; for someone who asks
        again and again, `Held`.
    since
        What begins at this instant or later is new; an aware time. Default: T0 of the case; without one nothing is.
    zone
        IANA zone of the hours beside UTC. Default: that of the case.
    known
        What `entities` answers over all the events, for someone who has it.
    asked
        What `touching` takes: ``principal=…``, ``caller_ip=…``, ``key=…`` (with ``hsm=…``), ``client=…``,
        ``correlation_id=…`` and so on.

    Returns
    -------
    A `Profile` of these frames, all empty where nothing touches the entity:

    * ``summary``: ``first_time``, ``last_time`` (UTC), ``events``, of these ``success``, ``accepted``, ``denied``,
      ``failure``, ``unknown`` and ``control_events``; ``active_days`` (in UTC); then how many ``principals``,
      ``object_ids``, ``caller_ips``, ``token_ips``, ``keys``, ``hsms``, ``clients``, ``operations``; one row.
    * ``met``: what it came together with, as `entities` says it; also ``after_days`` (days from the entity's first event to
      its first with that value), ``is_new`` (not before *since*), ``everywhere`` (events with that value in all),
      ``first_anywhere`` (UTC) and ``only_here`` (no event with that value is without the entity); one row per value, the
      busiest of each kind first and so the rarest last.
    * ``quarters``: ``quarter_t`` (microseconds since 1970 at the start of a quarter of an hour), ``is_later`` (than *since*),
      ``first_time`` (UTC), ``events``, ``denied``; one row per quarter that has events.
    * ``hours``: ``zone``, ``weekday`` (0 Monday), ``hour``, ``events``, ``denied``, ``before`` and ``later`` (than *since*);
      one row per zone and hour of the week that has events.
    * ``departures``: ``kind``, ``value``, ``hsm``, ``first_time``, ``events``, ``denied``, ``after_days``, ``everywhere``; one
      row per value or hour of the day (kind ``hour``, in UTC) that is new since *since*; without it, that was taken up
      after at least three days without; by first time.

    And of these, each asked for when it is read:

    * ``denials``: ``operation``, ``hsm``, ``key_name``, ``scope``, ``setting``, ``http_status``, ``result_signature``,
      ``first_time``, ``last_time``, ``events``; one row per thing denied.
    * ``sessions``, ``tokens``: as `sessions` and `tokens` say it, over these events alone.

    Raises
    ------
    InputError
        Nothing was asked about, a zone that does not exist, or a time without one.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> found = profile(example(), principal="payments")
    >>> found.summary[["events", "denied", "caller_ips", "keys"]].values.tolist()
    [[2, 0, 1, 1]]
    >>> found.met.loc[found.met["kind"] == "key", ["value", "events", "everywhere"]].values.tolist()
    [['kek1', 2, 3]]
    """
    if isinstance(events, Case):
        since, zone = since or events.t0, zone or events.display_zone
    picked = touching(events, **asked)
    known = _known(events) if known is None else known
    met = _met(known if _is_everything(known, asked) else _counted(picked, asked), known, since)
    quarters = timed(engine.query(picked, "quarters", since=micros(since)), first_t="first_time")
    return Profile(
        asked={name: value for name, value in asked.items() if value is not None},
        events=picked,
        since=since,
        summary=_summary(met, quarters),
        met=met,
        quarters=quarters,
        hours=_hours(quarters, zone),
        departures=_departures(met, quarters, since),
    )


def met(events: Any, **asked: Any) -> pd.DataFrame:
    """What an entity came together with: `profile` of it, and of that `met`.

    Parameters
    ----------
    events
        What `profile` takes.
    asked
        What `touching` takes.

    Returns
    -------
    As `profile` says it.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> found = met(example(), key="kek1")
    >>> found.loc[found["kind"] == "principal", ["value", "events"]].to_numpy().tolist()
    [['payments', 2], ['anna', 1]]
    """
    return profile(events, **asked).met


def _known(events: Any) -> pd.DataFrame:
    return events.known if isinstance(events, Held) else entities(events)


def _counted(picked: engine.Picked, asked: Mapping[str, str | None]) -> pd.DataFrame:
    given = [name for name, value in asked.items() if value is not None]
    return picked.events.met(picked, given) if isinstance(picked.events, Held) else entities(picked)


def _is_everything(known: pd.DataFrame, asked: Mapping[str, str | None]) -> bool:
    """Whether every event has the value that is asked about, as those of a case of one HSM have: then all is known."""
    given = [(name, value) for name, value in asked.items() if value is not None]
    if len(given) != 1:
        return False
    ((name, value),) = given
    own = known.loc[(known["kind"] == name) & (known["value"] == value), "events"]
    return bool(own.sum() == known.loc[known["kind"] == "operation", "events"].sum())


def _met(found: pd.DataFrame, known: pd.DataFrame, since: datetime | None) -> pd.DataFrame:
    everywhere = known[["kind", "value", "hsm", "events", "first_time"]]
    everywhere = everywhere.rename(columns={"events": "everywhere", "first_time": "first_anywhere"})
    met = found.merge(everywhere, how="left", on=["kind", "value", "hsm"])
    return met.assign(
        after_days=(met["first_time"] - met["first_time"].min()) / _DAY,
        is_new=met["first_time"] >= since if since else False,
        only_here=met["everywhere"] == met["events"],
    )


def _summary(met: pd.DataFrame, quarters: pd.DataFrame) -> pd.DataFrame:
    """Add up one kind: every event has exactly one operation, or none, which is a value too."""
    each = met[met["kind"] == "operation"]
    counts = each[["events", *_OUTCOMES, "control_events"]].sum()
    kinds = met[met["value"].notna()].groupby("kind").size()
    times = {"first_time": each["first_time"].min(), "last_time": each["last_time"].max()}
    days = (quarters["quarter_t"] // 86_400_000_000).nunique()
    names = ("principal", "object_id", "caller_ip", "token_ip", "key", "hsm", "client", "operation")
    how_many = {f"{name}s": int(kinds.get(name, 0)) for name in names}
    moments = {name: pd.to_datetime([time], utc=True).as_unit("us") for name, time in times.items()}
    return pd.DataFrame(moments | counts.astype("int64").to_dict() | {"active_days": days} | how_many)


def _hours(quarters: pd.DataFrame, zone: str | None) -> pd.DataFrame:
    counts = quarters.assign(
        before=quarters["events"].where(~quarters["is_later"], 0),
        later=quarters["events"].where(quarters["is_later"], 0),
    )
    return pd.concat([_week(counts, name) for name in dict.fromkeys(["UTC", zone]) if name], ignore_index=True)


def _week(counts: pd.DataFrame, zone: str) -> pd.DataFrame:
    try:
        local = counts["first_time"].dt.tz_convert(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(f"{zone!r}: no time zone. Hint: an IANA name such as Europe/Berlin.") from None
    by = [local.dt.weekday.rename("weekday"), local.dt.hour.rename("hour")]
    week = counts[["events", "denied", "before", "later"]].groupby(by).sum().reset_index()
    week.insert(0, "zone", pd.Series(zone, week.index, "string"))
    return week


def _departures(met: pd.DataFrame, quarters: pd.DataFrame, since: datetime | None) -> pd.DataFrame:
    values = [met[met["kind"].isin(_DEPARTING)], _hours_of_the_day(quarters, since)]
    departing = [each[each["is_new"] if since else each["after_days"] >= ROUTINE_DAYS] for each in values]
    names = ["kind", "value", "hsm", "first_time", "events", "denied", "after_days", "everywhere"]
    found = pd.concat([each[names] for each in departing], ignore_index=True)
    return found.sort_values(["first_time", "kind", "value"], ignore_index=True)


def _hours_of_the_day(quarters: pd.DataFrame, since: datetime | None) -> pd.DataFrame:
    """Hours of the day as values of a kind of their own, with when each was first worked in."""
    by = quarters.groupby(quarters["first_time"].dt.hour.rename("hour"))
    hours = by[["events", "denied"]].sum().assign(first_time=by["first_time"].min()).reset_index()
    return hours.assign(
        kind="hour",
        value=[f"{hour:02d}:00" for hour in hours["hour"]],
        after_days=(hours["first_time"] - quarters["first_time"].min()) / _DAY,
        is_new=hours["first_time"] >= since if since else False,
        hsm=None,
        everywhere=None,
    ).astype(dict.fromkeys(["kind", "value", "hsm"], "string[pyarrow]") | {"everywhere": "Int64"})
