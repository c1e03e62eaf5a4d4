"""What is asked of an HSM: one act is one request, before it becomes a log record in some shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from ._cast import Actor, Resource, version_of
from ._dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Route:
    """Where an operation lives: its path, the status it answers with, the data action it needs."""

    path: str
    status: int
    action: str = ""


_AUTHORIZATION = "{scope}/providers/Microsoft.Authorization"
_ARM = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/{kind}/{name}"

ROUTES = {
    "Authentication": Route("", 401),
    "KeyGet": Route("/keys/{key}/{version}", 200, "keys/read/action"),
    "KeyList": Route("/keys", 200, "keys/read/action"),
    "KeyListVersions": Route("/keys/{key}/versions", 200, "keys/read/action"),
    "KeyCreate": Route("/keys/{key}/create", 200, "keys/create"),
    "KeyRotate": Route("/keys/{key}/rotate", 200, "keys/rotate/action"),
    "KeyRotationPolicyGet": Route("/keys/{key}/rotationpolicy", 200, "keys/read/action"),
    "KeyWrap": Route("/keys/{key}/{version}/wrapkey", 200, "keys/wrap/action"),
    "KeyUnwrap": Route("/keys/{key}/{version}/unwrapkey", 200, "keys/unwrap/action"),
    "KeyEncrypt": Route("/keys/{key}/{version}/encrypt", 200, "keys/encrypt/action"),
    "KeyDecrypt": Route("/keys/{key}/{version}/decrypt", 200, "keys/decrypt/action"),
    "KeySign": Route("/keys/{key}/{version}/sign", 200, "keys/sign/action"),
    "KeyBackup": Route("/keys/{key}/backup", 200, "keys/backup/action"),
    "KeyDelete": Route("/keys/{key}", 200, "keys/delete"),
    "KeyPurge": Route("/deletedkeys/{key}", 204, "keys/deletedKeys/delete"),
    "KeyRecover": Route("/deletedkeys/{key}/recover", 200, "keys/deletedKeys/recover/action"),
    "KeyListDeleted": Route("/deletedkeys", 200, "keys/deletedKeys/read/action"),
    "BackupCreate": Route("/backup", 202, "backup/start/action"),
    "BackupStatusGet": Route("/backup/{job}/pending", 200, "backup/status/action"),
    "SecurityDomainBackup": Route("/securitydomain/download", 202, "securitydomain/download/action"),
    "SecurityDomainBackupStatusGet": Route("/securitydomain/download/pending", 200, "securitydomain/download/read"),
    "RoleAssignmentList": Route(f"{_AUTHORIZATION}/roleAssignments", 200, "roleAssignments/read/action"),
    "RoleAssignmentCreate": Route(f"{_AUTHORIZATION}/roleAssignments/{{job}}", 201, "roleAssignments/write/action"),
    "RoleAssignmentDelete": Route(f"{_AUTHORIZATION}/roleAssignments/{{job}}", 200, "roleAssignments/delete/action"),
    "RoleDefinitionList": Route(f"{_AUTHORIZATION}/roleDefinitions", 200, "roleDefinitions/read/action"),
    "RoleDefinitionCreate": Route(f"{_AUTHORIZATION}/roleDefinitions/{{job}}", 201, "roleDefinitions/write/action"),
    "RoleDefinitionDelete": Route(f"{_AUTHORIZATION}/roleDefinitions/{{job}}", 200, "roleDefinitions/delete/action"),
    "SettingsList": Route("/settings", 200, "settings/read/action"),
    "KeyImport": Route("/keys/{key}", 200, "keys/import/action"),
    "KeyUpdate": Route("/keys/{key}/{version}", 200, "keys/write/action"),
    "KeyRelease": Route("/keys/{key}/{version}/release", 200, "keys/release/action"),
    "RestoreCreate": Route("/restore", 202, "restore/start/action"),
    "RestoreStatusGet": Route("/restore/{job}/pending", 200, "restore/status/action"),
    "SettingUpdate": Route("/settings/{key}", 200, "settings/write/action"),
    "SettingGet": Route("/settings/{key}", 200, "settings/read/action"),
    "EkmConnectionUpdate": Route("/ekm", 200, "ekm/write/action"),
    "InvalidPath": Route("/config/export", 404),
    "ManagedHsmPatch": Route(_ARM, 200),
    "SecretGet": Route("/secrets/{key}/{version}", 200),
    "VaultGet": Route(_ARM, 200),
}

# No public source names these on a managed HSM: the service surely logs them, but perhaps under other names.
UNPUBLISHED = (
    "BackupStatusGet", "InvalidPath", "RoleAssignmentCreate", "RoleAssignmentDelete", "RoleAssignmentList",
    "RoleDefinitionCreate", "RoleDefinitionDelete", "RoleDefinitionList", "SettingsList",
)  # fmt: skip

MANAGEMENT = ("ManagedHsmPatch", "VaultGet")


@dataclass(frozen=True, slots=True)
class Act:
    """One request: who asked which HSM for what and when, and what came of it.

    ``wanted`` is the operation that a 401 challenge stands before. ``phase`` says which part of a story the
    act belongs to; nothing of it reaches a log record.
    """

    time: datetime
    resource: Resource
    actor: Actor
    operation: str
    key: str = ""
    scope: str = ""
    job: str = ""
    status: int = 0
    generation: int = 1
    phase: str = ""
    wanted: str = ""

    def __post_init__(self) -> None:
        """Fill in the status that the operation has when it succeeds."""
        if not self.status:
            object.__setattr__(self, "status", ROUTES[self.operation].status)

    @property
    def version(self) -> str:
        """The key version that is used, whether or not the caller names it."""
        return version_of(self.key, self.generation) if self.key else ""

    @property
    def path(self) -> str:
        """The path as the caller writes it: who names no version leaves an empty segment."""
        version = "" if self.actor.uri == "versionless" else self.version
        return ROUTES[self.wanted or self.operation].path.format(
            key=self.key,
            version=version,
            scope=self.scope,
            job=self.job,
            subscription=self.resource.subscription,
            group=self.resource.group,
            kind=self.resource.kind,
            name=self.resource.name,
        )


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of one story."""

    date: date
    story: str = "contoso"

    @property
    def is_workday(self) -> bool:
        """Whether people are at work."""
        return self.date.weekday() < 5

    def dice(self, *purpose: object) -> Dice:
        """Return this day's dice for a purpose."""
        return Dice(self.story, self.date, *purpose)

    def at(self, clock: str) -> datetime:
        """Return the moment of this day at *clock*, written ``HH:MM`` or ``HH:MM:SS``."""
        parts = [int(part) for part in clock.split(":")]
        hour, minute, second = (*parts, 0)[:3]
        return datetime(self.date.year, self.date.month, self.date.day, hour, minute, second, tzinfo=UTC)

    def about(self, clock: str) -> datetime:
        """Return a moment within the second that *clock* names; nothing happens at a whole second."""
        return after(self.at(clock), self.dice("about", clock).between(0, 1))


def after(moment: datetime, seconds: float) -> datetime:
    """Return the moment so many seconds later, to the microsecond."""
    return moment + timedelta(microseconds=int(seconds * 1_000_000))


def challenged(act: Act) -> Iterator[Act]:
    """Yield the 401 challenge that a client without a token meets, then the act itself."""
    wait = Dice("challenge", act.time).between(0.2, 0.9)
    yield replace(act, time=after(act.time, -wait), operation="Authentication", status=401, wanted=act.operation)
    yield act
