"""The vocabulary: every operation with its name, its route, the right that it needs, and who says so."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

SOURCES: Final = {
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
    "role-definitions": "a right that built-in roles have (listed on a managed HSM); neither its route nor its log name is "
    "documented",
}

# What an operation does if it succeeds, the gravest first.
EFFECTS: Final = ("destroy", "export", "change", "use", "read")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of operations.csv; ``success`` may hold several codes, parted by ``|``."""

    operation: str
    operation_class: str
    effect: str
    method: str
    path: str
    data_action: str
    success: str
    status: str
    source: str

    def answers(self, http_status: int | None) -> bool:
        """Whether it answers with that status when it succeeds."""
        return str(http_status) in self.success.split("|")


@cache
def vocabulary() -> dict[str, Operation]:
    """Every operation of operations.csv by its lower-case name."""
    text = resources.files(__package__).joinpath("operations.csv").read_text("utf-8")
    return {row["operation"].lower(): Operation(**row) for row in csv.DictReader(text.splitlines())}
