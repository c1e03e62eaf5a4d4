"""The judges of the name test hold: a loss is a loss, a wrong sentence is one, and a true one is none."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import names
from naming import judging, reading, renaming, sentences, truth
from naming.acts import acts, readings
from naming.logs import LOGS


@cache
def held(name: str) -> dict[str, bytes]:
    lines = next(log for log in LOGS if log.name == name).lines(0)
    return {"": "\n".join(lines).encode()}  # as a frame: no case is needed to judge findings


@cache
def before(name: str) -> reading.Read:
    return reading.read(held(name))


def asked(operation: str, *things: str, status: int = 0) -> list[truth.Request]:
    act = acts()[operation]
    return [truth.Request(act, status or act.success, thing, thing, "who") for thing in things or ("",)]


def complaints(
    title: str, own: list[truth.Request], rule: str = "", log: list[truth.Request] | None = None
) -> list[str]:
    return list(sentences.wrong(rule, title, "", own, log or own))


# findings


@pytest.mark.parametrize("name", ["small_full_restore", "small_purge"])
def test_nothing_is_lost_where_nothing_changed(name):
    assert before(name).findings["severity"].isin(["high", "critical"]).any()
    assert list(judging.lost(before(name), before(name))) == []


@pytest.mark.parametrize(("name", "rule"), [("small_full_restore", "hsm-restored"), ("small_purge", "keys-purged")])
def test_a_finding_that_is_gone_is_lost(name, rule):
    found = before(name).findings
    without = replace(before(name), findings=found[found["rule_id"] != rule])

    (told,) = judging.lost(before(name), without)
    assert rule in told


@pytest.mark.parametrize("rule", ["unknown-operation", "operation-never-seen-before", "first-seen-address"])
def test_a_catch_all_keeps_nothing_nor_does_who_keep_what(rule):
    after = replace(
        before("small_purge"), findings=before("small_purge").findings.assign(rule_id=rule, severity="critical")
    )

    assert len(list(judging.lost(before("small_purge"), after))) >= 1


def test_one_step_less_keeps_and_two_do_not():
    found = before("small_full_restore").findings
    own = found[found["rule_id"] == "hsm-restored"]
    critical = replace(before("small_full_restore"), findings=own.assign(severity="critical"))

    kept = [
        list(judging.lost(critical, replace(critical, findings=own.assign(severity=severity, rule_id="another"))))
        for severity in ("critical", "high", "medium")
    ]
    assert [len(one) for one in kept] == [0, 0, 1]


def test_a_fifth_of_the_events_may_go_and_no_more():
    row = before("small_full_restore").findings.iloc[[0]].assign(rule_id="keys-purged", severity="critical")

    def with_events(count: int) -> reading.Read:
        return replace(
            before("small_full_restore"), findings=row.assign(places=[frozenset(("", n) for n in range(count))])
        )

    assert list(judging.lost(with_events(10), with_events(8))) == []
    assert len(list(judging.lost(with_events(10), with_events(7)))) == 1


def test_an_alarm_of_a_name_counts_only_where_uri_and_status_explain_it():
    row = (
        before("small_full_restore")
        .findings.iloc[[0]]
        .assign(rule_id="unknown-operation", places=[frozenset({("", 1)})])
    )
    cried = replace(before("small_full_restore"), findings=row.assign(severity="low"))
    quiet = replace(before("small_full_restore"), findings=row.assign(severity="info"))

    assert list(judging.alarms(cried, {("", 1): asked("RestoreCreate")[0]})) == ["low: RestoreCreate"]
    assert list(judging.alarms(cried, {("", 1): asked("InvalidPath")[0]})) == []
    assert list(judging.alarms(quiet, {("", 1): asked("RestoreCreate")[0]})) == []


# sentences


@pytest.mark.parametrize(
    ("title", "own"),
    [
        ("Restore of the whole HSM accepted: x", asked("RestoreCreate")),
        ("Restore of 2 keys accepted: x", asked("SelectiveKeyRestoreCreate", "a", "b")),
        ("4 role assignments and 1 custom role removed: x",
         asked("RoleAssignmentDelete", *"abcd") + asked("RoleDefinitionDelete", "e")),
        ("3 role assignments read or removed: x", asked("RoleAssignmentDelete", "a", "b") + asked("RoleAssignmentGet", "c")),
        ("2 keys purged for good: x; 2 deleted at most 9 s before", asked("KeyPurge", "a", "b")),
        ("1 key released, 2 times: x", asked("KeyRelease", "a", "a")),
        ("The setting that lets Azure Resource Manager manage keys was written: x", asked("SettingUpdate", "a")),
        ("The setting that lets Azure Resource Manager manage keys was read or written: x", asked("SettingGet", "a")),
        ("12 keys listed or read in a row: x", asked("KeyGet", *"abcdefghijkl") + asked("KeyList")),
        ("KeyPurge denied: x", asked("KeyPurge", "a", status=403)),
        ("New address after 12 days: 2 requests, 1 of them control operations, 0 denied: x",
         asked("KeyList") + asked("KeyPurge", "a")),
        ("Roles or settings read (Zbcd): x", asked("SettingsList")),
    ],
)  # fmt: skip
def test_a_true_sentence_is_not_blamed(title, own):
    assert complaints(title, own) == []


@pytest.mark.parametrize(
    ("title", "own"),
    [
        ("Restore of 0 keys accepted: x", asked("RestoreCreate")),
        ("Restore of 1 key accepted: x", asked("RestoreCreate")),
        ("Restore of the whole HSM accepted: x", asked("SelectiveKeyRestoreCreate", "a")),
        ("Restore of 2 keys accepted: x", asked("SelectiveKeyRestoreCreate", "a")),
        ("1 key backed up: x", asked("BackupCreate")),
        ("Full backup accepted: x", asked("KeyBackup", "a")),
        ("3 keys backed up: x", asked("KeyBackup", "a", "b")),
        ("Security domain upload accepted: x", asked("SecurityDomainBackup")),
        ("2 role assignments written: x", asked("RoleAssignmentDelete", "a", "b")),
        ("1 role assignment removed: x", asked("RoleAssignmentGet", "a")),
        ("2 role assignments removed: x", asked("RoleAssignmentDelete", "a") + asked("RoleAssignmentGet", "b")),
        ("Roles or settings read (Zbcd): x", asked("SettingUpdate", "a")),
        ("The setting that lets Azure Resource Manager manage keys was written: x", asked("SettingGet", "a")),
        ("2 keys deleted: x", asked("KeyImport", "a", "b")),
        ("New address after 12 days: 2 requests, 0 of them control operations: x", asked("KeyPurge", "a", "b")),
        ("Operations that no source knows (Zb; by their URI key read), 1 time: x", asked("KeySign", "a")),
        ("Operations that no source knows (Zb; their URI says nothing either), 1 time: x", asked("KeySign", "a")),
        ("3 requests denied, 3 kinds of operation: x", asked("KeyList", "a", "b", "c", status=403)),
        ("Security domain download accepted: x; 2 full backups by it within 7 days", asked("SecurityDomainBackup")),
    ],
)
def test_a_wrong_sentence_is_blamed(title, own):
    assert complaints(title, own)


def test_a_rule_on_events_of_another_act_is_blamed_unless_it_says_both_readings():
    got = asked("RoleAssignmentGet", "a")

    assert complaints("Something happened: x", got, "role-removed")
    assert complaints("1 role assignment read or removed: x", got, "role-removed") == []


# names and logs


@pytest.mark.parametrize("half", renaming.HALVES)
@pytest.mark.parametrize("mode", ["plausible", "opaque"])
def test_names_are_others_one_for_each_operation_and_the_same_for_a_seed(mode, half):
    given = {name: renaming.renamer(mode, half, 3)(name) for name in acts()}

    assert given.keys().isdisjoint(given.values())
    assert len(set(given.values())) == len(given)
    assert given == {name: renaming.renamer(mode, half, 3)(name) for name in acts()}
    assert given != {name: renaming.renamer(mode, half, 4)(name) for name in acts()}


def test_nothing_but_the_name_is_replaced():
    line = b'{"operationName":"KeyPurge","operationVersion":"7.6","why":"KeyPurge"}'

    assert renaming.renamed(line, lambda _: "Z") == line.replace(b'"operationName":"KeyPurge"', b'"operationName":"Z"')
    assert renaming.renamed(line, str) == line


def test_the_halves_share_no_plausible_name_and_no_telling():
    dev, measure = ({name for act in acts().values() for name in getattr(act, half)} for half in renaming.HALVES)
    assert dev.isdisjoint(measure)

    told = [names.jobs(half, 4, None) for half in renaming.HALVES]
    by_seed = [{(name, seed) for name, _, seed in jobs if name not in names.FIXED} for jobs in told]
    assert by_seed[0].isdisjoint(by_seed[1])
    assert {name for name, _ in by_seed[0]} == {name for name, _ in by_seed[1]}


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_the_truth_knows_every_line_of_a_small_log(log):
    lines = log.lines(1)

    assert lines == log.lines(1) != log.lines(2)
    assert len(truth.told(lines)) == len(lines)


def test_a_reading_is_what_route_and_status_leave_open():
    assert readings("RoleAssignmentDelete", 200) == {"read", "delete"}
    assert readings("RoleAssignmentCreate", 201) == {"write"}
    assert readings("KeyPurge", 204) == {"purge"}
    assert readings("KeyPurge", 403) == {"purge", "read"}


def test_other_numbers_of_the_same_events_are_blamed_but_not_control_operations():
    found = before("small_purge").findings
    row = found[found["rule_id"] == "keys-purged"]

    def titled(title: str) -> reading.Read:
        return replace(before("small_purge"), findings=row.assign(title=title))

    first = titled("2 keys purged (KeyPurge, 7 times): x from 10.0.0.1, 2026-05-16 02:01Z; 2 of them control")
    same = titled(
        "2 keys purged (Purge (logged as Zbcd), 3 times): x from 10.0.0.7, 2026-05-17 02:01Z; 2 of them control operations"
    )
    assert list(judging.recounted(first, same)) == []
    assert len(list(judging.recounted(first, titled("3 keys purged (KeyPurge): x")))) == 1
