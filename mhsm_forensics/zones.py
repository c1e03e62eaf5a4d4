"""Time zones as people name them: Europe/Amsterdam, UTC, +01:00."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from .errors import InputError

_OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?")
_FARTHEST: Final = 14 * 60  # minutes from UTC that a zone may be


def zone_name(text: str | None) -> str | None:
    """Zone that a person named, by its IANA name or as an offset from UTC; None where they named none.

    Raises
    ------
    InputError
        There is no such zone.

    Examples
    --------
    >>> zone_name("Europe/Amsterdam"), zone_name("+1"), zone_name("-0530"), zone_name("utc")
    ('Europe/Amsterdam', '+01:00', '-05:30', 'UTC')
    """
    if text is None:
        return None
    name = text.strip()
    if name.upper() in {"UTC", "Z"}:
        return "UTC"
    if offset := _OFFSET.fullmatch(name):
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        if hours * 60 + minutes <= _FARTHEST and minutes < 60:
            return f"{offset[1]}{hours:02}:{minutes:02}"
    elif name in _zones():
        return name
    raise InputError.bad_zone(text)


def zone_of(text: str) -> tzinfo:
    """Zone of a name or an offset.

    Raises
    ------
    InputError
        There is no such zone.
    """
    name = zone_name(text) or "UTC"
    if name == "UTC":
        return UTC
    if offset := _OFFSET.fullmatch(name):
        distance = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-distance if offset[1] == "-" else distance)
    return ZoneInfo(name)


@cache
def _zones() -> set[str]:
    return available_timezones()
