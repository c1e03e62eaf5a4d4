"""Answers on a terminal; text from the log is shown, never obeyed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import known
from .case import FATES
from .text import TITLE, plural, spell, visible

if TYPE_CHECKING:
    import pandas as pd

    from .overview import Overview

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PRINCIPALS = 8
_RHYTHM = timedelta(days=4)  # an hour is judged by three other days


def show_overview(answer: Overview) -> None:
    """Print scorecard, orientation and findings."""
    console = _console()
    console.print(Text(f"\n{visible(answer.case.name)}", style="bold"))
    _print_scorecard(console, answer)
    _print_principals(console, answer)
    show_findings(answer.findings, console)
    _print_looked_for(console, answer.looked_for)


def show_findings(findings: pd.DataFrame, console: Console | None = None) -> None:
    """Print the findings, the gravest first."""
    console = console or _console()
    if findings.empty:
        console.print("\nNo findings. What was looked for stands in the report.")
        return
    table = Table(box=box.SIMPLE_HEAD, title="Findings", title_justify="left", title_style="bold", pad_edge=False)
    for name in ("id", "severity", "first event (UTC)", "what"):
        table.add_column(name, no_wrap=name != "what")
    for row in findings.to_dict("records"):
        style = _STYLES.get(row["severity"], "")
        table.add_row(
            row["finding_id"], Text(row["severity"], style=style), _time(row["first_time"]), _text(row["title"])
        )
    console.print(table)


def _print_looked_for(console: Console, looked_for: pd.DataFrame) -> None:
    """Say how much the absence of a finding is worth: which rules looked in vain, and which could find nothing."""
    silent = looked_for[looked_for["findings"] == 0]
    unable = silent[silent["testable"] != "yes"]
    told = f"{len(looked_for) - len(silent)} found something, {len(silent) - len(unable)} found nothing"
    console.print(f"{len(looked_for)} rules: {told}, {len(unable)} not testable here")
    for reason, rules in unable.groupby("reason", sort=False)["rule_id"]:
        console.print(Text(f"  {reason}: {', '.join(rules)}", style="dim"))


def _print_scorecard(console: Console, answer: Overview) -> None:
    accounting = answer.case.accounting.iloc[0]
    fates = " · ".join(f"{accounting[fate]:,} {fate.replace('_', ' ')}" for fate in FATES)
    console.print(f"{accounting['lines']:,} lines = {fates}")
    _print_routes(console, answer)
    for collection in answer.case.unfinished:
        console.print(Text(f"incomplete: {visible(collection)}", style="yellow"))
    for row in answer.hsms.to_dict("records"):
        name = visible(row["hsm"], limit=40) or "(no HSM named)"
        span = f"{_time(row['first_time'])} – {_time(row['last_time'])} UTC"
        console.print(Text.assemble((name, "bold"), f"  {row['events']:,} events  {span}"))
    for row in answer.gaps.to_dict("records"):
        silence = f"silent for {spell(row['seconds'])} from {_time(row['start'])} UTC"
        expected = f"about {row['expected_events']:,.0f} events expected"
        console.print(Text(f"{visible(row['hsm'], limit=40)} {silence} ({expected})", style="yellow"))
    if answer.gaps.empty:
        days = (answer.hsms["last_time"] - answer.hsms["first_time"]).max()
        judged = len(answer.hsms) and days >= _RHYTHM
        console.print(
            "no silence against the HSMs' own rhythm" if judged else "too short a log to tell a silence from a pause"
        )
    if len(answer.unknown):
        unseen = int((answer.unknown["operation_status"] == "unseen").sum())
        names = plural(len(answer.unknown), "operation name")
        console.print(f"{names} not documented for Managed HSM, {unseen} of them in no source")


def _print_routes(console: Console, answer: Overview) -> None:
    """Say what came by two routes, and what one of them lacks."""
    routes = answer.case.routes
    if len(routes) < 2:
        return
    copies = plural(len(answer.case.copies), "event record")
    console.print(f"by {', '.join(routes)}; {copies} came by another route before and count once")
    for (route, other), rows in answer.lacking.groupby(["route", "other_route"]):
        within = f"{rows['lacking_within'].sum():,} of them while it was delivering"
        said = f"{other} lacks {plural(int(rows['lacking'].sum()), 'record')} that {route} has, {within}"
        console.print(Text(said, style="yellow"))


def _print_principals(console: Console, answer: Overview) -> None:
    shown = answer.principals.sort_values(["control_events", "denied", "events"], ascending=False).head(_PRINCIPALS)
    lines, labels = _sparklines(answer), known.labels(answer.case)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold",
                  title=f"Who ({len(shown)} of {len(answer.principals)}, those with control operations first)")  # fmt: skip
    for name in ("principal", "events", "control", "denied", "addresses", "when"):
        table.add_column(name, justify="left" if name in {"principal", "when"} else "right", no_wrap=True)
    for row in shown.to_dict("records"):
        who = row["principal"] if isinstance(row["principal"], str) else None
        counts = (row["events"], row["control_events"], row["denied"], row["caller_ips"])
        name = visible(who, limit=36) or "(no identity)"
        label = labels.of("principal", who) or labels.of("object_id", row["object_id"])
        beside = f"  {visible(label, limit=36)}" if label and label != who else ""
        table.add_row(Text.assemble(name, (beside, "dim")), *(f"{int(n):,}" for n in counts), lines.get(who, ""))
    console.print(table)
    if labels.sources:
        lists = visible(", ".join(labels.sources), limit=400)
        console.print(Text(f"Names beside ids are what lists in the case say: {lists}", style="dim"))


def _sparklines(answer: Overview, *, width: int = 32) -> dict[str | None, str]:
    """Each principal's events over the time of the evidence, on a log scale of their own."""
    from . import analyse

    frame = analyse.timeline(answer.events, bins=width)
    if frame.empty:
        return {}
    starts = sorted(frame["bin_start"].unique())
    first, step = starts[0], (frame["bin_end"] - frame["bin_start"]).max()
    lines: dict[str | None, list[int]] = {}
    for row in frame.to_dict("records"):
        name = row["lane"] if isinstance(row["lane"], str) else None
        cells = lines.setdefault(name, [0] * width)
        cells[min(int((row["bin_start"] - first) / step), width - 1)] += int(row["events"])
    return {name: "".join(_block(count, max(cells)) for count in cells) for name, cells in lines.items()}


def _block(count: int, most: int) -> str:
    if not count:
        return _BLOCKS[0]
    scale = (count.bit_length() / most.bit_length()) * (len(_BLOCKS) - 1)
    return _BLOCKS[max(1, round(scale))]


def _console() -> Console:
    """Return a console; into a file or a pipe, lines are wide enough to be read."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _text(text: str) -> Text:
    return Text(visible(text, limit=TITLE))
