"""What happened, told line by line, and what the analyst noted on the way."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import plural, visible
from ._document import Block, Col, Kind, Section, Words, Writer, iso
from ._gather import GRAVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..views import View
    from ._gather import Answers

_CHAPTERS: Final = 60
_LINES: Final = 200  # of one chapter
_VIEWED: Final = 50  # rows of a saved view
_WIDE: Final = 8  # columns of it: the page is no wider
_NOT_SHOWN: Final = {"event_ids", "why", "benign", "next_step", "techniques"}
_STORY: Final = (
    "Acts that change, export or destroy, allowed or not, under the session they were done in: one identity from one "
    "address. A run of the same act is one line; times are UTC. Reads and the use of keys are counted in the heading. "
    "Each line names its first record; the case has all of them."
)
_RECORD: Final = (
    "Notes of the analyst, each with who wrote it and when. Corrections and withdrawals are kept in the case; what "
    "stands here is what counts at the time of the report."
)
_NUMBERED: Final = re.compile(r"F\d{2,}: ")
_KINDS: Final = {
    "t0": "Suspected compromise", "hypothesis": "Hypothesis", "evidence": "Evidence", "answer": "Answer", "tag": "Tag",
    "bookmark": "Bookmark", "comment": "Comment", "view": "View",
}  # fmt: skip


def story(found: Answers, writer: Writer) -> Section:
    """Tell the acts in order, chapter by chapter."""
    lines = found.story
    if lines.empty:
        return Section(
            "story", "What happened, in words", (Words(("Nothing was changed, exported or destroyed.",)),), _STORY
        )
    runs = list(_runs(lines))
    shown = runs[:_CHAPTERS]
    cut = (Words((f"{len(shown):,} of {plural(len(runs), 'chapter')} shown.",)),) if len(shown) < len(runs) else ()
    return Section("story", "What happened, in words", (*(_chapter(part, writer) for part in shown), *cut), _STORY)


def _runs(lines: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Chapters and silences in the order in which they begin; routine at the end."""
    acts = [part for _, part in lines[lines["kind"].eq("act")].groupby("chapter", sort=False)]
    silences = [lines.loc[[row]] for row in lines.index[lines["kind"].eq("silence")]]
    yield from sorted([*acts, *silences], key=lambda part: part["start"].iloc[0])
    if (routine := lines["kind"].eq("routine")).any():
        yield lines[routine]


def _chapter(part: pd.DataFrame, writer: Writer) -> Block:
    kind = part["kind"].iloc[0]
    if kind == "silence":
        return Words(tuple(f"{visible(line[0].upper() + line[1:])}." for line in part["line"]))
    caption = "Routine, as findings recognise it." if kind == "routine" else visible(part["heading"].iloc[0], limit=300)
    return writer.table(
        part.assign(first=[ids[0] for ids in part["event_ids"]]),
        caption,
        Col("line", "What was done", "whole"),
        Col("severity", "Finding"),
        Col("events", "Events", "number"),
        Col("first", "First record", "code"),
        limit=_LINES,
        marked=part["severity"].isin(GRAVE),
    )


def record(found: Answers, writer: Writer) -> Section:
    """What the analyst noted: hypotheses with their evidence, answers, tags."""
    notes = found.case.notes.df()
    if notes.empty:
        return Section("record", "The analyst's record", (Words(("No note was taken.",)),), _RECORD)
    first = pd.Series([about[0] if len(about) else None for about in notes["about"]], notes.index, "string")
    more = [_more(kind, detail) for kind, detail in zip(notes["kind"], notes["detail"], strict=True)]
    said = notes.assign(
        kind=notes["kind"].replace(_KINDS), more=pd.Series(more, notes.index, "string"), first=first,
        records=[len(about) for about in notes["about"]],
    )  # fmt: skip
    table = writer.table(
        said, f"{plural(len(said), 'note')}, in the order in which they were written.", Col("kind", "Kind", below="by"),
        Col("text", "Note", "whole", below="more"), Col("records", "Records", "number"), Col("first", "First record", "code"),
        Col("time", "Written", "second"), limit=_LINES,
    )  # fmt: skip
    numbered = sum(bool(_NUMBERED.match(text)) for text in [*notes["text"].dropna(), *filter(None, more)])
    old = (f"{plural(numbered, 'note')} {'names' if numbered == 1 else 'name'} a finding by a number (F07), as notes of before "
           "findings had ids do. It is the number of then: the words beside it say which finding was meant.",)  # fmt: skip
    head = f"SHA-256 of the newest note, with which the whole record can be checked: {found.case.notes.head}."
    views = [block for view in found.views for block in _view(view, writer)]
    return Section(
        "record", "The analyst's record", (table, Words((head, *(old if numbered else ()))), *views), _RECORD
    )


def _view(view: View, writer: Writer) -> tuple[Block, ...]:
    """Show what a saved view answers now, and whether that is what it answered when it was saved."""
    title = f"View: {visible(view.title, limit=160)}. Saved by {visible(view.by, limit=80)} at {iso(view.saved)}"
    if view.frame is None:
        return (Words((f"{title}; {visible(view.problem, limit=300)}.",)),)
    same = (
        "the answer is the same now"
        if view.same
        else "THE ANSWER IS ANOTHER ONE NOW: evidence was added since, or a rule or this version changed"
    )
    names = [name for name in view.frame.columns if name not in _NOT_SHOWN][:_WIDE]
    columns = (Col(str(name), str(name).replace("_", " "), _kind_of(view.frame[name])) for name in names)
    return (writer.table(view.frame, f"{title}; {same}.", *columns, limit=_VIEWED),)


def _kind_of(column: pd.Series[Any]) -> Kind:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "time"
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return "number"
    return "list" if column.dtype == object else "text"


def _more(kind: str, detail: Any) -> str | None:
    """Say what a note holds beside its words."""
    if detail is None or pd.isna(detail):
        return None
    about = json.loads(detail)
    if kind == "t0":
        return iso(pd.Timestamp(about["time"]))
    if kind == "answer":
        return f"{about['question']}: {about['state']}"
    if kind == "evidence":
        return f"{'for' if about['supports'] else 'against'} hypothesis {about['note_id']}"
    return about.get("comment") or (f"on note {about['note_id']}" if "note_id" in about else None)
