"""The seal: derived tables, the manifest with the SHA-256 of each, and the SHA-256 of the manifest in the chain of custody.

Tables and manifest that are to count next wait in `.sealing`, complete. Its manifest is written last; from then on the
seal goes through, by this run or by the next writer's: tables in place, then the manifest, then the custody entry.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import schema
from ..errors import CaseError
from ._custody import read_custody, record_custody
from ._files import read_json, replace_text
from ._manifest import Manifest, manifest_of, read_manifest, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SEALED = "sealed"  # the action of the custody entry


def seal(folder: Path, manifest: Manifest, tables: Mapping[str, Path] | None = None) -> Manifest:
    """Make a manifest and tables that were derived anew count, and seal them. Nothing else writes a manifest.

    Parameters
    ----------
    folder
        The case; its lock is held.
    manifest
        What the case's evidence is from now on.
    tables
        New tables by their path in the case, each with where it waits on the same disk; it is moved.

    Returns
    -------
    The manifest as it was sealed: with the SHA-256 of every derived table.

    Raises
    ------
    OSError
        The case can't be written; what counted before still does, or the next writer finishes.
    """
    waiting, new = folder / ".sealing", {}
    shutil.rmtree(waiting, ignore_errors=True)
    for name, path in (tables or {}).items():
        new[name] = sha256_of(path)
        (waiting / name).parent.mkdir(parents=True, exist_ok=True)
        path.replace(waiting / name)
    waiting.mkdir(exist_ok=True)
    kept = {name: digest for name, digest in manifest.tables.items() if counts(manifest, name)}
    if not manifest.tables:  # a case that was made before there was a seal: as it is now
        kept = {name: sha256_of(folder / name) for name in derived(folder, manifest) if name not in new}
    manifest = replace(manifest, tables=dict(sorted((kept | new).items())))
    replace_text(waiting / "manifest.json", text_of(manifest))
    _go_through(folder)
    return manifest


def finish_seal(folder: Path) -> None:
    """Finish a seal that a killed run began, or undo what there is of it; the case's lock is held.

    Raises
    ------
    CaseError
        What waits is damaged, or the manifest was changed since it was sealed.
    """
    if (folder / ".sealing").exists():
        if pending(folder) is not None:
            _go_through(folder, recovered=True)
        shutil.rmtree(folder / ".sealing", ignore_errors=True)
    first, manifest = next(read_custody(folder), None), read_manifest(folder)
    if manifest.evidence and (first is None or first[0]["action"] != "created"):
        raise CaseError.damaged(folder / "custody.jsonl", "it does not begin with the case's creation")
    if not is_sealed(folder, manifest):
        raise CaseError.unsealed(folder / "manifest.json")


def pending(folder: Path) -> Manifest | None:
    """Return the manifest that a killed run left waiting, if all that it seals is there; None otherwise."""
    path = folder / ".sealing" / "manifest.json"
    try:
        after = manifest_of(path, read_json(path))
    except (FileNotFoundError, CaseError):
        return None
    before = read_manifest(folder).tables
    for name, digest in after.tables.items():
        there = (folder / ".sealing" / name, folder / name)
        if before.get(name) != digest and not any(p.is_file() and sha256_of(p) == digest for p in there):
            return None
    return after


def sealed_manifest(folder: Path) -> str | None:
    """SHA-256 of the manifest that was sealed last, by the chain of custody; None in a case without a seal."""
    newest = None
    for entry, _ in read_custody(folder):
        if entry["action"] == SEALED:
            newest = str(entry["detail"].get("manifest"))
    return newest


def is_sealed(folder: Path, manifest: Manifest) -> bool:
    """Whether the manifest is the one that was sealed last; true of a case that was made before there was a seal."""
    sealed = sealed_manifest(folder)
    return sealed == manifest_digest(folder) or (sealed is None and not manifest.tables)


def manifest_digest(folder: Path) -> str | None:
    """SHA-256 of the manifest as it is; None where there is none."""
    path = folder / "manifest.json"
    return sha256_of(path) if path.is_file() else None


def derived(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield the paths, in a case, of the derived tables that count and are there."""
    names = [f"events/{name}" for name in (*manifest.parts, *manifest.copies)]
    names += [f"{name}.parquet" for name in ("rejects", "witnesses", "again", "out_of_scope")]
    names += [f"context/{name}.parquet" for name in (*schema.CONTEXT, "places")]
    yield from (name for name in names if (folder / name).is_file())


def counts(manifest: Manifest, name: str) -> bool:
    """Whether a derived table counts: a part of the events does if it is listed."""
    place, _, part = name.rpartition("/")
    return place != "events" or part in {*manifest.parts, *manifest.copies}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _go_through(folder: Path, **more: bool) -> None:
    waiting = folder / ".sealing"
    path = waiting / "manifest.json"
    manifest = manifest_of(path, read_json(path))
    for name in manifest.tables:
        if (waiting / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            _remove_folder(folder / name)
            (waiting / name).replace(folder / name)
    replace_text(folder / "manifest.json", path.read_text("utf-8"))
    digest = manifest_digest(folder)
    if sealed_manifest(folder) != digest:
        record_custody(folder, SEALED, {"manifest": digest, "tables": len(manifest.tables), **more})
    for path in (folder / "events").glob("*.parquet"):  # what a rebuild has replaced
        if not counts(manifest, f"events/{path.name}"):
            _remove_folder(path)
            path.unlink(missing_ok=True)
    if "witnesses.parquet" in manifest.tables:  # what a case of before had in its place
        (folder / "duplicates.parquet").unlink(missing_ok=True)
    shutil.rmtree(waiting, ignore_errors=True)


def _remove_folder(path: Path) -> None:
    """Make room for a table where somebody put a folder."""
    if path.is_dir():
        shutil.rmtree(path)
