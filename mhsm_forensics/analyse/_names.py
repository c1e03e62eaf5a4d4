"""One name for each actor, and none for two: what answers call whom they count by id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .. import engine, schema
from ..identifiers import actors_named, folded, shown_as

if TYPE_CHECKING:
    import pandas as pd


def names(events: Any) -> dict[str, str]:
    """Name of each actor: a label of its own rather than an id; where two have the same label, with the id beside it."""
    while isinstance(events, engine.Picked):
        events = events.events
    if (held := getattr(events, "names", None)) is not None:
        return dict(held)
    rows = engine.query(events, "labels")
    labels: dict[str, str] = {}
    for actor, label in zip(rows["actor"], rows["principal"].fillna(rows["actor"]), strict=True):
        before = labels.get(actor)
        labels[actor] = max((one != actor, one) for one in (before, label) if one)[1]
    borne = Counter(map(folded, labels.values()))
    return {actor: shown_as(label, actor) if borne[folded(label)] > 1 else label for actor, label in labels.items()}


def named(frame: pd.DataFrame, events: Any, *columns: str) -> pd.DataFrame:
    """Answer whose columns hold actors, by default `principal`, with their names in place of them."""
    called = names(events)
    columns = columns or ("principal",)
    return frame.assign(**{name: called_by(frame[name], called) for name in columns})


def called_by(actors: pd.Series[str], called: dict[str, str]) -> pd.Series[str]:
    """Names in place of actors; what is no actor stays."""
    return actors.map(lambda one: called.get(one, one), na_action="ignore").astype("string[pyarrow]")


def actors(events: Any, text: str) -> list[str]:
    """Actors that a person means by a text, see `identifiers.actors_named`."""
    while isinstance(events, engine.Picked):
        events = events.events
    return actors_named(text, schema.to_records(engine.query(events, "actors")))
