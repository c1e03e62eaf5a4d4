"""Answers as evidence: kept verbatim, and in the chain of custody before they have their final name."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..case import Case, Evidence, read_custody, record_custody, utc_now
from ..errors import CaseError
from ..evidence import by_content, evidence_id
from ._workspace_plan import Span

if TYPE_CHECKING:
    from pathlib import Path

    from ._workspace_service import Answer

ACTION = "collected from Log Analytics"

_STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for in one slice: all that is needed to ask again, and to judge what may be missing."""

    workspace: str
    url: str
    table: str
    span: Span
    query: str
    query_sha256: str
    question_sha256: str  # of the query without its times: the same for all slices of a table


class Shelf:
    """The place of a case where answers go."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._incoming = case.path / "evidence" / ".incoming"
        # Of this run alone: a request of an earlier one, which was stopped, may still be ending.
        self._waiting = self._incoming / f"answer-{secrets.token_hex(4)}"
        self._known = set(by_content(case.manifest.evidence))
        self._paths = {entry.path for entry in case.manifest.evidence}

    def waiting(self) -> Path:
        """Where an answer is written while it arrives."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return self._waiting

    def keep(self, asked: Asked, answer: Answer, counted: int, *, verified: bool) -> Evidence | None:
        """Take the answer that waits into the case; None if it is empty or the case has these bytes.

        Raises
        ------
        CaseError
            The case can't be written.
        """
        entry = self._entry(asked, answer) if answer.rows and answer.sha256 not in self._known else None
        try:
            if entry is None:
                self.waiting().unlink()
            else:
                self.waiting().replace(self._incoming / entry.evidence_id)
                record_custody(self._case.path, "added", asdict(entry))
                self._known.add(entry.sha256)
                self._paths.add(entry.path)
        except OSError as problem:
            raise CaseError.unwritable(self._case.path, problem) from problem
        record_custody(self._case.path, ACTION, _detail(asked, answer, counted, verified=verified))
        return entry

    def _entry(self, asked: Asked, answer: Answer) -> Evidence:
        slice_name = f"{asked.span.start:{_STAMP}}--{asked.span.end:{_STAMP}}"
        path = f"log-analytics/{asked.workspace}/{asked.table}/{slice_name}.json"
        if path in self._paths or (self._case.path / "evidence" / path).exists():
            path = path.replace(".json", f"~{answer.sha256[:12]}.json")
        return Evidence(
            evidence_id=evidence_id(answer.sha256), path=path, origin=f"{asked.url} {asked.table} {slice_name}",
            size=answer.size, sha256=answer.sha256, acquired=utc_now(),
        )  # fmt: skip


def _detail(asked: Asked, answer: Answer, counted: int, *, verified: bool) -> dict[str, Any]:
    return {
        **{key: value for key, value in asdict(asked).items() if key != "span"},
        "start": asked.span.start.isoformat(), "end": asked.span.end.isoformat(),
        "rows": answer.rows, "rows_counted_by_the_service": counted, "verified": verified,
        "size": answer.size, "sha256": answer.sha256, "request_id": answer.request_id,
    }  # fmt: skip


def collected_before(case: Case, workspace: str, question_sha256: str) -> list[Span]:
    """Slices that an earlier run took in completely, each with its number of rows."""
    found: dict[tuple[datetime, datetime], Span] = {}
    kept = {entry.sha256 for entry in case.manifest.evidence}
    for entry, _ in read_custody(case.path):
        detail = entry["detail"]
        if entry["action"] != ACTION or not detail["verified"]:
            continue
        same = (detail["workspace"], detail["question_sha256"]) == (workspace, question_sha256)
        if same and (not detail["rows"] or detail["sha256"] in kept):
            span = Span(datetime.fromisoformat(detail["start"]), datetime.fromisoformat(detail["end"]), detail["rows"])
            found[span.start, span.end] = span
    return list(found.values())
