"""Innocent weeks that look like attacks to who doesn't know the plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ._acts import Act, after, challenged
from ._cast import (
    ANNA,
    BACKUP,
    CODESIGN,
    DEPLOY,
    INGRID,
    MATEO,
    MONITOR,
    PAYMENTS,
    PROD,
    PROD_KEYS,
    TOKENIZER,
    Actor,
)
from ._scenarios_parts import Plot, Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_TESTER = Actor("ext-pentest", "user", "192.0.2.201", MATEO.client, app=MATEO.app)
_NEW_ADMIN = replace(MATEO, name="lena.vogt", address="192.0.2.19")
_NEW_SERVICE = Actor("mi-loyalty", "managed_identity", "10.20.4.61", PAYMENTS.client, uri="versionless")
_MIGRATION = Actor(
    "svc-migration", "secret", "10.20.9.77", "azsdk-net-Security.KeyVault.Keys/4.7.0 (.NET 8.0.11; Linux)"
)


def _from(plot: Plot, acts: list[Act], actor: Actor, moment: datetime, other: Actor) -> list[Act]:
    """Have an actor's acts from a moment on done by its other self."""
    return [replace(act, actor=other) if act.actor == actor and act.time >= moment else act for act in acts]


def quiet(_: Plot) -> Told:
    """Nothing but ordinary days."""
    return Told([])


def migration(plot: Plot) -> Told:
    """A new service principal creates keys and moves data keys over, in an announced window by day."""
    start = plot.office()
    acts, moment = [], start
    for number in range(4):
        key = f"orders-kek-{number + 1:02d}"
        moment = plot.pause(moment, 20, 60)
        acts += [Act(moment, PROD, _MIGRATION, "KeyCreate", key)]
        for _ in range(plot.dice.whole(10, 25)):
            moment = plot.pause(moment, 1, 6)
            acts.append(Act(moment, PROD, _MIGRATION, "KeyWrap", key))
    grant = Act(after(start, -1800), PROD, INGRID, "RoleAssignmentCreate", scope="/keys", job=plot.dice.guid())
    return Told([*challenged(grant), *acts])


def rotation_day(plot: Plot) -> Told:
    """An administrator rotates most keys by hand."""
    acts, moment = [], plot.office()
    for key in PROD_KEYS[:8]:
        moment = plot.pause(moment, 20, 70)
        acts += [
            *challenged(Act(moment, PROD, MATEO, "KeyRotationPolicyGet", key)),
            Act(after(moment, 15), PROD, MATEO, "KeyRotate", key),
        ]
    return Told(acts)


def deployment(plot: Plot) -> Told:
    """The payment service moves to other machines: the same identity from new addresses."""
    moment = plot.office()
    moved = replace(
        PAYMENTS, address=f"10.20.5.{plot.dice.whole(10, 200)}", client=PAYMENTS.client.replace("4.7.0", "4.8.0")
    )
    return Told([], change=lambda acts: _from(plot, acts, PAYMENTS, moment, moved))


def new_service(plot: Plot) -> Told:
    """A new service goes live: a key, a role for it, and then its calls."""
    start, key, job = plot.office(), "loyalty-kek-02", plot.dice.guid()
    grant = Act(after(start, 70), PROD, INGRID, "RoleAssignmentCreate", scope=f"/keys/{key}", job=job)
    made = [*challenged(Act(start, PROD, INGRID, "KeyCreate", key)), *challenged(grant)]
    moment, calls = after(start, 900), []
    for _ in range(60):
        moment = plot.pause(moment, 600, 3600)
        calls.append(Act(moment, PROD, _NEW_SERVICE, plot.dice.pick(("KeyUnwrap", "KeyWrap")), key))
    return Told([*made, *(act for act in calls if act.time < plot.days[-1].at("23:00"))])


def penetration_test(plot: Plot) -> Told:
    """Announced: a tester with a reader's role tries what it may not."""
    moment, acts = plot.office(), []
    for operation in (
        "KeyList",
        "KeyListDeleted",
        "SettingsList",
        "RoleAssignmentList",
        "KeyDelete",
        "KeyBackup",
        "BackupCreate",
    ):
        for _ in range(2):
            moment = plot.pause(moment, 10, 60)
            status = 0 if operation == "KeyList" else 403
            key = plot.dice.pick(PROD_KEYS) if operation in {"KeyDelete", "KeyBackup"} else ""
            acts += [*challenged(Act(moment, PROD, _TESTER, operation, key, status=status))]
    return Told(acts)


def recovery_exercise(plot: Plot) -> Told:
    """A disaster recovery exercise: the backup automation takes one more backup by day, and keys are listed."""
    start, job = plot.office(), plot.dice.hex(32)
    polls = [Act(after(start, 30 * n), PROD, BACKUP, "BackupStatusGet", job=job) for n in range(1, 5)]
    return Told(
        [*challenged(Act(start, PROD, BACKUP, "BackupCreate")), *polls, Act(after(start, 400), PROD, MATEO, "KeyList")]
    )


def abroad(plot: Plot) -> Told:
    """An administrator works a week from another country."""
    moment = plot.days[0].at("00:00")
    away = replace(MATEO, address="203.0.113.201")
    return Told([], change=lambda acts: _from(plot, acts, MATEO, moment, away))


def on_the_train(plot: Plot) -> Told:
    """An administrator reads logs and keys from a train: the phone's gateway changes every few minutes."""
    start, acts = plot.office(), []
    for number, operation in enumerate(
        ("KeyList", "KeyGet", "KeyGet", "KeyListVersions", "KeyGet", "KeyRotationPolicyGet") * 2
    ):
        phone = replace(MATEO, address=f"203.0.113.{210 + number}")
        acts.append(Act(after(start, 240 * number), PROD, phone, operation, "payments-kek-01"))
    return Told(acts)


def new_administrator(plot: Plot) -> Told:
    """A new administrator looks around, and gives a service its role."""
    start, scope = plot.office(), "/keys/hr-records-kek"
    grant = Act(after(start, 600), PROD, _NEW_ADMIN, "RoleAssignmentCreate", scope=scope, job=plot.dice.guid())
    looks = [
        Act(start, PROD, _NEW_ADMIN, "KeyList"),
        Act(after(start, 60), PROD, _NEW_ADMIN, "RoleAssignmentList", scope="/keys"),
    ]
    return Told([one for act in (*looks, grant) for one in challenged(act)])


def release_week(plot: Plot) -> Told:
    """Release week: the signing service signs five times as much, in office hours."""
    moments = [
        after(day.at("08:00"), plot.dice.between(0, 8.5 * 3600))
        for day in plot.days[:5]
        for _ in range(plot.dice.whole(15, 25))
    ]
    return Told([Act(moment, PROD, CODESIGN, "KeySign", "codesign-rsa-01") for moment in moments])


def retired_key(plot: Plot) -> Told:
    """A key that nobody uses any more is deleted, by its administrator, after a look."""
    start = plot.office()
    return Told([*challenged(Act(start, PROD, INGRID, "KeyGet", "archive-kek-2024")),
                 *challenged(Act(after(start, 120), PROD, INGRID, "KeyDelete", "archive-kek-2024"))])  # fmt: skip


def retagged(plot: Plot) -> Told:
    """New tags on the HSM through the control plane."""
    through = replace(INGRID, client="azure-resource-manager/2.0", api="2023-07-01", uri="plain")
    return Told([Act(plot.office(), PROD, through, "ManagedHsmPatch")])


def upgraded_clients(plot: Plot) -> Told:
    """Services are built anew with newer libraries."""
    moment = plot.office()
    newer = replace(TOKENIZER, client=TOKENIZER.client.replace("4.9.2", "4.10.0"))
    watching = replace(MONITOR, client=MONITOR.client.replace("4.10.0", "4.11.0"))
    return Told(
        [], change=lambda acts: _from(plot, _from(plot, acts, TOKENIZER, moment, newer), MONITOR, moment, watching)
    )


def broken_pipeline(plot: Plot) -> Told:
    """The pipeline's role was narrowed by mistake: refused for an hour, then it works again."""
    start, acts = plot.office(), []
    for number in range(8):
        acts += [*challenged(Act(after(start, 300 * number), PROD, DEPLOY, "KeyGet", "disk-cmk-01", status=403))]
    return Told([*acts, *challenged(Act(after(start, 4000), PROD, DEPLOY, "KeyGet", "disk-cmk-01"))])


def audit(plot: Plot) -> Told:
    """Auditors look at every key and every role in the portal."""
    moment, acts = plot.office(), []
    for key in PROD_KEYS:
        moment = plot.pause(moment, 8, 30)
        acts += [Act(moment, PROD, ANNA, "KeyListVersions", key), Act(after(moment, 2), PROD, ANNA, "KeyGet", key)]
    return Told([*acts, Act(plot.pause(moment), PROD, ANNA, "RoleAssignmentList", scope="/keys")])


def busy_month_end(plot: Plot) -> Told:
    """Month end: the payment service works three times as much for two days."""
    acts = []
    for day in plot.days[2:4]:
        for _ in range(100):
            moment = after(day.at("06:00"), plot.dice.between(0, 16 * 3600))
            acts.append(
                Act(moment, PROD, PAYMENTS, "KeyUnwrap", plot.dice.pick(("payments-kek-01", "payments-kek-02")))
            )
    return Told(acts)


def nightly_maintenance(plot: Plot) -> Told:
    """An administrator on call recovers from a mistake at night: one key disabled and enabled again."""
    start = plot.night()
    return Told([*challenged(Act(start, PROD, MATEO, "KeyGet", "hr-records-kek")),
                 *challenged(Act(after(start, 90), PROD, MATEO, "KeyUpdate", "hr-records-kek"))])  # fmt: skip


BENIGN: dict[str, tuple[tuple[str, ...], Callable[[Plot], Told]]] = {
    name: ((), tell)
    for name, tell in {
        "quiet": quiet, "migration": migration, "rotation_day": rotation_day, "deployment": deployment,
        "new_service": new_service, "penetration_test": penetration_test, "recovery_exercise": recovery_exercise,
        "abroad": abroad, "on_the_train": on_the_train, "new_administrator": new_administrator, "release_week": release_week,
        "retired_key": retired_key, "retagged": retagged, "upgraded_clients": upgraded_clients,
        "broken_pipeline": broken_pipeline, "audit": audit, "busy_month_end": busy_month_end,
        "nightly_maintenance": nightly_maintenance, "two_quiet": quiet,
    }.items()
}  # fmt: skip
