"""Other operation names for a log, and nothing else changed."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

from .acts import acts

if TYPE_CHECKING:
    from collections.abc import Callable

MODES: Final = ("plausible", "opaque", "scattered")
HALVES: Final = ("dev", "measure")

_NAME = re.compile(rb'("operationName"\s*:\s*")([A-Za-z]+)(")', re.IGNORECASE)


def renamer(mode: str, half: str, seed: int) -> Callable[[str], str]:
    """Return what gives a true name another one.

    ``plausible``: one of the names that a vendor could have chosen. ``opaque``: a token that says nothing. Both are the same
    for every record of an operation. ``scattered``: another token for each record, which no service does.
    """
    dice = random.Random(f"{mode}/{half}/{seed}")
    if mode == "scattered":
        return lambda name: _token(dice) if name in acts() else name
    names = {}
    for act in acts().values():
        names[act.operation] = dice.choice(getattr(act, half)) if mode == "plausible" else _token(dice)
    return lambda name: names.get(name, name)


def _token(dice: random.Random) -> str:
    """Return letters that end like no verb and begin like no service."""
    return "Z" + "".join(dice.choice("bcdfghjkmqvwxz") for _ in range(9))


def renamed(data: bytes, rename: Callable[[str], str]) -> bytes:
    """Return a log with its names replaced: every other byte stays."""
    return _NAME.sub(lambda found: found[1] + rename(found[2].decode()).encode() + found[3], data)
