"""The command line: one word a job. Done is 0, a clear error 1, wrong usage 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import case as cases
from ..errors import ForensicsError
from ..typed import moment, progress_of
from ..zones import zone_name
from . import _adding
from ._outdoors import Outdoors

if TYPE_CHECKING:
    from datetime import datetime

    from ..overview import Overview

CASE = click.argument("case", type=click.Path(path_type=Path))
DATES = click.option(
    "--dates", type=click.Choice(["day-first", "month-first"]), help="What you know of dates like 05/11/2026."
)
TIMES_IN = click.option(
    "--times-in", metavar="ZONE", help="The zone of times that name none: Europe/Berlin, UTC or +01:00."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="mhsm-forensics", message="%(version)s")
def cli() -> None:
    """Find out what happened on an Azure Managed HSM, prove it, and hand over a report."""


def main() -> NoReturn:
    """Run the command line; errors on purpose are one line, and lose nothing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = cli.main(standalone_mode=False, prog_name="mhsm-forensics")
    except ForensicsError as problem:
        _fail(str(problem), 1)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.UsageError as problem:
        problem.show()
        sys.exit(2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("stopped. Nothing is lost: run the same command again to go on.", 130)
    except BrokenPipeError:  # the reader, a pager say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:
        _fail(
            f"{problem.filename or 'file'}: {problem.strerror or problem}. Hint: check the path and its permissions.", 1
        )
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    from ..text import visible

    click.echo(f"mhsm-forensics: {visible(message)}", err=True)
    sys.exit(code)


@cli.command()
@click.argument("case", type=click.Path(path_type=Path), default=Path("cases/demo"))
def demo(case: Path) -> None:
    """Do the whole job on the sample incident: a case, its findings, the HTML report."""
    from .. import ingest, report
    from ..terminal import show_overview

    with progress_of("Reading the sample incident"):
        made = ingest.sample_case(case)
    show_overview(_overview(made))
    path = report.write(made, made.path / "reports" / "report.html")
    click.echo(f"\nCase    {made.path}\nReport  {path.resolve()}")


@cli.command()
@CASE
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--in-place", is_flag=True, help="Reference the evidence where it is instead of copying it; it is hashed."
)
@click.option("--name", help="Name of a new case.  [default: the folder's]")
@click.option(
    "--zone", "display_zone", metavar="ZONE", help="Second time zone of a new case, beside UTC (Europe/Amsterdam)."
)
@DATES
@TIMES_IN
def add(
    case: Path, paths: tuple[Path, ...], name: str | None, display_zone: str | None, dates: str | None,
    times_in: str | None, *, in_place: bool,
) -> None:  # fmt: skip
    """Take files and folders into CASE, which is made if it is not there.

    PATHs are folders, PT1H.json files, .gz, .zip, and rows exported from Log Analytics as CSV or JSON.
    """
    from .. import ingest

    times_in = zone_name(times_in)
    _adding.check_order(case, paths)
    _adding.require_evidence(paths)
    opened = _adding.opened_or_new(case, name, display_zone)
    with _adding.telling_what_was_refused(), progress_of("Reading evidence") as progress:
        added = ingest.add(opened, paths, in_place=in_place, dates=dates, times_in=times_in, progress=progress)
    _adding.say(added, opened, dates, times_in)


@cli.command("what-happened")
@CASE
@click.option("--from", "start", metavar="TIME", help="Only from this time on (2026-03-16T02:00Z).")
@click.option("--to", "end", metavar="TIME", help="Only before this time.")
@click.option("--hsm", "hsms", multiple=True, help="Only this managed HSM; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a screen.")
@click.option("--notebook", is_flag=True, help="Run the notebook 01-what-happened instead; keeps the executed copy.")
def what_happened(
    case: Path, start: str | None, end: str | None, hsms: tuple[str, ...], *, as_json: bool, notebook: bool
) -> None:
    """Scorecard, orientation and findings, on one screen."""
    if notebook:
        _run_notebook(case, asked_for_more=bool(start or end or hsms or as_json))
        return
    answer = _overview(_opened(case), moment(start), moment(end), hsms)
    if as_json:
        from ..overview import as_json as plain

        _print_json(plain(answer))
    else:
        from ..terminal import show_overview

        show_overview(answer)


def _run_notebook(case: Path, *, asked_for_more: bool) -> None:
    from .. import workbook

    if asked_for_more:
        raise click.UsageError("--notebook goes alone: the notebook reads the scope that is kept in the case")
    opened = _opened(case)
    click.echo(f"Running the notebook over {opened.scope.in_words()} …", err=True)
    _say_nothing_examined(opened, opened.scope)
    click.echo(workbook.run(opened).resolve())


@cli.command()
@CASE
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.argument("names", nargs=-1, metavar="[FINDING]...")
def findings(case: Path, form: str, names: tuple[str, ...]) -> None:
    """List what is found, the gravest first; or only findings of some ids or numbers (F07)."""
    from .. import accounting, detect, export
    from ..terminal import show_findings

    opened = _opened(case)
    found = detect.run(opened.events)
    found = detect.named(found, *names) if names else found
    if form == "table":
        show_findings(found, nothing_examined=accounting.nothing_examined(opened))
        return
    _say_nothing_examined(opened)
    if form == "json":
        _print_json(export.rows_of(found))
    else:
        export.table_as_csv(found, sys.stdout)


@cli.command()
@CASE
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def rejects(case: Path, form: str) -> None:
    """List what is no event, with place and reason: rejects, out of scope, left out, refused, unreadable."""
    from . import _rejects

    opened = _opened(case)
    if form == "table":
        from ..terminal import show_rejects

        show_rejects(opened)
    else:
        {"json": _rejects.write_json, "csv": _rejects.write_csv}[form](opened)


@cli.command()
@CASE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file.  [default: CASE/reports/report.html]")
@click.option("--title", help="Heading of the report.  [default: the case's name]")
def report(case: Path, output: Path | None, title: str | None) -> None:
    """Write the report: one HTML file that needs nothing else."""
    from .. import report as reports

    opened = _opened(case)
    path = reports.write(opened, output or opened.path / "reports" / "report.html", title=title, tell=_aside)
    _say_nothing_examined(opened)
    click.echo(path.resolve())


@cli.command()
@CASE
@click.option(
    "--head", metavar="HASH", help="Head of the chain of custody that was noted before; the chain must hold it."
)
@click.option("--no-log", is_flag=True, help="Write nothing, not even this verification into the chain of custody.")
def verify(case: Path, *, head: str | None, no_log: bool) -> None:
    """Recompute every hash of CASE; exit 1 and name what changed (docs/seal.md says what that proves)."""
    opened = cases.open_case(case)
    found = cases.check(opened, head=head)
    problems, unwritten = list(found.problems), None
    if not no_log and (why := cases.record_verification(opened, found)):
        unwritten = f"this verification is not in the chain of custody: {why}"
        problems += [] if found.chain_whole else [unwritten]  # else the case is on media that nobody can write
    for problem in problems:
        click.echo(_plain(problem), err=True)
    for remark in (*found.remarks, *([unwritten] if unwritten and found.chain_whole else [])):
        click.echo(f"note: {_plain(remark)}")
    click.echo(f"{found.in_words()}.")
    click.echo(
        f"head of the chain of custody: {cases.head(opened.path) if found.chain_whole else 'none, it is broken'}"
    )
    if problems:
        _fail(
            f"{len(problems)} of the case's claims do not hold. Hint: restore what changed from a copy; docs/seal.md.",
            1,
        )


@cli.command()
@CASE
@DATES
@TIMES_IN
def rebuild(case: Path, dates: str | None, times_in: str | None) -> None:
    """Derive the events of CASE again from its evidence."""
    from .. import ingest

    times_in = zone_name(times_in)
    opened = cases.open_case(case)
    with progress_of("Reading evidence") as progress:
        rebuilt = ingest.rebuild(opened, dates=dates, times_in=times_in, progress=progress)
    _say_nothing_examined(rebuilt)
    click.echo(f"{int(rebuilt.accounting['event'].iloc[0]):,} events derived again.")


@cli.command()
@CASE
@click.option(
    "--geoip", "databases", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A database in MaxMind's format (.mmdb); may be given several times, the most trusted first.",
)  # fmt: skip
def enrich(case: Path, databases: tuple[Path, ...]) -> None:
    """Keep in CASE where its addresses are, by databases that you have; nothing is asked of any network."""
    from ..enrich import geoip

    kept = geoip.keep_places(_opened(case), databases)
    for database in kept.databases:
        click.echo(f"{_plain(database.file)}: {_plain(database.type)}, built {database.built}")
    click.echo(
        f"{kept.found:,} of {kept.asked:,} addresses found; {kept.local:,} more are private or none, and in no database."
    )


@cli.command()
@CASE
@click.argument("event_id")
def raw(case: Path, event_id: str) -> None:
    """Print a record's bytes, verbatim, from the evidence."""
    from .. import ingest

    for block in ingest.raw(_opened(case), event_id):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


@cli.command()
@CASE
@click.option("--format", "form", type=click.Choice(["events-csv", "parquet", "navigator", "sentinel"]), required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The file, or the folder of rules."
)
def export(case: Path, form: str, output: Path) -> None:
    """Write the events, or what was found, for other tools."""
    from .. import export as exports

    opened = _opened(case)
    written = exports.write(opened, form, output, tell=_aside)
    _say_nothing_examined(opened)
    click.echo(written.resolve())


@cli.command()
@click.argument("case", type=click.Path(path_type=Path), required=False)
def lab(case: Path | None) -> None:
    """Open JupyterLab at the notebooks."""
    from .. import workbook

    notebooks = workbook.notebooks() or Path.cwd()
    if case is not None:
        os.environ["MHSM_CASE"] = str(_opened(case).path.resolve())
    sys.exit(subprocess.call([sys.executable, "-m", "jupyterlab", str(notebooks)]))


@cli.group(cls=Outdoors)
def collect() -> None:
    """Fetch evidence from Azure into a case: a storage container, or a Log Analytics workspace."""


def _opened(folder: Path) -> cases.Case:
    """Open a case, and say on the side where it has the shape of an earlier version."""
    case = cases.open_case(folder)
    if case.is_of_before:
        click.echo(_plain(case.of_before), err=True)
    return case


def _say_nothing_examined(case: cases.Case, scope: cases.Scope | None = None) -> None:
    """Say on the side of a machine's output, or of a file, that nothing stands behind it."""
    from .. import accounting

    if nothing := accounting.nothing_examined(case, scope):
        click.echo(_plain(nothing), err=True)


def _overview(
    case: cases.Case, start: datetime | None = None, end: datetime | None = None, hsms: tuple[str, ...] = ()
) -> Overview:
    from ..overview import overview

    answer = overview(case, start=start, end=end, hsms=hsms)
    if start or end:  # what was understood, so that a slip of the zone shows
        click.echo(f"from {_utc(start)} up to {_utc(end)}", err=True)
    return answer


def _utc(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "the end of the evidence"


def _aside(text: str) -> None:
    click.echo(_plain(text), err=True)


def _plain(text: str) -> str:
    from ..text import visible

    return visible(text)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=True, indent=2))
