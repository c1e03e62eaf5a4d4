"""Every answer goes by the actor and the key: a label neither merges two nor splits one."""

import pytest
from building import events

from mhsm_forensics import analyse, detect, search
from mhsm_forensics.case import Scope
from mhsm_forensics.identifiers import actors_named

ONE = {"object_id": "a1", "principal": "Anna@contoso.example", "upn": "Anna@contoso.example"}
SAME = ONE | {"principal": "anna@contoso.example", "upn": "anna@contoso.example"}
BARE = {"object_id": "a1", "principal": "a1"}
TWINS = [{"object_id": one, "principal": "mi-pay", "principal_type": "managed_identity"} for one in ("e7", "f8")]


def steady(days: int, **row: object) -> list:
    return [{"at": f"2026-01-{day + 5:02d} {hour:02d}:00", **row} for day in range(days) for hour in (9, 14)]


@pytest.mark.parametrize(
    "question", [analyse.principals, analyse.sessions, analyse.timeline, analyse.links, analyse.first_seen_pairs]
)
def test_one_actor_of_several_spellings_is_one_and_bears_one_name(question):
    answer = question(events(ONE, SAME, BARE, operation="KeyDelete", token_id="t"))

    column = "lane" if "lane" in answer else "principal"
    assert answer[column].drop_duplicates().tolist() == ["anna@contoso.example"]
    assert len(analyse.moments(events(ONE, SAME, BARE, operation="KeyDelete"))) == 1


@pytest.mark.parametrize(
    "question",
    [analyse.principals, analyse.sessions, analyse.timeline, analyse.links, analyse.first_seen_pairs, analyse.moments],
)
def test_two_actors_of_one_label_are_two_with_names_of_their_own(question):
    answer = question(events(*TWINS, operation="KeyDelete"))

    column = "lane" if "lane" in answer else "principal"
    assert sorted(answer[column].drop_duplicates()) == ["mi-pay (e7)", "mi-pay (f8)"]


def test_a_challenge_and_what_can_not_be_read_are_no_actor_and_not_one():
    frame = events(
        {"principal": None, "http_status": 401},
        {"principal": "(identity not readable)", "object_id": None, "actor": None, "principal_type": "unreadable"},
        TWINS[0],
    )

    found = analyse.principals(frame).set_index("principal_type")

    assert found["actor"].notna().to_dict() == {"managed_identity": True, "anonymous": False, "unreadable": False}
    assert found.loc["unreadable", "principal"] == "(identity not readable)"
    assert analyse.timeline(frame)["lane"].isna().sum() == 1


@pytest.mark.parametrize("typed", ["ANNA@Contoso.example", "a1", "A1", " {a1} ", "anna@contoso.example (a1)"])
def test_whatever_is_typed_means_the_actor(typed):
    frame = events(ONE, SAME, BARE, TWINS[0])

    assert len(analyse.rows(analyse.touching(frame, principal=typed))) == 3


def test_a_label_of_two_means_both_and_a_name_of_one_means_one():
    frame = events(*TWINS, TWINS[0])

    counts = {
        typed: len(analyse.rows(analyse.touching(frame, principal=typed))) for typed in ("MI-PAY", "mi-pay (e7)", "f8")
    }

    assert counts == {"MI-PAY": 3, "mi-pay (e7)": 2, "f8": 1}


def test_an_application_id_means_the_application_and_never_the_people_who_use_it():
    known = [
        {"actor": "s1", "principal": "svc", "principal_type": "service_principal", "app_id": "04b0"},
        {"actor": "a1", "principal": "anna", "principal_type": "user", "app_id": "04b0"},
    ]

    assert actors_named("04B0", known) == ["s1"]


def test_a_scope_means_actors_however_they_are_typed(incident):
    people = analyse.principals(incident.events).dropna(subset="actor")
    row = people[people["principal"].str.contains("@")].iloc[0]
    wanted = int(row["events"])

    for typed in (row["principal"], row["principal"].upper(), row["object_id"], row["object_id"].upper()):
        narrowed = incident.events.of(Scope(principals=(typed,)))
        assert len(narrowed) == len(narrowed.df(["event_id"])) == wanted
        assert search.count(narrowed) == wanted
        assert analyse.principals(narrowed)["actor"].tolist() == [row["actor"]]
    assert len(incident.events.of(Scope(principals=("nobody@example",)))) == 0


def test_keys_of_two_hsms_are_two(tmp_path):
    frame = events(
        {"operation": "KeyDelete", "key_name": "kek", "at": "2026-01-05 10:00"},
        {"operation": "KeyPurge", "key_name": "kek", "at": "2026-01-05 11:00", "http_status": 204},
        {"operation": "KeySign", "key_name": "KEK", "hsm": "hsm-b", "at": "2026-01-06 10:00"},
    )

    assert analyse.keys(frame).set_index("key")["state"].to_dict() == {"hsm-a/kek": "purged", "hsm-b/kek": "active"}
    assert analyse.timeline(frame, "key").groupby("lane")["events"].sum().to_dict() == {"hsm-a/kek": 2, "hsm-b/kek": 1}
    assert analyse.principals(frame)["keys"].tolist() == [2]
    assert "contradiction" not in set(detect.run(frame)["rule_id"])


def test_a_key_deleted_in_one_spelling_and_used_in_another_is_a_contradiction():
    frame = events(
        {"operation": "KeyDelete", "key_name": "KEK", "at": "2026-01-05 10:00"},
        {"operation": "KeyPurge", "key_name": "K%45k", "at": "2026-01-05 11:00", "http_status": 204},
        {"operation": "KeySign", "key_name": "kek", "at": "2026-01-06 10:00"},
    )

    assert "contradiction" in set(detect.run(frame)["rule_id"])


def test_who_is_spelt_otherwise_is_not_seen_for_the_first_time():
    used = {"operation": "KeySign", "key_name": "k"}
    same = [*steady(6, **ONE, **used), *steady(8, **SAME, **used)[12:]]
    other = [*steady(6, **ONE, **used), *steady(8, **ONE | {"object_id": "b2"}, **used)[12:]]
    rules = {"first-seen-principal", "key-used-by-new-user", "key-changed-by-stranger"}

    assert not rules & set(detect.run(events(*same))["rule_id"])
    assert {"first-seen-principal", "key-used-by-new-user"} <= set(detect.run(events(*other))["rule_id"])
