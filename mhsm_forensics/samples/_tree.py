"""The storage tree: lines delivered into the hourly blobs of a container, as late and as torn as in life."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ._acts import Act, after
from ._dice import Dice
from ._records import line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from ._cast import Resource

CONTAINER = "insights-logs-auditevent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line as it arrives in the container, minutes after the act, and the fate a loader owes it."""

    received: datetime
    act: Act
    text: str
    fate: str = "event"

    @property
    def blob(self) -> str:
        """The blob that is open at that hour: named by the hour of arrival, not by the hour of the act."""
        return blob_name(self.act.resource, self.received)


def blob_name(resource: Resource, hour: datetime) -> str:
    """Return the path of a resource's blob of that hour, relative to the container's parent."""
    return f"{CONTAINER}/resourceId={resource.resource_id.upper()}/{hour:y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"


def deliver(acts: Iterable[Act], *, until: datetime) -> list[Delivery]:
    """Return the lines in order of arrival, two to nine minutes after the act; none arrives after *until*."""
    deliveries = []
    for act in acts:
        delay = Dice("delay", act.resource.name, act.time).between(120, 540)
        fate = "event" if act.resource.kind == "managedHSMs" else "out_of_scope"
        deliveries.append(Delivery(after(act.time, delay), act, line(act), fate))
    return sorted((one for one in deliveries if one.received < until), key=lambda one: one.received)


def held_back(deliveries: list[Delivery], *, every: int, hours: int, before: datetime) -> list[Delivery]:
    """Return the deliveries with one in *every* stuck on its way for some hours, if it was sent *before*."""
    return sorted(
        (
            replace(one, received=one.received + timedelta(hours=1 + number % hours))
            if number % every == every - 1 and one.received < before
            else one
            for number, one in enumerate(deliveries)
        ),
        key=lambda one: one.received,
    )


def delivered_twice(deliveries: list[Delivery], resource: Resource, start: datetime, count: int) -> list[Delivery]:
    """Return the deliveries, *count* lines of a resource from *start* on sent again two hours later."""
    batch = [one for one in deliveries if one.act.resource == resource and one.received >= start][:count]
    again = [replace(one, received=one.received + timedelta(hours=2), fate="duplicate") for one in batch]
    return sorted(deliveries + again, key=lambda one: one.received)


def torn(deliveries: list[Delivery]) -> list[Delivery]:
    """Return the deliveries with the very last line still being written when the copy was made."""
    *whole, last = deliveries
    return [*whole, replace(last, text=last.text[: len(last.text) * 3 // 5], fate="reject")]


def with_blank_lines(deliveries: list[Delivery], *numbers: int) -> list[Delivery]:
    """Return the deliveries with an empty line after each of those numbers."""
    blanks = [replace(deliveries[number], text="", fate="blank") for number in numbers]
    return sorted(deliveries + blanks, key=lambda one: one.received)


def blobs(deliveries: list[Delivery]) -> dict[str, bytes]:
    """Return the content of every blob by its path; a torn line is the one that has no newline."""
    contents: dict[str, bytes] = {}
    for one in deliveries:
        end = "" if one.fate == "reject" else "\n"
        contents[one.blob] = contents.get(one.blob, b"") + (one.text + end).encode()
    return contents


def save(files: dict[str, bytes], folder: Path) -> None:
    """Write every file to its path below *folder*."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
