"""What a person types is understood, compared and never run."""

import pytest
from building import events

from mhsm_forensics import engine, playbook, search
from mhsm_forensics.errors import InputError

HOSTILE = "x'); DROP TABLE events; --"
FRAME = events(
    {"operation": "KeyDelete", "key_name": "pay%100", "http_status": 403},
    {"operation": "KeyGet", "key_name": "pay_100", "principal": "Anna Berg"},
    {"operation": "KeyGet", "key_name": None, "principal": HOSTILE, "at": "2026-01-06 12:00"},
    {"operation": "KeyPurge", "key_name": "pay-100", "client_info": "a\0b", "caller_ip": "2001:db8::1"},
)


def found(text, **more):
    return [int(one[2:]) for one in search.events(FRAME, text, **more)["event_id"]]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [1, 2, 3, 4]),
        ("keyget", [2, 3]),
        ("KEYGET berg", [2]),
        ('"anna berg"', [2]),
        ('"berg anna"', []),
        ("operation:Key -operation:KeyGet", [1, 4]),
        ("http_status:403", [1]),
        ("-outcome:success", [1]),
        ("time:2026-01-06T12:00", [3]),
        ("key_name:", [3]),
        ("-key_name:", [1, 2, 4]),
        ("key_name:%", [1]),
        ("key_name:_", [2]),
        ("2001:db8::1", [4]),
        ("no_such:thing", []),
        (HOSTILE.split()[0], [3]),
        (f'principal:"{HOSTILE}"', [3]),
        ("a\0b", [4]),
        ("' OR 1=1 --", []),
    ],
)
def test_what_is_typed_is_found(text, ids):
    assert sorted(found(text)) == sorted(ids)


def test_events_are_sorted_and_missing_values_are_last():
    assert found("", sort="key_name") == [1, 4, 2, 3]
    assert found("", sort="time", descending=True) == [4, 3, 2, 1]


@pytest.mark.parametrize("name", ["no_such", "time; DROP TABLE events", '"time"', ""])
def test_a_column_that_is_none_is_refused(name):
    with pytest.raises(InputError, match="no column of events"):
        search.events(FRAME, sort=name)
    with pytest.raises(InputError, match="no column of events"):
        search.events(FRAME, columns=[name])
    with pytest.raises(InputError, match="no column of events"):
        search.events(FRAME, equal={name: "x"})


def test_only_some_events_are_searched():
    assert found("keyget", only=["e:000001", "e:000002", "' OR 1=1"]) == [2]
    assert found("", only=[]) == []
    assert found("", equal={"principal": HOSTILE}) == [3]
    assert found("", equal={"key_name": None}) == [3]


def test_pages_add_up_to_all(incident):
    table = search.Table(incident)
    count = table.find("-outcome:success", sort="principal")

    pages = [event_id for start in range(0, count, 100) for event_id in table.page(start, 100)["event_id"]]

    assert len(table) == len(incident.events)
    assert pages == table.ids()
    assert len(set(pages)) == count == (incident.events.df(["outcome"])["outcome"] != "success").sum()
    table.close()


def test_a_page_is_the_same_before_and_after_all_were_listed(incident):
    table = search.Table(incident)
    before = table.page(300, 100)
    table.ids()

    assert table.page(300, 100).equals(before)
    assert table.page(10**9, 100).empty
    table.close()


def test_events_without_a_row():
    assert search.events(events(), "anything").empty


def test_every_question_says_what_it_needs():
    asked = playbook.questions()

    assert len({one.id for one in asked}) == len(asked) == 42
    assert all(one.question.endswith("?") and one.group and one.needs for one in asked)
    with pytest.raises(InputError, match="no question of the playbook"):
        playbook.question("no-such")


@pytest.mark.parametrize("held", [FRAME, None], ids=["a frame", "files"])
def test_a_session_answers_again_and_again(held, incident):
    session = engine.Session(incident if held is None else held)
    session.keep("deleted", "SELECT event_id FROM events WHERE operation = :name", name="KeyDelete")

    first, again = (session.run("SELECT count(*) AS n FROM deleted")["n"].iloc[0] for _ in range(2))

    assert first == again == (8 if held is None else 1)
    session.close()
