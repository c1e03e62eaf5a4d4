"""Audit logs out of a Log Analytics workspace: every row that the service counts, in the service's own bytes.

The answers to the queries are the evidence, kept as they came. A slice of time counts as collected when its
answer is whole and has as many rows as the service counts; anything less is named and leaves the case marked
incomplete.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from .. import ingest
from ..case import Case, open_case
from ..errors import CaseError, EvidenceError, InputError
from ..evidence import recover
from ._workspace_queries import EARLIEST, LATEST, TABLES, Table, query
from ._workspace_run import Run, Scope, Slice, TableRows
from ._workspace_service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from azure.core.credentials import TokenCredential

    from ..case import Evidence

__all__ = ["Collected", "Slice", "TableRows", "collect"]

_WORKSPACE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RESOURCE = re.compile(r"/subscriptions/[\w-]+/resourcegroups/[\w.()-]+/providers/[\w.]+/\w+/([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection brought; incomplete unless every slice holds what the service counts."""

    case: Case
    new: tuple[Evidence, ...] = ()
    tables: tuple[TableRows, ...] = ()
    slices: tuple[Slice, ...] = field(default=(), repr=False)
    retried: tuple[str, ...] = field(default=(), repr=False)  # faults that passed

    @property
    def absent(self) -> tuple[str, ...]:
        """Tables that the workspace does not have."""
        return tuple(table.name for table in self.tables if table.absent)

    @property
    def unfinished(self) -> tuple[Slice, ...]:
        """Slices that do not hold what the service counts."""
        return tuple(found for found in self.slices if found.status in {"unsettled", "failed"})

    @property
    def complete(self) -> bool:
        """Whether every row that the service counts is in the case, and there was a table to ask."""
        return not self.unfinished and any(not table.absent for table in self.tables)


def collect(
    case: Case,
    workspace_id: str | None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    hsms: Iterable[str] = (),
    table: Literal["auto"] | Table = "auto",
    resource: str | None = None,
    credential: TokenCredential,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    transport: dict[str, Any] | None = None,
) -> Collected:
    """Take the audit rows of a workspace into a case as evidence, and derive their events.

    Parameters
    ----------
    case
        The case. A rerun asks only for what is new or was not complete.
    workspace_id
        The workspace ID, a GUID; None if *resource* is given.
    start, end
        Only rows from *start* up to and without *end* (TimeGenerated); default all there are.
    hsms
        Only these managed HSMs, by name; default all.
    table
        `AzureDiagnostics` or `AZKVAuditLogs`; `auto` asks both.
    resource
        Resource id of a managed HSM: asks for its rows in whatever workspaces they are.
    credential
        Login, as the Azure SDK wants it.
    endpoint
        Address of the service in another cloud, `https://api.loganalytics.us` say.
    progress
        Called with the rows that were taken in, and those the service counts.
    transport
        Further arguments of the SDK's client, `connection_verify` say.

    Raises
    ------
    EvidenceError
        The service refuses or does not answer. What was collected before is kept.
    InputError
        A time names no zone, or an id is none.
    CaseError
        The case can't be written, or another process is writing it.
    """
    label, target = _target(workspace_id, resource)
    scope = Scope(label, tuple(hsm.lower() for hsm in hsms), start or EARLIEST, end or LATEST)
    asked = TABLES if table == "auto" else (table,)
    query("count", scope.start, scope.end, hsms=scope.hsms)  # a wrong value must not leave a trace
    service = Service(credential, target, endpoint, transport)
    try:
        with _writing(case) as case:
            run = Run(case, service, scope, progress)
            run.collect(asked)
    except EvidenceError:
        ingest.add(open_case(case.path), [])  # what was collected before is in the case
        raise
    finally:
        service.close()
    added = ingest.add(open_case(case.path), [])
    return Collected(added.case, added.new, run.tables(), tuple(run.slices), tuple(service.retried))


def _target(workspace_id: str | None, resource: str | None) -> tuple[str, str]:
    """Name of the folder for the evidence, and path of the query."""
    if resource is not None:
        found = _RESOURCE.fullmatch(resource.rstrip("/"))
        if not found:
            raise InputError(f"{resource!r}: not a resource id. Hint: copy it from the HSM's Properties page.")
        return f"resource-{found[1].lower()}", resource.rstrip("/")
    if not _WORKSPACE.fullmatch(workspace_id or ""):
        raise InputError(
            f"{workspace_id!r}: not a workspace ID. Hint: it is a GUID, on the Overview page of the workspace."
        )
    return str(workspace_id).lower(), f"/workspaces/{workspace_id}"


@contextmanager
def _writing(case: Case) -> Iterator[Case]:
    """Hold the case's lock, with what an earlier run left finished."""
    try:
        with FileLock(case.path / ".lock", timeout=0):
            recover(open_case(case.path))
            yield open_case(case.path)
    except Timeout:
        raise CaseError(f"{case.path}: another process is writing this case. Hint: wait until it ends.") from None
