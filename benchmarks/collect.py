"""Collection, measured in one run against the plain way with the same SDK.

Storage is Azurite behind a proxy that adds 40 ms to each request. Log Analytics is a server that replays
prepared answers: to execute the queries would take longer than all that is measured. Both run beside what is
measured and are not counted; each way is a process of its own, with its own CPU and peak memory, the ways
take turns, and medians are printed.

    python benchmarks/collect.py [--blobs 720] [--megabytes 8 64 256] [--rows 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "collect"), str(TESTS / "collect_workspace")]

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient
    from azurite import Azurite
    from proxy import Proxy
    from replay import Replay

WORK = Path(__file__).parent / ".work"
CONTAINER = "insights-logs-auditevent"
LATENCY = 0.04  # seconds, added to each request
KILOBYTES = 100  # of an hourly blob: about a hundred records
SLICE = timedelta(hours=5)  # 25,000 rows and 28 MB: what the collector asks for at a time
QUERY = """let start_time = datetime({start});
let end_time = datetime({end});
AzureDiagnostics
| where TimeGenerated >= start_time and TimeGenerated < end_time
"""

Run = dict[str, float]


def ours_from_storage(folder: Path) -> Run:
    """Ours: every blob hashed, in the chain of custody, its lines accounted for, to the events of a case."""
    from mhsm_forensics.case import create_case, open_case
    from mhsm_forensics.collect import login, storage

    case = open_case(folder) if folder.exists() else create_case(folder)
    signed, fetching = login.sign_in("connection-string"), _Fetching()
    got = storage.collect(
        case, str(signed.account_url), container=os.environ["CONTAINER"], credential=signed.credential
    )
    assert got.complete
    _end_workers()
    return {
        "records": got.case.accounting["event"].iloc[0],
        "fetching": fetching.seconds,
        "fetching_peak": fetching.peak,
    }


def plain_loop(folder: Path) -> Run:
    """What most people write: list the blobs, download one after the other, write the files."""
    from azure.storage.blob import ContainerClient

    client = ContainerClient.from_connection_string(
        os.environ["AZURE_STORAGE_CONNECTION_STRING"], os.environ["CONTAINER"]
    )
    for blob in client.list_blobs():
        path = folder / blob.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.download_blob(blob.name).readall())
    return {}


def ours_from_workspace(folder: Path) -> Run:
    """Ours, whole: answers verified and kept, and their events derived."""
    from signing_in import Login

    from mhsm_forensics.case import create_case
    from mhsm_forensics.collect import workspace

    where = _replayed()
    options = {"credential": Login(), "endpoint": where["url"], "transport": {"connection_verify": where["ca"]}}
    got = workspace.collect(create_case(folder), where["workspace"], **options)
    assert got.complete
    _end_workers()
    return {"records": sum(table.rows for table in got.tables)}


def evidence_from_workspace(folder: Path) -> Run:
    """Ours up to verified evidence: fetched, hashed, its rows counted as the service counts them, in custody."""
    from mhsm_forensics import ingest

    ingest.add = lambda case, *_: ingest.Added(case)
    return ours_from_workspace(folder)


def plain_query(_: Path) -> Run:
    """What most people write: the SDK's rows, as a frame for each slice. Each is let go, or memory would not do."""
    import pandas as pd
    from azure.monitor.query import LogsQueryClient
    from signing_in import Login

    where, records = _replayed(), 0
    client = LogsQueryClient(Login(), endpoint=where["url"], audience=where["url"], connection_verify=where["ca"])
    start, end = (datetime.fromisoformat(where[name]) for name in ("start", "end"))
    while start < end:
        text = QUERY.format(start=f"{start:%Y-%m-%dT%H:%M:%SZ}", end=f"{start + SLICE:%Y-%m-%dT%H:%M:%SZ}")
        table = client.query_workspace(where["workspace"], text, timespan=None).tables[0]
        records += len(pd.DataFrame(table.rows, columns=table.columns))
        start += SLICE
    return {"records": records}


WAYS = {way.__name__: way for way in (plain_loop, ours_from_storage, plain_query, evidence_from_workspace,
                                      ours_from_workspace)}  # fmt: skip


class _Fetching:
    """How long it took until the last blob was evidence, and the peak of memory until then."""

    def __init__(self) -> None:
        from mhsm_forensics import ingest

        self.started = time.perf_counter()
        self.seconds = self.peak = 0.0
        self._publish, ingest.publish = ingest.publish, self._published

    def _published(self, *given: object) -> object:
        """What is called when the last blob is evidence: wait for the derived parts, and make them count."""
        self.seconds, self.peak = time.perf_counter() - self.started, _peak()
        return self._publish(*given)


def _replayed() -> dict[str, str]:
    return json.loads(os.environ["REPLAY"])


def _end_workers() -> None:
    """Let the workers end, so that their CPU and memory count as ours."""
    if "loky" in sys.modules:
        from loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)


def _peak() -> float:
    """Peak memory of this process in MB; what getrusage says includes the process that it was started from."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_way(way: str, folder: Path) -> None:
    """Do one way here, and print what it took."""
    started = time.perf_counter()
    took = WAYS[way](folder)
    wall = time.perf_counter() - started
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
    peak = max(_peak(), others.ru_maxrss / 1024)
    print(json.dumps({name: float(value) for name, value in took.items()} | {"wall": wall, "cpu": cpu, "peak": peak}))


def measure(way: Any, folder: Path, **environment: str) -> Run:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way.__name__, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | environment)
    return json.loads(done.stdout.splitlines()[-1])


def medians(runs: list[Run]) -> Run:
    """Return the median of each measurement."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def compare_storage(azurite: Azurite, blobs: int, rounds: int) -> None:
    """Measure many small blobs through a slow network."""
    from proxy import Proxy

    uploaded(azurite.container("hours"), megabytes=max(blobs * KILOBYTES // 1000, 1), files=blobs)
    with Proxy(azurite.port) as proxy:
        proxy.latency = LATENCY
        where = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string(proxy.port), "CONTAINER": "hours"}
        taken: dict[str, list[Run]] = {"plain": [], "ours": [], "again": []}
        for number in range(rounds):
            for name, way in (("plain", plain_loop), ("ours", ours_from_storage), ("again", ours_from_storage)):
                proxy.log.clear()
                run = measure(way, WORK / f"{'plain' if name == 'plain' else 'ours'}-{number}", **where)
                taken[name].append(run | requests(proxy))
            shutil.rmtree(WORK / f"plain-{number}")
            shutil.rmtree(WORK / f"ours-{number}")
    median = {name: medians(runs) for name, runs in taken.items()}
    say_storage(median, blobs)


def requests(proxy: Proxy) -> Run:
    """Count the requests that passed: of blobs, of the walk to the resources, and of listings."""
    others = [request for request in proxy.log if not request.is_download]
    walk = sum("delimiter=" in request.path for request in others)
    return {"downloads": len(proxy.downloads()), "walk": walk, "listings": len(others) - walk}


def say_storage(median: dict[str, Run], blobs: int) -> None:
    """Print what many small blobs took."""
    ours, plain = median["ours"], median["plain"]["wall"]
    print(f"\n{blobs:,} blobs of {KILOBYTES} KB, {ours['records']:,.0f} records, {LATENCY * 1000:.0f} ms a request:\n")
    print("| way | requests: blobs + walk + listings | CPU s | wall s | peak MB | wall, plain / it |")
    print("|---|---|---|---|---|---|")
    for name, took in median.items():
        counted = f"{took['downloads']:,.0f} + {took['walk']:,.0f} + {took['listings']:,.0f}"
        print(f"| {name} | {counted} | {took['cpu']:.1f} | {took['wall']:.1f} | {took['peak']:,.0f} "
              f"| {plain / took['wall']:.1f} |")  # fmt: skip
    print(f"| ours, up to the evidence | | | {ours['fetching']:.1f} | {ours['fetching_peak']:,.0f} "
          f"| {plain / ours['fetching']:.1f} |", flush=True)  # fmt: skip


def compare_sizes(azurite: Azurite, sizes: list[int], rounds: int) -> None:
    """Measure the peak memory for one blob of each size."""
    print(
        "\n| one blob, MB | records | peak MB until it is evidence | peak MB of the largest process | CPU s | wall s |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    for size in sizes:
        name = f"size-{size}"
        uploaded(azurite.container(name), megabytes=size, files=1)
        where = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string(), "CONTAINER": name}
        took = medians([measure(ours_from_storage, WORK / f"{name}-{number}", **where) for number in range(rounds)])
        print(f"| {size} | {took['records']:,.0f} | {took['fetching_peak']:,.0f} | {took['peak']:,.0f} "
              f"| {took['cpu']:.1f} | {took['wall']:.1f} |", flush=True)  # fmt: skip


def uploaded(container: ContainerClient, *, megabytes: int, files: int) -> None:
    """Fill a container with hourly append blobs of one managed HSM."""
    from azurite import append

    from mhsm_forensics import samples

    tree = WORK / "logs"
    shutil.rmtree(tree, ignore_errors=True)
    samples.bulk(tree, megabytes=megabytes, files=files, seed=7)
    paths = sorted(tree.rglob("*.json"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda p: append(container, p.relative_to(tree / CONTAINER).as_posix(), p.read_bytes()), paths))
    shutil.rmtree(tree)


def compare_workspace(replay: Replay, rounds: int) -> None:
    """Measure the rows of a workspace."""
    where = {"url": replay.url, "ca": str(replay.ca), "workspace": replay.workspace}
    where |= {"start": replay.start.isoformat(), "end": replay.end.isoformat()}
    taken: dict[str, list[Run]] = {}
    for number in range(rounds):
        for way in (plain_query, evidence_from_workspace, ours_from_workspace):
            replay.answers = 0
            run = measure(way, WORK / f"{way.__name__}-{number}", REPLAY=json.dumps(where))
            taken.setdefault(way.__name__, []).append(run | {"answers": replay.answers})
            shutil.rmtree(WORK / f"{way.__name__}-{number}", ignore_errors=True)
    print("\n| rows | way | answers | CPU s | CPU, µs a row | wall s | peak MB | CPU, plain / it |")
    print("|---|---|---|---|---|---|---|---|")
    plain = statistics.median(run["cpu"] for run in taken["plain_query"])
    for name, took in ((name, medians(runs)) for name, runs in taken.items()):
        each = 1_000_000 * took["cpu"] / took["records"]
        print(f"| {took['records']:,.0f} | {name} | {took['answers']:.0f} | {took['cpu']:.1f} | {each:.1f} "
              f"| {took['wall']:.1f} | {took['peak']:,.0f} | {plain / took['cpu']:.1f} |")  # fmt: skip


def main() -> None:
    """Measure all of it; a number of nothing leaves a part out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--blobs", type=int, default=720)
    words.add_argument("--megabytes", nargs="*", type=int, default=[8, 64, 256])
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--way", nargs=2, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.way:
        run_way(chosen.way[0], Path(chosen.way[1]))
        return
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    measure_storage(chosen)
    if chosen.rows:
        from replay import Replay

        (WORK / "answers").mkdir()
        with Replay(WORK / "answers", chosen.rows) as replay:
            compare_workspace(replay, chosen.rounds)
    shutil.rmtree(WORK)


def measure_storage(chosen: argparse.Namespace) -> None:
    """Measure what needs a storage service, if any of it is wanted."""
    if not (chosen.blobs or chosen.megabytes):
        return
    from azurite import Azurite

    with Azurite(WORK) as azurite:
        if chosen.blobs:
            compare_storage(azurite, chosen.blobs, chosen.rounds)
        if chosen.megabytes:
            compare_sizes(azurite, chosen.megabytes, chosen.rounds)


if __name__ == "__main__":
    main()
