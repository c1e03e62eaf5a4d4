"""What is about to be added, written down until it is: a run that was killed goes on as it was meant."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..case import Case, replace_text
from ..errors import CaseError, EvidenceError
from ..evidence import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTE: Final = ".adding.json"


@dataclass(frozen=True, slots=True)
class Wish:
    """Paths to be added, and how."""

    paths: list[Path]
    words: Words = field(default_factory=Words)
    in_place: bool = False


@contextmanager
def noted(case: Case, wanted: Wish) -> Iterator[list[Wish]]:
    """Note what is about to be added, unless a path is wrong; yields what an interrupted run still has to add.

    Raises
    ------
    CaseError
        The note of an interrupted run is damaged.
    """
    note = case.path / _NOTE
    before = note.read_text("utf-8") if note.exists() else None
    named = {path.resolve() for path in wanted.paths}
    resumed = [wish for wish in _read(note, before) if not named.issuperset(wish.paths)] if before is not None else []
    replace_text(note, json.dumps({"adding": [_written(wish) for wish in (wanted, *resumed)]}))
    try:
        yield [wish for wish in resumed if all(path.exists() for path in wish.paths)]
    except EvidenceError:
        note.unlink() if before is None else replace_text(note, before)
        raise


def forget(case: Case) -> None:
    """Take the note away: everything is added."""
    (case.path / _NOTE).unlink(missing_ok=True)


def _written(wish: Wish) -> dict[str, Any]:
    return {
        "paths": [str(path.resolve()) for path in wish.paths], "in_place": wish.in_place,
        "dates": wish.words.dates, "times_in": wish.words.times_in,
    }  # fmt: skip


def _read(note: Path, text: str) -> Iterator[Wish]:
    """Yield what an interrupted run was to add, each path for itself: some of them may be gone."""
    try:
        found = json.loads(text)
        for one in found.get("adding", [found]):
            words = Words(one.get("dates"), one.get("times_in"))
            yield from [Wish([Path(path)], words, in_place=bool(one.get("in_place"))) for path in one["paths"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CaseError(
            f"{note}: can't be read; an earlier run was interrupted. Hint: delete it, and add the same paths again."
        ) from None
