"""What a denial says: the right that was missing, and where."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_REMEMBERED: Final = 1 << 12  # the texts of a few callers come again and again; those with an id of their own never do
_LONGEST: Final = 2048  # a denial says what it says at its beginning
_ACTION: Final = r"Microsoft\.KeyVault/managedHsm/(?P<action>[A-Za-z]{1,40}(?:/[A-Za-z]{1,40}){0,4})"
_SCOPE: Final = r"(?P<scope>/[^\s'\"()]{0,400})"

# The text of a managed HSM, its scope quoted or not; and the lines of role-based access control, as key vaults write them.
_TEXTS: Final = (
    re.compile(rf"\s*Not authorized to access {_ACTION} on (?P<quote>'?){_SCOPE}(?P=quote)(?=[\s(.]|$)", re.IGNORECASE),
    re.compile(rf"(?:[^\n]*\n)*?Action: '{_ACTION}'\nResource: '{_SCOPE}'", re.IGNORECASE),
)


class Denial(NamedTuple):
    """Right that was missing, without the name of the service, and the scope at which it was."""

    action: str | None = None
    scope: str | None = None


NO_DENIAL: Final = Denial()


def denial_of(text: object) -> Denial:
    """Right and scope that the text of a denial names; nothing where it is another text.

    References
    ----------
    https://github.com/Azure/azure-cli/issues/32719

    Examples
    --------
    >>> denial_of("Not authorized to access Microsoft.KeyVault/managedHsm/keys/create on '/keys' (Activity ID: 7d1f)")
    Denial(action='keys/create', scope='/keys')
    >>> denial_of("Key not found: https://contoso.managedhsm.azure.net/keys/card-00")
    Denial(action=None, scope=None)
    """
    return _read(text[:_LONGEST]) if text and isinstance(text, str) else NO_DENIAL


@lru_cache(_REMEMBERED)
def _read(text: str) -> Denial:
    said = next((match for pattern in _TEXTS if (match := pattern.match(text))), None)
    return Denial(said["action"], said["scope"]) if said else NO_DENIAL
