"""Rules on what leaves the HSM: security domain, backups, released keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._rule import (
    HISTORY_DAYS,
    Hit,
    Material,
    Rule,
    confidence,
    departs,
    keys_of,
    outcome,
    raised,
    stretches,
    times,
    title,
    unless_done,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAYS: Final = 5  # of the same act at about the same hour make a routine
_SAME_HOUR: Final = 60  # minutes around the usual time
_MANY_KEYS: Final = 3


def _security_domain(found: Material) -> Iterator[Hit]:
    acts = found.acts
    touched = acts[(acts["operation_class"] == "security_domain") & ~acts["outcome"].isin(["denied", "failure"])]
    for rows in stretches(touched[touched["effect"].isin(["export", "read"])]):
        downloads = rows[rows["effect"] == "export"]
        if downloads.empty:
            continue
        polls = len(rows) - len(downloads)
        more = f"; then asked {times(polls)} how far it is" if polls else ""
        severity = raised("high", departs(rows) or found.has_history(rows))
        what = f"Security domain download {outcome(downloads)}"
        yield Hit(title(what, downloads, more=more), severity, confidence(downloads), rows)


def _restores(found: Material) -> Iterator[Hit]:
    acts = found.done
    upload = (acts["operation_class"] == "security_domain") & (acts["effect"] == "change")
    restore = (acts["operation_class"] == "hsm_restore") & (acts["effect"] != "read")
    for name, base, mask in (
        ("Security domain upload", "high", upload),
        ("Restore of the HSM or a key", "high", restore),
    ):
        for rows in stretches(acts[mask]):
            what = f"{name} {outcome(rows)}"
            yield Hit(title(what, rows), raised(base, departs(rows)), confidence(rows), rows)


def _full_backups(found: Material) -> pd.DataFrame:
    """Full backups, each with whether it is part of a routine: same principal and address, about the same hour."""
    acts = found.done
    backups = acts[(acts["operation_class"] == "hsm_backup") & (acts["effect"] == "export")]
    return backups.assign(routine=_recurring(backups, found, same_hour=True))


def _recurring(rows: pd.DataFrame, found: Material, *, same_hour: bool) -> pd.Series[bool]:
    """Whether each act belongs to one that the same principal repeats from the same address on many days.

    What comes from an address that is new for the principal is never routine, however often it comes.
    """
    routine = pd.Series(data=False, index=rows.index)
    needed = _DAYS if found.span[1] - found.span[0] >= pd.Timedelta(days=_DAYS) else HISTORY_DAYS
    old = rows[~rows["new_address"]]
    for _, group in old.groupby(["hsm", "principal", "object_id", "caller_ip", "operation"], dropna=False):
        near = _near_usual_time(group) if same_hour else pd.Series(data=True, index=group.index)
        if group.loc[near, "time"].dt.floor("D").nunique() >= needed:
            routine[group.index] = near
    return routine


def _near_usual_time(group: pd.DataFrame) -> pd.Series[bool]:
    """Whether each is within an hour of the group's middle time of day; days are circles of 1440 minutes."""
    minutes = group["time"].dt.hour * 60 + group["time"].dt.minute
    turned = (minutes + 720) % 1440
    straight = (minutes - minutes.median()).abs()
    across = (turned - turned.median()).abs()
    nearer: pd.Series[float] = straight if straight.median() <= across.median() else across
    return nearer <= _SAME_HOUR


def _odd_backups(found: Material) -> Iterator[Hit]:
    backups = _full_backups(found)
    for rows in stretches(backups[~backups["routine"]], pause=pd.Timedelta(hours=36)):
        what = f"Full backup {outcome(rows)}" + (f" {times(len(rows))}" if len(rows) > 1 else "")
        if not found.has_history(rows):
            note = "; too little evidence before it to know whether it is a routine"
            yield Hit(title(what, rows, more=note), "low", "low", rows)
            continue
        yield Hit(title(f"{what}, outside any routine", rows), raised("high", departs(rows)), confidence(rows), rows)


def _routine_backups(found: Material) -> Iterator[Hit]:
    backups = _full_backups(found)
    every_day = pd.Timedelta(days=7)
    for rows in stretches(backups[backups["routine"]], pause=every_day):
        clock = f"{rows['time'].dt.strftime('%H:%M').sort_values().iloc[len(rows) // 2]}Z"
        what = f"Routine full backup, {times(len(rows))} about {clock}"
        yield Hit(title(what, rows), "info", "high", rows)


def _key_backups(found: Material) -> Iterator[Hit]:
    acts = found.done
    for rows in stretches(acts[(acts["operation_class"] == "key_backup") & (acts["effect"] == "export")]):
        count = rows["key_name"].nunique()
        if count < _MANY_KEYS and not departs(rows):
            yield Hit(title(f"Backup of {_named(rows)} {outcome(rows)}", rows), "low", confidence(rows), rows)
            continue
        severity = raised("medium" if count < 10 else "high", departs(rows) and count < 10)
        yield Hit(title(f"{times(count, 'key')} backed up{unless_done(rows)}", rows), severity, confidence(rows), rows)


def _named(rows: pd.DataFrame) -> str:
    return times(len(keys_of(rows)), "key")


def _releases(found: Material) -> Iterator[Hit]:
    acts = found.done
    released = acts[(acts["operation_class"] == "key_release") & (acts["effect"] != "read")]
    released = released[~_recurring(released, found, same_hour=False)]
    for rows in stretches(released):
        severity = raised("medium", departs(rows)) if found.has_history(rows) else "low"
        yield Hit(
            title(f"{_named(rows)} released, {times(len(rows))}", rows), severity, confidence(rows, "medium"), rows
        )


def _rotations(found: Material) -> Iterator[Hit]:
    acts = found.done
    rotations = acts[acts["operation"].str.lower().isin(["keyrotate", "keyrotateifdue"])]
    routine = rotations[_recurring(rotations, found, same_hour=False)]
    for rows in stretches(routine, pause=pd.Timedelta(days=45)):
        yield Hit(title(f"Routine key rotation, {times(len(rows))}", rows), "info", "medium", rows)


_DOCS: Final = "https://learn.microsoft.com/azure/key-vault/managed-hsm/"

RULES: Final = (
    Rule(
        id="security-domain-download",
        title="Security domain downloaded",
        severity="critical",
        confidence="high",
        techniques=("T1552.004", "T1555.006"),
        why="The security domain with enough of its wrapping keys and any full backup makes a working copy of this HSM "
        "with every key, somewhere else. Once the HSM is activated nothing in daily work needs a download.",
        benign="The first download activates a new HSM; administrators may repeat it, on record and with several "
        "people present, when holders of the wrapping keys change.",
        next_step="Ask all holders of the wrapping keys now whether they asked for it. If not, treat every key as "
        "copied: keep the logs, remove the principal's roles (az keyvault role assignment list --hsm-name HSM), and "
        "plan a new HSM and re-encryption; rotating keys in place does not help against a copy.",
        operations=("SecurityDomainBackup", "SecurityDomainBackupStatusGet"),
        classes=("security_domain",),
        reference=_DOCS + "security-domain",
        check=_security_domain,
    ),
    Rule(
        id="full-backup-not-routine",
        title="Full backup outside the routine",
        severity="high",
        confidence="high",
        techniques=("T1537", "T1530"),
        why="A full backup holds every key, version and role assignment, and its destination is not in the log. With "
        "the security domain it restores to another HSM.",
        benign="A manual backup before maintenance or a restore test, or a new backup job in its first days.",
        next_step="Look for the folder mhsm-NAME-YYYYMMDDhhmmss (the time of this event) in the logs of the storage "
        "accounts you own. If no account of yours received it at that minute, it left. Revoke the SAS or identity.",
        operations=("BackupCreate",),
        classes=("hsm_backup",),
        reference=_DOCS + "backup-restore",
        check=_odd_backups,
    ),
    Rule(
        id="key-backup-many",
        title="Keys backed up",
        severity="medium",
        confidence="high",
        techniques=("T1555.006",),
        why="A key's backup blob can be restored to any HSM with the same security domain. Many in a row is how one "
        "takes them along; three keys or more, or any by a caller that departs from its routine, are raised.",
        benign="A migration, or a backup job that exports key by key.",
        next_step="Ask the owner of the keys. Check whether the security domain was downloaded too; if it was, the "
        "blobs are usable and the keys must be replaced (az keyvault key rotate after containment, then re-encrypt).",
        operations=("KeyBackup",),
        classes=("key_backup",),
        reference=_DOCS + "backup-restore",
        check=_key_backups,
    ),
    Rule(
        id="restore-or-upload",
        title="Restore, or upload of a security domain",
        severity="high",
        confidence="high",
        techniques=("T1485", "T1490"),
        why="A full restore overwrites keys and role assignments with those of the backup, and nothing else can use "
        "the HSM while it runs. An upload starts a recovery with somebody's security domain.",
        benign="A disaster recovery exercise, or the recovery of one key.",
        next_step="Ask who runs the exercise. If nobody does: az keyvault role assignment list --hsm-name HSM, compare "
        "with the last known list (a restore brings back old grants), and check the storage account it came from.",
        operations=("RestoreCreate", "SelectiveKeyRestoreCreate", "SecurityDomainRestore"),
        classes=("hsm_restore", "security_domain"),
        reference=_DOCS + "disaster-recovery-guide",
        check=_restores,
    ),
    Rule(
        id="key-release",
        title="Key released from the HSM",
        severity="medium",
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
        check=_releases,
    ),
    Rule(
        id="routine-full-backup",
        title="Full backup, recognised as routine",
        severity="info",
        confidence="high",
        techniques=(),
        why="The same principal took it from the same address at about the same hour on five days or more (three where "
        "the history is shorter). Told so that it can be checked, not as an alarm.",
        benign="This is the benign case. An intruder with the job's identity on the job's machine looks the same.",
        next_step="Confirm once that the job is yours and where its backups go.",
        operations=("BackupCreate",),
        classes=("hsm_backup",),
        reference=_DOCS + "backup-restore",
        check=_routine_backups,
    ),
    Rule(
        id="routine-key-rotation",
        title="Key rotation, recognised as routine",
        severity="info",
        confidence="medium",
        techniques=(),
        why="The same principal rotates keys from the same address on several days.",
        benign="This is the benign case: rotation by automation.",
        next_step="Confirm once that the automation is yours: az keyvault key rotation-policy show --hsm-name HSM "
        "--name KEY.",
        operations=("KeyRotate", "KeyRotateIfDue"),
        classes=("key_lifecycle",),
        reference=_DOCS + "key-rotation",
        check=_rotations,
    ),
)
