"""The ordinary days: what services, automation and people ask of the HSMs when nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ._acts import Act, Day, after, challenged
from ._cast import (
    ANNA,
    BACKUP,
    CODESIGN,
    DEPLOY,
    DISKS,
    DR,
    DR_KEYS,
    GRAPH,
    INGRID,
    MATEO,
    MONITOR,
    PAYMENTS,
    POLICY,
    PROD,
    PROD_KEYS,
    SQL,
    SQL_DR,
    STORAGE_DR,
    TOKENIZER,
    VAULT,
    WEB_APP,
    Actor,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

OFFICE = range(7, 18)


def prod_day(day: Day) -> list[Act]:
    """Return an ordinary day of the production HSM."""
    acts = [
        *_services(day),
        *_monitoring(day, PROD, minutes=15),
        *_governance(day, PROD, PROD_KEYS),
        *nightly_backup(day, PROD, "01:30"),
    ]
    return acts + ([*_signing(day), *_portal(day), *_command_line(day), *_pipeline(day)] if day.is_workday else [])


def dr_day(day: Day) -> list[Act]:
    """Return an ordinary day of the disaster recovery HSM."""
    acts = [
        *_tide(day, DR, STORAGE_DR, ("KeyGet", "KeyUnwrap"), ("storage-cmk-dr",), busy=1, quiet=0),
        *_tide(day, DR, SQL_DR, ("KeyGet", "KeyUnwrap"), ("sql-tde-dr",), busy=1, quiet=0),
        *_monitoring(day, DR, minutes=60),
        *_governance(day, DR, DR_KEYS),
        *nightly_backup(day, DR, "02:10"),
    ]
    visit = Act(day.about("09:20:14"), DR, INGRID, "KeyList")
    return acts + (list(challenged(visit)) if day.is_workday and day.date.day % 3 == 0 else [])


def vault_day(day: Day) -> list[Act]:
    """Return what the key vault next door writes into the same container."""
    reads = _tide(day, VAULT, WEB_APP, ("SecretGet",), ("web-db-password", "web-api-token"), busy=1, quiet=0)
    return [*reads, Act(after(day.at("05:00"), day.dice("graph").between(0, 900)), VAULT, GRAPH, "VaultGet")]


def nightly_backup(day: Day, hsm: Resource, clock: str) -> Iterator[Act]:
    """Yield the full backup that automation takes every night, and its polls until it is done."""
    dice = day.dice("backup", hsm.name)
    start, job = after(day.at(clock), dice.between(2, 40)), dice.hex(32)
    yield from challenged(Act(start, hsm, BACKUP, "BackupCreate"))
    for poll in range(1, dice.whole(3, 5)):
        yield Act(after(start, 30 * poll + dice.between(0, 1)), hsm, BACKUP, "BackupStatusGet", job=job)


def _services(day: Day) -> Iterator[Act]:
    """Yield the calls of the machines: payments, tokenizer, databases, disks."""
    envelope, token = ("payments-kek-01", "payments-kek-02"), ("tokenizer-aes-01",)
    unwraps = ("KeyUnwrap", "KeyUnwrap", "KeyUnwrap", "KeyWrap")
    yield from _tide(day, PROD, PAYMENTS, unwraps, envelope, busy=2, quiet=1)
    yield from _tide(day, PROD, TOKENIZER, ("KeyEncrypt", "KeyDecrypt"), token, busy=2, quiet=1)
    yield from _tide(day, PROD, SQL, ("KeyGet", "KeyUnwrap"), ("sql-tde-prod",), busy=1, quiet=0)
    yield from _tide(day, PROD, DISKS, ("KeyGet", "KeyWrap", "KeyUnwrap"), ("disk-cmk-01",), busy=1, quiet=0)


def _tide(
    day: Day,
    hsm: Resource,
    actor: Actor,
    operations: tuple[str, ...],
    keys: tuple[str, ...],
    *,
    busy: int,
    quiet: int,
) -> Iterator[Act]:
    """Yield an actor's calls: about *busy* per office hour of a workday, *quiet* in the others."""
    dice = day.dice("tide", actor.name)
    for hour in range(24):
        often = busy if day.is_workday and hour in OFFICE else quiet
        for _ in range(often + dice.whole(0, 1) - (often > 1 and dice.chance(0.5))):
            moment = after(day.at(f"{hour}:00"), dice.between(0, 3600))
            # A service now and then sends what the HSM can't use, and tries again.
            status = 400 if dice.chance(0.004) else 0
            yield Act(moment, hsm, actor, dice.pick(operations), dice.pick(keys), status=status)


def _monitoring(day: Day, hsm: Resource, *, minutes: int) -> Iterator[Act]:
    """Yield the monitoring reader's look at the list of keys, every so many minutes."""
    dice = day.dice("monitor", hsm.name)
    for minute in range(0, 24 * 60, minutes):
        look = Act(after(day.at("00:00"), 60 * minute + dice.between(4, 9)), hsm, MONITOR, "KeyList")
        # Its token lasts for a day; the first call of the day has none.
        yield from challenged(look) if minute == 0 else (look,)


def _governance(day: Day, hsm: Resource, keys: tuple[str, ...]) -> Iterator[Act]:
    """Yield Azure Policy's daily scan of key properties."""
    dice = day.dice("governance", hsm.name)
    start = after(day.at("03:45"), dice.between(0, 1200))
    yield Act(start, hsm, POLICY, "KeyList")
    for number, key in enumerate(keys[::4], start=1):
        yield Act(after(start, number * 0.7), hsm, POLICY, "KeyGet", key)


def _signing(day: Day) -> Iterator[Act]:
    """Yield code signing: release builds in office hours, each a look at the key and one signature."""
    dice = day.dice("codesign")
    for _ in range(dice.whole(3, 6)):
        start = after(day.at("08:00"), dice.between(0, 8.5 * 3600))
        key = dice.pick(("codesign-rsa-01", "codesign-rsa-01", "codesign-ec-01"))
        yield from challenged(Act(start, PROD, CODESIGN, "KeyGet", key))
        yield Act(after(start, dice.between(0.3, 2)), PROD, CODESIGN, "KeySign", key)


def _portal(day: Day) -> Iterator[Act]:
    """Yield an administrator's look around in the Azure portal."""
    dice = day.dice("portal")
    start = after(day.at("08:10"), dice.between(0, 6 * 3600))
    yield Act(start, PROD, ANNA, "KeyList")
    for look in range(dice.whole(1, 3)):
        moment, key = after(start, 20 + 35 * look + dice.between(0, 20)), dice.pick(PROD_KEYS)
        yield Act(moment, PROD, ANNA, "KeyListVersions", key)
        yield Act(after(moment, dice.between(1, 5)), PROD, ANNA, "KeyGet", key)


def _command_line(day: Day) -> Iterator[Act]:
    """Yield an administrator at a shell; each call of the CLI is challenged, some keys are mistyped."""
    dice = day.dice("cli")
    start = after(day.at("09:00"), dice.between(0, 7 * 3600))
    key = dice.pick(PROD_KEYS)
    yield from challenged(Act(start, PROD, MATEO, "KeyGet", key))
    yield from challenged(Act(after(start, 45), PROD, MATEO, "RoleAssignmentList", scope="/keys"))
    if dice.chance(0.3):
        yield Act(after(start, 90), PROD, MATEO, "KeyGet", key[:-1], status=404)


def _pipeline(day: Day) -> Iterator[Act]:
    """Yield the deployment pipeline's plan and apply: what its credential is for."""
    dice = day.dice("pipeline")
    start = after(day.at("10:05"), dice.between(0, 1800))
    yield from challenged(Act(start, PROD, DEPLOY, "KeyGet", "disk-cmk-01"))
    for number, key in enumerate(("sql-tde-prod", "payments-kek-01"), start=1):
        yield Act(after(start, number * dice.between(0.4, 0.8)), PROD, DEPLOY, "KeyGet", key)


def planned_rotation(day: Day) -> list[Act]:
    """Return a planned change: an administrator rotates a payments key, by hand, from home."""
    key, start = "payments-kek-01", day.about("10:00:12")
    return [
        *challenged(Act(start, PROD, MATEO, "KeyRotationPolicyGet", key)),
        *challenged(Act(after(start, 41), PROD, MATEO, "KeyRotate", key)),
        *challenged(Act(after(start, 77), PROD, MATEO, "KeyListVersions", key)),
    ]


def new_key(day: Day) -> list[Act]:
    """Return a planned change: a key for a new service, refused once for its name, and the role to use it."""
    taken, key = "loyalty-kek", "loyalty-kek-01"
    start, scope, dice = day.about("13:30:05"), f"/keys/{key}", day.dice("new key")
    return [
        *challenged(Act(start, PROD, INGRID, "KeyCreate", taken, status=409)),
        *challenged(Act(after(start, 64), PROD, INGRID, "KeyCreate", key)),
        *challenged(Act(after(start, 130), PROD, INGRID, "RoleAssignmentCreate", scope=scope, job=dice.guid())),
        *challenged(Act(after(start, 171), PROD, INGRID, "RoleAssignmentList", scope=scope)),
    ]


def retagged(day: Day) -> list[Act]:
    """Return a planned change through Azure Resource Manager: new tags on the HSM itself."""
    through_arm = replace(INGRID, client="azure-resource-manager/2.0", api="2023-07-01", uri="plain")
    return [Act(day.about("15:12:30"), PROD, through_arm, "ManagedHsmPatch")]


def newest_version(acts: list[Act], key: str, rotated: datetime) -> list[Act]:
    """Return the acts with every use of *key* after its rotation on the new version."""
    later = (act.key == key and act.time > rotated for act in acts)
    return [replace(act, generation=2) if new else act for act, new in zip(acts, later, strict=True)]
