"""A builder of events, for tests that state only what matters."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pandas as pd

from mhsm_forensics import identifiers, operations, schema
from mhsm_forensics.case import open_case

if TYPE_CHECKING:
    from mhsm_forensics.case import Case

SAMPLES = Path(__file__).parents[1] / "data-samples"
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)  # when reports are written

DEFAULTS = {
    "hsm": "hsm-a",
    "operation": "KeyGet",
    "http_status": 200,
    "principal": "anna",
    "caller_ip": "192.0.2.1",
    "client": "Azure CLI",
}
OUTCOMES = {200: "success", 201: "success", 204: "success", 202: "accepted", 401: "denied", 403: "denied"}
OBJECTS = {"key_lifecycle": "key", "key_read": "key", "crypto": "key", "key_backup": "key"}


def copy_of(case: Case, folder: Path, *, zone: str | None = None) -> Case:
    """A copy of a case to write in; the bytes of its evidence, which nobody writes, are there once.

    *zone* is the second time zone that it shows.
    """
    shutil.copytree(case.path, folder, ignore=shutil.ignore_patterns("evidence"))
    shutil.copytree(case.path / "evidence", folder / "evidence", copy_function=os.link)
    if zone:
        about = json.loads((folder / "case.json").read_text("utf-8"))
        (folder / "case.json").write_text(json.dumps(about | {"display_zone": zone}), "utf-8")
    return open_case(folder)


def events(*rows: dict[str, Any], **common: Any) -> pd.DataFrame:
    """Events with every column of the schema, from dicts that state only what matters.

    ``at`` is the time in UTC ("2026-01-05 10:00"; default: a minute after the row before). Class, effect and status
    of the name come from the vocabulary, the outcome from ``http_status``, unless a row says otherwise.
    """
    made, time = [], pd.Timestamp("2026-01-05 10:00", tz="UTC")
    for number, row in enumerate(rows, 1):
        given = {**common, **row}
        time = pd.Timestamp(given.pop("at"), tz="UTC") if "at" in given else time + pd.Timedelta(minutes=1)
        made.append(_event(number, time, given))
    table = {column.name: [row.get(column.name) for row in made] for column in schema.EVENTS}
    frame = schema.to_pandas(schema.arrow_schema(schema.EVENTS).empty_table())
    return pd.DataFrame({name: pd.Series(values, dtype=frame[name].dtype) for name, values in table.items()})


def _event(number: int, time: pd.Timestamp, given: dict[str, Any]) -> dict[str, Any]:
    row = {**DEFAULTS, **given}
    path = urlsplit(row["request_uri"]).path if row.get("request_uri") else None
    meaning = operations.meaning(row["operation"], path, row["http_status"])
    row["key_name"] = None if row.get("key_name") is None else identifiers.key_name_of(row["key_name"])
    object_id = row.get("object_id", f"oid-{row['principal']}" if row["principal"] else None)
    return {
        "event_id": f"e:{number:06d}",
        "time": time,
        "t": time.value // 1000,
        "act": meaning.act,
        "known_by": meaning.known_by,
        "class_by_uri": meaning.class_by_uri,
        "operation_class": meaning.operation_class,
        "effect": meaning.effect,
        "operation_status": meaning.operation_status,
        "object_type": OBJECTS.get(meaning.operation_class) if row.get("key_name") else None,
        "outcome": OUTCOMES.get(row["http_status"], "failure"),
        "object_id": object_id,
        "actor": identifiers.actor_of(object_id, row.get("app_id"), row.get("upn") or row["principal"]),
        "key": None if row["key_name"] is None else f"{row['hsm'] or ''}/{row['key_name']}",
        "principal_type": "user" if row["principal"] else "anonymous",
        **row,
    }
