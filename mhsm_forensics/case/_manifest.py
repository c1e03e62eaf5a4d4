"""What the evidence of a case is, and what became of every line of it: one file, replaced as one step."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from ._files import (
    checked,
    is_count,
    is_hash,
    is_inner_path,
    is_list_of,
    is_moment,
    is_name,
    is_outer_path,
    is_text,
    or_none,
    read_json,
)

if TYPE_CHECKING:
    from pathlib import Path

FATES = ("event", "witness", "duplicate", "out_of_scope", "blank", "reject")


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

    `passed_over` is what was handed over beside the evidence. `tables` has the SHA-256 of every derived table by its path in
    the case. `copies`, of a case of before, are parts of records that came by another route too.
    """

    evidence: tuple[Evidence, ...] = ()
    parts: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    tables: dict[str, str] = field(default_factory=dict)
    copies: tuple[str, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Read what the case's evidence is; an empty manifest for a new case.

    Raises
    ------
    CaseError
        It is damaged, or names a path that no manifest of this tool would: one outside the case, say.
    """
    path = folder / "manifest.json"
    try:
        return manifest_of(path, read_json(path))
    except FileNotFoundError:
        return Manifest()


def manifest_of(path: Path, found: Any) -> Manifest:
    """Return the manifest that a file holds, each field checked.

    Raises
    ------
    CaseError
        A field is not what it should be.
    """
    found = checked(path, "the manifest", found, _MANIFEST)
    return Manifest(
        tuple(evidence_of(path, entry) for entry in found["evidence"]),
        tuple(found["parts"]),
        tuple(_passed_over(path, entry) for entry in found.get("passed_over") or ()),
        found.get("tables") or {},
        tuple(found.get("copies") or ()),
    )


def evidence_of(path: Path, found: Any) -> Evidence:
    """Return the evidence that an entry of the manifest, or of the chain of custody, tells of.

    Raises
    ------
    CaseError
        A field is not what it should be: the path leads out of the case, say.
    """
    about = checked(path, "an evidence file", found, _EVIDENCE)
    whole = is_outer_path if about.get("in_place") else is_inner_path
    if not whole(about["path"]):
        raise CaseError.damaged(
            path, f"evidence {about['evidence_id']} is at {about['path']!r}, which is not in the case"
        )
    return Evidence(
        **{**about, "position": tuple(about.get("position") or ()), "in_place": bool(about.get("in_place"))}
    )


def text_of(manifest: Manifest) -> str:
    """Return a manifest as it is written: the same manifest is the same text."""
    said = asdict(manifest)
    if not manifest.copies:
        del said["copies"]
    return json.dumps(said, indent=1, ensure_ascii=False)


def _passed_over(path: Path, found: Any) -> PassedOver:
    return PassedOver(**checked(path, "a file that was passed over", found, _PASSED_OVER))


def _is_fates(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= set(FATES) and all(map(is_count, value.values()))


def _is_tables(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_table(name) and is_hash(value[name]) for name in value)


def _is_table(name: str) -> bool:
    place, _, file = name.rpartition("/")
    return place in ("", "events", "context") and is_name(file) and file.endswith(".parquet")


_IS_TEXT_OR_NONE = or_none(is_text)
_EVIDENCE = {
    **dict.fromkeys((field.name for field in fields(Evidence)), _IS_TEXT_OR_NONE),
    "evidence_id": is_name, "path": is_text, "origin": is_text, "size": is_count, "sha256": is_hash,
    "acquired": is_moment, "position": or_none(is_list_of(is_count)), "fates": or_none(_is_fates),
    "in_place": lambda value: value in (None, False, True),
}  # fmt: skip
_PASSED_OVER = {
    **dict.fromkeys(("name", "kind", "reason", "origin"), is_text), "hint": _IS_TEXT_OR_NONE,
}  # fmt: skip
_MANIFEST = {
    "evidence": lambda value: isinstance(value, list),
    "parts": is_list_of(is_name),
    "copies": or_none(is_list_of(is_name)),
    "passed_over": or_none(lambda value: isinstance(value, list)),
    "tables": or_none(_is_tables),
}
