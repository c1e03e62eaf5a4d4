"""The vocabulary: every row says where it is from, an act is known by its route, and a name is its second witness."""

from datetime import date

import pytest

from mhsm_forensics.operations import SOURCES, class_of_path, granted, meaning, readings, vocabulary
from mhsm_forensics.operations._rights import LISTED, _grants

CLASSES = {
    "crypto", "key_read", "key_lifecycle", "key_backup", "key_release", "hsm_backup", "hsm_restore", "security_domain",
    "access_control", "settings", "management", "authentication", "network",
}  # fmt: skip
ARM = "/subscriptions/5b/resourceGroups/rg/providers/Microsoft.KeyVault"
ROLES = "providers/Microsoft.Authorization"
FILLED = {
    "{name}": "card-00", "{version}": "7d" * 16, "{scope}": "/keys/card-00", "{id}": "7d1f", "{job}": "ab" * 16, "{hsm}": "h",
    "{sub}": "5b", "{location}": "westeurope", "…": "resourceGroups/rg/providers/Microsoft.KeyVault",
}  # fmt: skip
AUDITOR, ADMINISTRATOR = "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3", "a290e904-7015-4bba-90c8-60543313cdb4"
OFFICER, USER = "515eb02d-2335-4d2d-92f2-b1cbdf9c3778", "21dbd100-6940-42c2-9190-5d6cb909625b"


def filled(path):
    for hole, value in FILLED.items():
        path = path.replace(hole, value)
    return path


CALLS = [
    pytest.param(one, filled(one.path), int(status), id=f"{one.operation}-{status}")
    for one in vocabulary().values() if one.method for status in one.success.split("|")
]  # fmt: skip


def test_every_operation_has_its_source_and_words_of_the_design():
    for operation in vocabulary().values():
        assert operation.source in SOURCES
        assert operation.operation_class in CLASSES
        assert operation.effect in {"read", "use", "change", "export", "destroy"}
        assert operation.status in {"documented", "expected", "preview"}


@pytest.mark.parametrize(("operation", "path", "status"), CALLS)
def test_a_known_name_on_its_own_route_is_what_it_says(operation, path, status):
    found = meaning(operation.operation, path, status)

    assert (found.act, found.effect, found.known_by) == (operation.operation, operation.effect, "both")


@pytest.mark.parametrize(("operation", "path", "status"), CALLS)
@pytest.mark.parametrize("name", ["Op-17", "ZQ", "", None])
def test_any_name_leaves_the_act_among_what_route_and_status_say(operation, path, status, name):
    found = meaning(name, path, status)

    same_call = {
        one.operation for one in vocabulary().values() if (one.method, one.path) == (operation.method, operation.path)
    }
    assert same_call & set(found.act.split("|"))
    assert operation.effect in found.effect.split("|")
    assert (found.known_by, found.operation_status) == ("route", "unseen")


def test_most_routes_and_statuses_leave_one_effect():
    pairs = {(path, status) for _, path, status in (one.values for one in CALLS)}
    certain = [pair for pair in pairs if "|" not in meaning("Op-17", *pair).effect]

    # the eleven pairs of the corrected vocabulary, the HSM's own 202, and a key by way of Azure Resource Manager
    assert len(pairs) - len(certain) == 13


@pytest.mark.parametrize(
    ("path", "status", "act"),
    [
        ("/restore", 202, "RestoreCreate"),
        ("///restore/", 202, "RestoreCreate"),
        ("/securitydomain/upload", 202, "SecurityDomainRestore"),
        ("/securitydomain/upload", 204, "SecurityDomainRestore"),
        ("/securitydomain/upload", 200, "SecurityDomainTransferKeyGet"),
        ("/securitydomain/upload", 403, "SecurityDomainRestore|SecurityDomainTransferKeyGet"),
        ("/deletedkeys/card-00", 204, "KeyPurge"),
        ("/deletedkeys/card-00", 200, "KeyGetDeleted"),
        ("/deletedkeys/card-00", 403, "KeyPurge|KeyGetDeleted"),
        ("/keys/card-00", 200, "KeyDelete|KeyImport"),
        ("/keys/card-00/", 200, "KeyUpdate|KeyGet"),
        ("/keys//card-00", 200, "KeyDelete|KeyImport"),
        ("/keys/card-00///", 200, "KeyUpdate|KeyGet"),
        ("/deletedkeys///card-00/", 204, "KeyPurge"),
        ("/KEYS/Card-00//SecureUnwrapKey", 200, "KeySecureUnwrap"),
        ("/keys/card-00/derivekey", 200, "KeyDerive"),
        ("/keys/restore", 200, "KeyRestore"),
        ("/keys/restore/restore", 202, "SelectiveKeyRestoreCreate"),
        (f"///{ROLES}/roleAssignments/7d1f", 201, "RoleAssignmentCreate"),
        (f"/keys/card-00/{ROLES}/roleAssignments", 200, "RoleAssignmentList"),
        ("/prebackup", 202, "PreBackupCreate"),
        ("/ekm/privateendpoint/operations/7d1f", 200, "EkmPrivateEndpointOperationGet"),
        ("/ekm/privateendpoint/proxy", 202, "EkmPrivateEndpointDelete|EkmPrivateEndpointCreate"),
        (f"{ARM}/managedHSMs/h/keys/card-00", 201, "ManagedHsmKeyPut|ManagedHsmKeyGet"),
        (f"{ARM}/managedHSMs/h", 204, "ManagedHsmDelete"),
        (f"{ARM}/locations/westeurope/deletedManagedHSMs/h/purge", 202, "ManagedHsmPurge"),
        (f"{ARM}/x/privateEndpointConnections/p", 202, "PutPrivateEndpointConnection|DeletePrivateEndpointConnection"),
        ("/keys/card-00//sign", 401, "Authentication"),
        ("/config/export", 404, None),
        (f"{ARM}/managedHSMs/h/{ROLES}/roleAssignments/7d1f", 201, None),
        ("/", 200, None),
        (None, 200, None),
    ],
)  # fmt: skip
def test_what_was_asked_for_is_read_from_route_and_status(path, status, act):
    assert meaning("Op-17", path, status).act == act


def test_an_unknown_name_is_classified_by_its_uri_and_flagged():
    found = meaning("HsmCloneStart", "/securitydomain/download", 202)

    assert (found.operation_class, found.effect, found.operation_status) == ("security_domain", "export", "unseen")


@pytest.mark.parametrize(
    ("name", "path", "act"),
    [
        ("SettingSet", "/settings/AllowKeyManagementOperationsThroughARM", "SettingUpdate"),
        ("SettingValueGet", "/settings/AllowKeyManagementOperationsThroughARM", "SettingGet"),
        ("RoleAssignmentRemove", f"/{ROLES}/roleAssignments/7d1f", "RoleAssignmentDelete"),
        ("KeyPropertiesRead", "/keys/card-00/", "KeyGet"),
        ("HsmRemove", "/restore", "RestoreCreate"),  # an ending that the route excludes says nothing
    ],
)
def test_the_ending_of_an_unknown_name_narrows_a_route_that_leaves_several(name, path, act):
    status = 202 if path == "/restore" else 200

    assert meaning(name, path, status).act == act


def test_the_right_that_was_missing_narrows_a_denial():
    assert meaning("Op-17", "/deletedkeys/card-00", 403, "keys/deletedKeys/delete").act == "KeyPurge"
    assert meaning("Op-17", "/deletedkeys/card-00", 403, "a/right/of/nobody").act == "KeyPurge|KeyGetDeleted"


@pytest.mark.parametrize(
    ("name", "path", "status", "act", "effect"),
    [
        ("KeyGet", "/deletedkeys/card-00", 204, "KeyPurge|KeyGet", "destroy|read"),
        ("KeyGetDeleted", "/deletedkeys/card-00", 204, "KeyPurge|KeyGetDeleted", "destroy|read"),
        ("BackupStatus", "/backup", 202, "BackupCreate|BackupStatus", "export|read"),
        ("KeyPurge", "/keys/card-00/", 200, "KeyPurge|KeyUpdate|KeyGet", "destroy|change|read"),
    ],
)
def test_a_name_and_a_route_that_contradict_each_other_are_both_heard(name, path, status, act, effect):
    found = meaning(name, path, status)

    assert (found.act, found.effect, found.known_by) == (act, effect, "contradiction")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("KeyGet", "/keys/card-00"),  # without a version, and without the slash that stands for it
        ("KeyVerify", "/keys/card-00//sign"),  # another use of the same class
        ("EkmProxyOperation", "/keys/card-00//wrapkey"),
        ("KeyRotateIfDue", "/keys/card-00/rotate"),
        (
            "KeyDelete",
            "/keys/card-00/",
        ),  # the key itself, with a slash at its end, or with a version that nothing asks for
        ("KeyDelete", "//keys//card-00///"),
        ("KeyDelete", f"/keys/card-00/{'7d' * 16}"),
        ("KeyImport", "/keys/card-00/"),
        ("KeyRecover", "/deletedkeys//card-00/recover//"),
    ],
)
def test_a_name_that_fits_loosely_is_no_contradiction(name, path):
    assert (meaning(name, path, 200).act, meaning(name, path, 200).known_by) == (name, "both")


def test_a_name_alone_is_heard_where_no_route_is_known():
    assert (meaning("KeyPurge", None, 204).act, meaning("KeyPurge", None, 204).known_by) == ("KeyPurge", "name")
    assert meaning("keypurge", "/unheard/of", 204).act == "KeyPurge"


def test_a_path_of_a_megabyte_is_read_as_fast_as_any():
    assert readings("/" + f"{ROLES}/" * 30_000 + "roleAssignments/7d1f", 201)[0].operation == "RoleAssignmentCreate"
    assert class_of_path("/subscriptions" + "/managedHSMs" * 90_000) == "management"
    assert meaning("KeyDelete", "/keys/card-00" + "/" * 1_000_000, 200).act == "KeyDelete"


def test_the_auditor_never_had_the_purge():
    for day in (*LISTED, None):
        assert "keys/deletedKeys/delete" not in granted(day)[AUDITOR]


@pytest.mark.parametrize(
    ("role", "action", "day", "held"),
    [
        (ADMINISTRATOR, "keys/sign/action", date(2020, 12, 1), True),
        (OFFICER, "keys/unwrap/action", date(2021, 3, 1), True),  # between two listings that differ
        (ADMINISTRATOR, "keys/sign/action", date(2021, 6, 7), False),
        (USER, "keys/rotate/action", date(2021, 6, 7), False),
        (USER, "keys/rotate/action", date(2021, 9, 1), True),
        (USER, "keys/rotate/action", date(2026, 11, 1), True),
        (ADMINISTRATOR, "settings/write/action", date(2022, 5, 27), False),
        (ADMINISTRATOR, "settings/write/action", date(2025, 9, 30), True),
        (ADMINISTRATOR, "backup/start/action", date(2020, 11, 1), True),
    ],
)  # fmt: skip
def test_what_a_role_allows_depends_on_the_day(role, action, day, held):
    assert (action in granted(day)[role]) is held


def test_every_right_of_a_role_is_one_that_some_operation_needs_or_none_has_a_route():
    needed = {action.lower() for one in vocabulary().values() for action in one.data_action.split("|")}
    without = {
        grant.data_action
        for grants in _grants().values()
        for grant in grants
        if grant.data_action.lower() not in needed
    }

    assert without == {"keys/export/action"}
