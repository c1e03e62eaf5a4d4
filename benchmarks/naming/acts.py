"""What each true operation is, by its route: what it does to what, and other names that a vendor could have given it.

`acts.csv` was written from the REST routes alone. Of two other names the dev half of the test uses one pair, the measure half
another, so that a rule can't be fitted to the names it is measured on.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What a verb of a sentence may be about. A removal may be told as "removed", "deleted" or "taken away" and as nothing else.
CONTROL = frozenset({"write", "delete", "purge", "backup", "restore", "release", "download", "upload", "recover"})


@dataclass(frozen=True, slots=True)
class Act:
    """One true operation."""

    operation: str
    operation_class: str
    noun: str
    verb: str
    path: str
    success: int
    dev: tuple[str, ...]
    measure: tuple[str, ...]

    @property
    def is_explained(self) -> bool:
        """Whether its URI and status say what it is."""
        return self.operation != "InvalidPath"

    @property
    def is_control(self) -> bool:
        """Whether it changes, exports or destroys."""
        return self.verb in CONTROL


@cache
def acts() -> dict[str, Act]:
    """Return every act by the name that the samples give it."""
    with Path(__file__).with_name("acts.csv").open(encoding="utf-8", newline="") as table:
        return {row["operation"]: _act(row) for row in csv.DictReader(table)}


def _act(row: dict[str, str]) -> Act:
    return Act(
        row["operation"], row["operation_class"], row["noun"], row["verbs"], row["path"], int(row["success"]),
        tuple(row["dev"].split(";")), tuple(row["measure"].split(";")),
    )  # fmt: skip


def readings(operation: str, status: int) -> frozenset[str]:
    """Return the verbs that fit the route and the status, since no record holds the method.

    A refusal has the same status for every method; a success only for those that answer with it.
    """
    own = acts()[operation]
    return frozenset(
        one.verb
        for one in acts().values()
        if one.path == own.path and (status >= 400 or one.success == status or one is own)
    )
