"""The case folder: what is known about a case, kept so that it can be proved later.

`manifest.json` says what the evidence is and what became of every line; it is replaced as one step, so a
case is always in the state before or after a load, never between. `custody.jsonl` only grows, and each
entry holds the SHA-256 of the one before.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, reduce
from importlib.metadata import PackageNotFoundError, version
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from . import schema
from .errors import CaseError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

FORMAT = 1
FATES = ("event", "duplicate", "out_of_scope", "blank", "reject")

try:
    TOOL = f"mhsm-forensics {version('mhsm-forensics')}"
except PackageNotFoundError:  # run from a checkout that was never installed
    TOOL = "mhsm-forensics (not installed)"


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
    """Every evidence file of a case, and the Parquet parts that were derived from them."""

    evidence: tuple[Evidence, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Events:
    """The events of a case, or those of a window, read only when asked for."""

    paths: tuple[Path, ...]
    start: datetime | None = None  # included
    end: datetime | None = None  # not included
    hsms: tuple[str, ...] = ()  # none named: all

    def within(self, start: datetime | None = None, end: datetime | None = None, hsms: Iterable[str] = ()) -> Events:
        """Return the events from *start* up to and without *end*, of these managed HSMs.

        Raises
        ------
        InputError
            A time names no zone.
        """
        for moment in (start, end):
            if moment is not None and moment.tzinfo is None:
                raise InputError.naive_time(moment.isoformat())
        return replace(self, start=start, end=end, hsms=tuple(hsm.lower() for hsm in hsms))

    def df(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the events as a pandas DataFrame, in the order of time; one row per event.

        Parameters
        ----------
        columns
            Only these columns of the events table; default all.
        """
        wanted = columns or list(schema.EVENT_NAMES)
        order = [(name, "ascending") for name in ("t", "event_id")]
        table = _read(self.paths, schema.EVENTS, list(dict.fromkeys([*wanted, "t", "event_id"])), self._filter())
        return schema.to_pandas(table.sort_by(order).select(wanted))

    def __len__(self) -> int:
        """Count the events without reading them."""
        dataset = ds.dataset([str(path) for path in self.paths], format="parquet") if self.paths else None
        return dataset.count_rows(filter=self._filter()) if dataset is not None else 0

    def _filter(self) -> ds.Expression | None:
        tests = [ds.field("t") >= microseconds(self.start)] if self.start else []
        tests += [ds.field("t") < microseconds(self.end)] if self.end else []
        tests += [ds.field("hsm").isin(self.hsms)] if self.hsms else []
        return reduce(and_, tests) if tests else None


@dataclass(frozen=True)
class Case:
    """A case folder, opened. Hand `case.events` to the questions in `analyse` and `detect`."""

    path: Path
    name: str
    created: str
    display_zone: str | None = None
    t0: datetime | None = None
    manifest: Manifest = field(default_factory=Manifest, repr=False)

    @property
    def events(self) -> Events:
        """The events table; `case.events.df()` gives a DataFrame."""
        return Events(tuple(self.path / "events" / part for part in self.manifest.parts))

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Lines that are no event, with the reason and the bytes; columns of `schema.REJECTS`."""
        return schema.to_pandas(self.derived("rejects", schema.REJECTS))

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Records that came more than once, each with the event it equals; columns of `schema.DUPLICATES`."""
        return schema.to_pandas(self.derived("duplicates", schema.DUPLICATES))

    @cached_property
    def out_of_scope(self) -> pd.DataFrame:
        """Records of other resources in the same evidence (key vaults, say); columns of events."""
        return schema.to_pandas(self.derived("out_of_scope", schema.EVENTS))

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Every evidence file with its SHA-256 and its lines by fate; one row per file or archive member."""
        rows = [asdict(entry) | (entry.fates or dict.fromkeys(FATES)) for entry in self.manifest.evidence]
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

    def derived(self, name: str, columns: tuple[schema.Column, ...]) -> pa.Table:
        """Read a derived table, without rows of a load that never came to its end."""
        path = self.path / f"{name}.parquet"
        table = _read((path,) if path.exists() else (), columns, [column.name for column in columns])
        loaded = pa.array([entry.evidence_id for entry in self.manifest.evidence if entry.fates], pa.string())
        return table.filter(pa.compute.is_in(table["evidence_id"], loaded))

    def evidence_path(self, entry: Evidence) -> Path:
        """Where the bytes of an evidence file are."""
        return Path(entry.path) if entry.in_place else self.path / "evidence" / entry.path


def create_case(path: Path | str, *, name: str | None = None, display_zone: str | None = None) -> Case:
    """Return a new, empty case in the folder *path*.

    Raises
    ------
    CaseError
        The folder can't be written, or holds a case already.
    """
    folder = Path(path)
    if (folder / "case.json").exists():
        raise CaseError(f"{folder}: holds a case already. Hint: add to it, or choose another folder.")
    about = {
        "format": FORMAT, "name": name or folder.resolve().name, "created": utc_now(), "tool": TOOL,
        "display_zone": display_zone, "t0": None,
    }  # fmt: skip
    try:
        for part in ("evidence", "events", "reports"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        replace_text(folder / "case.json", json.dumps(about, indent=2))
    except OSError as problem:
        raise CaseError.unwritable(folder, problem) from problem
    record_custody(folder, "created", {"name": about["name"]})
    return open_case(folder)


def open_case(path: Path | str) -> Case:
    """Return the case in the folder *path*.

    Raises
    ------
    CaseError
        There is no case, or a newer version made it.
    """
    folder = Path(path)
    try:
        about = json.loads((folder / "case.json").read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CaseError.not_a_case(folder) from None
    except (OSError, ValueError) as problem:
        raise CaseError(f"{folder / 'case.json'}: can't be read ({problem}). Hint: restore it from a copy.") from None
    if about.get("format", 0) > FORMAT:
        raise CaseError.newer(folder, about["format"], FORMAT)
    t0 = datetime.fromisoformat(about["t0"]) if about.get("t0") else None
    return Case(folder, about["name"], about["created"], about.get("display_zone"), t0, read_manifest(folder))


def read_manifest(folder: Path) -> Manifest:
    """Read what the case's evidence is; an empty manifest for a new case."""
    try:
        found = json.loads((folder / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()
    except ValueError as problem:
        raise CaseError(f"{folder / 'manifest.json'}: damaged ({problem}). Hint: restore it from a copy.") from None
    return Manifest(tuple(Evidence(**entry) for entry in found["evidence"]), tuple(found["parts"]))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step: this is the moment at which a load counts."""
    found = {"evidence": [asdict(entry) for entry in manifest.evidence], "parts": list(manifest.parts)}
    replace_text(folder / "manifest.json", json.dumps(found, indent=1, ensure_ascii=False))


def record_custody(folder: Path, action: str, detail: dict[str, Any]) -> None:
    """Append one entry to the chain of custody; on disk when this returns."""
    path = folder / "custody.jsonl"
    try:
        newest, torn = _end_of(path)
        if torn:
            os.truncate(path, path.stat().st_size - len(torn))
            record_custody(folder, "recovered", {"torn_entry": torn.decode("utf-8", "replace")})
            newest, _ = _end_of(path)
        entry = {
            "seq": json.loads(newest)["seq"] + 1 if newest else 1, "time": utc_now(), "action": action, "by": _who(),
            "tool": TOOL, "detail": detail, "previous": hashlib.sha256(newest).hexdigest() if newest else "0" * 64,
        }  # fmt: skip
        with path.open("ab") as log:
            log.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as problem:
        raise CaseError.unwritable(path, problem) from problem


def _end_of(path: Path, *, window: int = 1 << 16) -> tuple[bytes, bytes]:
    """Newest entry of the custody log, and what a killed process left of an unfinished one."""
    if not path.exists():
        return b"", b""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - window, 0))
        whole, newline, torn = log.read().rpartition(b"\n")
    if window < size and b"\n" not in whole:  # an entry longer than the window
        return _end_of(path, window=window * 16)
    return (whole.rpartition(b"\n")[2], torn) if newline else (b"", torn)


def read_custody(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every custody entry with the SHA-256 of its line."""
    path = folder / "custody.jsonl"
    for line in path.read_bytes().splitlines() if path.exists() else ():
        yield json.loads(line), hashlib.sha256(line).hexdigest()


def verify(case: Case) -> list[str]:
    """Name everything that is not as it was acquired; an empty list if all is.

    Every evidence file is hashed again and compared with the manifest and with the custody entry of its
    acquisition; the custody chain is recomputed; files that nobody added are named.
    """
    problems = [*_evidence_problems(case), *_custody_problems(case), *_part_problems(case)]
    record_custody(case.path, "verified", {"files": len(_files(case)), "problems": problems})
    return problems


def _evidence_problems(case: Case) -> Iterator[str]:
    for entry in _files(case):
        path = case.evidence_path(entry)
        if not path.is_file():
            yield f"missing: {path}"
        elif sha256_of(path) != entry.sha256:
            yield f"changed: {path} (was SHA-256 {entry.sha256})"
    known = {case.evidence_path(entry) for entry in case.manifest.evidence}
    for path in sorted((case.path / "evidence").rglob("*")):
        if path.is_file() and path not in known:
            yield f"not added by this tool: {path}"


def _custody_problems(case: Case) -> Iterator[str]:
    previous, added = "0" * 64, {}
    try:
        for entry, digest in read_custody(case.path):
            if entry["previous"] != previous:
                yield f"custody chain broken before entry {entry['seq']}"
            previous = digest
            if entry["action"] == "added":
                added[entry["detail"]["evidence_id"]] = entry["detail"]["sha256"]
    except (ValueError, KeyError) as problem:
        yield f"custody.jsonl: an entry can't be read ({problem})"
    for evidence in case.manifest.evidence:
        if added.get(evidence.evidence_id) != evidence.sha256:
            yield f"manifest and custody disagree on {evidence.evidence_id} ({evidence.path})"


def _part_problems(case: Case) -> Iterator[str]:
    missing = [path for path in case.events.paths if not path.is_file()]
    yield from (f"missing: {path}. Hint: rebuild" for path in missing)
    counted = int(case.accounting["event"].iloc[0])
    if not missing and len(case.events) != counted:
        yield f"events hold {len(case.events):,} rows, the accounting says {counted:,}. Hint: rebuild"


def _files(case: Case) -> list[Evidence]:
    """Evidence that is a file of its own: members of an archive are proved by the archive."""
    return [entry for entry in case.manifest.evidence if entry.member is None]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def utc_now() -> str:
    """Return the present time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time: what the column `t` holds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, and a crash leaves one of them."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read(
    paths: tuple[Path, ...], columns: tuple[schema.Column, ...], names: list[str], only: ds.Expression | None = None
) -> pa.Table:
    wanted = schema.arrow_schema(columns)
    if not paths:
        return wanted.empty_table().select(names)
    return ds.dataset([str(path) for path in paths], schema=wanted, format="parquet").to_table(
        columns=names, filter=only
    )


def _evidence_schema(names: list[str]) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {"size": pa.int64(), "in_place": pa.bool_()}
    return pa.schema([(n, kinds.get(n, pa.string())) for n in names] + [(fate, pa.int64()) for fate in FATES])


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):  # a container without a user database
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
