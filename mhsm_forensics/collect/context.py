"""What other logs in a workspace say of the people and addresses that a case's events show.

The machinery is that of `workspace`: every row that the service counts, in the service's own bytes. What is asked for
follows from the case: collect or add the audit logs first.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .. import engine
from ..errors import InputError
from ..normalise import address_of
from ._workspace_queries import CONTEXT_TABLES, Only
from ._workspace_run import CONTEXT_LIMITS, Scope
from ._workspace_service import Service
from .workspace import Collected, gather, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from threading import Event

    import pandas as pd
    from azure.core.credentials import TokenCredential

    from ..case import Case

__all__ = ["Collected", "collect"]

AROUND = timedelta(days=1)  # a token lives up to a day; what was prepared before and tidied up after

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST = 10_000  # ids, or addresses, in one query
_PUBLIC = ("public", "reserved")  # an address range for documentation is public in a sample


def collect(
    case: Case,
    workspace_id: str | None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    hsms: Iterable[str] = (),
    accounts: Iterable[str] = (),
    credential: TokenCredential,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
    transport: dict[str, Any] | None = None,
) -> Collected:
    """Take the activity log, sign-ins and requests to storage around a case's events into the case.

    They are evidence like any other, and end up in `case.context("activity")`, `"signins"` and `"blob_requests"`,
    apart from the events of the HSMs.

    Parameters
    ----------
    case
        The case, with the audit logs in it: their identities and public addresses are what is asked for.
    workspace_id
        The workspace ID, a GUID.
    start, end
        Only rows from *start* up to and without *end* (TimeGenerated); default from a day before the first event of
        the case up to a day after the last.
    hsms
        Only what is about these managed HSMs, and only the identities and addresses of their events; default all.
    accounts
        Names of the storage accounts that backups go to, or may have gone to: all requests to these are taken.
    credential, endpoint, progress, stop, transport
        As for `workspace.collect`.

    Raises
    ------
    EvidenceError
        The service refuses or does not answer. What was collected before is kept.
    InputError
        The case has no events, a time names no zone, or a name is none.
    CaseError
        The case can't be written, or another process is writing it.
    """
    names = tuple(hsms)
    callers = engine.query(case.events.within(start, end, names), "callers")
    if callers.empty and (start is None or end is None):
        raise InputError(
            "the case has no events, so nothing says whose sign-ins to ask for. "
            "Hint: collect or add the audit logs first, or give both --from and --to."
        )
    first = start or callers["first_time"].min().to_pydatetime() - AROUND
    last = end or callers["last_time"].max().to_pydatetime() + AROUND
    label, target = target_of(workspace_id, None)
    scope = Scope(label, _only(callers, names, tuple(accounts)), first, last, CONTEXT_LIMITS)
    service = Service(credential, target, endpoint, transport, stop)
    return gather(case, service, scope, CONTEXT_TABLES, progress)


def _only(callers: pd.DataFrame, hsms: tuple[str, ...], accounts: tuple[str, ...]) -> Only:
    """Whose rows to ask for: private addresses and names that are no ids are known to no other log."""
    ids = {text for text in callers["caller_id"].dropna() if _GUID.fullmatch(text)}
    issued = {address_of(text) for text in callers["token_ip"].dropna().unique()}
    addresses = {found.caller_ip for found in issued if found.caller_ip and found.ip_scope in _PUBLIC}
    addresses |= set(callers.loc[callers["ip_scope"].isin(_PUBLIC), "caller_ip"])
    for what, values in (("identities", ids), ("addresses", addresses)):
        if len(values) > _MOST:
            raise InputError(
                f"{len(values):,} {what} in these events, {_MOST:,} can be asked for. Hint: --hsm, or a shorter time."
            )
    return Only(hsms, tuple(ids), tuple(addresses), accounts).checked()
