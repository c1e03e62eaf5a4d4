"""When two spellings are one identifier: of a caller, of a key.

Azure compares identifiers without regard to case, and a URI may spell any letter as a percent escape. What a log spells in
two ways is one thing all the same: decided here, once, and never by what something is labelled with.

References
----------
https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ESCAPES: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_STRUCTURE: Final = frozenset("%/")  # a decoded one would be taken for an escape or for the end of a segment
_AROUND: Final = " \t\r\n{}"  # spreadsheets leave blanks around a GUID, .NET writes braces


def folded(text: str) -> str:
    """Text in small letters, where a letter has just one small form.

    Python's own lower case makes a `k` of the Kelvin sign: by that an invented name would be somebody's.

    >>> folded("Anna.Berg@Contoso.com"), folded("JÖRG"), folded("\u212aek")
    ('anna.berg@contoso.com', 'jörg', '\u212aek')
    """
    if text.isascii():
        return text.lower()
    return "".join(small if (small := letter.lower()).upper() == letter else letter for letter in text)


def unescaped(text: str) -> str:
    """Text of a URI with its percent escapes decoded, once, where what they stand for can be read.

    What would be a slash, a percent sign, no character or an invisible one stays as it is written: nothing that is decoded
    has a second reading.

    >>> unescaped("Card%2D00"), unescaped("a%2Fb%252D"), unescaped("k%00%FF%E2%80%AE")
    ('Card-00', 'a%2Fb%252D', 'k%00%FF%E2%80%AE')
    """
    return _ESCAPES.sub(_decoded, text) if "%" in text else text


def _decoded(escapes: re.Match[str]) -> str:
    letters = bytes.fromhex(escapes[0].replace("%", "")).decode("utf-8", "surrogateescape")
    return "".join(
        letter if letter.isprintable() and letter not in _STRUCTURE else quote(letter, "", errors="surrogateescape")
        for letter in letters
    )


def guid_of(text: str | None) -> str | None:
    """Object or application id as it is compared: in small letters, without what stands around it; None for nothing.

    >>> guid_of("{B1C52BF0-0C38-4BD1-8C5B-2D4E9D6A7F10} ")
    'b1c52bf0-0c38-4bd1-8c5b-2d4e9d6a7f10'
    """
    return folded((text or "").strip(_AROUND)) or None


def actor_of(object_id: str | None, app_id: str | None, upn: str | None) -> str | None:
    """Who acts: the object id, else the application id, else the user's name as names are compared; None for nobody.

    >>> actor_of(None, None, "Anna.Berg@Contoso.com"), actor_of("B1C5", "04B0", "anna"), actor_of(None, None, "")
    ('anna.berg@contoso.com', 'b1c5', None)
    """
    return guid_of(object_id) or guid_of(app_id) or folded((upn or "").strip()) or None


def key_name_of(segment: str) -> str:
    """Name of a key as names are compared, of a segment of a URI's path.

    >>> key_name_of("CARD%2d00")
    'card-00'
    """
    return folded(unescaped(segment))


def actors_named(text: str, known: Iterable[Mapping[str, str | None]]) -> list[str]:
    """Actors that a person means by a text: a label, a user's name, an object id or an application's id, in any case.

    Parameters
    ----------
    text
        What was typed; also a label with the actor in parentheses, as answers tell two of one label apart.
    known
        What each actor goes by: ``actor``, ``principal``, ``principal_type``, ``upn``, ``app_id``, ``managed_identity_id``.

    Returns
    -------
    The actors, each once. Several may go by one label; a person has no application id of their own.

    Examples
    --------
    >>> known = [{"actor": one, "principal": label} for one, label in (("b1c5", "Anna@x"), ("e7", "pay"), ("f8", "pay"))]
    >>> actors_named("anna@X", known), actors_named("pay", known), actors_named("pay (f8)", known)
    (['b1c5'], ['e7', 'f8'], ['f8'])
    """
    rows = list(known)
    meant = [row["actor"] for row in rows if folded(shown_as(row["principal"], row["actor"])) == folded(text.strip())]
    names = {folded(text.strip()), guid_of(text)} - {None}
    meant = meant or [row["actor"] for row in rows if not names.isdisjoint(_names_of(row))]
    return [actor for actor in dict.fromkeys(meant) if actor]


def _names_of(row: Mapping[str, str | None]) -> set[str]:
    """Everything that one actor goes by, as it is compared."""
    own = (row["actor"], row.get("principal"), row.get("upn"), row.get("managed_identity_id"))
    app = row.get("app_id") if row.get("principal_type") != "user" else None
    return {folded(name) for name in (*own, app) if name}


def shown_as(label: str | None, actor: str | None) -> str:
    """Label of an actor where another one has the same label: with the actor beside it."""
    return f"{label} ({actor})"
