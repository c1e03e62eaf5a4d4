"""Rules on who may do what: roles, settings, the HSM as a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..text import visible
from ._rule import Hit, Material, Rule, confidence, departs, outcome, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


def _role_acts(found: Material) -> pd.DataFrame:
    """Tell role changes apart: by class, effect and status, since the names have no source."""
    acts = found.done
    acts = acts[acts["operation_class"] == "access_control"]
    name = acts["operation"].str.lower().fillna("")
    removal = name.str.contains("delete|remove|revoke", regex=True) & (acts["http_status"] != 201)
    definition = (acts["object_type"] == "role_definition").fillna(value=False) | name.str.contains("definition")
    return acts.assign(removal=removal.astype(bool), definition=definition.astype(bool))


def _assignments(found: Material) -> Iterator[Hit]:
    acts = _role_acts(found)
    for rows in stretches(acts[~acts["removal"] & ~acts["definition"]]):
        whole = bool((rows["scope"].isna() | rows["scope"].isin(["/", "/keys"])).any())
        scopes = ", ".join(visible(scope, limit=60) for scope in rows["scope"].dropna().unique()) or "unknown scope"
        what = f"{times(len(rows), 'role assignment')} written at {scopes}"
        yield Hit(title(what, rows), raised("low", whole, departs(rows)), confidence(rows), rows)


def _definitions(found: Material) -> Iterator[Hit]:
    acts = _role_acts(found)
    for rows in stretches(acts[~acts["removal"] & acts["definition"]]):
        what = f"{times(len(rows), 'custom role')} written"
        yield Hit(title(what, rows), raised("medium", departs(rows)), confidence(rows), rows)


def _removals(found: Material) -> Iterator[Hit]:
    acts = _role_acts(found)
    for rows in stretches(acts[acts["removal"]], by=("principal", "object_id", "caller_ip")):
        roles = int(rows["definition"].sum())
        parts = ((len(rows) - roles, "role assignment"), (roles, "custom role"))
        what = f"{' and '.join(times(count, noun) for count, noun in parts if count)} removed"
        yield Hit(title(what, rows), raised("low", departs(rows)), confidence(rows), rows)


def _settings(found: Material) -> Iterator[Hit]:
    acts = found.done
    for rows in stretches(acts[acts["operation_class"] == "settings"]):
        names = ", ".join(visible(name, limit=60) for name in rows["setting"].dropna().unique())
        what = f"Settings changed ({names})" if names else "Settings changed"
        yield Hit(title(what, rows), raised("medium", departs(rows)), confidence(rows, "medium"), rows)


def _resource(found: Material) -> Iterator[Hit]:
    acts = found.done
    acts = acts[acts["operation_class"].isin(["management", "network"])]
    for rows in stretches(acts[acts["effect"] == "destroy"]):
        yield Hit(title(f"The HSM itself deleted or purged, {outcome(rows)}", rows), "critical", confidence(rows), rows)
    for rows in stretches(acts[acts["effect"] != "destroy"]):
        what = f"The HSM changed through Azure Resource Manager, {times(len(rows))}"
        yield Hit(title(what, rows), raised("low", bool(rows["new_address"].any())), confidence(rows), rows)


_DOCS: Final = "https://learn.microsoft.com/azure/key-vault/managed-hsm/"

RULES: Final = (
    Rule(
        id="role-assignment-written",
        title="Role assignment written",
        severity="medium",
        confidence="high",
        techniques=("T1098.003", "T1098"),
        why="A role assignment gives somebody rights on keys or on the HSM. The log holds neither the role nor who got "
        "it; at scope / or /keys it covers every key.",
        benign="An administrator gives an application its key, on a ticket.",
        next_step="az keyvault role assignment list --hsm-name HSM --scope SCOPE: find the assignment by the id in the "
        "request URI, see who holds which role, and delete what nobody asked for.",
        operations=("RoleAssignmentCreate",),
        classes=("access_control",),
        reference=_DOCS + "access-control",
        check=_assignments,
    ),
    Rule(
        id="role-definition-written",
        title="Custom role written",
        severity="medium",
        confidence="high",
        techniques=("T1098.003",),
        why="A custom role can join rights that the built-in roles keep apart, purge and backup among them, under a "
        "harmless name. Whoever holds the role has the new rights at once.",
        benign="A planned custom role, or an update of one; rare after the HSM was set up.",
        next_step="az keyvault role definition list --hsm-name HSM --custom-role-only true: read its data actions, and "
        "who is assigned to it.",
        operations=("RoleDefinitionCreate",),
        classes=("access_control",),
        reference=_DOCS + "built-in-roles",
        check=_definitions,
    ),
    Rule(
        id="role-removed",
        title="Role assignments or custom roles removed",
        severity="low",
        confidence="high",
        techniques=("T1531",),
        why="Taking roles away can lock administrators out, or remove the trace of a role that was used for a while.",
        benign="The response takes an intruder's roles away; an application is retired.",
        next_step="Ask the principal. Compare az keyvault role assignment list --hsm-name HSM with the last known "
        "list: are all administrators still there?",
        operations=("RoleAssignmentDelete", "RoleDefinitionDelete"),
        classes=("access_control",),
        reference=_DOCS + "role-management",
        check=_removals,
    ),
    Rule(
        id="settings-changed",
        title="Settings of the HSM changed",
        severity="medium",
        confidence="medium",
        techniques=("T1685", "T1557"),
        why="One setting lets Azure Resource Manager manage keys, which turns control-plane rights into rights on "
        "keys; external key management decides where keys are used. The new value is not in the log.",
        benign="A planned change, on a ticket.",
        next_step="az keyvault setting list --hsm-name HSM; AllowKeyManagementOperationsThroughARM should be false "
        "unless you know why.",
        operations=("SettingUpdate", "EkmConnectionCreate", "EkmConnectionUpdate", "EkmConnectionDelete"),
        classes=("settings",),
        reference=_DOCS + "authorize-azure-resource-manager (T1685 was T1562.001 before ATT&CK v19)",
        check=_settings,
    ),
    Rule(
        id="resource-changed",
        title="The HSM changed, deleted or purged as an Azure resource",
        severity="low",
        confidence="high",
        techniques=("T1485", "T1686.001"),
        why="Deleting the HSM takes every key with it; a changed resource may have an open firewall or a new identity "
        "that can write backups elsewhere. What was changed is not in this log.",
        benign="New tags, a scaling change, a deployment.",
        next_step="Read the activity log of the subscription for the same minute: az monitor activity-log list "
        "--resource-id ID --start-time TIME. If deleted: az keyvault recover --hsm-name HSM before it is purged.",
        operations=("ManagedHsmPut", "ManagedHsmPatch", "ManagedHsmDelete", "ManagedHsmPurge"),
        classes=("management", "network"),
        reference=_DOCS + "logging (T1686.001 was T1562.007 before ATT&CK v19)",
        check=_resource,
    ),
)
