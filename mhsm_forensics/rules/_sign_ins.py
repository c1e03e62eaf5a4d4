"""Rules on the sign-ins of whoever is seen in the HSM's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._rule import ATTACK, Hit, Rule
from ._words import joined, names, raised, stretches, times, title, truly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_MANY_FAILURES: Final = 5
_THEN: Final = pd.Timedelta(hours=1)
_USUAL_DAYS: Final = 3
_RISKY: Final = ("medium", "high")
_WHO: Final = ("actor",)


def _signins(found: Material) -> pd.DataFrame:
    """Sign-ins of identities that are in the events."""
    rows = found.table("signins")
    if rows.empty:
        return rows
    return rows[rows["object_id"].isin(found.identities)].sort_values(["time", "event_id"])


def _guessed(found: Material) -> Iterator[Hit]:
    for rows in stretches(_signins(found), by=_WHO, pause=_THEN):
        failed = truly(rows["outcome"] == "failure")
        before = failed.cumsum().shift(fill_value=0)
        through = rows[truly(rows["outcome"] == "success") & (before >= _MANY_FAILURES)]
        if through.empty:
            continue
        before_it = rows[failed & (rows["time"] <= through["time"].iloc[0])]
        told = joined(before_it, through.head(1))
        what = f"{times(len(before_it), 'failed sign-in')}, then one that succeeded"
        yield Hit(title(what, told), raised("medium", bool(told["new_address"].any())), "medium", told)


def _new_address(found: Material) -> Iterator[Hit]:
    rows = _signins(found)
    for _, own in rows.groupby(list(_WHO), dropna=False, sort=False):
        first = own.dropna(subset="caller_ip").groupby("caller_ip")["time"].min()
        for address, moment in first.items():
            days = own.loc[own["time"] < moment, "time"].dt.floor("D").nunique()
            told = found.untold(own[own["caller_ip"] == address], "signin-guessed")
            if days < _USUAL_DAYS or not (told["outcome"] == "success").any():
                continue
            failed = int((told["outcome"] == "failure").sum())
            did = f"{times(len(told), 'sign-in')}, {failed:,} failed"
            what = f"Signed in from a new address after {days:,} days without it: {did}"
            seen = bool(told["new_address"].any())
            yield Hit(title(what, told.assign(new_address=False)), raised("low", seen), "medium", told)


def _risk(found: Material) -> Iterator[Hit]:
    rows = _signins(found)
    risky = rows[rows["risk"].str.lower().isin(_RISKY) & (rows["outcome"] == "success")]
    for told in stretches(risky, by=_WHO, pause=pd.Timedelta(days=1)):
        what = f"Sign-in that the directory found risky ({names(told['risk'])}), {times(len(told))}"
        grave = bool((told["risk"].str.lower() == "high").any())
        yield Hit(title(what, told), raised("medium", grave), "medium", told)


def _by_code(found: Material) -> Iterator[Hit]:
    rows = _signins(found)
    protocol = rows["auth_protocol"].str.lower().str.replace(" ", "")  # a portal may display deviceCode as two words
    asked = rows[protocol.isin(["devicecode", "ropc"]) & (rows["outcome"] == "success")]
    for told in stretches(asked, by=_WHO, pause=pd.Timedelta(days=1)):
        what = f"Signed in by {names(told['auth_protocol'])}, {times(len(told))}"
        yield Hit(title(what, told), raised("low", bool(told["new_address"].any())), "medium", told)


_NEEDS: Final = ("events", "signins")
_LOGS: Final = "https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-ins"

RULES: Final = (
    Rule(
        id="signin-guessed",
        title="Many failed sign-ins, then one that succeeded",
        question="sign-ins",
        severity="medium",
        rises="medium; high from an address that is new in the HSM's log",
        confidence="medium",
        techniques=("T1110", "T1078.004"),
        why="Five or more sign-ins of an identity that uses the HSM failed, and within the hour one succeeded: a secret was "
        "guessed, or tried until it worked.",
        benign="An expired secret that was renewed, or a person who mistyped.",
        next_step="Read the error codes of the failures. Change the credential, and read what the identity did on the HSM "
        "since.",
        tables=_NEEDS,
        reference=ATTACK + "T1110/",
        gravity=4,
        check=_guessed,
    ),
    Rule(
        id="signin-new-address",
        title="Sign-in from a new address",
        question="sign-ins",
        severity="low",
        rises="low; medium where the HSM's log knows the address as new too",
        confidence="medium",
        techniques=("T1078.004",),
        why="An identity that uses the HSM and signed in from the same few addresses for days does so from another one.",
        benign="A person who travels, a service that moved.",
        next_step="Whose address is it? Which other resources did the token open? Revoke the sessions or the secret if nobody "
        "knows.",
        tables=_NEEDS,
        reference=_LOGS,
        gravity=5,
        check=_new_address,
    ),
    Rule(
        id="signin-risky",
        title="Risky sign-in",
        question="sign-ins",
        severity="medium",
        rises="medium; high where the directory says high",
        confidence="medium",
        techniques=("T1078.004", "T1550.001"),
        why="The directory itself doubted a sign-in of an identity that uses the HSM, and it succeeded.",
        benign="An unusual place or network that the person can explain.",
        next_step="Read the risk detection in Entra ID Protection, ask the person by another channel, and revoke the sessions.",
        tables=_NEEDS,
        column="risk",
        reference="https://learn.microsoft.com/entra/id-protection/concept-identity-protection-risks",
        gravity=4,
        check=_risk,
    ),
    Rule(
        id="signin-by-device-code",
        title="Sign-in by device code or by password alone",
        question="sign-ins",
        severity="low",
        rises="low; medium from an address that is new in the HSM's log",
        confidence="medium",
        techniques=("T1528", "T1550.001"),
        why="A device code is typed on one machine and gives the token to another: a common way to phish one. A password "
        "handed to a program (ROPC) passes by a second factor.",
        benign="An administrator on a machine without a browser, or an old script.",
        next_step="Ask the person whether they typed a code at that minute. Block the flow by conditional access.",
        tables=_NEEDS,
        reference="https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows",
        check=_by_code,
    ),
)
