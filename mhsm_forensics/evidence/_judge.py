"""Which files, and which members of archives, are logs; and why the others are passed over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..case import PassedOver
from ._streams import TornStreamError
from .formats import refusal
from .signs import LOG_NAME, LOG_TEXT, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ._containers import Member

SEARCHED: Final = 64 << 20  # bytes of a file in which a log must show itself
NO_LOG: Final = "no audit log"

_OVERLAP = 512  # bytes that are searched again with the next block: a name may stand across two
_APPLE_DOUBLE = b"\x00\x05\x16\x07"  # what macOS keeps about a file, beside it
# What can't be read is taken for a log unless its name says that it is none.
_NO_LOG_NAME = re.compile(
    r"(?:^|[/!])(?:__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)"
    r"|\.(?:png|jpe?g|gif|bmp|ico|svg|heic|webp|mp[34]|mov|pdf|docx?|pptx?|msg|eml|exe|dll|html?|md|lnk)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may become evidence, and where it stood in what was handed over."""

    path: Path
    relative: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at some content showed: whether it is a log, and why it could not be read to its end."""

    is_log: bool
    fault: str | None = None


def look_at(content: Iterable[bytes], *, to_the_end: bool = False) -> Look:
    """Search content for the field names of a log, or of a list that says more; up to the first, or to the end."""
    is_log, read, tail = False, 0, b""
    try:
        for block in content:
            is_log = is_log or (read < SEARCHED and _shows_a_log(tail, block, read))
            read, tail = read + len(block), block[-_OVERLAP:]
            if not to_the_end and (is_log or read >= SEARCHED):
                break
    except TornStreamError as problem:
        return Look(is_log, problem.reason)
    return Look(is_log)


def _shows_a_log(tail: bytes, block: bytes, read: int) -> bool:
    if not read and block.startswith(_APPLE_DOUBLE):
        return False
    return bool(LOG_TEXT.search(tail + block) or (not read and table_of(block)))


def has_log_name(name: str) -> bool:
    """Whether a path, also of a member, ends in the name of a blob of the service: that is evidence whatever it holds."""
    return bool(LOG_NAME.search(re.split("[/!\\\\]", name)[-1]))


def why_not(source: Source, member: Member, look: Look) -> PassedOver | None:
    """Say why a file or a member is no evidence; None where it is."""
    name = member.name or source.path.name
    if member.special:
        return passed_over(source, "left out", member.special, member=member)
    if has_log_name(name):
        return None
    if refused := member.refusal or (None if look.fault else refusal(member.head)):
        return passed_over(source, "refused", refused.reason, member=member, hint=refused.hint)
    if look.is_log:
        return None
    if look.fault:
        is_junk = _NO_LOG_NAME.search(name)
        return passed_over(source, "unreadable", look.fault, member=member) if is_junk else None
    return passed_over(source, "left out", NO_LOG, member=member)


def passed_over(
    source: Source, kind: str, reason: str, *, member: Member | None = None, hint: str | None = None
) -> PassedOver:
    """Return what is kept about a file that is no evidence."""
    inside = f"!{member.name}" if member and member.name else ""
    return PassedOver(
        storable(source.relative + inside), kind, storable(reason), storable(f"{source.path}{inside}"), hint
    )


def storable(name: str) -> str:
    """Return a name as text that every file of the case can hold: bytes of it that are no UTF-8 are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
