"""Saved views, asked again: the same question with the same parameters, and whether the answer is still the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from . import analyse, detect, search
from .case import Scope
from .errors import ForensicsError
from .export import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from .case import Case, Events


@dataclass(frozen=True, slots=True)
class View:
    """A saved view and what it answers now; `frame` is None where it can't be asked, and `problem` says why."""

    note_id: str
    title: str
    by: str
    saved: pd.Timestamp
    question: str
    frame: pd.DataFrame | None
    same: bool = False
    problem: str = ""


def saved(case: Case) -> list[View]:
    """Ask every view again that counts among the notes of a case, in the order in which they were saved."""
    return [_again(case, note) for note in case.notes.df("view").to_dict("records")]


def _again(case: Case, note: dict[Any, Any]) -> View:
    about = json.loads(note["detail"])
    head = (note["note_id"], note["text"], note["by"], note["time"], about["question"])
    try:
        frame, told = _QUESTIONS.get(about["question"], _analysed)(case, about)
    except (ForensicsError, KeyError, TypeError, ValueError, AttributeError) as problem:
        return View(*head, None, problem=f"it can't be asked by this version ({type(problem).__name__}: {problem})")
    return View(*head, frame, same=digest_of(told) == about["digest"])


def _searched(case: Case, about: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    asked = about["parameters"]
    frame = search.events(
        _events(case, asked), asked["text"], columns=asked["columns"], sort=asked["sort"],
        descending=asked["descending"], only=asked["only"], equal=asked["equal"],
    )  # fmt: skip
    return frame, frame[["event_id"]]


def _judged(case: Case, about: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    found, asked = detect.run(case.events), about["parameters"]
    frame = found[found["finding_id"] == asked["finding_id"]]
    if frame.empty and _NUMBERED.fullmatch(asked["finding_id"]):
        frame = _numbered(found, asked["finding_id"], asked["rule_id"])
    return frame, frame.drop(columns="number")


def _numbered(found: pd.DataFrame, number: str, rule_id: str) -> pd.DataFrame:
    """Finding of a view that was saved when findings had numbers alone: the one of its rule, if there is only one."""
    own = found[found["rule_id"] == rule_id]
    if len(own) == 1:
        return own
    raise ValueError(f"it names {number}, a number of then, and rule {rule_id} has {len(own)} findings now")


def _analysed(case: Case, about: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    room, _, name = about["question"].partition(".")
    if room != "analyse" or name not in analyse.__all__:
        raise KeyError(about["question"])
    asked = dict(about["parameters"])
    events = _events(case, asked)
    asked.pop("scope", None)
    frame = getattr(analyse, name)(events, **asked)
    return frame, frame


_NUMBERED: Final = re.compile(r"F\d+")
_QUESTIONS: dict[str, Callable[[Case, dict[str, Any]], tuple[pd.DataFrame, pd.DataFrame]]] = {
    "search.events": _searched, "detect.run": _judged,
}  # fmt: skip


def _events(case: Case, asked: dict[str, Any]) -> Events:
    """Return the events of the scope that a view was saved in."""
    scope = dict(asked.get("scope") or {})
    start, end = (datetime.fromisoformat(scope[name]) if scope.get(name) else None for name in ("start", "end"))
    names = (tuple(scope.get(name, ())) for name in ("hsms", "principals", "caller_ips", "operations"))
    return case.events.of(Scope(start, end, *names))
