"""Rules on the use of keys: how much, by whom for the first time, and who looks around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ..text import visible
from ._readings import acts, either
from ._rule import ATTACK, DOCS, HISTORY_DAYS, Hit, Rule
from ._words import departs, keys_of, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_BURST: Final = 50  # fewer uses in an hour are no burst, whatever is usual
_USUAL_DAYS: Final = 4  # with use on fewer days nothing is usual
_MANY_KEYS: Final = 8  # listed or read in an hour
_SPREAD: Final = 3
_GUESSES: Final = 5
_LOW_AND_SLOW: Final = 3  # days


def _use_burst(found: Material) -> Iterator[Hit]:
    bursts = found.untold(found.asked("detect_use", least=_BURST), "key-rewrap")
    for rows in stretches(bursts):
        days, usual_peak = int(rows["days"].iloc[0]), rows["usual_peak"].iloc[0]
        usual = f"usually up to {usual_peak:,.0f} an hour" if days >= _USUAL_DAYS else "it hardly ever used keys before"
        keys = times(rows["key"].nunique(), "key")
        what = f"{times(len(rows), 'use')} of {keys} ({acts(rows)}; {usual})"
        known = "medium" if rows["known_days"].iloc[0] >= HISTORY_DAYS else "low"
        sure = "high" if days >= _USUAL_DAYS else known
        strange = departs(rows) and not _only_own(rows, found)
        yield Hit(title(what, rows), raised("medium", strange), sure, rows)


def _only_own(rows: pd.DataFrame, found: Material) -> bool:
    """Whether a principal used only keys that it made itself: whoever moves in does that, and a thief has none."""
    made = found.done[found.done["act"].isin(["KeyCreate", "KeyImport", "ManagedHsmKeyPut"])]
    own = made[made["actor"].isin(rows["actor"])]
    return bool(rows["key"].isin(own["key"]).all())


def _new_users(found: Material) -> pd.DataFrame:
    return found.untold(found.asked("detect_new_users", days=HISTORY_DAYS), "key-rewrap", "use-burst")


def _signs(found: Material) -> Iterator[Hit]:
    rows = _new_users(found)
    signs = rows[rows["kind"] == "sign"]
    for _, own in signs.groupby(["hsm", "actor"], dropna=False, sort=False):
        days = own["time"].dt.floor("D").nunique()
        if days < _LOW_AND_SLOW:
            continue
        keys = times(own["key"].nunique(), "key")
        what = f"Began to sign with {keys} that others use: {times(len(own))} on {times(days, 'day')}"
        yield Hit(title(what, own), raised("medium", departs(own)), "medium", own)


def _first_uses(found: Material) -> Iterator[Hit]:
    rows = found.untold(_new_users(found), "signing-oracle")
    for own in stretches(rows, by=("hsm", "actor"), pause=pd.Timedelta(days=1)):
        keys = own["key"].nunique()
        did = f"{acts(own)}, {times(len(own))}"
        what = f"Used {times(keys, 'key')} for the first time, that others use ({did})"
        yield Hit(title(what, own), raised("low", departs(own), keys >= _SPREAD), "medium", own)


def _enumerates(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.untold(found.asked("detect_reads", least=_MANY_KEYS), "keys-updated-many")):
        keys = rows["key"].nunique()
        if keys < _MANY_KEYS:
            continue
        known = found.has_history(rows)
        what = f"{times(keys, 'key')} {either(rows, 'listed or read')} in a row ({acts(rows)})"
        yield Hit(title(what, rows), raised("low", known and departs(rows)), "medium" if known else "low", rows)


def _guesses(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.asked("detect_missing")):
        wanted = rows["key"].fillna(rows["request_uri"]).nunique()
        if wanted < _GUESSES:
            continue
        some = ", ".join(visible(key, limit=40) for key in keys_of(rows)[:3])
        what = f"{times(wanted, 'name')} asked for that {'exists' if wanted == 1 else 'exist'} nowhere in this evidence"
        said = title(f"{what} ({some} …)" if some else what, rows)
        yield Hit(said, raised("low", departs(rows)), "medium", rows)


def _read(found: Material) -> Iterator[Hit]:
    rows = found.untold(found.asked("detect_rights_reads"), "enumeration")
    for stretch in stretches(rows[rows["new_address"] | rows["new_principal"]], by=("actor", "caller_ip")):
        yield Hit(title(f"Roles or settings read ({acts(stretch)})", stretch), "low", "medium", stretch)


RULES: Final = (
    Rule(
        id="use-burst",
        title="Far more use of keys than usual",
        question="enumeration",
        severity="high",
        rises="medium; high with a new address or principal, unless every key is its own make",
        confidence="medium",
        techniques=("T1555.006", "T1213"),
        why="Unwrapping or decrypting by the hundred opens the data that the key protects; signing by the hundred "
        "makes tokens or releases. The log doesn't hold what was opened.",
        benign="A batch job, a cache that was emptied, a load test, a new release of the application.",
        next_step="Ask the application's owner what ran at that minute, and look at the storage or database whose data "
        "keys these are: was it read from the same address? Disable the key only if the owner can bear it.",
        operations=("KeyUnwrap", "KeyDecrypt", "KeySign", "KeyWrap", "KeyEncrypt", "KeyVerify", "EkmProxyOperation"),
        classes=("crypto",),
        reference=DOCS + "scaling-guidance",
        days=3,
        gravity=3,
        check=_use_burst,
    ),
    Rule(
        id="signing-oracle",
        title="A new signer, low and slow",
        question="first-use",
        severity="medium",
        rises="medium; high with a new address or principal",
        confidence="medium",
        techniques=("T1553.002", "T1649", "T1606.002"),
        why="Days after others began to sign with a key, somebody else does so too, a little each day. Each signature may be "
        "a release, a certificate or a login token that the owner never made, and none stands out by its number.",
        benign="A second build machine, or a new instance of a service under an identity of its own.",
        next_step="Compare the signatures with what the owner released: count by day. Revoke the certificates of the key if "
        "signatures are left over.",
        operations=("KeySign",),
        reference=ATTACK + "T1553/002/",
        days=3,
        gravity=3,
        check=_signs,
    ),
    Rule(
        id="key-used-by-new-user",
        title="A key used by somebody who never did so",
        question="first-use",
        severity="low",
        rises="low; medium with a new address or principal, or from three keys; high with both",
        confidence="medium",
        techniques=("T1555.006", "T1213"),
        why="Unwrapping, decrypting or signing with a key that for days only others used: one call is enough to open what a "
        "data key protects.",
        benign="A new application on an existing key, a failover, a restore test.",
        next_step="Which role assignment lets it use the key, and since when? Ask the owner of the data.",
        operations=("KeyUnwrap", "KeyDecrypt", "KeySign"),
        reference=ATTACK + "T1555/006/",
        days=3,
        gravity=4,
        check=_first_uses,
    ),
    Rule(
        id="enumeration",
        title="Many keys listed or read in a row",
        question="enumeration",
        severity="medium",
        rises="low; medium with a new address or principal; nothing where the same principal does so on three days or more",
        confidence="medium",
        techniques=("T1526", "T1580"),
        why="Eight keys or more within an hour, by somebody who does not usually: it shows what there is, and precedes taking "
        "it. Roles and settings read in the same hour are part of it.",
        benign="An inventory, an audit, a backup tool in its first days.",
        next_step="What did the same principal and address do in the next days?",
        operations=("KeyList", "KeyListVersions", "KeyGet", "KeyListDeleted"),
        classes=("key_read",),
        reference=ATTACK + "T1526/",
        days=3,
        check=_enumerates,
    ),
    Rule(
        id="rights-read",
        title="Roles or settings read by a caller out of its routine",
        question="what-is-new",
        severity="low",
        rises="always low, and told only with a new address or principal",
        confidence="medium",
        techniques=("T1069.003", "T1087.004"),
        why="Reading who holds which role, and how the HSM is set, is how an intruder plans the next step.",
        benign="A new audit tool, or a deployment that compares the state before it changes it.",
        next_step="What did the same principal do in the next hour, and on the other HSMs?",
        operations=(
            "RoleAssignmentList",
            "RoleAssignmentGet",
            "RoleDefinitionList",
            "RoleDefinitionGet",
            "SettingList",
            "SettingGet",
        ),
        classes=("access_control", "settings"),
        reference=ATTACK + "T1069/003/",
        days=3,
        check=_read,
    ),
    Rule(
        id="guessed-names",
        title="Names asked for that do not exist",
        question="refusals",
        severity="low",
        rises="low; medium with a new address or principal",
        confidence="medium",
        techniques=("T1580", "T1526"),
        why="Five names of keys, or paths, that nobody reached in this evidence: somebody without the right to list tries out "
        "what there may be, or a scanner knocks.",
        benign="A deployment that asks for its keys before they exist, or a wrong name in a configuration.",
        next_step="Do the names look like yours? If so, from where does the caller know them?",
        classes=("key_read", "crypto", "unknown"),
        reference=ATTACK + "T1580/",
        check=_guesses,
    ),
)
