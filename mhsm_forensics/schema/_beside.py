"""The tables that account for records and addresses beside the events."""

from __future__ import annotations

from ._column import Column
from ._events import PLACE

REJECTS = (
    Column("event_id", "string", "evidence and byte, as if it were an event"),
    Column("evidence_id", "string", "the evidence file"),
    Column("source_file", "string", "its path in the case's evidence folder"),
    Column("source_line", "int", "line on which the rejected bytes start, from 1"),
    Column("source_offset", "int", "byte at which they start, in the decompressed file"),
    Column("source_length", "int", "their length in bytes"),
    Column("reason", "string", "why it is no event, by a name of docs/rejects.md; behind a colon there may be more"),
    Column("raw", "binary", "the bytes, at most the first 64 KiB of them; the evidence has the rest"),
)  # fmt: skip

# Every record of an audit log that is in scope: a request is one event, and each record that says it is a witness of it.
WITNESSES = (
    Column("witness_id", "string", "the record: evidence and byte; what `raw` gives the bytes of"),
    Column("event_id", "string", "the event that it says; of a repeated record of another log, the record that stands for it"),
    Column("log", "string", "`audit`; of a repeated record of another log, the table that has it"),
    Column("relation", "string", "`fullest` (the event has its values), `same bytes` as a record before it, `same in other bytes` by the same route, `other route`"),
    Column("same_bytes_as", "string", "the first record with the same bytes, where there is one before it"),
    Column("contradicts", "list", "columns in which it says something else than the event, though it is the same request"),
    Column("says", "list", "what it says in these"),
    Column("instead_of", "list", "what the event says in these"),
    Column("route", "string", "how it came, as in events"),
    *PLACE,
)  # fmt: skip

PLACES = (
    Column("caller_ip", "string", "the address"),
    Column("country", "string", "country by the databases that were asked: ISO code, else name"),
    Column("city", "string", "city, in English"),
    Column("asn", "int", "number of the autonomous system"),
    Column("as_org", "string", "who runs the autonomous system"),
    Column("network", "string", "network that the first database with an answer gives it for"),
    Column("databases", "list", "type and build date of the databases that said so"),
)
