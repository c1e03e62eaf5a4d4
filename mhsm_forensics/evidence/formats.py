"""Forms that are not read, and the way out of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """A form that is not read, why, and what to do instead."""

    form: str
    why: str
    hint: str


_UNPACK = "unpack it and add the folder"
_BY_MAGIC: Final = {
    b"7z\xbc\xaf\x27\x1c": Refusal("7z", "a 7z archive, which is not read", _UNPACK),
    b"Rar!\x1a\x07": Refusal("rar", "a RAR archive, which is not read", _UNPACK),
}
_EXCEL = Refusal("xlsx", "an Excel workbook, which is not read", "save each sheet as CSV (UTF-8) and add that")


def refusal(head: bytes, name: str) -> Refusal | None:
    r"""Say of a file that begins with these bytes that its form is not read; None where it may be.

    >>> refusal(b"Rar!...", "logs.rar") is None, refusal(b"7z\xbc\xaf\x27\x1c", "logs.7z").form
    (True, '7z')
    """
    if head.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in head and b"xl/" in head:
        return _EXCEL
    return next((what for magic, what in _BY_MAGIC.items() if head.startswith(magic)), None)
