"""An act is known without its name: findings before and after the operation names of a log were replaced.

Most names that a managed HSM logs were never published. Of every log (the samples, small logs of one act each, the scenarios)
`operationName` is replaced, consistently, by names that a vendor could have chosen, and by tokens that say nothing; URI, status
and everything else stay. Is every finding of high or critical kept? Does a sentence become wrong? Do alarms come or go?

    python benchmarks/names.py [--half dev|measure] [--seeds 4] [--only NAME …] [--modes MODE …] [--details] [--json]

Half of the seeds, with half of the plausible names, are held out: who writes rules looks at ``--half dev`` only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from naming import judging, reading, renaming  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

    from naming.judging import Judged

CHANGE = 0.1  # of the findings of medium or more that may come or go, of all logs of a half and a kind of names
FIXED = ("quiet-day", "damaged")  # no seed changes them, and nothing in them is grave: once a half is enough


def jobs(half: str, seeds: int, only: Iterable[str] | None) -> list[tuple[str, str, int]]:
    """Return the logs of a half, as (name, half, seed): of every log half of the seeds."""
    chosen = []
    for number, name in enumerate(reading.names()):
        own = [seed for seed in range(seeds) if (number + seed) % 2 == renaming.HALVES.index(half)]
        if not only or name in only:
            chosen += [(name, half, seed) for seed in (own[:1] if name in FIXED else own)]
    return chosen


def main() -> int:
    """Print a table for each half, and the bars; 1 where one is missed."""
    chosen = _arguments()
    halves = [chosen.half] if chosen.half else list(renaming.HALVES)
    told = [job for half in halves for job in jobs(half, chosen.seeds, chosen.only)]
    began = time.perf_counter()
    with ProcessPoolExecutor(chosen.processes) as pool:
        judged = list(
            chain.from_iterable(pool.map(judging.judge, *zip(*told, strict=True), [tuple(chosen.modes)] * len(told)))
        )
    if chosen.json:
        print(json.dumps([asdict(one) for one in judged], indent=1))
    else:
        for half in halves:
            _table([one for one in judged if one.half == half], half)
            if chosen.details:
                _details([one for one in judged if one.half == half])
        print(f"\n{len(told)} logs, {len(judged)} under other names, in {time.perf_counter() - began:.0f} s.")
    missed = bars(judged)
    if not chosen.json:
        print(f"Bars: {'; '.join(missed) if missed else 'met'}.")
    return int(bool(missed))


def bars(judged: list[Judged]) -> list[str]:
    """Return the bars that are missed, by half and kind of names, and by how much."""
    missed = []
    for (half, mode), own in _by(judged, "half", "mode").items():
        lost, wrong, alarms = (sum(len(getattr(one, field)) for one in own) for field in ("lost", "wrong", "alarms"))
        before, after = sum(one.medium_before for one in own), sum(one.medium_after for one in own)
        told = [
            (lost, f"{lost} of {sum(one.grave for one in own)} high or critical lost"),
            (wrong, f"{wrong} sentences wrong"),
            (alarms, f"{alarms} alarms of unknown names"),
            (abs(after - before) > CHANGE * before, f"medium or more {before} to {after}"),
        ]
        missed += [f"{half}, {mode}: {text}" for is_missed, text in told if is_missed]
    return missed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=renaming.HALVES, help="those that rules may be fitted to, or those held out")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--only", nargs="*", help="names of logs")
    parser.add_argument("--modes", nargs="*", choices=renaming.MODES, default=renaming.MODES[:2])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--details", action="store_true", help="print each loss, wrong sentence and alarm")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _table(judged: list[Judged], half: str) -> None:
    """Print a line per log and kind of names, and the totals."""
    print(f"\n| {half} | names | logs | high or critical | lost | sentences wrong | medium or more | unknown alarms |")
    print("|---|---|---|---|---|---|---|---|")
    for (name, mode), own in _by(judged, "name", "mode").items():
        _line(name, mode, own)
    for (mode,), own in _by(judged, "mode").items():
        _line("**all**", mode, own)
    titles, understood = (sum(getattr(one, field) for one in judged) for field in ("titles", "understood"))
    early = {text for one in judged for text in one.wrong_before}
    print(
        f"\n{understood} of {titles} titles hold a claim of an act that is judged by words; {len(early)} wrong under true names."
    )


def _line(name: str, mode: str, own: list[Judged]) -> None:
    counts = [sum(len(getattr(one, field)) for one in own) for field in ("lost", "wrong", "alarms")]
    before, after = sum(one.medium_before for one in own), sum(one.medium_after for one in own)
    grave = " → ".join(str(sum(getattr(one, field) for one in own)) for field in ("grave", "grave_after"))
    print(f"| {name} | {mode} | {len(own)} | {grave} | {counts[0]} | {counts[1]} | {before} → {after} | {counts[2]} |")


def _details(judged: list[Judged]) -> None:
    """Print what was lost, became wrong, cried or came anew, and in which logs; the last is wrong under true names already."""
    for field in ("lost", "wrong", "alarms", "anew", "wrong_before"):
        places: dict[str, set[str]] = defaultdict(set)
        for one in judged:
            for text in getattr(one, field):
                places[text].add(f"{one.name}/{one.seed}/{one.mode}")
        for text, where in places.items():
            print(
                f"{field} · {', '.join(sorted(where)[:3])}{f' and {len(where) - 3} more' if len(where) > 3 else ''} · {text}"
            )


def _by(judged: Iterable[Judged], *fields: str) -> dict[tuple[str, ...], list[Judged]]:
    groups = defaultdict(list)
    for one in judged:
        groups[tuple(getattr(one, field) for field in fields)].append(one)
    return groups


if __name__ == "__main__":
    raise SystemExit(main())
