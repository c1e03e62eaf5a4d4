"""What a fault sample is, and the good records around the fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from ._acts import Act, Day, after
from ._cast import CODESIGN, MATEO, MONITOR, PAYMENTS, VAULT, WEB_APP, Resource
from ._records import Record, nested

if TYPE_CHECKING:
    from collections.abc import Mapping

LAB = Resource("contoso-hsm-lab", "rg-lab", "westeurope")
DAY = Day(date(2026, 3, 4), "damaged")

FATES = ("event", "witness", "duplicate", "out_of_scope", "blank")


@dataclass(frozen=True, slots=True)
class Fault:
    """One file with one fault, and what becomes of its lines when it is loaded alone."""

    name: str
    data: bytes
    counts: Mapping[str, int] = field(default_factory=dict)

    def expected(self) -> dict[str, Any]:
        """Return the counts by fate, and of rejects by reason."""
        reasons = {reason: count for reason, count in self.counts.items() if reason not in FATES}
        fates = {fate: self.counts.get(fate, 0) for fate in FATES}
        return {**fates, "reject": sum(reasons.values()), "reasons": reasons}


def fault(name: str, data: bytes | str, **counts: int) -> Fault:
    """Return a fault; *counts* name fates or reasons of rejection."""
    return Fault(name, data.encode() if isinstance(data, str) else data, counts)


def good(number: int, **changed: object) -> Record:
    """Return a good record, another one for each number; *changed* replaces top-level fields."""
    callers = ((PAYMENTS, "KeyUnwrap"), (CODESIGN, "KeySign"), (MATEO, "KeyGet"), (MONITOR, "KeyList"))
    actor, operation = callers[number % len(callers)]
    key = "" if operation == "KeyList" else f"lab-key-{number % 3:02}"
    return nested(Act(after(DAY.about("09:15:00"), 61.37 * number), LAB, actor, operation, key)) | changed


def good_with(number: int, **properties: object) -> Record:
    """Return a good record with some of its ``properties`` replaced."""
    record = good(number)
    return record | {"properties": record["properties"] | properties}


def of_a_vault(number: int) -> Record:
    """Return a record of a key vault, which is no managed HSM."""
    return nested(Act(after(DAY.about("09:20:00"), 47.13 * number), VAULT, WEB_APP, "SecretGet", "web-db-password"))


def text(record: object) -> str:
    """Return compact JSON."""
    return json.dumps(record, separators=(",", ":"))


def lines(*records: Record | str) -> str:
    """Return JSON Lines, a newline after each; a text goes in as it stands."""
    return "".join((one if isinstance(one, str) else text(one)) + "\n" for one in records)


def at_another_time(record: Record, time: object) -> Record:
    """Return the record with another value in ``time``, or none if *time* is None."""
    kept = {name: value for name, value in record.items() if name != "time"}
    return kept if time is None else {"time": time} | kept
