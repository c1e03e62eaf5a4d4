"""One collection under way: each table in slices, each slice checked against the service's own count."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from ..case import record_custody
from ..errors import EvidenceError
from ._patience import StoppedError
from ._workspace_evidence import Asked, Shelf, collected_before
from ._workspace_plan import HOUR, Pace, Span, floor, missing, moment, spans
from ._workspace_queries import EARLIEST, LATEST, Ask, Only, digest, extent, query
from ._workspace_service import DeniedError, Service, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..case import Case

_CHECKS = 3  # times a slice is asked for while rows still arrive in it
_IN_A_ROW = 3  # slices that fail one after the other: the service is down, not the slice

AUDIT_LIMITS = (
    "Asked for were rows of managed HSMs only, by TimeGenerated, and of the named HSMs where some were named. Rows of "
    "other resources stay in the workspace. TimeGenerated is the time of arrival where a record arrived more than "
    "two days late. Rows whose retention has ended are not in the workspace any more."
)
CONTEXT_LIMITS = (
    "Asked for were rows of the activity log that name a managed HSM, and of the named HSMs where some were named; "
    "sign-ins and requests to storage of the identities and from the addresses that the case's events show, and "
    "requests to the storage accounts that were named. Everything else in these tables stays in the workspace."
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for."""

    workspace: str
    only: Only
    start: datetime
    end: datetime
    limits: str = AUDIT_LIMITS


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of one table: half-open, and how it ended.

    `status` is `collected`, `known` (an earlier run has it, and the service counts the same), `unsettled`
    (kept, though the service counts otherwise) or `failed` (nothing kept; `problem` says why).
    """

    table: str
    start: datetime
    end: datetime
    rows: int
    counted: int | None
    status: Literal["collected", "known", "unsettled", "failed"]
    evidence_id: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TableRows:
    """What a table holds of the time asked for, as the service counts it, and what of that is in the case."""

    name: str
    absent: bool
    counted: int
    rows: int


class Run:
    """One collection under way."""

    def __init__(self, case: Case, service: Service, scope: Scope, progress: Callable[[int, int], None] | None) -> None:
        self.slices: list[Slice] = []
        self.stopped = False
        self._case, self._service, self._scope = case, service, scope
        self._shelf = Shelf(case)
        self._progress = progress
        self._failed = 0
        self._held: dict[str, dict[str, Any]] = {}
        self._asked: tuple[str, ...] = ()

    def collect(self, tables: tuple[str, ...]) -> None:
        """Ask the tables one after the other; how it ended goes into the chain of custody."""
        try:
            found = self._service.ask(extent(tables, self._scope.start, self._scope.end, only=self._scope.only))
        except StoppedError:  # before there was an answer
            self.stopped = True
            return
        self._asked = tables
        self._held = {row["source"]: row for row in found}
        self._record("collecting from Log Analytics", {"limits": self._scope.limits})
        interrupted = True
        try:
            self._collect_tables(tables)
            interrupted = False
        finally:
            ended = {"unfinished": self._unfinished(), "stopped": self.stopped, "interrupted": interrupted}
            self._record("collection from Log Analytics ended", ended)

    def _collect_tables(self, tables: tuple[str, ...]) -> None:
        try:
            for table in tables:
                if self._held.get(table, {}).get("found"):
                    self._collect_table(table)
        except StoppedError:
            self.stopped = True

    def tables(self) -> tuple[TableRows, ...]:
        """What each table holds, and what of it is in the case."""
        rows = {name: sum(s.rows for s in self.slices if s.table == name) for name in self._asked}
        counted = {name: self._held.get(name, {}).get("found", 0) for name in self._asked}
        return tuple(TableRows(name, name not in self._held, counted[name], rows[name]) for name in self._asked)

    def _record(self, action: str, detail: dict[str, Any]) -> None:
        scope = self._scope
        tables = {t.name: "absent" if t.absent else {"counted": t.counted, "rows": t.rows} for t in self.tables()}
        about = {
            "workspace": scope.workspace, "url": self._service.url, "hsms": list(scope.only.hsms),
            "start": None if scope.start == EARLIEST else scope.start.isoformat(),
            "end": None if scope.end == LATEST else scope.end.isoformat(),
            "context": scope.limits == CONTEXT_LIMITS, "tables": tables,
            "retried": len(self._service.retried),
        }  # fmt: skip
        record_custody(self._case.path, action, about | detail)

    def _unfinished(self) -> list[dict[str, Any]]:
        return [
            {"table": s.table, "start": s.start.isoformat(), "end": s.end.isoformat(), "status": s.status,
             "rows": s.rows, "counted": s.counted, "problem": s.problem}
            for s in self.slices if s.status in {"unsettled", "failed"}
        ]  # fmt: skip

    def _collect_table(self, table: str) -> None:
        whole = self._whole(table)
        hours = [(moment(row["hour"]), row["found"]) for row in self._service.ask(self._query("hours", table, whole))]
        before = collected_before(self._case, self._scope.workspace, self._question(table))
        still = [span for span in before if self._is_as_before(table, span)]
        known, gaps = missing(whole, still)
        for span in known:
            self._add(Slice(table, span.start, span.end, span.rows or 0, span.rows, "known"))
        pace = Pace()
        for gap in gaps:
            for span in spans(hours, gap, pace):
                self._collect_span(table, span, pace)

    def _whole(self, table: str) -> Span:
        """Return the time to ask for: what was named, else what the table holds, in whole hours."""
        held, scope = self._held[table], self._scope
        start = scope.start if scope.start > EARLIEST else floor(moment(held["oldest"]))
        end = scope.end if scope.end < LATEST else floor(moment(held["newest"])) + HOUR
        return Span(start.astimezone(UTC), end.astimezone(UTC))

    def _is_as_before(self, table: str, span: Span) -> bool:
        """Whether the service still counts what an earlier run took in."""
        return self._count(table, span) == span.rows

    def _collect_span(self, table: str, span: Span, pace: Pace) -> None:
        """Take in one slice; halves of it, as often as it takes, where it can't be answered whole."""
        todo = deque([span])
        while todo:
            span = todo.popleft()
            try:
                self._add(self._collected(table, span, pace))
                self._failed = 0
            except TooLargeError as problem:
                pace.slow(span.rows or pace.rows)
                if span.can_be_halved:
                    todo.extendleft(reversed(span.halves()))
                else:
                    self._fail(table, span, f"{problem}; a microsecond can't be cut")
            except DeniedError:  # nothing more can be had
                raise
            except EvidenceError as problem:
                self._fail(table, span, str(problem))

    def _collected(self, table: str, span: Span, pace: Pace) -> Slice:
        text = self._query("rows", table, span)
        scope = self._scope
        asked = Asked(scope.workspace, self._service.url, table, span, text, digest(text), self._question(table))
        for _ in range(_CHECKS):
            answer = self._service.fetch(text, self._shelf.waiting())
            counted = answer.rows if span.rows == answer.rows else self._count(table, span)
            if counted == answer.rows:
                break
        pace.learn(answer.size, answer.rows)
        same = counted == answer.rows
        entry = self._shelf.keep(asked, answer, counted, verified=same)
        evidence_id = entry.evidence_id if entry else None
        found = Slice(table, span.start, span.end, answer.rows, counted, "collected", evidence_id)
        if same:
            return found
        return replace(found, status="unsettled", problem=f"{answer.rows:,} rows, the service counts {counted:,}")

    def _fail(self, table: str, span: Span, problem: str) -> None:
        self._add(Slice(table, span.start, span.end, 0, span.rows, "failed", problem=problem))
        self._failed += 1
        if self._failed == _IN_A_ROW:
            raise EvidenceError(problem)

    def _add(self, found: Slice) -> None:
        self.slices.append(found)
        if self._progress:
            done, total = sum(s.rows for s in self.slices), sum(row["found"] for row in self._held.values())
            self._progress(done, max(done, total))

    def _count(self, table: str, span: Span) -> int:
        return int(self._service.ask(self._query("count", table, span))[0]["found"])

    def _question(self, table: str) -> str:
        return digest(query("rows", EARLIEST, LATEST, table=table, only=self._scope.only))

    def _query(self, ask: Ask, table: str, span: Span) -> str:
        return query(ask, span.start, span.end, table=table, only=self._scope.only)
