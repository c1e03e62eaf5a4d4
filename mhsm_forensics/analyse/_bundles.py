"""Who came from where and touched which key: all of it, and folded to what one page can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import engine
from ..text import plural
from ._frames import micros
from ._names import named

if TYPE_CHECKING:
    from datetime import datetime


def links(events: Any, *, since: datetime | None = None) -> pd.DataFrame:
    """Who came from where and touched which key: the links between identities, addresses and keys.

    Parameters
    ----------
    events
        Columns ``time``, ``t``, ``actor``, ``principal``, ``caller_ip``, ``hsm``, ``key_name``, ``operation_class``, ``effect``,
        ``http_status``, ``outcome``.
    since
        A link whose first event is at this instant or later is new; an aware time. Without it none is.

    Returns
    -------
    Columns ``kind`` (``caller_ip`` or ``key``: what the principal is linked to), ``principal``, ``value`` (the address or
    the name of the key), ``hsm``, ``first_time``, ``last_time`` (UTC), ``events``, ``denied``, ``control_events``,
    ``is_new``; one row per link, requests without an identity included, the busiest of each kind first.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> links(example())[["kind", "principal", "value", "events"]]
            kind principal      value  events
    0  caller_ip  payments  192.0.2.1       2
    1  caller_ip      anna  192.0.2.9       1
    2        key  payments       kek1       2
    3        key      anna       kek1       1
    """
    return named(engine.query(events, "links", since=micros(since)), events)


def bundles(found: pd.DataFrame, *, limit: int = 24) -> pd.DataFrame:
    """The links, folded until no side has more than a page can hold; nothing is left out.

    First, addresses and keys that the very same identities use become one bundle; then, on a side that is still too
    long, all but the most telling: those with new links, then with control events, then with denials, then the busiest.

    Parameters
    ----------
    found
        What `links` answered.
    limit
        Most identities, addresses and keys that stand by themselves or as a bundle.

    Returns
    -------
    Columns ``kind``, ``principal`` and ``value`` (a name, or how many there are in the bundle: ``12 addresses``), ``principals``
    and ``values`` (how many were folded: 1 where it is a name), ``first_time``, ``last_time`` (UTC), ``events``, ``denied``,
    ``control_events``, ``is_new`` (one link of the bundle is); one row per link between two of them.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> bundles(links(example()), limit=1)[["kind", "principal", "value", "events"]]
            kind     principal        value  events
    0  caller_ip  2 identities  2 addresses       3
    1        key  2 identities         kek1       3
    """
    rows = found.assign(principal=found["principal"].fillna(""), value=_named(found))
    sides = [rows["kind"] == kind for kind in ("caller_ip", "key")]
    for side, noun in zip(sides, ("address", "key"), strict=True):
        rows.loc[side, "bundle"] = _folded(_alike(rows[side]), rows[side], limit, noun)
    rows["who"] = _folded(rows["principal"], rows, limit, "identity")
    joined = rows.groupby(["kind", "who", "bundle"], sort=False, dropna=False)
    counts = joined.agg(
        principals=("principal", "nunique"), values=("value", "nunique"), first_time=("first_time", "min"),
        last_time=("last_time", "max"), events=("events", "sum"), denied=("denied", "sum"),
        control_events=("control_events", "sum"), is_new=("is_new", "any"),
    )  # fmt: skip
    named = counts.reset_index().rename(columns={"who": "principal", "bundle": "value"})
    named = named.assign(
        **{name: named[name].astype("string[pyarrow]").replace("", None) for name in ("principal", "value")}
    )
    order = ["kind", "events", "principal", "value"]
    return named.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def _named(found: pd.DataFrame) -> pd.Series[str]:
    """Values by names that are their own: a key of a name that two HSMs have bears that of its HSM."""
    value = found["value"].fillna("")
    keys = found[found["kind"] == "key"].drop_duplicates(["value", "hsm"])
    twice = keys["value"][keys["value"].duplicated()]
    both = (found["kind"] == "key") & found["value"].isin(twice)
    return value.where(~both, value + " · " + found["hsm"].fillna(""))


def _alike(side: pd.DataFrame) -> pd.Series[str]:
    """One name for values that the same identities use, none of them in a new link: the first of them."""
    plain = side.groupby("value").agg(who=("principal", lambda who: tuple(sorted(set(who)))), new=("is_new", "any"))
    plain["first"] = plain.groupby(["who", "new"], sort=False)["new"].transform(lambda group: group.index[0])
    return side["value"].map(plain["first"].where(~plain["new"], plain.index.to_series()))


def _folded(group: pd.Series[str], side: pd.DataFrame, limit: int, noun: str) -> pd.Series[str]:
    """Name each group: by its one member, or by how many it has; what is beyond the limit is one group more."""
    column = "principal" if noun == "identity" else "value"
    told = (
        side.assign(group=group)
        .groupby("group")
        .agg(new=("is_new", "any"), acts=("control_events", "sum"), denied=("denied", "sum"), events=("events", "sum"))
    )
    ranked = told.assign(acts=told["acts"] > 0, denied=told["denied"] > 0).sort_values(
        ["new", "acts", "denied", "events"], ascending=False, kind="stable"
    )
    kept = set(ranked.index if len(ranked) <= limit else ranked.index[: limit - 1])
    where = group.where(group.isin(kept), "\0")  # no name of a group is that
    members = side[column].groupby(where).agg(lambda names: sorted(set(names)))
    names = {key: found[0] if len(found) == 1 else f"{plural(len(found), noun)}" for key, found in members.items()}
    taken = pd.Series(names)
    unclear = taken[taken.duplicated(keep=False)]
    names |= {key: f"{names[key]} ({members[key][0]} …)" for key in unclear.index}
    return where.map(names)
