"""Evidence into a case, and a case's events out of its evidence: the whole way, accounted and resumable.

Nothing counts before the manifest is replaced, in one step, at the end. A run that was killed leaves
evidence that the next run finishes and parts that it throws away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from . import engine, schema
from .case import FATES, Case, Evidence, Manifest, create_case, open_case, record_custody, replace_text, write_manifest
from .errors import CaseError, EvidenceError, InputError
from .derive import Loaded, load_part
from .evidence import Source, acquire, find, recover, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import duckdb
    import pandas as pd

    Progress = Callable[[int, int], None]

_PART = 64 << 20  # bytes of evidence in one part, about
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
        Called with the bytes that are accounted for, and those there are.

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
    with _writing(case) as case:
        resumed = _interrupted(case, wanted)
        with _noted(case, [*wanted, *resumed], in_place=in_place):
            found = find(wanted)
        sources = found.sources + (find(resumed).sources if resumed else ())
        total = sum(source.path.stat().st_size for source in sources)
        with _deriving(case, total, progress) as parts:
            parts.take(entry for entry in case.manifest.evidence if entry.fates is None)
            new, had = _acquire(case, sources, parts, in_place=in_place)
            if new:
                write_manifest(case.path, replace(case.manifest, evidence=(*case.manifest.evidence, *new)))
            if parts.any:
                case = _settle(open_case(case.path), parts)
        (case.path / ".adding.json").unlink(missing_ok=True)
    ids = {entry.evidence_id for entry in new}
    return Added(case, tuple(e for e in case.manifest.evidence if e.evidence_id in ids), tuple(had), found.left_out,
                 tuple(map(str, resumed)))  # fmt: skip


def _acquire(
    case: Case, sources: Iterable[Source], parts: _Parts, *, in_place: bool
) -> tuple[list[Evidence], list[str]]:
    """Take files into the case while earlier ones are already read; returns what is new, and what is not."""
    known = {entry.sha256: entry for entry in case.manifest.evidence}
    new: list[Evidence] = []
    had: list[str] = []
    for source in sources:
        entries = acquire(case, source, known, in_place=in_place)
        parts.take(entry for entry in entries if entry.fates is None)
        new += entries
        had += [] if entries else [source.relative]
    return new, had


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
        archives = {entry.path for entry in case.manifest.evidence if entry.member is not None}
        bare = tuple(
            entry if entry.member is None and entry.path in archives else replace(entry, fates=None)
            for entry in case.manifest.evidence
        )
        case = replace(case, manifest=Manifest(bare))
        with _deriving(case, sum(entry.size for entry in bare), progress) as parts:
            parts.take(entry for entry in bare if entry.fates is None)
            return _settle(case, parts)


def sample_case(path: Path | str = "cases/demo") -> Case:
    """Return a case of the sample incident, made in *path* unless it is there: something to try everything on."""
    folder = Path(path)
    if (folder / "case.json").exists():
        return open_case(folder)
    from . import samples  # noqa: PLC0415 - invents data; nothing else here needs it

    case = create_case(folder, name="Sample incident", display_zone="Europe/Amsterdam")
    with tempfile.TemporaryDirectory(prefix="mhsm-") as made:
        evidence = Path(__file__).parents[1] / "data-samples" / "incident" / "insights-logs-auditevent"
        if not evidence.is_dir():  # installed without the samples: they are the same to the byte when made anew
            samples.write(Path(made))
            evidence = Path(made) / "incident" / "insights-logs-auditevent"
        return add(case, [evidence]).case


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


def raw(case: Case, event_id: str) -> Iterator[bytes]:
    """Yield the bytes of a record, or of a reject or duplicate, as they stand in the evidence.

    Raises
    ------
    InputError
        The case has no such record.
    """
    columns = ["evidence_id", "source_offset", "source_length"]
    places = engine.run(case.events, f"SELECT {', '.join(columns)} FROM events WHERE event_id = :id", id=event_id)
    tables = (case.derived(name, kind) for name, kind in _ASIDE.items())
    found = places.to_dict("records") or [
        row for table in tables for row in table.filter(pc.equal(table["event_id"], event_id)).select(columns).to_pylist()
    ]
    if not found:
        raise InputError.no_such_event(event_id)
    entry = next(e for e in case.manifest.evidence if e.evidence_id == found[0]["evidence_id"])
    place = (int(found[0]["source_offset"]), int(found[0]["source_length"]))
    yield from slices(case.evidence_path(entry), entry.member, [place])


_ASIDE = {"rejects": schema.REJECTS, "duplicates": schema.DUPLICATES, "out_of_scope": schema.EVENTS}


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


@contextmanager
def _noted(case: Case, paths: list[Path], *, in_place: bool) -> Iterator[None]:
    """Note what is about to be added, so that the next run can finish it; not if a path is wrong."""
    note = case.path / ".adding.json"
    before = note.read_text("utf-8") if note.exists() else None
    replace_text(note, json.dumps({"paths": [str(path.resolve()) for path in paths], "in_place": in_place}))
    try:
        yield
    except EvidenceError:
        note.unlink() if before is None else replace_text(note, before)
        raise


def _interrupted(case: Case, wanted: list[Path]) -> list[Path]:
    """Paths of a run that never came to its end, those that still hold logs."""
    note = case.path / ".adding.json"
    if not note.exists():
        return []
    named = {path.resolve() for path in wanted}
    paths = [Path(path) for path in json.loads(note.read_text("utf-8"))["paths"]]
    return [path for path in paths if path not in named and _holds_logs(path)]


def _holds_logs(path: Path) -> bool:
    try:
        return bool(find([path]).sources)
    except EvidenceError:
        return False


class _Parts:
    """The parts that are being derived, by other processes where that pays."""

    def __init__(self, case: Case, total: int, progress: Progress | None) -> None:
        self.staging = case.path / "events" / ".staging"
        self._case, self._total, self._progress = case, total, progress
        self._part: list[Evidence] = []
        self._jobs: list[Callable[[], list[Loaded]]] = []
        self._executor = _executor() if total > _ALONE else None
        self._stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self._done = 0

    @property
    def any(self) -> bool:
        """Whether there is anything to derive."""
        return bool(self._jobs or self._part)

    def take(self, entries: Iterable[Evidence]) -> None:
        """Add evidence to the present part, and begin with the part when it is large enough."""
        for entry in entries:
            self._part.append(entry)
            if sum(e.size for e in self._part) >= _PART:
                self._begin()

    def _begin(self) -> None:
        files = [(entry, self._case.evidence_path(entry)) for entry in self._part]
        job = (self.staging, f"{self._stamp}-{len(self._jobs):05d}", files)
        self._jobs.append(self._executor.submit(load_part, *job).result if self._executor else partial(load_part, *job))
        self._part = []

    def finish(self) -> list[Loaded]:
        """Wait for all parts; returns what each evidence file gave."""
        if self._part:
            self._begin()
        loaded: list[Loaded] = []
        for job in self._jobs:
            loaded += (result := job())
            self._done += sum(item.evidence.size for item in result)
            if self._progress:
                self._progress(self._done, max(self._total, self._done))
        return loaded

    def stop(self) -> None:
        """End the other processes; what they wrote is thrown away by the next run."""
        if self._executor:
            self._executor.shutdown(wait=True, kill_workers=True)


@contextmanager
def _deriving(case: Case, total: int, progress: Progress | None) -> Iterator[_Parts]:
    parts = _Parts(case, total, progress)
    parts.staging.mkdir(parents=True, exist_ok=True)
    try:
        yield parts
    except BaseException:  # Ctrl-C too: nothing goes on in the background
        parts.stop()
        raise
    finally:
        shutil.rmtree(parts.staging, ignore_errors=True)


def _executor() -> Any:
    from loky import get_reusable_executor  # noqa: PLC0415 - half a second that small input need not wait for

    return get_reusable_executor(max_workers=os.cpu_count() or 1, timeout=10)


def _settle(case: Case, parts: _Parts) -> Case:
    """Account for every line of the parts, and make them count."""
    loaded = parts.finish()
    names, again = _settle_duplicates(case, parts.staging)
    done = {item.evidence.evidence_id: _accounted(item, again) for item in loaded}
    evidence = tuple(done.get(entry.evidence_id, entry) for entry in case.manifest.evidence)
    _publish(case, parts.staging, names, Manifest(evidence, (*case.manifest.parts, *names)))
    record_custody(case.path, "loaded", {"files": len(done), "lines": _sum_fates(done.values()), "parts": list(names)})
    return open_case(case.path)


# Records that are equal byte for byte have the same record id, so only those that share one are compared.
_CANDIDATES = """
WITH all_records AS ({sources})
SELECT * FROM all_records
WHERE record_id IN (SELECT record_id FROM all_records GROUP BY record_id HAVING count(*) > 1)
ORDER BY evidence_id, source_offset
"""
_SEEN_AGAIN = """
WITH ranked AS (
  SELECT c.*, row_number() OVER w AS nth, first_value(event_id) OVER w AS duplicate_of
  FROM candidates c JOIN digests USING (event_id) JOIN positions USING (evidence_id)
  WINDOW w AS (PARTITION BY digest ORDER BY position, source_line, source_offset)
)
SELECT event_id, duplicate_of, evidence_id, source_file, source_line, source_offset, source_length, kind
FROM ranked WHERE nth > 1
"""
_PLACES = "event_id, record_id, evidence_id, source_file, source_line, source_offset, source_length"


def _settle_duplicates(case: Case, staging: Path) -> tuple[tuple[str, ...], dict[tuple[str, str], int]]:
    """Take records out of the new parts that the case, or an earlier part, has byte for byte.

    Returns the new event parts, and how many records of which evidence and table came again.
    """
    new = {kind: sorted(staging.glob(f"{kind}-*.parquet")) for kind in ("events", "out_of_scope")}
    aside = [path] if (path := case.path / "out_of_scope.parquet").exists() else []
    old = {"events": list(case.events.paths), "out_of_scope": aside}
    held = [(kind, age) for kind in new for age in ("old", "new") if (old if age == "old" else new)[kind]]
    counts: dict[tuple[str, str], int] = {}
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        _register_loaded(db, case)
        sources = " UNION ALL ".join(_source(db, kind, age, {"old": old, "new": new}[age][kind]) for kind, age in held)
        candidates = db.sql(_CANDIDATES.format(sources=sources)).to_arrow_table() if held else None
        if candidates is not None and candidates.num_rows:
            _find_again(db, case, candidates, staging / "again.parquet")
            found = db.execute("SELECT evidence_id, kind, count(*) FROM again GROUP BY ALL").fetchall()
            counts = {(evidence_id, kind): count for evidence_id, kind, count in found}
            for path in (path for paths in new.values() for path in paths):
                _without_again(db, path)
    return tuple(path.name for path in new["events"] if path.exists()), counts


def _source(db: duckdb.DuckDBPyConnection, kind: str, age: str, paths: list[Path]) -> str:
    """Return a SELECT over the places of some parts; of old ones, only what counts."""
    db.read_parquet([str(path) for path in paths], union_by_name=True).create_view(f"{kind}_{age}")
    only = "SEMI JOIN loaded USING (evidence_id)" if age == "old" else ""
    return f"SELECT {_PLACES}, '{kind}' AS kind FROM {kind}_{age} {only}"


def _register_loaded(db: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Make the table `loaded`: evidence whose derived rows count."""
    ids = [entry.evidence_id for entry in case.manifest.evidence if entry.fates is not None]
    db.register("loaded", pa.table({"evidence_id": pa.array(ids, pa.string())}))


def _find_again(db: duckdb.DuckDBPyConnection, case: Case, candidates: pa.Table, target: Path) -> None:
    """Compare the bytes of records that may be equal, and make the view `again` of those that came before."""
    evidence = {entry.evidence_id: entry for entry in case.manifest.evidence}
    digests: list[bytes] = []
    for evidence_id, rows in groupby(candidates.to_pylist(), key=itemgetter("evidence_id")):
        entry = evidence[evidence_id]
        places = [(row["source_offset"], row["source_length"]) for row in rows]
        found = slices(case.evidence_path(entry), entry.member, places)
        digests += [hashlib.sha256(data).digest() for data in found]
    db.register("candidates", candidates)
    db.register("digests", pa.table({"event_id": candidates["event_id"], "digest": pa.array(digests, pa.binary())}))
    ids = [entry.evidence_id for entry in case.manifest.evidence]
    db.register("positions", pa.table({"evidence_id": ids, "position": range(len(ids))}))
    engine.copy(db, _SEEN_AGAIN, target)
    db.read_parquet(str(target)).create_view("again")


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
    with engine.connect(memory="512MB", scratch=case.path / ".scratch") as db:
        _register_loaded(db, case)
        _extend(db, case, "rejects", schema.REJECTS, sorted(staging.glob("rejects-*.parquet")))
        _extend(db, case, "out_of_scope", schema.EVENTS, sorted(staging.glob("out_of_scope-*.parquet")))
        _extend(db, case, "duplicates", schema.DUPLICATES, sorted(staging.glob("again.parquet")))
    for name in parts:
        (staging / name).replace(case.path / "events" / name)
    write_manifest(case.path, manifest)
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


def _accounted(item: Loaded, again: dict[tuple[str, str], int]) -> Evidence:
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


def _iso(t: int | None) -> str | None:
    if t is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z")


def _sum_fates(entries: Iterable[Evidence]) -> dict[str, int]:
    counted = [entry.fates or {} for entry in entries]
    return {fate: sum(fates.get(fate, 0) for fates in counted) for fate in FATES}


def _as_os_error(problem: Exception) -> OSError:
    return problem if isinstance(problem, OSError) else OSError(str(problem))
