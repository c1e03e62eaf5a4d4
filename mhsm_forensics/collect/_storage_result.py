"""What came of a collection from a storage account."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ._listing import Lead, Window

if TYPE_CHECKING:
    from ..case import Case, Events, Evidence


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
    stopped: bool = False  # somebody asked to stop; the same collection, run again, goes on
    left: int = 0  # blobs that a stop left to the next run

    @property
    def complete(self) -> bool:
        """Whether every blob that was asked for is in the case."""
        return not self.unreadable and not self.stopped

    @property
    def fetched(self) -> int:
        """Blobs that were fetched, whole or the tail of them."""
        return self.listed - self.outside - self.unchanged - len(self.unreadable) - self.left

    @property
    def events(self) -> Events:
        """The events of the case within the times and managed HSMs asked for; whole blobs are in evidence."""
        return self.case.events.within(self.window.start, self.window.end, self.hsms)


def summary(result: Collected) -> dict[str, Any]:
    """What the chain of custody says of a collection that has ended."""
    names = (
        "unchanged",
        "known",
        "grown",
        "replaced",
        "listed",
        "outside",
        "left",
        "fetched_bytes",
        "hsms",
        "vaults_left",
    )
    counts = {name: getattr(result, name) for name in (*names, "others", "leads_missing", "complete")}
    unreadable = [asdict(item) for item in result.unreadable]
    kinds = dict(Counter(lead.kind for lead in result.leads))
    leads = [asdict(lead) for lead in result.leads]
    return counts | {"new": len(result.new), "unreadable": unreadable, "leads": leads, "lead_kinds": kinds}
