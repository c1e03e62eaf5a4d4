"""Text from the log, made fit to be read: what is invisible shows, what is long is cut and says so."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

# Printable to Python, yet nothing to the eye: fillers, blank braille, joiners, variation selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")

TITLE: Final = 600  # characters of a finding's title: every name in it is cut by itself


def visible(text: object, *, limit: int | None = None) -> str:
    r"""Text whose control, bidi and invisible characters show as their code point, cut in the middle.

    Parameters
    ----------
    text
        Anything from a log; null gives "".
    limit
        Longest result in characters, without the note ``[n characters]`` that a cut leaves.

    Examples
    --------
    >>> visible("pay\u202ekek")
    'pay⟨U+202E⟩kek'
    >>> visible("abcdefghijklmnop", limit=10)
    'abcdef…nop [16 characters]'
    """
    if text is None or text is pd.NA or text is pd.NaT:
        return ""
    whole = str(text)
    shown = middle_cut(whole, limit) if limit is not None else whole
    if not shown.isprintable() or _UNSEEN.search(shown):
        shown = "".join(map(_visible_character, shown))
    return shown if limit is None or len(whole) <= limit else f"{shown} [{len(whole):,} characters]"


def spell(seconds: float) -> str:
    """Length of time in the two largest units that matter.

    Examples
    --------
    >>> spell(6840), spell(42), spell(266400)
    ('1 h 54 min', '42 s', '3 d 2 h')
    """
    for size, unit, smaller, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, left = divmod(int(seconds), size)
            return f"{whole} {unit} {left // smaller} {rest}" if left >= smaller else f"{whole} {unit}"
    return f"{seconds:.0f} s"


def plural(count: int, noun: str) -> str:
    """Count with its noun: ``1 event``, ``2 keys``, ``3 identities``."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}es" if noun.endswith("s") else f"{count:,} {noun}s"


def sentence(text: str | None) -> str:
    """Text as a sentence that stands alone: a capital at its beginning, a full stop at its end; "" for nothing.

    >>> sentence("nothing was examined"), sentence(None)
    ('Nothing was examined.', '')
    """
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def middle_cut(text: str, limit: int) -> str:
    """Both ends of a long text: names differ at their ends more often than in the middle."""
    tail = max(limit // 3, 1)
    return text if len(text) <= limit else f"{text[: limit - tail - 1]}…{text[-tail:]}"


def _visible_character(character: str) -> str:
    hidden = not character.isprintable() or _UNSEEN.match(character)
    return f"⟨U+{ord(character):04X}⟩" if hidden else character
