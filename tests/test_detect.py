from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from building import SAMPLES, copy_of, events

from mhsm_forensics import detect, ingest, operations, playbook, schema
from mhsm_forensics.errors import InputError
from mhsm_forensics.rules import RULES, SEVERITIES

TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))
ATTACKER = TRUTH["attacker"]


def days(count: int, **row: object) -> list:
    """One event at ten on each day from 5 January 2026, a Monday."""
    return [{"at": f"{pd.Timestamp('2026-01-05') + pd.Timedelta(days=day, hours=10)}", **row} for day in range(count)]


def judged(*rows: dict, history: int = 10, **common: object) -> pd.DataFrame:
    """Findings on *rows* (from 16 January) after some days of ordinary reads by the same principal."""
    moments = [
        {"at": str(pd.Timestamp("2026-01-16 03:00") + pd.Timedelta(minutes=n)), **row} for n, row in enumerate(rows)
    ]
    return detect.run(events(*days(history), *moments, **common))


def only(found: pd.DataFrame, rule_id: str) -> dict:
    rows = found[found["rule_id"] == rule_id].to_dict("records")
    assert len(rows) == 1, found[["rule_id", "title"]].to_string()
    return rows[0]


def at_most(severity: str) -> set[str]:
    return set(SEVERITIES[SEVERITIES.index(severity) :])


# the sample incident


def acts_of(phase: str, operation: str, status: int) -> list[dict]:
    (found,) = (p for p in TRUTH["phases"] if p["phase"] == phase)
    return [act for act in found["acts"] if act["operation"] == operation and act["status"] == status]


@pytest.fixture(scope="session")
def log(incident):
    return incident.events.df(["event_id", "time", "hsm", "operation", "http_status", "object_id"])


@pytest.mark.parametrize(
    ("rule_id", "phase", "operation", "status", "severities"),
    [
        ("full-backup-not-routine", "theft", "BackupCreate", 202, {"critical"}),
        ("key-backup-many", "theft", "KeyBackup", 200, {"high", "critical"}),
        ("own-rights", "escalation", "RoleAssignmentCreate", 201, {"high", "critical"}),
        ("own-rights", "escalation", "RoleDefinitionCreate", 201, {"high", "critical"}),
        ("denied-then-allowed", "escalation", "RoleAssignmentCreate", 403, {"high"}),
        ("enumeration", "recon", "KeyListVersions", 200, {"medium"}),
        ("use-burst", "decryption", "KeyUnwrap", 200, {"high", "critical"}),
        ("keys-deleted", "destruction", "KeyDelete", 200, {"high", "critical"}),
        ("keys-purged", "destruction", "KeyPurge", 204, {"critical"}),
        ("own-rights", "destruction", "RoleDefinitionCreate", 201, {"high", "critical"}),
    ],
)
def test_every_act_of_the_intruder_is_found(findings, log, rule_id, phase, operation, status, severities):
    acts = acts_of(phase, operation, status)
    assert acts

    for act in acts:
        first, last = pd.Timestamp(act["first_time"]), pd.Timestamp(act["last_time"]) + pd.Timedelta(milliseconds=1)
        own = log[(log["operation"] == operation) & (log["http_status"] == status) & (log["hsm"] == act["hsm"])]
        ids = set(own.loc[own["time"].between(first, last) & (own["object_id"] == ATTACKER["object_id"]), "event_id"])
        assert len(ids) == act["count"]
        near = findings[(findings["rule_id"] == rule_id) & (findings["hsm"] == act["hsm"])]
        (finding,) = near[near["event_ids"].map(lambda told, ids=ids: ids <= set(told))].to_dict("records")
        assert finding["severity"] in severities
        assert finding["object_id"] == ATTACKER["object_id"]
        assert finding["caller_ip"] in ATTACKER["addresses"]
        assert set(finding["keys"]) >= set(act["keys"])


def test_the_security_domain_is_found_with_its_polls(findings):
    finding = only(findings, "security-domain-download")

    assert (finding["severity"], finding["object_id"]) == ("critical", ATTACKER["object_id"])
    polls = acts_of("theft", "SecurityDomainBackupStatusGet", 200)[0]["count"]
    assert finding["events"] == 1 + polls
    assert "accepted" in finding["title"]


def test_both_addresses_and_both_silences_are_found(findings):
    places = findings[findings["rule_id"] == "first-seen-address"]
    assert set(places["caller_ip"]) == set(ATTACKER["addresses"])
    assert places["events"].sum() == ATTACKER["events"]

    silences = findings[findings["rule_id"].isin(["silence", "silence-after-grave-act"])]
    assert set(silences["hsm"]) == {s["hsm"] for s in TRUTH["silence"]}
    assert set(silences["severity"]) == {"high"}


def test_the_rights_that_the_intruder_wrote_are_told_with_what_they_were_used_for(findings):
    titles = findings.loc[findings["rule_id"] == "own-rights", "title"].tolist()

    assert "KeyBackup, BackupCreate, SecurityDomainBackup (14 times)" in titles[0]
    assert "it had been denied BackupCreate, SecurityDomainBackup" in titles[0]
    assert "KeyPurge (5 times)" in titles[-1]


def test_the_first_findings_are_the_root_of_trust_and_what_is_gone_for_good(findings):
    assert findings["rule_id"][:3].tolist() == ["security-domain-download", "keys-purged", "full-backup-not-routine"]


def test_no_event_is_cried_out_three_times(findings):
    broad = {rule.id for rule in RULES if rule.broad}
    loud = findings[~findings["severity"].isin(at_most("medium")) & ~findings["rule_id"].isin(broad)]

    assert loud["event_ids"].explode().value_counts().max() <= 2


def test_the_two_weeks_before_stay_quiet(findings):
    before = findings[findings["first_time"] < pd.Timestamp(TRUTH["t0"])]

    assert set(before["severity"]) <= at_most("low")


def test_what_only_looks_bad_is_at_most_medium(findings):
    alarms = findings[~findings["severity"].isin(at_most("medium"))]

    for benign in TRUTH["benign"]:
        if benign["object_id"] != ATTACKER["object_id"]:
            assert alarms[alarms["object_id"] == benign["object_id"]].empty, benign["what"]


def test_the_nightly_backups_are_told_as_routine(findings):
    routine = findings[findings["rule_id"] == "routine-full-backup"]

    assert set(routine["severity"]) == {"info"}
    nights = next(b for b in TRUTH["benign"] if "BackupCreate" in b["operations"])
    assert set(routine["object_id"]) == {nights["object_id"]}
    assert routine["events"].tolist() == [17, 17]


def test_a_quiet_day_raises_nothing_above_low(quiet_day):
    assert set(detect.run(quiet_day.events)["severity"]) <= at_most("low")


def test_findings_have_their_columns_types_and_order(findings):
    assert list(findings.columns) == [column.name for column in schema.FINDINGS]
    assert str(findings["first_time"].dtype) == "datetime64[us, UTC]"
    assert findings["number"].tolist() == [f"F{n:02d}" for n in range(1, len(findings) + 1)]
    assert findings["finding_id"].is_unique
    assert [one.rpartition("-")[0] for one in findings["finding_id"]] == findings["rule_id"].tolist()
    rank = findings["severity"].map(SEVERITIES.index)
    assert rank.is_monotonic_increasing
    gravity = findings["rule_id"].map({rule.id: rule.gravity for rule in RULES})
    assert all(part["first_time"].is_monotonic_increasing for _, part in findings.groupby(["severity", gravity]))


def test_event_ids_are_complete_and_of_this_case(findings, incident):
    known = set(incident.events.df(["event_id"])["event_id"])

    for finding in findings.to_dict("records"):
        ids = list(finding["event_ids"])
        assert len(ids) == len(set(ids)) == finding["events"]
        assert known.issuperset(ids)


def test_the_same_events_give_the_same_findings(findings, incident):
    pd.testing.assert_frame_equal(detect.run(incident.events.df()), findings)


def test_no_title_is_more_than_one_line(findings):
    assert not findings["title"].str.contains("\n").any()


# rules, one by one


def test_no_events_give_no_findings():
    found = detect.run(events())

    assert found.empty
    assert (detect.looked_for(events(), found)["rows_examined"] == 0).all()


def test_an_unseen_name_is_judged_by_class_effect_and_status():
    unseen = {"operation": "LocalRbacGrant", "operation_class": "access_control", "effect": "unknown", "scope": "/"}

    found = judged({**unseen, "http_status": 201}, {**unseen, "http_status": 200})

    assert only(found, "role-assignment-written")["events"] == 1


def test_reading_role_assignments_is_no_write():
    found = judged({"operation": "RoleAssignmentList"}, {"operation": "RoleAssignmentGet"})

    assert not found["rule_id"].str.startswith("role-").any()


def test_a_narrow_grant_is_low_and_a_wide_one_from_a_new_address_is_high():
    narrow = judged({"operation": "RoleAssignmentCreate", "http_status": 201, "scope": "/keys/kek-1"})
    wide = judged({"operation": "RoleAssignmentCreate", "http_status": 201, "scope": "/", "caller_ip": "198.51.100.9"})

    assert only(narrow, "role-assignment-written")["severity"] == "low"
    assert only(wide, "role-assignment-written")["severity"] == "high"


def test_removed_roles_are_counted_by_kind():
    found = judged(
        *({"operation": name} for name in ("RoleAssignmentDelete", "RoleAssignmentDelete", "RoleDefinitionDelete"))
    )

    assert only(found, "role-removed")["title"].startswith("2 role assignments and 1 custom role removed")


def test_a_denied_download_is_no_download():
    found = judged({"operation": "SecurityDomainBackup", "http_status": 403})

    assert "security-domain-download" not in set(found["rule_id"])
    assert only(found, "grave-operation-denied")["severity"] in at_most("medium")


def test_a_backup_every_night_is_routine_and_one_at_noon_is_not():
    backup = {"operation": "BackupCreate", "http_status": 202}
    nightly = [
        {"at": f"2026-01-{day:02d} 23:{day + 40}", "operation": "BackupCreate", "http_status": 202}
        for day in range(5, 15)
    ]
    odd = {"at": "2026-01-14 12:00", **backup}

    found = detect.run(events(*nightly, odd))

    assert only(found, "routine-full-backup")["events"] == 10
    assert only(found, "full-backup-not-routine")["events"] == 1


def test_a_backup_about_midnight_is_routine():
    clocks = ("23:50", "00:10", "23:55", "00:05", "23:58", "00:02", "23:59")
    nightly = [{"at": f"2026-01-{5 + 2 * n:02d} {clock}", "operation": "BackupCreate", "http_status": 202}
               for n, clock in enumerate(clocks)]  # fmt: skip

    assert only(detect.run(events(*nightly)), "routine-full-backup")["events"] == 7


def test_backups_from_a_new_address_never_become_routine():
    stolen = [{"at": f"2026-01-{day:02d} 01:00", "operation": "BackupCreate", "http_status": 202, "caller_ip": "198.51.100.9"}
              for day in range(16, 26)]  # fmt: skip

    found = detect.run(events(*days(10), *stolen))

    assert only(found, "full-backup-not-routine")["severity"] == "critical"


def test_deleted_and_purged_keys_are_paired():
    keys = [f"kek-{n}" for n in range(3)]

    found = judged(
        *({"operation": "KeyDelete", "key_name": key} for key in keys),
        *({"operation": "KeyPurge", "key_name": key, "http_status": 204} for key in keys),
    )

    assert only(found, "keys-deleted")["severity"] == "medium"
    purge = only(found, "keys-purged")
    assert purge["severity"] == "critical"
    assert purge["title"].endswith("3 deleted at most 3 min before")


def test_an_accepted_deletion_is_not_called_done():
    found = judged({"operation": "KeyDelete", "key_name": "k", "http_status": 202})

    assert "(accepted)" in only(found, "keys-deleted")["title"]


def test_ten_keys_backed_up_are_high_and_one_is_low():
    many = judged(*({"operation": "KeyBackup", "key_name": f"k{n}"} for n in range(10)))
    one = judged({"operation": "KeyBackup", "key_name": "k"})

    assert only(many, "key-backup-many")["severity"] == "high"
    assert only(one, "key-backup-many")["severity"] == "low"


def test_a_burst_far_above_the_own_baseline_is_found_and_a_busy_day_is_not():
    usual = [row for n in range(12) for row in days(10, operation="KeyUnwrap", key_name="k")]
    busy = [{"at": "2026-01-16 10:00", "operation": "KeyUnwrap", "key_name": "k"}] * 60
    burst = [{"at": f"2026-01-16 10:{n // 5:02d}", "operation": "KeyUnwrap", "key_name": "k"} for n in range(200)]

    found = only(detect.run(events(*usual, *burst)), "use-burst")

    assert (found["events"], found["confidence"]) == (200, "high")
    steady = [row for n in range(40) for row in days(10, operation="KeyUnwrap", key_name="k")]
    assert "use-burst" not in set(detect.run(events(*steady, *busy))["rule_id"])


def test_many_or_varied_denials_are_a_burst_and_two_are_not():
    kinds = [{"operation": name, "http_status": 403} for name in ("KeyList", "KeyListDeleted", "SettingGet")]

    assert only(judged(*kinds), "denied-burst")["events"] == 3
    assert only(judged(*[kinds[0]] * 10), "denied-burst")["events"] == 10
    assert "denied-burst" not in set(judged(*kinds[:2])["rule_id"])


def test_challenges_are_no_denials():
    challenges = [{"operation": "Authentication", "http_status": 401, "principal": None}] * 30

    assert judged(*challenges).empty


def test_denied_on_one_key_and_allowed_on_another_is_no_turn():
    denied = {"operation": "KeySign", "key_name": "a", "http_status": 403}

    assert "denied-then-allowed" not in set(judged(denied, {"operation": "KeySign", "key_name": "b"})["rule_id"])
    assert "denied-then-allowed" in set(judged(denied, {"operation": "KeySign", "key_name": "a"})["rule_id"])


def test_allowed_first_and_denied_later_is_no_turn():
    key = {"operation": "KeySign", "key_name": "a"}

    found = judged(key, {**key, "http_status": 403}, key)

    assert "denied-then-allowed" not in set(found["rule_id"])


def test_a_new_address_of_a_principal_with_a_new_one_each_day_is_no_news():
    rows = [
        {"at": f"2026-01-{day:02d} 10:00", "operation": "KeySign", "caller_ip": f"192.0.2.{day}"}
        for day in range(5, 25)
    ]

    assert "first-seen-address" not in set(detect.run(events(*rows))["rule_id"])


def test_a_service_that_signs_from_a_new_address_is_told():
    found = judged({"operation": "KeySign", "key_name": "k", "caller_ip": "198.51.100.9"})

    assert only(found, "first-seen-address")["severity"] == "low"


def test_a_principal_never_seen_before_is_told():
    found = judged({"principal": "mallory", "operation": "KeyImport", "key_name": "k"})

    assert only(found, "first-seen-principal")["severity"] == "medium"


def test_rotation_by_automation_is_routine():
    found = detect.run(events(*days(8, operation="KeyRotate", key_name="k")))

    assert only(found, "routine-key-rotation")["severity"] == "info"


def test_an_unknown_name_is_told_with_what_its_uri_says():
    found = judged({"operation": "Sëcret\u202eOp", "operation_status": "unseen", "class_by_uri": "settings"})

    title = only(found, "unknown-operation")["title"]
    assert "by their URI settings" in title
    assert "\u202e" not in title


def test_an_act_whose_outcome_is_not_logged_is_told_with_low_confidence():
    found = judged({"operation": "KeyPurge", "key_name": "k", "http_status": None, "outcome": "unknown"})

    finding = only(found, "keys-purged")
    assert finding["confidence"] == "low"
    assert "outcome not logged" in finding["title"]


def test_a_removed_role_without_a_status_in_the_log_is_told():
    found = judged({"operation": "RoleAssignmentDelete", "http_status": None, "outcome": "unknown"})

    assert only(found, "role-removed")["confidence"] == "low"


def test_an_hsm_that_stops_is_told():
    hours = [f"{pd.Timestamp('2026-01-05') + pd.Timedelta(minutes=15 * n)}" for n in range(14 * 96)]
    rows = [{"at": at, "hsm": hsm} for at in hours for hsm in ("hsm-a", "hsm-b") if hsm == "hsm-a" or at < "2026-01-15"]

    finding = only(detect.run(events(*rows)), "silence")

    assert finding["title"].startswith("Log stopped and did not come back: hsm-b")
    assert finding["events"] == 1


def test_principals_that_differ_after_a_nul_stay_two_and_show_it():
    found = judged(
        {"principal": "x\0b", "operation": "KeyDelete", "key_name": "k1"},
        {"principal": "x\0c", "operation": "KeyDelete", "key_name": "k2"},
    )

    deleted = found[found["rule_id"] == "keys-deleted"]
    assert sorted(deleted["principal"]) == ["x\0b", "x\0c"]
    assert deleted["title"].str.contains("x⟨U\\+0000⟩", regex=True).all()


def test_line_breaks_in_names_stay_on_one_line():
    found = judged({"principal": "a\nF99 critical", "operation": "KeyDelete\n", "effect": "destroy", "scope": "\n/",
                    "operation_class": "key_lifecycle", "key_name": "k\n"})  # fmt: skip

    assert not found["title"].str.contains("\n").any()


def test_acts_without_hsm_principal_or_address_are_found():
    found = judged({"hsm": None, "principal": None, "caller_ip": None, "operation": "KeyPurge", "key_name": None})

    assert "a caller without identity" in only(found, "keys-purged")["title"]


def test_what_lies_hours_apart_is_two_findings():
    rows = [
        {"at": f"2026-01-16 {clock}", "operation": "KeyDelete", "key_name": "k"}
        for clock in ("03:00", "04:00", "09:00")
    ]

    found = detect.run(events(*days(10), *rows))

    assert found.loc[found["rule_id"] == "keys-deleted", "events"].tolist() == [2, 1]


# rules as data


def test_rules_are_complete():
    assert len({rule.id for rule in RULES}) == len(RULES)
    known = {operation.operation for operation in operations.vocabulary().values()}
    classes = {operation.operation_class for operation in operations.vocabulary().values()} | {"unknown"}
    for rule in RULES:
        assert re.fullmatch("[a-z]+(-[a-z]+)*", rule.id)
        assert rule.severity in SEVERITIES
        assert rule.confidence in {"high", "medium", "low"}
        assert playbook.question(rule.question)
        assert set(rule.tables) <= {"events", *schema.CONTEXT}
        assert set(rule.operations) <= known
        assert set(rule.classes) <= classes
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in rule.techniques)
        assert rule.reference.startswith("https://")
        assert all(
            text.endswith((".", "?", ")")) and len(text) > 25 for text in (rule.why, rule.benign, rule.next_step)
        )
        assert (rule.severity == "info") == rule.id.startswith(("routine-", "unnamed-"))


def test_every_rule_was_looked_for_also_where_nothing_was_found(findings, incident):
    looked = detect.looked_for(incident.events, findings)

    assert looked["rule_id"].tolist() == [rule.id for rule in RULES]
    assert looked["findings"].sum() == len(findings)
    by_rule = looked.set_index("rule_id")
    release = by_rule.loc["key-release"]
    assert (release["findings"], release["rows_examined"], release["vocabulary"]) == (0, 0, "documented")
    assert (release["testable"], by_rule.loc["backup-read", "testable"]) == ("yes", "not testable here")
    over_events = looked[looked["tables"] == "events"]
    assert over_events["first_time"].eq(incident.events.df(["time"])["time"].min()).all()
    assert "one route" in by_rule.loc["route-lacks-records", "reason"]
    by_two_routes = over_events["rule_id"].isin({"route-lacks-records", "witnesses-contradict"})
    silenced = over_events[(over_events["testable"] != "yes") & ~by_two_routes]
    assert set(silenced["vocabulary"]) <= {"unseen"}
    assert (silenced["rows_examined"] == 0).all()


def test_a_day_is_too_short_to_know_what_is_usual(quiet_day):
    looked = detect.looked_for(quiet_day, detect.run(quiet_day)).set_index("rule_id")

    assert looked.loc["first-seen-address", "testable"] == "not testable here"
    assert looked.loc["first-seen-address", "reason"].startswith("3 days of events are needed")
    assert looked.loc["keys-purged", "testable"] == "yes"


def test_what_only_names_without_any_source_could_tell_is_not_testable():
    found = detect.run(events(*days(4)))
    looked = detect.looked_for(events(*days(4)), found).set_index("rule_id")

    grant = looked.loc["grant-removed-again"]
    assert (grant["vocabulary"], grant["testable"]) == ("unseen", "not testable here")
    assert looked.loc["keys-purged", "testable"] == "yes"


def test_techniques_have_their_numbers_before_v19(findings):
    silent = findings[findings["rule_id"] == "silence-after-grave-act"].iloc[0]

    assert list(silent["techniques"]) == ["T1685.002", "T1070"]
    assert list(silent["techniques_before"]) == ["T1562.008"]


def test_the_catalogue_names_every_rule():
    page = detect.to_markdown()

    assert all(f"\n## {rule.id}\n" in page for rule in RULES)
    assert page.startswith("| rule |")


def test_a_finding_keeps_its_id_when_others_come():
    deleted = [{"at": f"2026-01-06 10:{n:02d}", "operation": "KeyDelete", "key_name": f"k{n}"} for n in range(4)]
    purged = {
        "at": "2026-01-05 09:00",
        "principal": "eve",
        "operation": "KeyPurge",
        "key_name": "old",
        "http_status": 204,
    }

    alone, beside = detect.run(events(*deleted)), detect.run(events(*deleted, purged))

    (own,) = alone.loc[alone["rule_id"] == "keys-deleted", ["finding_id", "number"]].to_numpy().tolist()
    (same,) = beside.loc[beside["rule_id"] == "keys-deleted", ["finding_id", "number"]].to_numpy().tolist()
    assert own[0] == same[0]
    assert own[1] != same[1]


def test_findings_have_the_same_ids_after_a_rebuild(incident, findings, tmp_path):
    case = copy_of(incident, tmp_path / "case")

    assert detect.run(ingest.rebuild(case))["finding_id"].tolist() == findings["finding_id"].tolist()


def test_findings_are_called_by_id_and_by_number(findings):
    first, third = findings["finding_id"].iloc[[0, 2]]

    assert detect.named(findings, "F1", third.upper())["finding_id"].tolist() == [first, third]
    with pytest.raises(InputError, match="'F0', 'keys-purged': no such finding"):
        detect.named(findings, "F0", "keys-purged")


def test_two_findings_of_one_rule_that_begin_with_one_event_have_two_ids():
    found = [{"rule_id": "r", "event_ids": ["e:1", *more]} for more in ([], ["e:2"])]
    once, twice, other = (
        one["finding_id"] for one in detect._identified([*found, {"rule_id": "q", "event_ids": ["e:1"]}])
    )

    assert len({once, twice, other}) == 3
    assert detect._identified(found[:1])[0]["finding_id"] == once
