"""Incidents: each is one thing that is done to a managed HSM, by somebody who holds a credential of it.

References
----------
https://attack.mitre.org/matrices/enterprise/cloud/
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ._acts import Act, after, challenged
from ._cast import (
    CODESIGN,
    DEPLOY,
    MATEO,
    PAYMENTS,
    PROD,
    PROD_KEYS,
    THIEF,
    THIEF_ADMIN,
    THIEF_DOMAIN,
    THIEF_ELSEWHERE,
    THIEF_PROBE,
    Actor,
)
from ._scenarios_parts import Plot, Told, core, lead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ._dice import Dice

STOLEN_IDENTITY = replace(PAYMENTS, address="198.51.100.14", client="python-requests/2.32.3", uri="plain")
STOLEN_SIGNER = replace(
    CODESIGN, address="198.51.100.61", client="azsdk-python-keyvault-keys/4.11.0 Python/3.12.3 (Linux-6.8.0)"
)
STOLEN_ADMIN = replace(MATEO, address="198.51.100.180")
THROUGH_ARM = replace(THIEF, client="azure-resource-manager/2.0", api="2023-07-01", uri="plain")


def _run(plot: Plot, start: datetime, actor: Actor, operation: str, keys: Sequence[str], status: int = 0) -> list[Act]:
    """The same operation on key after key, seconds apart."""
    acts, moment = [], start
    for key in keys:
        moment = plot.pause(moment)
        acts.append(Act(moment, PROD, actor, operation, key, status=status))
    return acts


def _some(dice: Dice, keys: Sequence[str], low: int, high: int) -> list[str]:
    """Some different keys, in their order."""
    wanted, left = dice.whole(low, high), list(keys)
    while len(left) > wanted:
        left.pop(dice.whole(0, len(left) - 1))
    return left


def security_domain(plot: Plot) -> Told:
    """The security domain is downloaded once more, for certificates of the thief."""
    start = plot.night()
    polls = [Act(after(start, 5 * n), PROD, THIEF_DOMAIN, "SecurityDomainBackupStatusGet") for n in range(1, 4)]
    return Told(core([*challenged(Act(start, PROD, THIEF_DOMAIN, "SecurityDomainBackup"))][1:]) + lead(polls))


def full_backup(plot: Plot) -> Told:
    """A full backup goes to storage that the log doesn't name."""
    start, job = plot.night(), plot.dice.hex(32)
    polls = [Act(after(start, 12 * n), PROD, THIEF_ADMIN, "BackupStatusGet", job=job) for n in range(1, 6)]
    return Told(core([Act(start, PROD, THIEF_ADMIN, "BackupCreate")]) + lead(polls))


def key_backups(plot: Plot) -> Told:
    """Key after key leaves as a blob."""
    return Told(core(_run(plot, plot.night(), THIEF, "KeyBackup", _some(plot.dice, PROD_KEYS, 5, 12))))


def grant_use_remove(plot: Plot) -> Told:
    """An administrator's session gives a role, uses it, and takes it away again."""
    start, job = plot.night(), plot.dice.guid()
    given = Act(start, PROD, STOLEN_ADMIN, "RoleAssignmentCreate", scope="/keys", job=job)
    used = _run(plot, after(start, 90), STOLEN_ADMIN, "KeyBackup", _some(plot.dice, PROD_KEYS, 2, 4))
    removed = Act(after(used[-1].time, 60), PROD, STOLEN_ADMIN, "RoleAssignmentDelete", scope="/keys", job=job)
    return Told(core([given, *used, removed]))


def custom_role(plot: Plot) -> Told:
    """Refused first; then a custom role is written and assigned at the root."""
    start = plot.night()
    refused = [Act(after(start, 40 * n), PROD, THIEF_ADMIN, "RoleDefinitionCreate", job=plot.dice.guid(), status=403)
               for n in range(3)]  # fmt: skip
    later = after(start, 3600)
    made = [Act(later, PROD, THIEF_ADMIN, "RoleDefinitionCreate", job=plot.dice.guid()),
            Act(after(later, 40), PROD, THIEF_ADMIN, "RoleAssignmentCreate", job=plot.dice.guid())]  # fmt: skip
    return Told(lead(refused) + core(made))


def destruction(plot: Plot) -> Told:
    """Keys are deleted, then purged."""
    keys = _some(plot.dice, PROD_KEYS[5:], 2, 5)
    deleted = _run(plot, plot.night(), THIEF_ELSEWHERE, "KeyDelete", keys)
    return Told(core(deleted + _run(plot, after(deleted[-1].time, 200), THIEF_ELSEWHERE, "KeyPurge", keys)))


def restore(plot: Plot) -> Told:
    """An old backup is restored over the HSM; meanwhile everybody else is refused."""
    start = plot.night()
    end = after(start, 1500)
    first = Act(after(start, -2400), PROD, THIEF_ADMIN, "BackupCreate")
    polls = [Act(after(start, 60 * n), PROD, THIEF_ADMIN, "RestoreStatusGet", job="f" * 32) for n in range(1, 12)]

    def refused(acts: list[Act]) -> list[Act]:
        return [replace(act, status=409) if start < act.time < end and act.status < 400 else act for act in acts]

    return Told(lead([first]) + core([Act(start, PROD, THIEF_ADMIN, "RestoreCreate")]) + lead(polls), change=refused)


def ransom(plot: Plot) -> Told:
    """Data keys are unwrapped and wrapped again under a key of the thief; the old key is deleted."""
    start, own = plot.night(), "svc-cache-01"
    made = Act(start, PROD, THIEF, "KeyCreate", own)
    acts, moment = [], after(start, 60)
    for _ in range(plot.dice.whole(60, 120)):
        moment = plot.pause(moment, 2, 9)
        acts += [
            Act(moment, PROD, THIEF, "KeyUnwrap", "payments-kek-02"),
            Act(after(moment, 0.8), PROD, THIEF, "KeyWrap", own),
        ]
    return Told(core([made, *acts, Act(after(moment, 120), PROD, THIEF, "KeyDelete", "payments-kek-02")]))


def mass_unwrap(plot: Plot) -> Told:
    """A service's own identity, from elsewhere, unwraps by the hundred."""
    acts, moment = [], plot.night()
    for _ in range(plot.dice.whole(120, 220)):
        moment = plot.pause(moment, 1, 8)
        key = plot.dice.pick(("payments-kek-01", "payments-kek-02"))
        acts.append(Act(moment, PROD, STOLEN_IDENTITY, "KeyUnwrap", key))
    return Told(core(acts))


def signing_oracle(plot: Plot) -> Told:
    """Low and slow: two or three signatures a night with the code signing key, from another network."""
    acts = []
    for day in plot.days[:6]:
        for _ in range(plot.dice.whole(2, 3)):
            moment = after(day.at("01:00"), plot.dice.between(0, 4 * 3600))
            acts.append(Act(moment, PROD, STOLEN_SIGNER, "KeySign", "codesign-rsa-01"))
    return Told(core(acts))


def key_release(plot: Plot) -> Told:
    """A key is made exportable and released into an environment that the log doesn't name."""
    start = plot.night()
    update = Act(start, PROD, THIEF, "KeyUpdate", "backup-wrap-01")
    return Told(
        core([update, *_run(plot, after(start, 60), THIEF, "KeyRelease", ["backup-wrap-01"] * plot.dice.whole(1, 3))])
    )


def logs_off(plot: Plot) -> Told:
    """Keys are deleted, and in the same hour the log goes silent for half a day."""
    start = plot.night()
    acts = _run(plot, start, THIEF_ELSEWHERE, "KeyDelete", _some(plot.dice, PROD_KEYS[5:], 2, 3))
    off = after(acts[-1].time, 240)
    return Told(core(acts), silence=(off, after(off, 3600 * plot.dice.whole(6, 12))))


def firewall(plot: Plot) -> Told:
    """The HSM is changed through the control plane, and minutes later keys are read from outside."""
    start = plot.night()
    changed = Act(start, PROD, THROUGH_ARM, "ManagedHsmPatch")
    return Told(core([changed, *_run(plot, after(start, 300), THIEF, "KeyGet", _some(plot.dice, PROD_KEYS, 6, 12))]))


def arm_trust(plot: Plot) -> Told:
    """The control plane is trusted to manage keys, by a setting."""
    start, setting = plot.night(), "AllowKeyManagementOperationsThroughARM"
    names = ("SettingUpdate", "SettingGet")
    return Told(core(Act(after(start, 20 * n), PROD, THIEF_ADMIN, name, setting) for n, name in enumerate(names)))


def recon(plot: Plot) -> Told:
    """What is here, and what may I do? Lists, versions, and refusals across the board."""
    start = plot.night()
    looks = _run(plot, start, THIEF, "KeyListVersions", PROD_KEYS)
    denied, moment = [], looks[-1].time
    for operation in ("KeyListDeleted", "SettingsList", "BackupCreate", "RoleAssignmentCreate", "RoleDefinitionCreate"):
        moment = plot.pause(moment)
        denied.append(Act(moment, PROD, THIEF_ADMIN, operation, job=plot.dice.guid(), status=403))
    return Told(core([*looks, *denied, Act(plot.pause(moment), PROD, THIEF_PROBE, "InvalidPath")]))


def stolen_identity(plot: Plot) -> Told:
    """A managed identity's token is used from a machine that is not its own, a few calls only."""
    start = plot.office()
    looks = _run(plot, start, STOLEN_IDENTITY, "KeyGet", PROD_KEYS[:3])
    return Told(core(looks + _run(plot, after(start, 200), STOLEN_IDENTITY, "KeyUnwrap", ["payments-kek-01"] * 6)))


def many_gateways(plot: Plot) -> Told:
    """Keys are looked for and leave as blobs, each request from another gateway."""
    keys = _some(plot.dice, PROD_KEYS, 5, 12)
    looks = _run(plot, plot.night(), THIEF, "KeyGet", keys)
    taken = _run(plot, after(looks[-1].time, 120), THIEF, "KeyBackup", keys)
    return Told(_through_gateways(lead(looks) + core(taken)))


def _through_gateways(acts: list[Act]) -> list[Act]:
    return [
        replace(act, actor=replace(act.actor, address=f"198.51.100.{210 + number}")) for number, act in enumerate(acts)
    ]


def ekm_redirect(plot: Plot) -> Told:
    """The connection to the external key manager is pointed elsewhere."""
    start = plot.night()
    return Told(core([Act(start, PROD, THIEF_ADMIN, "EkmConnectionUpdate")]))


def mixed(plot: Plot) -> Told:
    """One night: recon, rights, every key as a blob, the security domain."""
    start = plot.night()
    looks = _run(plot, start, THIEF, "KeyListVersions", PROD_KEYS)
    given = Act(after(looks[-1].time, 400), PROD, THIEF_ADMIN, "RoleAssignmentCreate", job=plot.dice.guid())
    taken = _run(plot, after(given.time, 300), THIEF, "KeyBackup", PROD_KEYS)
    domain = Act(after(taken[-1].time, 300), PROD, THIEF_DOMAIN, "SecurityDomainBackup")
    return Told(lead([*looks, given, *taken]) + core([domain]))


# A few calls of a service from its own machine are what it does all day: no log tells the thief from the service; and many
# gateways are no machine of the victim's.
OUTSIDE_ONLY = frozenset({"mass_unwrap", "signing_oracle", "stolen_identity", "many_gateways"})


def from_inside(told: Told) -> Told:
    """Have it done from the victim's own machine by the victim's own client: no new address gives it away."""
    usual = {actor.object_id: actor for actor in (DEPLOY, MATEO)}

    def moved(act: Act) -> Act:
        own = usual.get(act.actor.object_id)
        return replace(act, actor=replace(act.actor, address=own.address, client=own.client)) if own else act

    return replace(told, acts=[moved(act) for act in told.acts])


INCIDENTS: dict[str, tuple[tuple[str, ...], Callable[[Plot], Told]]] = {
    "security_domain": (("T1552.004", "T1555.006"), security_domain),
    "full_backup": (("T1537", "T1530"), full_backup),
    "key_backups": (("T1555.006",), key_backups),
    "grant_use_remove": (("T1098.003",), grant_use_remove),
    "custom_role": (("T1098.003", "T1098"), custom_role),
    "destruction": (("T1485",), destruction),
    "restore": (("T1485", "T1490"), restore),
    "ransom": (("T1486",), ransom),
    "mass_unwrap": (("T1555.006",), mass_unwrap),
    "signing_oracle": (("T1553.002",), signing_oracle),
    "key_release": (("T1555.006",), key_release),
    "logs_off": (("T1685.002", "T1485"), logs_off),
    "firewall": (("T1686.001",), firewall),
    "arm_trust": (("T1685",), arm_trust),
    "recon": (("T1580", "T1526"), recon),
    "stolen_identity": (("T1078.004", "T1550.001"), stolen_identity),
    "many_gateways": (("T1555.006", "T1090.003"), many_gateways),
    "ekm_redirect": (("T1557",), ekm_redirect),
    "mixed": (("T1552.004", "T1098.003", "T1555.006"), mixed),
}
