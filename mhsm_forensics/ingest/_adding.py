"""One `add` while it goes on: what is new, what was known, what is passed over."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from ..case import Case, Evidence, PassedOver, open_case, record_custody, require_unchanged, seal
from ..evidence import ARCHIVE, acquire, by_content, record_added
from ._publish import publish

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..evidence import Found, Taken, Words
    from ._parts import Parts
    from ._wishes import Wish

_NOT_DERIVED: Final = ("context/places.parquet",)  # from evidence, but from databases that somebody brought
_TOGETHER: Final = 64  # files in place that are recorded with one write
_NAMED: Final = 200  # files that one entry of the chain of custody names


class Adding:
    """Takes files into a case while those before are already read."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._content = by_content(case.manifest.evidence)
        self._unfinished = unfinished(case)
        require_unchanged(case, self._unfinished)
        self._new: list[Evidence] = []
        self._unrecorded: list[Evidence] = []
        self._others: list[PassedOver] = []
        self._words: dict[Words, set[str]] = {}
        self.known: list[str] = []

    def all(self, found: list[tuple[Wish, Found]], parts: Parts) -> None:
        """Take everything that was found, and begin to derive its events."""
        sizes = [source.path.stat().st_size for _, what in found for source in what.sources]
        parts.expect(sum(sizes) + sum(entry.size for entry in self._unfinished))
        parts.take(self._unfinished)
        for wish, what in found:
            self._others += what.passed_over
            for source in what.sources:
                taken = acquire(self._case, source, self._content, in_place=wish.in_place, words=wish.words,
                                unrecorded=self._unrecorded)  # fmt: skip
                if len(self._unrecorded) >= _TOGETHER:
                    self._record()
                parts.take(entry for entry in taken.entries if entry.fates is None)
                self._new += taken.entries
                self._others += taken.passed_over
                if taken.known:
                    self.known.append(source.relative)
                    self._say(taken, wish.words)
        self._record()

    def _record(self) -> None:
        """Record what is in place; what a killed run did not record is as if it had not been looked at."""
        if self._unrecorded:
            record_added(self._case, self._unrecorded)
            self._unrecorded.clear()

    def _say(self, taken: Taken, words: Words) -> None:
        """Keep that something else is said now of evidence that the case has: of a file, and of all that it holds."""
        if taken.known and words:
            alike = {e.evidence_id for e in (*self._case.manifest.evidence, *self._new)
                     if e is taken.known or (not taken.known.position and e.path == taken.known.path)}  # fmt: skip
            self._words.setdefault(words, set()).update(alike)

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """What was handed over and is no evidence, each once."""
        return tuple({(other.name, other.origin): other for other in self._others}.values())

    def counted(self, parts: Parts) -> Case:
        """Make what was added count, and return the case with it."""
        case = self._listed()
        before = case.manifest.evidence
        for words, ids in self._words.items():
            case = said(case, words, ids)
        if case.manifest.evidence != before:  # times are read in another way: everything is derived again
            done = {entry.evidence_id for entry in (*self._new, *self._unfinished)}
            require_unchanged(case, case.manifest.evidence)
            case = bare(case)
            parts.take(entry for entry in unfinished(case) if entry.evidence_id not in done)
        return publish(case, parts) if parts.any else case

    def _listed(self) -> Case:
        """Write down what is new, and what is passed over now and was not before."""
        manifest = self._case.manifest
        before = {(other.name, other.origin) for other in manifest.passed_over}
        others = [other for other in self.passed_over if (other.name, other.origin) not in before]
        if self._new or others:
            passed_over = (*manifest.passed_over, *others)
            seal(self._case.path, replace(manifest, evidence=(*manifest.evidence, *self._new), passed_over=passed_over))
        if others:
            record_custody(self._case.path, "passed over", _summary(others))
        return open_case(self._case.path)

    def new_in(self, case: Case) -> tuple[Evidence, ...]:
        """Return what this run added, as it is accounted for."""
        ids = {entry.evidence_id for entry in (*self._unfinished, *self._new)}
        return tuple(entry for entry in case.manifest.evidence if entry.evidence_id in ids)


def _summary(others: list[PassedOver]) -> dict[str, object]:
    kinds = Counter(other.kind for other in others)
    return {"count": len(others), "kinds": dict(kinds), "first": [asdict(other) for other in others[:_NAMED]]}


def unfinished(case: Case) -> list[Evidence]:
    """Evidence whose lines are not accounted for."""
    return [entry for entry in case.manifest.evidence if entry.fates is None]


def said(case: Case, words: Words, ids: Collection[str]) -> Case:
    """Write down what the responder says of the times in some evidence, where that is something else than before."""
    evidence = tuple(words.said_of(e) if e.evidence_id in ids else e for e in case.manifest.evidence)
    changed = [new for new, old in zip(evidence, case.manifest.evidence, strict=True) if new != old]
    if changed:
        about: dict[str, object] = {"dates": words.dates, "times_in": words.times_in}
        record_custody(case.path, "said of times", about | _names(changed))
        seal(case.path, replace(case.manifest, evidence=evidence))
    return open_case(case.path)


def _names(entries: list[Evidence]) -> dict[str, object]:
    return {"count": len(entries), "evidence": [entry.evidence_id for entry in entries[:_NAMED]]}


def bare(case: Case) -> Case:
    """Return the case as if none of its evidence had been read."""
    evidence = _unread(case.manifest.evidence)
    kept = {name: digest for name, digest in case.manifest.tables.items() if name in _NOT_DERIVED}
    manifest = replace(case.manifest, evidence=tuple(evidence), parts=(), tables=kept)
    return replace(case, manifest=manifest)


def _unread(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Archives stay as they are: what is in them is evidence of its own."""
    entries = list(evidence)
    archives = {entry.path for entry in entries if entry.member is not None}
    whole = [e.position == () and not e.unreadable and (e.form == ARCHIVE or e.path in archives) and e.member is None
             for e in entries]  # fmt: skip
    return [entry if kept else replace(entry, fates=None) for entry, kept in zip(entries, whole, strict=True)]
