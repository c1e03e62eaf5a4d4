"""Anomalies, judged on truth: known ones planted into invented months, ours beside three plain ways.

An HSM of six operations logs for four weeks: one steady service, one of office hours, one batch at night, one in bursts, one
that is nearly never used, and a monitor every quarter of an hour. Ten kinds of anomaly are planted at three strengths, one
kind and strength a month, into each of the five shapes at once; and one month a seed stays quiet.

    python benchmarks/anomalies.py [--seeds 3] [--first 0]

Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mhsm_forensics import analyse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]

START = pd.Timestamp("2026-01-05", tz="UTC")  # a Monday
DAYS, HOUR, DAY = 28, 3600.0, 86400.0
SHAPES = {
    "steady": "KeyUnwrap", "office": "KeyGet", "batch": "KeyWrap", "bursty": "KeySign", "nearly never": "KeyListVersions"
}  # fmt: skip
STRENGTHS = ("weak", "clear", "strong")
TIMES = dict(zip(STRENGTHS, (1.2, 3.0, 10.0), strict=True))  # of the largest in an ordinary month at those hours
LEAST_PEAK = 3  # where that is less
WAYS = ("ours", "msticpy STL", "z-score", "threshold")
FALSE_ALARMS_A_WEEK = 1.0


@dataclass
class Month:
    """Events of an HSM, by operation: seconds since the start, key, denied."""

    dice: np.random.Generator
    rows: dict[str, pd.DataFrame] = field(default_factory=dict)

    def add(self, operation: str, seconds: Any, keys: Any = None, *, denied: Any = None) -> None:
        """Add events at these times."""
        count = len(seconds)
        new = pd.DataFrame(
            {
                "s": np.asarray(seconds, float),
                "key": self.dice.integers(0, 3, count) if keys is None else keys,
                "denied": self.dice.random(count) < 0.01 if denied is None else denied,
            }
        )
        self.rows[operation] = pd.concat([old, new]) if (old := self.rows.get(operation)) is not None else new

    def counts(self, operation: str, width: float = HOUR) -> Any:
        """Events in each bin of so many seconds."""
        return np.bincount((self.rows[operation]["s"] // width).astype(int), minlength=int(DAYS * DAY / width))

    def frame(self) -> pd.DataFrame:
        """All events, as the package reads them."""
        all_rows = pd.concat([part.assign(operation=name) for name, part in self.rows.items()]).sort_values("s")
        all_rows = all_rows[(all_rows["s"] >= 0) & (all_rows["s"] < DAYS * DAY)]
        text = pd.StringDtype("pyarrow")
        return pd.DataFrame(
            {
                "time": START + pd.to_timedelta((all_rows["s"].to_numpy() * 1e6).astype("int64"), unit="us"),
                "event_id": pd.Series([f"e:{n}" for n in range(len(all_rows))], dtype=text),
                "hsm": pd.Series(["contoso-hsm"] * len(all_rows), dtype=text),
                "operation": all_rows["operation"].astype(text).to_numpy(),
                "key_name": ("key-" + all_rows["key"].astype(str)).astype(text).to_numpy(),
                "key": ("contoso-hsm/key-" + all_rows["key"].astype(str)).astype(text).to_numpy(),
                "actor": pd.Series(["o-1"] * len(all_rows), dtype=text),
                "principal": pd.Series(["svc-app"] * len(all_rows), dtype=text),
                "object_id": pd.Series(["o-1"] * len(all_rows), dtype=text),
                "caller_ip": pd.Series(["192.0.2.1"] * len(all_rows), dtype=text),
                "outcome": np.where(all_rows["denied"], "denied", "success"),
                "duration_ms": 12,
            }
        )


@dataclass(frozen=True)
class Planted:
    """One planted anomaly: where it is to be found."""

    shape: str
    operation: str
    start: float
    end: float
    more: bool


def ordinary(seed: int) -> Month:
    """Return a month in which nothing happens."""
    month = Month(np.random.default_rng(seed))
    dice = month.dice
    month.add("KeyList", np.arange(0, DAYS * DAY, 900) + 5 + dice.random(DAYS * 96), keys=0)
    per_hour = np.arange(DAYS * 24)
    workday, clock = per_hour // 24 % 7 < 5, per_hour % 24
    month.add("KeyUnwrap", _spread(dice, np.full(DAYS * 24, 12.0), 1.0))
    month.add("KeyGet", _spread(dice, np.where(workday & (clock >= 7) & (clock < 18), 20.0, 0.3), 2.0))
    nights = [d * DAY + 1.5 * HOUR + dice.uniform(-180, 180) + np.sort(dice.uniform(0, 360, dice.integers(52, 69)))
              for d in range(DAYS)]  # fmt: skip
    month.add("KeyWrap", np.concatenate(nights))
    bursts = [at + np.sort(dice.uniform(0, 300, dice.integers(20, 61)))
              for at in dice.uniform(0, DAYS * DAY - 300, dice.poisson(4 * DAYS))]  # fmt: skip
    month.add("KeySign", np.concatenate(bursts))
    rare = dice.uniform(0, DAYS * DAY - 60, dice.poisson(DAYS / 4) + 1)
    month.add("KeyListVersions", np.concatenate([rare, rare[: len(rare) // 3] + 20]))
    return month


def _spread(dice: np.random.Generator, rates: Any, dispersion: float) -> Any:
    """Times of events at these rates an hour, whose counts vary so much more than chance does."""
    if dispersion > 1:
        rates = dice.gamma(rates / (dispersion - 1), dispersion - 1)
    hours = np.repeat(np.arange(len(rates)), dice.poisson(rates))
    return hours * HOUR + dice.uniform(0, HOUR, len(hours))


# What is planted. Each returns where, or None where nobody could see it.


def burst(month: Month, shape: str, strength: str) -> Planted:
    """One hour, at a time of day when the shape is busy, has more than such an hour ever has."""
    return _more(month, shape, strength, day=23, clock={"batch": 1}.get(shape, 10))


def off_hours(month: Month, shape: str, strength: str) -> Planted:
    """Sunday at five in the morning: one hour has more than such an hour ever has."""
    return _more(month, shape, strength, day=20, clock=5)


def whole_day(month: Month, shape: str, strength: str) -> Planted:
    """A workday has more than any day of the month, spread evenly over its 24 hours."""
    daily = month.counts(SHAPES[shape], DAY)
    start = 22 * DAY
    count = TIMES[strength] * max(daily.max(), LEAST_PEAK) - daily[22]
    month.add(SHAPES[shape], start + month.dice.uniform(0, DAY, int(np.ceil(count))))
    return Planted(shape, SHAPES[shape], start, start + DAY, more=True)


def minute(month: Month, shape: str, strength: str) -> Planted:
    """One minute has more than such a minute ever has; the hour hardly shows it."""
    return _more(month, shape, strength, day=24, clock={"batch": 14}.get(shape, 11), width=60.0)


def _more(month: Month, shape: str, strength: str, *, day: int, clock: int, width: float = HOUR) -> Planted:
    name = SHAPES[shape]
    start = day * DAY + clock * HOUR + (0 if width == HOUR else 17 * 60)
    counts, bins = month.counts(name, width), np.arange(int(DAYS * DAY / width))
    hours, days = bins * width % DAY // HOUR, bins * width // DAY
    busy = {"office": (days % 7 < 5) & (hours >= 7) & (hours < 18), "batch": hours == 1}.get(shape, bins >= 0)
    alike = busy == busy[int(start // width)]
    peak = max(int(counts[alike].max()), LEAST_PEAK)
    count = max(int(np.ceil(TIMES[strength] * peak)) - int(counts[int(start // width)]), 1)
    month.add(name, start + month.dice.uniform(0, min(width, HOUR), count))
    return Planted(shape, name, start, start + width, more=True)


def fewer(month: Month, shape: str, strength: str) -> Planted | None:
    """Half a day lacks half of its events, four fifths, or all. Of what comes in bursts five days lack all.

    Four random bursts a day can become one for some days by chance, and nobody could tell.
    """
    if shape == "nearly never" or (shape == "bursty" and strength != "strong"):
        return None
    start = {"batch": 22 * DAY, "bursty": 16 * DAY}.get(shape, 22 * DAY + 7 * HOUR)
    end = start + {"bursty": 5 * DAY}.get(shape, 12 * HOUR)
    _thin(month, SHAPES[shape], start, end, {"weak": 0.5, "clear": 0.2, "strong": 0.0}[strength])
    return Planted(shape, SHAPES[shape], start, end, more=False)


def stopped(month: Month, shape: str, strength: str) -> Planted | None:
    """It ends, and the evidence goes on for six hours, two days or five."""
    if shape == "nearly never":
        return None
    start = DAYS * DAY - {"weak": 6 * HOUR, "clear": 2 * DAY, "strong": 5 * DAY}[strength]
    _thin(month, SHAPES[shape], start, DAYS * DAY, 0.0)
    return Planted(shape, SHAPES[shape], start, DAYS * DAY, more=False)


def first_ever(month: Month, shape: str, strength: str) -> Planted | None:
    """An operation that was never seen, once, five times or twenty in ten minutes."""
    if shape != "nearly never":
        return None
    start = 20 * DAY + 3 * HOUR
    month.add("KeyPurge", start + month.dice.uniform(0, 600, {"weak": 1, "clear": 5, "strong": 20}[strength]))
    return Planted(shape, "KeyPurge", start, start + HOUR, more=True)


def habit(month: Month, shape: str, strength: str) -> Planted:
    """From the nineteenth day on there is 1.3, 2 or 4 times as much."""
    name, since = SHAPES[shape], 18 * DAY
    factor = {"weak": 1.3, "clear": 2.0, "strong": 4.0}[strength]
    if shape == "nearly never":  # twice nearly never is nearly never: 1, 3 or 6 a day
        month.add(name, month.dice.uniform(since, DAYS * DAY, int(10 * {1.3: 1, 2.0: 3, 4.0: 6}[factor])))
    else:
        later = month.rows[name][month.rows[name]["s"] >= since]
        copies = later.sample(frac=factor - 1, replace=True, random_state=int(month.dice.integers(2**31)))
        month.add(name, copies["s"] + month.dice.uniform(-60, 60, len(copies)))
    return Planted(shape, name, since, DAYS * DAY, more=True)


def keys(month: Month, shape: str, strength: str) -> Planted:
    """One hour touches 4, 12 or 30 different keys, where 3 are in use."""
    name, start = SHAPES[shape], 24 * DAY + 14 * HOUR
    count = {"weak": 4, "clear": 12, "strong": 30}[strength]
    rows = month.rows[name]
    inside = (rows["s"] >= start) & (rows["s"] < start + HOUR)
    rows = rows[~(inside & (np.cumsum(inside) <= count))]
    month.rows[name] = rows
    month.add(name, start + month.dice.uniform(0, HOUR, count), keys=np.arange(count))
    return Planted(shape, name, start, start + HOUR, more=True)


def denials(month: Month, shape: str, strength: str) -> Planted | None:
    """In one busy hour a fifth of the requests is denied, half, or all; of what is nearly never used there is no share."""
    if shape == "nearly never":
        return None
    name = SHAPES[shape]
    counts = month.counts(name)
    hours = np.arange(len(counts))
    busy = hours[(hours >= 14 * 24) & (hours < 26 * 24) & (counts >= np.quantile(counts[counts > 0], 0.5))]
    start = float(busy[len(busy) // 2] * HOUR)
    rows = month.rows[name].reset_index(drop=True)
    inside = rows.index[(rows["s"] >= start) & (rows["s"] < start + HOUR)]
    share = {"weak": 0.2, "clear": 0.5, "strong": 1.0}[strength]
    rows.loc[inside[: int(np.ceil(share * len(inside)))], "denied"] = True
    month.rows[name] = rows
    return Planted(shape, name, start, start + HOUR, more=True)


def _thin(month: Month, name: str, start: float, end: float, kept: float) -> None:
    rows = month.rows[name]
    inside = (rows["s"] >= start) & (rows["s"] < end)
    month.rows[name] = rows[~inside | (month.dice.random(len(rows)) < kept)]


KINDS: dict[str, tuple[Callable[[Month, str, str], Planted | None], str, str]] = {
    "burst": (burst, "events", "hour"),
    "off hours": (off_hours, "events", "hour"),
    "whole day": (whole_day, "events", "hour"),
    "one minute": (minute, "events", "minute"),
    "fewer": (fewer, "events", "hour"),
    "stopped": (stopped, "events", "hour"),
    "first ever": (first_ever, "events", "hour"),
    "habit": (habit, "events", "hour"),
    "many keys": (keys, "distinct_keys", "hour"),
    "denials": (denials, "denied_share", "hour"),
}
ANALYSES = (("events", "hour"), ("events", "minute"), ("distinct_keys", "hour"), ("denied_share", "hour"))


# Who looks for them. Each yields (operation, start, end, more) of what it reports.

Report = tuple[str, float, float, bool]


def ours(events: pd.DataFrame, measure: str, every: str) -> Iterator[Report]:
    """Yield the rows of `analyse.anomalies` that it is confident of."""
    found = analyse.anomalies(events, measure=measure, every=every)
    for row in found[found["confident"]].itertuples():
        more = row.kind in {"more", "first_ever"} or (row.kind == "habit_changed" and row.value > row.expected)
        yield str(row.operation), _seconds(row.start), _seconds(row.end), more


def plain(way: str, events: pd.DataFrame, measure: str, every: str) -> Iterator[Report]:
    """Yield runs of bins that one of the plain ways flags, in the same series."""
    width = HOUR if every == "hour" else 60.0
    bins = int(DAYS * DAY / width)
    place = ((events["time"] - START).dt.total_seconds() // width).astype(int)
    for operation, rows in events.groupby("operation"):
        at = place[rows.index].to_numpy()
        value = np.bincount(at, minlength=bins).astype(float)
        if measure == "distinct_keys":
            value = np.bincount(pd.DataFrame({"at": at, "key": rows["key_name"].to_numpy()}).drop_duplicates()["at"],
                                minlength=bins).astype(float)  # fmt: skip
        if measure == "denied_share":
            value = np.bincount(at, (rows["outcome"] == "denied").to_numpy(float), minlength=bins) / np.maximum(
                value, 1
            )
        for flags, more in FLAGS[way](value, int(DAY / width)):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], flags, [0]])))
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                yield str(operation), start * width, end * width, more


def stl(value: Any, period: int) -> Iterator[tuple[Flags, bool]]:
    """Yield what msticpy's STL marks, by the side of the baseline it lies on: its own signs tell the season."""
    from msticpy.analysis.timeseries import ts_anomalies_stl

    # Shares are cut to whole numbers inside: given in per cent.
    scaled = value * (100 if 0 < value.max() <= 1 else 1)
    index = pd.date_range(START, periods=len(value), freq="h" if period == 24 else "min", name="time")
    # With a day of minutes as its period it takes minutes a series; an hour of them is what it can do.
    result = ts_anomalies_stl(pd.DataFrame({"n": scaled}, index=index), period=24 if period == 24 else 60)
    odd = result["anomalies"].to_numpy() != 0
    above = result["residual"].to_numpy() > 0
    yield odd & above, True
    yield odd & ~above, False


def z_score(value: Any, _: int) -> Iterator[tuple[Flags, bool]]:
    """Yield what lies more than three standard deviations from the mean."""
    z = (value - value.mean()) / (value.std() or 1)
    yield z > 3, True
    yield z < -3, False


def threshold(value: Any, period: int) -> Iterator[tuple[Flags, bool]]:
    """Yield what is more than twice the largest of the first week."""
    yield value > 2 * value[: 7 * period].max(initial=0), True


FLAGS = {"msticpy STL": stl, "z-score": z_score, "threshold": threshold}


def _seconds(moment: Any) -> float:
    return float((moment - START).total_seconds())


def hits(report: Report, planted: Planted) -> bool:
    """Whether a report is of what was planted."""
    operation, start, end, more = report
    return operation == planted.operation and more == planted.more and start < planted.end and end > planted.start


def reports(way: str, events: pd.DataFrame, measure: str, every: str) -> list[Report]:
    """All that one way reports."""
    return list(ours(events, measure, every) if way == "ours" else plain(way, events, measure, every))


def main() -> int:
    """Plant, look, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first seed: others than those that it was tuned on"
    )
    parser.add_argument("--only", nargs="*", default=[], help="kinds, or 'quiet'")
    parser.add_argument("--missed", action="store_true", help="say what ours missed or reported in vain")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="msticpy")
    found: dict[tuple[str, str, str, str], list[bool]] = defaultdict(list)
    right, wrong, quiet = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    spent = Counter[str]()
    for seed in range(given.first, given.first + given.seeds):
        for kind, (plant, measure, every) in KINDS.items():
            if given.only and kind not in given.only:
                continue
            for strength in STRENGTHS:
                month = ordinary(1000 * seed + 7 * list(KINDS).index(kind) + STRENGTHS.index(strength))
                planted = [one for shape in SHAPES if (one := plant(month, shape, strength))]
                events = month.frame()
                for way in given.ways:
                    begun = time.perf_counter()
                    told = reports(way, events, measure, every)
                    spent[way] += time.perf_counter() - begun
                    for one in planted:
                        found[way, kind, strength, one.shape].append(any(hits(report, one) for report in told))
                    ok = [any(hits(report, one) for one in planted) for report in told]
                    right[way] += sum(ok)
                    wrong[way] += len(ok) - sum(ok)
                    if given.missed and way == "ours":
                        _say(seed, kind, strength, planted, told)
        if not given.only or "quiet" in given.only:
            events = ordinary(1000 * seed + 999).frame()
            for way in given.ways:
                for measure, every in ANALYSES:
                    told = reports(way, events, measure, every)
                    quiet[way, f"{measure}, {every}"] += len(told)
                    if given.missed and way == "ours" and told:
                        print("quiet", seed, measure, every, told)
    return _judge(found, right, wrong, quiet, weeks=given.seeds * DAYS / 7, spent=spent)


def _say(seed: int, kind: str, strength: str, planted: list[Planted], told: list[Report]) -> None:
    for one in planted:
        if strength != "weak" and not any(hits(report, one) for report in told):
            print("missed", seed, kind, strength, one.shape)
    for report in told:
        if not any(hits(report, one) for one in planted):
            print(
                "in vain", seed, kind, strength, report[0], report[1] / DAY, (report[2] - report[1]) / HOUR, report[3]
            )


def _judge(found: Any, right: Any, wrong: Any, quiet: Any, *, weeks: float, spent: Any) -> int:
    def recall(way: str, **only: str) -> float:
        values = [
            hit
            for (its, kind, strength, shape), hits_ in found.items()
            if its == way and all({"kind": kind, "strength": strength, "shape": shape}[k] == v for k, v in only.items())
            for hit in hits_
        ]
        return float(np.mean(values)) if values else float("nan")

    ways = [way for way in WAYS if way in spent]
    print(f"| recall | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for what, names in (("strength", STRENGTHS), ("kind", KINDS), ("shape", SHAPES)):
        for name in names:
            print(f"| {name} | {' | '.join(_both(recall, way, {what: name}, what) for way in ways)} |")
    print(f"| **precision** | {' | '.join(f'{right[w] / max(right[w] + wrong[w], 1):.2f}' for w in ways)} |")
    for analysis in dict.fromkeys(name for _, name in quiet):
        print(
            f"| false alarms a quiet week, {analysis} | {' | '.join(f'{quiet[w, analysis] / weeks:.2f}' for w in ways)} |"
        )
    alarms = {way: sum(count for (its, _), count in quiet.items() if its == way) / weeks for way in ways}
    print(f"| **false alarms a quiet week** | {' | '.join(f'{alarms[w]:.2f}' for w in ways)} |")
    print(f"| seconds | {' | '.join(f'{spent[w]:.0f}' for w in ways)} |\n")
    upper = {way: np.nanmean([recall(way, strength=s) for s in STRENGTHS[1:]]) for way in ways}
    bars = {
        "all of the two higher strengths found": upper["ours"] == 1.0,
        f"at most {FALSE_ALARMS_A_WEEK:.0f} false alarm a quiet week": alarms["ours"] <= FALSE_ALARMS_A_WEEK,
        f"ahead of the other {len(ways) - 1} on both": all(
            upper["ours"] > upper[w] and alarms["ours"] < alarms[w] for w in ways if w != "ours"
        ),
    }
    for bar, met in bars.items():
        print(f"{'met' if met else 'MISSED'}: {bar}")
    return 0 if all(bars.values()) else 1


def _both(recall: Callable[..., float], way: str, only: dict[str, str], what: str) -> str:
    if what == "strength":
        return f"{recall(way, **only):.3f}"
    return " / ".join(f"{recall(way, strength=strength, **only):.2f}" for strength in STRENGTHS)


if __name__ == "__main__":
    sys.exit(main())
