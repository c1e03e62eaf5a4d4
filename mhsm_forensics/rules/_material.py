"""What the rules look at: small frames, each asked for once and only when a rule needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import analyse, engine, known, schema
from ..case import Case, Events, open_case
from ._readings import with_gravest
from ._rule import HISTORY_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._rule import Hit, Rule

_LOUD = ("critical", "high")
_Who = tuple[str | None, ...]


def case_of(events: Any) -> Case | None:
    """Return the case that some events are the events of; None where they are nobody's."""
    if isinstance(events, Case):
        return events
    folder = events.paths[0].parent.parent if isinstance(events, Events) and events.paths else None
    return open_case(folder) if folder is not None and (folder / "case.json").exists() else None


@dataclass
class Material:
    """Events, what stands around them, and what the rules before have said.

    `named` holds the events that the rules before named, those of broad rules left out, and `loud` those in findings of
    high severity: some rules tell only what no other did.
    """

    events: Any
    named: set[str] = field(default_factory=set)
    loud: set[str] = field(default_factory=set)
    _told: dict[str, set[str]] = field(default_factory=dict)
    _answers: dict[Any, pd.DataFrame] = field(default_factory=dict)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def take(self, rule: Rule, hits: Iterable[Hit]) -> None:
        """Keep what a rule has said."""
        told = self._told.setdefault(rule.id, set())
        for hit in hits:
            told.update(hit.rows["event_id"])
            self.named.update([] if rule.broad else hit.rows["event_id"])
            self.loud.update(hit.rows["event_id"] if hit.severity in _LOUD else [])

    def told(self, *rules: str) -> set[str]:
        """Events that these rules have named."""
        return set().union(*(self._told.get(rule, set()) for rule in rules))

    def untold(self, rows: pd.DataFrame, *rules: str) -> pd.DataFrame:
        """Rows that none of these rules has named."""
        return rows[~rows["event_id"].isin(self.told(*rules))]

    def unnamed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows that no rule before named."""
        return rows[~rows["event_id"].isin(self.named)]

    def table(self, name: str) -> pd.DataFrame:
        """A context table of the case, empty where there is none; in the time of the events' scope, if they have one.

        Its addresses are new where they are new for a principal in the events.
        """
        if name not in self._tables:
            self._tables[name] = self._labelled(self._flagged_context(self._context(name)))
        return self._tables[name]

    def _context(self, name: str) -> pd.DataFrame:
        if self._case is None:
            return schema.to_pandas(schema.empty(schema.CONTEXT[name]))
        rows = self._case.context(name)
        scope = self.events.scope if isinstance(self.events, Events) else None
        if scope is None or "time" not in rows:
            return rows
        inside = pd.Series(data=True, index=rows.index)
        inside &= rows["time"] >= scope.start if scope.start else True
        inside &= rows["time"] < scope.end if scope.end else True
        return rows[inside]

    def _flagged_context(self, rows: pd.DataFrame) -> pd.DataFrame:
        wanted = ("hsm", "key", "key_name", "client", "caller_ip", "operation_status", "act")
        texts = [name for name in wanted if name not in rows]
        rows = rows.assign(**{name: pd.Series(pd.NA, rows.index, "string[pyarrow]") for name in texts})
        return rows.assign(new_address=rows["caller_ip"].isin(self.strange), new_client=False, new_principal=False)

    @cached_property
    def _case(self) -> Case | None:
        return case_of(self.events)

    @cached_property
    def strange(self) -> set[str]:
        """Addresses that are new for a principal in the events, or those of a new principal."""
        news = self.places.loc[self.places["kind"] == "caller_ip", "place"]
        return set(news) | set(self.newcomers["caller_ip"].dropna())

    @cached_property
    def acts(self) -> pd.DataFrame:
        """Acts that change, export or destroy, and whatever was denied; with how they depart from what is usual."""
        return self.asked("detect_acts")

    def asked(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Answer of a question over the events, with how each row departs from what is usual."""
        key = (name, *sorted(parameters.items()))
        if key not in self._answers:
            self._answers[key] = self.flagged(self.ask(name, **parameters))
        return self._answers[key]

    def ask(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Answer of a question over the events, with the labels of whom it names."""
        rows = self._labelled(engine.query(self.session, name, **parameters))
        return with_gravest(rows) if {"act", "operation"} <= set(rows) else rows

    def _labelled(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add what the lists in the case say of the principal and the address: ``principal_label``, ``caller_ip_label``."""
        if self._labels is None:
            return rows
        for name, column in (("object_id", "principal"), ("principal", "principal"), ("caller_ip", "caller_ip")):
            if name in rows:
                said = {value: self._labels.of(name, value) for value in rows[name].dropna().unique()}
                label = rows[name].map({value: text for value, text in said.items() if text}).astype("string[pyarrow]")
                before = rows.get(f"{column}_label")
                rows = rows.assign(**{f"{column}_label": label if before is None else label.fillna(before)})
        return rows

    @cached_property
    def _labels(self) -> known.Labels | None:
        return None if self._case is None else known.labels(self._case)

    @cached_property
    def session(self) -> engine.Session:
        """The events, held open for the many questions."""
        return engine.Session(self.events)

    def close(self) -> None:
        """Let go of the events."""
        if "session" in vars(self):
            self.session.close()

    def flagged(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add whether the address, the client, the principal itself is new: ``new_address`` and so on."""
        for flag, listed in self._news.items():
            rows = _marked(rows, listed, flag)
        return rows

    @cached_property
    def _news(self) -> dict[str, pd.DataFrame]:
        places = self.places
        news = {"new_address": "caller_ip", "new_client": "client"}
        pairs = {
            flag: places.loc[places["kind"] == kind, ["place", "actor"]]
            .drop_duplicates()
            .rename(columns={"place": kind})
            for flag, kind in news.items()
        }
        return pairs | {"new_principal": self.newcomers[["actor"]].drop_duplicates()}

    @cached_property
    def done(self) -> pd.DataFrame:
        """Acts that succeeded, were accepted, or whose outcome isn't in the log."""
        return self.possible[self.possible["control"] == 1]

    @cached_property
    def possible(self) -> pd.DataFrame:
        """What was `done`, and calls that succeeded and may have been such acts."""
        acts = self.acts
        asked = (acts["control"] == 1) | (acts["open"] == 1)
        return acts[asked & acts["outcome"].isin(["success", "accepted", "unknown"])]

    @cached_property
    def denied(self) -> pd.DataFrame:
        """Whatever was denied, but for the 401 that opens a session."""
        return self.acts[self.acts["outcome"] == "denied"]

    def done_by(self, about: pd.DataFrame) -> pd.DataFrame:
        """What was `done` on the HSM and by the principal that the first of some rows is of."""
        return self.done.iloc[self._done_by.get(_who(about.head(1))[0], [])]

    def denied_to(self, about: pd.DataFrame) -> pd.DataFrame:
        """What was `denied` on the HSM to the principal that the first of some rows is of."""
        return self.denied.iloc[self._denied_to.get(_who(about.head(1))[0], [])]

    @cached_property
    def _done_by(self) -> dict[_Who, list[int]]:
        return _places_of_each(self.done)

    @cached_property
    def _denied_to(self) -> dict[_Who, list[int]]:
        return _places_of_each(self.denied)

    @cached_property
    def places(self) -> pd.DataFrame:
        """Events of addresses and clients that a principal took up after working without them for days."""
        return self.ask("detect_places", days=HISTORY_DAYS)

    @cached_property
    def newcomers(self) -> pd.DataFrame:
        """Events of principals that the first days of the evidence did not see."""
        return self.ask("detect_newcomers", days=HISTORY_DAYS)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Silences, from `analyse`."""
        return analyse.gaps(self.events)

    @cached_property
    def identities(self) -> set[str]:
        """Object ids of everybody in the events."""
        return set(analyse.principals(self.session)["object_id"].dropna())

    @cached_property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Times of the first and of the last event."""
        asked = analyse.outcomes(self.session)
        return asked["first_time"].min(), asked["last_time"].max()

    def has_history(self, rows: pd.DataFrame) -> bool:
        """Whether enough evidence precedes the rows to say what is usual."""
        return bool(rows["time"].min() - self.span[0] >= pd.Timedelta(days=HISTORY_DAYS))


def _who(rows: pd.DataFrame) -> list[_Who]:
    """HSM and actor of each row; what is missing equals what is missing."""
    columns = (rows[name] for name in ("hsm", "actor"))
    return list(zip(*([None if pd.isna(one) else one for one in column.tolist()] for column in columns), strict=True))


def _places_of_each(rows: pd.DataFrame) -> dict[_Who, list[int]]:
    """Where the rows of each HSM and principal are: looked up for thousands, whereas a scan for each takes minutes."""
    found: dict[_Who, list[int]] = {}
    for place, who in enumerate(_who(rows)):
        found.setdefault(who, []).append(place)
    return found


def _marked(rows: pd.DataFrame, listed: pd.DataFrame, flag: str) -> pd.DataFrame:
    """Add whether a row's values are on the list."""
    if rows.empty or listed.empty:
        return rows.assign(**{flag: False})
    found = rows.merge(listed.assign(**{flag: True}), how="left", on=list(listed.columns))
    return found.assign(**{flag: found[flag].notna()})
