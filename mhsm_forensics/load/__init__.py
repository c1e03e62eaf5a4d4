"""Evidence → raw records: every line (or array element) with its place, and the lines that are no record.

`records` is what to call; `survey` only counts the rows of an answer. What `records` yields adds up: each
line of the file is exactly one record, one record of another log that gives context, one reject or one blank. `Templates`
know lines that differ in few values, so that one of them is read for all.
"""

from ._answers import Survey, survey
from ._batch import Batch, Place, Reject
from ._context import Context, Kind
from ._lines import holds_lines
from ._records import records
from ._shapes import Record
from ._templates import Alike, Example, Templates

__all__ = [
    "Alike", "Batch", "Context", "Example", "Kind", "Place", "Record", "Reject", "Survey", "Templates",
    "holds_lines", "records", "survey",
]  # fmt: skip
