"""Evidence files on disk: find them, take them into a case, read their bytes.

Nothing here understands a log line. `find` says what is there and what is passed over, `acquire` and `receive` take it
into a case, `blocks`, `contents` and `slices` read it again: a file or a member of an archive, by its position.
"""

from ._arrivals import located, receive, recover
from ._containers import MAX_DEPTH, Member, Tap, blocks, contents, cut, head_of, is_read_as_one, slices, walk
from ._find import Found, find
from ._intake import ARCHIVE, Taken, Words, acquire, by_content, evidence_id, record_added
from ._judge import Look, Source, look_at
from ._places import at_places
from ._streams import BLOCK, TornStreamError

__all__ = [
    "ARCHIVE", "BLOCK", "MAX_DEPTH", "Found", "Look", "Member", "Source", "Taken", "Tap", "TornStreamError", "Words",
    "acquire", "at_places", "blocks", "by_content", "contents", "cut", "evidence_id", "find", "head_of", "is_read_as_one",
    "located", "look_at", "receive", "record_added", "recover", "slices", "walk",
]  # fmt: skip
