"""The case folder: what is known about a case, kept so that it can be proved later.

`manifest.json` says what the evidence is and what became of every line; it is replaced as one step, so a
case is always in the state before or after a load, never between. `custody.jsonl` only grows, and each
entry holds the SHA-256 of the one before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from filelock import FileLock, Timeout

from .. import schema
from ..errors import CaseError, InputError
from ._about import FORMAT, RESHAPED, read_about, reshape, write_about
from ._custody import TOOL, head, read_custody, record_custody, recorded, utc_now, utc_text
from ._events import Events, microseconds
from ._files import checked, is_list_of, is_text, read_json, replace_text, require_own_files, within
from ._manifest import FATES, Evidence, Manifest, PassedOver, evidence_of, read_manifest
from ._notes import Notes
from ._scope import Scope, read_scope, write_scope
from ._seal import finish_seal, seal, sealed_manifest, sha256_of
from ._tables import damage, read_tables, require_columns
from ._unchanged import require_unchanged
from ._unfinished import unfinished
from ._verify import Verification, check, record_verification, verify
from ._witnesses import SAID, events_of, fates_in, ids_in, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pandas as pd

__all__ = [
    "FATES",
    "FORMAT",
    "RESHAPED",
    "SAID",
    "TOOL",
    "Case",
    "Events",
    "Evidence",
    "Manifest",
    "Notes",
    "PassedOver",
    "Scope",
    "Verification",
    "check",
    "checked",
    "create_case",
    "damage",
    "evidence_of",
    "fates_in",
    "finish_seal",
    "head",
    "is_list_of",
    "is_occupied",
    "is_text",
    "microseconds",
    "open_case",
    "place_of",
    "read_custody",
    "read_json",
    "read_manifest",
    "read_tables",
    "record_custody",
    "record_verification",
    "recorded",
    "replace_text",
    "require_columns",
    "require_unchanged",
    "reshape",
    "seal",
    "sha256_of",
    "utc_now",
    "utc_text",
    "verify",
    "within",
]  # fmt: skip

_PARTS = ("evidence", "events", "reports")


@dataclass(frozen=True)
class Case:
    """A case folder, opened. Hand `case.events` to the questions in `analyse` and `detect`."""

    path: Path
    name: str
    created: str
    display_zone: str | None = None
    manifest: Manifest = field(default_factory=Manifest, repr=False)
    format: int = FORMAT

    @property
    def is_of_before(self) -> bool:
        """Whether an earlier version made it, and it has another shape: `ingest.rebuild` brings it to this one."""
        return self.format < FORMAT

    @property
    def of_before(self) -> str:
        """One line that says so."""
        return (
            "an earlier version made this case: it is shown as that version left it, and routes are not compared. "
            f"'mhsm-forensics rebuild {self.path}' brings it to the present shape"
        )

    @property
    def events(self) -> Events:
        """The events table; `case.events.df()` gives a DataFrame.

        A request is one event, however many records say it: by several routes, in several files, in other bytes. The event
        has the values of the record that says most; all of them are in `witnesses`.
        """
        path = self.table_path("witnesses")
        return Events(self._parts(self.manifest.parts), (path,) if path.exists() and not self.is_of_before else ())

    @cached_property
    def witnesses(self) -> pd.DataFrame:
        """Every record with the event that it says, and how; columns of `schema.WITNESSES`, by event."""
        table = self.derived("witnesses", schema.WITNESSES)
        return schema.to_pandas(
            table.sort_by([(name, "ascending") for name in ("event_id", "evidence_id", "source_offset", "witness_id")])
        )

    def events_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the event of each of some ids: its own, or that of the witness that it is; others are missing."""
        return events_of(self.events, list(ids))

    @property
    def routes(self) -> tuple[str, ...]:
        """How the events of the case came, as `route` names it: two or more can be compared."""
        told = {name for entry in self.manifest.evidence for name in (entry.route or "").split(", ")}
        return tuple(name for name in schema.ROUTES if name in told)

    @property
    def hsms(self) -> tuple[str, ...]:
        """Names of the managed HSMs of which the case has events, or records of the control plane."""
        named = self.derived("activity", schema.CONTEXT["activity"])["hsm"].unique().to_pylist()
        return tuple(sorted({*self.events.hsms, *filter(None, named)}))

    def having_hsms(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return names of managed HSMs as the case has them, in lower case.

        Raises
        ------
        InputError
            The case has none of such a name.
        """
        wanted = tuple(dict.fromkeys(name.strip().lower() for name in names))
        known = self.hsms if wanted else ()
        for name in wanted:
            if name not in known:
                raise InputError.no_such_hsm(name, known)
        return wanted

    def _parts(self, names: Iterable[str]) -> tuple[Path, ...]:
        return tuple(self.path / "events" / name for name in names)

    @property
    def t0(self) -> datetime | None:
        """The moment of suspected compromise, if a note says so."""
        return self.notes.moment_of_compromise

    @property
    def scope(self) -> Scope:
        """What part of the case is looked at, as every notebook reads it; the whole case until somebody says otherwise."""
        return read_scope(self.path)

    def look_at(self, scope: Scope) -> None:
        """Keep another scope in the case: notebooks, widgets and the next person find it there.

        Raises
        ------
        InputError
            The scope names a managed HSM that is not in the case.
        CaseError
            The case can't be written.
        """
        self.having_hsms(scope.hsms)
        write_scope(self.path, scope)

    @property
    def scoped(self) -> Events:
        """The events of the scope."""
        return self.events.of(self.scope)

    @property
    def notes(self) -> Notes:
        """The analyst's record: `case.notes.tag(event_ids, "exfil")`, `.comment`, `.hypothesis`, `.answer`, `.df()`."""
        return Notes(self.path, self._having, self.events_of)

    @property
    def unfinished(self) -> list[str]:
        """Collections whose evidence is incomplete, and why; none where every one came to its end."""
        return unfinished(self.path)

    def _having(self, ids: list[str]) -> set[str]:
        """Which of some ids are records of this case, events first."""
        found = ids_in(self.events.paths, ids)
        if found >= set(ids):
            return found
        found |= ids_in(self.events.witnesses, ids, "witness_id") | ids_in(self._parts(self.manifest.copies), ids)
        return found | ids_in(map(self.table_path, ("rejects", "out_of_scope", *schema.CONTEXT)), ids)

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Lines that are no event, with the reason and the bytes; columns of `schema.REJECTS`."""
        return schema.to_pandas(self.derived("rejects", schema.REJECTS))

    @cached_property
    def out_of_scope(self) -> pd.DataFrame:
        """Records of other resources in the same evidence (key vaults, say); columns of events."""
        return schema.to_pandas(self.derived("out_of_scope", schema.EVENTS))

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Every evidence file with its SHA-256 and its lines by fate; one row per file or archive member."""
        rows = [
            asdict(entry)
            | (dict.fromkeys(FATES) if entry.fates is None else dict.fromkeys(FATES, 0) | entry.fates)
            | {"position": ".".join(map(str, entry.position)) or None}
            for entry in self.manifest.evidence
        ]
        names = [name for name in Evidence.__slots__ if name != "fates"]
        frame = schema.to_pandas(pa.Table.from_pylist(rows, schema=_evidence_schema(names)))
        return frame.astype({"acquired": "datetime64[us, UTC]"})

    @cached_property
    def accounting(self) -> pd.DataFrame:
        """Lines by fate, and their sum; one row."""
        counts = {fate: sum((e.fates or {}).get(fate, 0) for e in self.manifest.evidence) for fate in FATES}
        return schema.to_pandas(pa.Table.from_pylist([counts | {"lines": sum(counts.values())}]))

    @property
    def custody(self) -> pd.DataFrame:
        """The chain of custody; columns seq, time, action, by, tool, detail, sha256; one row per entry."""
        rows = [
            {**{key: entry[key] for key in ("seq", "time", "action", "by", "tool")},
             "detail": json.dumps(entry["detail"], ensure_ascii=False), "sha256": digest}
            for entry, digest in read_custody(self.path)
        ]  # fmt: skip
        kinds = [("seq", pa.int64())] + [(n, pa.string()) for n in ("time", "action", "by", "tool", "detail", "sha256")]
        frame = schema.to_pandas(pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
        return frame.astype({"time": "datetime64[us, UTC]"})

    def context(self, name: str) -> pd.DataFrame:
        """Records of another log or of a list that say more about people and keys; columns of `schema.CONTEXT`.

        Parameters
        ----------
        name
            `activity` (the control plane), `signins`, `blob_requests` (of the storage that backups go to); and the lists
            `identities`, `role_assignments` and `address_ranges`.

        Raises
        ------
        InputError
            There is no such table.
        """
        if name not in schema.CONTEXT:
            raise InputError(f"{name!r}: no context table. Hint: one of {', '.join(schema.CONTEXT)}.")
        table = self.derived(name, schema.CONTEXT[name])
        order = [(column, "ascending") for column in ("t", "event_id") if column in table.column_names]
        return schema.to_pandas(table.sort_by(order))

    def table_path(self, name: str) -> Path:
        """Where a derived table other than the events is."""
        folder = self.path / "context" if name in schema.CONTEXT else self.path
        return folder / f"{name}.parquet"

    def derived(self, name: str, columns: tuple[schema.Column, ...]) -> pa.Table:
        """Read a derived table, without rows of a load that never came to its end."""
        path = self.table_path(name)
        table = read_tables((path,) if path.exists() else (), columns, [column.name for column in columns])
        loaded = pa.array([entry.evidence_id for entry in self.manifest.evidence if entry.fates], pa.string())
        return table.filter(pa.compute.is_in(table["evidence_id"], loaded))

    def evidence_path(self, entry: Evidence) -> Path:
        """Where the bytes of an evidence file are.

        Raises
        ------
        CaseError
            A link on the way there leads out of the case.
        """
        return Path(entry.path) if entry.in_place else within(self.path / "evidence", entry.path)


def create_case(path: Path | str, *, name: str | None = None, display_zone: str | None = None) -> Case:
    """Return a new, empty case in the folder *path*.

    Raises
    ------
    CaseError
        The folder can't be written, holds a case already, or holds anything else.
    """
    folder = Path(path)
    if is_occupied(folder):
        raise CaseError.not_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        require_own_files(folder)
        with FileLock(folder / ".lock", timeout=0):
            if (folder / "case.json").exists():
                raise CaseError(f"{folder}: holds a case already. Hint: add to it, or choose another folder.")
            for part in _PARTS:
                (folder / part).mkdir(exist_ok=True)
            about = write_about(folder, name=name or folder.resolve().name, display_zone=display_zone)
            record_custody(folder, "created", about)
    except Timeout:
        raise CaseError(f"{folder}: another process is making a case there. Hint: try again.") from None
    except OSError as problem:
        raise CaseError.unwritable(folder, problem) from problem
    return open_case(folder)


def is_occupied(folder: Path) -> bool:
    """Whether something other than a case is there: a file, or a folder with files of somebody else."""
    if not folder.is_dir():
        return folder.exists()
    if (folder / "case.json").exists():
        return False
    try:
        return any(not _is_nobodys(path) for path in folder.iterdir())
    except OSError as problem:
        raise CaseError.unwritable(folder, problem) from problem


def _is_nobodys(path: Path) -> bool:
    """What a desktop or git leaves in an empty folder, and what a run that was killed at its very start does."""
    if path.name in _PARTS and path.is_dir():
        return not any(path.iterdir())
    return path.name in {".DS_Store", ".gitkeep", "Thumbs.db", "desktop.ini", ".lock"}


def open_case(path: Path | str) -> Case:
    """Return the case in the folder *path*.

    Raises
    ------
    CaseError
        There is no case, a newer version made it, a file of it is damaged, or something in it leads out of it.
    """
    folder = Path(path)
    if not (folder / "case.json").is_file():
        raise CaseError.not_a_case(folder)
    require_own_files(folder)
    about, manifest = read_about(folder), read_manifest(folder)
    if not (folder / "manifest.json").exists() and sealed_manifest(folder) is not None:
        raise CaseError.damaged(folder / "manifest.json", "it is missing")
    made = about.get("format") or 1
    return Case(folder, about["name"], about["created"], about.get("display_zone"), manifest, made)


def _evidence_schema(names: list[str]) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {"size": pa.int64(), "in_place": pa.bool_()}
    return pa.schema([(n, kinds.get(n, pa.string())) for n in names] + [(fate, pa.int64()) for fate in FATES])
