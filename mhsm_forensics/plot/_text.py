"""Text from the log, made fit to be drawn: what is invisible shows, what is markup stays text."""

import unicodedata
from typing import Final

import pandas as pd

from ..text import middle_cut, visible

NOBODY: Final = "no identity"
# plotly knows few entities by name (not &quot;), and all by number.
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "$": "&#36;"}


def safe(text: object, *, limit: int = 60) -> str:
    """Text that plotly draws as text: no link, no style, no template, no formula comes of it.

    plotly reads a small HTML in every label, ``%{…}`` in hover texts and ``$…$`` as TeX.

    Examples
    --------
    >>> safe("<a href='//x'>%{y}$")
    '&lt;a href=&#39;//x&#39;&gt;%&#123;y}&#36;'
    """
    whole = "" if text is None or text is pd.NA or text is pd.NaT else str(text)
    # Cut before as well: a megabyte of control characters must not be spelled out first.
    shown = middle_cut(visible(middle_cut(whole, limit)), limit)
    return _isolated("".join(_ENTITIES.get(c, c) for c in shown).replace("%{", "%&#123;"))


def name(text: object, *, limit: int = 27) -> str:
    """Safe name of an identity, or `NOBODY` in italics, which no log text can imitate."""
    return safe(text, limit=limit) or f"<i>{NOBODY}</i>"


def _isolated(text: str) -> str:
    """Keep right-to-left names from reordering what is drawn beside them."""
    right_to_left = any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in text)
    return f"\u2068{text}\u2069" if right_to_left else text
