"""Findings before and after the names were replaced: what was kept, what became wrong, what came anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .acts import CONTROL, readings
from .reading import Place, Read, files, read, truth
from .renaming import renamer
from .sentences import RULE_ACTS, is_understood, outside, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .truth import Request

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
KEPT: Final = 0.8  # of a finding's events must be in findings that keep it

# Rules that say no more than that nobody knows the name, or that nobody used it before: any new name makes them speak, so
# they keep nothing.
UNKNOWN: Final = frozenset({"unknown-operation", "unnamed-operation"})
CATCH_ALL: Final = UNKNOWN | {"operation-never-seen-before"}
# Rules that say who asked from where or when, and not what was done. One of them keeps another of them, but not an act: to
# hear of a new address is not to hear that the HSM was restored.
WHO: Final = frozenset(
    {
        "first-seen-address", "first-seen-client", "first-seen-principal", "odd-hours", "dormant-principal", "two-places",
        "token-at-two-addresses", "token-used-elsewhere", "managed-identity-elsewhere",
    }
)  # fmt: skip
# Rules that hold something against the log. Other names make no log incomplete: what they say anew is wrong.
ACCUSING: Final = frozenset({"contradiction", "job-without-start", "route-lacks-records", "name-against-route"})


@dataclass(frozen=True, slots=True)
class Judged:
    """One log under other names, held against itself under its true ones."""

    name: str
    half: str
    seed: int
    mode: str
    grave: int  # findings of high or critical under the true names
    grave_after: int
    lost: tuple[str, ...]  # of these, what no finding keeps
    wrong: tuple[str, ...]  # sentences that became wrong
    anew: tuple[str, ...]  # findings of medium or more that nothing under the true names stands for
    wrong_before: tuple[str, ...]  # sentences that are wrong under the true names: of the rule, or of this judge
    medium_before: int  # findings of medium or more
    medium_after: int
    alarms: tuple[str, ...]  # "no source knows" above info, of calls that URI and status explain
    titles: int  # of acts, under other names, and how many of them the judge of sentences understands
    understood: int


def judge(name: str, half: str, seed: int, modes: tuple[str, ...]) -> list[Judged]:
    """Judge one log under each kind of other names."""
    held = files(name, seed)
    asked, before = truth(held), read(held)
    said = dict(_wrong(before, asked))
    results = []
    for mode in modes:
        after = read(held, renamer(mode, half, seed))
        now = {key: text for key, text in _wrong(after, asked) if key not in said}
        now |= dict(_shown(before, after)) | dict(_accusations(before, after)) | dict(recounted(before, after))
        grave, medium = (
            [int((_ranks(one) >= SEVERITIES.index(least)).sum()) for one in (before, after)]
            for least in ("high", "medium")
        )
        titles = after.findings.loc[~after.findings["rule_id"].isin(CATCH_ALL | WHO | ACCUSING), "title"]
        results.append(
            Judged(
                name, half, seed, mode, *grave, tuple(lost(before, after)), tuple(now.values()),
                tuple(lost(after, before, "medium")), tuple(said.values()),
                *medium, tuple(alarms(after, asked)), len(titles), sum(map(is_understood, titles)),
            )
        )  # fmt: skip
    return results


def lost(before: Read, after: Read, least: str = "high") -> Iterator[str]:
    """Yield each finding of high or critical of which too few events are in findings at most one step less severe."""
    kept = [(row.rule_id, SEVERITIES.index(row.severity), row.places) for row in after.findings.itertuples()]
    for row in before.findings.itertuples():
        rank = SEVERITIES.index(row.severity)
        if rank < SEVERITIES.index(least) or not row.places or row.rule_id in CATCH_ALL:
            continue
        helpless = CATCH_ALL if row.rule_id in WHO else CATCH_ALL | WHO
        covered = [places for rule, other, places in kept if rule not in helpless and other >= rank - 1]
        if len(row.places.intersection(frozenset().union(*covered))) < KEPT * len(row.places):
            yield f"{row.severity} {row.rule_id}: {row.title}"


def alarms(after: Read, asked: dict[Place, Request]) -> Iterator[str]:
    """Yield each finding above info that says no source knows a call, though its URI and status explain it."""
    for row in after.findings.itertuples():
        if row.rule_id in UNKNOWN and row.severity != "info":
            explained = {
                asked[place].act.operation for place in row.places if place in asked and asked[place].act.is_explained
            }
            if explained:
                yield f"{row.severity}: {', '.join(sorted(explained))}"


def recounted(before: Read, after: Read) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield what a rule counts otherwise though it looks at the same events; control operations are judged on their own."""
    first = {(row.rule_id, row.places): _counts(row.title) for row in before.findings.itertuples()}
    for row in after.findings.itertuples():
        counts = _counts(row.title)
        if counts != first.get((row.rule_id, row.places), counts):
            told = f"{first[row.rule_id, row.places]} under true names"
            yield (
                ("counted", row.rule_id, row.places),
                f"{row.severity} {row.rule_id}: counts {counts}, {told}: {row.title}",
            )


def _ranks(one: Read) -> pd.Series[int]:
    return one.findings["severity"].map(SEVERITIES.index)


def _wrong(one: Read, asked: dict[Place, Request]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield every sentence that is wrong, with what makes it the same sentence under other names."""
    log = list(asked.values())
    for row in one.findings.itertuples():
        own = [asked[place] for place in row.places if place in asked]
        for complaint in wrong(row.rule_id, row.title, row.why, own, log):
            yield (row.rule_id, row.places, complaint), f"{row.severity} {row.rule_id}: {complaint}: {row.title}"
    yield from _looked_for(one, log)
    yield from _counted(one, log)


def _looked_for(one: Read, log: list[Request]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield where it is said that acts of a rule are not there, or fewer were looked at than there are."""
    for row in one.looked_for.itertuples():
        asked = [request for request in log if request.act.operation in RULE_ACTS.get(row.rule_id, ())]
        if "none of them is in the events" in str(row.reason) and asked:
            yield (row.rule_id, row.reason), f"{row.rule_id}: {row.reason}; there are {len(asked)}"
        if row.testable == "yes" and row.rows_examined < len(asked):
            yield (row.rule_id, "rows"), f"{row.rule_id}: {row.rows_examined} rows examined; there are {len(asked)}"


def _counted(one: Read, log: list[Request]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield where the overview counts other control operations of somebody than there were."""
    for who, count in (one.control or {}).items():
        kinds = [readings(request.act.operation, request.status) for request in log if request.who == who]
        least, most = sum(kind <= CONTROL for kind in kinds), sum(not kind.isdisjoint(CONTROL) for kind in kinds)
        if not least <= count <= most:
            yield ("control", who), f"overview: {count} control operations of {who}; it was {least} to {most}"


def _shown(before: Read, after: Read) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield what the overview says otherwise: nothing above the table of people rests on names, but how many are unknown."""
    first, second = (one.shown.split("\nWho", 1)[0].splitlines() for one in (before, after))
    for line in second:
        if line not in first and "operation name" not in line:
            yield ("shown", line), f"overview: {line}"


def _counts(title: str) -> list[str]:
    """Return the numbers of a title that are no part of a time, an address or an id."""
    return re.findall(
        r"(?<![\w.:-])\d[\d,]*(?![\w.:-])", re.sub(r"\d+ of them (?:control|to change)", "", outside(title))
    )


def _accusations(before: Read, after: Read) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield what is held against the log under other names only."""
    old = before.findings[before.findings["rule_id"].isin(ACCUSING)]
    known = frozenset().union(*old["places"])
    for row in after.findings[after.findings["rule_id"].isin(ACCUSING)].itertuples():
        if not row.places <= known:
            yield ("accused", row.rule_id, row.title), f"{row.severity} {row.rule_id}: accuses the log: {row.title}"
