"""The words that findings share, and what belongs together in one of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..text import plural, visible
from ._readings import is_open
from ._rule import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_STRETCH: Final = pd.Timedelta(hours=2)  # a pause that long parts two findings
_NAMED: Final = 6
_FEW_ADDRESSES: Final = 3


def stretches(rows: pd.DataFrame, *, by: tuple[str, ...] = ("hsm", "actor", "caller_ip"),
              pause: pd.Timedelta = _STRETCH) -> Iterator[pd.DataFrame]:  # fmt: skip
    """Yield what belongs together: the same HSM, principal and address, without a long pause.

    A principal that goes through many addresses in a run is one: it hides behind gateways, or is behind them.
    """
    if rows.empty:  # most rules, most of the time; sorting nothing takes longer than their queries
        return
    if {"actor", "caller_ip"} <= set(by):
        rows = rows.assign(_way=ways(rows, [name for name in by if name != "caller_ip"], pause))
        by = tuple("_way" if name == "caller_ip" else name for name in by)
    ordered, run = _in_runs(rows, by, pause)
    ordered = ordered.drop(columns="_way", errors="ignore")
    for start, end in pairwise([*np.flatnonzero(np.diff(run, prepend=-1)), len(ordered)]):
        yield ordered.iloc[start:end]


def ways(rows: pd.DataFrame, by: Sequence[str], pause: pd.Timedelta) -> pd.Series[Any]:
    """Address of each row, or the number of the run where a principal goes through many; nobody is a principal."""
    ordered, run = _in_runs(rows.reset_index(drop=True), by, pause)
    many = ordered["caller_ip"].groupby(run).transform("nunique") > _FEW_ADDRESSES
    ways = ordered["caller_ip"].astype(object).where(~many | ordered["actor"].isna(), run)
    return ways.sort_index().set_axis(rows.index)


def _in_runs(rows: pd.DataFrame, by: Sequence[str], pause: pd.Timedelta) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Rows in the order of runs, and the number of the run of each."""
    # Sorted and parted once for all groups: a sort for each takes minutes where thousands of addresses take turns.
    ordered = rows.assign(_group=rows.groupby(list(by), dropna=False, sort=False).ngroup())
    ordered = ordered.sort_values(["_group", "time"], kind="stable")  # of one time they are in order already
    group, time = ordered.pop("_group"), ordered["time"]
    return ordered, ((group != group.shift()) | (time.diff() > pause)).to_numpy().cumsum()


def joined(*parts: pd.DataFrame) -> pd.DataFrame:
    """Rows of several questions, together; what is empty has no say in their types."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def truly(test: pd.Series[bool]) -> pd.Series[bool]:
    """Whether a test holds, where a missing value is no."""
    return test.fillna(value=False).astype(bool)


def departs(rows: pd.DataFrame) -> bool:
    """Whether any of it came by a new principal or from a new address. A new client alone is too common."""
    return bool(rows["new_address"].any() or rows["new_principal"].any())


def raised(severity: str, *reasons: bool) -> str:
    """One severity higher for each reason that holds.

    >>> raised("medium", True, False), raised("high", True, True)
    ('high', 'critical')
    """
    return SEVERITIES[max(SEVERITIES.index(severity) - sum(reasons), 0)]


def title(what: str, rows: pd.DataFrame, *, more: str = "") -> str:
    """One line: what, who, from where, on which HSM, when."""
    return f"{what}: {who(rows)}{where(rows)}{on(rows)}, {when(rows)}{more}"


def outcome(rows: pd.DataFrame) -> str:
    """How it ended, in a word or two; a 202 is accepted, and not known to have succeeded."""
    found = set(rows["outcome"])
    if found == {"success"}:
        return "done"
    return "accepted" if "accepted" in found else "outcome not logged"


def unless_done(rows: pd.DataFrame) -> str:
    """How it ended, where it is not simply done."""
    ended = outcome(rows)
    return "" if ended == "done" else f" ({ended})"


def who(rows: pd.DataFrame) -> str:
    """Principal, what the lists in the case say of it, and whether it is new; on one line."""
    labels = distinct(rows["principal"])  # of nobody who is named, some may have an identity that can't be read
    name = visible(labels[0], limit=80) if labels else "a caller without identity"
    new = "new in this evidence" if "new_principal" in rows and rows["new_principal"].any() else ""
    return _beside(name, _label(rows.iloc[:1], "principal"), new)


def where(rows: pd.DataFrame) -> str:
    """Address, what the lists say of it, and whether it is new for the principal."""
    addresses = distinct(rows["caller_ip"])
    if not addresses:
        return ""
    flags = (("new_address", "address"), ("new_client", "client"))
    news = " and ".join(word for flag, word in flags if flag in rows and rows[flag].any())
    others = f" and {times(len(addresses) - 1, 'other address')}" if len(addresses) > 1 else ""
    new = f"new {news} for it" if news else ""
    label = "" if others else _label(rows, "caller_ip")
    return f" from {_beside(visible(addresses[0], limit=60) + others, label, new)}"


def _label(rows: pd.DataFrame, column: str) -> str:
    """What the lists in the case say of the one in a column; "" where they say nothing."""
    said = distinct(rows[f"{column}_label"]) if f"{column}_label" in rows else []
    return visible(said[0], limit=60) if said else ""


def _beside(name: str, *said: str) -> str:
    """Write what is known of a name behind it, and never in its place."""
    words = ", ".join(word for word in said if word not in ("", name))
    return f"{name} ({words})" if words else name


def on(rows: pd.DataFrame) -> str:
    """HSM, or how many."""
    names = distinct(rows["hsm"])
    return "" if not names else f" on {visible(names[0], limit=60)}" if len(names) == 1 else f" on {len(names)} HSMs"


def when(rows: pd.DataFrame) -> str:
    """Minute of the first event and of the last one, UTC."""
    moments = rows["time"].array
    first, last = (f"{moment:%Y-%m-%d %H:%M}Z" for moment in (moments.min(), moments.max()))
    return first if first == last else f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def keys_of(rows: pd.DataFrame) -> list[str]:
    """Names of the keys, each once, in the order of time."""
    return [str(name) for name in distinct(rows["key_name"])]


def distinct(values: pd.Series[str]) -> list[str]:
    """Each value once, as they come; what is missing is none."""
    return [value for value in values.unique() if not pd.isna(value)]


def times(count: int, noun: str = "time") -> str:
    """Count with its noun, for titles."""
    return plural(count, noun)


def confidence(rows: pd.DataFrame, usual: str = "high") -> str:
    """Less sure where the log doesn't say how it ended or what was done, or the name of the operation has no source."""
    if "unknown" in distinct(rows["outcome"]) or is_open(rows).any():
        return "low"
    return "medium" if usual == "high" and "unseen" in distinct(rows["operation_status"]) else usual


def names(values: pd.Series[str]) -> str:
    """Name a few, each once, and count the rest."""
    found = [visible(value, limit=60) or "no name" for value in values.unique()]
    more = f" … {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more
