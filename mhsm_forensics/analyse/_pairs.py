"""What came together: near an event, at the same time, before and after, shared by several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .. import engine
from ..errors import InputError
from ._frames import KEPT, micros, timed
from ._names import called_by, named, names

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


Side = Literal[
    "hsm", "principal", "principal_type", "object_id", "app_id", "caller_ip", "ip_scope", "client", "client_info",
    "client_os", "operation", "operation_class", "outcome", "key", "scope", "setting", "api_version", "token_ip",
    "token_id", "subnet_id", "trusted_service",
]  # fmt: skip


_WHO: Final = engine.sql("_who").partition("\n")[2].strip().removesuffix(" AS who")


def paired(name: str, left: str, right: str) -> str:
    """Text of a question about two columns, which come out of a closed list and never from a log."""
    sides = get_args(Side)
    if left not in sides or right not in sides or left == right:
        raise InputError(f"{left!r} and {right!r} can't be paired. Hint: two different ones of {', '.join(sides)}.")
    columns = [_WHO if side == "principal" else side for side in (left, right)]
    return engine.sql(name).replace("principal /* left */", columns[0]).replace("caller_ip /* right */", columns[1])


def sided(answer: pd.DataFrame, events: Any, **sides: str) -> pd.DataFrame:
    """Answer of a question about two columns, under their names; actors by theirs."""
    answer = answer.rename(columns=sides)
    if "principal" not in sides.values():
        return answer
    return answer.assign(principal=called_by(answer["principal"], names(events)))


def neighbours(events: Any, event_id: str, *, minutes: float = 10) -> pd.DataFrame:
    """What else happened around one event: by the same principal, address, token or correlation id.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``event_id``, ``hsm``, ``operation``, ``outcome``, ``http_status``, ``actor``,
        ``principal``, ``caller_ip``, ``client``, ``key_name``, ``token_id``, ``correlation_id``.
    event_id
        The event in the middle.
    minutes
        How far before and after it is looked.

    Returns
    -------
    Columns ``seconds`` (from the event; negative before it), ``event_id``, ``time`` (UTC), ``hsm``, ``operation``,
    ``outcome``, ``http_status``, ``actor``, ``principal``, ``caller_ip``, ``client``, ``key_name``, ``same_principal``,
    ``same_caller_ip``, ``same_token_id``, ``same_correlation_id``; one row per event, the one in the middle included,
    by time.

    Raises
    ------
    InputError
        There is no such event.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> neighbours(example(), "e:1", minutes=15)[["seconds", "event_id", "same_token_id"]]
       seconds event_id  same_token_id
    0      0.0      e:1           True
    1    600.0      e:2           True
    """
    near = engine.query(events, "neighbours", event_id=event_id, seconds=60 * minutes)
    if near.empty:
        raise InputError(f"{event_id!r}: no such event. Hint: take it from the column event_id.")
    return near


def concurrent(events: Any, *, place: Literal["caller_ip", "client", "client_os"] = "caller_ip",
               minutes: float = 10) -> pd.DataFrame:  # fmt: skip
    """Which identities worked from two addresses, or with two clients, at the same time.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``event_id``, ``actor``, ``principal``, ``object_id`` and the place.
    place
        What must differ. Services that run on several machines differ in their address all day.
    minutes
        Two events in turn, no further apart, are at the same time.

    Returns
    -------
    Columns ``actor``, ``principal`` (its name), ``object_id``, ``one_place``, ``other_place``,
    ``first_time``, ``last_time`` (UTC), ``turns``
    (times that one followed the other), ``shortest_seconds`` (between two turns), ``event_id`` and ``next_event_id``
    (of events on both sides); one row per actor and pair, most turns first.

    Raises
    ------
    InputError
        Places that can't be compared.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> both = example().assign(actor="o1", principal="payments")
    >>> concurrent(both, minutes=60)[["one_place", "other_place", "turns", "shortest_seconds"]]
       one_place other_place  turns  shortest_seconds
    0  192.0.2.1   192.0.2.9      1            3000.0
    """
    if place not in ("caller_ip", "client", "client_os"):
        raise InputError(f"{place!r}: no place. Hint: caller_ip, client or client_os.")
    text = engine.sql("concurrent").replace("caller_ip /* place */", place)
    return named(engine.run(events, text, seconds=60 * minutes), events)


def token_places(events: Any) -> pd.DataFrame:
    """Which tokens were issued to one address and used from another.

    Parameters
    ----------
    events
        Columns ``time``, ``t``, ``actor``, ``principal``, ``object_id``, ``token_ip``, ``caller_ip``, ``token_id``, ``outcome``.

    Returns
    -------
    Columns ``actor``, ``principal`` (its name), ``object_id``, ``token_ip``, ``caller_ip``,
    ``first_time``, ``last_time`` (UTC), ``events``,
    ``tokens`` (distinct ids, where the log has them), ``denied``; one row per principal and pair of addresses, by first
    time. Behind a proxy or in a dual-stack network the two differ without harm.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> token_places(example())[["principal", "token_ip", "caller_ip", "events"]]
      principal   token_ip  caller_ip  events
    0      anna  192.0.2.8  192.0.2.9       1
    """
    return named(engine.query(events, "token_places"), events)


def moved(events: Any, since: datetime, *, left: Side = "principal", right: Side = "caller_ip") -> pd.DataFrame:
    """Who was seen only here before an instant, and only there after it.

    Parameters
    ----------
    events
        Columns ``t`` and the two that are paired.
    since
        The instant, T0 say; an aware time.
    left, right
        Names of two different columns, out of a closed list.

    Returns
    -------
    The two columns, ``events_before``, ``events_since``, ``first_time``, ``last_time`` (of the pair, UTC),
    ``last_there`` and ``first_here`` (last time before at any earlier value, first time at any later one); one row per
    pair of those that share no value between before and after, by the time of the move.

    Raises
    ------
    InputError
        Columns that can't be paired, or a time without a zone.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from mhsm_forensics.analyse._frames import example
    >>> one = example().assign(actor="o1", principal="payments")
    >>> moved(one, datetime(2026, 1, 5, 11, tzinfo=UTC))[["principal", "caller_ip", "events_before", "events_since"]]
      principal  caller_ip  events_before  events_since
    0  payments  192.0.2.1              2             0
    1  payments  192.0.2.9              0             1
    """
    sides = {"left_value": KEPT.get(left, left), "right_value": KEPT.get(right, right)}
    answer = engine.run(events, paired("moved", *sides.values()), since=micros(since))
    answer = timed(
        answer, first_t="first_time", last_t="last_time", last_there_t="last_there", first_here_t="first_here"
    )
    return sided(answer, events, **sides)


def shared(events: Any, *, users: Side = "principal", of: Side = "caller_ip") -> pd.DataFrame:
    """What several have in common: which addresses several identities use, or which identities several addresses.

    Parameters
    ----------
    events
        Columns ``time``, ``t``, ``outcome`` and the two that are named.
    users, of
        Names of two different columns, out of a closed list: who shares, and what.

    Returns
    -------
    The column *of*, the column *users*, ``users`` (how many use it), ``events``, ``denied``, ``first_time``,
    ``last_time`` (UTC); one row per pair whose value has more than one user, the most shared first, then by first time.

    Raises
    ------
    InputError
        Columns that can't be paired.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> shared(example(), users="principal", of="key")[["key", "principal", "users", "events"]]
             key principal  users  events
    0  hsm1/kek1  payments      2       2
    1  hsm1/kek1      anna      2       1
    """
    sides = {"user_value": KEPT.get(users, users), "shared_value": KEPT.get(of, of)}
    return sided(engine.run(events, paired("shared", *sides.values())), events, **sides)
