"""Rejects by reason, and what was passed over: read without the bytes, which may be gigabytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from .. import engine
from ..case import PassedOver
from ..reasons import reason_of

if TYPE_CHECKING:
    from ..case import Case

_COLUMNS: Final = {
    "reason": "string",
    "lines": "Int64",
    "first_file": "string",
    "first_line": "Int64",
    "hint": "string",
}

# The first is the first in the order in which the evidence came.
_COUNTED: Final = """
SELECT {by}, count(*) AS lines,
  first(source_file ORDER BY list_position(:loaded, evidence_id), source_offset, source_line) AS first_file,
  first(source_line ORDER BY list_position(:loaded, evidence_id), source_offset, source_line) AS first_line
FROM events WHERE list_contains(:loaded, evidence_id)
GROUP BY {by} ORDER BY lines DESC, {by}
"""


def rejects_by_reason(case: Case) -> pd.DataFrame:
    """Count the rejects of a case for each reason.

    Returns
    -------
    Columns ``reason`` (as the rejects table has it), ``lines`` (count), ``first_file`` and ``first_line`` (where the first
    stands, in the order in which the evidence came), ``hint`` (the way out); one row per reason, the most frequent first.
    """
    return _counted(case, "reason")


def rejects_by_file(case: Case) -> pd.DataFrame:
    """Count the rejects of a case for each evidence file and reason.

    Returns
    -------
    The columns of `rejects_by_reason`, and ``evidence_id``; one row per evidence file and reason.
    """
    return _counted(case, "evidence_id, reason")


def _counted(case: Case, by: str) -> pd.DataFrame:
    columns = {**({"evidence_id": "string"} if "evidence_id" in by else {}), **_COLUMNS}
    path, loaded = case.table_path("rejects"), loaded_ids(case)
    if not path.exists() or not loaded:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    found = engine.run(path, _COUNTED.format(by=by), loaded=loaded)
    hints = pd.Series([reason_of(reason).hint for reason in found["reason"]], dtype="string", index=found.index)
    return found.assign(hint=hints)[list(columns)]


def loaded_ids(case: Case) -> list[str]:
    """Evidence whose lines are accounted for: rows of other evidence are of a load that never came to its end."""
    return [entry.evidence_id for entry in case.manifest.evidence if entry.fates]


def passed_over(case: Case) -> tuple[PassedOver, ...]:
    """Everything that was handed over and not read: left out, refused, unreadable; also a part of evidence that can't be read."""
    torn = (
        PassedOver(
            "!".join(filter(None, (entry.path, entry.member))),
            "unreadable",
            entry.unreadable,
            entry.origin,
            reason_of("unreadable").hint,
        )
        for entry in case.manifest.evidence
        if entry.unreadable
    )
    return (*torn, *case.manifest.passed_over)
