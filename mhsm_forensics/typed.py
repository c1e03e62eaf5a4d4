"""What a person types and sees while they wait: times with their zone, a bar on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
