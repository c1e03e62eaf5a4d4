"""The other ways in which records arrive: archives, Log Analytics rows, data export."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
import zlib
from datetime import datetime
from typing import TYPE_CHECKING

from ._dice import guid
from ._faults import DAY, LAB, Fault, fault, good, lines, of_a_vault, text
from ._tree import blob_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._records import Record

TORN = {"unreadable: ends before its stream does": 1}
WORKSPACE = guid("contoso", "workspace")


def archives() -> Iterator[Fault]:
    """Yield compressed evidence, whole and torn."""
    first, second = lines(good(1), good(2)), lines(good(3), good(4))
    yield fault("several-members.json.gz", gzip_member(first) + gzip_member(second), event=4)
    cut = len(text(good(4))) // 2 + 8
    yield fault("torn.json.gz", gzip_member(first + second)[:-cut], event=3, **TORN)
    blobs = {blob_name(LAB, DAY.at("09:00")): first, blob_name(LAB, DAY.at("10:00")): second}
    yield fault("storage-tree.zip", zipped(blobs), event=4)


def gzip_member(content: str) -> bytes:
    """Return one gzip member, its content stored and not compressed.

    Compressed bytes differ between versions of zlib; stored ones are the same everywhere.
    """
    data = content.encode()
    header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    block = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    return header + block + struct.pack("<II", zlib.crc32(data), len(data))


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip archive of these files, stored, with fixed times and modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 3, 4, 12, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content.encode())
    return buffer.getvalue()


def exports() -> Iterator[Fault]:
    """Yield rows of a Log Analytics workspace: four records that storage holds as well, and a key vault's."""
    records = [good(0), good(1), good(2), good(3, resultDescription='Two lines,\nand a "quote".')]
    yield fault("same-records-storage.json", lines(*records), event=4)
    for name, row in (("azure-diagnostics", diagnostics_row), ("azkv-audit-logs", audit_row)):
        rows = [row(record) for record in (*records, of_a_vault(1))]
        yield fault(f"{name}.csv", as_csv(rows), event=4, out_of_scope=1)
        yield fault(f"{name}.json", json.dumps(rows, indent=2) + "\n", event=4, out_of_scope=1)
        portal = "\ufeff" + as_csv([in_the_portal(line) for line in rows])
        yield fault(f"{name}-portal.csv", portal, event=4, out_of_scope=1)
    yield fault("data-export-PT05M.json", lines(*(audit_row(record) for record in records)), event=4)


def diagnostics_row(record: Record) -> Record:
    """Return the record as a row of AzureDiagnostics: a flat column for each value, named after its type."""
    claim, properties = record["identity"]["claim"], record["properties"]
    _, _, subscription, _, group, _, provider, kind, name = record["resourceId"].upper().split("/")
    return {
        "TenantId": WORKSPACE,
        "TimeGenerated": record["time"],
        "ResourceId": record["resourceId"].upper(),
        "Category": "AuditEvent",
        "ResourceGroup": group,
        "SubscriptionId": subscription.lower(),
        "ResourceProvider": provider,
        "Resource": name,
        "ResourceType": kind,
        "OperationName": record["operationName"],
        "OperationVersion": record["operationVersion"],
        "ResultType": record["resultType"],
        "ResultSignature": record["resultSignature"],
        "ResultDescription": record.get("resultDescription", ""),
        "CorrelationId": record["correlationId"],
        "DurationMs": int(record["durationMs"]),
        "CallerIPAddress": record["callerIpAddress"],
        "identity_claim_appid_g": claim["appid"],
        "identity_claim_oid_g": claim["oid"],
        "identity_claim_upn_s": claim.get("upn", ""),
        "identity_claim_idtyp_s": claim.get("idtyp", ""),
        "identity_claim_appidacr_s": claim["appidacr"],
        "identity_claim_xms_mirid_s": claim.get("xms_mirid", ""),
        "clientInfo_s": properties["clientInfo"],
        "requestUri_s": properties["requestUri"],
        "id_s": properties.get("id", ""),
        "httpStatusCode_d": float(properties["httpStatusCode"]),
        "tlsVersion_s": properties["tlsVersion"],
        "SourceSystem": "Azure",
        "Type": "AzureDiagnostics",
        "_ResourceId": record["resourceId"].lower(),
    }


def audit_row(record: Record) -> Record:
    """Return the record as a row of AZKVAuditLogs, the table made for key vaults."""
    properties = record["properties"]
    return {
        "TenantId": WORKSPACE,
        "TimeGenerated": record["time"],
        "CallerIpAddress": record["callerIpAddress"],
        "ClientInfo": properties["clientInfo"],
        "CorrelationId": record["correlationId"],
        "DurationMs": int(record["durationMs"]),
        "HttpStatusCode": properties["httpStatusCode"],
        "Id": properties.get("id", ""),
        "Identity": record["identity"],
        "IsRbacAuthorized": True,
        "OperationName": record["operationName"],
        "OperationVersion": record["operationVersion"],
        "RequestUri": properties["requestUri"],
        "ResultDescription": record.get("resultDescription", ""),
        "ResultSignature": record["resultSignature"],
        "ResultType": record["resultType"],
        "Tlsversion": properties["tlsVersion"],
        "SourceSystem": "Azure",
        "Type": "AZKVAuditLogs",
        "_ResourceId": record["resourceId"].lower(),
        "_SubscriptionId": record["resourceId"].split("/")[2].lower(),
    }


def in_the_portal(row: Record) -> Record:
    """Return the row as the portal exports it: times in American style, their zone only in the header."""
    time = datetime.fromisoformat(row["TimeGenerated"][:23] + "+00:00")
    clock = f"{time.hour % 12 or 12}:{time:%M:%S}.{time.microsecond // 1000:03}"
    half = "AM" if time.hour < 12 else "PM"  # %p depends on the locale
    shown = {"TimeGenerated [UTC]": f"{time.month}/{time.day}/{time.year}, {clock} {half}"}
    return {**shown, **{name: value for name, value in row.items() if name != "TimeGenerated"}}


def as_csv(rows: list[Record]) -> str:
    """Return the rows as CSV with a header; objects become JSON text."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: text(value) if isinstance(value, dict) else value for name, value in row.items()})
    return buffer.getvalue()
