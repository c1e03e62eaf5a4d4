"""What a call was, under a name that nobody knows: by its route and status, by the calls around it, and in words."""

from dataclasses import asdict
from typing import Any

import pandas as pd
import pytest
from building import events

from mhsm_forensics import analyse, detect, engine
from mhsm_forensics.normalise import object_of

ROLES = "/providers/Microsoft.Authorization"
ARM = "/subscriptions/5b/resourceGroups/rg/providers/Microsoft.KeyVault/managedHSMs/hsm-a"
SETTING = "/settings/AllowKeyManagementOperationsThroughARM"
ASSIGNMENT = f"{ROLES}/roleAssignments/7d1f"
USE, DELETED = "/keys/k//sign", "/deletedkeys/k"
Row = dict[str, Any]


def call(path: str, status: int = 200, at: str = "", name: str = "Op-17", **row: Any) -> Row:
    """A call as its URI has it, under a name that says nothing."""
    when = {"at": f"2026-01-16 {at}"} if at else {}
    about = {key: value for key, value in asdict(object_of(path)).items() if value}
    return {
        "operation": name,
        "request_uri": f"https://a.managedhsm.azure.net{path}",
        "http_status": status,
        **about,
        **when,
        **row,
    }


def quiet(*rows: Row, days: int = 10) -> pd.DataFrame:
    """Calls after days on which somebody else signs with another key."""
    told = [
        {
            "at": f"{pd.Timestamp('2026-01-05 10:00') + pd.Timedelta(days=day)}",
            **call("/keys/other//sign"),
            "principal": "bob",
        }
        for day in range(days)
    ]
    return events(*told, *rows)


def acts_of(frame: pd.DataFrame) -> list[str]:
    return engine.query(frame, "detect_acts")["act"].tolist()


def only(found: pd.DataFrame, rule: str) -> Row:
    (row,) = found[found["rule_id"] == rule].to_dict("records")
    return row


@pytest.mark.parametrize(
    ("rows", "acts"),
    [
        # a setting is read, then written, by the same caller within seconds
        ([call(SETTING, at="03:00:00"), call(SETTING, at="03:00:02")], ["SettingUpdate"]),
        ([call(SETTING, at="03:00:00"), call(SETTING, at="03:00:02", principal="eve")], ["SettingUpdate|SettingGet"] * 2),
        ([call(SETTING, at="03:00:00"), call(SETTING, at="03:01:00")], ["SettingUpdate|SettingGet"] * 2),
        # what is not there next time was removed, and what answers again was not
        ([call(ASSIGNMENT), call(ASSIGNMENT, 404)], ["RoleAssignmentDelete"]),
        ([call(ASSIGNMENT), call(ASSIGNMENT)], ["RoleAssignmentDelete|RoleAssignmentGet"]),
        ([call(ASSIGNMENT), call(ASSIGNMENT, 201)], ["RoleAssignmentDelete", "RoleAssignmentCreate"]),
        ([call(f"{ROLES}/roleDefinitions/7d1f"), call(f"{ROLES}/roleDefinitions/7d1f", 404)], ["RoleDefinitionDelete"]),
        ([call("/ekm"), call("/ekm", 404)], ["EkmConnectionDelete"]),
        # a deleted key is asked for in vain
        ([call("/keys/k"), call(USE, 404)], ["KeyDelete"]),
        ([call("/keys/k"), call(DELETED, 200)], ["KeyDelete"]),
        ([call("/keys/k", at="03:00"), call(USE, at="03:10")], ["KeyDelete|KeyImport"]),  # or recovered, in a lost record
        ([call("/keys/k", at="03:00"), call(USE, at="03:05"), call(USE, 404, at="03:09")], ["KeyDelete"]),
        ([call("/keys/k", at="03:00"), call(USE, at="03:10"), call(USE, 404, at="03:20")], ["KeyDelete|KeyImport"]),
        # an HSM that answers in the hour after was not deleted
        ([call(ARM, at="03:30"), call(USE, at="04:10")], ["ManagedHsmPut|ManagedHsmPatch|ManagedHsmGet"]),
        ([call(ARM, at="03:30"), call(USE, at="06:10")], ["ManagedHsmDelete|ManagedHsmPut|ManagedHsmPatch|ManagedHsmGet"]),
    ],
)  # fmt: skip
def test_the_calls_around_an_act_narrow_it(rows, acts):
    assert acts_of(quiet(*rows)) == acts


DELETE, PURGE = call("/keys/k", at="03:00", name="KeyDelete"), call(DELETED, 204, at="03:10")
SIGNED = call(USE, at="04:00")


@pytest.mark.parametrize(
    ("between", "told"),
    [
        ([call("/keys/k/restore", 202, at="03:20"), call("/restore/j/pending", at="03:22")], False),
        ([call("/keys/restore", at="03:20")], False),
        ([call("/keys/k/create", at="03:20")], False),
        ([], True),
        ([call("/restore", 202, at="02:00")], True),  # an earlier restore explains nothing that came after
        ([call("/restore", 202, at="03:20")], False),
    ],
    ids=["selective restore", "key restore", "created anew", "nothing", "restore before", "restore after"],
)
def test_a_key_that_is_used_after_its_purge_is_told_unless_something_may_have_brought_it_back(between, told):
    found = detect.run(quiet(*sorted([DELETE, PURGE, *between, SIGNED], key=lambda row: row["at"])))

    assert ("contradiction" in set(found["rule_id"])) is told


def test_a_deletion_with_a_slash_behind_the_key_is_one_before_a_purge():
    signed = call(USE, at="02:00")
    deleted, purged = (
        call("/keys/k/", at="03:00", name="KeyDelete"),
        call(f"{DELETED}/", 204, at="03:10", name="KeyPurge"),
    )

    found = detect.run(quiet(signed, deleted, purged))

    assert "contradiction" not in set(found["rule_id"])
    assert "1 key purged for good" in only(found, "keys-purged")["title"]
    assert "contradiction" in set(detect.run(quiet(signed, purged))["rule_id"])  # without it, the purge is odd


@pytest.mark.parametrize(("version", "is_told"), [("", False), ("0123456789abcdef0123456789abcdef", True)])
def test_a_call_without_a_known_name_on_the_key_may_have_been_its_deletion(version, is_told):
    signed, purged = call(USE, at="02:00"), call(DELETED, 204, at="03:10", name="KeyPurge")
    unnamed = call(f"/keys/k/{version}", at="03:00", name="Op-17")

    found = detect.run(quiet(signed, unnamed, purged))

    assert ("contradiction" in set(found["rule_id"])) is is_told


GRAVE = [
    ("/restore", 202, "hsm-restored", "critical", "Restore of the whole HSM accepted"),
    ("/keys/k/restore", 202, "hsm-restored", "high", "Restore of 1 key accepted"),
    ("/securitydomain/download", 202, "security-domain-download", "critical", "Security domain download accepted"),
    ("/securitydomain/upload", 202, "security-domain-upload", "critical", "Security domain upload accepted"),
    ("/backup", 202, "full-backup-not-routine", "critical", "Full backup accepted"),
    (DELETED, 204, "keys-purged", "critical", "1 key purged for good"),
    (SETTING, 200, "arm-trust-written", "critical", "manage keys was written or read"),
    ("/keys/k//release", 200, "key-release", "high", "1 key released"),
    ("/keys/k/backup", 200, "key-backup-many", "high", "1 key backed up"),
    ("/keys/k", 200, "keys-deleted", "high", "1 key deleted or imported"),
    (ASSIGNMENT, 200, "role-removed", "medium", "1 role assignment removed or read"),
    (f"{ROLES}/roleDefinitions/7d1f", 200, "role-removed", "medium", "1 custom role removed or read"),
    ("/keys/restore", 200, "key-restored", "medium", "1 key restored"),
    ("/ekm", 200, "ekm-connection-changed", "high", "Connection to external keys changed or removed or read"),
    (ASSIGNMENT, 201, "role-assignment-written", "high", "1 role assignment written"),
    (f"{ROLES}/roleDefinitions/7d1f", 201, "role-definition-written", "high", "1 custom role written"),
]


@pytest.mark.parametrize(
    ("path", "status", "rule", "severity", "title"), GRAVE, ids=[f"{row[0]}-{row[1]}" for row in GRAVE]
)
def test_a_grave_act_is_found_under_any_name_and_told_as_what_it_may_be(path, status, rule, severity, title):
    found = detect.run(quiet(call(path, status, at="03:00", principal="eve", caller_ip="198.51.100.9")))

    finding = only(found, rule)
    assert (finding["severity"], title in finding["title"]) == (severity, True), finding["title"]


def test_what_the_same_principal_did_before_is_one_step_less_grave():
    before = call(SETTING, at="01:00", principal="bob")

    found = detect.run(quiet(before, call(SETTING, at="05:00", principal="bob")))

    told = found[found["rule_id"] == "arm-trust-written"].sort_values("first_time")["severity"].tolist()
    assert told == ["high", "medium"]


VERSION = "/keys/k/" + "7d" * 16


@pytest.mark.parametrize("path", ["/keys/k/", VERSION])
def test_a_key_that_may_only_have_been_read_raises_nothing(path):
    got, released = call(path, at="03:00", principal="bob"), call("/keys/k//release", at="04:00", principal="bob")

    found = detect.run(quiet(got, released))

    release = only(found, "key-release")
    assert (release["severity"], "KeyUpdate or KeyGet" in release["title"]) == ("medium", True)
    assert "keys-updated-many" not in set(found["rule_id"]) or only(found, "keys-updated-many")["severity"] == "low"
    written = only(detect.run(quiet(got | {"operation": "KeyUpdate", "act": "KeyUpdate"}, released)), "key-release")
    assert written["severity"] == "high"  # a name that says so is heard


@pytest.mark.parametrize(("count", "address", "severity"), [
    (1, "198.51.100.9", "low"), (4, "198.51.100.9", "low"), (5, "198.51.100.9", "medium"), (5, "192.0.2.1", "low"),
])  # fmt: skip
def test_keys_that_may_only_have_been_read_are_told_below_those_that_were_changed(count, address, severity):
    rows = [call(f"/keys/k{n}/{'7d' * 16}", at=f"03:0{n}", principal="bob", caller_ip=address) for n in range(count)]

    found = detect.run(quiet(*rows))

    assert only(found, "keys-updated-many")["severity"] == severity


def test_names_that_no_source_has_are_one_quiet_line():
    found = detect.run(quiet(*(call("/keys/other//sign", name=f"Op-{n}", principal="bob") for n in range(20))))

    line = only(found, "unnamed-operation")
    assert line["severity"] == "info"
    assert "20 names" in line["title"]
    assert "unknown-operation" not in set(found["rule_id"])


def test_a_key_whose_deletion_the_log_leaves_open_is_said_to_be_so():
    state = analyse.keys(quiet(call("/keys/k"))).set_index("key_name").loc["k", "state"]

    assert state == "deleted or imported"


def test_one_call_of_several_readings_among_certain_ones_is_counted():
    rows = [call("/keys/a", name="KeyDelete"), call("/keys/b"), call("/keys/c", name="KeyDelete")]

    found = detect.run(quiet(*rows))

    assert "3 keys deleted (1 of 3 calls: deleted or imported)" in only(found, "keys-deleted")["title"]
