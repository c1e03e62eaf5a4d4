"""Small logs of one act each, told from the domain pages alone: twelve quiet days of one HSM, then the act.

Nothing of `mhsm_forensics.samples` is used: other people, other shapes of a URI, other clients. A seed decides the shape of the
record, the spelling of the URIs and the times.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from .acts import acts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAYS: Final = 12
_START: Final = datetime(2026, 5, 4, tzinfo=UTC)  # a Monday
_NIGHT: Final = _START + timedelta(days=DAYS, hours=2)
_FROM_INSIDE: Final = 0.6
_KEYS: Final = ("ledger-kek", "vault-root", "edge-signer", "etcd-wrap")
_HSM: Final = "meridian-hsm"
_GROUP: Final = "/subscriptions/0b7c3d52-3f0e-4b1b-9d29-5a2f64a1c811/resourceGroups/rg-seal"
_ID: Final = f"{_GROUP}/providers/Microsoft.KeyVault/managedHSMs/{_HSM}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person where there is a upn, else an application or a managed identity."""

    oid: str
    app: str
    address: str
    client: str
    upn: str = ""


SERVICE = Caller(
    "71e0a6c4-08f5-4f39-9a7c-6b0f2f6b1d10",
    "2f0a4c1e-7a55-4d0e-8a34-91b3a7d5e601",
    "10.8.1.7",
    "azsdk-java-keyvault/4.9",
)
WATCHER = Caller(
    "a9d3b7f2-5c1d-4e02-b7f1-0c9e8d7a6b20", "c8e9f0a1-1b2c-4d3e-9f40-5a6b7c8d9e02", "10.8.1.9", "azsdk-go-azkeys/1.3"
)
NIGHTLY = Caller(
    "d4c3b2a1-9f8e-4d7c-8b6a-5f4e3d2c1b30", "e1f2a3b4-c5d6-4e7f-8a9b-0c1d2e3f4a03", "10.8.1.11", "AZURECLI/2.74.0 (DEB)"
)
ADMIN = Caller(
    "3b9f6d2c-8e17-4a5b-b0c4-7d6e5f4a3b40", "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "192.0.2.77",
    "AZURECLI/2.74.0 (DEB) azsdk-python-core/1.31.0", "lena.brandt@meridian.example",
)  # fmt: skip
INTRUDER = replace(ADMIN, address="198.51.100.140", client="python/3.12.1 (Linux-6.8.0)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request by its true operation; the parts fill its path."""

    at: datetime
    who: Caller
    operation: str
    status: int = 0
    wanted: str = ""  # of a challenge
    parts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Log:
    """One small log: its name, and what is asked after, or in, the quiet days."""

    name: str
    tell: Callable[[random.Random], Iterator[Asked]]

    def lines(self, seed: int) -> list[str]:
        """Return the log's lines, the same for the same seed."""
        dice = random.Random(f"{self.name}/{seed}")
        told = [*self.tell(dice)]
        if dice.random() < _FROM_INSIDE:  # from the administrator's own machine: no new address keeps a lost act
            told = [replace(one, who=ADMIN) if one.who is INTRUDER else one for one in told]
        asked = sorted([*_quiet(dice), *told], key=lambda one: one.at)
        return [_line(one, random.Random(f"{self.name}/{seed}/{n}"), flat=seed % 4 > 1) for n, one in enumerate(asked)]


def _quiet(dice: random.Random) -> Iterator[Asked]:
    """Yield what is asked every day: data keys, a look at the list, a full backup at night."""
    for day in range(DAYS + 2):
        midnight = _START + timedelta(days=day)
        for hour in range(24):
            for _ in range(2):
                key = dice.choice(_KEYS[:2])
                moment = midnight + timedelta(hours=hour, seconds=dice.uniform(0, 3599))
                yield Asked(moment, SERVICE, dice.choice(("KeyUnwrap", "KeyUnwrap", "KeyWrap")), parts={"name": key})
            yield Asked(midnight + timedelta(hours=hour, seconds=dice.uniform(5, 9)), WATCHER, "KeyList")
        yield from _retried(Asked(midnight + timedelta(hours=1, seconds=dice.uniform(0, 20)), NIGHTLY, "BackupCreate"))
        job = f"{dice.getrandbits(128):032x}"
        for poll in range(1, 4):
            at = midnight + timedelta(hours=1, seconds=30 + 10 * poll + dice.random())
            yield Asked(at, NIGHTLY, "BackupStatusGet", parts={"job": job})
        yield from _retried(Asked(midnight + timedelta(hours=9, seconds=dice.uniform(0, 5000)), ADMIN, "KeyList"))


def _retried(asked: Asked) -> Iterator[Asked]:
    """Yield a request as every SDK makes its first: refused without a token, then asked again."""
    challenge = replace(asked, at=asked.at - timedelta(seconds=0.4), operation="Authentication", wanted=asked.operation)
    yield replace(challenge, status=401)
    yield asked


def _night(who: Caller, *steps: tuple[str, float, dict[str, str]], after: float = 0) -> Iterator[Asked]:
    """Yield requests one after the other, each so many seconds after the one before; the first is asked twice."""
    moment = _NIGHT + timedelta(seconds=after)
    for number, (operation, pause, parts) in enumerate(steps):
        moment += timedelta(seconds=pause)
        asked = Asked(moment, who, operation, parts=parts)
        yield from (asked,) if number else _retried(asked)


def _full_restore(dice: random.Random) -> Iterator[Asked]:
    job = {"job": f"{dice.getrandbits(128):032x}"}
    yield from _night(INTRUDER, ("RestoreCreate", 7, {}), *[("RestoreStatusGet", 6, job)] * dice.randint(2, 6))


def _selective_restore(dice: random.Random) -> Iterator[Asked]:
    key, job = {"name": _KEYS[2]}, {"job": f"{dice.getrandbits(128):032x}"}
    yield from _night(INTRUDER, ("SelectiveKeyRestoreCreate", 7, key), *[("RestoreStatusGet", 6, job)] * 2)


def _domain_download(dice: random.Random) -> Iterator[Asked]:
    polls = [("SecurityDomainBackupStatusGet", 5.0, {})] * dice.randint(1, 4)
    yield from _night(INTRUDER, ("SecurityDomainBackup", 4, {}), *polls)


def _domain_upload(dice: random.Random) -> Iterator[Asked]:
    polls = [("SecurityDomainRestoreStatusGet", 5.0, {})] * dice.randint(1, 4)
    yield from _night(
        INTRUDER, ("SecurityDomainTransferKeyGet", 4, {}), ("SecurityDomainRestore", dice.uniform(60, 900), {}), *polls
    )


def _full_backup(dice: random.Random) -> Iterator[Asked]:
    job = {"job": f"{dice.getrandbits(128):032x}"}
    yield from _night(
        INTRUDER, ("BackupCreate", 5, {}), *[("BackupStatusGet", 7, job)] * dice.randint(1, 5), after=3600
    )


def _purge(dice: random.Random) -> Iterator[Asked]:
    keys = _KEYS[2 : 2 + dice.randint(1, 2)]
    deleted = [("KeyDelete", 8, {"name": key}) for key in keys]
    looked = [("KeyGetDeleted", 20, {"name": key}) for key in keys]
    yield from _night(INTRUDER, *deleted, *looked, *[("KeyPurge", 9, {"name": key}) for key in keys])


def _release(dice: random.Random) -> Iterator[Asked]:
    key = {"name": dice.choice(_KEYS)}
    yield from _night(INTRUDER, ("KeyGet", 3, key), *[("KeyRelease", 20, key)] * dice.randint(1, 2))


def _key_backup(dice: random.Random) -> Iterator[Asked]:
    keys = dice.sample(_KEYS, dice.randint(3, 4))
    yield from _night(INTRUDER, ("KeyList", 3, {}), *[("KeyBackup", 5, {"name": key}) for key in keys])


def _arm_setting(dice: random.Random) -> Iterator[Asked]:
    setting = {"name": "AllowKeyManagementOperationsThroughARM"}
    yield from _night(INTRUDER, ("SettingGet", 3, setting), ("SettingUpdate", dice.uniform(0.3, 4), setting))


def _assignment_removed(dice: random.Random) -> Iterator[Asked]:
    """A role assignment is there, is taken away, and is asked for in vain."""
    one = {"scope": dice.choice(("/", "/keys")), "id": str(uuid.UUID(int=dice.getrandbits(128), version=4))}
    yield from _night(INTRUDER, ("RoleAssignmentList", 3, one), ("RoleAssignmentDelete", 9, one))
    yield Asked(_NIGHT + timedelta(hours=8), ADMIN, "RoleAssignmentGet", status=404, parts=one)


def _ekm_changed(dice: random.Random) -> Iterator[Asked]:
    yield from _night(INTRUDER, ("EkmConnectionUpdate", dice.uniform(2, 90), {}), ("EkmConnectionCheck", 4, {}))


def _quiet_retries(dice: random.Random) -> Iterator[Asked]:
    """Every call of the administrator is refused first and asked again; nothing else happens."""
    for day in range(DAYS + 2):
        start = _START + timedelta(days=day, hours=10)
        for number in range(dice.randint(2, 4)):
            at = start + timedelta(minutes=20 * number, seconds=dice.uniform(0, 300))
            parts = {"name": dice.choice(_KEYS)}
            yield from _retried(Asked(at, ADMIN, dice.choice(("KeyGet", "KeyListVersions")), parts=parts))


def _quiet_reader(dice: random.Random) -> Iterator[Asked]:
    """An audit job reads every day what could as well be changed: settings, one role assignment, the external connection."""
    one = {"scope": "/", "id": str(uuid.UUID(int=random.Random("audit").getrandbits(128), version=4))}
    setting = {"name": "AllowKeyManagementOperationsThroughARM"}
    for day in range(DAYS + 2):
        at = _START + timedelta(days=day, hours=5, seconds=dice.uniform(0, 400))
        looks = (("SettingsList", {}), ("SettingGet", setting), ("RoleAssignmentList", one), ("RoleAssignmentGet", one))
        for number, (operation, parts) in enumerate((*looks, ("EkmConnectionGet", {}))):
            asked = Asked(at + timedelta(seconds=3 * number), WATCHER, operation, parts=parts)
            yield from (asked,) if number else _retried(asked)


LOGS: Final = tuple(
    Log(f"small_{tell.__name__.strip('_')}", tell)
    for tell in (
        _full_restore, _selective_restore, _domain_download, _domain_upload, _full_backup, _purge, _release, _key_backup,
        _arm_setting, _assignment_removed, _ekm_changed, _quiet_retries, _quiet_reader,
    )
)  # fmt: skip


def _line(one: Asked, dice: random.Random, *, flat: bool) -> str:
    """Return the request as a record: of the documented flat shape, or nested as storage holds it."""
    status = one.status or acts()[one.operation].success
    inner: dict[str, Any] = {
        "clientInfo": one.who.client, "requestUri": _uri(one, dice), "httpStatusCode": status,
    }  # fmt: skip
    identity: dict[str, Any] = {} if status == 401 else {"claim": _claims(one.who)}
    record: dict[str, Any] = {
        "time": f"{one.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        if flat
        else f"{one.at:%Y-%m-%dT%H:%M:%S.%f}{dice.randint(0, 9)}Z",
        "category": "AuditEvent",
        "operationName": one.operation,
        "operationVersion": "7.6",
        "resultType": "Success",
        "resourceId": _ID.upper(),
        "correlationId": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "callerIpAddress": one.who.address,
        "durationMs": dice.randint(8, 200) if flat else str(dice.randint(8, 200)),
        "identity": json.dumps(identity) if flat else identity,
    }
    shown = inner | {"properties": {"PoolType": "M-HSM"}} if flat else {"properties": inner}
    return json.dumps(record | shown, separators=(",", ":"))


def _claims(who: Caller) -> dict[str, Any]:
    if who.upn:
        return {"oid": who.oid, "appid": who.app, "upn": who.upn, "scp": "user_impersonation", "appidacr": "0"}
    return {"oid": who.oid, "appid": who.app, "idtyp": "app", "appidacr": "2"}


def _uri(one: Asked, dice: random.Random) -> str:
    """Return the URI in one of the spellings that clients have: with a version, an empty one, the port, more slashes."""
    operation = one.wanted or one.operation
    parts = {"version": "", "name": "", "scope": "", "id": "", "job": "", "sub": "", "hsm": ""} | one.parts
    parts["scope"] = "" if parts["scope"] == "/" else parts["scope"]
    if dice.random() < 0.7:
        parts["version"] = f"{random.Random(parts['name']).getrandbits(128):032x}"
    path = acts()[operation].path.format(**parts)
    if "/providers/" in path and not parts["scope"]:
        path = dice.choice(("", "/", "//")) + path
    port = dice.choice(("", "", ":8443"))
    query = dice.choice(("", "?api-version=7.6", "?api-version=2026-04-01"))
    return f"https://{_HSM}.managedhsm.azure.net{port}{path}{query}"
