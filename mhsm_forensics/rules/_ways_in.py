"""Rules on ways in: new places, new people, stolen tokens, odd hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ..text import spell
from ._readings import acts as acts_of
from ._readings import has
from ._rule import ATTACK, HISTORY_DAYS, Hit, Rule
from ._words import departs, names, raised, stretches, times, title, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_TURNS: Final = 4
_AT_ONCE: Final = 600  # seconds
_USUAL_DAYS: Final = 5
_SILENT_DAYS: Final = 14
_LOGGED_DAYS: Final = 10  # of a silence, on which its HSMs logged: two weeks of work
_WHERE: Final = ("actor", "caller_ip")
_A_DAY: Final = pd.Timedelta(days=1)
_MIRID: Final = "managed_identity"


def _machines(found: Material) -> Iterator[Hit]:
    news = found.places[(found.places["kind"] == "caller_ip") & (found.places["principal_type"] == _MIRID)]
    for rows in _by_arrival(found.flagged(news)):
        did = f"{times(len(rows), 'request')}, {_denied(rows):,} denied"
        outside = bool((rows["ip_scope"] == "public").fillna(value=False).any())
        kind, count = "public " if outside else "", rows["caller_ip"].nunique()
        what = f"Managed identity at {f'a new {kind}address' if count == 1 else f'{count} new {kind}addresses'}: {did}"
        said = title(what, rows.assign(new_client=False))
        yield Hit(said, raised("low", outside, bool(rows[["control", "may_control"]].any(axis=None))), "medium", rows)


def _new_addresses(found: Material) -> Iterator[Hit]:
    news = found.untold(found.places[found.places["kind"] == "caller_ip"], "managed-identity-elsewhere")
    for rows in _by_arrival(found.flagged(news)):
        privileged, acts, maybe = (
            rows["privileged"].iloc[0] == 1,
            int(rows["control"].sum()),
            int(rows["may_control"].sum()),
        )
        if not privileged and not (rows["effect"] == "use").any():
            continue
        did = f"{times(len(rows), 'request')}, {_up_to(acts, acts + maybe)} of them control operations, {_denied(rows):,} denied"
        earlier = f"{times(rows['earlier_days'].iloc[0], 'day')} with {rows['earlier_places'].iloc[0]:,} other"
        rows = rows.assign(new_client=False)
        count = rows["caller_ip"].nunique()
        what = f"{'New address' if count == 1 else f'{count} new addresses'} after {earlier}: {did}"
        yield Hit(title(what, rows), raised("low", privileged, acts + maybe > 0), "medium", rows)


def _up_to(least: int, most: int) -> str:
    """Count of what the log may leave open.

    >>> _up_to(3, 3), _up_to(0, 2)
    ('3', '0 to 2')
    """
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _by_arrival(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield what came from each address that a principal took up, or from all of those that it took up in a run."""
    firsts = rows.sort_values("time", kind="stable").drop_duplicates(list(_WHERE))
    firsts = firsts[list(_WHERE)].assign(_way=ways(firsts, _WHERE[:1], _A_DAY))
    for _, part in rows.merge(firsts, on=list(_WHERE)).groupby([*_WHERE[:1], "_way"], dropna=False, sort=False):
        yield part.drop(columns="_way")


def _new_clients(found: Material) -> Iterator[Hit]:
    news = found.places[(found.places["kind"] == "client") & (found.places["privileged"] == 1)]
    for rows in stretches(found.flagged(news), by=("actor",), pause=pd.Timedelta(days=2)):
        kind = "New clients" if "," in names(rows["client"]) else "New client"
        what = f"{kind} ({names(rows['client'])}), {times(len(rows), 'request')}"
        yield Hit(title(what, rows), raised("low", bool(rows["new_address"].any())), "low", rows)


def _newcomers(found: Material) -> Iterator[Hit]:
    for _, rows in found.flagged(found.newcomers).groupby(["actor"], dropna=False, sort=False):
        acts = rows["effect"].isin(["change", "export", "destroy", "destroy|change"]).sum()
        did = f"{times(len(rows), 'request')}, {acts:,} of them to change, export or destroy, {_denied(rows):,} denied"
        rows = rows.assign(new_address=False, new_client=False)
        what = f"First seen principal, {did}"
        yield Hit(title(what, rows), raised("low", bool(acts)), "low", rows)


def _tokens(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_tokens", days=HISTORY_DAYS - 1)
    shared = rows[rows["kind"] == "shared"]
    for own in stretches(shared, by=("actor",), pause=pd.Timedelta(days=1)):
        places = times(own["caller_ip"].nunique(), "address")
        what = f"{times(own['token_id'].nunique(), 'token')} used from {places}: {times(len(own), 'request')}"
        yield Hit(title(what, own), raised("medium", departs(own)), "medium", own)


def _tokens_moved(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_tokens", days=HISTORY_DAYS)
    moved = found.untold(rows[rows["kind"] == "moved"], "token-at-two-addresses")
    for own in stretches(moved, by=("actor",), pause=pd.Timedelta(days=1)):
        issued = names(own["token_ip"])
        what = f"Token issued to {issued} and used elsewhere: {times(len(own), 'request')}"
        yield Hit(title(what, own), raised("low", departs(own)), "medium", own)


def _two_places(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_two_places", days=HISTORY_DAYS, seconds=_AT_ONCE, turns=_TURNS)
    rows = found.untold(rows, "token-at-two-addresses")
    for own in stretches(rows, by=("actor",)):
        what = f"At work from {times(own['caller_ip'].nunique(), 'address')} in turn"
        yield Hit(title(what, own), raised("low", departs(own)), "medium", own)


def _odd_hours(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_hours", days=_USUAL_DAYS)
    rows = rows[~rows["event_id"].isin(found.loud)]
    for own in stretches(rows, by=("actor",)):
        grave = bool(has(own["effect"], "export", "destroy").any())
        what = f"{times(len(own), 'act')} at an hour or on a day without work before ({acts_of(own)})"
        yield Hit(title(what, own), raised("low", grave), "low", own)


def _dormant(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_dormant", days=_SILENT_DAYS, logged=_LOGGED_DAYS, hours=24)
    for _, own in rows.groupby(["actor", "return_t"], dropna=False, sort=False):
        silent, usual = (spell(own[f"{name}_seconds"].iloc[0]) for name in ("silent", "usual"))
        grave = has(own["effect"], "export", "destroy") | (own["operation_class"] == "access_control")
        strange = departs(own) or bool(own["new_client"].any())
        what = f"Back after {silent} of silence, its usual pause being {usual}: {acts_of(own)}, {times(len(own))}"
        yield Hit(title(what, own), raised("low", strange, bool(grave.any())), "low", own)


def _denied(rows: pd.DataFrame) -> int:
    return int((rows["outcome"] == "denied").sum())


RULES: Final = (
    Rule(
        id="managed-identity-elsewhere",
        title="Managed identity at a new address",
        question="addresses",
        severity="high",
        rises="low; one more from a public address, and one more with acts that change, export or destroy",
        confidence="medium",
        techniques=("T1552.005", "T1550.001", "T1078.004"),
        why="A managed identity has no secret that could be copied: its token is fetched on the machine that it belongs to. "
        "From another address, the token was taken from that machine.",
        benign="The machine moved, got another address, or is a scale set that grew.",
        next_step="Compare the address with those of the resource in managed_identity_id. If it is none of them, treat the "
        "machine as taken over, not the identity alone.",
        reference=ATTACK + "T1552/005/",
        days=3,
        gravity=4,
        broad=True,
        check=_machines,
    ),
    Rule(
        id="first-seen-address",
        title="Known principal, new address",
        question="addresses",
        severity="medium",
        rises="low for principals that only use keys; medium for those that ever changed, exported or destroyed; high where they "
        "did so from the new address",
        confidence="medium",
        techniques=("T1078.004", "T1550.001"),
        why="A principal that worked from the same few addresses for days turns up from another one: how a stolen "
        "secret or token looks. Told for principals that change, export or destroy, and for those that use keys.",
        benign="A moved service, a new gateway, a person on another network.",
        next_step="Whose address is it? Look for the principal's sign-ins from it in the Entra sign-in logs. If nobody "
        "knows it, revoke the credential: az ad app credential reset --id APP-ID.",
        reference=ATTACK + "T1078/004/",
        days=3,
        gravity=4,
        check=_new_addresses,
        broad=True,
    ),
    Rule(
        id="token-at-two-addresses",
        title="One token used from two addresses",
        question="two-places",
        severity="medium",
        rises="medium; high with a new address or principal; nothing where the principal's tokens do so on three days or more",
        confidence="medium",
        techniques=("T1550.001", "T1528"),
        why="A token is fetched by one program on one machine. The same token id from two addresses means that it was handed "
        "on, or taken.",
        benign="A network with several gateways, or a cache of tokens that machines share.",
        next_step="Whose are the addresses? A token can't be called back before it expires: remove the principal's roles on "
        "the HSM, then revoke its sessions.",
        reference=ATTACK + "T1550/001/",
        gravity=4,
        broad=True,
        check=_tokens,
    ),
    Rule(
        id="token-used-elsewhere",
        title="Token used elsewhere than where it was issued",
        question="two-places",
        severity="low",
        rises="low; medium with a new address or principal; told only after three days on which that never was so",
        confidence="medium",
        techniques=("T1550.001",),
        why="The claims say to which address the token was issued; the call came from another one, and for days both were the "
        "same.",
        benign="A VPN that was switched on in between, or a network with several gateways.",
        next_step="Look for the sign-in of that token in the Entra sign-in logs, and ask the person.",
        reference=ATTACK + "T1550/001/",
        days=3,
        broad=True,
        check=_tokens_moved,
    ),
    Rule(
        id="two-places",
        title="One principal at work in two places at once",
        question="two-places",
        severity="low",
        rises="low; medium with a new address or principal; nothing where it is so on other days too",
        confidence="medium",
        techniques=("T1078.004",),
        why="Requests of one principal came in turn from two addresses, minutes apart, four times or more. Two somebodies may "
        "hold the same credential.",
        benign="A service with a second instance, a person with two networks.",
        next_step="Put the two side by side: client, keys and operations. Do both look like the same worker?",
        reference=ATTACK + "T1078/004/",
        days=3,
        broad=True,
        check=_two_places,
    ),
    Rule(
        id="first-seen-principal",
        title="Principal not seen before",
        question="what-is-new",
        severity="low",
        rises="low; medium where it changes, exports or destroys",
        confidence="low",
        techniques=("T1078.004", "T1098.001"),
        why="After days of evidence a principal turns up that none of them knew. An intruder may have made it, or "
        "given it a role.",
        benign="A new application, a new colleague, a job that runs once a month.",
        next_step="Who is it (az ad sp show --id OBJECT-ID, az ad user show --id OBJECT-ID), and since when does it "
        "exist? Which role assignment lets it in?",
        reference=ATTACK + "T1078/004/",
        days=3,
        check=_newcomers,
        broad=True,
    ),
    Rule(
        id="first-seen-client",
        title="Known principal, new client",
        question="clients",
        severity="low",
        rises="low; medium from a new address; told only for principals that ever change, export or destroy",
        confidence="low",
        techniques=("T1078.004",),
        why="A principal that changes, exports or destroys uses software it never used before. The caller writes that "
        "text itself, so the absence of a new one proves nothing.",
        benign="An administrator opens the portal instead of the command line; a script is rewritten.",
        next_step="Together with a new address, treat as a stolen credential. Alone, ask.",
        reference=ATTACK + "T1078/004/",
        days=3,
        check=_new_clients,
        broad=True,
    ),
    Rule(
        id="odd-hours",
        title="Acts at an hour or on a day without work before",
        question="actors",
        severity="low",
        rises="low; medium where something is exported or destroyed; told only where no finding of high severity tells it",
        confidence="low",
        techniques=("T1078.004",),
        why="A principal that for days worked within the same hours, or never at weekends, changes, exports or destroys at "
        "another time.",
        benign="Overtime, a time change, maintenance at night.",
        next_step="Is there a ticket or an on-call duty for that hour? Ask the person by another channel.",
        classes=("access_control", "hsm_backup", "key_backup", "key_lifecycle", "security_domain", "settings"),
        reference=ATTACK + "T1078/004/",
        days=5,
        broad=True,
        check=_odd_hours,
    ),
    Rule(
        id="dormant-principal",
        title="Back after a long silence",
        question="actors",
        severity="low",
        rises="low; one more with a new address or client, and one more where it changes rights, exports or destroys",
        confidence="low",
        techniques=("T1078.004",),
        why="A principal that worked every few days, then asked for nothing for two weeks or more, and for ten times its usual "
        "pause, uses keys or changes something again, while others went on. A credential that nobody misses is the best one "
        "to steal.",
        benign="Holidays, an illness, parental leave; a job that runs once a quarter; a project that goes on.",
        next_step="Ask the person or the owner by another channel. Look at the sign-ins of the silence, at secrets added to the "
        "application meanwhile, and remove the roles of what is not in use any more.",
        reference=ATTACK + "T1078/004/",
        days=17,
        broad=True,
        check=_dormant,
    ),
)
