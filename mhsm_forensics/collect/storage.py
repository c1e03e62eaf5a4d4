"""A storage container → evidence in a case: complete, verbatim, or a precise statement of what is missing.

A diagnostic setting writes one append blob an hour and resource. Each is downloaded to a temporary file beside
the evidence, hashed, noted in the chain of custody and only then put under its name, so that a process killed at
any moment leaves something that the next run goes on with.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient, ExponentialRetry
from requests.utils import get_environ_proxies

from .. import ingest
from ..case import Case, open_case, record_custody, utc_text
from ..errors import EvidenceError, InputError
from ._listing import Lead, Window
from ._patience import RefusedError
from ._storage_result import Collected, Unreadable, summary
from ._storage_run import WORKERS, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from threading import Event

__all__ = ["CONTAINER", "Collected", "Lead", "Unreadable", "collect"]

CONTAINER = "insights-logs-auditevent"
_LOCAL = {"localhost", "127.0.0.1", "::1"}


def collect(
    case: Case, account_url: str, *, container: str = CONTAINER, start: datetime | None = None,
    end: datetime | None = None, hsms: Iterable[str] = (), credential: Any, include_vaults: bool = False,
    progress: Callable[[int, int], None] | None = None, stop: Event | None = None,
) -> Collected:  # fmt: skip
    """Take the audit logs of a storage account into a case as evidence, and derive their events.

    Run it again to go on after an interruption, or to fetch what has come since: only that is fetched.

    Parameters
    ----------
    case
        The case.
    account_url
        Address of the account's blob service, such as ``https://contosologs.blob.core.windows.net``.
    container
        The container that the diagnostic setting writes to.
    start, end
        Times of events, `start` included and `end` not. A record is filed under the hour in which it was
        received, so blobs from one hour before to 48 hours after are fetched.
    hsms
        Names of managed HSMs; none means all that log to the container.
    credential
        From `collect.login`, or anything that azure-storage-blob takes.
    include_vaults
        Fetch the logs of key vaults in the same container, too; their records are out of scope.
    progress
        Called with the bytes that are done, and those there are; events are derived while more is still fetched.
    stop
        Set it, from another thread, to end early: requests under way have about two seconds, what is whole is kept and
        its events derived, and the result is `stopped`. Run it again to go on.

    Returns
    -------
    What is new, what was left, and what could not be read; `complete` says whether the latter is nothing.

    Raises
    ------
    EvidenceError
        The container can't be listed, or holds no log of these managed HSMs; nothing was added.
    InputError
        A time names no zone, or the address can't be used.
    CaseError
        The case can't be written, or another process is writing it; what was added before is kept.
    """
    window, place = _window(start, end), _place(account_url, container)
    about = {"place": place, "from": _text(start), "to": _text(end)}
    names = tuple(hsms)
    with (
        ingest.writing(open_case(case.path)) as case,
        _client(account_url, container, credential) as client,
        ingest.deriving(case, progress) as parts,
    ):
        run = Run(case, client, place, window, parts, stop)
        parts.take(entry for entry in case.manifest.evidence if entry.fates is None)
        record_custody(case.path, "collecting", about | {"hsms": sorted(names), "include_vaults": include_vaults})
        try:
            run.all(names, include_vaults=include_vaults)
        except RefusedError as problem:
            raise EvidenceError(f"{place}: {problem}") from None
        got = run.result
        record_custody(case.path, "collection stopped" if got.stopped else "collected", about | summary(got))
        derived = ingest.publish(open_case(case.path), parts) if parts.any else open_case(case.path)
    brought = {entry.evidence_id for entry in got.new}
    return replace(got, case=derived, new=tuple(e for e in derived.manifest.evidence if e.evidence_id in brought))


def _window(start: datetime | None, end: datetime | None) -> Window:
    for moment in (start, end):
        if moment is not None and moment.tzinfo is None:
            raise InputError.naive_time(moment.isoformat())
    if start is not None and end is not None and start >= end:
        raise InputError(f"{_text(start)} up to {_text(end)}: holds no time. Hint: --from is before --to.")
    return Window(start, end)


def _place(account_url: str, container: str) -> str:
    """Address of the container, without what may be a secret."""
    parts = urlsplit(account_url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError(
            "the account's address must not hold a signature: shells and logs keep it. Hint: --login sas asks for it."
        )
    if parts.scheme not in ("https", "http") or not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc):
        raise InputError(f"{account_url!r}: no address. Hint: write https://ACCOUNT.blob.core.windows.net.")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise InputError(f"{account_url!r}: not encrypted. Hint: write https://{parts.netloc}.")
    if not re.fullmatch(r"\$?[a-z0-9][a-z0-9-]{1,62}", container):
        raise InputError(f"{container!r}: no name of a container. Hint: the default is {CONTAINER}.")
    return f"{account_url.rstrip('/')}/{container}"


@contextmanager
def _client(account_url: str, container: str, credential: Any) -> Iterator[ContainerClient]:
    # What the environment says of proxies and certificates is read once, not at each of thousands of requests.
    trusted = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    transport = RequestsTransport(
        connection_timeout=20, read_timeout=60, connection_verify=trusted, use_env_settings=False
    )
    transport.open()
    transport.session.proxies.update(get_environ_proxies(account_url))
    # The default is 10 connections; the others would open a new one each time.
    for adapter in transport.session.adapters.values():
        adapter.init_poolmanager(WORKERS, WORKERS)
    options: dict[str, Any] = {"transport": transport, "retry_policy": ExponentialRetry(retry_total=0)}
    with ContainerClient(account_url, container, credential=credential, **options) as client:
        yield client


def _text(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None
