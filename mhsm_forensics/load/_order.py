"""Which number of a date is the day: decided for a whole file, because one date alone may not say.

The day stands where a number above 12 stands. Where none does, only a clock in AM and PM says something: browsers in the
United States write it so, and they put the month first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATE = re.compile(r"\s*(\d{1,2})[/-](\d{1,2})[/-]\d{4}\b")
_TWO_NUMBERS = re.compile(r"\s*\d{1,2}[/-]")
_US_CLOCK = re.compile(r"\d\s*[AP]M\s*$")  # elsewhere the halves of the day are written small


def needs_order(texts: Iterable[str | None]) -> bool:
    """Whether a time begins with two numbers, either of which could be the day."""
    return any(text is not None and _TWO_NUMBERS.match(text) for text in texts)


class Order:
    """What the times of a file say about which number is the day."""

    def __init__(self) -> None:
        self._day_first = self._month_first = self._us_clock = False

    def look_at(self, texts: Iterable[str | None]) -> None:
        """Take some times into account."""
        for text in texts:
            date = _DATE.match(text or "")
            if date is not None:
                self._day_first |= int(date[1]) > 12
                self._month_first |= int(date[2]) > 12
                self._us_clock |= _US_CLOCK.search(text or "") is not None

    def decided(self, by_responder: str | None = None) -> str | None:
        """The order of the file: by its own dates, else by what the responder says, else by its clock; None for neither."""
        if self._day_first and self._month_first:
            return None
        if self._day_first or self._month_first:
            return "day-first" if self._day_first else "month-first"
        return by_responder or ("month-first" if self._us_clock else None)
