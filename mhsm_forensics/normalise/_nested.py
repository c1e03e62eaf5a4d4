"""Objects that were written as text: as JSON, once or several times over, or as the literal of a language.

A literal is read only where it can be read in one way. PowerShell writes an object as `@{a=b; c=d}` without quotes: what
stands between may hold the same marks, so that this is no object any more.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

_LONGEST: Final = 1 << 20  # characters of a literal: a log's identity has a few thousand
_ENTRY = r"\s*(?P<{n}>[\w.:/-]+|'[^']*')\s*=\s*('(?:[^']|'')*'|\"[^\"`$]*\")\s*"
_POWERSHELL = re.compile(r"@\{(?:" + _ENTRY.format(n="a") + r"(?:;|(?=\})))*\}")
_ENTRIES = re.compile(_ENTRY.format(n="name"))


def object_in(text: str | None) -> dict[str, Any] | None:
    r"""Return the object that a text stands for; None where it stands for none, or not for sure.

    >>> object_in('"{\\"oid\\": 1}"'), object_in("{'oid': 'b1c5', 'amr': None}"), object_in("@{oid=b1c5; upn=a}")
    ({'oid': 1}, {'oid': 'b1c5', 'amr': None}, None)
    """
    value: Any = text
    while isinstance(value, str):
        value = _parsed(value.strip())
    return value if isinstance(value, dict) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        return _literal(text)


def _literal(text: str) -> Any:
    if len(text) > _LONGEST:
        return None
    if _POWERSHELL.fullmatch(text):
        return {entry["name"].strip("'"): entry[2][1:-1].replace("''", "'") for entry in _ENTRIES.finditer(text[2:-1])}
    if not text.startswith("{"):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
