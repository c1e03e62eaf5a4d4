"""What a person types and sees while they wait: times with their zone, a bar on a terminal."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import click

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?")
_FARTHEST: Final = 14 * 60  # minutes from UTC that a zone may be


def moment(text: str | None) -> datetime | None:
    """Time that a person typed, in UTC; None where they typed none.

    Raises
    ------
    InputError
        It is no time, or names no zone.

    Examples
    --------
    >>> moment("2026-03-05T03:00+01:00").isoformat()
    '2026-03-05T02:00:00+00:00'
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError.bad_time(text) from None
    if found.tzinfo is None:
        raise InputError.naive_time(text)
    return found.astimezone(UTC)


def zone(text: str | None) -> str | None:
    """Time zone that a person typed, by its IANA name or as an offset from UTC; None where they typed none.

    Raises
    ------
    InputError
        There is no such zone.

    Examples
    --------
    >>> zone("Europe/Amsterdam"), zone("+1"), zone("-0530"), zone("utc")
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


@cache
def _zones() -> set[str]:
    from zoneinfo import available_timezones

    return available_timezones()


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, one plain line elsewhere."""
    if not sys.stderr.isatty():
        click.echo(f"{what} …", err=True)
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
