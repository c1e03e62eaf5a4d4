"""Why bytes are no event, in the words of the rejects table: what each reason means, and the way out.

A reason may say more behind a colon (``unreadable: encrypted``); it is known by what stands before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["REASONS", "Reason", "reason_of", "to_markdown"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its name in the column `reason` of rejects, what it means, and what to do about it."""

    name: str
    meaning: str
    hint: str


_LOOK: Final = "mhsm-forensics rejects CASE shows the bytes"
REASONS: Final = (
    Reason(
        "ambiguous_date",
        "day and month may have changed places, and no row of the file decides it",
        "say which comes first with --dates day-first or --dates month-first (of add; of rebuild for what is in the case)",
    ),
    Reason(
        "no_zone",
        "the time names no zone, and nothing in the file does",
        "say the zone that they were written in with --times-in UTC, Europe/Berlin or +01:00 (of add; of rebuild for what is in "
        "the case); or export again in UTC",
    ),
    Reason(
        "ambiguous_hour",
        "an hour that the clocks of the zone show twice, or never, when summer time ends or begins",
        "export again in UTC: what stands in that hour can't be told apart",
    ),
    Reason(
        "no_time",
        "a record without a time",
        "export whole rows: the column TimeGenerated, or the field time, is needed",
    ),
    Reason(
        "bad_time",
        "what stands where the time belongs is no time, or in no form that is read",
        f"{_LOOK}; export again with times in ISO 8601 (2026-03-05T02:00:00Z)",
    ),
    Reason(
        "impossible_time",
        "the time lies before 2015, or more than a year after the file was acquired",
        f"{_LOOK}; a wrong unit or a wrong order of day and month does that, and so does tampering",
    ),
    Reason(
        "not_json",
        "neither a whole JSON object nor a row; or it begins inside a record",
        f"{_LOOK}; fetch the file again if something cut or changed it on its way",
    ),
    Reason(
        "truncated",
        "the file ends in the middle of it",
        "fetch the file again once it is complete: what stands before the end was read",
    ),
    Reason(
        "not_a_record",
        "readable, but no record of a log that is read: nothing names an operation",
        "export whole rows: at least TimeGenerated, OperationName and _ResourceId, under their own names and not summarised",
    ),
    Reason(
        "too_few_cells",
        "a row with fewer cells than its header",
        f"{_LOOK}; export again, without a spreadsheet in between",
    ),
    Reason(
        "too_many_cells",
        "a row with more cells than its header: one of them holds a separator",
        f"{_LOOK}; export again with cells in quotes, or as JSON",
    ),
    Reason(
        "open_quote",
        "a row in which a quote opens and does not close, or stands inside a cell unescaped",
        f"{_LOOK}; export again, without a spreadsheet or a script in between",
    ),
    Reason(
        "partial_answer",
        "the service's answer is not all there is: it says so itself, or stops between two rows",
        "ask again for a shorter time",
    ),
    Reason("too_long", "longer than 16 MB, which no record is", f"{_LOOK}; it may be many records without a line end"),
    Reason("too_deep", "nested deeper than any record is", f"{_LOOK}; no service writes such a record"),
    Reason(
        "no_id", "an entry of a list of people or applications without an id", "export it with object ids or client ids"
    ),
    Reason("no_principal", "a role assignment that names nobody", "export it with the principal's object id"),
    Reason(
        "no_network", "an entry of a list of addresses without a network", "give it an address, or a network as CIDR"
    ),
    Reason("bad_network", "what stands where a network belongs is none", "write 192.0.2.0/24, or a single address"),
    Reason(
        "host_bits_set", "a network with bits behind its prefix: it or the prefix is wrong", "write 192.0.2.0/24, say"
    ),
    Reason(
        "unreadable",
        "a file, or a member of an archive, that can't be opened or read to its end",
        "unpack it yourself, with its password if it has one, and add what was inside; or fetch it again",
    ),
)
_BY_NAME: Final = {reason.name: reason for reason in REASONS}


def reason_of(text: str) -> Reason:
    """Look a reason up by what the rejects table says.

    Examples
    --------
    >>> reason_of("unreadable: encrypted").name, reason_of("new_reason").hint
    ('unreadable', 'mhsm-forensics rejects CASE shows the bytes')
    """
    name = text.partition(":")[0].strip()
    return _BY_NAME.get(name) or Reason(name, "no event could be made of it", _LOOK)


def to_markdown() -> str:
    """Render the table of reasons that docs/rejects.md holds."""
    head = "| reason | means | way out |\n|---|---|---|\n"
    return head + "".join(f"| `{one.name}` | {one.meaning} | {one.hint} |\n" for one in REASONS)
