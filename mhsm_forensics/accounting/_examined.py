"""Whether anything was examined at all: said first wherever a case is shown, and never as "no findings"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import engine, schema
from ..case import Scope, utc_text
from ..text import plural, visible
from ._rejects import loaded_ids, passed_over, rejects_by_reason

if TYPE_CHECKING:
    import pandas as pd

    from ..case import Case

_VAULT: Final = "microsoft.keyvault/vaults"
_NOTHING: Final = "nothing was examined"
_TYPES: Final = """
SELECT resource_type, count(*) AS records FROM events WHERE list_contains(:loaded, evidence_id)
GROUP BY resource_type ORDER BY records DESC, resource_type
"""


def nothing_examined(case: Case, scope: Scope | None = None) -> str | None:
    """Say that no event was examined, and why; None where one was.

    Parameters
    ----------
    case
        The case.
    scope
        What part of it is looked at; default all.
    """
    if not len(case.events):
        return f"{_why_no_event(case)}{_not_read(case)}"
    if scope is None or len(case.events.of(scope)):
        return None
    return _outside(case, scope)


def responder_said(case: Case) -> list[tuple[str, str, int]]:
    """What the responder said of dates and times: of which kind, what, and of how many evidence files.

    Returns
    -------
    Such as ``("dates", "day-first", 1)`` and ``("times_in", "Europe/Berlin", 2)``.
    """
    rows = [
        (kind, value)
        for entry in case.manifest.evidence
        for kind, value in (("dates", entry.dates), ("times_in", entry.times_in))
        if value
    ]
    return [(*row, rows.count(row)) for row in dict.fromkeys(rows)]


def _why_no_event(case: Case) -> str:
    if not case.manifest.evidence:
        return f"the case holds no evidence: {_NOTHING}"
    if types := _types_out_of_scope(case):
        return f"these are logs of {_in_words(types)}, not of a managed HSM: {_NOTHING}"
    if other := [name for name in schema.CONTEXT if _rows(case, name)]:
        return f"only other logs and lists are in the case ({', '.join(other)}), no log of a managed HSM: of an HSM, {_NOTHING}"
    if len(rejects_by_reason(case)):
        return f"no line of the evidence could be read as an event: {_NOTHING}"
    return f"no record is in the evidence: {_NOTHING}"


def _types_out_of_scope(case: Case) -> list[str]:
    path, loaded = case.table_path("out_of_scope"), loaded_ids(case)
    if not path.exists() or not loaded:
        return []
    return [str(name).lower() for name in engine.run(path, _TYPES, loaded=loaded)["resource_type"].dropna()]


def _in_words(types: list[str]) -> str:
    """Resources by their types: almost always it is the key vault, which shares the container.

    >>> _in_words(["microsoft.keyvault/vaults"]), _in_words(["vaults", "microsoft.sql/servers"])
    ('a key vault', 'a key vault and other resources (microsoft.sql/servers)')
    """
    others = [visible(name, limit=80) for name in types if name not in {_VAULT, _VAULT.rpartition("/")[2]}]
    named = f"other resources ({', '.join(others[:5])})" if others else ""
    return " and ".join(filter(None, ("a key vault" if len(others) < len(types) else "", named)))


def _rows(case: Case, name: str) -> bool:
    return case.table_path(name).exists() and not case.context(name).empty


def _not_read(case: Case) -> str:
    """What else there is, that might have been a log: rejects, and files that were not read."""
    counted = rejects_by_reason(case)
    reasons = ", ".join(visible(reason, limit=60) for reason in counted["reason"].head(5))
    rejects = f"{plural(int(counted['lines'].sum()), 'reject')} ({reasons})" if len(counted) else ""
    unread = sum(one.kind != "left out" for one in passed_over(case))
    parts = [part for part in (rejects, f"{plural(unread, 'file')} not read" if unread else "") if part]
    return f"; {', '.join(parts)}" if parts else ""


def _outside(case: Case, scope: Scope) -> str:
    missing = [name for name in scope.hsms if name not in case.hsms]
    if missing:
        names = ", ".join(visible(name, limit=60) for name in case.hsms)
        return f"{_NOTHING}: {', '.join(visible(name, limit=60) for name in missing)} is not in the case, which has {names}"
    spans = engine.query(case.events.within(hsms=scope.hsms), "hsms")
    if spans.empty:
        return f"{_NOTHING}: no event is of {', '.join(scope.hsms)}"
    runs = f"the evidence runs from {_utc(spans['first_time'].min())} to {_utc(spans['last_time'].max())}"
    return f"{_NOTHING}: {runs}; no event lies in the window {visible(scope.in_words(), limit=300)}"


def _utc(moment: pd.Timestamp) -> str:
    return utc_text(moment.to_pydatetime().replace(microsecond=0))
