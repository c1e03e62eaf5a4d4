"""What really happened in the incident, for tests and the demonstration: counted from the written lines."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from ._acts import UNPUBLISHED, Act
from ._cast import ANNA, BACKUP, DEPLOY, DR, INGRID, MATEO, POLICY, PROD, THIEF, VAULT, Actor
from ._dice import SEED
from ._incident import (
    BACKGROUND_DAYS,
    DR_DELETED,
    NEW_KEY_DAY,
    PURGED,
    RECOVERED,
    RETAG_DAY,
    ROTATION_DAY,
    SILENCE,
    SOFT_DELETED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._acts import Day
    from ._tree import Delivery

Truth = dict[str, Any]

PHASES = {
    "recon": "reads all keys and roles; whatever matters is denied; tries the other HSM",
    "escalation": "three refusals, then role assignments at scope / and a custom role, on both HSMs",
    "theft": "every key as a blob, a full backup of both HSMs, the security domain",
    "decryption": "unwraps the payment service's data keys by the hundred, from a second address",
    "destruction": "deletes keys, widens its role when a purge is denied, purges five",
    "comeback": "returns after the administrators took its roles away; everything is denied",
}

NOT_IN_THE_LOG = (
    "how the role assignment came to be allowed between 01:14 and 01:54 on 17 March (directory audit log)",
    "where the backups went (logs of the storage account that received them)",
    "which certificates wrap the downloaded security domain",
    "which role the role assignments grant, and to whom",
    "who removed the diagnostic settings (activity log of the subscription)",
    "what happened on the HSMs during the silence",
)


def truth(deliveries: list[Delivery], acts: list[Act]) -> str:
    """Return truth.json: *deliveries* are the lines as written, *acts* all that happened, logged or not."""
    logged = sorted((one.act for one in deliveries if one.fate == "event"), key=lambda act: act.time)
    answer = {
        "about": "All invented. Times are UTC, cut to milliseconds; counts are lines in the files.",
        "seed": SEED,
        "background_days": BACKGROUND_DAYS,
        "t0": _text(next(act for act in logged if act.phase == "recon")),
        "hsms": [_hsm(hsm, logged) for hsm in (PROD, DR)],
        "out_of_scope_resource": VAULT.resource_id.lower(),
        "fates": _fates(deliveries),
        "torn_file": next(one.blob for one in deliveries if one.fate == "reject"),
        "duplicates_in": sorted({one.blob for one in deliveries if one.fate == "duplicate"}),
        "attacker": _attacker(logged),
        "phases": [_phase(name, what, logged) for name, what in PHASES.items()],
        "keys": _keys(),
        "silence": [_silence(hsm, logged, acts) for hsm in (PROD, DR)],
        "callers_of_lost_keys": _callers_of_lost_keys(logged),
        "benign": _benign(logged),
        "unpublished_operations": list(UNPUBLISHED),
        "not_in_the_log": list(NOT_IN_THE_LOG),
    }
    return json.dumps(answer, indent=1) + "\n"


def _text(act: Act) -> str:
    return f"{act.time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _span(acts: list[Act]) -> Truth:
    """Return the times of the first and the last act; *acts* are in order of time."""
    return {"first_time": _text(acts[0]), "last_time": _text(acts[-1])}


def _names(acts: Iterable[Act]) -> list[str]:
    return sorted({act.key for act in acts if act.key and act.operation != "Authentication"})


def _hsm(hsm: object, logged: list[Act]) -> Truth:
    acts = [act for act in logged if act.resource == hsm]
    resource = acts[0].resource
    name = {"name": resource.name, "resource_id": resource.resource_id.lower(), "shape": resource.shape}
    return {**name, "events": len(acts), **_span(acts)}


def _fates(deliveries: list[Delivery]) -> Truth:
    counts = Counter(one.fate for one in deliveries)
    fates = ("event", "witness", "duplicate", "out_of_scope", "blank", "reject")
    return {fate: counts[fate] for fate in fates} | {"lines": len(deliveries), "reasons": {"truncated": 1}}


def _is_attack(act: Act) -> bool:
    return act.phase in PHASES


def _attacker(logged: list[Act]) -> Truth:
    """Return who the thief is in the log. The 401 challenges before its calls carry no identity at all."""
    acts = [act for act in logged if _is_attack(act)]
    known = [act for act in acts if act.operation != "Authentication"]
    return {
        "credential": "client secret of a service principal, stolen from the deployment pipeline",
        **_principal(THIEF),
        "addresses": sorted({act.actor.address for act in acts}),
        "clients": sorted({act.actor.client for act in acts}),
        "usual_addresses": [DEPLOY.address],
        "usual_clients": [DEPLOY.client],
        **_span(known),
        "events": len(known),
        "challenges": len(acts) - len(known),
    }


def _principal(actor: Actor) -> Truth:
    is_user = actor.kind == "user"
    return {
        "principal": actor.upn if is_user else actor.name,
        "object_id": actor.object_id,
        "app_id": actor.app_id,
    }


def _phase(name: str, what: str, logged: list[Act]) -> Truth:
    acts = [act for act in logged if act.phase == name]
    groups: dict[tuple[str, str, int], list[Act]] = defaultdict(list)
    for act in acts:
        groups[act.resource.name, act.operation, act.status].append(act)
    told = [
        {
            "hsm": hsm,
            "operation": operation,
            "status": status,
            "count": len(group),
            "keys": _names(group),
            **_span(group),
        }
        for (hsm, operation, status), group in groups.items()
    ]
    return {
        "phase": name,
        "what": what,
        **_span(acts),
        "events": len(acts),
        "addresses": sorted({act.actor.address for act in acts}),
        "acts": told,
    }


def _keys() -> Truth:
    """Return the state of every key that the thief deleted, at the end of the evidence."""
    return {
        "purged": {PROD.name: sorted(PURGED)},
        "soft_deleted": {PROD.name: [SOFT_DELETED], DR.name: [DR_DELETED]},
        "recovered": {PROD.name: [RECOVERED]},
    }


def _silence(hsm: object, logged: list[Act], acts: list[Act]) -> Truth:
    """Return an HSM's silence: between its last record before and its first after."""
    start, end = next(times for resource, times in SILENCE.items() if resource == hsm)
    before = [act for act in logged if act.resource == hsm and act.time < start][-1]
    later = next(act for act in logged if act.resource == hsm and act.time >= end)
    unseen = [act for act in acts if act.resource == hsm and start <= act.time < end]
    seconds = int((later.time - before.time).total_seconds())
    return {
        "hsm": before.resource.name,
        "start": _text(before),
        "end": _text(later),
        "seconds": seconds,
        "events_not_logged": len(unseen),
    }


def _callers_of_lost_keys(logged: list[Act]) -> list[Truth]:
    """Return who asks for keys that the thief deleted, and gets 404."""
    lost = [act for act in logged if act.status == 404 and act.key in {*PURGED, RECOVERED, SOFT_DELETED}]
    pairs = sorted({(act.actor.name, act.key) for act in lost})
    chosen = {pair: [act for act in lost if (act.actor.name, act.key) == pair] for pair in pairs}
    return [
        {**_principal(acts[0].actor), "key": key, "events": len(acts), **_span(acts)}
        for (_, key), acts in chosen.items()
    ]


def _benign(logged: list[Act]) -> list[Truth]:
    """Return what looks bad at first sight and isn't."""

    def planned(actor: Actor, day: Day) -> Callable[[Act], bool]:
        return lambda act: act.actor.name == actor.name and act.time.date() == day.date and not act.phase

    def response(actor: Actor) -> Callable[[Act], bool]:
        return lambda act: act.actor.name == actor.name and act.phase == "response"

    def everything(actor: Actor) -> Callable[[Act], bool]:
        return lambda act: act.actor.name == actor.name and not act.phase

    told: tuple[tuple[Actor, str, Callable[[Act], bool]], ...] = (
        (BACKUP, "nightly full backup by automation from its one address", everything(BACKUP)),
        (POLICY, "Azure Policy reads key properties every night", everything(POLICY)),
        (DEPLOY, "the pipeline itself, on workdays around ten, from its one address", everything(DEPLOY)),
        (MATEO, "planned rotation of payments-kek-01, by hand", planned(MATEO, ROTATION_DAY)),
        (INGRID, "new key and the role to use it; the first name was taken", planned(INGRID, NEW_KEY_DAY)),
        (INGRID, "new tags on the HSM through Azure Resource Manager", planned(INGRID, RETAG_DAY)),
        (ANNA, "the response looks at the damage", response(ANNA)),
        (MATEO, "the response recovers a key", response(MATEO)),
        (INGRID, "the response takes roles away", response(INGRID)),
    )
    chosen = [(actor, what, [act for act in logged if test(act)]) for actor, what, test in told]
    return [
        {
            "what": what,
            **_principal(actor),
            "addresses": sorted({act.actor.address for act in acts}),
            "operations": sorted({act.operation for act in acts}),
            "events": len(acts),
            **_span(acts),
        }
        for actor, what, acts in chosen
    ]
