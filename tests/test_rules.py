"""Every rule over the events: the pattern alone makes it speak, its nearest innocent neighbour does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest
from building import events

from mhsm_forensics import detect
from mhsm_forensics.rules import RULES, SEVERITIES

USUAL, NEW = "192.0.2.1", "198.51.100.9"
Row = dict[str, Any]


def days(count: int, first: str = "2026-01-05", clock: str = "10:00", **row: Any) -> list[Row]:
    """One event at the same time on each day; the first is a Monday."""
    return [{"at": f"{pd.Timestamp(f'{first} {clock}') + pd.Timedelta(days=n)}", **row} for n in range(count)]


def minutes(*rows: Row) -> list[Row]:
    """Rows a minute apart, from Friday 16 January at 03:00, unless they say when."""
    return [
        {"at": str(pd.Timestamp("2026-01-16 03:00") + pd.Timedelta(minutes=n)), **row} for n, row in enumerate(rows)
    ]


def of_keys(operation: str, count: int, **row: Any) -> list[Row]:
    return [{"operation": operation, "key_name": f"k{n}", **row} for n in range(count)]


@dataclass
class Case:
    """Rows that make a rule speak (those `planted` are its events) and rows that must not, or only more softly."""

    rule: str
    severity: str
    rows: list[Row]
    neighbour: list[Row]
    softly: str | None = None
    history: int = 10
    common: Row = field(default_factory=dict)

    def judge(self, rows: list[Row]) -> tuple[pd.DataFrame, list[Row]]:
        told = [*days(self.history), *(rows if rows and "at" in rows[0] else minutes(*rows))]
        return detect.run(events(*told, **self.common)), told


def planted(*rows: Row) -> list[Row]:
    return [{**row, "planted": True} for row in rows]


HOST = "https://contoso.managedhsm.azure.net"
UNNAMED = {"operation": "Op-17", "request_uri": f"{HOST}/keys"}
GRANT = {"operation": "RoleAssignmentCreate", "http_status": 201, "scope": "/", "assignment_id": "g1"}
UNGRANT = {"operation": "RoleAssignmentDelete", "scope": "/", "assignment_id": "g1"}
BACKUP = {"operation": "BackupCreate", "http_status": 202}
FIREWALL = "Client address (198.51.100.9) is not authorized and caller is not a trusted service"
REFUSED = {"http_status": 403, "caller_ip": NEW, "result_description": FIREWALL}
PURGE = {"operation": "KeyPurge", "http_status": 204}
UPDATE, RELEASE, DELETE, RECOVER = (
    {"operation": f"Key{name}", "key_name": "k"} for name in ("Update", "Release", "Delete", "Recover")
)
ARM = {"operation": "SettingUpdate", "setting": "AllowKeyManagementOperationsThroughARM"}
SIGN = {"operation": "KeySign", "key_name": "k"}
OPEN = {"operation": "KeyUnwrap", "key_name": "old"}
CLOSE = {"operation": "KeyWrap", "key_name": "new"}
BOB_SIGNS = days(20, operation="KeySign", key_name="k", principal="bob")
BOB_OPENS = days(11, operation="KeyUnwrap", key_name="k", principal="bob")
LATE_SIGNS = days(4, first="2026-01-20", operation="KeySign", key_name="k")

CASES = [
    Case("security-domain-download", "critical",
         planted({"operation": "SecurityDomainBackup", "http_status": 202}, {"operation": "SecurityDomainBackupStatusGet"}),
         [{"operation": "SecurityDomainBackup", "http_status": 403}]),
    Case("security-domain-upload", "high", planted({"operation": "SecurityDomainRestore", "http_status": 202}),
         [{"operation": "SecurityDomainTransferKeyGet"}]),
    Case("full-backup-not-routine", "critical", planted({**BACKUP, "caller_ip": NEW}), [{"operation": "BackupStatusGet"}]),
    Case("hsm-restored", "high", planted({"operation": "RestoreCreate", "http_status": 202}),
         [{"operation": "SelectiveKeyRestoreCreate", "http_status": 202, "key_name": "k"}], softly="medium"),
    Case("routine-full-backup", "info", planted(*days(6, **BACKUP)), days(2, **BACKUP), history=0),
    Case("keys-purged", "critical", planted(*of_keys("KeyPurge", 2, http_status=204)), of_keys("KeyPurge", 2, http_status=403)),
    Case("keys-deleted", "medium", planted(*of_keys("KeyDelete", 3)), of_keys("KeyDelete", 1), softly="low"),
    Case("key-rewrap", "critical",
         planted({"operation": "KeyCreate", "key_name": "new"}, *[OPEN, CLOSE] * 20, {**DELETE, "key_name": "old"}),
         [OPEN, {**CLOSE, "key_name": "old"}] * 20),
    Case("hsm-deleted", "critical", planted({"operation": "ManagedHsmDelete", "http_status": 202}),
         [{"operation": "ManagedHsmPatch"}]),
    Case("callers-of-lost-keys", "low", [DELETE, *planted({**SIGN, "http_status": 404})],
         [DELETE, RECOVER, {**SIGN, "http_status": 404}]),
    Case("key-backup-many", "high", planted(*of_keys("KeyBackup", 3, caller_ip=NEW)), of_keys("KeyBackup", 1), softly="low"),
    Case("key-release", "high", planted(UPDATE, RELEASE),
         [{**UPDATE, "key_name": "other"}, RELEASE], softly="medium"),
    Case("key-restored", "medium", planted(*[{"operation": "KeyRestore"}] * 3), [{"operation": "KeyRestore"}], softly="low"),
    Case("key-imported", "medium", planted({"operation": "KeyImport", "key_name": "k", "caller_ip": NEW}),
         [{"operation": "KeyImport", "key_name": "k"}], softly="low"),
    Case("keys-updated-many", "medium", planted(*of_keys("KeyUpdate", 5)), of_keys("KeyUpdate", 4)),
    Case("key-changed-by-stranger", "medium", planted({"operation": "KeyCreate", "key_name": "k", "caller_ip": NEW}),
         [{"operation": "KeyCreate", "key_name": "k"}]),
    Case("routine-key-rotation", "info", planted(*days(6, operation="KeyRotate", key_name="k")),
         days(2, operation="KeyRotate", key_name="k"), history=0),
    Case("grant-removed-again", "high", planted(GRANT, BACKUP, UNGRANT), [GRANT, BACKUP, {**UNGRANT, "principal": "bob"}]),
    Case("own-rights", "medium", planted({**BACKUP, "http_status": 403}, GRANT, BACKUP), [BACKUP, GRANT, BACKUP]),
    Case("role-assignment-written", "medium", planted(GRANT), [{**GRANT, "scope": "/keys/k"}], softly="low"),
    Case("role-definition-written", "medium", planted({"operation": "RoleDefinitionCreate", "http_status": 201}),
         [{"operation": "RoleDefinitionGet"}]),
    Case("role-removed", "low", planted(UNGRANT), [{**UNGRANT, "http_status": 403}]),
    Case("denied-then-allowed", "medium", planted({**PURGE, "http_status": 403}, PURGE), [PURGE, {**PURGE, "http_status": 403}]),
    Case("arm-trust-written", "high", planted(ARM), [{**ARM, "operation": "SettingGet"}]),
    Case("ekm-connection-changed", "medium", planted({"operation": "EkmConnectionUpdate"}),
         [{"operation": "EkmConnectionCheck"}]),
    Case("ekm-failing", "medium", planted(*[{"operation": "EkmProxyOperation", "http_status": 502}] * 10),
         [{"operation": "EkmProxyOperation", "http_status": 502}] * 9),
    Case("settings-changed", "low", planted({"operation": "SettingUpdate", "setting": "Other"}), [{"operation": "SettingList"}]),
    Case("refused-by-firewall", "high", [*planted(REFUSED), {"caller_ip": NEW}],
         [REFUSED, {"caller_ip": "203.0.113.4"}], softly="low"),
    Case("resource-changed", "low", planted({"operation": "ManagedHsmPatch"}), [{"operation": "ManagedHsmGet"}]),
    Case("use-burst", "medium", planted(*[OPEN] * 60), [OPEN] * 40),
    Case("signing-oracle", "medium", [*BOB_SIGNS, *planted(*LATE_SIGNS)],
         [*BOB_SIGNS, *days(15, operation="KeySign", key_name="k")]),
    Case("key-used-by-new-user", "low", [*BOB_OPENS, *planted({"at": "2026-01-16 10:30", **OPEN, "key_name": "k"})],
         [*BOB_OPENS, {"at": "2026-01-16 10:30", **OPEN}]),
    Case("enumeration", "medium", planted(*of_keys("KeyGet", 8, caller_ip=NEW)), of_keys("KeyGet", 7, caller_ip=NEW)),
    Case("rights-read", "low", planted({"operation": "RoleAssignmentList", "caller_ip": NEW}),
         [{"operation": "RoleAssignmentList"}]),
    Case("guessed-names", "low", planted(*of_keys("KeyGet", 5, http_status=404)),
         [{"operation": "KeyGet", "key_name": "k", "http_status": 404}] * 5),
    Case("managed-identity-elsewhere", "medium", planted({**SIGN, "caller_ip": NEW}), [SIGN],
         common={"principal_type": "managed_identity", "ip_scope": "public"}),
    Case("first-seen-address", "low", planted({**SIGN, "caller_ip": NEW}), [SIGN]),
    Case("token-at-two-addresses", "high", planted({"token_id": "t"}, {"token_id": "t", "caller_ip": NEW}),
         [{"token_id": "t"}, {"token_id": "u", "caller_ip": NEW}]),
    Case("token-used-elsewhere", "low", planted({"token_ip": "203.0.113.5"}), [{}], common={"token_ip": USUAL}),
    Case("two-places", "medium", planted(*[{}, {"caller_ip": NEW}] * 3), [{}, {"caller_ip": NEW}]),
    Case("first-seen-principal", "medium", planted({"operation": "KeyCreate", "principal": "mallory"}),
         [{"operation": "KeyGet", "principal": "mallory"}], softly="low"),
    Case("odd-hours", "low", planted({"operation": "SettingUpdate"}), [{"at": "2026-01-16 11:30", "operation": "SettingUpdate"}]),
    Case("first-seen-client", "low", planted({"operation": "KeyCreate", "client": "curl"}),
         [{"operation": "KeyGet", "client": "curl"}]),
    Case("denied-burst", "low", planted(*({"operation": name, "http_status": 403} for name in ("KeyList", "KeyGet", "KeySign"))),
         [{"operation": name, "http_status": 403} for name in ("KeyList", "KeyGet")]),
    Case("grave-operation-denied", "low", planted({**BACKUP, "http_status": 403}), [{"operation": "KeyGet", "http_status": 403}]),
    Case("contradiction", "medium", [DELETE, *planted({"at": "2026-01-16 03:10", **SIGN})],
         [DELETE, RECOVER, {"at": "2026-01-16 03:10", **SIGN}]),
    Case("operation-never-seen-before", "low", planted({"operation": "KeyGetAttestation"}), [{"operation": "KeyGet"}]),
    Case("unknown-operation", "low", planted({"operation": "LocalRbacGrant"}),
         [{"operation": "LocalRbacGrant", "request_uri": f"{HOST}/keys/k/backup"}]),
    Case("unnamed-operation", "info", [*planted(UNNAMED), UNNAMED], [{**UNNAMED, "operation": "KeyList"}]),
    Case("name-against-route", "low", planted({**PURGE, "operation": "KeyGet", "request_uri": f"{HOST}/deletedkeys/k"}),
         [{**PURGE, "request_uri": f"{HOST}/deletedkeys/k"}]),
]  # fmt: skip

POLL = {"operation": "BackupStatusGet", "job_id": "j"}
ON_MONDAY = {"at": "2026-01-05 09:00", **BACKUP, "principal": "bob"}
OTHERS = days(40, principal="bob")
DORMANT = [*days(8, operation="KeySign", key_name="k"), *OTHERS]
CASES += [
    Case("job-without-start", "low", planted(POLL, POLL), [BACKUP, POLL, POLL]),
    Case("dormant-principal", "low",
         [*DORMANT, *planted({"at": "2026-02-02 10:00", **SIGN})], [*DORMANT, {"at": "2026-02-02 10:00", "operation": "KeyGet"}],
         history=0),
]  # fmt: skip

SILENCES = {"silence", "silence-after-grave-act"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_pattern_alone_makes_the_rule_speak(case):
    found, told = case.judge(case.rows)

    (finding,) = found[found["rule_id"] == case.rule].to_dict("records")
    wanted = {f"e:{number:06d}" for number, row in enumerate(told, 1) if "planted" in row}
    assert set(finding["event_ids"]) == wanted
    assert finding["severity"] == case.severity


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_nearest_innocent_neighbour_does_not(case):
    found, _ = case.judge(case.neighbour)

    severities = set(found.loc[found["rule_id"] == case.rule, "severity"])
    assert severities <= ({case.softly} if case.softly else set())
    assert case.softly is None or SEVERITIES.index(case.softly) > SEVERITIES.index(case.severity)


def steadily(until: str) -> list[Row]:
    """Hsm-a logs every quarter of an hour for two weeks; hsm-b only so long."""
    hours = [str(pd.Timestamp("2026-01-05") + pd.Timedelta(minutes=15 * n)) for n in range(14 * 96)]
    return [{"at": at, "hsm": hsm} for at in hours for hsm in ("hsm-a", "hsm-b") if hsm == "hsm-a" or at < until]


@pytest.mark.parametrize(
    ("act", "rule"),
    [
        ({"operation": "KeyPurge", "key_name": "k", "http_status": 204}, "silence-after-grave-act"),
        ({"operation": "KeyGet", "key_name": "k"}, "silence"),
    ],
)
def test_a_silence_after_an_act_of_destruction_says_so(act, rule):
    rows = [{"at": "2026-01-14 23:50", "hsm": "hsm-b", **act}, *steadily("2026-01-15")]

    found = detect.run(events(*rows))

    (finding,) = found[found["rule_id"].isin(SILENCES)].to_dict("records")
    assert (finding["rule_id"], finding["severity"]) == (rule, "high")
    assert "e:000001" in finding["event_ids"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([ON_MONDAY, {"at": "2026-01-16 03:00", **POLL}], True),  # the start is too long ago
        ([{"at": "2026-01-05 08:00", **POLL}], False),  # nothing is known of the day before
        (
            [{"at": "2026-01-16 02:00", **BACKUP}, *minutes(POLL, {**POLL, "job_id": "other"})],
            True,
        ),  # a start for each job
        ([{"at": "2026-01-16 02:00", "hsm": "hsm-b", **BACKUP}, *minutes(POLL)], True),
        ([{"at": "2026-01-16 02:00", **BACKUP, "http_status": 403}, *minutes(POLL)], True),
        ([{"at": "2026-01-16 02:00", "operation": "PreBackupCreate", "http_status": 202}, *minutes(POLL)], False),
        (minutes({**POLL, "http_status": 404}), False),  # there is no such job
    ],
)
def test_a_start_explains_one_job_of_its_hsm_that_is_asked_for_within_a_day(rows, told):
    found = detect.run(events(*days(10), *rows))

    assert ("job-without-start" in set(found["rule_id"])) is told


def test_a_gap_in_the_log_explains_a_job_without_a_start():
    steady = [{"at": str(pd.Timestamp("2026-01-05") + pd.Timedelta(minutes=15 * n))} for n in range(12 * 96)]
    gap = [row for row in steady if not "2026-01-15 03" < row["at"] < "2026-01-15 12"]
    poll = {"at": "2026-01-15 20:00", **POLL}

    whole, torn = (set(detect.run(events(*rows, poll))["rule_id"]) for rows in (steady, gap))

    assert "job-without-start" in whole
    assert "job-without-start" not in torn
    assert "silence" in torn


def test_a_question_for_a_download_that_nobody_began_is_told_and_one_after_it_is_not():
    poll, download = (
        {"operation": "SecurityDomainBackupStatusGet"},
        {"operation": "SecurityDomainBackup", "http_status": 202},
    )

    lone, after = (detect.run(events(*days(10), *minutes(*rows))) for rows in ((poll,), (download, poll, poll)))

    (finding,) = lone[lone["rule_id"] == "job-without-start"].to_dict("records")
    assert (finding["severity"], finding["confidence"]) == ("medium", "low")
    assert "job-without-start" not in set(after["rule_id"])


WEEKLY = [{"at": f"{pd.Timestamp('2026-01-05 10:00') + pd.Timedelta(weeks=n)}", **SIGN} for n in range(4)]
MONTHLY = [{"at": f"2026-{month:02d}-{day:02d} 10:00", **SIGN} for month in (1, 2) for day in (5, 6, 7)]


@pytest.mark.parametrize(
    "rows",
    [
        [*OTHERS, *WEEKLY, {"at": "2026-02-10 10:00", **SIGN}],  # two weeks are twice its usual pause
        [*days(60, principal="bob"), *MONTHLY, {"at": "2026-03-05 10:00", **SIGN}],  # so it goes each month
        [*days(8, **SIGN), {"at": "2026-02-02 10:00", **SIGN}],  # the log has nobody else in between
        [*OTHERS, *days(8, **SIGN), {"at": "2026-01-24 10:00", **SIGN}],  # twelve days
    ],
)
def test_a_pause_in_its_rhythm_or_without_a_log_is_no_silence(rows):
    found = detect.run(events(*rows))

    assert not (found["rule_id"].eq("dormant-principal") & found["last_time"].gt(pd.Timestamp("2026-02-08T12Z"))).any()
    if rows[-1]["at"] < "2026-02-08":
        assert "dormant-principal" not in set(found["rule_id"])


def test_who_comes_back_from_elsewhere_for_something_grave_is_graver():
    found = detect.run(events(*DORMANT, {"at": "2026-02-02 10:00", **DELETE, "caller_ip": NEW}))

    assert found.set_index("rule_id").loc["dormant-principal", "severity"] == "high"


def test_a_restore_says_whom_it_stopped_and_what_it_may_undo():
    found = detect.run(events(*days(10), *minutes(
        UNGRANT, {"operation": "RestoreCreate", "http_status": 202}, {**SIGN, "principal": "bob", "http_status": 409}
    )))  # fmt: skip

    (title,) = found.loc[found["rule_id"] == "hsm-restored", "title"]
    assert title.endswith("; 1 removal of rights before it may be undone; 1 request of others failed in the hour after")


def rotating(operation: str, count: int, **row: Any) -> list[Row]:
    """Each request about another key, and from another address."""
    return minutes(
        *({**one, "caller_ip": f"198.51.100.{n}"} for n, one in enumerate(of_keys(operation, count, **row), 1))
    )


@pytest.mark.parametrize(("operation", "status", "rule", "severity"), [
    ("KeyBackup", 200, "key-backup-many", "high"),
    ("KeyPurge", 204, "keys-purged", "critical"),
    ("KeyGet", 200, "enumeration", "medium"),
    ("KeyDelete", 403, "denied-burst", "medium"),
])  # fmt: skip
def test_a_new_address_for_every_request_hides_nothing_and_makes_no_heap(operation, status, rule, severity):
    rows = rotating(operation, 12, http_status=status)
    one = minutes(*({**row, "caller_ip": NEW} for row in rows))

    found, plain = (detect.run(events(*days(10), *told)) for told in (rows, one))

    (finding,) = found[found["rule_id"] == rule].to_dict("records")
    assert (finding["severity"], finding["events"], len(found) <= len(plain) + 1) == (severity, 12, True)
    assert "and 11 other addresses" in finding["title"]
    assert finding["severity"] == plain.set_index("rule_id").loc[rule, "severity"]


def test_an_address_taken_up_every_few_weeks_is_a_finding_each():
    moves = [row for n in range(5) for row in days(25, str(pd.Timestamp("2026-01-05") + pd.Timedelta(days=25 * n))[:10],
             operation="KeyDelete", key_name="k", caller_ip=f"198.51.100.{n + 1}")]  # fmt: skip

    found = detect.run(events(*moves))

    assert found.loc[found["rule_id"] == "first-seen-address", "events"].tolist() == [25] * 4


def test_two_people_behind_one_identity_stay_apart_and_so_do_callers_without_any():
    own, other = ([{**row, "caller_ip": ip} for row in of_keys("KeyBackup", 3)] for ip in (USUAL, NEW))
    nobody = [{**row, "principal": None} for row in rotating("KeyDelete", 4, http_status=403)]

    found = detect.run(events(*days(10), *minutes(*own, *other), *nobody))

    assert sorted(found.loc[found["rule_id"] == "key-backup-many", "events"]) == [3, 3]
    assert set(found.loc[found["principal"].isna(), "events"]) == {1}


def test_every_rule_over_events_is_proved_here():
    """Those that compare routes rest on witnesses, and are proved in test_routes."""
    over_events = {rule.id for rule in RULES if rule.tables == ("events",) and rule.routes == 1}

    assert {case.rule for case in CASES} | SILENCES == over_events


def test_a_newcomer_that_uses_only_keys_of_its_own_make_is_less_grave_than_one_that_uses_those_of_others():
    days = [{"at": f"2026-01-{day:02d} {hour:02d}:00", "principal": "svc"} for day in range(1, 8) for hour in range(24)]
    burst = [{"at": f"2026-01-08 10:{n // 60:02d}:{n % 60:02d}", "principal": "new", "operation": "KeyWrap", "key_name": "own"}
             for n in range(70)]  # fmt: skip
    made = {"at": "2026-01-08 09:59", "principal": "new", "operation": "KeyCreate", "key_name": "own"}

    others, own = (detect.run(events(*days, *rows)).set_index("rule_id") for rows in (burst, [made, *burst]))

    assert others.loc["use-burst", "severity"] == "high"
    assert own.loc["use-burst", "severity"] == "medium"
