"""Rules on single keys that leave the HSM, come into it, or change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._readings import acts as acts_of
from ._readings import either, has, is_open, no_reads, weighed
from ._routine import recurring
from ._rule import DOCS, Hit, Rule
from ._words import confidence, departs, joined, outcome, raised, stretches, times, title, unless_done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_MANY_KEYS: Final = 3
_MANY_UPDATES: Final = 5
_SHORTLY: Final = pd.Timedelta(days=7)
_A_DAY: Final = pd.Timedelta(days=1)


def _key_backups(found: Material) -> Iterator[Hit]:
    acts = found.done
    for rows in stretches(acts[(acts["operation_class"] == "key_backup") & (acts["effect"] == "export")]):
        count = rows["key"].nunique()
        if count < _MANY_KEYS and not departs(rows):
            yield Hit(title(f"Backup of {_named(rows)} {outcome(rows)}", rows), "low", confidence(rows), rows)
            continue
        severity = raised("medium" if count < 10 else "high", departs(rows) and count < 10)
        yield Hit(title(f"{times(count, 'key')} backed up{unless_done(rows)}", rows), severity, confidence(rows), rows)


def _named(rows: pd.DataFrame) -> str:
    return times(rows["key"].nunique(), "key")


def _releases(found: Material) -> Iterator[Hit]:
    acts = found.done
    released = acts[(acts["operation_class"] == "key_release") & (acts["effect"] != "read")]
    released = released[~recurring(released, found, same_hour=False)]
    giving = _of_acts(found, "KeyCreate", "KeyImport", "KeyUpdate", "KeyRestore", "ManagedHsmKeyPut")
    for rows in stretches(released):
        prepared = _prepared(giving, rows)
        given = no_reads(prepared)
        severity = raised("medium", departs(rows) or _is_news(given)) if found.has_history(rows) else "low"
        more = f"; {acts_of(prepared)} of it in the week before" if len(prepared) else ""
        what = title(f"{_named(rows)} released, {times(len(rows))}", rows, more=more)
        yield Hit(what, severity, confidence(rows, "medium"), joined(prepared, rows))


def _is_news(given: pd.DataFrame) -> bool:
    """Whether something gave a policy that whoever did it had not done before, as far as its record says."""
    return not given.empty and weighed("high", given) == "high"


def _rotations(found: Material) -> Iterator[Hit]:
    acts = found.done
    rotations = acts[acts["act"].isin(["KeyRotate", "KeyRotateIfDue"])]
    routine = rotations[recurring(rotations, found, same_hour=False)]
    for rows in stretches(routine, pause=pd.Timedelta(days=45)):
        yield Hit(title(f"Routine key rotation, {times(len(rows))}", rows), "info", "medium", rows)


def _prepared(acts: pd.DataFrame, released: pd.DataFrame) -> pd.DataFrame:
    """Acts, of those that can give a policy, that gave the released keys theirs shortly before.

    What may only have read a key counts if whoever released it asked for it, on the same day.
    """
    near = acts["time"].between(released["time"].min() - _SHORTLY, released["time"].max())
    own = acts["actor"].isin(released["actor"]) & (acts["time"] >= released["time"].min() - _A_DAY)
    wanted: pd.Series[bool] = near & (own | ~is_open(acts)) & acts["key"].isin(released["key"].dropna())
    return acts[wanted]


def _of_acts(found: Material, *acts: str) -> pd.DataFrame:
    """What was one of some acts, or may have been."""
    return found.possible[has(found.possible["act"], *acts)]


def _restored(found: Material) -> Iterator[Hit]:
    acts = found.done
    for rows in stretches(acts[(acts["operation_class"] == "key_backup") & (acts["effect"] == "change")]):
        what = f"{times(len(rows), 'key')} restored from a backup blob{unless_done(rows)}"
        severity = raised("low", departs(rows), len(rows) >= _MANY_KEYS)
        yield Hit(title(what, rows), severity, confidence(rows), rows)


def _imported(found: Material) -> Iterator[Hit]:
    acts = found.untold(_of_acts(found, "KeyImport"), "keys-deleted")  # what may have been either is told as the graver
    for rows in stretches(acts):
        severity = raised("low", departs(rows)) if found.has_history(rows) else "low"
        yield Hit(title(f"{_named(rows)} imported{unless_done(rows)}", rows), severity, confidence(rows), rows)


def _updated(found: Material) -> Iterator[Hit]:
    for rows in stretches(_of_acts(found, "KeyUpdate")):
        if is_open(rows).all() and not found.has_history(rows):
            continue  # everybody reads keys for a first time
        count = rows["key"].nunique()
        if count < _MANY_UPDATES and not departs(rows):
            continue
        what = f"Attributes of {_named(rows)} {either(rows, 'changed')}{unless_done(rows)}"
        sure = no_reads(rows)
        severity = raised("low", departs(sure), sure["key"].nunique() >= _MANY_UPDATES)
        if sure.empty:  # a few keys are read all day long; many, by a caller out of its routine, are not
            severity = raised("low", departs(rows) and count >= _MANY_UPDATES)
        yield Hit(title(what, rows), weighed(severity, rows), confidence(rows, "medium"), rows)


def _changed(found: Material) -> Iterator[Hit]:
    acts = found.possible
    changed = (acts["operation_class"] == "key_lifecycle") & (acts["effect"] == "change")
    acts = acts[changed | has(acts["act"], "KeyRotationPolicySet", "ManagedHsmKeyPut")]
    acts = found.untold(acts, "key-imported", "keys-updated-many", "key-rewrap", "key-release", "keys-deleted")
    for rows in stretches(acts[acts["new_address"] | acts["new_principal"]]):
        what = f"{_named(rows)} {either(rows, 'changed')} by a caller out of its routine ({acts_of(rows)})"
        yield Hit(title(what, rows), weighed("medium", rows), confidence(rows, "medium"), rows)


RULES: Final = (
    Rule(
        id="key-backup-many",
        title="Keys backed up",
        question="key-backups",
        severity="medium",
        rises="low for one or two keys, medium from three, high from ten; high with a new address or principal, however few",
        confidence="high",
        techniques=("T1555.006",),
        why="A key's backup blob can be restored to any HSM with the same security domain. Many in a row is how one "
        "takes them along; three keys or more, or any by a caller that departs from its routine, are raised.",
        benign="A migration, or a backup job that exports key by key.",
        next_step="Ask the owner of the keys. Check whether the security domain was downloaded too; if it was, the "
        "blobs are usable and the keys must be replaced (az keyvault key rotate after containment, then re-encrypt).",
        operations=("KeyBackup",),
        classes=("key_backup",),
        reference=DOCS + "backup-restore",
        gravity=2,
        check=_key_backups,
    ),
    Rule(
        id="key-release",
        title="Key released from the HSM",
        question="key-release",
        severity="medium",
        rises="low without history; medium; high with a new address or principal, or where the key was created, imported or "
        "updated in the week before (not where it may only have been read)",
        confidence="medium",
        techniques=("T1555.006",),
        why="A released key leaves the HSM in a form that the attested environment can open. A release that is no "
        "routine may follow a changed release policy.",
        benign="A confidential VM or enclave starts for the first time.",
        next_step="az keyvault key show --hsm-name HSM --name KEY: is it exportable, and is the release policy the one "
        "you set? Look for KeyCreate or KeyUpdate on it shortly before.",
        operations=("KeyRelease",),
        classes=("key_release",),
        reference="https://learn.microsoft.com/azure/key-vault/keys/secure-keys",
        gravity=2,
        check=_releases,
    ),
    Rule(
        id="key-restored",
        title="Keys restored from backup blobs",
        question="key-backups",
        severity="low",
        rises="medium with a new address or principal, or from three keys; high with both",
        confidence="high",
        techniques=("T1565.001",),
        why="A backup blob brings a key back with the name, versions and attributes it had. A key that was purged on "
        "purpose lives again, and an intruder's key from another HSM of the same security domain can come in.",
        benign="The recovery of a purged key, or a migration between HSMs of one security domain.",
        next_step="Ask the owner of the key. az keyvault key list-versions --hsm-name HSM --name KEY: since when do the "
        "versions exist, and who held the blob?",
        operations=("KeyRestore",),
        classes=("key_backup",),
        reference=DOCS + "backup-restore",
        gravity=3,
        check=_restored,
    ),
    Rule(
        id="key-imported",
        title="Key imported",
        question="key-changes",
        severity="low",
        rises="medium with a new address or principal",
        confidence="high",
        techniques=("T1553.002", "T1486"),
        why="An imported key exists outside the HSM too: whoever brought it can open and sign without leaving a trace "
        "here. It is also how data is wrapped for a ransom with a key that only the intruder has.",
        benign="A key that the company brings along, on a ticket, with a transfer key.",
        next_step="Ask who made the key and where else it is. az keyvault key show --hsm-name HSM --name KEY; see what was "
        "wrapped or signed with it since.",
        operations=("KeyImport",),
        reference=DOCS + "hsm-protected-keys-byok",
        gravity=3,
        check=_imported,
    ),
    Rule(
        id="keys-updated-many",
        title="Attributes of keys changed",
        question="key-changes",
        severity="medium",
        rises="low below five keys, and told only with a new address or principal, medium then; medium from five; high with "
        "both; where the log leaves open whether they were read, medium with both, else low",
        confidence="medium",
        techniques=("T1489", "T1531"),
        why="An update can disable a key, let it expire, change what it may do or how it is released. Many at once stop "
        "the services that need them, without a deletion. The new values are not in the log.",
        benign="Tags or expiry dates set by a script.",
        next_step="az keyvault key show --hsm-name HSM --name KEY for each: is it enabled, when does it expire, what may it "
        "do, which release policy has it?",
        operations=("KeyUpdate",),
        reference=DOCS + "key-management",
        gravity=3,
        check=_updated,
    ),
    Rule(
        id="key-changed-by-stranger",
        title="Keys created or changed by a caller out of its routine",
        question="key-changes",
        severity="medium",
        rises="told only with a new address or principal",
        confidence="medium",
        techniques=("T1565.001",),
        why="A new key, version or rotation policy from an address or by a principal that the first days did not know: a "
        "key of the intruder's own, a rotation that locks others out, or a recovery nobody asked for.",
        benign="A new deployment pipeline, or an administrator on another network.",
        next_step="Ask the principal and the owner of the key. az keyvault key list-versions --hsm-name HSM --name KEY shows "
        "what is new.",
        operations=("KeyCreate", "KeyRotate", "KeyRotationPolicySet", "KeyRecover"),
        classes=("key_lifecycle",),
        reference=DOCS + "key-management",
        days=3,
        gravity=4,
        check=_changed,
    ),
    Rule(
        id="routine-key-rotation",
        title="Key rotation, recognised as routine",
        question="key-changes",
        severity="info",
        rises="never; from a new address it is no routine",
        confidence="medium",
        techniques=(),
        why="The same principal rotates keys from the same address on several days.",
        benign="This is the benign case: rotation by automation.",
        next_step="Confirm once that the automation is yours: az keyvault key rotation-policy show --hsm-name HSM "
        "--name KEY.",
        operations=("KeyRotate", "KeyRotateIfDue"),
        classes=("key_lifecycle",),
        reference=DOCS + "key-rotation",
        check=_rotations,
    ),
)
