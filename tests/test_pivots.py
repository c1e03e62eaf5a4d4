"""Everything about one identity, address, key or client, and what came together."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from building import SAMPLES, events

from mhsm_forensics import analyse, overview, playbook, schema
from mhsm_forensics.analyse import _profile
from mhsm_forensics.case import create_case, open_case
from mhsm_forensics.errors import InputError
from mhsm_forensics.ingest import add

TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))
T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)


# what touches an entity


def test_events_of_an_object_id_belong_to_its_label_too():
    frame = events(
        {"principal": "anna", "object_id": "o1"}, {"principal": "o1", "object_id": "o1"}, {"principal": "ben"}
    )

    for who in ("anna", "o1", "O1"):
        assert analyse.rows(analyse.touching(frame, principal=who))["event_id"].tolist() == ["e:000001", "e:000002"]


def test_a_service_principal_without_a_name_is_found_by_its_id():
    frame = events({"principal": "app-1", "object_id": None, "app_id": "app-1"}, {})

    assert len(analyse.rows(analyse.touching(frame, app_id="APP-1"))) == 1
    assert len(analyse.rows(analyse.touching(frame, principal="app-1"))) == 1


@pytest.mark.parametrize("asked", ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8::/64"])
def test_an_address_is_found_in_every_spelling_and_by_its_network(asked):
    frame = events({"caller_ip": "2001:db8::1"}, {"caller_ip": "192.0.2.7", "token_ip": "2001:db8::1"}, {})

    assert analyse.rows(analyse.touching(frame, caller_ip=asked))["event_id"].tolist() == ["e:000001", "e:000002"]


def test_what_is_no_address_is_compared_as_it_stands():
    frame = events({"caller_ip": "X.X.X.X"}, {})

    assert len(analyse.rows(analyse.touching(frame, caller_ip="X.X.X.X"))) == 1


def test_two_things_asked_must_both_hold():
    frame = events({"key_name": "kek", "hsm": "hsm-a"}, {"key_name": "kek", "hsm": "hsm-b"})

    assert analyse.rows(analyse.touching(frame, key="kek", hsm="HSM-B"))["event_id"].tolist() == ["e:000002"]


@pytest.mark.parametrize(
    "hostile", ["x' OR '1'='1", ":principal_0", "*) --", 'a"b', "a\0b", "'; DROP TABLE events; --"]
)
def test_a_value_is_never_sql(hostile):
    frame = events({}, {"principal": hostile, "client": hostile, "key_name": hostile, "object_id": None})

    for kind in ("principal", "client", "key", "caller_ip", "correlation_id"):
        found = analyse.rows(analyse.touching(frame, **{kind: hostile}))
        assert found["event_id"].tolist() == ([] if kind in ("caller_ip", "correlation_id") else ["e:000002"])


@pytest.mark.parametrize("asked", [{}, {"principal": None}, {"colour": "red"}])
def test_what_can_not_be_asked_about_says_what_can(asked):
    with pytest.raises(InputError, match="correlation_id"):
        analyse.touching(events({}), **asked)


def test_every_question_takes_what_touches_an_entity():
    frame = events({"principal": "anna"}, {"principal": "ben"}, {"principal": "ben"})
    ben = analyse.touching(frame, principal="ben")

    assert analyse.outcomes(ben)["events"].sum() == 2
    assert analyse.sessions(ben)["principal"].tolist() == ["ben"]
    assert analyse.rows(analyse.touching(ben, operation="KeyGet"))["principal"].tolist() == ["ben", "ben"]
    assert analyse.rows(analyse.touching(ben, principal="anna")).empty


def test_held_events_answer_the_same(incident):
    held = analyse.Held(incident)
    known = analyse.entities(incident.events)

    pd.testing.assert_frame_equal(held.known, known)
    for kind, rows in known[known["value"].notna()].groupby("kind"):
        asked = {"caller_ip" if kind == "token_ip" else kind: rows["value"].iloc[-1]}
        once, again = (analyse.profile(source, **asked) for source in (incident.events, held))
        pd.testing.assert_frame_equal(once.met, again.met)
        pd.testing.assert_frame_equal(once.summary, again.summary)
    held.close()


@pytest.mark.parametrize("kind", ["token_id", "correlation_id", "app_id"])
def test_held_events_are_asked_about_what_is_no_kind_too(incident, kind):
    given = incident.events.df([kind])[kind].dropna().iloc[0]
    held = analyse.Held(incident)

    once, again = (analyse.profile(source, **{kind: given}) for source in (incident.events, held))

    assert once.summary["events"].iloc[0] > 0
    pd.testing.assert_frame_equal(once.met, again.met)
    held.close()


# profiles


def test_a_profile_counts_what_its_rows_hold(incident):
    for kind, column in (
        ("principal", "principal"),
        ("caller_ip", "caller_ip"),
        ("key", "key_name"),
        ("client", "client"),
    ):
        known = analyse.entities(incident.events)
        for value in known.loc[(known["kind"] == kind) & known["value"].notna(), "value"].head(4):
            found = analyse.profile(incident.events, **{kind: value}, known=known)
            rows = found.rows()
            summary = found.summary.iloc[0]

            assert summary["events"] == len(rows) == found.hours.loc[found.hours["zone"] == "UTC", "events"].sum()
            assert summary["denied"] == (rows["outcome"] == "denied").sum() == found.denials["events"].sum()
            assert (summary["first_time"], summary["last_time"]) == (rows["time"].min(), rows["time"].max())
            assert summary["caller_ips"] == rows["caller_ip"].nunique()
            assert summary["active_days"] == rows["time"].dt.date.nunique()
            assert found.sessions["events"].sum() == len(rows)
            assert (found.met.groupby("kind")["events"].sum() <= len(rows)).all()
            assert column in rows


def test_every_number_of_a_profile_leads_to_its_rows(incident):
    who = analyse.principals(incident)["principal"].iloc[0]
    found = analyse.profile(incident.events, principal=who)

    for met in (
        found.met[found.met["kind"].isin(["caller_ip", "client", "operation"])].dropna(subset="value").itertuples()
    ):
        rows = found.rows(**{met.kind: met.value})
        own = rows if met.kind != "caller_ip" else rows[rows["caller_ip"] == met.value]
        assert len(own) == met.events


def test_what_an_entity_alone_uses_is_told_from_what_others_use_too():
    frame = events(
        {"principal": "anna", "key_name": "kek"},
        {"principal": "ben", "key_name": "kek"},
        {"principal": "ben", "key_name": "own"},
    )

    met = analyse.profile(frame, principal="ben").met.query("kind == 'key'").set_index("value")

    assert met["everywhere"].to_dict() == {"kek": 2, "own": 1}
    assert met["only_here"].to_dict() == {"kek": False, "own": True}


def test_what_begins_at_t0_is_new():
    frame = events(
        {"at": "2026-01-01 09:00"}, {"at": "2026-01-05 12:00", "caller_ip": "203.0.113.9"}, {"at": "2026-01-05 12:01"}
    )

    found = analyse.profile(frame, principal="anna", since=T0)

    new = found.met.loc[(found.met["kind"] == "caller_ip") & found.met["is_new"], "value"].tolist()
    assert new == ["203.0.113.9"]
    assert found.departures[["kind", "value"]].to_numpy().tolist() == [["caller_ip", "203.0.113.9"], ["hour", "12:00"]]
    assert found.hours[["before", "later"]].sum().tolist() == [1, 2]


def test_without_t0_what_is_taken_up_after_three_days_departs_from_routine():
    rows = [{"at": f"2026-01-0{day} 09:00"} for day in (1, 2, 3, 4)]
    frame = events(*rows, {"at": "2026-01-04 09:05", "client": "curl"}, {"at": "2026-01-02 09:05", "client": "Go"})

    found = analyse.profile(frame, principal="anna")

    assert found.departures[["kind", "value"]].to_numpy().tolist() == [["client", "curl"]]


def test_hours_are_those_of_the_clock_in_each_zone():
    frame = events({"at": "2026-03-28 23:40"}, {"at": "2026-07-01 23:40"}, {"at": "2026-01-05 18:50"})

    hours = analyse.profile(frame, principal="anna", zone="Asia/Kathmandu").hours  # 5 h 45 min before UTC

    asked = hours.set_index("zone")[["weekday", "hour"]]
    assert sorted(map(tuple, asked.loc["UTC"].to_numpy().tolist())) == [(0, 18), (2, 23), (5, 23)]
    assert sorted(map(tuple, asked.loc["Asia/Kathmandu"].to_numpy().tolist())) == [(1, 0), (3, 5), (6, 5)]


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="Europe/Berlin"):
        analyse.profile(events({}), principal="anna", zone="Mars/Olympus")


def test_an_entity_that_nothing_touches_has_an_empty_profile():
    found = analyse.profile(events({}), principal="nobody", zone="Europe/Berlin")

    assert found.summary[["events", "caller_ips", "active_days"]].to_numpy().tolist() == [[0, 0, 0]]
    assert pd.isna(found.summary["first_time"].iloc[0])
    assert all(frame.empty for frame in (found.met, found.denials, found.hours, found.sessions, found.departures))


def test_t0_and_the_zone_of_a_case_are_taken_from_it(tmp_path, incident):
    found = analyse.profile(incident, principal=analyse.principals(incident)["principal"].iloc[0])

    assert found.since == incident.t0
    assert set(found.hours["zone"]) == {"UTC", incident.display_zone or "UTC"}


# entities


def test_each_kind_accounts_for_every_event(incident):
    found = analyse.entities(incident.events)
    total = len(incident.events)

    sums = found.groupby("kind")["events"].sum()
    assert sums[["principal", "caller_ip", "client", "operation"]].tolist() == [total] * 4
    outcomes = found[["success", "accepted", "denied", "failure", "unknown"]].sum(axis=1)
    assert (outcomes == found["events"]).all()


@pytest.mark.parametrize("asked", [{"hsm": "hsm-a"}, {"client": "Azure CLI"}, {"key": "k"}, {"operation": "KeyGet"}])
def test_what_every_event_has_is_answered_from_what_is_known(asked, monkeypatch):
    told = events({"key_name": "k"}, {"key_name": "k", "principal": "bob", "http_status": 403}, {"key_name": "k"})
    short = analyse.profile(told, **asked)

    monkeypatch.setattr(_profile, "_is_everything", lambda *_: False)

    for name in ("summary", "met", "denials", "departures"):
        pd.testing.assert_frame_equal(getattr(short, name), getattr(analyse.profile(told, **asked), name))
    assert not analyse.profile(events({}, {"hsm": "hsm-b"}), hsm="hsm-a").met["hsm"].eq("hsm-b").any()


def test_keys_of_one_name_in_two_hsms_are_two():
    found = analyse.entities(events({"key_name": "kek", "hsm": "hsm-a"}, {"key_name": "kek", "hsm": "hsm-b"}))

    assert found.loc[found["kind"] == "key", ["value", "hsm"]].to_numpy().tolist() == [
        ["kek", "hsm-a"],
        ["kek", "hsm-b"],
    ]


# pairs and paths


def test_neighbours_share_something_and_say_what():
    frame = events(
        {"at": "2026-01-05 10:00", "token_id": "t"},
        {"at": "2026-01-05 10:05", "principal": "ben", "caller_ip": "192.0.2.1"},
        {"at": "2026-01-05 10:06", "principal": "ben", "caller_ip": "192.0.2.2"},
        {"at": "2026-01-05 10:09", "principal": "cleo", "caller_ip": "192.0.2.3", "token_id": "t"},
        {"at": "2026-01-05 10:11"},
    )

    near = analyse.neighbours(frame, "e:000001", minutes=10)

    assert near["event_id"].tolist() == ["e:000001", "e:000002", "e:000004"]
    assert near["seconds"].tolist() == [0, 300, 540]
    assert near[["same_principal", "same_caller_ip", "same_token_id"]].astype(int).to_numpy().tolist() == [
        [1, 1, 1],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_a_token_is_counted_here_and_wherever_else_it_came_from():
    frame = events(
        {"at": "2026-01-05 10:00", "caller_ip": "192.0.2.1", "token_id": "t"},
        {"at": "2026-01-05 10:01", "caller_ip": "192.0.2.1", "token_id": "u"},
        {"at": "2026-01-05 10:02", "caller_ip": "192.0.2.1", "token_id": None},
        {
            "at": "2026-01-05 11:00",
            "caller_ip": "203.0.113.9",
            "token_id": "t",
            "http_status": 403,
            "outcome": "denied",
        },
    )

    found = analyse.tokens(analyse.touching(frame, caller_ip="203.0.113.9"))
    names = ["token_id", "events", "denied", "everywhere", "caller_ips"]

    assert found[names].to_numpy().tolist() == [["t", 1, 1, 2, 2]]
    assert found["first_anywhere"].iloc[0] == pd.Timestamp("2026-01-05 10:00", tz="UTC")
    assert analyse.tokens(frame)[names].to_numpy().tolist() == [["t", 2, 1, 2, 2], ["u", 1, 0, 1, 1]]
    assert analyse.profile(frame, caller_ip="192.0.2.1").tokens["token_id"].tolist() == ["t", "u"]


def test_an_event_that_shares_nothing_is_its_only_neighbour():
    frame = events({"principal": None, "caller_ip": None}, {"principal": None, "caller_ip": None})

    assert analyse.neighbours(frame, "e:000001")["event_id"].tolist() == ["e:000001"]


def test_an_event_that_does_not_exist_has_no_neighbours():
    with pytest.raises(InputError, match="no such event"):
        analyse.neighbours(events({}), "e:9")


def test_two_places_in_turn_are_concurrent_and_two_one_after_the_other_are_not():
    here, there = {"caller_ip": "192.0.2.1"}, {"caller_ip": "203.0.113.9"}
    rows = [{**(here if n % 2 else there), "at": f"2026-01-05 10:{n:02d}"} for n in range(6)]
    frame = events(
        *rows,
        {**here, "at": "2026-01-05 14:00", "principal": "ben"},
        {**there, "at": "2026-01-05 15:00", "principal": "ben"},
    )

    found = analyse.concurrent(frame, minutes=5)

    assert found[["principal", "one_place", "other_place", "turns", "shortest_seconds"]].to_numpy().tolist() == [
        ["anna", "192.0.2.1", "203.0.113.9", 5, 60.0]
    ]
    assert {found["event_id"].iloc[0], found["next_event_id"].iloc[0]} == {"e:000001", "e:000002"}


def test_two_identities_of_one_label_are_not_concurrent():
    frame = events({"object_id": "o1", "caller_ip": "192.0.2.1"}, {"object_id": "o2", "caller_ip": "192.0.2.2"})

    assert analyse.concurrent(frame).empty


def test_only_places_can_be_compared():
    with pytest.raises(InputError, match="caller_ip"):
        analyse.concurrent(events({}), place="hsm; DROP TABLE events")


def test_who_moved_shares_nothing_between_before_and_after():
    def row(who: str, ip: str, hour: int) -> dict[str, str]:
        return {"principal": who, "caller_ip": f"192.0.2.{ip}", "at": f"2026-01-05 {hour}:00"}

    frame = events(row("moved", "1", 10), row("moved", "2", 13), row("stayed", "1", 10), row("stayed", "1", 13),
                   row("added", "1", 10), row("added", "1", 13), row("added", "2", 13), row("came", "2", 13))  # fmt: skip

    found = analyse.moved(frame, T0)

    assert found[["principal", "caller_ip", "events_before", "events_since"]].to_numpy().tolist() == [
        ["moved", "192.0.2.1", 1, 0],
        ["moved", "192.0.2.2", 0, 1],
    ]
    assert found["last_there"].iloc[0] < pd.Timestamp(T0) <= found["first_here"].iloc[0]


def test_a_move_needs_an_aware_time():
    with pytest.raises(InputError, match="zone"):
        analyse.moved(events({}), datetime(2026, 1, 5))  # noqa: DTZ001 - that is what is refused


def test_shared_addresses_name_everyone_who_uses_them():
    frame = events({"principal": "anna"}, {"principal": "ben"}, {"principal": "cleo", "caller_ip": "192.0.2.2"})

    found = analyse.shared(frame)
    turned = analyse.shared(frame, users="caller_ip", of="principal")

    assert found[["caller_ip", "principal", "users"]].to_numpy().tolist() == [
        ["192.0.2.1", "anna", 2],
        ["192.0.2.1", "ben", 2],
    ]
    assert turned.empty


def test_a_token_from_elsewhere_is_told(incident):
    frame = events({"token_ip": "192.0.2.1"}, {"token_ip": "203.0.113.9", "token_id": "t"}, {"token_ip": None})

    found = analyse.token_places(frame)

    assert found[["token_ip", "caller_ip", "events", "tokens"]].to_numpy().tolist() == [
        ["203.0.113.9", "192.0.2.1", 1, 1]
    ]


def test_links_count_every_event_once_on_each_side(incident):
    found = analyse.links(incident.events)

    assert found.loc[found["kind"] == "caller_ip", "events"].sum() == len(incident.events)
    with_key = incident.events.df(["key_name"])["key_name"].notna().sum()
    assert found.loc[found["kind"] == "key", "events"].sum() == with_key


def test_bundles_leave_nothing_out_and_fit_a_page(incident):
    found = analyse.links(incident.events)

    for limit in (1, 3, 8, 24):
        folded = analyse.bundles(found, limit=limit)

        assert folded[["events", "denied", "control_events"]].sum().tolist() == (
            found[["events", "denied", "control_events"]].sum().tolist()
        )
        assert folded["principal"].nunique(dropna=False) <= limit
        assert (folded.groupby("kind")["value"].nunique(dropna=False) <= limit).all()


def test_many_identities_addresses_and_keys_stay_readable():
    rows = [
        {"principal": f"p{n % 200}", "caller_ip": f"192.0.{n % 500 // 250}.{n % 250}", "key_name": f"k{n % 300}"}
        for n in range(3000)
    ]
    strange = {"principal": "p7", "caller_ip": "203.0.113.9", "key_name": "k7", "at": "2026-02-01 02:00"}

    folded = analyse.bundles(analyse.links(events(*rows, strange), since=datetime(2026, 2, 1, tzinfo=UTC)))

    assert folded["principal"].nunique() <= 24
    new = folded[folded["is_new"]]
    assert new[["kind", "principal", "value"]].to_numpy().tolist() == [["caller_ip", "p7", "203.0.113.9"]]
    assert "p7" in set(folded["principal"])


def test_keys_of_one_name_in_two_hsms_keep_their_own_lines():
    found = analyse.links(events({"key_name": "kek", "hsm": "hsm-a"}, {"key_name": "kek", "hsm": "hsm-b"}))

    folded = analyse.bundles(found)

    assert set(folded.loc[folded["kind"] == "key", "value"]) <= {"kek · hsm-a", "kek · hsm-b", "2 keys"}


def test_what_the_attacker_of_the_sample_used_is_what_is_new_since_t0(incident):
    attacker, since = TRUTH["attacker"], datetime.fromisoformat(TRUTH["t0"])

    found = analyse.profile(incident.events, principal=attacker["object_id"], since=since)

    new = found.met[found.met["is_new"]].groupby("kind")["value"].agg(set)
    assert new["caller_ip"] == set(attacker["addresses"])
    assert "hour" in set(found.departures["kind"])
    by_address = [analyse.profile(incident.events, caller_ip=address) for address in attacker["addresses"]]
    named = [analyse.rows(analyse.touching(one.events, principal=attacker["object_id"])) for one in by_address]
    assert sum(map(len, named)) == attacker["events"]
    assert sum(one.summary["events"].iloc[0] for one in by_address) == attacker["events"] + attacker["challenges"]


# sign-ins behind calls


def signins(*rows: dict[str, object]) -> pd.DataFrame:
    usual = {"time": "2026-01-05 09:50", "object_id": "oid-anna", "caller_ip": "192.0.2.1", "outcome": "success"}
    empty = schema.to_pandas(schema.empty(schema.CONTEXT["signins"]))
    made = pd.DataFrame([{"event_id": f"s:{number}", **usual, **row} for number, row in enumerate(rows, 1)])
    made = made.reindex(columns=empty.columns).assign(
        time=pd.to_datetime(made["time"], utc=True).astype("datetime64[us, UTC]")
    )
    return made.astype({name: kind for name, kind in empty.dtypes.items() if name != "time"})


@pytest.mark.parametrize(
    ("signin", "confidence"),
    [
        ({"token_id": "t1", "caller_ip": "203.0.113.9", "object_id": "other"}, "high"),
        ({}, "medium"),
        ({"caller_ip": "192.0.2.8"}, "medium"),  # where the token was issued to
        ({"caller_ip": "203.0.113.9"}, "low"),
        ({"time": "2026-01-04 09:50"}, "none"),
        ({"time": "2026-01-05 10:02"}, "none"),
        ({"object_id": "oid-ben"}, "none"),
    ],
)
def test_a_sign_in_is_as_sure_as_what_ties_it_to_the_call(signin, confidence):
    frame = events({"at": "2026-01-05 10:00", "token_id": "t1", "token_ip": "192.0.2.8"})

    found = analyse.signed_in(frame, signins(signin))

    assert found["confidence"].tolist() == [confidence]
    assert found["signin_event_id"].isna().tolist() == [confidence == "none"]


def test_each_use_keeps_its_row_and_its_best_sign_in():
    frame = events(
        {"at": "2026-01-05 10:00", "token_id": "t1"}, {"at": "2026-01-05 11:00"}, {"principal": None, "object_id": None}
    )

    found = analyse.signed_in(
        frame, signins({}, {"token_id": "t1", "time": "2026-01-05 08:00"}, {"time": "2026-01-05 10:30"})
    )

    assert found["events"].tolist() == [1, 1]
    assert found["signin_event_id"].tolist() == ["s:2", "s:3"]


def test_sign_ins_of_the_sample_stand_behind_the_attacker(tmp_path):
    case = create_case(tmp_path / "case")
    add(case, [SAMPLES / "incident"])
    case = open_case(tmp_path / "case")

    found = analyse.signed_in(case, case.context("signins"))

    attacker = found[found["object_id"] == TRUTH["attacker"]["object_id"]]
    assert set(attacker["confidence"]) & {"high", "medium"}
    assert found["events"].sum() == case.events.df(["object_id"])["object_id"].notna().sum()


def test_what_the_case_lacks_is_named(incident, tmp_path):
    whole = overview.answerable(incident)

    assert whole["id"].tolist() == [one.id for one in playbook.questions()]
    ways_in = overview.answerable(incident, "Ways in").set_index("id")
    assert ways_in.loc["sign-ins", "covered"] == ("no" if incident.context("signins").empty else "yes")
    assert ways_in.loc["clients", "covered"] == "in part"
    assert set(overview.answerable(create_case(tmp_path / "none"))["covered"]) == {"no"}


def test_a_group_that_does_not_exist_names_those_that_do(incident):
    with pytest.raises(InputError, match="Ways in"):
        overview.answerable(incident, "Ways out")
