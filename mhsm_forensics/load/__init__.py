"""Evidence → raw records: every line (or array element) with its place, and the lines that are no record.

`records` is what to call; `survey` only counts the rows of an answer. What `records` yields adds up: each
line of the file is exactly one record, one record of another log that gives context, one reject or one blank.
"""

from ._answers import Survey, survey
from ._batch import Batch, Place, Reject
from ._context import Context, Kind
from ._records import records
from ._shapes import Record

__all__ = ["Batch", "Context", "Kind", "Place", "Record", "Reject", "Survey", "records", "survey"]
