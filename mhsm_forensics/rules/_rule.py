"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from ._material import Material

SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
HISTORY_DAYS: Final = 3  # fewer days say nothing of what is usual
DOCS: Final = "https://learn.microsoft.com/azure/key-vault/managed-hsm/"
ATTACK: Final = "https://attack.mitre.org/techniques/"

# ATT&CK v19 numbers what impairs defences anew.
_BEFORE_V19: Final = {"T1685": "T1562.001", "T1685.002": "T1562.008", "T1686.001": "T1562.007"}


@dataclass(frozen=True, slots=True)
class Hit:
    """One finding before it has a number: what the events are, and how severe."""

    title: str
    severity: str
    confidence: str
    rows: (
        pd.DataFrame
    )  # event_id, time; and hsm, actor, principal, object_id, caller_ip, key, key_name where they apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A judgement: what raises it, why it matters, what innocent activity looks the same, what to do."""

    id: str
    title: str
    question: str  # id of the question of the playbook that it answers
    severity: str  # the most usual one; the check decides by what it finds
    rises: str  # what makes it more severe, or less
    confidence: str
    techniques: tuple[str, ...]  # in the numbering of ATT&CK v19
    why: str
    benign: str
    next_step: str
    operations: tuple[str, ...] = ()  # names it rests on; none: it goes by no name
    classes: tuple[str, ...] = ()  # classes it rests on, whatever the names
    tables: tuple[str, ...] = ("events",)  # tables of the case without which it can't find anything
    column: str = ""  # of its last table: where no record fills it, that nothing was found says nothing
    routes: int = 1  # by which its events must have come before there is anything to compare
    days: int = 0  # of events that it needs before it knows what is usual
    gravity: int = 5  # of equally severe findings, those of the smallest number come first
    reference: str
    check: Callable[[Material], Iterable[Hit]]
    broad: bool = False  # it names whatever a principal did, so that other rules still have their say

    @property
    def techniques_before(self) -> tuple[str, ...]:
        """The techniques that had another number before ATT&CK v19, in that one."""
        return tuple(_BEFORE_V19[one] for one in self.techniques if one in _BEFORE_V19)
