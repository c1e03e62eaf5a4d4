"""The rule on what the known role assignments don't explain."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import operations
from ..identifiers import folded, unescaped
from ..schema import to_records
from ..text import visible
from ._readings import acts as acts_of
from ._readings import has
from ._rule import DOCS, Hit, Rule
from ._words import distinct, raised, times, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._material import Material

Row = dict[Any, Any]
_ABOUT: Final = ("hsm_name", "object_id", "act", "key_name", "scope")
_EVERYWHERE: Final = ("", "/keys")  # scopes that hold for the whole HSM; of `/` nothing is left


def _without_right(found: Material) -> Iterator[Hit]:
    if found.table("role_assignments").empty:
        return
    used = found.ask("detect_exercised")
    lists = _lists(found, set(used["hsm_name"]))
    places = set(map(_place, _unexplained(to_records(used), lists)))
    acts = found.asked("detect_exercised_by", who=f" {' '.join(sorted({str(place[1]) for place in places}))} ")
    is_odd = [place in places for place in map(_place, to_records(acts[[*_ABOUT]]))]
    acts = acts[pd.Series(is_odd, acts.index, dtype=bool)]
    for _, rows in acts.groupby("object_id", sort=False):
        yield from _hits(found, rows, [entry for hsm in distinct(rows["hsm_name"]) for entry in lists[hsm]])


def _hits(found: Material, rows: pd.DataFrame, entries: list[Row]) -> Iterator[Hit]:
    own = [entry for entry in entries if entry["object_id"] == rows["object_id"].iloc[0]]
    if not own:  # whom no list names may read by a group or a key's own assignment: too common to be told
        rows = rows[~has(rows["effect"], "read")]
    if rows.empty:
        return
    doubts = _doubts(found, rows, entries)
    grave = has(rows["effect"], "export", "destroy") | (
        (rows["operation_class"] == "access_control") & ~has(rows["effect"], "read")
    )
    roles = f"its roles there: {_quoted(own, 'role_name')}" if own else "it is not in the list"
    files = _quoted(entries, "source_file", last=True)
    did = f"{acts_of(rows)}, {times(len(rows))}"
    what = f"Allowed what the role assignments in {files} do not explain ({did})"
    strong = bool(own) and not doubts
    said = title(what, rows, more="".join(f"; {one}" for one in (roles, *doubts)))
    yield Hit(said, raised("low", strong, bool(grave.any())), "medium" if strong else "low", rows)


def _doubts(found: Material, rows: pd.DataFrame, entries: list[Row]) -> list[str]:
    """What else may explain it: changes that the list does not show, groups, and roles on single keys."""
    acts = found.done
    changes = acts[(acts["operation_class"] == "access_control") & acts["hsm"].isin(rows["hsm"])]
    changes = changes[~changes["assignment_id"].isin([entry["assignment_id"] for entry in entries])]
    groups = [entry for entry in entries if entry["principal_type"] == "group"]
    uses = to_records(rows[[*_ABOUT]].drop_duplicates())
    by_group = any(_allows(entry, use) for entry in groups for use in uses)
    hidden = bool(rows["key_name"].notna().any()) and not any(_is_of_a_key(entry) for entry in entries)
    said = (
        (
            len(changes),
            f"{times(len(changes), 'change')} of roles in the log that the list doesn't show may explain it",
        ),
        (by_group, "a group in the list has a role that allows some of it"),
        (hidden, "the list has no role on a single key, so it may not show them"),
    )
    return [doubt for holds, doubt in said if holds]


def _is_of_a_key(entry: Row) -> bool:
    return str(entry["scope"]).lower().startswith("/keys/")


def _unexplained(uses: list[Row], lists: dict[str, list[Row]]) -> Iterator[Row]:
    """Uses of rights that a built-in role can give, on HSMs with a list, and that no role of the principal gives."""
    held: dict[tuple[str, str], list[Row]] = {}
    for hsm, entries in lists.items():
        for entry in entries:
            held.setdefault((hsm, entry["object_id"]), []).append(entry)
    listed = {hsm for hsm, entries in lists.items() if any(entry["is_of_hsm"] for entry in entries)}
    for use in uses:
        own = held.get((use["hsm_name"], use["object_id"]), [])
        if use["hsm_name"] in listed and _needed(use["act"]) and not any(_allows(entry, use) for entry in own):
            yield use


def _allows(entry: Row, use: Row) -> bool:
    """Whether an assignment allows an operation: by the HSM's own definition of the role, else by what is published of it.

    A role that neither knows may allow anything.
    """
    scope = folded(unescaped(entry["scope"] or "/").rstrip("/"))
    covers = scope in _EVERYWHERE or scope in (f"/keys/{use['key_name']}", use["scope"])
    needed = _needed(use["act"])
    if entry["definitions"]:
        return any(blocks is None or (covers and _gives(blocks, needed)) for blocks in entry["definitions"])
    role = entry["role_definition_id"] or operations.role_ids().get(folded(entry["role_name"] or ""))
    granted = [operations.granted(day).get(role or "") for day in _days(use)]
    return any(actions is None or (covers and not needed.isdisjoint(actions)) for actions in granted)


def _gives(blocks: list[Row], needed: frozenset[str]) -> bool:
    return any(operations.allows(blocks, action) for action in needed)


def _days(use: Row) -> set[date]:
    """Days on which something was done first and last: what a role allows has changed over the years."""
    moments = (use[name] / 1e6 for name in ("first_t", "last_t") if name in use)
    return {datetime.fromtimestamp(moment, UTC).date() for moment in moments} or {datetime.now(UTC).date()}


@cache
def _needed(act: str) -> frozenset[str]:
    """Data actions of which an act needs one; none where some reading of it needs none that a built-in role has."""
    known = [operations.vocabulary()[one.lower()].data_action for one in act.split("|")]
    held = frozenset().union(*operations.granted().values())
    return frozenset(known) if held.issuperset(known) else frozenset()


def _lists(found: Material, hsms: set[str]) -> dict[str, list[Row]]:
    """Assignments by HSM. A list doesn't name its HSM: the name of the file does, or there is only one.

    What is in a list of nobody knows which HSM is taken to hold on all, so that nothing is told that it may explain.
    """
    entries = to_records(found.table("role_assignments"))
    entries = [entry for entry in entries if not (entry["scope"] or "").lower().startswith("/subscriptions")]
    about = _about(entries, hsms)
    defined = {hsm: _definitions(found, hsm, hsms) for hsm in hsms}
    return {
        hsm: [entry | {"is_of_hsm": about[entry["source_file"]] == hsm, "definitions": _of_role(defined[hsm], entry)}
              for entry in entries if about[entry["source_file"]] in (hsm, None)]
        for hsm in hsms
    }  # fmt: skip


def _about(entries: list[Row], hsms: set[str]) -> dict[str, str | None]:
    return {path: _hsm_of(path, hsms) for path in {entry["source_file"] for entry in entries}}


def _definitions(found: Material, hsm: str, hsms: set[str]) -> dict[str, list[Any]]:
    """What the HSM's own lists say of each role, by its id and by its name; None where an entry can't be read."""
    entries = to_records(found.table("role_definitions"))
    about = _about(entries, hsms)
    own: dict[str, list[Any]] = {}
    for entry in entries:
        if about[entry["source_file"]] in (hsm, None):
            blocks = json.loads(entry["permissions"]) if entry["permissions"] else None
            for name in filter(None, (entry["role_definition_id"], folded(entry["role_name"] or ""))):
                own.setdefault(name, []).append(blocks)
    return own


def _of_role(own: dict[str, list[Any]], entry: Row) -> list[Any]:
    """Definitions of the role that an assignment gives: by its id, or by its name where the assignment has no id."""
    return own.get(entry["role_definition_id"] or folded(entry["role_name"] or ""), [])


def _hsm_of(path: str, hsms: set[str]) -> str | None:
    """HSM whose name is in the path of a list, nearest to its end.

    >>> _hsm_of("evidence/contoso/role-assignments-contoso-dr.json", {"contoso", "contoso-dr"})
    'contoso-dr'
    """
    if len(hsms) == 1:
        return next(iter(hsms))
    for part in reversed(PurePosixPath(path.lower()).parts):
        if named := [hsm for hsm in hsms if hsm and hsm in part]:
            return max(named, key=len)
    return None


def _place(row: Row) -> tuple[str | None, ...]:
    """What a use of rights is about: HSM, principal, operation, key and scope."""
    return tuple(row[name] for name in _ABOUT)


def _quoted(entries: Iterable[Row], name: str, *, last: bool = False) -> str:
    texts = (str(entry[name] or "a role without name") for entry in entries)
    found = dict.fromkeys(text.rpartition("/")[2] if last else text for text in texts)
    return ", ".join(visible(text, limit=60) for text in found)


RULES: Final = (
    Rule(
        id="success-without-known-right",
        title="Done without a known right",
        question="without-rights",
        severity="low",
        rises="low; one more where the list has the principal, with roles that don't allow it, and nothing else may explain it; "
        "one more where it changes rights, exports or destroys",
        confidence="low",
        techniques=("T1098.003", "T1078.004"),
        why="A role that the list of role assignments does not have let a principal in: one that was given and taken away again, "
        "one of a group that somebody joined, or one that was given after the list was made. Roles are judged by the HSM's own "
        "list of definitions where the case has one, else by what is published of the built-in ones; of principals that the "
        "list doesn't have, what goes beyond reading.",
        benign="The list is older or newer than the act, shows no roles of single keys or of groups, or misses a just-in-time "
        "role that had ended; Azure Resource Manager manages keys for whoever has rights on the subscription, where a setting "
        "allows it.",
        next_step="When was the list made? List again (az keyvault role assignment list --hsm-name HSM, with --scope /keys/NAME "
        "for the keys concerned; az keyvault role definition list --hsm-name HSM for what its roles allow), look for groups of "
        "the principal and activations of just-in-time roles, and for the grant in this log. The name of the list's file must "
        "have the HSM's name, where the case has several.",
        tables=("events", "role_assignments"),
        reference=DOCS + "built-in-roles",
        gravity=4,
        broad=True,
        check=_without_right,
    ),
)
