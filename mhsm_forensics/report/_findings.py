"""Findings as cards: facts apart from interpretation, and every event id."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..text import TITLE, spell, visible
from ._document import Card, Cell, Col, Pairs, Table, Writer, listed
from ._gather import GRAVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

_ROWS = (
    Col("time", "Time", "time"),
    Col("operation", "Operation"),
    Col("outcome", "Outcome"),
    Col("http_status", "Status", "code"),
    Col("key_name", "Key"),
    Col("caller_ip", "Address", "code"),
    Col("client", "Client"),
    Col("event_id", "Event id", "code"),
)


def index(findings: pd.DataFrame, writer: Writer) -> Table:
    """Every finding in one line, with a link to its card."""
    return writer.table(
        findings,
        "All findings, the gravest first.",
        Col("number", "No.", "link"),
        Col("severity", "Severity"),
        Col("confidence", "Confidence"),
        Col("first_time", "First event", "second"),
        Col("title", "What", "title"),
        Col("events", "Events", "number"),
    )


def cards(findings: pd.DataFrame, rows: dict[str, pd.DataFrame], writer: Writer) -> tuple[Card, ...]:
    """One card per finding, in their order."""
    return tuple(_card(finding, rows[str(finding["finding_id"])], writer) for finding in findings.to_dict("records"))


def ranges(event_ids: Iterable[str]) -> Iterator[str]:
    """Event ids, complete but short: consecutive lines of one evidence file as a range.

    Examples
    --------
    >>> list(ranges(["e1:3", "e1:1", "e1:2", "e2:7", "odd"]))
    ['e1: 1-3', 'e2: 7', 'odd']
    """
    lines: dict[str, list[int]] = {}
    for event_id in event_ids:
        evidence, _, line = event_id.rpartition(":")
        lines.setdefault(evidence, []).append(int(line)) if line.isdecimal() else lines.setdefault(event_id, [])
    for evidence, numbers in lines.items():
        yield f"{visible(evidence)}: {', '.join(_runs(sorted(numbers)))}" if numbers else visible(evidence)


def _runs(numbers: list[int]) -> Iterator[str]:
    start = numbers[0]
    for this, following in pairwise([*numbers, None]):
        if this is not None and following != this + 1:
            yield str(this) if this == start else f"{start}-{this}"
            start = following or 0


def _card(finding: dict[Any, Any], rows: pd.DataFrame, writer: Writer) -> Card:
    event_ids = [str(event_id) for event_id in finding["event_ids"]]
    return Card(
        number=str(finding["number"]),
        finding_id=str(finding["finding_id"]),
        rule_id=str(finding["rule_id"]),
        title=visible(finding["title"], limit=TITLE),
        severity=str(finding["severity"]),
        confidence=str(finding["confidence"]),
        facts=_facts(finding, writer),
        why=visible(finding["why"]),
        benign=visible(finding["benign"]),
        next_step=visible(finding["next_step"]),
        techniques=_techniques(finding),
        event_ids=tuple(ranges(event_ids)),
        events=len(event_ids),
        rows=replace(_rows(len(event_ids), rows, writer), folded=finding["severity"] not in GRAVE),
    )


def _facts(finding: dict[Any, Any], writer: Writer) -> Pairs:
    length = (finding["last_time"] - finding["first_time"]).total_seconds()
    when = [writer.time(finding["first_time"])]
    when += [writer.time(finding["last_time"]), Cell(f"{spell(length)} from first to last")] if length else []
    pairs = (
        ("When", tuple(when)),
        ("HSM", (Cell(visible(finding["hsm"], limit=120)),)),
        ("Identity", (_labelled(finding, "principal", writer),)),
        ("Object id", (_labelled(finding, "object_id", writer),)),
        ("Address", (_labelled(finding, "caller_ip", writer),)),
        ("Events", (Cell(f"{int(finding['events']):,}"),)),
        ("Keys", (Cell(listed(finding["keys"], limit=30)),)),
    )
    return Pairs(tuple((name, cells) for name, cells in pairs if cells[0].text))


def _labelled(finding: dict[Any, Any], name: str, writer: Writer) -> Cell:
    label = writer.label(name, finding[name])
    return Cell(visible(finding[name], limit=120), "" if label == finding["principal"] else label)


def _rows(count: int, rows: pd.DataFrame, writer: Writer) -> Table:
    """Table of the first events of a finding; it knows how many there are."""
    return replace(writer.table(rows, "Events of this finding, in the order of time.", *_ROWS), total=count)


def _techniques(finding: dict[Any, Any]) -> tuple[str, ...]:
    """Techniques in today's numbering; where it changed, the number that older tools know is said too."""
    before = ", ".join(str(one) for one in _items(finding.get("techniques_before")))
    names = tuple(str(one) for one in _items(finding["techniques"]))
    return (*names, *((f"before ATT&CK v19: {before}",) if before else ()))


def _items(values: Any) -> list[Any]:
    return [] if values is None or isinstance(values, float) else list(values)
