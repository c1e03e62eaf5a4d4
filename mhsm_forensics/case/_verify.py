"""Whether a case is as it was acquired and sealed; looking writes nothing."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import schema
from ..errors import CaseError, InputError
from ..text import plural
from ._about import RESHAPED
from ._chain import breaks, ends_torn, entries
from ._custody import head, read_custody, recorded, utc_now
from ._seal import SEALED, derived, is_sealed, pending, sealed_manifest, sha256_of
from ._tables import rows_in
from ._unchanged import own_files, what_became
from ._witnesses import SAID, fates_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from . import Case

# What an entry of the manifest says of a file from its acquisition on, whatever was derived from it since.
_ACQUIRED = ("path", "origin", "size", "sha256", "acquired", "modified", "member", "in_place", "content_md5", "etag")
_LEAST_HEAD = 12  # digits of a head that are enough to tell it from others


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found, and when. `problems` names everything that is not as it was; none if all is.

    `remarks` are no problems: what there is no seal for, say. `head` is the SHA-256 of the newest custody entry.
    """

    time: str
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    files: int
    files_whole: int
    tables: int
    tables_whole: int
    entries: int
    chain_whole: bool
    head: str | None

    @property
    def holds(self) -> bool:
        """Whether everything is as it was."""
        return not self.problems

    def in_words(self) -> str:
        """One line that says how much is as it was."""
        chain = "is whole" if self.chain_whole else "is NOT whole"
        return (
            f"{self.files_whole:,} of {plural(self.files, 'evidence file')} as acquired; {self.tables_whole:,} of "
            f"{plural(self.tables, 'derived table')} as sealed; the chain of custody ({plural(self.entries, 'entry')}) {chain}"
        )


def check(case: Case, *, head: str | None = None) -> Verification:
    """Recompute every claim of a case and say which hold; nothing is written.

    Every evidence file is hashed and compared with the manifest and with the custody entry of its acquisition; every
    derived table with the manifest; the manifest with the custody entry that sealed it; the chains of custody and of
    notes are recomputed; files that nobody added are named.

    Parameters
    ----------
    case
        The case.
    head
        Head of the chain of custody, or its first 12 digits or more, that was written down before: it must still be in
        the chain.

    Raises
    ------
    InputError
        *head* is no hash.
    """
    anchor = _anchor(head)
    files, tables = [*_evidence_problems(case)], [*_table_problems(case)]
    chain = [*_chain_problems(case), *_anchor_problems(case, anchor)]
    problems = [
        *_manifest_problems(case), *files, *_strangers(case), *tables, *_row_problems(case, tables), *chain,
        *_acquisition_problems(case), *_about_problems(case), *_notes_problems(case),
    ]  # fmt: skip
    sealed, count = case.manifest.tables, sum(1 for _ in _readable(case))
    return Verification(
        utc_now(), tuple(problems), tuple(_remarks(case)), len(own_files(case)), len(own_files(case)) - len(files),
        len(sealed), len(sealed) - len(tables), count, not chain, _newest(case),
    )  # fmt: skip


def verify(case: Case, *, head: str | None = None, log: bool = True) -> list[str]:
    """Name everything that is not as it was acquired and sealed; an empty list if all is.

    Parameters
    ----------
    case
        The case.
    head
        Head of the chain of custody that was written down before (see `check`).
    log
        Write the result into the chain of custody, where the case can be written.
    """
    found = check(case, head=head)
    if log:
        record_verification(case, found)
    return list(found.problems)


def record_verification(case: Case, found: Verification) -> str | None:
    """Write what a verification found into the chain of custody; returns why that can't be, if it can't.

    The entry pins the notes as they are, unless something is wrong.
    """
    notes = None if found.problems else case.notes.head
    detail = {"files": found.files, "tables": found.tables, "problems": list(found.problems), "notes": notes}
    return recorded(case.path, "verified", detail)


def _evidence_problems(case: Case) -> Iterator[str]:
    for entry in own_files(case):
        try:
            problem = what_became(case, entry)
            was = f" (was SHA-256 {entry.sha256})" if problem == "changed" else ""
            if problem:
                yield f"{problem}: {case.evidence_path(entry)}{was}"
        except (CaseError, OSError) as refusal:
            yield f"can't be read: {refusal}"


def _strangers(case: Case) -> Iterator[str]:
    """Files and links below evidence/ that nobody added, and members of archives that are not there."""
    known = {entry.path for entry in case.manifest.evidence if not entry.in_place}
    root = case.path / "evidence"
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for path in sorted(Path(folder) / name for name in (*files, *links)):
            # downloads that the next run finishes or throws away
            if path.parent != root / ".incoming" and path.relative_to(root).as_posix() not in known:
                yield f"not added by this tool: {path}"
    whole = {(entry.path, entry.in_place) for entry in own_files(case)}
    lost = {entry.path for entry in case.manifest.evidence if (entry.path, entry.in_place) not in whole}
    yield from (f"the manifest has members of an archive that it doesn't have: {path}" for path in sorted(lost))


def _manifest_problems(case: Case) -> Iterator[str]:
    try:
        whole, sealed = is_sealed(case.path, case.manifest), sealed_manifest(case.path)
    except CaseError:
        return  # the chain's own problem
    path = case.path / "manifest.json"
    if (case.path / ".sealing").exists():
        how = "finishes it" if pending(case.path) else "undoes it"
        yield f"a run was killed while it sealed the case. Hint: the next add or rebuild {how}"
    elif not whole:
        yield f"changed: {path} ({f'was SHA-256 {sealed}' if sealed else 'custody has no seal of it'})"


def _table_problems(case: Case) -> Iterator[str]:
    manifest, sealed = case.manifest, case.manifest.tables
    coming = after.tables if (case.path / ".sealing").exists() and (after := pending(case.path)) else {}
    parts = (f"events/{part}" for part in (*manifest.parts, *manifest.copies))
    for name in dict.fromkeys([*sealed, *parts]):
        path = case.path / name
        if not path.is_file():
            yield f"missing: {path}. Hint: rebuild"
        elif name not in sealed and sealed:
            yield f"not sealed: {path}"
        elif name in sealed and (found := sha256_of(path)) not in (sealed[name], coming.get(name)):
            yield f"changed: {path} (was SHA-256 {sealed[name]}, is {found}). Hint: rebuild"


def _row_problems(case: Case, tables: list[str]) -> Iterator[str]:
    """Yield where tables hold other numbers of rows than the accounting says; tables that are changed say it already."""
    known = set(derived(case.path, case.manifest)) | set(case.manifest.tables)
    for path in sorted([*(case.path / "events").glob("*"), *(case.path / "context").glob("*.parquet")]):
        if path.relative_to(case.path).as_posix() not in known and path.name != ".staging":
            yield f"not derived by this tool: {path}"
    if tables:
        return
    try:
        yield from _miscounted(case)
    except CaseError as problem:
        yield str(problem)


def _miscounted(case: Case) -> Iterator[str]:
    counted = case.accounting.iloc[0]
    held = {"rejects": (_rows(case, "rejects", schema.REJECTS), int(counted["reject"]))}
    if case.is_of_before:
        paths = (*case.events.paths, *(case.path / "events" / name for name in case.manifest.copies))
        held["events"] = (rows_in(paths, schema.EVENTS), int(counted["event"]))
    else:
        held["events"] = (len(case.events), int(counted["event"]))
        held |= _witnesses(case, counted)
        beside = {"out_of_scope": schema.EVENTS, **schema.CONTEXT}
        aside = sum(_rows(case, name, columns) for name, columns in beside.items())
        held["tables beside the events"] = (aside, int(counted["out_of_scope"]))
    for name, (rows, said) in held.items():
        if rows != said:
            yield f"{name} hold {rows:,} rows, the accounting says {said:,}. Hint: rebuild"


def _witnesses(case: Case, counted: pd.Series) -> dict[str, tuple[int, int]]:
    """How many records the table of witnesses has of each fate, and how many the accounting."""
    found: Counter[str] = Counter()
    for path in case.events.witnesses:
        for (_, fate), count in fates_in(path).items():
            found[fate] += count
    return {f"witnesses with the fate {fate}": (found[fate], int(counted[fate])) for fate in SAID}


def _rows(case: Case, name: str, columns: tuple[schema.Column, ...]) -> int:
    path = case.table_path(name)
    return rows_in((path,), columns) if path.exists() else 0


def _chain_problems(case: Case) -> Iterator[str]:
    path = case.path / "custody.jsonl"
    try:
        yield from (f"custody chain broken before entry {number}" for number in breaks(path))
        first = next(read_custody(case.path), None)
        if first is None or first[0]["action"] != "created":
            yield f"the chain of custody does not begin with the case's creation: {path}"
        for _ in read_custody(case.path):
            pass
        if ends_torn(path):
            yield f"the chain of custody ends in an unfinished entry, which the next one keeps as recovered: {path}"
    except CaseError as problem:
        yield f"the chain of custody: {problem}"


def _anchor(head: str | None) -> str | None:
    """Return a head as the chain writes it."""
    if head is None:
        return None
    if not re.fullmatch(rf"[0-9a-f]{{{_LEAST_HEAD},64}}", head.strip().lower()):
        raise InputError(
            f"{head!r}: no head of a chain. Hint: at least {_LEAST_HEAD} of the 64 digits that verify prints."
        )
    return head.strip().lower()


def _anchor_problems(case: Case, anchor: str | None) -> Iterator[str]:
    if anchor is None:
        return
    there: list[str] = []
    with suppress(CaseError):
        there += (digest for _, digest in entries(case.path / "custody.jsonl"))
    if not any(digest.startswith(anchor) for digest in there):
        yield f"custody has no entry {anchor}: the chain was cut off or written anew since that head was noted"


def _acquisition_problems(case: Case) -> Iterator[str]:
    """Yield where manifest and custody tell different things of a file."""
    told = {entry["detail"].get("evidence_id"): entry["detail"] for entry in _readable(case, "added")}
    for entry in case.manifest.evidence:
        about = told.pop(entry.evidence_id, None)
        other = [name for name in _ACQUIRED if about and about.get(name) != getattr(entry, name)]
        if about is None or other:
            what = f" ({', '.join(other)})" if other else " (custody does not have it)"
            yield f"manifest and custody disagree on {entry.evidence_id}, {entry.path}{what}"
    for about in told.values():
        yield f"custody has evidence that the manifest lacks: {about.get('path')}. Hint: the next add finishes a killed run"


def _about_problems(case: Case) -> Iterator[str]:
    """Yield whether case.json is as it was when the case was created, or brought to another shape."""
    created = next(_readable(case, "created"), None)
    if created is None:
        return
    path, was = case.path / "case.json", created["detail"].get("sha256")
    for entry in _readable(case, RESHAPED):
        was = entry["detail"].get("sha256")
    if was is not None and sha256_of(path) != was:
        yield f"changed: {path} (was SHA-256 {was})"
    elif created["detail"].get("name") != case.name:
        yield f"changed: {path} (the case was created as {created['detail'].get('name')!r})"


def _notes_problems(case: Case) -> Iterator[str]:
    """Notes that were changed or taken out: the newest one of each time that custody wrote down must still be there."""
    path = case.notes.path
    try:
        yield from (f"{path}: the chain of notes is broken before entry {number}" for number in breaks(path))
        there = {digest for _, digest in entries(path)}
        case.notes.history()
        if ends_torn(path):
            yield f"the chain of notes ends in an unfinished entry, which the next one keeps as recovered: {path}"
    except CaseError as problem:
        yield f"the chain of notes: {problem}"
        return
    known = {str(notes) for entry in _readable(case) if (notes := entry["detail"].get("notes"))}
    yield from (
        f"{path}: a note is missing that was there before (SHA-256 {digest})" for digest in sorted(known - there)
    )


def _remarks(case: Case) -> Iterator[str]:
    if case.manifest.parts and next(_readable(case, SEALED), None) is None:
        yield "derived tables are not sealed: an earlier version made this case. 'mhsm-forensics rebuild' seals them"
    if case.is_of_before:
        yield case.of_before


def _newest(case: Case) -> str | None:
    with suppress(CaseError):
        return head(case.path)
    return None


def _readable(case: Case, action: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the custody entries, of one action, up to the first that can't be read."""
    with suppress(CaseError):
        yield from (entry for entry, _ in read_custody(case.path) if action in (None, entry["action"]))
