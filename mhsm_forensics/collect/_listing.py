"""What is in the container: which managed HSMs, which hours, and what else an investigator should know of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..case import utc_text
from ._patience import patiently

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from azure.storage.blob import ContainerClient

# The hour in a blob's name is the hour in which the record was received: records of an event come into the blob of
# the hour before at the turn of an hour, and up to two days late.
EARLY, LATE = timedelta(hours=1), timedelta(hours=48)

_MOST_DAYS = 62  # beyond, one flat listing takes fewer requests than a listing a day

_LEVELS = ("SUBSCRIPTIONS", None, "RESOURCEGROUPS", None, "PROVIDERS", "MICROSOFT.KEYVAULT")
_HOUR = re.compile(r"y=(\d{4})/m=(\d\d)/d=(\d\d)/h=(\d\d)/m=(\d\d)/PT\w+\.json(?:\.gz)?", re.IGNORECASE)
_FOLDER = re.compile(r"(?:[ymdh]=\d+/?)*")  # an account with directories lists these as blobs, too


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as it was when it was listed; `etag` without quotes, whichever request it came from."""

    name: str
    etag: str
    size: int
    created: str | None
    modified: str | None
    appended: bool
    md5: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """Something about a blob that isn't in the evidence and may say more: an earlier state, or a deleted blob."""

    kind: str  # snapshot, version, deleted, content_md5_differs
    blob: str
    detail: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Prefixes in the container, without the last slash, of the resources that log there."""

    hsms: tuple[str, ...]
    vaults: tuple[str, ...]
    others: tuple[str, ...]  # of other services, and names that no resource id has


@dataclass(frozen=True, slots=True)
class Window:
    """Event times asked for; `start` included, `end` not; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, hour: datetime | None) -> bool:
        """Whether the blob of an hour can hold an event of this window; true if the hour can't be told."""
        if hour is None:
            return True
        after = self.start is None or hour + timedelta(hours=1) > self.start - EARLY
        return after and (self.end is None or hour < self.end + LATE)

    def prefixes(self, resource: str) -> list[str]:
        """Return what to list of a resource: its days, or all of it if the days are too many, or not known."""
        if self.start is None:
            return [f"{resource}/"]
        first = (self.start - EARLY).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        latest = datetime.now(UTC) + timedelta(days=1)  # the account's clock may be ahead
        last = min(self.end + LATE, latest) if self.end else latest
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [f"{resource}/y={day:%Y/m=%m/d=%d}/" for day in days] if len(days) <= _MOST_DAYS else [f"{resource}/"]


def name_of(prefix: str) -> str:
    """Name of the managed HSM or vault that a prefix belongs to, lower case.

    >>> name_of("resourceId=/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO")
    'contoso'
    """
    return prefix.rpartition("/")[2].lower()


def resources(container: ContainerClient, pool: Executor) -> Resources:
    """Find who logs to the container by walking the levels of a resource id, and no deeper.

    Raises
    ------
    RefusedError
        The container can't be listed.
    """
    [below] = pool.map(partial(_below, container), [""])
    found = [p for p in below if p.lower() == "resourceid=/"]
    others = [p for p in below if p.lower() != "resourceid=/"]
    for level in _LEVELS:
        below = [name for names in pool.map(partial(_below, container), found) for name in names]
        found = [p for p in below if _is_level(p, level)]
        others += [p for p in below if not _is_level(p, level)]
    kinds = [name for names in pool.map(partial(_below, container), found) for name in names]
    ours = {kind: [p for p in kinds if name_of(p[:-1]) == kind] for kind in ("managedhsms", "vaults")}
    others += [p for p in kinds if name_of(p[:-1]) not in ours]
    named = {kind: [p for ps in pool.map(partial(_below, container), ours[kind]) for p in ps] for kind in ours}
    others += [p for ps in named.values() for p in ps if not _is_level(p, None)]
    kept = {kind: tuple(sorted(p[:-1] for p in ps if _is_level(p, None))) for kind, ps in named.items()}
    return Resources(kept["managedhsms"], kept["vaults"], tuple(sorted(others)))


def _is_level(prefix: str, expected: str | None) -> bool:
    # A segment of dots is a folder to whatever handles the address on its way: it would name another blob.
    name = prefix[:-1].rpartition("/")[2]
    return name.upper() == expected if expected else bool(name.strip("."))


def _below(container: ContainerClient, prefix: str) -> list[str]:
    return [item.name for item in _items(container.walk_blobs, prefix, delimiter="/") if item.name.endswith("/")]


def blobs(container: ContainerClient, resource: str, window: Window, pool: Executor) -> tuple[list[Blob], list[str]]:
    """List the log blobs of a resource, and the names of what is no log.

    Raises
    ------
    RefusedError
        The container can't be listed.
    """
    every = pool.map(partial(_listed, container), window.prefixes(resource))
    listed = [(item, item.name[len(resource) + 1 :]) for items in every for item in items]
    odd = [item.name for item, rest in listed if not _HOUR.fullmatch(rest) and not _FOLDER.fullmatch(rest)]
    return [_blob(item) for item, rest in listed if _HOUR.fullmatch(rest)], odd


def leads(container: ContainerClient, resource: str, window: Window, pool: Executor) -> list[Lead]:
    """List earlier states of the blobs of a resource, and deleted ones, where the account keeps them.

    Raises
    ------
    RefusedError
        The account does not let this login list them.
    """
    every = pool.map(
        partial(_listed, container, include=["snapshots", "versions", "deleted"]), window.prefixes(resource)
    )
    return [lead for items in every for item in items if (lead := _lead(item)) is not None]


def hour_of(name: str) -> datetime | None:
    """Return the hour in the name of a log blob; None if it is no time."""
    found = _HOUR.search(name)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[misc, arg-type]
    except ValueError:
        return None


def properties(container: ContainerClient, name: str) -> Blob:
    """Return a blob as it is now."""
    return _blob(patiently(container.get_blob_client(name).get_blob_properties))


def local_path(*parts: str) -> str:
    r"""Path below evidence/ for a blob: its own, with every character that some disk takes for something else escaped.

    Different blobs have different paths, and none is outside.

    >>> local_path("a.blob.core.windows.net", "logs", "resourceId=/X/..\\..\\etc/../CON:/y=2026/PT1H.json")
    'a.blob.core.windows.net/logs/resourceId=/X/..%5C..%5Cetc/%2E%2E/CON%3A/y=2026/PT1H.json'
    """
    return "/".join(_segment(segment) for part in parts for segment in part.split("/"))


def _segment(text: str) -> str:
    safe = quote(text, safe="=-_.~ ()@+,", errors="surrogatepass")
    if not safe.strip(". "):
        return safe.replace(".", "%2E").replace(" ", "%20") or "%"
    if safe[-1] in ". ":  # some disks drop it in silence
        safe = f"{safe[:-1]}%{ord(safe[-1]):02X}"
    return safe


def _listed(container: ContainerClient, prefix: str, include: list[str] | None = None) -> list[Any]:
    return list(_items(container.list_blobs, prefix, include=include))


def _items(listing: Any, prefix: str, **options: Any) -> Iterator[Any]:
    """Yield what a listing holds; a page that fails is asked for again, not the whole listing."""
    token: str | None = None
    while True:
        items, token = patiently(partial(_page, listing, prefix, token, options))
        yield from items
        if not token:
            return


def _page(listing: Any, prefix: str, token: str | None, options: dict[str, Any]) -> tuple[list[Any], str | None]:
    pages = listing(name_starts_with=prefix, **options).by_page(token)
    return list(next(pages, ())), pages.continuation_token


def _blob(item: Any) -> Blob:
    md5 = item.content_settings.content_md5
    return Blob(
        name=item.name,
        etag=(item.etag or "").strip('"'),
        size=item.size or 0,
        created=_iso(item.creation_time),
        modified=_iso(item.last_modified),
        appended=str(getattr(item.blob_type, "value", item.blob_type)) == "AppendBlob",
        md5=bytes(md5).hex() if md5 else None,
        tier=str(getattr(item.blob_tier, "value", item.blob_tier)) if item.blob_tier else None,
    )


def _lead(item: Any) -> Lead | None:
    when = _iso(item.last_modified)
    if item.deleted:
        return Lead("deleted", item.name, f"{item.size or 0:,} bytes, deleted {_iso(item.deleted_time)}")
    if item.snapshot:
        return Lead("snapshot", item.name, f"{item.snapshot}, {item.size or 0:,} bytes, modified {when}")
    if item.version_id and not item.is_current_version:
        return Lead("version", item.name, f"{item.version_id}, {item.size or 0:,} bytes, modified {when}")
    return None


def _iso(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None
