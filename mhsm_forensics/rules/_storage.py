"""Rules on the log of storage accounts: what became of full backups after the HSM wrote them.

A full backup is a folder ``mhsm-<hsm>-<time of the command>``; its name is how a request is known to be about one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._rule import DOCS, Hit, Rule
from ._words import departs, names, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_FOLDER: Final = r"(?i)(?:^|/)mhsm-(.+)-(\d{14,16})(?:/|$)"
_READS: Final = ("getblob", "copyblob", "copyblobfromurl", "readfile")  # of properties alone nobody learns a key
_ROUTINE_DAYS: Final = 3
_SAME_ACT: Final = pd.Timedelta(minutes=5)
_AFTER_PURGE: Final = pd.Timedelta(days=7)


def _backups(found: Material) -> pd.DataFrame:
    """Successful requests about folders of full backups, with the HSM and the folder."""
    rows = found.table("blob_requests")
    parts = rows["blob"].str.extract(_FOLDER)
    done = rows["outcome"].isin(["success", "accepted"]) & parts[0].notna()
    rows = rows.assign(hsm=parts[0].str.lower(), folder=parts[1], verb=rows["operation"].str.lower().fillna(""))
    return rows[done]


def _by_strangers(rows: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Rows of whoever did so on fewer days than make a routine."""
    days = rows.assign(day=rows["time"].dt.floor("D")).groupby(list(by), dropna=False)["day"].transform("nunique")
    return rows[days < _ROUTINE_DAYS]


def _read(found: Material) -> Iterator[Hit]:
    rows = _backups(found)
    reads = rows[rows["verb"].isin(_READS)]
    strangers = _by_strangers(reads, "account", "caller_ip")
    for rows in stretches(strangers, by=("account", "hsm", "caller_ip", "auth_hash"), pause=pd.Timedelta(days=1)):
        blobs = f"{times(rows['folder'].nunique(), 'folder')}, {times(len(rows), 'blob')}"
        what = f"Full backup read: {blobs} in {names(rows['container'])}"
        size = rows["sent_bytes"].sum()
        more = f"; {int(size):,} bytes, with {names(rows['auth_type'])}"
        outside = bool((rows["ip_scope"] == "public").fillna(value=False).any())
        yield Hit(title(what, rows, more=more), raised("medium", outside, departs(rows)), "high", rows)


def _elsewhere(found: Material) -> Iterator[Hit]:
    rows = _backups(found)
    writes = rows[rows["verb"].str.startswith(("putblob", "putblock", "appendblock", "flushfile", "createfile"))]
    places = writes.groupby(["account", "container"], dropna=False)["folder"].transform("nunique")
    for _, about in writes.assign(places=places).groupby("hsm", sort=False):
        usual = int(about["places"].max())
        odd = about[about["places"] * _ROUTINE_DAYS <= usual]
        for put in stretches(odd, by=("account", "container", "folder")):
            where = f"{names(put['account'])}/{names(put['container'])}"
            what = (
                f"Full backup written to {where}, which held {put['places'].iloc[0]:,} of them, another place {usual:,}"
            )
            yield Hit(title(what, put), raised("medium", _odd_backup_near(found, put)), "medium", put)


def _odd_backup_near(found: Material, put: pd.DataFrame) -> bool:
    """Whether a backup that is no routine was asked for on the same HSM just before."""
    acts = found.acts
    odd = acts[acts["event_id"].isin(found.told("full-backup-not-routine")) & acts["hsm"].isin(put["hsm"])]
    return bool((put["time"].min() - odd["time"]).abs().le(_SAME_ACT).any())


def _deleted(found: Material) -> Iterator[Hit]:
    rows = _backups(found)
    gone = _by_strangers(
        rows[rows["verb"].str.startswith(("deleteblob", "deletefile", "deletepath"))], "account", "caller_ip"
    )
    acts = found.acts
    purges = acts.loc[acts["event_id"].isin(found.told("keys-purged", "keys-deleted", "hsm-deleted")), "time"]
    for rows in stretches(gone, by=("account", "hsm", "caller_ip")):
        near = bool((purges - rows["time"].min()).abs().le(_AFTER_PURGE).any())
        what = f"Full backup deleted: {times(rows['folder'].nunique(), 'folder')}, {times(len(rows), 'blob')}"
        yield Hit(title(what, rows), raised("medium", near, departs(rows)), "high", rows)


_NEEDS: Final = ("blob_requests",)
_LOGS: Final = "https://learn.microsoft.com/azure/storage/blobs/monitor-blob-storage-reference"

RULES: Final = (
    Rule(
        id="backup-read",
        title="Full backup read from the storage account",
        question="backup-left",
        severity="high",
        rises="medium; high from a public address, and one more from an address that is new in the HSM's log; nothing where "
        "the same address reads backups on three days or more",
        confidence="high",
        techniques=("T1530", "T1537"),
        why="Somebody who never does so took the blobs of a full backup. With the security domain they restore to another "
        "HSM, every key and role assignment included.",
        benign="A restore test, or a copy to another region by somebody who does it rarely.",
        next_step="Whose address is it? If nobody knows it, the backup is out: was the security domain downloaded too? "
        "Revoke the SAS (rotate the account's key or the stored access policy).",
        tables=_NEEDS,
        reference=_LOGS,
        gravity=2,
        check=_read,
    ),
    Rule(
        id="backup-elsewhere",
        title="Full backup written to an unusual place",
        question="backup-left",
        severity="medium",
        rises="medium; high where a full backup outside any routine was asked for at the same minute",
        confidence="medium",
        techniques=("T1537", "T1074.002"),
        why="The HSM writes a backup where whoever asks wants it. This one went to a container that hardly ever held one.",
        benign="A manual backup before maintenance, or a new container for the routine.",
        next_step="Who can read that container, and by which signature was it written? Keep the folder as evidence before "
        "anything is deleted.",
        tables=_NEEDS,
        reference=DOCS + "backup-restore",
        gravity=2,
        check=_elsewhere,
    ),
    Rule(
        id="backup-deleted",
        title="Full backup deleted from the storage account",
        question="purged",
        severity="medium",
        rises="medium; one more within a week of deleted or purged keys, and one more from an address that is new in the HSM's "
        "log; nothing where the same address deletes backups on three days or more",
        confidence="high",
        techniques=("T1490", "T1485"),
        why="A purged key comes back from a full backup only. Whoever deletes keys and backups means it.",
        benign="Old backups are tidied away by hand.",
        next_step="az storage blob undelete, while soft delete keeps them. Which backups are left, and are they older than "
        "the loss?",
        tables=_NEEDS,
        reference=_LOGS,
        gravity=1,
        check=_deleted,
    ),
)
