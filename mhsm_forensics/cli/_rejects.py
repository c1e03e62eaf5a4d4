"""`rejects` in forms for machines: everything that is no event, one by one, however much there is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..accounting import Unread
    from ..case import Case


def write_json(case: Case) -> None:
    """Print a list of objects, each as soon as it is read."""
    from .. import accounting

    between = "[\n"
    for one in accounting.unread(case):
        click.echo(between + json.dumps(_plain(one), ensure_ascii=True), nl=False)
        between = ",\n"
    click.echo("[]" if between.startswith("[") else "\n]")


def write_csv(case: Case) -> None:
    """Print rows in which no cell is a formula, and nothing is obeyed by a terminal."""
    from .. import accounting, export
    from ..text import visible

    names = [field.name for field in fields(accounting.Unread)]
    rows = (
        [visible(value) if isinstance(value, str) else value for value in _plain(one).values()]
        for one in accounting.unread(case)
    )
    export.rows_as_csv(names, rows, sys.stdout)


def _plain(one: Unread) -> dict[str, Any]:
    """As JSON has it; bytes that are no text are written with their numbers."""
    from ..reasons import reason_of

    hint = one.hint or (reason_of(one.reason).hint if one.kind == "reject" else None)
    raw = one.raw.decode("utf-8", "backslashreplace") if one.raw is not None else None
    return asdict(one) | {"raw": raw, "hint": hint}
