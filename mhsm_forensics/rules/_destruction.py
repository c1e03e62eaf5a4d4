"""Rules on what is gone: keys, the HSM itself, and whoever needed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import spell, visible
from ._readings import either, has, is_open, weighed
from ._rule import ATTACK, DOCS, Hit, Rule
from ._words import (
    confidence,
    departs,
    joined,
    names,
    on,
    outcome,
    raised,
    stretches,
    times,
    title,
    truly,
    unless_done,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_PAIRED: Final = pd.Timedelta(days=7)  # deleted and purged within a week belong together
_REWRAPPED: Final = 20  # data keys in an hour
_PREPARED: Final = pd.Timedelta(days=7)


def _destroyed(found: Material) -> pd.DataFrame:
    acts = found.possible
    acts = acts[acts["operation_class"].isin(["key_lifecycle", "key_read"]) & has(acts["effect"], "destroy")]
    return acts.assign(purge=truly(acts["gravest"] == "KeyPurge") | truly(acts["object_type"] == "deleted_key"))


def _deletions(found: Material) -> Iterator[Hit]:
    acts = _destroyed(found)
    for rows in stretches(acts[~acts["purge"]]):
        count = rows["key"].nunique()
        severity = raised("low", count > 2, departs(rows), departs(rows) and count <= 2)
        what = f"{times(count, 'key')} {either(rows, 'deleted')}{unless_done(rows)}"
        yield Hit(title(what, rows), weighed(severity, rows), confidence(rows), rows)


def _purges(found: Material) -> Iterator[Hit]:
    acts = _destroyed(found)
    deletions = acts[~acts["purge"]].drop_duplicates("key", keep="last").to_dict("records")
    deleted = {row["key"]: row["time"] for row in deletions}
    for rows in stretches(acts[acts["purge"]]):
        count = rows["key"].nunique()
        severity = raised("high", departs(rows) or count > 1)
        what = f"{times(count, 'key')} {either(rows, 'purged')} for good{unless_done(rows)}"
        more = _after_deletion(rows, deleted)
        yield Hit(title(what, rows, more=more), weighed(severity, rows), confidence(rows), rows)


def _after_deletion(rows: pd.DataFrame, deleted: dict[tuple[Any, Any], Any]) -> str:
    """Say how many were deleted shortly before: soft delete was there to give more time than that."""
    purged = rows[["key", "time"]].to_dict("records")
    delays = [row["time"] - deleted[row["key"]] for row in purged if row["key"] in deleted]
    delays = [delay for delay in delays if pd.Timedelta(0) <= delay <= _PAIRED]
    if not delays:
        return ""
    return f"; {len(delays):,} deleted at most {spell(max(delays).total_seconds())} before"


def _rewrapped(found: Material) -> Iterator[Hit]:
    uses = found.asked("detect_rewrap", least=_REWRAPPED)
    for _, pair in uses.groupby(["old_key", "new_key"], sort=False):
        for rows in stretches(pair):
            made, ended = _before_and_after(found.possible, rows)
            old, new = (visible(rows[name].iloc[0].partition("/")[2], limit=60) for name in ("old_key", "new_key"))
            opened = int((rows["kind"] == "open").sum())
            what = f"{opened:,} data keys opened with {old} and {len(rows) - opened:,} closed with {new}"
            parts = ((made, f"{new} made by it before"), (ended, f"{old} deleted or changed by it after"))
            more = "".join(f"; {said}" for acts, said in parts if len(acts))
            whole = joined(rows, made, ended).drop_duplicates("event_id")
            severity = raised("medium", departs(rows) or len(made) > 0, len(ended) > 0)
            yield Hit(title(what, rows, more=more), severity, "medium", whole)


def _before_and_after(acts: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return acts of the same principal that made the new key before, and that ended or changed the old one after."""
    old, new = rows["old_key"].iloc[0], rows["new_key"].iloc[0]
    own = acts[acts["actor"].isin(rows["actor"]) & acts["hsm"].isin(rows["hsm"])]
    made = has(own["act"], "KeyCreate", "KeyImport", "KeyRestore", "ManagedHsmKeyPut") & (own["key"] == new)
    ends = has(own["act"], "KeyDelete", "KeyPurge", "KeyUpdate") & (own["key"] == old)
    first, last = rows["time"].min(), rows["time"].max()
    return (
        own[made & own["time"].between(first - _PREPARED, last)],
        own[ends & own["time"].between(first, last + _PREPARED)],
    )


def _hsm_deleted(found: Material) -> Iterator[Hit]:
    acts = found.possible
    acts = acts[acts["operation_class"].isin(["management", "network"]) & has(acts["effect"], "destroy")]
    activity = found.table("activity")
    folded = activity["operation"].str.lower().fillna("")
    ended = folded.isin(["microsoft.keyvault/managedhsms/delete"]) | folded.str.endswith(
        "deletedmanagedhsms/purge/action"
    )
    told = activity[ended & activity["outcome"].isin(["success", "accepted", "unknown"])]
    for rows in stretches(joined(acts, told), by=("hsm", "actor")):
        what = (
            f"The HSM itself {either(rows, 'deleted' if is_open(rows).any() else 'deleted or purged')}, {outcome(rows)}"
        )
        yield Hit(title(what, rows), weighed("critical", rows), confidence(rows), rows)


def _lost(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_lost")
    for _, about in rows.groupby(["hsm"], dropna=False, sort=False):
        callers = times(about["actor"].nunique(), "principal")
        what = f"{callers} asked {times(len(about))} for {times(about['key'].nunique(), 'key')} that were deleted"
        yield Hit(f"{what}: {names(about['key_name'])}{on(about)}, {when(about)}", "low", "high", about)


RULES: Final = (
    Rule(
        id="keys-purged",
        title="Keys purged",
        question="purged",
        severity="high",
        rises="high; critical from two keys, or with a new address or principal",
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
        reference=DOCS + "soft-delete-overview",
        gravity=1,
        check=_purges,
    ),
    Rule(
        id="keys-deleted",
        title="Keys deleted",
        question="recoverable",
        severity="low",
        rises="low; medium from three keys; high with a new address or principal",
        confidence="high",
        techniques=("T1485",),
        why="Whoever needs a deleted key fails from that minute on. It can be recovered until it is purged or the "
        "retention period (7 to 90 days) ends.",
        benign="A key at the end of its life, on a ticket.",
        next_step="az keyvault key list-deleted --hsm-name HSM, then az keyvault key recover --hsm-name HSM --name KEY "
        "for each that is still wanted, after the principal's roles are gone.",
        operations=("KeyDelete",),
        classes=("key_lifecycle",),
        reference=DOCS + "soft-delete-overview",
        gravity=2,
        check=_deletions,
    ),
    Rule(
        id="key-rewrap",
        title="Data keys moved from one key to another",
        question="key-changes",
        severity="high",
        rises="medium; one more with a new address, a new principal or a new key made by the same principal, and one more "
        "where it then deletes, purges or changes the old key",
        confidence="medium",
        techniques=("T1486",),
        why="Whoever unwraps data keys with one key and wraps as many with another takes the data over to the other key. "
        "With the old key gone, only who controls the new one can open the data: the pattern of a ransom.",
        benign="A planned move to a new key, after which the old one is kept for a while.",
        next_step="Keep the old key: az keyvault key recover if it is deleted, and turn on purge protection. Who made the new "
        "key, was it imported, and does anybody but the principal hold it?",
        operations=("KeyUnwrap", "KeyDecrypt", "KeyWrap", "KeyEncrypt"),
        classes=("crypto",),
        reference=ATTACK + "T1486/",
        gravity=1,
        check=_rewrapped,
    ),
    Rule(
        id="hsm-deleted",
        title="The HSM deleted or purged",
        question="recoverable",
        severity="critical",
        rises="critical; high where the record leaves open whether it was deleted, changed or read, and the principal had made "
        "the same call before",
        confidence="high",
        techniques=("T1485",),
        why="With the HSM every key is gone for whoever needs it. It can be recovered until it is purged or the retention "
        "period ends; after that only the security domain and a full backup bring it back.",
        benign="An HSM of a test that is taken down, with its owner's knowledge.",
        next_step="az keyvault list-deleted --resource-type hsm, then az keyvault recover --hsm-name HSM --location REGION "
        "before it is purged. Take the right to delete from whoever did it.",
        operations=("ManagedHsmDelete", "ManagedHsmPurge"),
        classes=("management",),
        reference=DOCS + "soft-delete-overview",
        gravity=0,
        check=_hsm_deleted,
    ),
    Rule(
        id="callers-of-lost-keys",
        title="Callers of keys that were deleted",
        question="what-breaks",
        severity="low",
        rises="always low: it tells the damage, not the deed",
        confidence="high",
        techniques=("T1489",),
        why="These callers asked for a key after its deletion and got 404: whatever they serve stands still, or will once "
        "their caches run out.",
        benign="The key was retired and these callers were forgotten.",
        next_step="Tell the owners. Recover the key if it is only deleted; for a purged one find the last backup before the "
        "purge.",
        classes=("crypto", "key_read"),
        reference=DOCS + "soft-delete-overview",
        gravity=6,
        broad=True,
        check=_lost,
    ),
)
