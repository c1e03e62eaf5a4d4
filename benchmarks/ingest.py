"""Ingest, measured in one run against the plain pandas way and against the physical limit.

Every measurement is a process of its own, so that peak memory and CPU are its own; the ways take turns, and
medians are printed. CPU counts all processes of a way.

The tree is as real ones are: one line in a hundred comes again, one is unlike all others, and of one hour in thirty-three the
records came by AzureDiagnostics too. `--clean` leaves all that out.

    python benchmarks/ingest.py [--clean] [--megabytes 1 100 1600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

WORK = Path(__file__).parent / ".work"
WAYS = ("case", "copying", "pandas", "limit")


def ingest_case(logs: Path, *, in_place: bool) -> int:
    """Ours: hashed, every line accounted for, normalised, to the Parquet of a case."""
    from mhsm_forensics import ingest
    from mhsm_forensics.case import create_case

    folder = WORK / "case"
    shutil.rmtree(folder, ignore_errors=True)
    added = ingest.add(create_case(folder), [logs], in_place=in_place)
    if "loky" in sys.modules:  # the workers' CPU counts as ours
        from loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)
    return sum(added.fates.values())


def plain_pandas(logs: Path) -> int:
    """What most people write: a frame a file, the claims decoded, everything joined; nothing hashed or counted."""
    import pandas as pd

    frames = []
    for path in sorted(logs.rglob("*.json")):
        frame = pd.read_json(path, lines=True)
        if "identity" in frame:
            frame["identity"] = [json.loads(one) if isinstance(one, str) else one for one in frame["identity"]]
        frames.append(frame)
    return len(pd.concat(frames, ignore_index=True))


def physical_limit(logs: Path) -> int:
    """The least that must be done to the same bytes: read, SHA-256, and a SIMD parse that looks at every record."""
    import hashlib

    import simdjson

    parser, count = simdjson.Parser(), 0
    for path in sorted(logs.rglob("*.json")):
        data = path.read_bytes()
        hashlib.sha256(data).hexdigest()
        for line in data.split(b"\n"):
            if line:
                parser.parse(line)
                count += 1
    return count


def measure(way: str, logs: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--way", way, str(logs)], capture_output=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_way(way: str, logs: Path) -> None:
    """Do one way here, and print what it took."""
    started = time.perf_counter()
    jobs = {
        "case": lambda: ingest_case(logs, in_place=True),
        "copying": lambda: ingest_case(logs, in_place=False),
        "pandas": lambda: plain_pandas(logs),
        "limit": lambda: physical_limit(logs),
    }
    records = jobs[way]()
    wall = time.perf_counter() - started
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
    peak = max(own.ru_maxrss, others.ru_maxrss) / 1024
    print(json.dumps({"records": records, "wall": wall, "cpu": cpu, "peak": peak}))


def main() -> None:
    """Measure all ways at all sizes, taking turns."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--megabytes", nargs="+", type=int, default=[1, 100, 1600])
    words.add_argument("--clean", action="store_true", help="a tree without repeats, odd lines and a second route")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--way", nargs=2, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.way:
        run_way(chosen.way[0], Path(chosen.way[1]))
        return
    print("| MB | records | way | CPU s | wall s | peak MB | CPU, pandas / it | wall, pandas / it | CPU, it / limit |")
    print("|---|---|---|---|---|---|---|---|---|")
    for megabytes in chosen.megabytes:
        compare(megabytes, chosen.rounds, clean=chosen.clean)
    shutil.rmtree(WORK)


def as_real_ones_are(logs: Path) -> None:
    """Add to a tree what real ones have: lines that come again, odd ones, and some hours by a second route."""
    paths = sorted(logs.rglob("*.json"))
    for path in paths[: -(-len(paths) // 33)]:
        rows = map(diagnostics, path.read_bytes().splitlines())
        path.with_name("AzureDiagnostics.json").write_bytes(b"".join(rows))
    for number, path in enumerate(paths):
        lines = path.read_bytes().splitlines(keepends=True)
        extra = [line for at, line in enumerate(lines) if at % 100 == 50]
        odd = [odd_line(line, number * 1000 + at) for at, line in enumerate(extra)]
        for at, (again, other) in enumerate(zip(extra, odd, strict=True)):
            lines[100 * at + 75 : 100 * at + 75] = [again, other]
        path.write_bytes(b"".join(lines))


def diagnostics(line: bytes) -> bytes:
    """Return a record as a row of AzureDiagnostics, as a query or a data export writes it."""
    record = json.loads(line)
    claims = {
        f"identity_claim_{name}_s": one for name, one in record["identity"]["claim"].items() if isinstance(one, str)
    }
    properties = {f"{name}_s": value for name, value in record["properties"].items() if isinstance(value, str)}
    row = {
        "TenantId": "0c1f6b1e-55d2-4a6c-9e0e-7c5dbb2a4d10", "TimeGenerated": record["time"],
        "ResourceId": record["resourceId"], "Category": "AuditEvent", "ResourceProvider": "MICROSOFT.KEYVAULT",
        "OperationName": record["operationName"], "OperationVersion": record["operationVersion"],
        "ResultType": record["resultType"], "ResultSignature": record["resultSignature"],
        "DurationMs": int(record["durationMs"]), "CallerIPAddress": record["callerIpAddress"],
        "CorrelationId": record["correlationId"], **claims, **properties,
        "httpStatusCode_d": record["properties"]["httpStatusCode"], "Type": "AzureDiagnostics",
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def odd_line(line: bytes, number: int) -> bytes:
    """Return a record that is unlike all others: by an unknown field, a quoted text, or the order of its fields."""
    record = json.loads(line) | {"correlationId": f"{number:08x}-0dd0-4000-8000-000000000000"}
    if number % 3 == 0:
        record["newField"] = f"value {number}"
    elif number % 3 == 1:
        record["resultDescription"] = f'The "{number}" was said\nto be odd'
    else:
        record = dict(sorted(record.items(), key=lambda pair: hash((number, len(pair[0])))))
    return json.dumps(record).encode() + b"\n"


def compare(megabytes: int, rounds: int, *, clean: bool) -> None:
    """Measure one size."""
    from mhsm_forensics import samples

    logs = WORK / "logs"
    shutil.rmtree(WORK, ignore_errors=True)
    samples.bulk(logs, megabytes=megabytes, files=max(24, megabytes // 2), seed=7)
    if not clean:
        as_real_ones_are(logs)
    taken = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            taken[way].append(measure(way, logs))
    median = {way: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for way, runs in taken.items()}
    plain, limit = median["pandas"], median["limit"]
    for way, took in median.items():
        print(
            f"| {megabytes} | {took['records']:,.0f} | {way} | {took['cpu']:.2f} | {took['wall']:.1f} | {took['peak']:,.0f} "
            f"| {plain['cpu'] / took['cpu']:.1f} | {plain['wall'] / took['wall']:.1f} "
            f"| {took['cpu'] / limit['cpu']:.1f} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
