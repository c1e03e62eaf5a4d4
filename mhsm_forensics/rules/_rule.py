"""What a rule is, what it may look at, and the words that its findings share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import analyse, engine
from ..text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
HISTORY_DAYS: Final = 3  # fewer days say nothing of what is usual
_STRETCH: Final = pd.Timedelta(hours=2)  # a pause that long parts two findings


@dataclass(frozen=True, slots=True)
class Hit:
    """One finding before it has a number: what the events are, and how severe."""

    title: str
    severity: str
    confidence: str
    rows: pd.DataFrame  # event_id, time; and hsm, principal, object_id, caller_ip, key_name where they apply


@dataclass(frozen=True, slots=True)
class Rule:
    """A judgement: what raises it, why it matters, what innocent activity looks the same, what to do."""

    id: str
    title: str
    severity: str  # the most usual one; the check decides by what it finds
    confidence: str
    techniques: tuple[str, ...]
    why: str
    benign: str
    next_step: str
    operations: tuple[str, ...]  # names it rests on; none: it looks at every event
    classes: tuple[str, ...]  # classes it rests on, whatever the names
    reference: str
    check: Callable[[Material], Iterable[Hit]]
    broad: bool = False  # it names whatever a principal did, so that other rules still have their say


@dataclass
class Material:
    """What the rules look at: small frames, each asked for once and only when a rule needs it.

    `named` holds the events that the rules before named, those of broad rules left out: some rules tell only what no
    other did.
    """

    events: Any
    named: set[str] = field(default_factory=set)

    @cached_property
    def acts(self) -> pd.DataFrame:
        """Acts that change, export or destroy, and whatever was denied; with how they depart from what is usual."""
        return self.flagged(engine.query(self.events, "detect_acts"))

    def flagged(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add whether the address, the client, the principal itself is new: ``new_address`` and so on."""
        for kind, flag in (("caller_ip", "new_address"), ("client", "new_client")):
            news = self.places[self.places["kind"] == kind]
            pairs = news[["place", "principal", "object_id"]].drop_duplicates().rename(columns={"place": kind})
            rows = _marked(rows, pairs, flag)
        people = self.newcomers[["principal", "object_id"]].drop_duplicates()
        return _marked(rows, people, "new_principal")

    @cached_property
    def done(self) -> pd.DataFrame:
        """Acts that succeeded, were accepted, or whose outcome isn't in the log."""
        acts = self.acts
        return acts[(acts["control"] == 1) & acts["outcome"].isin(["success", "accepted", "unknown"])]

    @cached_property
    def denied(self) -> pd.DataFrame:
        """Whatever was denied, but for the 401 that opens a session."""
        return self.acts[self.acts["outcome"] == "denied"]

    @cached_property
    def places(self) -> pd.DataFrame:
        """Events of addresses and clients that a principal took up after working without them for days."""
        return engine.query(self.events, "detect_places", days=HISTORY_DAYS)

    @cached_property
    def newcomers(self) -> pd.DataFrame:
        """Events of principals that the first days of the evidence did not see."""
        return engine.query(self.events, "detect_newcomers", days=HISTORY_DAYS)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Silences, from `analyse`."""
        return analyse.gaps(self.events)

    @cached_property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Times of the first and of the last event."""
        asked = analyse.outcomes(self.events)
        return asked["first_time"].min(), asked["last_time"].max()

    def has_history(self, rows: pd.DataFrame) -> bool:
        """Whether enough evidence precedes the rows to say what is usual."""
        return bool(rows["time"].min() - self.span[0] >= pd.Timedelta(days=HISTORY_DAYS))

    def unnamed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows that no rule before named."""
        return rows[~rows["event_id"].isin(self.named)]


def _marked(rows: pd.DataFrame, listed: pd.DataFrame, flag: str) -> pd.DataFrame:
    """Add whether a row's values are on the list."""
    found = rows.merge(listed.assign(**{flag: True}), how="left", on=list(listed.columns))
    return found.assign(**{flag: found[flag].notna()})


def stretches(rows: pd.DataFrame, *, by: tuple[str, ...] = ("hsm", "principal", "object_id", "caller_ip"),
              pause: pd.Timedelta = _STRETCH) -> Iterator[pd.DataFrame]:  # fmt: skip
    """Yield what belongs together: the same HSM, principal and address, without a long pause."""
    for _, group in rows.groupby(list(by), dropna=False, sort=False):
        ordered = group.sort_values(["time", "event_id"])
        for _, stretch in ordered.groupby((ordered["time"].diff() > pause).cumsum()):
            yield stretch


def departs(rows: pd.DataFrame) -> bool:
    """Whether any of it came by a new principal or from a new address. A new client alone is too common."""
    return bool(rows[["new_address", "new_principal"]].any(axis=None))


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
    """Principal, as a label that can be printed on one line."""
    name = visible(rows["principal"].iloc[0], limit=80) or "a caller without identity"
    return f"{name} (new in this evidence)" if "new_principal" in rows and rows["new_principal"].any() else name


def where(rows: pd.DataFrame) -> str:
    """Address, and whether it is new for the principal."""
    addresses = rows["caller_ip"].dropna().unique()
    if not len(addresses):
        return ""
    flags = (("new_address", "address"), ("new_client", "client"))
    news = " and ".join(word for flag, word in flags if flag in rows and rows[flag].any())
    others = f" and {times(len(addresses) - 1, 'other address')}" if len(addresses) > 1 else ""
    return f" from {visible(addresses[0], limit=60)}{others}" + (f" (new {news} for it)" if news else "")


def on(rows: pd.DataFrame) -> str:
    """HSM, or how many."""
    names = rows["hsm"].dropna().unique()
    return (
        "" if not len(names) else f" on {visible(names[0], limit=60)}" if len(names) == 1 else f" on {len(names)} HSMs"
    )


def when(rows: pd.DataFrame) -> str:
    """Minute of the first event and of the last one, UTC."""
    first, last = (f"{moment:%Y-%m-%d %H:%M}Z" for moment in (rows["time"].min(), rows["time"].max()))
    return first if first == last else f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def keys_of(rows: pd.DataFrame) -> list[str]:
    """Names of the keys, each once, in the order of time."""
    return [str(name) for name in rows["key_name"].dropna().unique()]


def times(count: int, noun: str = "time") -> str:
    """Count with its noun, for titles."""
    return plural(count, noun)


def confidence(rows: pd.DataFrame, usual: str = "high") -> str:
    """Less sure where the log doesn't say how it ended, or the name of the operation has no source."""
    if (rows["outcome"] == "unknown").any():
        return "low"
    return "medium" if usual == "high" and (rows["operation_status"] == "unseen").any() else usual
