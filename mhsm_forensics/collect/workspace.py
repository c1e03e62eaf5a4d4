"""Audit logs out of a Log Analytics workspace: every row that the service counts, in the service's own bytes.

The answers to the queries are the evidence, kept as they came. A slice of time counts as collected when its
answer is whole and has as many rows as the service counts; anything less is named and leaves the case marked
incomplete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .. import ingest
from ..case import Case, open_case
from ..errors import EvidenceError, InputError
from ._workspace_queries import EARLIEST, LATEST, TABLES, Only, query
from ._workspace_run import Run, Scope, Slice, TableRows
from ._workspace_service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from threading import Event

    from azure.core.credentials import TokenCredential

    from ..case import Evidence

__all__ = ["Collected", "Slice", "TableRows", "collect", "gather", "target_of"]

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
    stopped: bool = False  # somebody asked to stop; a rerun goes on

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
        return not self.stopped and not self.unfinished and any(not table.absent for table in self.tables)


def collect(
    case: Case,
    workspace_id: str | None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    hsms: Iterable[str] = (),
    table: Literal["auto", "AzureDiagnostics", "AZKVAuditLogs"] = "auto",
    resource: str | None = None,
    credential: TokenCredential,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
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
    stop
        Set it, from another thread, to end early: the request under way is dropped at once, the slices that are whole
        are kept and their events derived, and the result is `stopped`.
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
    label, target = target_of(workspace_id, resource)
    scope = Scope(label, Only(hsms=tuple(hsms)).checked(), start or EARLIEST, end or LATEST)
    service = Service(credential, target, endpoint, transport, stop)
    return gather(case, service, scope, TABLES if table == "auto" else (table,), progress)


def gather(
    case: Case, service: Service, scope: Scope, tables: tuple[str, ...], progress: Callable[[int, int], None] | None
) -> Collected:
    """Take the rows of some tables into a case, and derive what they hold; ends the service's connection."""
    query("count", scope.start, scope.end, only=scope.only)  # a wrong value must not leave a trace
    try:
        with ingest.writing(open_case(case.path)) as case:
            run = Run(case, service, scope, progress)
            run.collect(tables)
    except EvidenceError:
        ingest.add(open_case(case.path), [])  # what was collected before is in the case
        raise
    finally:
        service.close()
    added = ingest.add(open_case(case.path), [])
    return Collected(added.case, added.new, run.tables(), tuple(run.slices), tuple(service.retried), run.stopped)


def target_of(workspace_id: str | None, resource: str | None) -> tuple[str, str]:
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
