"""`add`, step by step: into which case, what came of each file, and whether anything came of it at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .. import case as cases
from ..errors import CaseError, EvidenceError, InputError
from ..zones import zone_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..case import Case
    from ..ingest import Added


def check_order(case: Path, paths: tuple[Path, ...]) -> None:
    """Refuse logs where the case belongs, and a case where the logs do, before anything is made.

    Raises
    ------
    CaseError
        With the right order.
    """
    for path in paths:
        if (path / "case.json").exists():
            raise CaseError.swapped(case, path) if cases.is_occupied(case) else CaseError.no_logs(path)
    if not cases.is_occupied(case):
        return
    new = next((path for path in paths if not path.exists() or (path.is_dir() and not any(path.iterdir()))), None)
    raise CaseError.swapped(case, new) if new else CaseError.not_empty(case)


def opened_or_new(folder: Path, name: str | None, display_zone: str | None) -> Case:
    """Return the case in a folder, made if it is not there."""
    if (folder / "case.json").exists():
        return cases.open_case(folder)
    second = zone_name(display_zone)
    if second and second[0] in "+-":  # summer time moves it, so that an offset would be wrong half of the year
        raise InputError.bad_zone(second)
    return cases.create_case(folder, name=name, display_zone=second)


def require_evidence(paths: tuple[Path, ...]) -> None:
    """Look for evidence before a case is made: a wrong path must not leave an empty one behind.

    Raises
    ------
    EvidenceError
        A path does not exist, or nothing at or below the paths is evidence.
    """
    from .. import evidence

    with telling_what_was_refused():
        found = evidence.find(paths)
        if not found.sources:
            raise EvidenceError.nothing_to_add(paths, found.passed_over)


@contextmanager
def telling_what_was_refused() -> Iterator[None]:
    """Print each file that was not read, and why, before the error that says that nothing was added."""
    from .. import accounting

    try:
        yield
    except EvidenceError as problem:
        for line in accounting.lines_of_passed_over(getattr(problem, "passed_over", ())):
            click.echo(line)
        raise


def say(added: Added, before: Case, dates: str | None, times_in: str | None) -> None:
    """Print what came of each file, and fail if nothing came of any.

    Raises
    ------
    EvidenceError
        The call brought nothing, and the case had nothing of it before.
    """
    from .. import accounting

    held = {entry.evidence_id: (entry.dates, entry.times_in) for entry in before.manifest.evidence}
    again = [
        entry
        for entry in added.case.manifest.evidence
        if held.get(entry.evidence_id, (entry.dates, entry.times_in)) != (entry.dates, entry.times_in)
    ]
    for line in accounting.lines_of(added, again):
        click.echo(line)
    if (added.new or again) and (dates or times_in):
        words = [f"dates are {dates}"] if dates else []
        words += [f"times without a zone are in {times_in}"] if times_in else []
        click.echo(f"as you said: {', '.join(words)}; this is in custody, and will be in the report")
    if not again:
        _say_of_known(added, dates, times_in)
    _fail_on_nothing(added)


def _say_of_known(added: Added, dates: str | None, times_in: str | None) -> None:
    """Evidence that is in the case already is not read again by itself: what was said of it would have no effect."""
    from .. import accounting

    undecided = set(accounting.rejects_by_reason(added.case)["reason"]) & {"ambiguous_date", "no_zone"}
    if added.known and undecided and (dates or times_in):
        words = (f" --dates {dates}" if dates else "") + (f" --times-in {times_in}" if times_in else "")
        click.echo(
            f"what is in the case already was not read again. Hint: mhsm-forensics rebuild CASE{words} does that."
        )


def _fail_on_nothing(added: Added) -> None:
    from .. import accounting

    if added.known or any(added.fates[fate] for fate in ("event", "witness", "duplicate", "out_of_scope")):
        return
    new = {entry.evidence_id for entry in added.new}
    rejects = accounting.rejects_by_file(added.case)
    hints = [
        *rejects.loc[rejects["evidence_id"].isin(new), "hint"],
        *(one.hint for one in added.passed_over if one.hint),
        "mhsm-forensics rejects CASE lists what was not read, and why",
    ]
    raise EvidenceError(f"nothing came of it: no event, and no record of another log. Hint: {hints[0]}.")
