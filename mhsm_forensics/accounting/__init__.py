"""What became of what was handed over: examined, rejected, out of scope or passed over; each with its place and reason.

Facts about a case, for everything that shows one: no view may call evidence quiet that nobody could look at.
"""

from ._added import lines_of, lines_of_passed_over
from ._examined import nothing_examined, responder_said
from ._rejects import passed_over, rejects_by_file, rejects_by_reason
from ._unread import Unread, unread, unread_by_reason
from ._witnesses import by_relation, lines_of_witnesses

__all__ = [
    "Unread", "by_relation", "lines_of", "lines_of_passed_over", "lines_of_witnesses", "nothing_examined", "passed_over",
    "rejects_by_file", "rejects_by_reason", "responder_said", "unread", "unread_by_reason",
]  # fmt: skip
