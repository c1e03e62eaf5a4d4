"""What each operation means: the vocabulary of the logs, and a second opinion from the request's URI.

The names that Managed HSM writes are only partly published, so the name alone is never trusted to be
known: `operations.csv` holds every name with a source (documented), every name that the REST surface
lets one expect (expected) and preview names, and `class_of_path` reads the class from the URI.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

SOURCES = {
    "managed-hsm-logging": "https://learn.microsoft.com/azure/key-vault/managed-hsm/logging",
    "managed-hsm-logging-azure-monitor": "https://learn.microsoft.com/azure/key-vault/managed-hsm/logging-azure-monitor",
    "managed-hsm-security-domain": "https://learn.microsoft.com/azure/key-vault/managed-hsm/security-domain",
    "managed-hsm-sentinel": "https://learn.microsoft.com/azure/key-vault/managed-hsm/sentinel",
    "managed-hsm-external-key-management": "https://learn.microsoft.com/azure/key-vault/managed-hsm/",
    "secure-keys": "https://learn.microsoft.com/azure/key-vault/keys/",
    "key-vault-logging": "https://learn.microsoft.com/azure/key-vault/general/logging",
    "key-vault-observed": "observed in key vault records; not yet in a managed HSM's",
    "azure-monitor-community": "https://github.com/microsoft/AzureMonitorCommunity",
    "sentinel-asim": "https://github.com/Azure/Azure-Sentinel",
    "rest-surface": "https://learn.microsoft.com/rest/api/keyvault/ (the route is documented, its log name is not)",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of operations.csv."""

    operation: str
    operation_class: str
    effect: str
    method: str
    path: str
    data_action: str
    success: str
    status: str
    source: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event's operation is taken to be, by its name and by its URI."""

    operation_class: str
    effect: str
    operation_status: str
    class_by_uri: str | None


@cache
def vocabulary() -> dict[str, Operation]:
    """Every operation of operations.csv by its lower-case name."""
    text = resources.files(__package__).joinpath("operations.csv").read_text("utf-8")
    return {row["operation"].lower(): Operation(**row) for row in csv.DictReader(text.splitlines())}


@cache
def granted() -> dict[str, frozenset[str]]:
    """Which data actions each built-in role allows, by the id of the role.

    `role_actions.csv` holds what Microsoft's table says, and what a managed HSM answered when its roles were listed (status
    ``observed``). Both count: the table ticks the purge for the auditor, where the service has the reading of deleted keys.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/built-in-roles
    https://github.com/Azure/azure-sdk-for-js (recordings of keyvault-admin)

    Examples
    --------
    >>> "keys/sign/action" in granted()["21dbd100-6940-42c2-9190-5d6cb909625b"]
    True
    """
    text = resources.files(__package__).joinpath("role_actions.csv").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["role_definition_id"], set()).add(row["data_action"])
    return {role: frozenset(actions) for role, actions in found.items()}


# The first pattern that fits the lower-case path (host, port and query cut off) decides. Role routes come
# first: they live below /keys/… too, where "providers" is no key.
_CLASS_BY_PATH = [
    (re.compile(pattern), operation_class)
    for pattern, operation_class in (
        (r"/providers/microsoft\.authorization/role(assignments|definitions)", "access_control"),
        (r"^/subscriptions/.*/private(linkresources|endpointconnection)", "network"),
        (r"^/subscriptions/", "management"),
        (r"^/securitydomain(/|$)", "security_domain"),
        (r"^/(pre)?backup(/|$)", "hsm_backup"),
        (r"^/(pre)?restore(/|$)", "hsm_restore"),
        (r"^/settings(/|$)", "settings"),
        (r"^/ekm(/|$)", "settings"),
        (r"^/rng$", "crypto"),
        (r"^/keys/restore$", "key_backup"),
        (r"^/keys/[^/]+/restore$", "hsm_restore"),
        (r"^/keys/[^/]+/backup$", "key_backup"),
        (r"^/keys/[^/]+/[^/]*/release$", "key_release"),
        (r"^/keys/[^/]+/[^/]*/(encrypt|decrypt|sign|verify|wrapkey|unwrapkey)$", "crypto"),
        (r"^/keys/[^/]+/(create|rotate)$", "key_lifecycle"),
        (r"^/deletedkeys/[^/]+/recover$", "key_lifecycle"),
        (r"^/(deleted)?keys(/|$)", "key_read"),
    )
]

# Endings from the longest to the shortest, so that "StatusGet" is not read as a change.
_EFFECT_BY_ENDING = (
    ("statusget", "read"), ("status", "read"), ("list", "read"), ("get", "read"), ("check", "read"),
    ("purge", "destroy"), ("delete", "destroy"),
    ("download", "export"), ("backup", "export"), ("release", "export"), ("export", "export"),
    ("create", "change"), ("put", "change"), ("set", "change"), ("patch", "change"), ("update", "change"),
    ("write", "change"), ("recover", "change"), ("restore", "change"), ("upload", "change"), ("rotate", "change"),
    ("import", "change"),
)  # fmt: skip

# Removing a grant ends access; it destroys no key material.
_NOT_DESTROYED_BY_DELETE = {"access_control", "settings"}


def class_of_path(path: str | None) -> str | None:
    """Class of operation that a request path belongs to; None where the path says nothing.

    >>> class_of_path("/keys/providers/Microsoft.Authorization/roleAssignments/7d1f")
    'access_control'
    >>> class_of_path("/keys/card-00//sign")
    'crypto'
    """
    if not path:
        return None
    folded = re.sub(r"^/{2,}", "/", path.lower()).rstrip("/") or "/"
    return next((name for pattern, name in _CLASS_BY_PATH if pattern.search(folded)), None)


def meaning(operation: str | None, path: str | None) -> Meaning:
    """What an operation is, from its name if the vocabulary has it, else from its URI and its ending.

    Parameters
    ----------
    operation
        ``operationName`` verbatim.
    path
        Path of the request URI, without host and query.

    Returns
    -------
    Class, effect, how well the name is known (``documented``, ``expected``, ``unseen``) and the class that
    the URI alone gives.

    References
    ----------
    operations.csv, column ``source``; https://learn.microsoft.com/rest/api/keyvault/

    Examples
    --------
    >>> meaning("BackupCreate", "/backup")
    Meaning(operation_class='hsm_backup', effect='export', operation_status='documented', class_by_uri='hsm_backup')
    >>> meaning("RoleAssignmentGrantPut", "/providers/Microsoft.Authorization/roleAssignments/7d1f").effect
    'change'
    """
    by_uri = class_of_path(path)
    known = vocabulary().get((operation or "").lower())
    if known is None:
        return Meaning(by_uri or "unknown", _effect_of_name(operation, by_uri), "unseen", by_uri)
    status = "documented" if known.status == "documented" else "expected"
    return Meaning(known.operation_class, known.effect, status, by_uri)


def _effect_of_name(operation: str | None, by_uri: str | None) -> str:
    folded = (operation or "").lower()
    ending = next((effect for end, effect in _EFFECT_BY_ENDING if folded.endswith(end)), None)
    if ending == "destroy" and by_uri in _NOT_DESTROYED_BY_DELETE:
        return "change"
    if ending is None and by_uri == "crypto":
        return "use"
    return ending or "unknown"
