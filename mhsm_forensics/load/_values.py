"""Where a JSON value ends that begins at a known place: the decoder says so, and checks the grammar on the way.

msgspec refuses whatever follows a value and names its byte. So one call finds the end of a value, at the speed of C,
and tells a value that is torn from one that is broken.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple

import msgspec

Ending = Literal["whole", "torn", "broken", "deep"]

# Numbers may have any size, and what a string holds is not looked at: only the grammar is.
_skip = msgspec.json.Decoder(msgspec.Raw).decode
text_of: Final = msgspec.json.Decoder(str).decode

_PLACE = re.compile(r"\(byte (\d+)\)$")
_BLANK = b" \t\r\n"

# Possessive, so that a long string is passed over once. A string never holds a line break: where one does, it is torn.
_STRING = rb'"(?:[^"\\\r\n]++|\\[^\r\n])*+"'
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+", re.DOTALL)
KEY: Final = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*")
_SPACE = re.compile(rb"\s*")


class Extent(NamedTuple):
    """How a value ends, and where: behind its last byte, or at its fault."""

    ending: Ending
    end: int


class Member(NamedTuple):
    """One value of an object or array: its name, where it starts and ends."""

    name: str
    start: int
    end: int


def extent(data: bytes, at: int) -> Extent:
    r"""Return how the value ends that begins at a position.

    >>> extent(b'{"a":[1,2]} {"b"', 0), extent(b'{"a":[1,2]} {"b"', 12)
    (Extent(ending='whole', end=11), Extent(ending='torn', end=16))
    >>> extent(b'{"a": \'x\'}', 0).ending
    'broken'
    """
    try:
        _skip(memoryview(data)[at:])
    except msgspec.DecodeError as problem:
        return _extent_of(data, at, str(problem))
    except RecursionError:
        return Extent("deep", at)
    return Extent("whole", len(data.rstrip(_BLANK)))


def _extent_of(data: bytes, at: int, problem: str) -> Extent:
    place = _PLACE.search(problem)
    if place is None:
        return _by_brackets(data, at, Extent("torn", len(data)))
    position = at + int(place[1]) - 1
    if "trailing characters" not in problem:
        return _by_brackets(data, at, Extent("broken", position))
    while data[position - 1] in _BLANK:
        position -= 1
    return Extent("whole", position)


# Half of a surrogate pair makes the decoder give up, and is legal in JSON's grammar.
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def _by_brackets(data: bytes, at: int, otherwise: Extent) -> Extent:
    """Look for the end of an object again where its text, and not its grammar, may be at fault."""
    if data[at : at + 1] not in {b"{", b"["} or not _HALF_PAIR.search(data, at, otherwise.end + 12):
        return otherwise
    end = _closing(data, at)
    return Extent("whole", end) if end else otherwise


def closing(data: bytes, at: int) -> int:
    """Return where the object or array ends that begins at a position, by its brackets alone; 0 where it does not."""
    return _closing(data, at)


def _closing(data: bytes, at: int) -> int:
    depth, position = 0, at
    while (position := _TO_BRACKET.match(data, position).end()) < len(data):  # type: ignore[union-attr]
        if data[position] == b'"'[0]:
            return 0
        depth += 1 if data[position] in b"[{" else -1
        position += 1
        if not depth:
            return position
    return 0


def members(data: bytes, at: int) -> list[Member]:
    """Return the values of the whole object or array that begins at a position, without reading them."""
    named, position = data[at] == b"{"[0], at + 1
    found: list[Member] = []
    while True:
        position = _SPACE.match(data, position).end()  # type: ignore[union-attr]
        if position == len(data) or data[position] in b"]}":
            return found
        position += data[position] == b","[0]
        key = KEY.match(data, position) if named else _SPACE.match(data, position)
        if key is None:
            return found
        start = key.end()
        end = extent(data, start).end
        found.append(Member(decoded(key[1]) if named else "", start, end))
        position = end


def decoded(data: bytes) -> str:
    """Text of a JSON string, with what is no text in it replaced."""
    try:
        return text_of(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text_of(mended(data))


# A surrogate without its other half is legal in JSON's grammar and in no Unicode text. Both it and bytes
# that are no UTF-8 become U+FFFD; the evidence keeps what was written.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mended(data: bytes) -> bytes:
    """JSON text with what is no text in its strings replaced."""
    text = data.decode("utf-8", "replace").encode()
    return _LONE_SURROGATE.sub(lambda m: m[1] + (m[2] or rb"\ufffd"), text)


def value_of(data: bytes) -> Any:
    """Value that some JSON stands for.

    Raises
    ------
    ValueError, RecursionError
        It is no JSON, or too deep.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(mended(data))
