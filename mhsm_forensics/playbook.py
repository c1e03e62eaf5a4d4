"""What an investigation of a managed HSM has to answer, and which evidence each answer needs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .errors import InputError

__all__ = ["Question", "question", "questions"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the playbook."""

    id: str
    group: str
    question: str
    tables: str  # tables of a case that it is answered from, parted by blanks
    needs: str  # which evidence answers it, and what that evidence leaves open


@cache
def questions() -> tuple[Question, ...]:
    """Every question, in the order in which an investigation asks them.

    >>> len(questions()), questions()[0].id
    (42, 'holdings')
    """
    text = resources.files(__package__).joinpath("playbook.csv").read_text("utf-8")
    return tuple(Question(**row) for row in csv.DictReader(text.splitlines()))


def question(name: str) -> Question:
    """Question of an id.

    Raises
    ------
    InputError
        There is none.

    Examples
    --------
    >>> question("backup-left").needs
    'log of the storage account'
    """
    found = next((one for one in questions() if one.id == name), None)
    if found is None:
        raise InputError(f"{name!r}: no question of the playbook. Hint: mf.playbook.questions() lists them.")
    return found
