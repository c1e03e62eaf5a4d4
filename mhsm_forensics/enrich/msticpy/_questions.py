"""What a query of the provider asks, as a text and values that never become part of it."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ... import analyse, case, detect, engine
from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ENVIRONMENT: Final = "MHSMEvidence"

_OF_ENTITIES: Final = (
    "principal", "object_id", "app_id", "caller_ip", "key", "hsm", "client", "operation", "token_id", "correlation_id",
)  # fmt: skip


class Question(str):
    """The text of a query: msticpy logs it and cuts it as text. Its values ride along as they are."""

    __slots__ = ("parameters",)
    parameters: Mapping[str, Any]

    def __repr__(self) -> str:
        """Show the text, and beside it its values."""
        return f"{self[:]}{dict(self.parameters)!r}"


def asked(text: str, parameters: Mapping[str, Any]) -> Question:
    """Return the question that msticpy's template and the caller's values make."""
    question = Question(text.replace("@control", engine.sql("_control")))
    # A template's `false` stands for what was not asked; no value of a log is one.
    question.parameters = {name: value for name, value in parameters.items() if value is not False}
    return question


def answer(events: Any, question: Any, **bounds: Any) -> pd.DataFrame:
    """Return what a question finds in the events, within *bounds* of time that the question itself has lost.

    Raises
    ------
    InputError
        The question is a text that somebody wrote, or a value of it is nothing that can be asked about.
    """
    if not isinstance(question, Question):
        raise InputError(
            f"{str(question)[:60]!r}: {ENVIRONMENT} runs no free text. "
            "Hint: ask one of its queries, or mhsm_forensics.engine.run(case.events, SQL)."
        )
    given = {**bounds, **question.parameters}
    finding = given.pop("finding", None)
    values = _findings(events, finding) if ":found_events" in question else {}
    return engine.run(_picked(events, given), question[:], **values)


def _picked(events: Any, given: dict[str, Any]) -> Any:
    """Return the events that the values of a question leave: each named thing must hold, of several values any."""
    tests, values = [], dict[str, Any]()
    for number, (name, value) in enumerate(given.items()):
        if name in ("start", "end"):
            tests.append(f"t {'>=' if name == 'start' else '<'} :{name}")
            values[name] = microseconds(value)
            continue
        found = list(_alternatives(events, name, value, f"q{number}"))
        tests.append(f"({' OR '.join(test for test, _ in found) or 'FALSE'})")
        for _, bound in found:
            values |= bound
    if {"start", "end"} <= given.keys() and values["start"] >= values["end"]:
        raise InputError(f"{given['start']} up to {given['end']}: holds no time. Hint: the start is before the end.")
    return engine.Picked(events, " AND ".join(tests), values) if tests else events


def _alternatives(events: Any, name: str, value: Any, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, one in enumerate(texts(value)):
        here = f"{prefix}_{number}_"
        if name == "outcome":
            yield f"outcome = lower(:{here}outcome)", {f"{here}outcome": one}
        elif name in _OF_ENTITIES:
            picked = analyse.touching(events, **{name: one})
            yield (
                re.sub(r":(\w+)", rf":{here}\1", picked.test),
                {f"{here}{bound}": spelling for bound, spelling in picked.bound.items()},
            )


def texts(value: Any) -> list[str]:
    """Values that were asked about, each once; nulls and what is no text are none.

    >>> texts(["b", None, "a", "b", float("nan")]), texts("a,b"), texts(None)
    (['b', 'a'], ['a,b'], [])
    """
    several = value if pd.api.types.is_list_like(value) else [value]
    return list(dict.fromkeys(one for one in several if isinstance(one, str)))


def microseconds(moment: Any) -> int:
    """First whole microsecond at or after an instant, since 1970: the bound of a half-open slice, lower or upper.

    >>> microseconds("2026-03-05T02:00:00.000001Z") - microseconds("2026-03-05T03:00+01:00")
    1
    >>> microseconds("2026-03-05T02:00")
    Traceback (most recent call last):
    ...
    mhsm_forensics.errors.InputError: '2026-03-05T02:00': a time needs its zone. Hint: ...
    """
    if not isinstance(moment, (str, datetime)):
        raise InputError.bad_time(str(moment))
    try:
        instant = pd.Timestamp(moment)
    except (ValueError, OverflowError):
        raise InputError.bad_time(str(moment)) from None
    if pd.isna(instant):
        raise InputError.bad_time(str(moment))
    if instant.tzinfo is None:
        raise InputError.naive_time(str(moment))
    # msticpy's split queries end one nanosecond before the next begins: upwards, both name the same microsecond.
    return case.microseconds(instant.to_pydatetime(warn=False)) + bool(instant.nanosecond)


def _named(found: pd.DataFrame, names: Iterable[str]) -> Iterator[str]:
    """Yield ids of findings that go by a name: an id or a number; what is none has no events."""
    for name in names:
        with suppress(InputError):
            yield from detect.named(found, name)["finding_id"]


def _findings(events: Any, which: Any) -> dict[str, Any]:
    """Return finding and event, pair by pair, of all findings or of those of some ids and rules."""
    found = detect.run(events)
    if which is not None:
        wanted = texts(which)
        of_rule = found["rule_id"].isin(wanted)
        found = found[of_rule | found["finding_id"].isin(list(_named(found, wanted)))]
    pairs = found.explode("event_ids")
    return {
        "found_events": pairs["event_ids"].astype(object).tolist(),
        "found_ids": pairs["finding_id"].astype(object).tolist(),
        "found_rules": pairs["rule_id"].astype(object).tolist(),
        "found_severities": pairs["severity"].astype(object).tolist(),
    }
