"""One collection under way: blobs are listed, fetched by many threads, and taken into evidence by one."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..case import Case, Evidence, open_case, read_custody, record_custody, utc_now, write_manifest
from ..errors import EvidenceError
from ..evidence import by_content, evidence_id, receive
from . import _listing as listing
from ._download import Earlier, Fetched, fetch
from ._listing import Blob, Lead, Resources, Window
from ._patience import RefusedError, StoppedError
from ._stopping import Workers
from ._storage_result import Collected, Unreadable

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from azure.storage.blob import ContainerClient

    from ..ingest import Parts

WORKERS = 16  # requests at a time: each waits for the network, hardly for this machine
# Blobs, and bytes of blobs, that become evidence together: with one wait for the disk, and one entry in the chain of
# custody that says which blob is in which state.
TOGETHER, AT_MOST = 32, 64 << 20


class Run:
    """One collection while it goes on; `result` is what came of it until now."""

    def __init__(
        self, case: Case, client: ContainerClient, place: str, window: Window, parts: Parts, stop: Event | None
    ) -> None:
        self.result = Collected(case, window=window)
        self.case, self.client, self.place, self.window, self._parts = case, client, place, window, parts
        self._incoming = case.path / "evidence" / ".incoming"
        self._known = by_content(case.manifest.evidence)
        self._held = _held(case, place)
        self._workers, self._lock, self._over = Workers(WORKERS, stop), Lock(), Event()
        self._fetched = 0
        self._new: list[Evidence] = []
        self._arrived: list[Fetched] = []  # whole and on disk, not evidence yet

    def all(self, hsms: tuple[str, ...], *, include_vaults: bool) -> None:
        """Collect; after a stop, what is finished by then."""
        try:
            with self._workers:
                self._collect(hsms, include_vaults=include_vaults)
        except StoppedError:
            self._put(stopped=True)
        self._put(fetched_bytes=self._fetched)

    def _collect(self, hsms: tuple[str, ...], *, include_vaults: bool) -> None:
        found = listing.resources(self.client, self._workers)
        wanted = _wanted(found, hsms, self.place)
        every = [*wanted, *(found.vaults if include_vaults else ())]
        self._put(hsms=tuple(map(listing.name_of, wanted)), vaults_left=() if include_vaults else found.vaults)
        listed = [listing.blobs(self.client, resource, self.window, self._workers) for resource in every]
        blobs = [blob for some, _ in listed for blob in some]
        inside = [blob for blob in blobs if self.window.holds(listing.hour_of(blob.name))]
        others = (*found.others, *(name for _, odd in listed for name in odd))
        self._put(listed=len(blobs), outside=len(blobs) - len(inside), others=others)
        self._download(inside)
        leads, missing = self._leads(every)
        self._put(leads=(*leads, *self.result.leads), leads_missing=missing)

    def _put(self, **changes: Any) -> None:
        self.result = replace(self.result, **changes)

    def _leads(self, every: list[str]) -> tuple[list[Lead], str | None]:
        # Some accounts and logins may not list deleted blobs, or versions: that is no reason to fetch nothing.
        try:
            found = [listing.leads(self.client, name, self.window, self._workers) for name in every]
        except RefusedError as problem:
            return [], problem.reason
        return [lead for leads in found for lead in leads], None

    def _download(self, blobs: list[Blob]) -> None:
        stale = [blob for blob in blobs if not self._is_held(blob)]
        archived = [blob for blob in stale if (blob.tier or "").lower() == "archive"]
        online = [blob for blob in stale if blob not in archived]
        self._put(unchanged=len(blobs) - len(stale), unreadable=_archived(archived), left=len(online))
        self._parts.expect(sum(blob.size for blob in online))
        self._incoming.mkdir(parents=True, exist_ok=True)
        run = secrets.token_hex(4)  # a request of an earlier run, which was stopped, may still be ending
        jobs = {
            self._workers.submit(self._fetch, blob, self._incoming / f"{run}-{number}"): blob
            for number, blob in enumerate(online)
        }
        try:
            for job in self._workers.finished(jobs):
                self._take(jobs[job], job)
        finally:
            self._keep()
            self._drop(f"{run}-*")

    def _drop(self, late: str) -> None:
        """Throw away what nobody waits for any more, now and when it is whole."""
        self._over.set()
        for path in self._incoming.glob(late):
            with suppress(PermissionError):  # where a file that is written to can't be: who writes does it
                path.unlink(missing_ok=True)

    def _is_held(self, blob: Blob) -> bool:
        earlier = self._held.get(blob.name)
        return earlier is not None and (earlier.etag, earlier.size) == (blob.etag, blob.size)

    def _fetch(self, blob: Blob, target: Path) -> Fetched:
        got = fetch(self.client, blob, target, self._held.get(blob.name), self._workers.halt, self._tell)
        if self._over.is_set():
            target.unlink(missing_ok=True)
        return got

    def _tell(self, count: int) -> None:
        with self._lock:
            self._fetched += count

    def _take(self, blob: Blob, job: Future[Fetched]) -> None:
        """Account for a blob that was fetched, or could not be; in the thread that holds the case."""
        try:
            self._arrived.append(job.result())
        except RefusedError as problem:
            self._put(unreadable=(*self.result.unreadable, Unreadable(blob.name, problem.reason, problem.cure)))
            self._parts.forgo(blob.size)
        self._put(left=self.result.left - 1)
        if len(self._arrived) >= TOGETHER or sum(got.blob.size for got in self._arrived) >= AT_MOST:
            self._receive()

    def _receive(self) -> None:
        """Take what has arrived into evidence, and begin to derive its events."""
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        entries = receive(self.case, [(got.path, self._entry(got)) for got in arrived], self._known)
        self._new += (new := [entry for entry in entries if entry])
        # A blob of which this isn't written down is fetched again.
        record_custody(self.case.path, "downloaded", {"place": self.place, "blobs": list(map(_state, arrived))})
        for got, entry in zip(arrived, entries, strict=True):
            self._judge(got, entry)
        self._parts.take(new)

    def _judge(self, got: Fetched, entry: Evidence | None) -> None:
        """Say of a blob whether it is new, known, grown or replaced."""
        blob, earlier, before = got.blob, self._held.get(got.blob.name), self.result
        if got.md5_differs:
            detail = f"the service states {blob.md5}, the content has {got.md5}"
            self._put(leads=(*before.leads, Lead("content_md5_differs", blob.name, detail)))
        if entry is None:
            self._parts.forgo(blob.size)
        continued = earlier is None or got.start > 0 or got.sha256 == earlier.sha256
        self._put(
            new=(*before.new, *([entry] if entry else [])), known=before.known if entry else (*before.known, blob.name),
            grown=before.grown + (got.start > 0),
            replaced=before.replaced if continued else (*before.replaced, blob.name),
        )  # fmt: skip

    def _entry(self, got: Fetched) -> Evidence:
        blob = got.blob
        return Evidence(
            evidence_id=evidence_id(got.sha256), path=listing.local_path(*_local(self.place), blob.name),
            origin=f"{self.place}/{blob.name}", size=blob.size, sha256=got.sha256, acquired=utc_now(),
            modified=blob.modified, content_md5=blob.md5, etag=blob.etag,
        )  # fmt: skip

    def _keep(self) -> None:
        try:
            self._receive()
        finally:
            self._list()

    def _list(self) -> None:
        if self._new:
            manifest = open_case(self.case.path).manifest
            entries = sorted(self._new, key=lambda entry: entry.path)  # not as they happened to arrive
            write_manifest(self.case.path, replace(manifest, evidence=(*manifest.evidence, *entries)))


def _state(got: Fetched) -> dict[str, Any]:
    return {
        "blob": got.blob.name, "sha256": got.sha256, "size": got.blob.size, "etag": got.blob.etag,
        "created": got.blob.created, "fetched_from": got.start, "md5_differs": got.md5_differs,
    }  # fmt: skip


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


def _local(place: str) -> list[str]:
    """Folders of a container below evidence/: host, then the path; the port of a test server says nothing."""
    parts = urlsplit(place)
    return [str(parts.hostname), parts.path.strip("/")]
