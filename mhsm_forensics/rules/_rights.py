"""Rules on who may do what: roles given, used, taken away, and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ..text import visible
from ._readings import acts as acts_of
from ._readings import either, has, is_open, weighed
from ._routine import occasions
from ._rule import DOCS, Hit, Rule
from ._words import confidence, departs, joined, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_USED_WITHIN: Final = pd.Timedelta(days=1)
_DENIED_WITHIN: Final = pd.Timedelta(days=7)
_LATER_ALLOWED_DAYS: Final = 7
_OWN: Final = ("grant-removed-again", "own-rights")
_WHO: Final = ["hsm", "actor"]


def _role_acts(found: Material) -> pd.DataFrame:
    """Tell role changes apart by their act; what has none, for want of a route, by its name."""
    acts = found.possible
    acts = acts[acts["operation_class"] == "access_control"]
    name = acts["gravest"].str.lower().fillna("")
    removal = name.str.contains("delete|remove|revoke", regex=True) & (acts["http_status"] != 201).fillna(value=True)
    definition = (acts["object_type"] == "role_definition").fillna(value=False) | name.str.contains("definition")
    return acts.assign(removal=removal.astype(bool), definition=definition.astype(bool))


def _newly_done(found: Material, grants: pd.DataFrame) -> pd.DataFrame:
    """What the giver of rights did within a day, and was never allowed to on this HSM before; with earlier denials of it."""
    own, first, last = found.done_by(grants), grants["time"].min(), grants["time"].max()
    other = own["operation_class"] != "access_control"
    before = own.loc[other & (own["time"] < first), "gravest"]
    fresh = own[other & own["time"].between(first, last + _USED_WITHIN) & ~own["gravest"].isin(before)]
    denied = found.denied_to(grants)
    near = denied["time"].between(first - _DENIED_WITHIN, fresh["time"].max())
    return joined(denied[near & denied["gravest"].isin(fresh["gravest"])], fresh)


def _used(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    done, denied = rows[rows["outcome"] != "denied"], rows[rows["outcome"] == "denied"]
    before = f", of which it had been denied {acts_of(denied)}" if len(denied) else ""
    return f"; then, for the first time, {acts_of(done)} ({times(len(done))}){before}"


def _removed_again(found: Material) -> Iterator[Hit]:
    acts = _role_acts(found)
    named = acts[~acts["definition"]].dropna(subset="assignment_id")
    given, gone = named[~named["removal"]], named[named["removal"]]
    pairs = given.merge(gone, on=[*_WHO, "assignment_id"], suffixes=("", "_gone"))
    pause = pairs["time_gone"] - pairs["time"]
    pairs = pairs[(pause > pd.Timedelta(0)) & (pause <= _USED_WITHIN)]
    ids = set(pairs["event_id"]) | set(pairs["event_id_gone"])
    for rows in stretches(named[named["event_id"].isin(ids)], by=tuple(_WHO), pause=_USED_WITHIN):
        used = _newly_done(found, rows[~rows["removal"]])
        used = used[used["time"] <= rows["time"].max()]
        written = times(int((~rows["removal"]).sum()), "role assignment")
        what = f"{written} written and {_taken_away(rows[rows['removal']])} by the same principal"
        whole = joined(rows, used).drop_duplicates("event_id")
        severity = raised("medium", len(used) > 0, departs(whole))
        yield Hit(title(what, rows, more=_used(used)), severity, confidence(rows), whole)


def _taken_away(gone: pd.DataFrame) -> str:
    """Say that a role was taken away again; or, where the log leaves that open, that it may only have been read."""
    return "taken away again" if not is_open(gone).all() else "taken away again or read"


def _own_rights(found: Material) -> Iterator[Hit]:
    acts = found.untold(_role_acts(found), "grant-removed-again")
    listed = found.table("role_assignments")[["assignment_id", "object_id"]].dropna().drop_duplicates()
    to_itself = acts.merge(listed, on=["assignment_id", "object_id"])["event_id"]
    for rows in stretches(acts[~acts["removal"]], by=tuple(_WHO)):
        used, own = _newly_done(found, rows), int(rows["event_id"].isin(to_itself).sum())
        if used.empty and not own:
            continue
        roles = int(rows["definition"].sum())
        parts = ((len(rows) - roles, "role assignment"), (roles, "custom role"))
        written = " and ".join(times(count, noun) for count, noun in parts if count)
        proof = f"; by a list in the case {times(own, 'of them')} to itself" if own else ""
        whole = joined(rows, used).drop_duplicates("event_id")
        severity = raised("medium" if own or _is_grave(used) else "low", departs(whole))
        sure = confidence(rows) if own else confidence(rows, "medium")
        yield Hit(title(f"{written} written, and used", rows, more=_used(used) + proof), severity, sure, whole)


def _is_grave(used: pd.DataFrame) -> bool:
    return bool(has(used["effect"], "export", "destroy").any())


def _assignments(found: Material) -> Iterator[Hit]:
    acts = found.untold(_role_acts(found), *_OWN)
    for rows in stretches(acts[~acts["removal"] & ~acts["definition"]]):
        whole = bool((rows["scope"].isna() | rows["scope"].isin(["/", "/keys"])).any())
        scopes = ", ".join(visible(scope, limit=60) for scope in rows["scope"].dropna().unique()) or "unknown scope"
        what = f"{times(len(rows), 'role assignment')} written at {scopes}"
        yield Hit(title(what, rows), raised("low", whole, departs(rows)), confidence(rows), rows)


def _definitions(found: Material) -> Iterator[Hit]:
    acts = found.untold(_role_acts(found), *_OWN)
    for rows in stretches(acts[~acts["removal"] & acts["definition"]]):
        what = f"{times(len(rows), 'custom role')} written"
        yield Hit(title(what, rows), raised("medium", departs(rows)), confidence(rows), rows)


def _removals(found: Material) -> Iterator[Hit]:
    acts = found.untold(_role_acts(found), *_OWN)
    for rows in occasions(acts[acts["removal"]], found, ("actor", "caller_ip")):
        roles = int(rows["definition"].sum())
        parts = ((len(rows) - roles, "role assignment"), (roles, "custom role"))
        what = f"{' and '.join(times(count, noun) for count, noun in parts if count)} {either(rows, 'removed')}"
        yield Hit(title(what, rows), weighed(raised("low", departs(rows)), rows), confidence(rows), rows)


def _denied_then_allowed(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_denied_then_allowed", days=_LATER_ALLOWED_DAYS)
    rows = _without_turns_told(rows, found.told(*_OWN))
    for turn in stretches(rows, by=("hsm", "actor"), pause=pd.Timedelta(days=1, hours=2)):
        allowed = turn[turn["allowed"] == 1]
        if allowed.empty:
            continue
        what = f"Denied first and allowed later: {acts_of(allowed)}"
        grave = bool((allowed["control"] == 1).any())
        yield Hit(title(what, turn), raised("low", grave, departs(turn)), "medium", turn)


def _without_turns_told(rows: pd.DataFrame, told: set[str]) -> pd.DataFrame:
    """Leave out what the giver of the rights used itself: the denials of it are part of that finding."""
    turn = [*_WHO, "gravest"]
    known = rows.loc[(rows["allowed"] == 0) & rows["event_id"].isin(told), turn].drop_duplicates().assign(known=True)
    return rows[rows.merge(known, how="left", on=turn)["known"].isna().to_numpy()]


RULES: Final = (
    Rule(
        id="grant-removed-again",
        title="Role given and taken away again by the same principal",
        question="own-rights",
        severity="high",
        rises="medium; high where the principal did in between what it never could before, or with a new address or "
        "principal; critical with both",
        confidence="high",
        techniques=("T1098.003", "T1070"),
        why="A role that is written and deleted by the same principal within a day was needed for something that should "
        "not show in the list of roles afterwards. What it did in between is part of the finding.",
        benign="A mistyped assignment that is corrected; a just-in-time script that gives a role for one job.",
        next_step="Read the acts in between first. az keyvault role assignment list --hsm-name HSM: is the role gone "
        "everywhere, and did it give others a role meanwhile?",
        operations=("RoleAssignmentCreate", "RoleAssignmentDelete"),
        classes=("access_control",),
        reference=DOCS + "role-management",
        gravity=3,
        check=_removed_again,
    ),
    Rule(
        id="own-rights",
        title="Rights written and then used by the same principal",
        question="own-rights",
        severity="high",
        rises="low; medium where what followed exports or destroys, or where a list of role assignments in the case says that "
        "the writer is the receiver; one more with a new address or principal",
        confidence="medium",
        techniques=("T1098.003", "T1098"),
        why="Somebody wrote a role and within a day did what it was never allowed to before. The log does not hold who "
        "received the role; the order says that the writer did. Administrators of roles can give themselves any.",
        benign="An administrator sets up an HSM, or takes a role for an emergency, with others knowing.",
        next_step="az keyvault role assignment list --hsm-name HSM --scope SCOPE: find the assignments by the ids in the "
        "request URIs. Remove what the principal gave itself, and look for roles that it gave to others.",
        operations=("RoleAssignmentCreate", "RoleDefinitionCreate"),
        classes=("access_control",),
        reference=DOCS + "access-control",
        gravity=3,
        check=_own_rights,
    ),
    Rule(
        id="role-assignment-written",
        title="Role assignment written",
        question="rights-changed",
        severity="medium",
        rises="low for one key; medium at / or /keys; one more with a new address or principal",
        confidence="high",
        techniques=("T1098.003", "T1098"),
        why="A role assignment gives somebody rights on keys or on the HSM. The log holds neither the role nor who got "
        "it; at scope / or /keys it covers every key.",
        benign="An administrator gives an application its key, on a ticket.",
        next_step="az keyvault role assignment list --hsm-name HSM --scope SCOPE: find the assignment by the id in the "
        "request URI, see who holds which role, and delete what nobody asked for.",
        operations=("RoleAssignmentCreate",),
        classes=("access_control",),
        reference=DOCS + "access-control",
        gravity=3,
        check=_assignments,
    ),
    Rule(
        id="role-definition-written",
        title="Custom role written",
        question="rights-changed",
        severity="medium",
        rises="medium; high with a new address or principal",
        confidence="high",
        techniques=("T1098.003",),
        why="A custom role can join rights that the built-in roles keep apart, purge and backup among them, under a "
        "harmless name. Whoever holds the role has the new rights at once.",
        benign="A planned custom role, or an update of one; rare after the HSM was set up.",
        next_step="az keyvault role definition list --hsm-name HSM --custom-role-only true: read its data actions, and "
        "who is assigned to it.",
        operations=("RoleDefinitionCreate",),
        classes=("access_control",),
        reference=DOCS + "built-in-roles",
        gravity=3,
        check=_definitions,
    ),
    Rule(
        id="role-removed",
        title="Role assignments or custom roles removed",
        question="rights-changed",
        severity="low",
        rises="low; medium with a new address or principal",
        confidence="high",
        techniques=("T1531",),
        why="Taking roles away can lock administrators out, or remove the trace of a role that was used for a while. "
        "With a custom role the assignments of it end without an event of their own.",
        benign="The response takes an intruder's roles away; an application is retired.",
        next_step="Ask the principal. Compare az keyvault role assignment list --hsm-name HSM with the last known "
        "list: are all administrators still there?",
        operations=("RoleAssignmentDelete", "RoleDefinitionDelete"),
        classes=("access_control",),
        reference=DOCS + "role-management",
        gravity=4,
        check=_removals,
    ),
    Rule(
        id="denied-then-allowed",
        title="Denied first, allowed later",
        question="denied-then-allowed",
        severity="high",
        rises="low for reads and uses; medium for what changes, exports or destroys; one more with a new address or principal",
        confidence="medium",
        techniques=("T1098.003", "T1078.004"),
        why="What a principal was refused it could do days or minutes later, and never before: somebody gave it a right in "
        "between, by a role or by a group that this log doesn't see.",
        benign="Somebody lacked a role, asked for it and got it; a just-in-time role was activated late.",
        next_step="Find the grant between the two times: role assignments in this log, else just-in-time activations "
        "and group changes in the Entra audit log. Who gave it, and was it asked for?",
        reference=DOCS + "access-control",
        gravity=3,
        check=_denied_then_allowed,
    ),
)
