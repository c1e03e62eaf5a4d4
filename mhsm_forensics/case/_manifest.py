"""What the evidence of a case is, and what became of every line of it: one file, replaced as one step."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import CaseError

if TYPE_CHECKING:
    from pathlib import Path

FATES = ("event", "duplicate", "out_of_scope", "blank", "reject")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One evidence file, or one member of an archive that is an evidence file.

    `fates` is None until its lines have been accounted for. A member is known by its `position`: how many members stand
    before it in its archive, for each archive around it from the outside in; its name is only for people.
    """

    evidence_id: str
    path: str  # below evidence/, or absolute where the evidence is only referenced
    origin: str
    size: int
    sha256: str
    acquired: str
    modified: str | None = None
    member: str | None = None  # its path inside its archive; those of archives in archives are joined by !
    position: tuple[int, ...] = ()  # empty: the file itself
    in_place: bool = False
    content_md5: str | None = None
    etag: str | None = None
    route: str | None = None
    fates: dict[str, int] | None = None
    first_time: str | None = None
    last_time: str | None = None
    note: str | None = None
    form: str | None = None  # how its records were written, and what they were taken out of
    unreadable: str | None = None  # why it, or the rest of it, can't be read
    dates: str | None = None  # what the responder said of its dates: day-first, month-first
    times_in: str | None = None  # the zone that the responder gave its times without one


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file, or a member of an archive, that was handed over and is no evidence, and why.

    `kind` is ``left out`` (no log), ``refused`` (a form that is not read) or ``unreadable``.
    """

    name: str
    kind: str
    reason: str
    origin: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every evidence file of a case, and the Parquet parts that were derived from them.

    `copies` are parts of records that came by another route before: events too, and not counted again. `passed_over` is
    what was handed over beside the evidence. `tables` has the SHA-256 of every derived table by its path in the case.
    """

    evidence: tuple[Evidence, ...] = ()
    parts: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    tables: dict[str, str] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Read what the case's evidence is; an empty manifest for a new case."""
    try:
        found = json.loads((folder / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()
    except ValueError as problem:
        raise CaseError(f"{folder / 'manifest.json'}: damaged ({problem}). Hint: restore it from a copy.") from None
    evidence = tuple(_evidence(entry) for entry in found["evidence"])
    passed_over = tuple(PassedOver(**entry) for entry in found.get("passed_over", ()))
    return Manifest(
        evidence, tuple(found["parts"]), tuple(found.get("copies", ())), passed_over, found.get("tables", {})
    )


def _evidence(entry: dict[str, Any]) -> Evidence:
    return Evidence(**{**entry, "position": tuple(entry.get("position", ()))})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step: this is the moment at which a load counts."""
    replace_text(folder / "manifest.json", json.dumps(asdict(manifest), indent=1, ensure_ascii=False))


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, and a crash leaves one of them."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
