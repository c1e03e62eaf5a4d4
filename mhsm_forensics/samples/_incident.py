"""The incident: what a thief does with a stolen automation credential, in three days, told as acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ._acts import Act, Day, after, challenged
from ._cast import (
    ANNA,
    DR,
    DR_KEYS,
    INGRID,
    MATEO,
    PROD,
    PROD_KEYS,
    THIEF,
    THIEF_ADMIN,
    THIEF_DOMAIN,
    THIEF_ELSEWHERE,
    THIEF_PROBE,
    Resource,
)
from ._routine import dr_day, new_key, newest_version, planned_rotation, prod_day, retagged, vault_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

FIRST_DAY = date(2026, 3, 2)
BACKGROUND_DAYS = 14
DAYS = [Day(FIRST_DAY + timedelta(days=number)) for number in range(BACKGROUND_DAYS + 4)]
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = DAYS[-4:]
NEW_KEY_DAY, RETAG_DAY, ROTATION_DAY = DAYS[3], DAYS[8], DAYS[9]

# While the diagnostic settings are gone, nothing that happens on an HSM reaches the container.
SILENCE = {
    PROD: (WEDNESDAY.at("04:41:30"), WEDNESDAY.at("10:22:00")),
    DR: (WEDNESDAY.at("04:43:10"), WEDNESDAY.at("10:31:00")),
}
# The copy of the container was made then; of Thursday it holds only what had arrived.
COLLECTED = THURSDAY.at("00:31")

PURGED = ("payments-kek-02", "tokenizer-aes-01", "codesign-ec-01", "archive-kek-2024", "archive-kek-2025")
RECOVERED = "saml-signing-01"
SOFT_DELETED = "hr-records-kek"
DR_DELETED = "payments-kek-dr"

_ROLE = WEDNESDAY.dice("thief's role").guid()
_OWN_GRANT = TUESDAY.dice("thief's grant").guid()
_BACK_DOOR = TUESDAY.dice("back door").guid()
_DR_GRANT = TUESDAY.dice("thief's grant, dr").guid()


def story() -> list[Act]:
    """Return every act that the log could hold, in order of time: two quiet weeks, then the incident."""
    quiet = [act for day in DAYS for act in (*prod_day(day), *dr_day(day), *vault_day(day))]
    planned = [*new_key(NEW_KEY_DAY), *retagged(RETAG_DAY), *planned_rotation(ROTATION_DAY)]
    phases = (recon, escalation, theft, decryption, destruction, response, comeback)
    told = [replace(act, phase=phase.__name__) for phase in phases for act in phase()]
    acts = newest_version(suffered(quiet + planned) + told, "payments-kek-01", ROTATION_DAY.at("10:01"))
    return sorted(acts, key=lambda act: act.time)


def recon() -> Iterator[Act]:
    """Monday, 02:40: what is here, and what may I do? Reading works, everything of weight is denied."""
    at, dice = MONDAY.about, MONDAY.dice("recon")
    yield from challenged(Act(at("02:40:11"), PROD, THIEF, "KeyList"))
    for number, key in enumerate(PROD_KEYS):
        moment = after(at("02:41:30"), 6 * number + dice.between(0, 3))
        yield Act(moment, PROD, THIEF, "KeyListVersions", key)
        yield Act(after(moment, 1.2), PROD, THIEF, "KeyGet", key)
    for minute, operation, status in (
        (44, "RoleAssignmentList", 200),
        (45, "RoleDefinitionList", 200),
        (47, "SettingsList", 403),
        (49, "KeyListDeleted", 403),
        (51, "BackupCreate", 403),
    ):
        moment = after(at(f"02:{minute}:00"), dice.between(0, 40))
        yield Act(moment, PROD, THIEF_ADMIN, operation, status=status)
    yield Act(at("02:53:20"), PROD, THIEF_DOMAIN, "SecurityDomainBackup", status=403)
    yield Act(at("02:55:02"), PROD, THIEF_PROBE, "InvalidPath")
    for second in (10, 31, 58):
        yield from challenged(Act(at(f"03:02:{second}"), DR, THIEF, "KeyList", status=403))


def escalation() -> Iterator[Act]:
    """Tuesday, 01:12: three refusals, then the same request is granted.

    What changed in the forty minutes between happened in the directory, and this log can't say what it was.
    """
    at, dice = TUESDAY.about, TUESDAY.dice("escalation")
    for clock in ("01:12:04", "01:12:50", "01:14:31"):
        yield Act(at(clock), PROD, THIEF_ADMIN, "RoleAssignmentCreate", job=dice.guid(), status=403)
    yield Act(at("01:54:12"), PROD, THIEF_ADMIN, "RoleAssignmentCreate", job=_OWN_GRANT)
    yield Act(at("01:55:40"), PROD, THIEF_ADMIN, "RoleDefinitionCreate", job=_ROLE)
    yield Act(at("01:56:22"), PROD, THIEF_ADMIN, "RoleAssignmentCreate", job=_BACK_DOOR)
    yield Act(at("01:57:03"), PROD, THIEF_ADMIN, "RoleAssignmentList")
    yield from challenged(Act(at("01:59:15"), DR, THIEF_ADMIN, "RoleAssignmentCreate", job=_DR_GRANT))
    yield Act(at("02:00:08"), DR, THIEF_ADMIN, "KeyList")


def theft() -> Iterator[Act]:
    """Tuesday, 02:05: every key as a blob, both HSMs as full backups, the security domain that opens them."""
    at, dice = TUESDAY.about, TUESDAY.dice("theft")
    for number, key in enumerate(PROD_KEYS):
        yield Act(after(at("02:05:00"), 9 * number + dice.between(0, 4)), PROD, THIEF, "KeyBackup", key)
    for number, key in enumerate(DR_KEYS):
        yield Act(after(at("02:08:00"), 9 * number + dice.between(0, 4)), DR, THIEF, "KeyBackup", key)
    yield from _full_backup(PROD, at("02:14:37"))
    yield from _full_backup(DR, at("02:26:09"))
    yield Act(at("02:41:18"), PROD, THIEF_DOMAIN, "SecurityDomainBackup")
    for poll in range(4):
        moment = after(at("02:41:23"), 5 * poll)
        yield Act(moment, PROD, THIEF_DOMAIN, "SecurityDomainBackupStatusGet")


def _full_backup(hsm: Resource, start: datetime) -> Iterator[Act]:
    """Yield one full backup to a place that the log doesn't name, and its polls."""
    job = TUESDAY.dice("stolen backup", hsm.name).hex(32)
    yield Act(start, hsm, THIEF_ADMIN, "BackupCreate")
    for poll in range(1, 6):
        yield Act(after(start, 11.3 * poll), hsm, THIEF_ADMIN, "BackupStatusGet", job=job)


def decryption() -> Iterator[Act]:
    """Tuesday, 03:20, from a second address: the payment service's data keys are unwrapped by the hundred."""
    dice, moment = TUESDAY.dice("decryption"), TUESDAY.at("03:20:00")
    for _ in range(150):
        moment = after(moment, dice.between(2, 11))
        key = dice.pick(("payments-kek-01", "payments-kek-01", "payments-kek-02"))
        yield Act(moment, PROD, THIEF_ELSEWHERE, "KeyUnwrap", key)


def destruction() -> Iterator[Act]:
    """Wednesday, 04:12: keys are deleted; a purge is denied, so the role is widened, and five are purged."""
    at, dice = WEDNESDAY.about, WEDNESDAY.dice("destruction")
    for number, key in enumerate((*PURGED, RECOVERED, SOFT_DELETED)):
        moment = after(at("04:12:08"), 14 * number + dice.between(0, 5))
        yield Act(moment, PROD, THIEF_ELSEWHERE, "KeyDelete", key)
    yield Act(at("04:18:45"), PROD, THIEF_ELSEWHERE, "KeyPurge", PURGED[0], status=403)
    widen = replace(THIEF_ADMIN, address=THIEF_ELSEWHERE.address)
    yield Act(at("04:21:10"), PROD, widen, "RoleDefinitionCreate", job=_ROLE)
    for number, key in enumerate(PURGED):
        moment = after(at("04:27:30"), 17 * number + dice.between(0, 6))
        yield Act(moment, PROD, THIEF_ELSEWHERE, "KeyPurge", key)
    yield from challenged(Act(at("04:33:41"), DR, THIEF_ELSEWHERE, "KeyDelete", DR_DELETED))
    yield Act(at("04:34:20"), DR, THIEF_ELSEWHERE, "KeyPurge", DR_DELETED, status=403)


def response() -> Iterator[Act]:
    """Wednesday, from 10:48: the administrators look, recover one key, and take the roles away."""
    at = WEDNESDAY.about
    yield Act(at("10:48:20"), PROD, ANNA, "KeyList")
    yield Act(at("10:49:02"), PROD, ANNA, "KeyListDeleted")
    yield from challenged(Act(at("11:05:44"), PROD, MATEO, "KeyListDeleted"))
    yield from challenged(Act(at("11:09:30"), PROD, MATEO, "KeyRecover", RECOVERED))
    yield from challenged(Act(at("11:21:15"), PROD, INGRID, "RoleAssignmentList"))
    for clock, grant in (("11:24:02", _OWN_GRANT), ("11:24:40", _BACK_DOOR)):
        yield from challenged(Act(at(clock), PROD, INGRID, "RoleAssignmentDelete", job=grant))
    yield from challenged(Act(at("11:26:31"), PROD, INGRID, "RoleDefinitionDelete", job=_ROLE))
    usual = MONDAY.dice("pipeline's grant").guid()
    yield from challenged(Act(at("11:28:19"), PROD, INGRID, "RoleAssignmentDelete", scope="/keys", job=usual))
    yield from challenged(Act(at("11:31:08"), DR, INGRID, "RoleAssignmentDelete", job=_DR_GRANT))


def comeback() -> Iterator[Act]:
    """Wednesday, 13:05: the credential still gets a token, but its roles are gone."""
    for clock, operation in (
        ("13:05:17", "KeyList"),
        ("13:05:49", "KeyListDeleted"),
        ("13:07:02", "BackupCreate"),
    ):
        moment = WEDNESDAY.about(clock)
        yield from challenged(Act(moment, PROD, THIEF_ELSEWHERE, operation, status=403))


def suffered(acts: list[Act]) -> list[Act]:
    """Return the routine as the incident leaves it: who needs a key that is gone gets 404."""
    gone = {act.key: act.time for act in destruction() if act.operation == "KeyDelete"}
    back = {act.key: act.time for act in response() if act.operation == "KeyRecover"}

    def is_lost(act: Act) -> bool:
        is_challenge = act.operation == "Authentication"
        return act.key in gone and gone[act.key] < act.time < back.get(act.key, COLLECTED) and not is_challenge

    return [replace(act, status=404) if is_lost(act) else act for act in acts]


def is_logged(act: Act) -> bool:
    """Return whether the act reaches the container: not while its HSM is silent."""
    start, end = SILENCE.get(act.resource, (COLLECTED, COLLECTED))
    return not start <= act.time < end
