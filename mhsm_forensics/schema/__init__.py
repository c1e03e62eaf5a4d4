"""Every column of every table: its type, its unit and meaning, and where each source keeps it.

Columns are defined here and nowhere else. `docs/schema.md` is generated from this room, and a test
refuses any column of events that the package reads but this room does not define.
"""

from ._beside import PLACES, REJECTS, WITNESSES
from ._column import Column, arrow_schema, empty
from ._context import CONTEXT
from ._document import to_markdown
from ._events import EVENT_NAMES, EVENTS, ORDER, ROUTES
from ._frames import to_pandas, to_records
from ._judgement import FINDINGS, NOTES

__all__ = [
    "CONTEXT", "EVENTS", "EVENT_NAMES", "FINDINGS", "NOTES", "ORDER", "PLACES", "REJECTS", "ROUTES", "WITNESSES", "Column",
    "arrow_schema", "empty", "to_markdown", "to_pandas", "to_records",
]  # fmt: skip
