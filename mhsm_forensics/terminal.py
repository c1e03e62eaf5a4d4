"""Answers on a terminal; text from the log is shown, never obeyed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import accounting, known
from .case import FATES
from .reasons import reason_of
from .text import TITLE, plural, spell, visible

if TYPE_CHECKING:
    import pandas as pd

    from .accounting import Unread
    from .case import Case
    from .overview import Overview

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PRINCIPALS = 8
_REASONS = 8  # of rejects, on the first screen
_PLACES = 5  # of one reason
_RHYTHM = timedelta(days=4)  # an hour is judged by three other days


def show_overview(answer: Overview) -> None:
    """Print scorecard, orientation and findings."""
    console = _console()
    console.print(Text(f"\n{visible(answer.case.name)}", style="bold"))
    if answer.nothing_examined:
        console.print(Text(visible(answer.nothing_examined), style="bold yellow"))
    _print_scorecard(console, answer)
    if len(answer.principals):
        _print_principals(console, answer)
    if len(answer.findings) or not answer.nothing_examined:
        show_findings(answer.findings, console)
    if answer.nothing_examined and len(answer.case.events):
        console.print("\nOver the whole case:")  # in the window nothing was examined; what follows is not about it
    _print_looked_for(console, answer.looked_for)


def show_findings(
    findings: pd.DataFrame, console: Console | None = None, *, nothing_examined: str | None = None
) -> None:
    """Print the findings, the gravest first; where nothing was examined, that is said, and not that there are none."""
    console = console or _console()
    if nothing_examined:
        console.print(Text(visible(nothing_examined), style="bold yellow"))
    elif findings.empty:
        console.print("\nNo findings. What was looked for stands in the report.")
    if findings.empty:
        return
    table = Table(box=box.SIMPLE_HEAD, title="Findings", title_justify="left", title_style="bold", pad_edge=False)
    for name in ("no.", "severity", "first event (UTC)", "what", "id"):
        table.add_column(name, no_wrap=name != "what")
    for row in findings.to_dict("records"):
        style = _STYLES.get(row["severity"], "")
        table.add_row(
            row["number"],
            Text(row["severity"], style=style),
            _time(row["first_time"]),
            _text(row["title"]),
            Text(row["finding_id"], style="dim"),
        )
    console.print(table)


def show_rejects(case: Case) -> None:
    """Print what is no event, reason by reason: how much there is, what it means, and where the first stands."""
    console, kinds = _console(), Counter[str]()
    for kind, reason, count, first in accounting.unread_by_reason(case, most=_PLACES):
        kinds[kind] += count
        _print_reason(console, kind, reason, count, first)
    if not kinds:
        console.print("Every line is an event, a witness or duplicate of one, or blank, and no file was passed over.")
        return
    console.print("\n" + " · ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.items()))
    console.print(Text("--format json or csv has them all; mhsm-forensics raw CASE EVENT_ID prints bytes", style="dim"))


def _print_reason(console: Console, kind: str, reason: str, count: int, first: list[Unread]) -> None:
    known = reason_of(reason) if kind == "reject" else None
    noun = "file" if kind in {"left out", "refused", "unreadable"} else "line"
    heading = f"{kind.replace('_', ' ')}, {visible(reason, limit=160)}: {plural(count, noun)}"
    console.print(Text.assemble(("\n" + heading, "bold"), (f" ({known.meaning})" if known else "", "dim")))
    if hint := (known.hint if known else first[0].hint):
        console.print(Text(f"  Hint: {visible(hint, limit=300)}."))
    for one in first:
        console.print(_place(one), no_wrap=True, overflow="ellipsis")
    if count > len(first):
        console.print(Text(f"  {len(first)} of {count:,} shown", style="dim"))


def _place(one: Unread) -> Text:
    """Where it stands, and the head of its bytes; a file as a whole is its name."""
    name = visible(one.file, limit=100)
    if one.line is None:
        return Text(f"  {name}")
    where = f"  {name}, line {one.line:,}, byte {one.offset:,}, {one.length:,} bytes  "
    raw = visible((one.raw or b"").decode("utf-8", "backslashreplace"), limit=60)
    return Text.assemble(where, (raw, "dim"))


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
    _print_unread(console, answer)
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
    if answer.gaps.empty and not answer.nothing_examined:
        days = (answer.hsms["last_time"] - answer.hsms["first_time"]).max()
        judged = len(answer.hsms) and days >= _RHYTHM
        console.print(
            "no silence against the HSMs' own rhythm" if judged else "too short a log to tell a silence from a pause"
        )
    if len(answer.unknown):
        unseen = int((answer.unknown["operation_status"] == "unseen").sum())
        names = plural(len(answer.unknown), "operation name")
        console.print(f"{names} not documented for Managed HSM, {unseen} of them in no source")


def _print_unread(console: Console, answer: Overview) -> None:
    """Say why lines are no events, and which files were not read; in full by `rejects`."""
    for row in answer.rejects.head(_REASONS).to_dict("records"):
        where = f"the first in {visible(row['first_file'], limit=80)}, line {row['first_line']:,}"
        console.print(
            Text(f"{visible(row['reason'], limit=80)}: {plural(row['lines'], 'line')}, {where}", style="yellow")
        )
    if len(answer.rejects) > _REASONS:
        console.print(f"{_REASONS} of {plural(len(answer.rejects), 'reason')} shown")
    if unread := [one for one in answer.passed_over if one.kind != "left out"]:
        console.print(
            Text(f"{plural(len(unread), 'file')} not read: mhsm-forensics rejects CASE says why", style="yellow")
        )
    for kind, value, files in accounting.responder_said(answer.case):
        words = f"dates are {value}" if kind == "dates" else f"times without a zone are in {value}"
        console.print(Text(f"as the responder said of {plural(files, 'file')}: {words}", style="dim"))


def _print_routes(console: Console, answer: Overview) -> None:
    """Say what came more than once, and what one route lacks."""
    again = "; ".join(accounting.lines_of_witnesses(answer.case))
    if len(answer.case.routes) > 1 or again:
        console.print(f"by {', '.join(answer.case.routes)}{f'; {again}: each request counts once' if again else ''}")
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
        name = visible(who, limit=48) or "(no identity)"
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
