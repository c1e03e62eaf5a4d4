"""The analyst's record: tags, comments, hypotheses, answers; one entry a line, each with the hash of the one before.

Nothing is ever deleted or changed. A correction is an entry that replaces an earlier one, a deletion one that takes it
back; what counts now is the fold over all of them. An entry is known by its `note_id`, a digest of what it says, so the
records of two people merge without either losing a word.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from .. import schema
from ..errors import CaseError, InputError
from ._chain import append, breaks, entries
from ._custody import record_custody, recorded, utc_now, utc_text, who
from ._files import checked, is_list_of, is_moment, is_text, or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas as pd

    Entry = dict[str, Any]

State = Literal["answered", "partly", "not answerable"]

_STATES = ("answered", "partly", "not answerable")


@dataclass(frozen=True)
class Notes:
    """The notes of a case. Every method that writes returns the id of the note, to refer to it later.

    `about` are ids of what a note is about: events and their witnesses, rejects or records of other logs.
    """

    folder: Path
    known: Callable[[list[str]], set[str]]  # which of some ids the case has
    events: Callable[[list[str]], dict[str, str]] = lambda _: {}  # the event of each id that is a witness of one

    def tag(self, about: str | Iterable[str], tag: str, comment: str | None = None) -> str:
        """Tag records, "exfil" say.

        Raises
        ------
        InputError
            The case has no such record, or the tag is empty; nothing was written. The same holds for all methods.
        """
        return self._write("tag", _said(tag, "a tag"), about, {"comment": comment} if comment else {})

    def bookmark(self, about: str | Iterable[str], title: str) -> str:
        """Mark a row, a bar or a range of the case as worth coming back to."""
        return self._write("bookmark", _said(title, "a title"), about)

    def comment(self, text: str, about: str | Iterable[str] = (), *, note_id: str | None = None) -> str:
        """Comment on records, on another note, or on the case."""
        return self._write("comment", _said(text, "a comment"), about, self._refers(note_id))

    def hypothesis(self, text: str) -> str:
        """State what may have happened; `evidence` for and against it refers to the id that this returns."""
        return self._write("hypothesis", _said(text, "a hypothesis"))

    def evidence(self, hypothesis: str, about: str | Iterable[str], text: str, *, supports: bool) -> str:
        """Name records that speak for a hypothesis, or against it."""
        return self._write(
            "evidence", _said(text, "a reason"), about, self._refers(hypothesis) | {"supports": supports}
        )

    def t0(self, moment: datetime, text: str, about: str | Iterable[str] = ()) -> str:
        """Set the moment of suspected compromise; the newest one counts."""
        if moment.tzinfo is None:
            raise InputError.naive_time(moment.isoformat())
        return self._write("t0", _said(text, "a reason"), about, {"time": utc_text(moment)})

    def answer(self, question: str, state: State, text: str, about: str | Iterable[str] = ()) -> str:
        """Answer a question of the playbook, say that it is answered in part, or that these logs can't answer it."""
        if state not in _STATES:
            raise InputError(f"{state!r}: no state of an answer. Hint: one of {', '.join(_STATES)}.")
        return self._write("answer", _said(text, "an answer"), about, {"question": question, "state": state})

    def view(
        self, title: str, question: str, parameters: dict[str, Any], digest: str, *, comment: str | None = None
    ) -> str:
        """Save a view: which question was asked with which parameters, and the digest of what it answered.

        The report draws it again from the evidence, and says so if the answer is another one by then.
        """
        more = {"question": question, "parameters": parameters, "digest": digest}
        return self._write("view", _said(title, "a title"), (), more | ({"comment": comment} if comment else {}))

    def correct(self, note_id: str, text: str) -> str:
        """Replace the words of a note; the earlier ones stay in the record."""
        earlier = self._current(note_id)
        kept = {key: earlier[key] for key in ("about", "detail", "kind")}
        return self._append(kept | {"text": _said(text, "a text"), "replaces": note_id})

    def retract(self, note_id: str, text: str) -> str:
        """Take a note back, with the reason; it stays in the record."""
        self._current(note_id)
        return self._append({"kind": "retraction", "text": _said(text, "a reason"), "about": [], "detail": {},
                             "retracts": note_id})  # fmt: skip

    def merge(self, other: Path | str) -> int:
        """Take in the notes of somebody else's copy of the case (its folder, or its `notes.jsonl`).

        Who wrote them and when stays; what is here already is left out. Returns how many were new.

        Raises
        ------
        CaseError
            The file can't be read, or its chain is broken.
        """
        path = Path(other) / "notes.jsonl" if Path(other).is_dir() else Path(other)
        if not path.is_file():
            raise CaseError(f"{path}: no such file. Hint: name the other copy of the case, or its notes.jsonl.")
        if broken := next(breaks(path), None):
            raise CaseError(f"{path}: the chain is broken before entry {broken}. Hint: ask for the original.")
        mine = {entry["note_id"] for entry in self._read()}
        new = [entry for entry, _ in _notes(path) if entry["note_id"] not in mine]
        said = ({key: value for key, value in entry.items() if key not in {"seq", "previous"}} for entry in new)
        newest = append(self.path, *said, recovered=_recovered)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        about = {"from": str(path), "sha256": digest, "new": len(new), "notes": newest if new else self.head}
        record_custody(self.folder, "notes merged", about)
        return len(new)

    @property
    def path(self) -> Path:
        """Where the record is."""
        return self.folder / "notes.jsonl"

    @property
    def head(self) -> str | None:
        """SHA-256 of the newest entry: what custody writes down when the case is verified or reported."""
        return next((digest for _, digest in reversed(list(_notes(self.path)))), None)

    @property
    def moment_of_compromise(self) -> datetime | None:
        """The newest T0 that was not taken back."""
        markers = [note for note in self._fold() if note["kind"] == "t0"]
        return datetime.fromisoformat(markers[-1]["detail"]["time"]) if markers else None

    def df(self, kind: str | None = None) -> pd.DataFrame:
        """Return the notes that count now, in the order in which they were written; columns of `schema.NOTES`.

        Parameters
        ----------
        kind
            Only notes of this kind: `tag`, `bookmark`, `comment`, `hypothesis`, `evidence`, `t0`, `answer`, `view`.
        """
        return _frame(note for note in self._fold() if kind in {None, note["kind"]})

    def history(self) -> pd.DataFrame:
        """Return every entry ever made, also those that were replaced or taken back; columns of `schema.NOTES`."""
        return _frame(self._read())

    def tags(self) -> dict[str, list[str]]:
        """Tags by the id of the event that bears them: those of a witness are its event's. Of other records by their own."""
        tags = [(record, note["text"]) for note in self._fold() if note["kind"] == "tag" for record in note["about"]]
        event = self.events([record for record, _ in tags]) if tags else {}
        found: dict[str, list[str]] = {}
        for record, tag in tags:
            found.setdefault(event.get(record, record), []).append(tag)
        return {record: list(dict.fromkeys(tags)) for record, tags in found.items()}

    def _fold(self) -> list[Entry]:
        """Notes by id as they stand: a correction takes the place of what it replaces."""
        state: dict[str, Entry] = {}
        newest: dict[str, str] = {}  # note -> the first one of its line of corrections
        for entry in self._read():
            if taken_back := entry.get("retracts"):
                state.pop(newest.get(taken_back) or taken_back, None)
            elif earlier := entry.get("replaces"):
                first: str = newest.get(earlier) or earlier
                newest[entry["note_id"]] = first
                if first in state:
                    state[first] = entry
            elif entry["kind"] != "recovered":
                state[entry["note_id"]] = entry
        return list(state.values())

    def _current(self, note_id: str) -> Entry:
        found = next((note for note in self._fold() if note["note_id"] == note_id), None)
        if found is None:
            raise InputError(f"{note_id!r}: no such note, or no longer one. Hint: case.notes.df() lists them.")
        return found

    def _refers(self, note_id: str | None) -> Entry:
        return {"note_id": self._current(note_id)["note_id"]} if note_id else {}

    def _write(self, kind: str, text: str, about: str | Iterable[str] = (), detail: Entry | None = None) -> str:
        ids = [about] if isinstance(about, str) else list(dict.fromkeys(about))
        missing = set(ids) - self.known(ids) if ids else set()
        if missing:
            raise InputError.no_such_event(min(missing))
        if kind in {"tag", "bookmark", "evidence"} and not ids:
            raise InputError(f"{text!r}: about nothing. Hint: name the event_ids that it is about.")
        return self._append({"kind": kind, "text": text, "about": ids, "detail": detail or {}})

    def _append(self, said: Entry) -> str:
        entry = _signed(said)
        newest = append(self.path, entry, recovered=_recovered)
        recorded(self.folder, "noted", {"notes": newest})  # so that the record's end can't be cut off unseen
        return str(entry["note_id"])

    def _read(self) -> Iterator[Entry]:
        return (entry for entry, _ in _notes(self.path))


def _signed(said: Entry) -> Entry:
    """Return an entry with who said it and when, known by a digest of all that."""
    entry = {"time": utc_now(), "by": who(), **said}
    note_id = hashlib.sha256(json.dumps(entry, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
    return {"note_id": note_id, **entry}


def _recovered(torn: str) -> Entry:
    return _signed({"kind": "recovered", "text": torn, "about": [], "detail": {}})


def _notes(path: Path) -> Iterator[tuple[Entry, str]]:
    for entry, digest in entries(path):
        checked(path, f"entry {entry['seq']}", entry, _NOTE, open_ended=True)
        checked(
            path, f"entry {entry['seq']}", entry.get("detail") or {}, _DETAILS.get(entry["kind"], {}), open_ended=True
        )
        yield entry, digest


_NOTE = {
    **dict.fromkeys(("note_id", "kind", "by", "text"), is_text),
    **dict.fromkeys(("replaces", "retracts"), or_none(is_text)),
    "time": is_moment,
    "about": is_list_of(is_text),
    "detail": lambda value: isinstance(value, dict),
}
_DETAILS = {
    "t0": {"time": is_moment},
    "answer": {"question": is_text, "state": is_text},
    "evidence": {"note_id": is_text, "supports": lambda value: isinstance(value, bool)},
    "view": {"question": is_text, "digest": is_text, "parameters": lambda value: isinstance(value, dict)},
}


def _said(text: str, what: str) -> str:
    if not text or not text.strip():
        raise InputError(f"{what} has no words. Hint: say what you saw.")
    return text.strip()


def _frame(notes: Iterable[Entry]) -> pd.DataFrame:
    rows = [
        {**{key: note.get(key) for key in ("note_id", "kind", "by", "text", "about", "replaces", "retracts")},
         "time": datetime.fromisoformat(note["time"]).replace(tzinfo=None),
         "detail": json.dumps(note["detail"], ensure_ascii=False) if note["detail"] else None}
        for note in notes
    ]  # fmt: skip
    return schema.to_pandas(pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.NOTES)))
