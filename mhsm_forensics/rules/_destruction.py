"""Rules on keys that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import spell
from ._rule import Hit, Material, Rule, confidence, departs, raised, stretches, times, title, unless_done

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAIRED: Final = pd.Timedelta(days=7)  # deleted and purged within a week belong together


def _destroyed(found: Material) -> pd.DataFrame:
    acts = found.done
    acts = acts[acts["operation_class"].isin(["key_lifecycle", "key_read"]) & (acts["effect"] == "destroy")]
    purge = acts["operation"].str.lower().str.contains("purge").fillna(value=False).astype(bool)
    return acts.assign(purge=purge | (acts["object_type"] == "deleted_key").fillna(value=False).astype(bool))


def _deletions(found: Material) -> Iterator[Hit]:
    acts = _destroyed(found)
    for rows in stretches(acts[~acts["purge"]]):
        count = rows["key_name"].nunique()
        severity = raised("low", count > 2, departs(rows), departs(rows) and count <= 2)
        yield Hit(title(f"{times(count, 'key')} deleted{unless_done(rows)}", rows), severity, confidence(rows), rows)


def _purges(found: Material) -> Iterator[Hit]:
    acts = _destroyed(found)
    deletions = acts[~acts["purge"]].drop_duplicates(["hsm", "key_name"], keep="last").to_dict("records")
    deleted = {(row["hsm"], row["key_name"]): row["time"] for row in deletions}
    for rows in stretches(acts[acts["purge"]]):
        count = rows["key_name"].nunique()
        severity = raised("high", departs(rows) or count > 1)
        what = f"{times(count, 'key')} purged for good{unless_done(rows)}"
        yield Hit(title(what, rows, more=_after_deletion(rows, deleted)), severity, confidence(rows), rows)


def _after_deletion(rows: pd.DataFrame, deleted: dict[tuple[Any, Any], Any]) -> str:
    """Say how many were deleted shortly before: soft delete was there to give more time than that."""
    purged = rows[["hsm", "key_name", "time"]].to_dict("records")
    delays = [row["time"] - deleted[place] for row in purged if (place := (row["hsm"], row["key_name"])) in deleted]
    delays = [delay for delay in delays if pd.Timedelta(0) <= delay <= _PAIRED]
    if not delays:
        return ""
    return f"; {len(delays):,} deleted at most {spell(max(delays).total_seconds())} before"


_DOCS: Final = "https://learn.microsoft.com/azure/key-vault/managed-hsm/"

RULES: Final = (
    Rule(
        id="keys-purged",
        title="Keys purged",
        severity="high",
        confidence="high",
        techniques=("T1485", "T1486"),
        why="A purged key is gone for good: whatever only it can open is lost, unless a backup of the key or the HSM "
        "from before exists. A purge soon after the deletion defeats soft delete.",
        benign="Clean-up of test keys, or freeing a name that a deployment needs again.",
        next_step="Stop further loss first: remove the principal's roles, and turn on purge protection (az keyvault "
        "update-hsm --hsm-name HSM --enable-purge-protection true). Then find the last full backup before the purge; "
        "a single key comes back with az keyvault key restore --hsm-name HSM.",
        operations=("KeyPurge",),
        classes=("key_lifecycle",),
        reference=_DOCS + "soft-delete-overview",
        check=_purges,
    ),
    Rule(
        id="keys-deleted",
        title="Keys deleted",
        severity="low",
        confidence="high",
        techniques=("T1485",),
        why="Whoever needs a deleted key fails from that minute on. It can be recovered until it is purged or the "
        "retention period (7 to 90 days) ends.",
        benign="A key at the end of its life, on a ticket.",
        next_step="az keyvault key list-deleted --hsm-name HSM, then az keyvault key recover --hsm-name HSM --name KEY "
        "for each that is still wanted, after the principal's roles are gone.",
        operations=("KeyDelete",),
        classes=("key_lifecycle",),
        reference=_DOCS + "soft-delete-overview",
        check=_deletions,
    ),
)
