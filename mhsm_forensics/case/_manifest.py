"""What the evidence of a case is, and what became of every line of it: one file, replaced as one step."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..errors import CaseError

if TYPE_CHECKING:
    from pathlib import Path

FATES = ("event", "duplicate", "out_of_scope", "blank", "reject")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One evidence file, or one member of an archive that is an evidence file.

    `fates` is None until its lines have been accounted for.
    """

    evidence_id: str
    path: str  # below evidence/, or absolute where the evidence is only referenced
    origin: str
    size: int
    sha256: str
    acquired: str
    modified: str | None = None
    member: str | None = None  # path inside a zip archive
    in_place: bool = False
    content_md5: str | None = None
    etag: str | None = None
    route: str | None = None
    fates: dict[str, int] | None = None
    first_time: str | None = None
    last_time: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every evidence file of a case, and the Parquet parts that were derived from them.

    `copies` are parts of records that came by another route before: events too, and not counted again.
    """

    evidence: tuple[Evidence, ...] = ()
    parts: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Read what the case's evidence is; an empty manifest for a new case."""
    try:
        found = json.loads((folder / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()
    except ValueError as problem:
        raise CaseError(f"{folder / 'manifest.json'}: damaged ({problem}). Hint: restore it from a copy.") from None
    evidence = tuple(Evidence(**entry) for entry in found["evidence"])
    return Manifest(evidence, tuple(found["parts"]), tuple(found.get("copies", ())))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step: this is the moment at which a load counts."""
    found = {"evidence": [asdict(entry) for entry in manifest.evidence], "parts": list(manifest.parts),
             "copies": list(manifest.copies)}  # fmt: skip
    replace_text(folder / "manifest.json", json.dumps(found, indent=1, ensure_ascii=False))


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, and a crash leaves one of them."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
