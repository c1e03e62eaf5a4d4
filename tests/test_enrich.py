"""What other tools add to the events."""

import warnings

import pytest
from building import events

from mhsm_forensics import analyse
from mhsm_forensics.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # msticpy's own, at import
    pytest.importorskip("msticpy.analysis.anomalous_sequence.anomalous")

from mhsm_forensics.enrich import sequences

ROUTINE = ("KeyGet", "KeyWrap", "KeyUnwrap", "KeyGet", "KeyWrap", "KeyUnwrap")
THEFT = ("RoleAssignmentCreate", "KeyBackup", "BackupCreate")


def session(day, operations, **row):
    return [
        {"at": f"2026-01-{day:02} 10:{minute:02}", "operation": name, **row} for minute, name in enumerate(operations)
    ]


def test_the_order_that_nobody_else_has_comes_first():
    rows = [row for day in range(1, 21) for row in session(day, ROUTINE)]

    found = sequences.rare_sessions(events(*rows, *session(21, THEFT, principal="thief")))

    assert found["principal"].iloc[0] == "thief"
    assert "KeyBackup → BackupCreate" in found["rarest"].iloc[0]
    assert found["likelihood"].iloc[0] < found["likelihood"].iloc[1] / 2


def test_every_session_is_there_and_repeats_are_folded():
    frame = events(*session(1, ("KeyGet",) * 9), *session(2, ("KeyGet", "KeyGet", "KeySign", "KeyGet")))

    found = sequences.rare_sessions(frame).set_index("session")

    assert found["sequence"].to_dict() == {1: ["KeyGet"], 2: ["KeyGet", "KeySign", "KeyGet"]}
    assert found["likelihood"].isna().to_dict() == {1: True, 2: False}


def test_sessions_of_nobody_and_overlapping_ones_keep_their_own_operations():
    nobody = session(1, ("KeyGet", "KeySign", "KeyGet"), principal=None, caller_ip=None)
    somebody = session(1, ("KeyList", "KeyDelete", "KeyList"))

    found = sequences.rare_sessions(events(*nobody, *somebody))

    assert sorted(map(tuple, found["sequence"])) == [
        ("KeyGet", "KeySign", "KeyGet"),
        ("KeyList", "KeyDelete", "KeyList"),
    ]


def test_no_events_have_no_sessions():
    assert sequences.rare_sessions(events({}).iloc[:0]).empty


def test_the_incident_s_theft_is_among_the_rarest(incident):
    found = sequences.rare_sessions(incident.events)

    assert len(found) == len(analyse.sessions(incident.events))
    assert any("198.51.100" in str(address) for address in found["caller_ip"].head(10))


def test_a_window_of_one_is_none():
    with pytest.raises(InputError, match="2 or more"):
        sequences.rare_sessions(events({}), window=1)
