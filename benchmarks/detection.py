"""Findings judged on truth: incidents and innocent weeks that are known to the last line, over many seeds.

Each scenario of `mhsm_forensics.samples` is told with several seeds: two ordinary weeks, then a week in which one thing
happens. Of an incident: is its core act in the first three findings, on which rank is the first finding that names it, and
how much of it is named at all? Of an innocent week: how many findings are high or critical?

    python benchmarks/detection.py [--seeds 10] [--only NAME …]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    import pandas as pd

    from mhsm_forensics.samples import Scenario

FIRST = 3  # findings among which the core act must be
FALSE = 1.0  # high or critical findings of an innocent week, at most


@dataclass(frozen=True, slots=True)
class Judged:
    """One telling, judged."""

    name: str
    is_incident: bool
    rank: int | None  # of the first finding that names a core act
    recall: float  # share of the core acts that findings above `info` name
    precise: float  # share of the high and critical findings that name a core act
    alarms: int  # findings that are high or critical
    rules: tuple[str, ...]  # of the findings that name a core act, or of the alarms of an innocent week


def events_of(lines: list[str]) -> pd.DataFrame:
    """Read a log's lines as the loader does, without a case."""
    from mhsm_forensics import load, schema
    from mhsm_forensics.case import Evidence
    from mhsm_forensics.normalise import Normaliser

    made, evidence = (
        Normaliser(),
        Evidence(evidence_id="e", path="PT1H.json", origin="", size=0, sha256="", acquired=""),
    )
    for batch in load.records(["\n".join(lines).encode()]):
        made.take(batch, evidence)
    return schema.to_pandas(made.finish().events)


def judge(name: str, seed: int) -> Judged:
    """Tell a scenario once, and judge what is found."""
    from mhsm_forensics import detect
    from mhsm_forensics.samples import scenarios

    scenario: Scenario = next(one for one in scenarios() if one.name == name)
    week = scenario.week(seed)
    events = events_of(week.lines)
    findings = detect.run(events)
    core = set(events.loc[events["source_line"].isin(week.core), "event_id"])
    named = [not core.isdisjoint(ids) for ids in findings["event_ids"]]
    ranks = [rank for rank, hit in enumerate(named, 1) if hit]
    told = {
        one
        for ids, severity in zip(findings["event_ids"], findings["severity"], strict=True)
        if severity != "info"
        for one in ids
    }
    grave = findings["severity"].isin(["critical", "high"])
    alarms = findings[grave]
    rules = findings.loc[named, "rule_id"] if scenario.is_incident else alarms["rule_id"]
    right = [hit for hit, high in zip(named, grave, strict=True) if high]
    return Judged(
        name, scenario.is_incident, ranks[0] if ranks else None, len(core & told) / len(core) if core else 1.0,
        sum(right) / len(right) if right else 1.0, len(alarms), tuple(rules),
    )  # fmt: skip


def main() -> int:
    """Print both tables; 1 where a bar is missed."""
    from mhsm_forensics.samples import scenarios

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="*")
    chosen = parser.parse_args()
    told = [one for one in scenarios() if not chosen.only or one.name in chosen.only]
    began = time.perf_counter()
    jobs = [(one.name, seed) for one in told for seed in range(chosen.seeds)]
    with ProcessPoolExecutor(2) as pool:
        judged = list(pool.map(judge, *zip(*jobs, strict=True)))
    missed = _incidents([one for one in judged if one.is_incident]) + _innocent(
        [one for one in judged if not one.is_incident]
    )
    verdict = f"missed: {', '.join(missed)}" if missed else "met"
    print(
        f"\n{len(jobs)} weeks in {time.perf_counter() - began:.0f} s. Bars: the core act in the first {FIRST} findings of every"
    )
    print(f"incident, at most {FALSE:g} high or critical in every innocent week: {verdict}.")
    return int(bool(missed))


def _incidents(judged: list[Judged]) -> list[str]:
    """Print a line per incident; return those that miss the bar."""
    if not judged:
        return []
    print(
        "| incident | ATT&CK | in the first 3 | worst rank | core acts named % | right among high and critical % | rules |"
    )
    print("|---|---|---|---|---|---|---|")
    missed = []
    for name, runs in _by_name(judged):
        good = sum(one.rank is not None and one.rank <= FIRST for one in runs)
        ranks = [one.rank for one in runs]
        worst = "never" if None in ranks else str(max(rank for rank in ranks if rank))
        recall, precise = (
            100 * statistics.mean(getattr(one, field) for one in runs) for field in ("recall", "precise")
        )
        print(f"| {name} | {', '.join(_techniques(name))} | {good} of {len(runs)} | {worst} | {recall:.0f} | {precise:.0f} "
              f"| {_common(runs)} |")  # fmt: skip
        missed += [name] if good < len(runs) else []
    return missed


def _innocent(judged: list[Judged]) -> list[str]:
    """Print a line per innocent week; return those that miss the bar."""
    if not judged:
        return []
    print("\n| innocent week | high or critical a week, mean | most | rules |")
    print("|---|---|---|---|")
    missed = []
    for name, runs in _by_name(judged):
        alarms = [one.alarms for one in runs]
        print(f"| {name} | {statistics.mean(alarms):.2f} | {max(alarms)} | {_common(runs)} |")
        missed += [name] if max(alarms) > FALSE else []
    every = [one.alarms for one in judged]
    print(
        f"\nAll innocent weeks: {sum(every)} high or critical in {len(every)} HSM-weeks, {statistics.mean(every):.2f} a week."
    )
    return missed


def _techniques(name: str) -> tuple[str, ...]:
    from mhsm_forensics.samples import scenarios

    return next(one.techniques for one in scenarios() if one.name == name)


def _by_name(judged: list[Judged]) -> list[tuple[str, list[Judged]]]:
    return [(name, [one for one in judged if one.name == name]) for name in dict.fromkeys(one.name for one in judged)]


def _common(runs: list[Judged]) -> str:
    counts = Counter(rule for one in runs for rule in set(one.rules))
    return ", ".join(f"{rule} {count}" for rule, count in counts.most_common(6))


if __name__ == "__main__":
    raise SystemExit(main())
