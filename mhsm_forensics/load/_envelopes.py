"""Records inside something else: what collectors, brokers and search engines put around them.

They are found by what they are, and not by the names of what is around them: any object, array or text inside an
object is looked into, a few levels deep. Where an object holds a record twice, as it came and taken apart, the one as it
came counts.

References
----------
https://www.elastic.co/docs/reference/ecs/ecs-event (event.original)
https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTsearch (result, _raw)
https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md (data, data_base64)
https://grafana.com/docs/loki/latest/reference/loki-http-api/ (streams, values)
https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ._items import SIGN, Item, is_certain, is_listed, item_of
from ._shapes import Row
from ._values import Member, decoded, extent, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DEEPEST = 10
# Fields that hold a record as it came; what stands beside them may be the same record, taken apart.
_VERBATIM = {"_raw", "raw", "original", "message", "rawdata", "raw_data", "rawevent", "msg", "line"}
_GLUE = re.compile(rb"[\s,\x1e]*+")
_BASE64 = re.compile(r"(?:eyJ|eyI|ewo|W3s|Wy|eyA)[A-Za-z0-9+/_=\s-]{40,}")


class Inner(NamedTuple):
    """A record inside an object: the bytes that it, or the text that holds it, has there, and what it is.

    `data` is the record as JSON; `item` is None for an element that is no record, among others that are. `path` has the
    names that lead to it.
    """

    start: int
    end: int
    data: bytes
    item: Item | None
    path: str


def unwrap(data: bytes) -> list[Inner]:
    """Return the records inside a whole JSON object or array that is none itself."""
    inner = _inside(data, 0, "", 0) if SIGN.search(data) else []
    is_log = any(isinstance(one.item, Row) for one in inner)
    return [one for one in inner if not (is_log and is_listed(one.item))]


def unwrap_row(cells: Mapping[str, Any]) -> list[Inner]:
    """Return the records in the texts of a table's row; their places are those of the row."""
    held = [(name, _in_text(cell.encode(), name, 0)) for name, cell in cells.items() if isinstance(cell, str)]
    return _once(held)


def _inside(data: bytes, at: int, path: str, depth: int) -> list[Inner]:
    if depth > _DEEPEST:
        return []
    held = [(member, _of(data, member, _joined(path, member.name), depth)) for member in members(data, at)]
    if data[at] == b"{"[0]:
        return _once((member.name, inner) for member, inner in held)
    return _elements(data, held, path) if any(inner for _, inner in held) else []


def _of(data: bytes, member: Member, path: str, depth: int) -> list[Inner]:
    """Return the records that one value is or holds."""
    _, start, end = member
    if not SIGN.search(data, start, end):
        return []
    first = data[start : start + 1]
    if first == b'"':
        inner = _in_text(decoded(data[start:end]).encode(), path, depth + 1)
        return [one._replace(start=start, end=end) for one in inner]
    if first == b"[":
        return _inside(data, start, path, depth + 1)
    return _of_object(data, member, path, depth) if first == b"{" else []


def _of_object(data: bytes, member: Member, path: str, depth: int) -> list[Inner]:
    """Return the record that an object is, or those that it holds; entries of lists stand in arrays alone."""
    name, start, end = member
    item = item_of(data[start:end])
    whole = [Inner(start, end, data[start:end], item, path)]
    if is_certain(item):
        return whole
    return _inside(data, start, path, depth + 1) or (whole if is_listed(item) and not name else [])


def _elements(data: bytes, held: list[tuple[Member, list[Inner]]], path: str) -> list[Inner]:
    """Records of an array, and what stands among them and is none."""
    found: list[Inner] = []
    for (_, start, end), inner in held:
        if not inner and data[start : start + 1] in {b"{", b'"'} and b"{" in data[start : start + 2]:
            inner = [Inner(start, end, data[start:end], None, path)]
        found += inner
    return found


def _once(held: Iterable[tuple[str, list[Inner]]]) -> list[Inner]:
    """Records of an object, each once: those as they came first."""
    found: list[Inner] = []
    seen: set[Any] = set()
    for _, inner in sorted(held, key=lambda one: one[0].rpartition(".")[2].lower() not in _VERBATIM):
        new = [one for one in inner if one.item is None or _told_apart(one) not in seen]
        seen |= {_told_apart(one) for one in new}
        found += new
    return sorted(found, key=lambda one: one.start)


def _told_apart(inner: Inner) -> Any:
    if not isinstance(inner.item, Row):
        return inner.data
    record = inner.item.record
    return (record.operationName or "").lower(), (record.time or "")[:19], record.correlationId


def _in_text(text: bytes, path: str, depth: int) -> list[Inner]:
    """Records in a text that holds JSON, or base64 of it, or JSON behind what a relay wrote before it."""
    if depth > _DEEPEST:
        return []
    if encoded := _BASE64.fullmatch(text.decode("utf-8", "replace").strip()):
        return _in_text(_decoded_base64(encoded[0]), path, depth + 1)
    if not SIGN.search(text):
        return []
    start = min((at for at in (text.find(b'{"'), text.find(b"[{"), text.find(b"{")) if at >= 0), default=-1)
    return _back_to_back(text, start, path, depth) if start >= 0 else []


def _back_to_back(text: bytes, at: int, path: str, depth: int) -> list[Inner]:
    """Records of values that follow each other; none where one of them is no JSON: the whole text is then at fault."""
    found: list[Inner] = []
    while at < len(text):
        end = extent(text, at)
        if end.ending != "whole" or text[at : at + 1] not in {b"{", b"["}:
            return []
        found += _of(text, Member("", at, end.end), path, depth)
        at = _GLUE.match(text, end.end).end()  # type: ignore[union-attr]
    return found


def _decoded_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), altchars=b"-_" if set(text) & set("-_") else None)
    except (binascii.Error, ValueError):
        return b""


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
