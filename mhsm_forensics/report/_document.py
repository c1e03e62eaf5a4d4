"""The parts a report is made of, and how values are written in it. Nothing here knows HTML."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from ..text import TITLE, spell, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..known import Labels

Kind = Literal["text", "title", "whole", "code", "link", "time", "second", "number", "share", "length", "list"]
_RIGHT: Final = {"number", "share", "length"}
_LONGEST: Final = 160
_ON_PAPER: Final = 120
_LABELLED: Final = {"principal", "lane", "object_id", "app_id", "caller_ip"}


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one cell, a fainter line below it (the second time zone), and the part of the page it leads to.

    An `alarm` is red: something that must not be overlooked.
    """

    text: str
    below: str = ""
    link: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Col:
    """Column of a frame: its name there, its heading, how its values are written, and which column below them."""

    name: str
    heading: str
    kind: Kind = "text"
    below: str = ""

    @property
    def right(self) -> bool:
        """Whether values stand at the right."""
        return self.kind in _RIGHT

    @property
    def unbroken(self) -> int:
        """Longest text that is kept on one line."""
        return 45 if self.kind == "code" else 36


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. `total` counts the rows before any cut; `folded` hides them behind a click."""

    caption: str
    columns: tuple[Col, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    marked: frozenset[int] = frozenset()
    folded: bool = False
    kind: str = field(default="table", init=False)

    @property
    def printed(self) -> bool:
        """Whether a folded table is short enough to be on paper too."""
        return len(self.rows) <= _ON_PAPER

    @property
    def narrow(self) -> bool:
        """Whether the table needs less than the width of the page."""
        return len(self.columns) <= 3

    @property
    def cut(self) -> str:
        """Say "x of y" when rows were left out."""
        return f"{len(self.rows):,} of {self.total:,} rows shown." if len(self.rows) < self.total else ""


@dataclass(frozen=True, slots=True)
class Words:
    """Paragraphs, or points of a list."""

    sentences: tuple[str, ...]
    listed: bool = False
    kind: str = field(default="words", init=False)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names and their values, one below the other."""

    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    kind: str = field(default="pairs", init=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """Figure as plotly JSON for light, and what differs in dark; a caption and the rows behind it."""

    name: str
    label: str
    caption: str
    height: int
    spec: dict[str, Any]
    table: Table | None = None
    kind: str = field(default="picture", init=False)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Statement of the summary with the findings it rests on, each with its confidence."""

    text: str
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The gravest of its findings."""
        return self.findings[:5]


@dataclass(frozen=True, slots=True)
class Answer:
    """Question of the summary with its statements; `verdict` is one word in front of them."""

    question: str
    sentences: tuple[Sentence, ...]
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """The executive summary."""

    answers: tuple[Answer, ...]
    kind: str = field(default="answers", init=False)


@dataclass(frozen=True, slots=True)
class Card:
    """One finding: facts, interpretation and evidence kept apart."""

    number: str
    finding_id: str
    rule_id: str
    title: str
    severity: str
    confidence: str
    facts: Pairs
    why: str
    benign: str
    next_step: str
    techniques: tuple[str, ...]
    event_ids: tuple[str, ...]
    events: int
    rows: Table
    kind: str = field(default="card", init=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """Text shown as it is, behind a click: a query."""

    caption: str
    text: str
    kind: str = field(default="listing", init=False)


Block = Table | Words | Pairs | Picture | Answers | Card | Listing


@dataclass(frozen=True, slots=True)
class Section:
    """Numbered part of the report."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one report says."""

    title: str
    cover: Pairs
    sections: tuple[Section, ...]
    generated: str
    tool: str
    synopsis: str


@dataclass(frozen=True, slots=True)
class Writer:
    """How values are written: UTC always, the case's second zone beside it, and labels beside ids and addresses."""

    zone: str | None = None
    labels: Labels | None = None

    def label(self, name: str, value: Any) -> str:
        """What the lists in the case call a value of this column; "" where they say nothing, or nothing more."""
        if self.labels is None or name not in _LABELLED:
            return ""
        return visible(self.labels.of(name, value), limit=_LONGEST)

    def named(self, name: str, value: Any, *, limit: int = _LONGEST) -> str:
        """Write a value inside a sentence, with its label behind it."""
        text, label = visible(value, limit=limit), self.label(name, value)
        return f"{text} ({label})" if label and label != text else text

    def time(self, moment: Any) -> Cell:
        """Write a time in UTC, and in the second zone below."""
        return Cell(iso(moment), self.local(moment))

    def local(self, moment: Any) -> str:
        """Write a time in the second zone; "" without one."""
        if self.zone is None or pd.isna(moment):
            return ""
        there: datetime = moment.astimezone(ZoneInfo(self.zone))
        return there.isoformat(timespec="milliseconds" if there.microsecond else "seconds")

    def said(self, moment: Any) -> str:
        """Write a time inside a sentence, in whole seconds."""
        second = _whole(moment)
        local = self.local(second)
        return f"{iso(second)} ({local})" if local else iso(second)

    def cell(self, value: Any, kind: Kind) -> Cell:
        """Write one value of a frame."""
        if kind == "list":
            return Cell(listed(value))
        if value is None or pd.isna(value):
            return Cell("")
        if kind == "link":
            return Cell(str(value), link=str(value))
        if kind == "time":
            return self.time(value)
        if kind == "second":  # summaries show whole seconds, cut; event rows show what was recorded
            return self.time(_whole(value))
        return Cell(_WRITERS[kind](value))

    def table(
        self,
        frame: pd.DataFrame,
        caption: str,
        *columns: Col,
        limit: int | None = None,
        marked: Iterable[bool] = (),
        folded: bool = False,
    ) -> Table:
        """Table of the columns of a frame; rows where *marked* is true carry a mark."""
        part = frame if limit is None else frame.head(limit)
        rows = tuple(zip(*(self._cells(part, column) for column in columns), strict=True))
        marks = frozenset(i for i, mark in enumerate(marked) if mark and i < len(rows))
        return Table(caption, columns, rows, len(frame), marks, folded)

    def _cells(self, frame: pd.DataFrame, column: Col) -> list[Cell]:
        """Cells of one column; what stands below is left out where it says the same."""
        values = frame[column.name].tolist()
        cells = [self.cell(value, column.kind) for value in values]
        below = frame[column.below].tolist() if column.below else []
        if not below and column.name not in _LABELLED:
            return cells
        lower = zip(values, below or [None] * len(values), strict=True)
        return [self._above(cell, column, *pair) for cell, pair in zip(cells, lower, strict=True)]

    def _above(self, cell: Cell, column: Col, value: Any, below: Any) -> Cell:
        """Cell with what stands below it: the value of another column, and the label of either."""
        label = self.label(column.name, value) or self.label(column.below, below)
        parts = dict.fromkeys((self.cell(below, "text").text, label))
        return replace(cell, below=" · ".join(part for part in parts if part and part != cell.text))


def iso(moment: Any) -> str:
    """ISO 8601 in UTC with Z, with as many digits of the second as the time has.

    Examples
    --------
    >>> iso(pd.Timestamp("2026-03-04T09:15:02.120Z"))
    '2026-03-04T09:15:02.120Z'
    """
    if pd.isna(moment):
        return ""
    utc: datetime = moment.astimezone(UTC)
    digits = "seconds" if not utc.microsecond else "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return f"{utc.replace(tzinfo=None).isoformat(timespec=digits)}Z"


def listed(values: Any, *, limit: int = 12) -> str:
    """Join the values of a list cell; says how many were left out."""
    if values is None or values is pd.NA or isinstance(values, float):
        return ""
    items = [values] if isinstance(values, str) else list(values)
    shown = ", ".join(visible(item, limit=80) for item in items[:limit])
    return f"{shown} ({limit:,} of {len(items):,} shown)" if len(items) > limit else shown


def _whole(moment: Any) -> Any:
    return moment if pd.isna(moment) else pd.Timestamp(moment).floor("s")


def _number(value: Any) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "text": lambda value: visible(value, limit=_LONGEST),
    "title": lambda value: visible(value, limit=TITLE),
    "whole": visible,
    "code": lambda value: visible(value, limit=_LONGEST),
    "number": _number,
    "share": lambda value: f"{value:.1%}",
    "length": lambda value: spell(value) if value else "",
}
