"""Storage records as rows of the two tables, flattened as Log Analytics does it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "data-samples"
TABLES: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "tables.json").read_text("utf-8"))
WORKSPACE = "6f7cc6f3-4c35-4a0b-9f0e-3d8a8b6c1d11"

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SUFFIXES = {"s": "string", "g": "string", "d": "real", "b": "bool", "t": "datetime"}

Row = dict[str, Any]


def sample_records(name: str = "incident") -> list[Row]:
    """Every whole record of a sample, in the order of the files."""
    found = []
    for path in sorted((SAMPLES / name).rglob("PT1H.json")):
        for line in path.read_text("utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def diagnostics(record: Row) -> Row:
    """The record as a row of AzureDiagnostics: a flat column for each value, its suffix the type of the value."""
    _, _, subscription, _, group, _, provider, kind, name = record["resourceId"].upper().split("/")
    row = _common(record) | {
        "ResourceId": record["resourceId"].upper(),
        "Category": record["category"],
        "ResourceGroup": group,
        "SubscriptionId": subscription.lower(),
        "ResourceProvider": provider,
        "Resource": name,
        "ResourceType": kind,
        "CallerIPAddress": record.get("callerIpAddress", ""),
        "Type": "AzureDiagnostics",
    }
    row |= _flat("identity", _identity(record))
    for field in ("clientInfo", "requestUri", "httpStatusCode", "subnetId", "PoolName"):
        row |= _flat(field, record.get(field))
    for field, value in record.get("properties", {}).items():
        row |= _flat(field, value)
    return row


def audit(record: Row) -> Row:
    """The record as a row of AZKVAuditLogs, which has a column for each field, and some with another name."""
    said = record | record.get("properties", {})
    row = _common(record) | {
        "CallerIpAddress": record.get("callerIpAddress", ""),
        "ClientInfo": said.get("clientInfo", ""),
        "HttpStatusCode": said.get("httpStatusCode"),
        "Id": said.get("id", ""),
        "Identity": json.dumps(_identity(record)),
        "RequestUri": said.get("requestUri", ""),
        "SubnetId": said.get("subnetId", ""),
        "Tlsversion": said.get("tlsVersion", ""),
        "TrustedService": said.get("trustedService", ""),
        "Type": "AZKVAuditLogs",
        "_SubscriptionId": record["resourceId"].split("/")[2].lower(),
    }
    return {name: value for name, value in row.items() if name in TABLES["AZKVAuditLogs"]}


def types(table: str, rows: list[Row]) -> dict[str, str]:
    """Columns of a table that holds *rows*: those it always has, and those that its rows brought."""
    brought = {name: _SUFFIXES.get(name[-1], "string") for row in rows for name in row if name[-2:-1] == "_"}
    return brought | TABLES[table]


def _common(record: Row) -> Row:
    return {
        "TenantId": WORKSPACE,
        "TimeGenerated": record["time"],
        "OperationName": record["operationName"],
        "OperationVersion": str(record.get("operationVersion", "")),
        "ResultType": record.get("resultType", ""),
        "ResultSignature": record.get("resultSignature", ""),
        "ResultDescription": record.get("resultDescription", ""),
        "CorrelationId": record.get("correlationId", ""),
        "DurationMs": int(record["durationMs"]),
        "SourceSystem": "Azure",
        "_ResourceId": record["resourceId"].lower(),
    }


def _identity(record: Row) -> Row:
    identity = record.get("identity") or {}
    return json.loads(identity) if isinstance(identity, str) else identity


def _flat(name: str, value: Any) -> Row:
    name = re.sub(r"\W+", "_", name)
    if isinstance(value, dict):
        return {column: cell for key, item in value.items() for column, cell in _flat(f"{name}_{key}", item).items()}
    if value is None:
        return {}
    if isinstance(value, bool):
        return {f"{name}_b": value}
    if isinstance(value, (int, float)):
        return {f"{name}_d": float(value)}
    text = value if isinstance(value, str) else json.dumps(value)
    return {f"{name}_{'g' if _GUID.fullmatch(text) else 's'}": text}
