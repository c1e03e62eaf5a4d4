"""The command line without a process of its own, and small logs for it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mhsm_forensics import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RESOURCE = "/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT"


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


def commander(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return what runs a command as `mhsm-forensics` does, in this process."""

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["mhsm-forensics", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def record(second: int = 0, *, kind: str = "MANAGEDHSMS", name: str = "CONTOSO-HSM", **changed: Any) -> dict[str, Any]:
    """Return a storage record; *changed* replaces its fields."""
    return {
        "time": f"2026-03-05T02:00:{second:02}.0000000Z",
        "resourceId": f"{RESOURCE}/{kind}/{name}",
        "operationName": "KeySign",
        "category": "AuditEvent",
        "resultType": "Success",
        "durationMs": 5,
        "callerIpAddress": "203.0.113.5",
        "correlationId": f"c{second}",
        "identity": {"claim": {"oid": "b1c5", "appid": "a1"}},
        "properties": {"requestUri": "https://contoso-hsm.managedhsm.azure.net/keys/k1/sign", "httpStatusCode": 200},
        **changed,
    }


def write_lines(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """Write records, and bytes that are none, as lines of a file; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path
