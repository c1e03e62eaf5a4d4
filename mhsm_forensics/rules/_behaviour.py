"""Rules on behaviour: denials, bursts, new places, first times, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from .. import engine
from ..text import spell, visible
from ._rule import HISTORY_DAYS, Hit, Material, Rule, departs, raised, stretches, times, title

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY_DENIALS: Final = 10
_BROAD_DENIALS: Final = 3  # different operations
_BURST: Final = 50  # fewer uses in an hour are no burst, whatever is usual
_LATER_ALLOWED_DAYS: Final = 7
_NAMED: Final = 6
_USUAL_DAYS: Final = 4  # with use on fewer days nothing is usual


def _grave_denied(found: Material) -> Iterator[Hit]:
    denied = found.unnamed(found.denied)
    grave = denied[(denied["control"] == 1) & denied["effect"].isin(["export", "destroy", "change", "unknown"])]
    grave = grave[~(grave["operation_class"].isin(["key_lifecycle"]) & (grave["effect"] != "destroy"))]
    for rows in stretches(grave):
        what = f"{names(rows['operation'])} denied"
        yield Hit(title(what, rows), raised("low", departs(rows)), "high", rows)


def _denied_burst(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.denied):
        kinds = rows["operation"].nunique()
        if len(rows) < _MANY_DENIALS and kinds < _BROAD_DENIALS:
            continue
        what = f"{times(len(rows), 'request')} denied, {times(kinds, 'kind')} of operation ({names(rows['operation'])})"
        yield Hit(title(what, rows), raised("low", departs(rows)), "medium", rows)


def _denied_then_allowed(found: Material) -> Iterator[Hit]:
    rows = found.flagged(engine.query(found.events, "detect_denied_then_allowed", days=_LATER_ALLOWED_DAYS))
    for turn in stretches(rows, by=("hsm", "principal", "object_id"), pause=pd.Timedelta(days=1, hours=2)):
        allowed = turn[turn["allowed"] == 1]
        if allowed.empty:
            continue
        what = f"Denied first and allowed later: {names(allowed['operation'])}"
        grave = bool((allowed["control"] == 1).any())
        yield Hit(title(what, turn), raised("low", grave, departs(turn)), "medium", turn)


def _use_burst(found: Material) -> Iterator[Hit]:
    bursts = found.flagged(engine.query(found.events, "detect_use", least=_BURST))
    for rows in stretches(bursts):
        days, usual_peak = int(rows["days"].iloc[0]), rows["usual_peak"].iloc[0]
        usual = f"usually up to {usual_peak:,.0f} an hour" if days >= _USUAL_DAYS else "it hardly ever used keys before"
        keys = times(rows["key_name"].nunique(), "key")
        what = f"{times(len(rows), 'use')} of {keys} ({names(rows['operation'])}; {usual})"
        known = "medium" if rows["known_days"].iloc[0] >= HISTORY_DAYS else "low"
        sure = "high" if days >= _USUAL_DAYS else known
        yield Hit(title(what, rows), raised("medium", departs(rows)), sure, rows)


def _new_addresses(found: Material) -> Iterator[Hit]:
    news = found.places[found.places["kind"] == "caller_ip"]
    for _, rows in found.flagged(news).groupby(["principal", "object_id", "caller_ip"], dropna=False, sort=False):
        privileged, acts = rows["privileged"].iloc[0] == 1, int(rows["control"].sum())
        if not privileged and not (rows["effect"] == "use").any():
            continue
        did = f"{times(len(rows), 'request')}, {acts:,} of them control operations, {_denied(rows):,} denied"
        earlier = f"{times(rows['earlier_days'].iloc[0], 'day')} with {rows['earlier_places'].iloc[0]:,} other"
        rows = rows.assign(new_client=False)
        what = f"New address after {earlier}: {did}"
        yield Hit(title(what, rows), raised("low", privileged, acts > 0), "medium", rows)


def _new_clients(found: Material) -> Iterator[Hit]:
    news = found.places[(found.places["kind"] == "client") & (found.places["privileged"] == 1)]
    for rows in stretches(found.flagged(news), by=("principal", "object_id"), pause=pd.Timedelta(days=2)):
        kind = "New clients" if "," in names(rows["client"]) else "New client"
        what = f"{kind} ({names(rows['client'])}), {times(len(rows), 'request')}"
        yield Hit(title(what, rows), raised("low", bool(rows["new_address"].any())), "low", rows)


def _first_time(found: Material) -> Iterator[Hit]:
    rows = found.flagged(found.unnamed(engine.query(found.events, "detect_first_time", days=HISTORY_DAYS)))
    for stretch in stretches(rows, by=("principal", "object_id", "caller_ip"), pause=pd.Timedelta(hours=12)):
        what = f"Operations never asked for before ({names(stretch['operation'])})"
        yield Hit(title(what, stretch), raised("low", departs(stretch)), "low", stretch)


def _newcomers(found: Material) -> Iterator[Hit]:
    for _, rows in found.flagged(found.newcomers).groupby(["principal", "object_id"], dropna=False, sort=False):
        acts = rows["effect"].isin(["change", "export", "destroy"]).sum()
        did = f"{times(len(rows), 'request')}, {acts:,} of them to change, export or destroy, {_denied(rows):,} denied"
        rows = rows.assign(new_address=False, new_client=False)
        what = f"First seen principal, {did}"
        yield Hit(title(what, rows), raised("low", bool(acts)), "low", rows)


def _unknown(found: Material) -> Iterator[Hit]:
    rows = found.flagged(engine.query(found.events, "detect_unknown"))
    for by_uri, group in rows.groupby("class_by_uri", dropna=False, sort=False):
        said = "their URI says nothing either" if pd.isna(by_uri) else f"by their URI {str(by_uri).replace('_', ' ')}"
        callers = group["principal"].nunique()
        more = f"; {callers:,} principals in all" if callers > 1 else ""
        what = f"Operations that no source knows ({names(group['operation'])}; {said}), {times(len(group))}"
        yield Hit(title(what, group, more=more), "low", "low", group)


def _silence(found: Material) -> Iterator[Hit]:
    for gap in found.gaps.to_dict("records"):
        stopped = pd.isna(gap["next_event_id"])
        ends = {"event_id": [gap["last_event_id"], gap["next_event_id"]], "time": [gap["start"], gap["end"]]}
        rows = pd.DataFrame({**ends, "hsm": [gap["hsm"]] * 2}).dropna(subset="event_id")
        what = "Log stopped and did not come back" if stopped else f"No log for {spell(gap['seconds'])}"
        span = f"{gap['start']:%Y-%m-%d %H:%M}Z" + ("" if stopped else f" to {gap['end']:%Y-%m-%d %H:%M}Z")
        said = f"{what}: {visible(gap['hsm'], limit=60) or 'an HSM without name'}, {span}"
        expected = f"about {gap['expected_events']:,.0f} events were to be expected"
        yield Hit(f"{said}; {expected}", "high", "high" if gap["chance"] < 1e-4 else "medium", rows)


def names(values: pd.Series[str]) -> str:
    """Name a few, each once, and count the rest."""
    found = [visible(value, limit=60) or "no name" for value in values.unique()]
    more = f" … {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _denied(rows: pd.DataFrame) -> int:
    return int((rows["outcome"] == "denied").sum())


_DOCS: Final = "https://learn.microsoft.com/azure/key-vault/managed-hsm/"

RULES: Final = (
    Rule(
        id="denied-then-allowed",
        title="Denied first, allowed later",
        severity="high",
        confidence="medium",
        techniques=("T1098.003", "T1078.004"),
        why="What a principal was refused it could do days or minutes later, and never before: a right was given in "
        "between. If the same principal arranged it, that is escalation.",
        benign="Somebody lacked a role, asked for it and got it; a just-in-time role was activated late.",
        next_step="Find the grant between the two times: role assignments in this log, else just-in-time activations "
        "and group changes in the Entra audit log. Who gave it, and was it asked for?",
        operations=(),
        classes=(),
        reference=_DOCS + "access-control",
        check=_denied_then_allowed,
    ),
    Rule(
        id="use-burst",
        title="Far more use of keys than usual",
        severity="high",
        confidence="medium",
        techniques=("T1555.006", "T1213"),
        why="Unwrapping or decrypting by the hundred opens the data that the key protects; signing by the hundred "
        "makes tokens or releases. The log doesn't hold what was opened.",
        benign="A batch job, a cache that was emptied, a load test, a new release of the application.",
        next_step="Ask the application's owner what ran at that minute, and look at the storage or database whose data "
        "keys these are: was it read from the same address? Disable the key only if the owner can bear it.",
        operations=("KeyUnwrap", "KeyDecrypt", "KeySign", "KeyWrap", "KeyEncrypt", "KeyVerify", "EkmProxyOperation"),
        classes=("crypto",),
        reference=_DOCS + "scaling-guidance",
        check=_use_burst,
    ),
    Rule(
        id="silence",
        title="The log falls silent",
        severity="high",
        confidence="high",
        techniques=("T1685.002",),
        why="The HSM logged nothing for so long that chance does not explain it, judged by its own rhythm. Whoever "
        "removes the diagnostic setting is not seen here, and neither is what they do next.",
        benign="The callers were down, delivery of logs failed, or files are missing from this evidence.",
        next_step="Read the activity log for Microsoft.Insights/diagnosticSettings/delete before the silence, and "
        "compare with the HSM's metrics (ServiceApiHit) in it: az monitor metrics list --resource ID "
        "--metric ServiceApiHit.",
        operations=(),
        classes=(),
        reference=_DOCS + "logging (T1685.002 was T1562.008 before ATT&CK v19)",
        check=_silence,
        broad=True,
    ),
    Rule(
        id="first-seen-address",
        title="Known principal, new address",
        severity="medium",
        confidence="medium",
        techniques=("T1078.004", "T1550.001"),
        why="A principal that worked from the same few addresses for days turns up from another one: how a stolen "
        "secret or token looks. Told for principals that change, export or destroy, and for those that use keys.",
        benign="A moved service, a new gateway, a person on another network.",
        next_step="Whose address is it? Look for the principal's sign-ins from it in the Entra sign-in logs. If nobody "
        "knows it, revoke the credential: az ad app credential reset --id APP-ID.",
        operations=(),
        classes=(),
        reference="https://attack.mitre.org/techniques/T1078/004/",
        check=_new_addresses,
        broad=True,
    ),
    Rule(
        id="denied-burst",
        title="Many or varied denials",
        severity="medium",
        confidence="medium",
        techniques=("T1580", "T1069.003"),
        why="Ten denials, or three kinds of operation, in one go: somebody tries out what a credential can do.",
        benign="A misconfigured application, or an administrator without the role of the day.",
        next_step="See what the same principal was allowed just before and after, and on the other HSMs.",
        operations=(),
        classes=(),
        reference="https://attack.mitre.org/techniques/T1580/",
        check=_denied_burst,
    ),
    Rule(
        id="grave-operation-denied",
        title="Grave operation attempted and denied",
        severity="low",
        confidence="high",
        techniques=("T1580",),
        why="Backups, purges, roles and the security domain are asked for on purpose. The attempt failed; the wish was "
        "there, and the next attempt may have other rights.",
        benign="An administrator whose just-in-time role was not active yet.",
        next_step="Ask the principal. Check whether it was allowed later (rule denied-then-allowed) and which "
        "credential it used.",
        operations=(),
        classes=(
            "access_control",
            "hsm_backup",
            "hsm_restore",
            "key_backup",
            "key_release",
            "security_domain",
            "settings",
        ),
        reference=_DOCS + "built-in-roles",
        check=_grave_denied,
    ),
    Rule(
        id="first-seen-principal",
        title="Principal not seen before",
        severity="low",
        confidence="low",
        techniques=("T1078.004", "T1098.001"),
        why="After days of evidence a principal turns up that none of them knew. An intruder may have made it, or "
        "given it a role.",
        benign="A new application, a new colleague, a job that runs once a month.",
        next_step="Who is it (az ad sp show --id OBJECT-ID, az ad user show --id OBJECT-ID), and since when does it "
        "exist? Which role assignment lets it in?",
        operations=(),
        classes=(),
        reference="https://attack.mitre.org/techniques/T1078/004/",
        check=_newcomers,
        broad=True,
    ),
    Rule(
        id="first-seen-client",
        title="Known principal, new client",
        severity="low",
        confidence="low",
        techniques=("T1078.004",),
        why="A principal that changes, exports or destroys uses software it never used before. The caller writes that "
        "text itself, so the absence of a new one proves nothing.",
        benign="An administrator opens the portal instead of the command line; a script is rewritten.",
        next_step="Together with a new address, treat as a stolen credential. Alone, ask.",
        operations=(),
        classes=(),
        reference="https://attack.mitre.org/techniques/T1078/004/",
        check=_new_clients,
        broad=True,
    ),
    Rule(
        id="operation-never-seen-before",
        title="Operation nobody asked for before",
        severity="low",
        confidence="low",
        techniques=("T1526",),
        why="After days without it, somebody asks for this operation for the first time: what is rare in an HSM's life "
        "is worth one look.",
        benign="Rare but planned work: a rotation, a new key, the response to an incident.",
        next_step="Is there a ticket for it? Look at the whole session of the principal around that minute.",
        operations=(),
        classes=(),
        reference=_DOCS + "logging",
        check=_first_time,
    ),
    Rule(
        id="unknown-operation",
        title="Operations that no source knows",
        severity="low",
        confidence="low",
        techniques=(),
        why="Microsoft does not publish all names that Managed HSM logs. These were judged by their URI and ending "
        "alone, and no rule that goes by names could know them.",
        benign="Most likely an ordinary operation whose name is not documented, or a mistyped path.",
        next_step="Read the request URI in the record; compare its path with the REST reference.",
        operations=(),
        classes=("unknown",),
        reference="https://learn.microsoft.com/rest/api/keyvault/",
        check=_unknown,
        broad=True,
    ),
)
