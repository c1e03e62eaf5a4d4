"""The data dictionary, for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._beside import PLACES, REJECTS, WITNESSES
from ._context import CONTEXT
from ._events import EVENTS
from ._judgement import FINDINGS, NOTES

if TYPE_CHECKING:
    from ._column import Column


def to_markdown() -> str:
    """Render the data dictionary that docs/schema.md holds."""
    context = tuple((f"Context: {name}", columns) for name, columns in CONTEXT.items())
    tables = (
        ("Events", EVENTS),
        ("Rejects", REJECTS),
        ("Witnesses", WITNESSES),
        *context,
        ("Places", PLACES),
        ("Findings", FINDINGS),
        ("Notes", NOTES),
    )
    return "\n".join(_section(title, columns) for title, columns in tables)


def _section(title: str, columns: tuple[Column, ...]) -> str:
    cells = [
        (f"`{c.name}`", c.type, c.meaning, *(_code(f) for f in (c.record, c.diagnostics, c.auditlogs))) for c in columns
    ]
    head = (
        "| column | type | meaning | storage record | AzureDiagnostics | AZKVAuditLogs |\n|---|---|---|---|---|---|\n"
    )
    if not any(c.record for c in columns):
        head, cells = "| column | type | meaning |\n|---|---|---|\n", [row[:3] for row in cells]
    return f"## {title}\n\n{head}" + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _code(field: str) -> str:
    return f"`{field}`" if field else ""
