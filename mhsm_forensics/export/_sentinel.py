"""Our rules for Microsoft Sentinel: those that can be said in KQL, as scheduled analytics rules.

One text for each rule in `sentinel/`, over both audit tables as one; `_audit.kql` makes that one, and nothing in it leaves
managed HSMs out, as the stock rules for key vaults do.
"""

from __future__ import annotations

import re
import uuid
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import yaml

from ..errors import InputError
from ..rules import RULES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from ..rules import Rule

VERSION: Final = "1.0.0"
_OURS: Final = uuid.UUID("5b1d7c3e-6f0a-5d0e-9a3b-0c6f2f6a4b11")  # names of rules are ids below this one
_SEVERITIES: Final = {"critical": "High", "high": "High", "medium": "Medium", "low": "Low", "info": "Informational"}
_TACTICS: Final = {
    "T1069.003": "Discovery", "T1070": "DefenseEvasion", "T1074.002": "Collection", "T1078.004": "InitialAccess",
    "T1087.004": "Discovery", "T1098": "Persistence", "T1098.001": "Persistence", "T1098.003": "Persistence",
    "T1110": "CredentialAccess", "T1213": "Collection", "T1485": "Impact", "T1486": "Impact", "T1489": "Impact",
    "T1490": "Impact", "T1526": "Discovery", "T1528": "CredentialAccess", "T1530": "Collection", "T1531": "Impact",
    "T1537": "Exfiltration", "T1550.001": "LateralMovement", "T1552.004": "CredentialAccess",
    "T1552.005": "CredentialAccess", "T1553.002": "DefenseEvasion", "T1555.006": "CredentialAccess",
    "T1557": "CredentialAccess", "T1562.001": "DefenseEvasion", "T1562.007": "DefenseEvasion",
    "T1562.008": "DefenseEvasion", "T1565.001": "Impact", "T1580": "Discovery", "T1606.002": "CredentialAccess",
    "T1649": "CredentialAccess",
}  # fmt: skip
# Sentinel names techniques as ATT&CK did before v19.
_BEFORE: Final = {"T1685": "T1562.001", "T1685.002": "T1562.008", "T1686.001": "T1562.007"}
_PART: Final = re.compile(r"^@(\w+)\n", re.MULTILINE)
_CADENCE: Final = re.compile(r"^// Each day, over (\d+) days\.\n")  # else every hour
# A run looks a quarter of an hour further back than the one before it began: a record may come ten minutes late, and an
# alarm twice is better than none.
_OVERLAP: Final = 15  # minutes

_BODY: Final = "what was asked for stands in the request's body, which a workspace doesn't always hold"
_WEEKS: Final = "what is missing is judged by weeks of the HSM's own rhythm"
_STORES: Final = "it needs the log of the accounts that hold the backups, and a case knows which they are"
_SIGN_INS: Final = "Sentinel's own rules on sign-ins and Entra ID Protection see every sign-in of these identities"

# Why a rule has no query.
NOT_EXPRESSED: Final = {
    "routine-full-backup": "routine that was recognised is no alarm",
    "routine-key-rotation": "routine that was recognised is no alarm",
    "callers-of-lost-keys": "it follows the whole life of a key, and tells the damage, not the deed",
    "key-changed-by-stranger": "it leaves out what other rules told; first-seen-address and first-seen-principal say the rest",
    "own-rights": "it compares with all that its writer ever did; denied-then-allowed and the rules on roles say its parts",
    "network-opened": _BODY,
    "backup-identity-added": _BODY,
    "control-plane-role-given": "rules on the whole subscription come with Sentinel's solution for Azure Activity",
    "log-store-touched": "which accounts and workspaces hold the logs, a case knows",
    "witnesses-contradict": "it compares the workspace with another copy of the log, which a query does not see",
    "route-lacks-records": "it compares the workspace with the storage container, which a query does not see",
    "ekm-failing": "failures in a row are an outage first, and a metric tells them sooner",
    "refused-by-firewall": "a refusal is worth an alarm only with what the address was let do later",
    "backup-read": _STORES,
    "backup-elsewhere": _STORES,
    "backup-deleted": _STORES,
    "signin-guessed": _SIGN_INS,
    "signin-new-address": _SIGN_INS,
    "signin-risky": _SIGN_INS,
    "signin-by-device-code": _SIGN_INS,
    "key-used-by-new-user": "every new service would be an alarm; use-burst and signing-oracle say the grave ones",
    "rights-read": "enumeration names the same where it is much; alone it is too little for an alarm",
    "two-places": "it follows weeks event by event; token-at-two-addresses says the sure case",
    "silence": _WEEKS + "; watch the health of the data connector",
    "silence-after-grave-act": _WEEKS,
    "contradiction": "it follows the whole life of a key",
    "job-without-start": "whether the log is whole in the day before, and which start each job takes, a query can't say",
    "success-without-known-right": "the HSM's own role assignments are in no table of a workspace",
    "dormant-principal": "a scheduled rule looks back two weeks at most, and the silence alone is as long",
    "unknown-operation": "it needs the list of all known names and routes",
    "name-against-route": "it needs the list of all known names and routes",
    "unnamed-operation": "names that are new are no alarm where the route says what was asked for",
    "odd-hours": "it needs the habit of weeks, hour by hour",
}


def analytics_rules(folder: Path) -> int:
    """Write every rule that has a query as a YAML file, and return how many there are.

    Parameters
    ----------
    folder
        Where to; it is made, and files of the same names are replaced.

    Returns
    -------
    How many files, one for each rule that has a query; docs/sentinel.md lists the others, with the reason.

    Raises
    ------
    OSError
        The folder can't be written.

    Raises
    ------
    InputError
        There is a file of that name.

    References
    ----------
    https://learn.microsoft.com/azure/sentinel/sentinel-analytic-rules-creation
    https://github.com/Azure/Azure-Sentinel/wiki/Query-Style-Guide
    """
    if folder.is_file():
        raise InputError(f"{folder}: is a file. Hint: name a folder for the rules.")
    folder.mkdir(parents=True, exist_ok=True)
    expressed = [rule for rule in RULES if has_query(rule)]
    for rule in expressed:
        text = yaml.dump(_as_rule(rule), Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=110)
        (folder / f"{rule.id}.yaml").write_text(text, encoding="utf-8", newline="\n")
    return len(expressed)


def has_query(rule: Rule) -> bool:
    """Whether the rule can be said in KQL."""
    return _folder().joinpath(f"{rule.id}.kql").is_file()


def why_not(rule: Rule) -> str:
    """Say why a rule has no query; nothing where it has one."""
    return "" if has_query(rule) else NOT_EXPRESSED[rule.id]


def to_markdown() -> str:
    """Render the list of rules that docs/sentinel.md ends with.

    >>> "| [`silence`](detections.md#silence) | High |  | what is missing" in to_markdown()
    True
    """
    head = "| rule | severity | runs | in Sentinel, or why not |\n|---|---|---|---|\n"
    return head + "".join(map(_line, RULES))


def _line(rule: Rule) -> str:
    severity = _SEVERITIES[rule.severity]
    return f"| [`{rule.id}`](detections.md#{rule.id}) | {severity} | {_cadence(rule)} | {why_not(rule) or 'yes'} |\n"


def _cadence(rule: Rule) -> str:
    if not has_query(rule):
        return ""
    days = _days(rule.id)
    return f"every day, over {days} days" if days else "every hour"


@cache
def query(name: str) -> str:
    """Text of a rule's query, whole: the audit tables as one, the rule, and what a finding is made of.

    >>> "union isfuzzy=true" in query("keys-purged"), "managedhsms" in query("logging-removed")
    (True, True)
    """
    text = _PART.sub(lambda found: _text(f"_{found[1]}"), _CADENCE.sub("", _text(name)))
    since = f"let Since = ago({(24 * 60 if _days(name) else 60) + _OVERLAP}m);\n"
    return since + text if _is_activity(text) else since + _text("_audit") + text


def _as_rule(rule: Rule) -> dict[str, Any]:
    """The rule with the names that Sentinel gives to its parts."""
    text = query(rule.id)
    techniques = [_BEFORE.get(one, one) for one in rule.techniques]
    days = _days(rule.id)
    return {
        "id": str(uuid.uuid5(_OURS, rule.id)),
        "name": f"Managed HSM - {rule.title}",
        "version": VERSION,
        "kind": "Scheduled",
        "description": f"{rule.why}\nInnocent activity that looks the same: {rule.benign}\nNext step: {rule.next_step}\n",
        "severity": _SEVERITIES[rule.severity],
        "status": "Available",
        "requiredDataConnectors": [_connector(_text(rule.id))],
        "queryFrequency": "1d" if days else "1h",
        "queryPeriod": f"{days}d" if days else "2h",
        "triggerOperator": "gt",
        "triggerThreshold": 0,
        "tactics": sorted({_TACTICS[one] for one in techniques}),
        "relevantTechniques": sorted(set(techniques)),
        "query": text,
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "customDetails": {"HSM": "Hsm", "Events": "Count", "Operations": "Operations"},
        "entityMappings": [
            {"entityType": "Account", "fieldMappings": [{"identifier": "AadUserId", "columnName": "ObjectId"},
                                                        {"identifier": "FullName", "columnName": "Upn"}]},
            {"entityType": "IP", "fieldMappings": [{"identifier": "Address", "columnName": "CallerIp"}]},
            {"entityType": "AzureResource", "fieldMappings": [{"identifier": "ResourceId", "columnName": "ResourceId"}]},
        ],
    }  # fmt: skip


def _days(name: str) -> int:
    """Days that a query looks back over, once a day; 0 where it runs every hour."""
    said = _CADENCE.match(_text(name))
    return int(said[1]) if said else 0


def _connector(text: str) -> dict[str, Any]:
    if _is_activity(text):
        return {"connectorId": "AzureActivity", "dataTypes": ["AzureActivity"]}
    return {"connectorId": "AzureKeyVault", "dataTypes": ["AzureDiagnostics", "AZKVAuditLogs"]}


def _is_activity(text: str) -> bool:
    return text.startswith("AzureActivity")


def _text(name: str) -> str:
    return _folder().joinpath(f"{name}.kql").read_text("utf-8")


def _folder() -> Traversable:
    return resources.files(__package__).joinpath("sentinel")


class _Blocks(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a reader can read the query."""


def _as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _as_block)
