"""A storage container → evidence in a case: complete, verbatim, or a precise statement of what is missing.

A diagnostic setting writes one append blob an hour and resource. Each is downloaded to a temporary file beside
the evidence, hashed, noted in the chain of custody and only then put under its name, so that a process killed at
any moment leaves something that the next run goes on with.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient, ExponentialRetry

from .. import ingest
from ..case import Case, Evidence, open_case, read_custody, record_custody, utc_now, write_manifest
from ..errors import EvidenceError, InputError
from ..evidence import receive
from . import _listing as listing
from ._download import Earlier, Fetched, fetch
from ._listing import Blob, Lead, Resources, Window
from ._patience import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ..case import Events

    Progress = Callable[[int, int], None]

__all__ = ["CONTAINER", "Collected", "Lead", "Unreadable", "collect", "unfinished"]

CONTAINER = "insights-logs-auditevent"
WORKERS = 16  # requests at a time: each waits for the network, hardly for this machine
NOTED = 32  # blobs of one entry in the chain of custody that says which blob is in which state

_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A blob that is there and could not be read."""

    blob: str
    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection brought, and what it left."""

    case: Case
    new: tuple[Evidence, ...] = ()
    unchanged: int = 0  # blobs that the case had, and that were not fetched again
    known: tuple[str, ...] = ()  # blobs that were fetched and whose bytes the case had, from elsewhere
    grown: int = 0  # new evidence of which only the tail was fetched
    replaced: tuple[str, ...] = ()  # blobs that are no continuation of the evidence under the same name; both are kept
    unreadable: tuple[Unreadable, ...] = ()
    listed: int = 0
    outside: int = 0  # listed and not fetched: their hour can't hold an event of the window
    fetched_bytes: int = 0
    hsms: tuple[str, ...] = ()
    vaults_left: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # prefixes and blobs that are no audit log of a managed HSM or key vault
    leads: tuple[Lead, ...] = ()
    leads_missing: str | None = None  # why earlier states and deleted blobs could not be listed
    window: Window = field(default_factory=Window)

    @property
    def complete(self) -> bool:
        """Whether every blob that was asked for is in the case."""
        return not self.unreadable

    @property
    def events(self) -> Events:
        """The events of the case within the times and managed HSMs asked for; whole blobs are in evidence."""
        return self.case.events.within(self.window.start, self.window.end, self.hsms)


def collect(
    case: Case, account_url: str, *, container: str = CONTAINER, start: datetime | None = None,
    end: datetime | None = None, hsms: Iterable[str] = (), credential: Any, include_vaults: bool = False,
    progress: Progress | None = None,
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
        Called with the bytes that are done, and those there are.

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
    window = _window(start, end)
    with ingest.writing(open_case(case.path)) as case, _client(account_url, container, credential) as client:
        run = _Run(case, client, _place(account_url, container), window, progress)
        record_custody(case.path, "collecting", run.about | {"hsms": sorted(hsms), "include_vaults": include_vaults})
        try:
            collected = run.all(tuple(hsms), include_vaults=include_vaults)
        except RefusedError as problem:
            raise EvidenceError(f"{run.place}: {problem}") from None
    derived = ingest.add(open_case(case.path), (), progress=run.deriving).case
    brought = {entry.evidence_id for entry in collected.new}
    new = tuple(entry for entry in derived.manifest.evidence if entry.evidence_id in brought)
    return replace(collected, case=derived, new=new)


def unfinished(case: Case) -> list[str]:
    """Name the collections whose evidence is incomplete: those that ended with unreadable blobs, or never ended.

    A later collection from the same place with the same times replaces an earlier one.
    """
    state: dict[str, str] = {}
    for entry, _ in read_custody(case.path):
        about = entry["detail"]
        if entry["action"] == "collecting":
            state[_what(about)] = "it was interrupted"
        elif entry["action"] == "collected" and about["complete"]:
            state.pop(_what(about), None)
        elif entry["action"] == "collected":
            state[_what(about)] = f"{len(about['unreadable']):,} of {about['listed']:,} blobs could not be read"
    return [f"{what}: {why}" for what, why in state.items()]


def _what(about: dict[str, Any]) -> str:
    times = f", {about['from'] or 'the beginning'} up to {about['to'] or 'now'}"
    return f"{about['place']}{times if about['from'] or about['to'] else ''}"


class _Run:
    """One collection while it goes on."""

    def __init__(
        self, case: Case, client: ContainerClient, place: str, window: Window, progress: Progress | None
    ) -> None:
        self.case, self.client, self.place, self.window, self._progress = case, client, place, window, progress
        self._incoming = case.path / "evidence" / ".incoming"
        self._known = {entry.sha256: entry for entry in case.manifest.evidence}
        self._held = _held(case, place)
        self._stop, self._lock = Event(), Lock()
        self._done = self._total = self._fetched = 0
        self._new: list[Evidence] = []
        self._facts: list[dict[str, Any]] = []
        self.about = {"place": place, "from": _text(window.start), "to": _text(window.end)}

    def all(self, hsms: tuple[str, ...], *, include_vaults: bool) -> Collected:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="collect") as pool:
            found = listing.resources(self.client, pool)
            wanted = _wanted(found, hsms, self.place)
            every = [*wanted, *(found.vaults if include_vaults else ())]
            listed = [listing.blobs(self.client, resource, self.window, pool) for resource in every]
            blobs = [blob for some, _ in listed for blob in some]
            inside = [blob for blob in blobs if self.window.holds(listing.hour_of(blob.name))]
            result = self._download(inside, pool)
            leads, missing = self._leads(every, pool)
        result = replace(
            result, listed=len(blobs), outside=len(blobs) - len(inside), window=self.window,
            hsms=tuple(map(listing.name_of, wanted)), vaults_left=() if include_vaults else found.vaults,
            others=(*found.others, *(name for _, odd in listed for name in odd)),
            leads=(*leads, *result.leads), leads_missing=missing, fetched_bytes=self._fetched,
        )  # fmt: skip
        record_custody(self.case.path, "collected", self.about | _summary(result))
        return result

    def deriving(self, done: int, total: int) -> None:
        """Report progress: taking the bytes in is half of it."""
        if self._progress:
            self._progress(self._total + self._total * done // max(total, 1), 2 * self._total)

    def _leads(self, every: list[str], pool: ThreadPoolExecutor) -> tuple[list[Lead], str | None]:
        # Some accounts and logins may not list deleted blobs, or versions: that is no reason to fetch nothing.
        try:
            return [lead for name in every for lead in listing.leads(self.client, name, self.window, pool)], None
        except RefusedError as problem:
            return [], problem.reason

    def _download(self, blobs: list[Blob], pool: ThreadPoolExecutor) -> Collected:
        stale = [blob for blob in blobs if not self._is_held(blob)]
        archived = [blob for blob in stale if (blob.tier or "").lower() == "archive"]
        online = [blob for blob in stale if blob not in archived]
        self._total = sum(blob.size for blob in online)
        self._incoming.mkdir(parents=True, exist_ok=True)
        result = Collected(self.case, unchanged=len(blobs) - len(stale), unreadable=_archived(archived))
        jobs = {pool.submit(self._fetch, blob, self._incoming / f"{n}.download"): blob for n, blob in enumerate(online)}
        try:
            for job in as_completed(jobs):
                result = self._taken(result, jobs[job], job)
        except BaseException:  # Ctrl-C, or a full disk: what runs ends after its present request
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            self._keep()
        return result

    def _is_held(self, blob: Blob) -> bool:
        earlier = self._held.get(blob.name)
        return earlier is not None and (earlier.etag, earlier.size) == (blob.etag, blob.size)

    def _fetch(self, blob: Blob, target: Path) -> Fetched:
        return fetch(self.client, blob, target, self._held.get(blob.name), self._stop, self._tell)

    def _tell(self, count: int) -> None:
        with self._lock:
            self._fetched += count

    def _taken(self, result: Collected, blob: Blob, job: Future[Fetched]) -> Collected:
        """Take a blob that is on disk into evidence; one at a time, in the thread that holds the case."""
        try:
            got = job.result()
        except RefusedError as problem:
            refused = Unreadable(blob.name, problem.reason, problem.cure)
            result = replace(result, unreadable=(*result.unreadable, refused))
        else:
            result = self._received(result, got)
        self._done += blob.size
        if self._progress:
            self._progress(self._done, 2 * self._total)
        return result

    def _received(self, result: Collected, got: Fetched) -> Collected:
        blob, earlier = got.blob, self._held.get(got.blob.name)
        self._facts.append({
            "blob": blob.name, "sha256": got.sha256, "size": blob.size, "etag": blob.etag, "created": blob.created,
            "fetched_from": got.start, "md5_differs": got.md5_differs,
        })  # fmt: skip
        new = receive(self.case, got.path, self._entry(got), self._known)
        self._new += new
        if len(self._facts) >= NOTED:
            self._note()
        if got.md5_differs:
            detail = f"the service states {blob.md5}, the content has {got.md5}"
            result = replace(result, leads=(*result.leads, Lead("content_md5_differs", blob.name, detail)))
        continued = earlier is None or got.start > 0 or got.sha256 == earlier.sha256
        return replace(
            result, new=(*result.new, *new), known=result.known if new else (*result.known, blob.name),
            grown=result.grown + (got.start > 0),
            replaced=result.replaced if continued else (*result.replaced, blob.name),
        )  # fmt: skip

    def _entry(self, got: Fetched) -> Evidence:
        blob = got.blob
        return Evidence(
            evidence_id=got.sha256[:12], path=listing.local_path(*_local(self.place), blob.name),
            origin=f"{self.place}/{blob.name}", size=blob.size, sha256=got.sha256, acquired=utc_now(),
            modified=blob.modified, content_md5=blob.md5, etag=blob.etag,
        )  # fmt: skip

    def _note(self) -> None:
        """Write down which blob the evidence is of, and in which state; a blob without that is fetched again."""
        if self._facts:
            record_custody(self.case.path, "downloaded", {"place": self.place, "blobs": self._facts})
            self._facts = []

    def _keep(self) -> None:
        self._note()
        if self._new:
            manifest = open_case(self.case.path).manifest
            entries = sorted(self._new, key=lambda entry: entry.path)  # not as they happened to arrive
            write_manifest(self.case.path, replace(manifest, evidence=(*manifest.evidence, *entries)))


def _held(case: Case, place: str) -> dict[str, Earlier]:
    """What the case has of which blob, from the chain of custody; the newest of each."""
    entries = {entry.sha256: entry for entry in case.manifest.evidence}
    held = {}
    for entry, _ in read_custody(case.path):
        if entry["action"] != "downloaded" or entry["detail"]["place"] != place:
            continue
        for about in entry["detail"]["blobs"]:
            if about["sha256"] in entries:
                path = case.evidence_path(entries[about["sha256"]])
                held[about["blob"]] = Earlier(path, about["size"], about["sha256"], about["etag"], about["created"])
    return held


def _wanted(found: Resources, hsms: tuple[str, ...], place: str) -> list[str]:
    names = {listing.name_of(resource) for resource in found.hsms}
    missing = sorted({hsm.lower() for hsm in hsms} - names)
    if missing or not names:
        what = f"no log of {', '.join(missing)}" if missing else "no log of a managed HSM"
        there = [f"managed HSMs {', '.join(sorted(names))}"] if names else []
        there += [f"key vaults {', '.join(sorted(map(listing.name_of, found.vaults)))}"] if found.vaults else []
        raise EvidenceError(
            f"{place}: {what}; it holds {' and '.join(there) or 'nothing of a managed HSM or key vault'}. "
            "Hint: check the name and --container, and that a diagnostic setting of the HSM names this account."
        )
    wanted = {hsm.lower() for hsm in hsms} or names
    return [resource for resource in found.hsms if listing.name_of(resource) in wanted]


def _archived(blobs: list[Blob]) -> tuple[Unreadable, ...]:
    cure = "move it to an online tier (az storage blob set-tier --tier Hot; hours), then run the same command again"
    return tuple(Unreadable(blob.name, "archived", cure) for blob in blobs)


def _summary(result: Collected) -> dict[str, Any]:
    names = ("unchanged", "known", "grown", "replaced", "listed", "outside", "fetched_bytes", "hsms", "vaults_left")
    counts = {name: getattr(result, name) for name in (*names, "others", "leads_missing", "complete")}
    unreadable = [asdict(item) for item in result.unreadable]
    kinds = dict(Counter(lead.kind for lead in result.leads))
    leads = [asdict(lead) for lead in result.leads]
    return counts | {"new": len(result.new), "unreadable": unreadable, "leads": leads, "lead_kinds": kinds}


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
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InputError(f"{account_url!r}: no address. Hint: write https://ACCOUNT.blob.core.windows.net.")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise InputError(f"{account_url!r}: not encrypted. Hint: write https://{parts.netloc}.")
    if not re.fullmatch(r"\$?[a-z0-9][a-z0-9-]{1,62}", container):
        raise InputError(f"{container!r}: no name of a container. Hint: the default is {CONTAINER}.")
    return f"{account_url.rstrip('/')}/{container}"


def _local(place: str) -> list[str]:
    """Folders of a container below evidence/: host, then the path; the port of a test server says nothing."""
    parts = urlsplit(place)
    return [str(parts.hostname), parts.path.strip("/")]


@contextmanager
def _client(account_url: str, container: str, credential: Any) -> Iterator[ContainerClient]:
    _place(account_url, container)  # before anything is sent
    transport = RequestsTransport(connection_timeout=20, read_timeout=60)
    transport.open()
    for (
        adapter
    ) in transport.session.adapters.values():  # the default is 10 connections, the others open a new one each time
        adapter.init_poolmanager(WORKERS, WORKERS)
    options: dict[str, Any] = {"transport": transport, "retry_policy": ExponentialRetry(retry_total=0)}
    with ContainerClient(account_url, container, credential=credential, **options) as client:
        yield client


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
