"""Evidence → raw records: every line (or array element) with its place, and the lines that are no record.

`records` is the only thing to call. What it yields adds up: each line of the file is exactly one record,
one reject or one blank.
"""

from ._records import Batch, Place, Record, Reject, records

__all__ = ["Batch", "Place", "Record", "Reject", "records"]
