"""What a call was: an act that a record leaves open counts as the gravest that it can be, and sentences speak them all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import visible
from ._rule import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMED: Final = 6
_DONE: Final = {
    "KeyDelete": "deleted", "KeyImport": "imported", "KeyPurge": "purged", "SettingUpdate": "written",
    "ManagedHsmDelete": "deleted", "RoleAssignmentDelete": "removed", "RoleDefinitionDelete": "removed",
    "EkmConnectionDelete": "removed", "EkmPrivateEndpointDelete": "removed", "DeletePrivateEndpointConnection": "removed",
    "DeletePrivateEndpointConnectionProxy": "removed",
}  # fmt: skip
_BY_ENDING: Final = (
    ("Get", "read"),
    ("Status", "read"),
    ("List", "listed"),
    ("Backup", "backed up"),
    ("Create", "created"),
)


def with_gravest(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the act that counts: the first of several readings, or the name where neither route nor name is known."""
    act = rows["act"].fillna(rows["operation"])
    names = {value: str(value).partition("|")[0] for value in act.dropna().unique()}
    return rows.assign(gravest=act.map(names).astype("string[pyarrow]"))


def has(values: pd.Series[str], *words: str) -> pd.Series[bool]:
    """Whether one of some words is among the readings.

    >>> has(pd.Series(["change|read", "read", None]), "change", "destroy").tolist()
    [True, False, False]
    """
    return values.isin([value for value in values.dropna().unique() if not set(value.split("|")).isdisjoint(words)])


def is_open(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether the record, and the calls around it, leave open what was done."""
    return rows["act"].isin([act for act in rows["act"].dropna().unique() if "|" in act])


def no_reads(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out what may only have read. Programs get a key before nearly every use of it, so that this raises nothing.

    >>> no_reads(pd.DataFrame({"effect": ["change|read", "destroy|change", "read"]}))["effect"].tolist()
    ['destroy|change']
    """
    return rows[~has(rows["effect"], "read")]


def either(rows: pd.DataFrame, done: str) -> str:
    """Say what was done, and what it may have been instead.

    >>> either(pd.DataFrame({"act": ["KeyDelete|KeyImport"] * 2}), "deleted")
    'deleted or imported'
    >>> either(pd.DataFrame({"act": ["KeyDelete|KeyImport", "KeyDelete"]}), "deleted")
    'deleted (1 of 2 calls: deleted or imported)'
    """
    left_open = is_open(rows)
    if not left_open.any():
        return done
    readings = dict.fromkeys(_in_words(act) for acts in rows.loc[left_open, "act"].unique() for act in acts.split("|"))
    both = " or ".join([done, *(word for word in readings if word != done)])
    return both if left_open.all() else f"{done} ({int(left_open.sum()):,} of {len(rows):,} calls: {both})"


def _in_words(act: str) -> str:
    said = next((word for ending, word in _BY_ENDING if act.endswith(ending)), "changed")
    return _DONE.get(act, said)


def weighed(severity: str, rows: pd.DataFrame) -> str:
    """Severity of an act that nobody can be sure of: one less where the same principal had made the same call before.

    Two less where it makes that call on many days (``made_before`` is 2 then).
    """
    before = rows["made_before"] if "made_before" in rows else pd.Series(0, rows.index)
    steps = int(before.where(is_open(rows), 0).fillna(0).min())
    return SEVERITIES[min(SEVERITIES.index(severity) + steps, len(SEVERITIES) - 1)]


def acts(rows: pd.DataFrame) -> str:
    """Name a few acts, each once, as the log calls them; and what those are whose name no source has.

    >>> acts(pd.DataFrame({"operation": ["KeySign", "Op-17"], "act": ["KeySign", "KeyDelete|KeyImport"]}))
    'KeySign, KeyDelete or KeyImport (logged as Op-17)'
    """
    act = rows["act"] if "act" in rows else pd.Series(pd.NA, rows.index)
    pairs = pd.DataFrame({"act": act.astype(object), "name": rows["operation"].astype(object)}).drop_duplicates()
    found = [_label(act, list(own)) for act, own in _by_act(pairs)]
    more = f" … {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _by_act(pairs: pd.DataFrame) -> Iterable[tuple[Any, list[Any]]]:
    """Names by act, in the order in which they come; what has no act stands for itself."""
    found: dict[Any, list[Any]] = {}
    for act, name in zip(pairs["act"], pairs["name"], strict=True):
        found.setdefault(("name", name) if pd.isna(act) else act, []).append(name)
    return ((None if isinstance(act, tuple) else act, names) for act, names in found.items())


def _label(act: str | None, names: list[Any]) -> str:
    first = visible(names[0], limit=60) or "no name"
    if act is None:
        return first
    said = re.sub(r"\|", " or ", act)
    others = [name for name in names if pd.isna(name) or str(name).lower() != act.lower()]
    if not others:
        return said
    other = visible(others[0], limit=60) or "no name"
    return f"{said} (logged {f'as {other}' if len(others) == 1 else f'under {len(others):,} names'})"
