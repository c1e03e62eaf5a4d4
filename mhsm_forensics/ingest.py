"""Evidence into a case, and a case's events out of its evidence: the whole way, accounted and resumable.

Nothing counts before the manifest is replaced, in one step, at the end. A run that was killed leaves
evidence that the next run finishes and parts that it throws away.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from . import engine, schema
from .case import FATES, Case, Evidence, Manifest, create_case, open_case, record_custody, replace_text, write_manifest
from .errors import CaseError, EvidenceError
from .evidence import acquire, blocks, find, recover
from .load import Batch, records
from .normalise import Normalised, Run, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import duckdb
    import pandas as pd

    Progress = Callable[[str, int, int], None]

_TABLES = {"events": schema.EVENTS, "out_of_scope": schema.EVENTS, "rejects": schema.REJECTS}
_UNIQUE = {"event_id", "record_id", "time_text", "correlation_id", "record_digest", "t", "time", "raw"}
_ROWS = 1 << 16  # rows of a row group, and records held at once
_REJECTS = 1024  # rejects held at once: each may be 64 KB
_PART = 256 << 20  # bytes of evidence in one part
_ALONE = 32 << 20  # below this, a second process costs more than it gives


@dataclass(frozen=True, slots=True)
class Added:
    """What an `add` did."""

    case: Case
    new: tuple[Evidence, ...] = ()
    known: tuple[str, ...] = ()  # files whose bytes the case had already
    left_out: tuple[str, ...] = ()  # files that are no log
    resumed: tuple[str, ...] = ()  # paths of an earlier run that was interrupted

    @property
    def fates(self) -> dict[str, int]:
        """Lines of the new evidence by fate."""
        return _sum_fates(self.new)


@dataclass(slots=True)
class _Loaded:
    """What one file gave, before duplicates are known."""

    evidence: Evidence
    events: int = 0
    out_of_scope: int = 0
    rejects: int = 0
    blank: int = 0
    first: int | None = None
    last: int | None = None
    routes: set[str] = field(default_factory=set)
    torn: str | None = None


def add(
    case: Case, paths: Iterable[Path | str], *, in_place: bool = False, progress: Progress | None = None
) -> Added:
    """Take files and folders into a case as evidence, and derive their events.

    Parameters
    ----------
    case
        The case.
    paths
        Files, folders, ``.gz`` and ``.zip``; in any of the containers that audit logs come in.
    in_place
        Reference the files where they are instead of copying them; they are hashed all the same.
    progress
        Called with a stage (``"copy"``, ``"load"``), and bytes done and in all.

    Returns
    -------
    What was new, what the case had already and what is no log. Evidence that the case has already, byte
    for byte and under whatever name, changes nothing.

    Raises
    ------
    EvidenceError
        A path does not exist or holds no audit log; nothing was added.
    CaseError
        The case can't be written, or another process is writing it; what was added before is kept.
    """
    wanted = [Path(path) for path in paths]
    found = find(wanted)
    with _writing(case) as case:
        resumed = _interrupted(case, wanted)
        sources = found.sources + (find(resumed).sources if resumed else ())
        known = {entry.sha256: entry for entry in case.manifest.evidence}
        unfinished = tuple(entry for entry in case.manifest.evidence if entry.fates is None)
        _note_work(case, [*wanted, *resumed], in_place=in_place)
        total, done = sum(source.path.stat().st_size for source in sources), 0
        new, had = list(unfinished), []
        for source in sources:
            entries = acquire(case, source, known, in_place=in_place)
            new += entries
            had += [] if entries else [source.relative]
            done += source.path.stat().st_size
            _tell(progress, "copy", done, total)
        if new:
            evidence = (*(e for e in case.manifest.evidence if e not in unfinished), *new)
            write_manifest(case.path, replace(case.manifest, evidence=evidence))
            case = _load(open_case(case.path), progress)
        (case.path / ".adding.json").unlink(missing_ok=True)
    ids = {entry.evidence_id for entry in new}
    return Added(case, tuple(e for e in case.manifest.evidence if e.evidence_id in ids), tuple(had), found.left_out,
                 tuple(map(str, resumed)))  # fmt: skip


def rebuild(case: Case, *, progress: Progress | None = None) -> Case:
    """Derive the events of a case again from its evidence; ids and accounting come out the same.

    Raises
    ------
    EvidenceError
        Evidence is missing; nothing was changed.
    """
    with _writing(case) as case:
        for entry in case.manifest.evidence:
            if not case.evidence_path(entry).is_file():
                raise EvidenceError(f"{case.evidence_path(entry)}: evidence is missing. Hint: verify names all that is.")
        bare = tuple(replace(entry, fates=None) for entry in case.manifest.evidence)
        return _load(replace(case, manifest=Manifest(bare)), progress)


def load_events(paths: Path | str | Iterable[Path | str]) -> pd.DataFrame:
    """Return the events in some files as a DataFrame, without making a case.

    Returns
    -------
    The events table (`docs/schema.md`), one row per event, in the order of time. ``attrs["accounting"]``
    has the lines by fate; ``attrs["rejects"]`` how many lines were rejected for which reason.

    Raises
    ------
    EvidenceError
        A path does not exist or holds no audit log.
    """
    wanted = [paths] if isinstance(paths, (str, Path)) else list(paths)
    with tempfile.TemporaryDirectory(prefix="mhsm-") as folder:
        added = add(create_case(Path(folder) / "case"), wanted, in_place=True)
        frame = added.case.events.df()
        frame.attrs["accounting"] = added.fates
        frame.attrs["rejects"] = added.case.rejects["reason"].value_counts().to_dict()
    return frame


@contextmanager
def _writing(case: Case) -> Iterator[Case]:
    """Hold the case's lock, with what an earlier run left finished or thrown away."""
    try:
        with FileLock(case.path / ".lock", timeout=0):
            for leftover in ("events/.staging", ".scratch"):
                shutil.rmtree(case.path / leftover, ignore_errors=True)
            recover(case)
            yield open_case(case.path)
    except Timeout:
        raise CaseError(f"{case.path}: another process is writing this case. Hint: wait until it ends.") from None
    except (OSError, pa.ArrowException) as problem:
        raise CaseError.unwritable(case.path, _as_os_error(problem)) from problem


def _note_work(case: Case, paths: list[Path], *, in_place: bool) -> None:
    about = {"paths": [str(path.resolve()) for path in paths], "in_place": in_place}
    replace_text(case.path / ".adding.json", json.dumps(about))


def _interrupted(case: Case, wanted: list[Path]) -> list[Path]:
    """Paths of a run that never came to its end and that are still there."""
    note = case.path / ".adding.json"
    if not note.exists():
        return []
    paths = [Path(path) for path in json.loads(note.read_text("utf-8"))["paths"]]
    return [path for path in paths if path.exists() and path not in {w.resolve() for w in wanted}]


def _load(case: Case, progress: Progress | None) -> Case:
    """Derive the events of all evidence that has none yet, and make it count."""
    waiting = [entry for entry in case.manifest.evidence if entry.fates is None]
    archives = {entry.path for entry in waiting if entry.member is not None}
    files = [entry for entry in waiting if entry.member is not None or entry.path not in archives]
    staging = case.path / "events" / ".staging"
    staging.mkdir(parents=True, exist_ok=True)
    loaded = _in_parallel(case, _parts_of(files), staging, progress)
    parts, again = _settle_duplicates(case, staging)
    done = {item.evidence.evidence_id: _accounted(item, again) for item in loaded}
    nothing = dict.fromkeys(FATES, 0)
    evidence = tuple(
        done.get(e.evidence_id) or (e if e.fates is not None else replace(e, fates=nothing, note=_archive_note(e, files)))
        for e in case.manifest.evidence
    )
    _publish(case, staging, parts, Manifest(evidence, (*case.manifest.parts, *parts)))
    totals = _sum_fates(entry for entry in evidence if entry.evidence_id in done)
    record_custody(case.path, "loaded", {"files": len(files), "lines": totals, "parts": list(parts)})
    return open_case(case.path)


def _parts_of(files: list[Evidence]) -> list[list[Evidence]]:
    """Deal the evidence, in its order, into parts of some size."""
    parts: list[list[Evidence]] = []
    size = _PART
    for entry in files:
        if size + entry.size > _PART // (1 if len(files) == 1 else 4):
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry.size
    return parts


def _in_parallel(case: Case, parts: list[list[Evidence]], staging: Path, progress: Progress | None) -> list[_Loaded]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    jobs = [
        (staging, f"{stamp}-{number:05d}", [(entry, case.evidence_path(entry)) for entry in part])
        for number, part in enumerate(parts)
    ]
    total, done, loaded = sum(entry.size for part in parts for entry in part), 0, []
    for result in _run(jobs, total):
        loaded += result
        done += sum(item.evidence.size for item in result)
        _tell(progress, "load", done, total)
    return loaded


def _run(jobs: list[Any], total: int) -> Iterator[list[_Loaded]]:
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2 or total < _ALONE:
        yield from (load_part(*job) for job in jobs)
        return
    from loky import get_reusable_executor  # noqa: PLC0415 - half a second that small input need not wait for

    executor = get_reusable_executor(max_workers=workers)
    try:
        yield from executor.map(load_part, *zip(*jobs, strict=True))
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise


def load_part(staging: Path, name: str, files: list[tuple[Evidence, Path]]) -> list[_Loaded]:
    """Write the events, rejects and records out of scope of some files as one part."""
    loaded = {entry.evidence_id: _Loaded(entry) for entry, _ in files}
    with _Writers(staging, name) as writers:
        for batch, runs in _larger(files, loaded):
            found = normalise(batch, runs)
            writers.write(found)
            _count(loaded, found)
    return list(loaded.values())


def _larger(files: list[tuple[Evidence, Path]], loaded: dict[str, _Loaded]) -> Iterator[tuple[Batch, list[Run]]]:
    """Join the batches of small files: what is distinct in them is then taken apart once for all."""
    held, runs = Batch(), []
    for entry, path in files:
        for batch in records(blocks(path, entry.member)):
            held.extend(batch)
            runs.append(Run(entry, len(batch.records), len(batch.rejects)))
            loaded[entry.evidence_id].blank += batch.blank
            loaded[entry.evidence_id].torn = batch.torn
            if len(held.records) >= _ROWS // 2 or len(held.rejects) >= _REJECTS:
                yield held, runs
                held, runs = Batch(), []
    yield held, runs


def _count(loaded: dict[str, _Loaded], found: Normalised) -> None:
    for name in ("events", "out_of_scope", "rejects"):
        counts = pc.value_counts(getattr(found, name)["evidence_id"].cast(pa.string())).to_pylist()
        for row in counts:
            item = loaded[row["values"]]
            setattr(item, name, getattr(item, name) + row["counts"])
    for row in _spans(found.events) + _spans(found.out_of_scope):
        item = loaded[row["evidence_id"]]
        item.routes.add(row["route"])
        item.first = min(row["t_min"], item.first if item.first is not None else row["t_min"])
        item.last = max(row["t_max"], item.last if item.last is not None else row["t_max"])


def _spans(table: pa.Table) -> list[dict[str, Any]]:
    plain = pa.table({name: table[name].cast(pa.string()) for name in ("evidence_id", "route")} | {"t": table["t"]})
    return plain.group_by(["evidence_id", "route"]).aggregate([("t", "min"), ("t", "max")]).to_pylist()


class _Writers:
    """Parquet files of one part; rows are held back until they fill a row group."""

    def __init__(self, staging: Path, name: str) -> None:
        self._staging, self._name = staging, name
        self._held: dict[str, list[pa.Table]] = {kind: [] for kind in _TABLES}
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, problem: type[BaseException] | None, *_: object) -> None:
        for kind in _TABLES:
            if problem is None:
                self._flush(kind)
        for writer in self._open.values():
            writer.close()

    def write(self, found: Normalised) -> None:
        for kind, held in self._held.items():
            held.append(getattr(found, kind))
            if sum(table.num_rows for table in held) >= _ROWS:
                self._flush(kind)

    def _flush(self, kind: str) -> None:
        table = pa.concat_tables(self._held[kind]).unify_dictionaries() if self._held[kind] else None
        self._held[kind] = []
        if table is not None and table.num_rows:
            self._writer(kind, table.schema).write_table(table.combine_chunks(), row_group_size=2 * _ROWS)

    def _writer(self, kind: str, columns: pa.Schema) -> pq.ParquetWriter:
        if kind not in self._open:
            path = self._staging / f"{kind}-{self._name}.parquet"
            repeating = [name for name in columns.names if name not in _UNIQUE]
            self._open[kind] = pq.ParquetWriter(path, columns, compression="zstd", store_schema=False, use_dictionary=repeating)  # fmt: skip
        return self._open[kind]


_SEEN_AGAIN = """
WITH all_records AS ({sources}),
again AS (SELECT record_digest FROM all_records GROUP BY record_digest HAVING count(*) > 1),
ranked AS (
  SELECT r.*, row_number() OVER w AS nth, first_value(r.event_id) OVER w AS duplicate_of
  FROM all_records r JOIN again USING (record_digest) JOIN positions p ON p.evidence_id = r.evidence_id
  WINDOW w AS (PARTITION BY record_digest ORDER BY p.position, source_line, source_offset, r.event_id)
)
SELECT event_id, duplicate_of, evidence_id, source_file, source_line, source_offset, source_length, kind
FROM ranked WHERE nth > 1
"""
_PLACES = "event_id, evidence_id, source_file, source_line, source_offset, source_length, record_digest"


def _settle_duplicates(case: Case, staging: Path) -> tuple[tuple[str, ...], dict[tuple[str, str], int]]:
    """Take records out of the new parts that the case, or an earlier part, has byte for byte.

    Returns the new event parts, and how many records of which evidence and table came again.
    """
    new = {kind: sorted(staging.glob(f"{kind}-*.parquet")) for kind in ("events", "out_of_scope")}
    if not any(new.values()):
        return (), {}
    old = {"events": list(case.events.paths), "out_of_scope": [p] if (p := case.path / "out_of_scope.parquet").exists() else []}  # fmt: skip
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        positions = [entry.evidence_id for entry in case.manifest.evidence]
        db.register("positions", pa.table({"evidence_id": positions, "position": range(len(positions))}))
        sources = " UNION ALL ".join(_source(db, kind, [*old[kind], *new[kind]]) for kind in new if old[kind] or new[kind])  # fmt: skip
        again = staging / "again.parquet"
        engine.copy(db, _SEEN_AGAIN.format(sources=sources), again)
        db.read_parquet(str(again)).create_view("again")
        counts = dict(
            ((evidence_id, kind), count) for evidence_id, kind, count in
            db.execute("SELECT evidence_id, kind, count(*) FROM again GROUP BY ALL").fetchall()
        )  # fmt: skip
        if counts:
            for path in (path for paths in new.values() for path in paths):
                _without_again(db, path)
    return tuple(path.name for path in new["events"] if path.exists()), counts


def _source(db: duckdb.DuckDBPyConnection, kind: str, paths: list[Path]) -> str:
    db.read_parquet([str(path) for path in paths], union_by_name=True).create_view(f"{kind}_parts")
    return f"SELECT {_PLACES}, '{kind}' AS kind FROM {kind}_parts"


def _without_again(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    db.read_parquet(str(path)).create_view("part", replace=True)
    (found,) = db.execute("SELECT count(*) FROM part SEMI JOIN again USING (event_id)").fetchone() or (0,)
    if not found:
        return
    kept = path.with_suffix(".kept")
    engine.copy(db, "SELECT * FROM part ANTI JOIN again USING (event_id)", kept)
    if pq.read_metadata(kept).num_rows:
        kept.replace(path)
    else:
        kept.unlink()
        path.unlink()


def _publish(case: Case, staging: Path, parts: tuple[str, ...], manifest: Manifest) -> None:
    """Put the new parts in place; the manifest, last of all, makes them count."""
    loaded = [entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None]
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        db.register("loaded", pa.table({"evidence_id": pa.array(loaded, pa.string())}))
        _extend(db, case, "rejects", schema.REJECTS, sorted(staging.glob("rejects-*.parquet")))
        _extend(db, case, "out_of_scope", schema.EVENTS, sorted(staging.glob("out_of_scope-*.parquet")))
        _extend(db, case, "duplicates", schema.DUPLICATES, sorted(staging.glob("again.parquet")))
    for name in parts:
        (staging / name).replace(case.path / "events" / name)
    write_manifest(case.path, manifest)
    shutil.rmtree(staging)
    for path in (case.path / "events").glob("*.parquet"):  # what a rebuild has replaced
        if path.name not in manifest.parts:
            path.unlink()


def _extend(
    db: duckdb.DuckDBPyConnection, case: Case, name: str, columns: tuple[schema.Column, ...], new: list[Path]
) -> None:
    """Write a derived table again: what it held of evidence that counts, and what is new."""
    target = case.path / f"{name}.parquet"
    if not new and not target.exists():
        pq.write_table(schema.empty(columns), target)
        return
    names = ", ".join(column.name for column in columns)
    selects = []
    if target.exists():
        db.read_parquet(str(target)).create_view(f"{name}_old")
        selects.append(f"SELECT {names} FROM {name}_old SEMI JOIN loaded USING (evidence_id)")
    if new:
        db.read_parquet([str(path) for path in new], union_by_name=True).create_view(f"{name}_new")
        selects.append(f"SELECT {names} FROM {name}_new")
    fresh = target.with_suffix(".new")
    engine.copy(db, " UNION ALL ".join(selects), fresh)
    fresh.replace(target)


def _accounted(item: _Loaded, again: dict[tuple[str, str], int]) -> Evidence:
    entry = item.evidence
    events_again = again.get((entry.evidence_id, "events"), 0)
    others_again = again.get((entry.evidence_id, "out_of_scope"), 0)
    fates = {
        "event": item.events - events_again,
        "duplicate": events_again + others_again,
        "out_of_scope": item.out_of_scope - others_again,
        "blank": item.blank,
        "reject": item.rejects,
    }
    return replace(entry, fates=fates, first_time=_iso(item.first), last_time=_iso(item.last), note=item.torn,
                   route=", ".join(sorted(item.routes)) or None)  # fmt: skip


def _archive_note(archive: Evidence, files: list[Evidence]) -> str:
    count = sum(entry.path == archive.path for entry in files)
    return f"archive; {count:,} members are evidence of their own"


def _iso(t: int | None) -> str | None:
    if t is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z")


def _sum_fates(entries: Iterable[Evidence]) -> dict[str, int]:
    counted = [entry.fates or {} for entry in entries]
    return {fate: sum(fates.get(fate, 0) for fates in counted) for fate in FATES}


def _as_os_error(problem: Exception) -> OSError:
    return problem if isinstance(problem, OSError) else OSError(str(problem))


def _tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(stage, done, total)
