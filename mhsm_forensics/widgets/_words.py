"""What came of a collection, in words: rows of a label and a text, and as a table in which nothing is markup."""

from __future__ import annotations

import html
from collections import defaultdict
from typing import TYPE_CHECKING

from ..text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..collect.storage import Collected as FromStorage
    from ..collect.workspace import Collected as FromWorkspace

Row = tuple[str, ...]  # a label, and lines of text

_SHOWN = 5  # names of a kind; the chain of custody has them all
_CELL = "padding:1px 16px 1px 0;vertical-align:top;text-align:left;line-height:1.5"
_LABEL = f"{_CELL};font-weight:normal;opacity:.75;white-space:nowrap"
_TEXT = f"{_CELL};overflow-wrap:anywhere"


def conclusion(got: FromStorage | FromWorkspace) -> tuple[str, str]:
    """How a collection ended: in a word, and in a sentence."""
    if got.stopped:
        return "Stopped.", f"{_missing(got)}. What is finished is kept; Collect goes on with the rest."
    if got.complete:
        return "Complete.", "Everything that was asked for is in the case."
    return "Incomplete.", f"{_missing(got)}. What could be read is in the case; Collect tries the rest again."


def earlier(unfinished: list[str]) -> str:
    """What earlier collections of the case left, as HTML; nothing if they are complete."""
    return table([("not complete yet", text) for text in unfinished]) if unfinished else ""


def rows(got: FromStorage | FromWorkspace) -> list[Row]:
    """What a collection brought, and what it left."""
    from ..collect import storage

    return [*(_from_storage(got) if isinstance(got, storage.Collected) else _from_workspace(got))]


def progress(source: str, done: int, total: int) -> str:
    """How far a collection is. Of a container, events are derived while more is still fetched.

    >>> progress("storage", 150, 400)
    'Fetching and deriving: 150 of 400 bytes'
    """
    if source == "workspace":
        return f"Fetching: {done:,} of {total:,} rows" if done < total else f"Deriving the events of {total:,} rows …"
    return f"Fetching and deriving: {done:,} of {total:,} bytes"


def table(found: Iterable[Row]) -> str:
    """Rows as HTML, every character of which is text."""
    lines = (
        f'<tr><th scope="row" style="{_LABEL}">{escaped(label)}</th>'
        f'<td style="{_TEXT}">{"<br>".join(map(escaped, texts))}</td></tr>'
        for label, *texts in found
    )
    return f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">{"".join(lines)}</table>'


def paragraph(text: str) -> str:
    """One sentence or two as HTML."""
    return f'<p style="margin:4px 0;line-height:1.5;overflow-wrap:anywhere">{escaped(text)}</p>'


def code(text: str) -> str:
    """Lines of code as HTML."""
    shown = "\n".join(escaped(line) for line in text.splitlines())
    look = "margin:0;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5"
    return f'<p style="margin:12px 0 4px;opacity:.75">the same as code</p><pre style="{look}">{shown}</pre>'


def escaped(text: str) -> str:
    """Text from anywhere, fit to stand in HTML."""
    return html.escape(visible(text))


def _missing(got: FromStorage | FromWorkspace) -> str:
    from ..collect import storage

    if isinstance(got, storage.Collected):
        if got.stopped and not got.listed:
            return "The container was not listed to its end"
        if got.stopped:
            return f"{plural(got.left, 'blob')} of {got.listed:,} left"
        return f"{plural(len(got.unreadable), 'blob')} of {got.listed:,} could not be read"
    if not got.tables:
        return "The workspace had not answered yet"
    brought, counted = (sum(numbers) for numbers in zip(*((t.rows, t.counted) for t in got.tables), strict=True))
    return f"{brought:,} of {plural(counted, 'row')} collected"


def _from_storage(got: FromStorage) -> Iterator[Row]:
    yield "managed HSMs", ", ".join(got.hsms)
    left = f", {got.left:,} left" if got.left else ""
    blobs = (
        f"{got.listed:,} listed = {got.fetched:,} fetched, {got.unchanged:,} unchanged, {got.outside:,} outside the time asked "
        f"for, {len(got.unreadable):,} unreadable{left}"
    )
    evidence = f"{plural(len(got.new), 'new file')}, {got.grown:,} of them grown; {got.fetched_bytes:,} bytes fetched"
    yield "blobs", blobs
    yield "evidence", evidence
    yield "events", f"{len(got.events):,} in the case, of the times and managed HSMs asked for"
    for label, names in (("replaced, both kept", got.replaced), ("key vaults left", got.vaults_left),
                         ("no audit log, left", got.others)):  # fmt: skip
        if names:
            yield label, *_some(names)
    if got.leads:
        yield "leads", *_some([f"{lead.kind} {lead.blob}: {lead.detail}" for lead in got.leads])
    if got.leads_missing:
        yield "leads", f"snapshots, versions and deleted blobs could not be listed: {got.leads_missing}"
    cures: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in got.unreadable:
        cures[item.reason, item.cure].append(item.blob)
    for (reason, cure), unread in cures.items():
        yield "unreadable", f"{plural(len(unread), 'blob')}, {reason}; cure: {cure}", *_some(unread)


def _from_workspace(got: FromWorkspace) -> Iterator[Row]:
    from ..collect.workspace_command import said

    for line in said(got):
        label, colon, text = line.partition(": ")
        yield (label, text) if colon else ("", line)
    yield "evidence", plural(len(got.new), "new answer")
    yield "events", f"{len(got.case.events):,} in the case"


def _some(names: Iterable[str]) -> list[str]:
    every = list(names)
    rest = len(every) - _SHOWN
    return every[:_SHOWN] + ([f"{rest:,} more of {len(every):,}; custody.jsonl has all"] if rest > 0 else [])
