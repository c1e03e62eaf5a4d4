"""Text from the log, made fit to be drawn: what is invisible shows, what is markup stays text."""

import html
import re
import unicodedata
from typing import Final

import pandas as pd

NOBODY: Final = "no identity"

# Printable to Python, yet nothing to the eye: fillers, blank braille, joiners, variation selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def visible(text: object, *, limit: int | None = None) -> str:
    """Text whose control, bidi and invisible characters show as their code point, cut in the middle.

    Parameters
    ----------
    text
        Anything from a log; null gives "".
    limit
        Longest result in characters, without the note ``[n characters]`` that a cut leaves.

    Examples
    --------
    >>> visible("pay\\u202ekek")
    'pay⟨U+202E⟩kek'
    >>> visible("abcdefghijklmnop", limit=10)
    'abcdef…nop [16 characters]'
    """
    if text is None or text is pd.NA or text is pd.NaT:
        return ""
    whole = str(text)
    shown = _middle_cut(whole, limit) if limit is not None else whole
    if not shown.isprintable() or _UNSEEN.search(shown):
        shown = "".join(map(_visible_character, shown))
    return shown if limit is None or len(whole) <= limit else f"{shown} [{len(whole):,} characters]"


def safe(text: object, *, limit: int = 60) -> str:
    """Text that plotly draws as text: no link, no style, no template, no formula comes of it.

    plotly reads a small HTML in every label, ``%{…}`` in hover texts and ``$…$`` as TeX.

    Examples
    --------
    >>> safe("<a href='//x'>%{y}$")
    '&lt;a href=&#x27;//x&#x27;&gt;%&#123;y}&#36;'
    """
    whole = "" if text is None or text is pd.NA or text is pd.NaT else str(text)
    # Cut before as well: a megabyte of control characters must not be spelled out first.
    shown = _middle_cut(visible(_middle_cut(whole, limit)), limit)
    return _isolated(html.escape(shown, quote=True).replace("$", "&#36;").replace("%{", "%&#123;"))


def name(text: object, *, limit: int = 30) -> str:
    """Safe name of an identity, or `NOBODY` in italics, which no log text can imitate."""
    return safe(text, limit=limit) or f"<i>{NOBODY}</i>"


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
    """Count with its noun: ``1 event``, ``2 events``, ``3 identities``."""
    if count == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("ty") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {many}"


def _middle_cut(text: str, limit: int) -> str:
    """Both ends of a long text: names differ at their ends more often than in the middle."""
    tail = max(limit // 3, 1)
    return text if len(text) <= limit else f"{text[: limit - tail - 1]}…{text[-tail:]}"


def _visible_character(character: str) -> str:
    hidden = not character.isprintable() or _UNSEEN.match(character)
    return f"⟨U+{ord(character):04X}⟩" if hidden else character


def _isolated(text: str) -> str:
    """Keep right-to-left names from reordering what is drawn beside them."""
    right_to_left = any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in text)
    return f"\u2068{text}\u2069" if right_to_left else text
