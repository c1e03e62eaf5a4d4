"""What came of files that were added, line by line: the same words on a terminal and in a notebook."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from .. import schema
from ..reasons import reason_of
from ..text import plural, visible
from ._examined import nothing_examined
from ._rejects import rejects_by_file
from ._witnesses import lines_of_witnesses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..case import Case, Evidence, PassedOver
    from ..ingest import Added

_FEW: Final = 10  # files that are listed one by one though nothing is to be said of them
_MOST: Final = 20  # files of a kind that are named
_HAS: Final = ("have", "has")
_ALL: Final = "mhsm-forensics rejects CASE lists all"


def lines_of(added: Added, again: Iterable[Evidence] = ()) -> Iterator[str]:
    """Yield what an `add` did, file by file; files with nothing but events are summed up where they are many.

    Parameters
    ----------
    added
        What `ingest.add` returned.
    again
        Evidence that the case had, and that was read again because something else is said of its times.
    """
    if added.resumed:
        yield f"Finished an earlier run that was interrupted: {visible(', '.join(added.resumed))}"
    if added.new:
        files = len([entry for entry in added.new if entry.member is None])
        yield f"{plural(files, 'new file')}: {_sum(added.fates, every=True)}"
    yield from _files(added.case, added.new)
    if added.new:
        yield from lines_of_witnesses(added.case, added.new)
    if added.replaced:
        yield f"{plural(added.replaced, 'event')} of before {_HAS[added.replaced == 1]} the values of a fuller record now"
    if added.known:
        yield f"{plural(len(added.known), 'file')} already in the case, byte for byte{_of_known(added, again)}"
    yield from _files(added.case, again)
    yield from lines_of_passed_over(added.passed_over)
    if nothing := nothing_examined(added.case):
        yield nothing


def _of_known(added: Added, again: Iterable[Evidence]) -> str:
    if again:
        return "; read again with what you said of its times:"
    return "" if added.new else "; nothing was changed"


def _files(case: Case, entries: Iterable[Evidence]) -> Iterator[str]:
    """Say of each file what came of it; those that need a look come first, and the many others are summed up."""
    rejects: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in schema.to_records(rejects_by_file(case)):
        rejects[row["evidence_id"]].append(row)
    opened = {entry.path for entry in case.manifest.evidence if entry.member is not None}
    archives = [entry for entry in entries if _is_archive(entry, opened)]
    remarks = [(entry, _remarks(entry, rejects[entry.evidence_id])) for entry in entries if entry not in archives]
    noted = sorted(((entry, told) for entry, told in remarks if told), key=lambda one: not _is_unread(one[0]))
    yield from _some([f"{_name(entry)}: {visible(entry.note)}" for entry in archives if entry.note], "archive")
    hinted: set[str] = set()
    for entry, told in noted[:_MOST]:
        yield f"{_name(entry)}: {_sum(entry.fates)}"
        yield from (f"  {text}" for text in _with_hints(told, hinted))
    if len(noted) > _MOST:
        yield f"{_MOST} of {plural(len(noted), 'such file')} named; {_ALL}"
    yield from _summed_up([entry for entry, told in remarks if not told])


def _summed_up(plain: list[Evidence]) -> Iterator[str]:
    """Files of which nothing is to be said but what they gave, by the form that they have."""
    if len(plain) <= _FEW:
        yield from (f"{_name(entry)}: {_sum(entry.fates)}{_form(entry.form)}" for entry in plain)
        return
    for form in dict.fromkeys(entry.form for entry in plain):
        alike = [entry for entry in plain if entry.form == form]
        counts = {fate: sum((entry.fates or {}).get(fate, 0) for entry in alike) for fate in alike[0].fates or {}}
        yield f"{plural(len(alike), 'file')}: {_sum(counts)}{_form(form)}"


def _remarks(entry: Evidence, rejects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What a person has to know of a file, each with the reason that it is for, if it is a reject."""
    context = [name for name in (entry.route or "").split(", ") if name in schema.CONTEXT]
    told = [("", warning)] if (warning := _warning(entry, context)) else []
    if entry.unreadable:
        told.append(("", f"not read: {_name(entry)}, {visible(entry.unreadable, limit=200)}"))
    for row in rejects:
        where = f"the first is on line {row['first_line']:,}"
        told.append((row["reason"], f"{visible(row['reason'], limit=120)}: {plural(row['lines'], 'line')}, {where}"))
    if context:
        told.append(("", f"another log, for context ({', '.join(context)})"))
    if entry.note:
        told.append(("", visible(entry.note)))
    return [*told, *([("", _form(entry.form).strip(" ,"))] if told and entry.form else [])]


def _with_hints(remarks: list[tuple[str, str]], hinted: set[str]) -> Iterator[str]:
    """The way out stands with the first file that needs it."""
    for reason, text in remarks:
        known = reason_of(reason)
        yield f"{text}. Hint: {known.hint}." if reason and known.name not in hinted else text
        hinted |= {known.name} if reason else set()


def lines_of_passed_over(passed: Iterable[PassedOver]) -> Iterator[str]:
    """Yield what was handed over and not read, and why, with the way out."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for one in passed:
        name, why = visible(one.name, limit=300), visible(one.reason, limit=300)
        hint = f". Hint: {visible(one.hint, limit=300)}" if one.hint else ""
        left_out = one.kind == "left out"
        by_kind[one.kind].append(f"left out, {why}: {name}" if left_out else f"not read: {name}, {why}{hint}")
    for kind, texts in by_kind.items():
        yield from _some(texts, f"file {kind}")


def _some(texts: list[str], noun: str) -> Iterator[str]:
    yield from texts[:_MOST]
    if len(texts) > _MOST:
        yield f"{_MOST} of {plural(len(texts), noun)} named; {_ALL}"


def _is_unread(entry: Evidence) -> bool:
    return bool(entry.unreadable or (entry.fates or {}).get("reject"))


def _is_archive(entry: Evidence, opened: set[str]) -> bool:
    """Whether its members are evidence of their own: its lines are theirs."""
    is_opened = entry.path in opened or (entry.note or "").startswith("archive")
    return entry.member is None and is_opened and not any((entry.fates or {}).values())


def _warning(entry: Evidence, context: list[str]) -> str | None:
    """Say that a file gave nothing that is looked at; None where it did, or where that is said of it anyway."""
    fates = entry.fates or {}
    if context or entry.unreadable or any(fates.get(fate) for fate in ("event", "witness", "duplicate")):
        return None
    others = "; its records are of another resource, and out of scope" if fates.get("out_of_scope") else ""
    return f"warning: nothing came of it, no event and no record of another log{others}"


def _form(form: str | None) -> str:
    return f", {visible(form, limit=120)}" if form else ""


def _sum(fates: dict[str, int] | None, *, every: bool = False) -> str:
    """Lines by fate, and their sum.

    >>> _sum({"event": 9, "blank": 0})
    '9 lines = 9 event'
    """
    counts = {fate: count for fate, count in (fates or {}).items() if every or count}
    told = ", ".join(f"{count:,} {fate}" for fate, count in counts.items())
    return f"{sum(counts.values()):,} lines = {told}" if told else "0 lines"


def _name(entry: Evidence) -> str:
    return visible(entry.path if entry.member is None else f"{entry.path}!{entry.member}", limit=300)
