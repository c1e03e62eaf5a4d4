"""Forms in which logs are handed over and that are not read: each is refused by its name, with the way out.

A form is known by its first bytes, and by nothing that a name claims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .signs import LOG_TEXT, Header, column_names_of, plain_name, table_of

_ROWS_WANTED: Final = "export the rows as CSV or JSON, or ask for the PT1H.json files of the storage account"
_UNPACK: Final = "unpack it and add the folder"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a file is instead of a log that is read, and what to do about it."""

    reason: str
    hint: str


# First bytes → what it is, and the way out.
_MAGIC: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"MSCF", "a cabinet archive", _UNPACK),
    (b"LZIP", "an lzip file", _UNPACK),
    (b"\x04\x22\x4d\x18", "an LZ4 file", _UNPACK),
    (b"\xff\x06\x00\x00sNaPpY", "a Snappy file", _UNPACK),
    (b"%PDF-", "a PDF", _ROWS_WANTED),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (xls, doc, msg)", "save it as CSV (UTF-8)"),
    (b"SQLite format 3\x00", "an SQLite database", _ROWS_WANTED),
    (b"ElfFile\x00", "a Windows event log", _ROWS_WANTED),
    (b"ORC", "an ORC file", "convert it to Parquet"),
    (b"ARROW1", "an Arrow file", "convert it to Parquet"),
    (b"\x89HDF", "an HDF5 file", "convert it to Parquet or CSV"),
)
_OFFICE: Final = (
    (b"xl/", "an Excel workbook", "save it as CSV (UTF-8)"),
    (b"word/", "a Word document", _ROWS_WANTED),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument file", "save it as CSV (UTF-8)"),
)
_HTML = re.compile(rb"\s*(?:<!doctype html|<html|<table|<\?xml)", re.IGNORECASE)
_YAML = re.compile(
    rb"(?:---\s*\r?\n)?(?:-[ \t]+)?[A-Za-z_][\w.]*:(?:[ \t]+[^{\[\r\n]+)?\r?\n[ -]*[ \t]*[A-Za-z_][\w.]*:[ \t\r\n]"
)
_FORMAT_LIST = re.compile(rb"\s*[A-Za-z_]\w* *:[ \t]?[^\r\n]*\r?\n(?:[A-Za-z_]\w* *:[ \t]?[^\r\n]*\r?\n){2}")
_PADDED = re.compile(rb"\A\s*[A-Za-z_]\w*(?: +:|\s*:  )")
# A line that is drawn: under names that spaces part, or around the cells of a grid.
_GRID = re.compile(rb"^[ \t]*(?:[+|][-+=|: ]{5,}|(?:\xe2[\x94-\x95][\x80-\xbf]){5,})[ \t]*\r?$", re.MULTILINE)
_RULE = re.compile(rb"^[ \t]*[-=]{3,}(?:[ \t]+[-=]{3,})+[ \t]*\r?$", re.MULTILINE)
_OPERATION = re.compile(rb"operation_?name|managedhsm", re.IGNORECASE)
_COLUMNS_OF_PANDAS = re.compile(rb'\s*\{\s*"[^"]{1,80}"\s*:\s*\{\s*"0"\s*:')
_UTF_16 = re.compile(rb"(?:[\x20-\x7e]\x00){8}|(?:\x00[\x20-\x7e]){8}")
_WITHOUT_NAMES = re.compile(rb"[^\r\n\t{]*\t[^\r\n{]*\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\r\n]*")


def refusal(head: bytes) -> Refusal | None:
    r"""Return why a file that begins with these bytes is not read; None where it is, or is nothing that is known.

    >>> refusal(b"7z\xbc\xaf\x27\x1c").reason
    'a 7z archive'
    >>> refusal(b"TimeGenerated,Caller\n2026-11-05T08:01:02Z,x\n").reason
    'a table without the column OperationName'
    """
    for magic, form, hint in _MAGIC:
        if head.startswith(magic):
            return Refusal(form, hint)
    if head.startswith(b"PK\x03\x04"):
        return _office(head)
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        head = head[: len(head) & ~1].decode("utf-16", "replace").encode()
    if _UTF_16.match(head):
        return Refusal("UTF-16 without a byte order mark", "save it as UTF-8, or as UTF-16 with its mark")
    return _text(head.removeprefix(b"\xef\xbb\xbf"))


def _office(head: bytes) -> Refusal | None:
    is_office = b"[Content_Types].xml" in head or b"mimetype" in head[:60]
    return next((Refusal(form, hint) for sign, form, hint in _OFFICE if is_office and sign in head), None)


def _text(head: bytes) -> Refusal | None:
    if _COLUMNS_OF_PANDAS.match(head):
        return Refusal("a table written column by column", "write it row by row: to_json(orient='records')")
    if head.lstrip()[:1] in {b"{", b"["}:
        return None
    if _HTML.match(head) and _OPERATION.search(head):
        return Refusal("HTML or XML", _ROWS_WANTED)
    if not _GRID.search(head[:4096]) and table_of(head):
        return None
    return _laid_out(head)


def _laid_out(head: bytes) -> Refusal | None:
    """What was laid out for people to read, if it is a log: columns by spaces, one field a line."""
    if not LOG_TEXT.search(head) and not _OPERATION.search(head):
        return _without_columns(head)
    if _RULE.search(head[:4096]) or _GRID.search(head[:4096]):
        return Refusal("a table drawn with spaces and lines", "export it as CSV or JSON (az: --output json)")
    if _PADDED.match(head) and _FORMAT_LIST.match(head):
        return Refusal("a list of fields, one a line (Format-List)", "use ConvertTo-Json or Export-Csv")
    if _YAML.match(head):
        return Refusal("YAML", "export it as JSON (az: --output json)")
    return _without_columns(head)


def _without_columns(head: bytes) -> Refusal | None:
    header = column_names_of(head)
    if header is not None:
        return Refusal(
            f"a table without the column {_missing(header)}", "export at least TimeGenerated and OperationName"
        )
    if _WITHOUT_NAMES.match(head):
        return Refusal("a table without the names of its columns", "export it as JSON or CSV, which name them")
    return None


def _missing(header: Header) -> str:
    plain = set(map(plain_name, header.names))
    has_time = any(name.startswith("timegenerated") for name in plain)
    return "OperationName" if has_time else "TimeGenerated"
