"""Rules on the root of trust: the security domain, full backups, restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._readings import has, is_open
from ._routine import recurring
from ._rule import DOCS, Hit, Rule
from ._words import confidence, departs, outcome, raised, stretches, times, title, truly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_TOGETHER: Final = pd.Timedelta(days=7)  # with a backup that near, the security domain makes a copy of the HSM
_RESTORING: Final = 3600  # seconds, in which the HSM may refuse everybody else


def _security_domain(found: Material) -> Iterator[Hit]:
    acts = found.acts
    touched = acts[(acts["operation_class"] == "security_domain") & ~acts["outcome"].isin(["denied", "failure"])]
    backups = found.done[found.done["effect"] == "export"]
    for rows in stretches(touched[touched["effect"].isin(["export", "read"])]):
        downloads = rows[rows["effect"] == "export"]
        if downloads.empty:
            continue
        polls = len(rows) - len(downloads)
        more = f"; then asked {times(polls)} how far it is" if polls else ""
        severity = raised("high", departs(rows) or found.has_history(rows))
        what = f"Security domain download {outcome(downloads)}"
        said = title(what, downloads, more=more + _with_backups(backups, downloads))
        yield Hit(said, severity, confidence(downloads), rows)


def _with_backups(backups: pd.DataFrame, downloads: pd.DataFrame) -> str:
    """Say what the same principal backed up at about that time: together they are a copy of the HSM."""
    near = (backups["time"] - downloads["time"].iloc[0]).abs() <= _TOGETHER
    backups = backups[near & truly(backups["actor"] == downloads["actor"].iloc[0])]
    full = int((backups["operation_class"] == "hsm_backup").sum())
    keys = backups.loc[backups["operation_class"] == "key_backup", "key"].drop_duplicates()
    parts = ((full, "full backup"), (len(keys), "key backup"))
    said = " and ".join(times(count, noun) for count, noun in parts if count)
    return f"; {said} by it within {_TOGETHER.days} days" if said else ""


def _uploads(found: Material) -> Iterator[Hit]:
    acts = found.done
    for rows in stretches(acts[(acts["operation_class"] == "security_domain") & (acts["effect"] == "change")]):
        what = f"Security domain upload {outcome(rows)}"
        yield Hit(title(what, rows), raised("high", departs(rows)), confidence(rows), rows)


def _restores(found: Material) -> Iterator[Hit]:
    acts, outages = found.done, found.ask("detect_outage", seconds=_RESTORING)
    removals = found.possible[has(found.possible["act"], "RoleAssignmentDelete", "RoleDefinitionDelete")]
    for rows in stretches(acts[(acts["operation_class"] == "hsm_restore") & (acts["effect"] != "read")]):
        whole = rows[rows["effect"] == "destroy"]
        keys = rows["key"].nunique()
        some = f"Restore of {times(keys, 'key')}" if keys else "Restore of something that the log does not name"
        what = "Restore of the whole HSM" if len(whole) else some
        said = title(f"{what} {outcome(rows)}", rows, more=_undone(removals, rows) + _outage(outages, rows))
        yield Hit(said, raised("high" if len(whole) else "medium", departs(rows)), confidence(rows), rows)


def _undone(removals: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Say how many removals of rights a restore may have undone."""
    gone = removals[truly((removals["hsm"] == rows["hsm"].iloc[0]) & (removals["time"] < rows["time"].min()))]
    about = "up to " if is_open(gone).any() else ""
    return f"; {about}{times(len(gone), 'removal')} of rights before it may be undone" if len(gone) else ""


def _outage(outages: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Say how many requests of others failed while the HSM was restored, or soon after."""
    failed = int(outages.loc[outages["event_id"].isin(rows["event_id"]), "failed"].sum())
    return f"; {times(failed, 'request')} of others failed in the hour after" if failed else ""


def _full_backups(found: Material) -> pd.DataFrame:
    """Full backups, each with whether it is part of a routine: same principal and address, about the same hour."""
    acts = found.done
    backups = acts[(acts["operation_class"] == "hsm_backup") & (acts["effect"] == "export")]
    return backups.assign(routine=recurring(backups, found, same_hour=True))


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


RULES: Final = (
    Rule(
        id="security-domain-download",
        title="Security domain downloaded",
        question="domain-download",
        severity="critical",
        rises="high; critical with a new address or principal, or after days of evidence without one",
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
        reference=DOCS + "security-domain",
        gravity=0,
        check=_security_domain,
    ),
    Rule(
        id="security-domain-upload",
        title="Security domain uploaded",
        question="domain-upload",
        severity="high",
        rises="high; critical with a new address or principal",
        confidence="high",
        techniques=("T1485", "T1490"),
        why="An upload starts a recovery: the HSM takes over somebody's security domain, and a restore that follows puts "
        "that somebody's keys and role assignments in place of yours.",
        benign="A disaster recovery exercise, or a new HSM that takes over from an old one.",
        next_step="Ask the holders of the wrapping keys who runs the exercise. If nobody does, stop before the restore: "
        "remove the principal's roles, and compare az keyvault role assignment list --hsm-name HSM with the last known list.",
        operations=("SecurityDomainRestore",),
        classes=("security_domain",),
        reference=DOCS + "disaster-recovery-guide",
        gravity=1,
        check=_uploads,
    ),
    Rule(
        id="full-backup-not-routine",
        title="Full backup outside the routine",
        question="full-backups",
        severity="high",
        rises="low without history; high; critical with a new address or principal",
        confidence="high",
        techniques=("T1537", "T1530"),
        why="A full backup holds every key, version and role assignment, and its destination is not in the log. With "
        "the security domain it restores to another HSM.",
        benign="A manual backup before maintenance or a restore test, or a new backup job in its first days.",
        next_step="Look for a folder mhsm-NAME-YYYYMMDDhhmmss and two more digits in the logs of the storage accounts you "
        "own: the time is that of the job's start, up to some seconds after this event. If no account of yours received it, it "
        "left. Revoke the SAS or identity.",
        operations=("BackupCreate",),
        classes=("hsm_backup",),
        reference=DOCS + "backup-restore",
        gravity=2,
        days=3,
        check=_odd_backups,
    ),
    Rule(
        id="hsm-restored",
        title="HSM or key restored from a full backup",
        question="restores",
        severity="high",
        rises="medium for single keys, high for the HSM; one more with a new address or principal",
        confidence="high",
        techniques=("T1485", "T1490", "T1489"),
        why="A full restore overwrites keys and role assignments with those of the backup, so that rights taken away "
        "come back, and nothing else can use the HSM while it runs. A single key comes back after its purge.",
        benign="A disaster recovery exercise, or the recovery of one key.",
        next_step="Ask who runs the exercise. If nobody does: az keyvault role assignment list --hsm-name HSM, compare "
        "with the last known list, and check the storage account that the backup came from.",
        operations=("RestoreCreate", "SelectiveKeyRestoreCreate"),
        classes=("hsm_restore",),
        reference=DOCS + "backup-restore",
        gravity=1,
        check=_restores,
    ),
    Rule(
        id="routine-full-backup",
        title="Full backup, recognised as routine",
        question="full-backups",
        severity="info",
        rises="never; from a new address it is no routine",
        confidence="high",
        techniques=(),
        why="The same principal took it from the same address at about the same hour on five days or more (three where "
        "the history is shorter). Told so that it can be checked, not as an alarm.",
        benign="This is the benign case. An intruder with the job's identity on the job's machine looks the same.",
        next_step="Confirm once that the job is yours and where its backups go.",
        operations=("BackupCreate",),
        classes=("hsm_backup",),
        reference=DOCS + "backup-restore",
        check=_routine_backups,
    ),
)
