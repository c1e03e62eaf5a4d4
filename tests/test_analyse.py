from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from building import SAMPLES, events

from mhsm_forensics import analyse, detect, engine, schema
from mhsm_forensics.case import Scope
from mhsm_forensics.errors import InputError, SchemaError

QUERIES = sorted((Path(engine.__file__).parent / "queries").glob("[!_]*.sql"))
TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))

COLUMNS = {
    "hourly": "hour hsm operation_class events denied",
    "outcomes": "operation operation_class effect operation_status events success accepted denied failure unknown "
    "first_time last_time",
    "principals": "actor principal principal_type object_id app_id first_time last_time events operations caller_ips keys "
    "hsms clients control_events denied denial_rate",
    "first_seen_pairs": "principal caller_ip first_time last_time events denied is_new",
    "coverage": "hsm hour events expected state",
    "gaps": "hsm start end seconds expected_events usual_seconds chance last_event_id next_event_id",
    "sessions": "session actor principal caller_ip client token_id start end seconds longest_pause_seconds events operations "
    "top_operations keys denied control_events",
    "story": "start end kind chapter heading line severity findings hsm principal caller_ip operation events event_ids",
    "timeline": "lane bin_start bin_end group events denied",
    "moments": "start end hsm actor principal principal_type caller_ip operation operation_class effect outcome group events "
    "keys key_names event_ids",
    "series": "operation start end value events",
    "baseline": "operation start end value events expected low high enough",
    "keys": "key hsm key_name first_time last_time events principals caller_ips uses exports changes denied deleted_at "
    "purged_at recovered_at created_at state",
    "reconcile": "hour hsm route other_route records other_records lacking lacking_within first_time last_time event_id",
    "restores": "hsm start end seconds answered failed principals operation outcome actor principal object_id caller_ip "
    "event_id label",
    "unknown_operations": "operation act known_by class_by_uri operation_status events first_time last_time example_uri",
    "concurrent": "actor principal object_id one_place other_place first_time last_time turns shortest_seconds event_id "
    "next_event_id",
    "entities": "kind value hsm first_time last_time events success accepted denied failure unknown control_events",
    "links": "kind principal value hsm first_time last_time events denied control_events is_new",
    "rows": " ".join(schema.EVENT_NAMES),
    "tokens": "token_id first_time last_time events success accepted denied failure unknown control_events everywhere "
    "first_anywhere caller_ips",
    "shared": "caller_ip principal users events denied first_time last_time",
    "token_places": "actor principal object_id token_ip caller_ip first_time last_time events tokens denied",
}
ABOUT_ONE = {
    "Held",
    "Profile",
    "bundles",
    "met",
    "profile",
    "signed_in",
    "touching",
    "neighbours",
    "moved",
    "anomalies",
}  # tests/test_pivots.py has these
QUESTIONS = [name for name in analyse.__all__ if name not in ABOUT_ONE]


def steady(days: int, *, hours: range = range(24), start: str = "2026-01-05", per_hour: int = 4, **row: object) -> list:
    """Events at even intervals on every day; 5 January 2026 is a Monday."""
    first = pd.Timestamp(start)
    return [
        {"at": str(first + pd.Timedelta(days=day, hours=hour, minutes=60 / per_hour * n)), **row}
        for day in range(days)
        for hour in hours
        for n in range(per_hour)
    ]


def without(rows: list, start: str, end: str) -> list:
    return [row for row in rows if not start <= row["at"] < end]


# conventions


def test_every_question_has_its_columns_and_types(incident):
    for name in QUESTIONS:
        frame = getattr(analyse, name)(incident.events)

        assert list(frame.columns) == COLUMNS[name].split()
        text = frame.drop(columns=["event_ids", "findings"], errors="ignore").dtypes
        assert not [column for column, dtype in text.items() if str(dtype) == "object"]
        assert {str(t) for t in text if "datetime" in str(t)} <= {"datetime64[us, UTC]"}


def test_no_events_give_empty_answers():
    nothing = events()

    for name in QUESTIONS:
        frame = getattr(analyse, name)(nothing)
        assert frame.empty
        assert list(frame.columns) == COLUMNS[name].split()


def test_input_is_untouched():
    frame = events({}, {"principal": None})
    before = frame.copy()

    for name in QUESTIONS:
        getattr(analyse, name)(frame)

    pd.testing.assert_frame_equal(frame, before)


def test_principals_that_differ_after_a_nul_stay_two_in_every_question():
    frame = events(
        {"principal": "a\0b", "operation": "KeyDelete", "key_name": "k\0x", "token_ip": "192.0.2.8"},
        {"principal": "a\0b", "operation": "KeyDelete", "key_name": "k\0x", "caller_ip": "192.0.2.9"},
        {"principal": "a\0c", "operation": "KeyDelete", "key_name": "k\0y", "token_ip": "192.0.2.8"},
        {"principal": "a\0c", "operation": "KeyDelete", "key_name": "k\0y", "caller_ip": "192.0.2.9"},
        {"principal": "a\0b", "operation": "RestoreCreate", "http_status": 202},
        {"principal": "a\0c", "operation": "RestoreCreate", "http_status": 202},
    )

    for name in QUESTIONS:
        answer = getattr(analyse, name)(frame)
        column = "principal" if "principal" in answer else "key_name"
        if column in answer:
            assert set(answer[column].str[-1]) in ({"b", "c"}, {"x", "y"}), name


def test_events_without_principal_or_hsm_are_counted():
    frame = events({"principal": None, "caller_ip": None, "hsm": None, "operation": None, "http_status": 401}, {})

    for name in ("hourly", "outcomes", "principals", "first_seen_pairs", "sessions", "timeline", "coverage"):
        assert getattr(analyse, name)(frame)["events"].sum() == 2, name


def test_counts_add_up_to_the_case(incident):
    count = len(incident.events)

    for name in ("hourly", "outcomes", "principals", "first_seen_pairs", "sessions", "timeline", "coverage"):
        assert getattr(analyse, name)(incident.events)["events"].sum() == count, name


def test_a_frame_without_a_needed_column_is_refused():
    with pytest.raises(SchemaError, match="caller_ip"):
        analyse.sessions(events({}).drop(columns="caller_ip"))


# the SQL subset that DuckDB and Spark share

TRAPS = {
    "a double quote (a string in Spark)": r'"',
    "regular expressions, split": r"\b(regexp\w*|rlike|similar to|split\w*)\b",
    "interval arithmetic": r"\binterval\b",
    "a decimal literal (write 1e0)": r"(?<![\w.])\d+\.\d+(?!e|\d)",
    "dayofweek (0- or 1-based)": r"\b(dayofweek|isodow|dow)\b",
    "engine's own: epoch, qualify, group by all": r"\b(epoch\w*|qualify|group by all|strftime|make_timestamp)\b",
    "integer division": r"//|\bdiv\b",
    "backslash": r"\\",
    "a cut": r"\b(limit|top|sample)\b",
}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("trap", TRAPS)
def test_queries_avoid(trap, path):
    text = re.sub(r"--[^\n]*", "", engine.sql(path.stem))

    assert not re.search(TRAPS[trap], text, re.IGNORECASE)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_queries_say_what_they_answer_and_order_their_rows(path):
    text = engine.sql(path.stem)

    assert text.startswith("-- ")
    assert "@" not in text
    order = text[text.rindex("ORDER BY") :]
    nullable = r"\b(hsm|principal|caller_ip|operation|operation_class|left_value|right_value)\b(?! NULLS)"
    assert not re.search(nullable, order.replace("min(event_id)", ""))


def shared(name: str, start: str, end: str) -> set[str]:
    """Every text of that kind in the queries, without its indentation."""
    found = set()
    for path in QUERIES:
        for part in re.findall(f"{re.escape(start)}.*?{re.escape(end)}", engine.sql(path.stem), re.DOTALL):
            found.add(re.sub(r"\s+", " ", part))
    assert found, name
    return found


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("what a control event is", "-- control:", "END AS control"),
        ("groups of operations", "-- group:", "END AS group_name"),
        ("history of an HSM", "WITH counts AS (", "FROM usual"),
        ("lanes of a timeline", "-- lane: the value", "END AS lane"),
    ],
)
def test_what_queries_share_is_the_same_text(name, start, end):
    assert len(shared(name, start, end)) == 1


# questions


def test_an_accepted_job_is_not_counted_as_success():
    answer = analyse.outcomes(events({"operation": "BackupCreate", "http_status": 202}))

    assert answer[["success", "accepted"]].to_numpy().tolist() == [[0, 1]]


def test_two_object_ids_under_one_label_stay_two_principals():
    answer = analyse.principals(events({"object_id": "1"}, {"object_id": "2"}))

    assert sorted(answer["object_id"]) == ["1", "2"]


def test_pairs_are_new_from_the_given_instant_on():
    frame = events({"at": "2026-01-05 10:00"}, {"at": "2026-01-05 11:00", "caller_ip": "192.0.2.2"})

    answer = analyse.first_seen_pairs(frame, since=datetime(2026, 1, 5, 11, tzinfo=UTC))

    assert dict(zip(answer["caller_ip"], answer["is_new"], strict=True)) == {"192.0.2.2": True, "192.0.2.1": False}


@pytest.mark.parametrize("left", ["principal; DROP TABLE events", "caller_ip", "event_id"])
def test_only_listed_columns_are_paired(left):
    with pytest.raises(InputError, match="can't be paired"):
        analyse.first_seen_pairs(events({}), left=left)


def test_a_time_without_zone_is_refused():
    with pytest.raises(InputError, match="zone"):
        analyse.first_seen_pairs(events({}), since=datetime(2026, 1, 5))  # noqa: DTZ001


def test_a_pause_of_exactly_the_limit_ends_no_session():
    frame = events(*({"at": f"2026-01-05 {clock}"} for clock in ("10:00", "10:30", "11:00:01")))

    assert analyse.sessions(frame)["events"].tolist() == [2, 1]
    assert analyse.sessions(frame, gap_minutes=60)["events"].tolist() == [3]


def test_a_session_counts_the_operations_it_does_not_name():
    frame = events(*({"operation": name} for name in ("KeyGet", "KeyGet", "KeySign", "KeyList", "KeyWrap")))

    assert analyse.sessions(frame)["top_operations"].tolist() == ["KeyGet 2, KeyList 1, KeySign 1 … 1 more"]


@pytest.mark.parametrize("days", [0.01, 1, 30, 3000])
def test_timeline_keeps_to_the_number_of_bins(days):
    rows = [{"at": str(pd.Timestamp("2020-01-01") + pd.Timedelta(days=days * n / 999))} for n in range(1000)]

    answer = analyse.timeline(events(*rows), bins=100)

    widths = answer["bin_end"] - answer["bin_start"]
    assert (widths == widths.iloc[0]).all()
    assert days * pd.Timedelta(days=1) / widths.iloc[0] <= 100
    assert answer["events"].sum() == 1000


@pytest.mark.parametrize("by", ["principal", "caller_ip", "key", "operation_class", "hsm"])
def test_timeline_counts_every_event_in_the_lane_that_is_its_own(incident, by):
    whole = incident.events.df([by])[by].fillna("").value_counts()

    answer = analyse.timeline(incident.events, by)

    assert answer.assign(lane=answer["lane"].fillna("")).groupby("lane")["events"].sum().to_dict() == whole.to_dict()


def test_timeline_keeps_to_its_start_and_end_and_goes_down_to_milliseconds():
    frame = events(*({"at": f"2026-01-05 10:00:00.{n:03d}"} for n in range(100)))

    answer = analyse.timeline(
        frame, start=datetime(2026, 1, 5, 10, 0, 0, 10_000, UTC), end=datetime(2026, 1, 5, 10, 0, 0, 20_000, UTC)
    )

    assert answer["events"].tolist() == [1] * 10
    assert str(answer["bin_start"].iloc[0]) == "2026-01-05 10:00:00.010000+00:00"


def test_timeline_refuses_a_column_that_is_no_lane():
    with pytest.raises(InputError, match="one of principal"):
        analyse.timeline(events({}), "event_id")


def test_groups_follow_class_and_effect():
    names = ("KeyGet", "KeySign", "KeyRotate", "RoleAssignmentCreate", "RoleAssignmentList", "BackupCreate", "KeyPurge")

    answer = analyse.timeline(events(*({"operation": name, "principal": name} for name in names)))

    assert dict(zip(answer["lane"], answer["group"], strict=True)) == {
        "KeyGet": "read",
        "KeySign": "crypto",
        "KeyRotate": "key lifecycle",
        "RoleAssignmentCreate": "access control",
        "RoleAssignmentList": "read",
        "BackupCreate": "backup / domain",
        "KeyPurge": "destructive",
    }


def test_a_run_of_the_same_act_is_one_moment_with_every_event():
    rows = [{"operation": "KeyBackup", "key_name": f"key-{n}"} for n in range(7)]

    (run,) = analyse.moments(events(*rows, {"operation": "KeyGet"})).to_dict("records")

    assert (run["events"], run["keys"], run["key_names"]) == (7, 7, "key-0, key-1, key-2, key-3, key-4 … 2 more")
    assert list(run["event_ids"]) == [f"e:{n:06d}" for n in range(1, 8)]


def test_a_role_write_under_an_unseen_name_is_a_moment_and_a_role_read_is_not():
    unseen = {"operation": "LocalRbacThing", "operation_class": "access_control", "effect": "unknown"}

    answer = analyse.moments(events({**unseen, "http_status": 201}, {**unseen, "http_status": 200}))

    assert answer["event_ids"].map(list).tolist() == [["e:000001"]]


@pytest.mark.parametrize(
    ("acts", "state"),
    [
        (["KeyGet"], "active"),
        (["KeyDelete"], "soft-deleted"),
        (["KeyDelete", "KeyRecover"], "active"),
        (["KeyDelete", "KeyPurge"], "purged"),
        (["KeyDelete", "KeyPurge", "KeyCreate"], "active"),
    ],
)
def test_state_of_a_key(acts, state):
    frame = events(*({"operation": act, "key_name": "k"} for act in acts))

    assert analyse.keys(frame)["state"].tolist() == [state]


def test_a_refused_deletion_deletes_nothing_and_a_late_answer_of_another_region_revives_nothing():
    refused = events({"operation": "KeyDelete", "key_name": "k", "http_status": 403})
    late = events(
        {"operation": "KeyDelete", "key_name": "k", "at": "2026-01-05 10:00"},
        {"operation": "KeySign", "key_name": "k", "at": "2026-01-05 10:05"},
    )

    assert analyse.keys(refused)["state"].tolist() == ["active"]
    assert analyse.keys(late)["state"].tolist() == ["soft-deleted"]


def test_a_mistyped_key_is_not_found():
    assert analyse.keys(events({"key_name": "kye", "http_status": 404}))["state"].tolist() == ["not found"]


def test_keys_end_as_the_truth_says(incident):
    found = analyse.keys(incident.events)

    lost = {
        state: {h: set(n) for h, n in found[found["state"] == state].groupby("hsm")["key_name"]}
        for state in ("purged", "soft-deleted")
    }
    assert lost["purged"] == {h: set(n) for h, n in TRUTH["keys"]["purged"].items()}
    assert lost["soft-deleted"] == {h: set(n) for h, n in TRUTH["keys"]["soft_deleted"].items()}


# silences


def test_an_outage_in_steady_traffic_is_a_gap():
    rows = without(steady(14), "2026-01-14 03:00", "2026-01-14 09:00")

    answer = analyse.gaps(events(*rows))

    assert answer["start"].dt.strftime("%d %H:%M").tolist() == ["14 02:45"]
    assert answer["end"].dt.strftime("%d %H:%M").tolist() == ["14 09:00"]
    assert answer["expected_events"].round().tolist() == [25]
    assert answer[["last_event_id", "next_event_id"]].notna().all(axis=None)


def test_nights_and_weekends_of_an_hsm_with_office_hours_are_no_gaps():
    rows = [row for row in steady(28, hours=range(8, 18)) if pd.Timestamp(row["at"]).weekday() < 5]

    assert analyse.gaps(events(*rows)).empty
    assert "silent" not in set(analyse.coverage(events(*rows))["state"])


def test_an_outage_in_office_hours_is_a_gap():
    rows = [row for row in steady(28, hours=range(8, 18)) if pd.Timestamp(row["at"]).weekday() < 5]

    answer = analyse.gaps(events(*without(rows, "2026-01-21", "2026-01-22")))

    assert answer["start"].dt.strftime("%d").tolist() == ["20"]


def test_batches_are_no_gaps_but_a_missing_one_is():
    rows = steady(21, hours=range(2, 3), per_hour=60)

    assert analyse.gaps(events(*rows)).empty
    assert len(analyse.gaps(events(*without(rows, "2026-01-15", "2026-01-16")))) == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.3, 3, 30])
def test_random_traffic_has_no_gaps(seed, rate):
    pauses = np.random.default_rng(seed).exponential(1 / rate, int(rate * 24 * 21))
    rows = [{"at": str(pd.Timestamp("2026-01-05") + pd.Timedelta(hours=hours))} for hours in pauses.cumsum()]

    assert analyse.gaps(events(*rows)).empty


def test_irregular_batches_are_a_rhythm_and_only_the_longest_pause_may_be_odd():
    dice = np.random.default_rng(1)
    starts = [pd.Timestamp("2026-01-05") + pd.Timedelta(days=day) for day in range(28) if dice.random() < 0.6]
    rows = [row for start in starts for row in steady(1, start=str(start), hours=range(2, 3), per_hour=60)]

    answer = analyse.gaps(events(*rows))

    longest = pd.Series(starts).diff().max()
    assert (answer["end"] - answer["start"] > longest - pd.Timedelta(hours=1)).all()


def test_days_without_an_event_of_a_sparse_hsm_are_a_gap():
    rows = [
        {"at": f"2026-01-{day:02d} {8 + (day * 7 + n * 3) % 12:02d}:{n:02d}"} for day in range(5, 30) for n in range(4)
    ]

    answer = analyse.gaps(events(*without(rows, "2026-01-12", "2026-01-21")))

    assert answer["seconds"].div(86400).round().tolist() == [10]


def test_two_outages_do_not_excuse_each_other():
    rows = without(steady(21), "2026-01-14 03:00", "2026-01-14 09:00")

    answer = analyse.gaps(events(*without(rows, "2026-01-15 03:00", "2026-01-15 09:00")))

    assert len(answer) == 2


def test_an_hsm_that_stops_before_the_evidence_ends_is_told():
    rows = [*steady(14), *without(steady(14, hsm="hsm-b"), "2026-01-17 12:00", "2027")]

    (gap,) = analyse.gaps(events(*rows)).to_dict("records")

    assert gap["hsm"] == "hsm-b"
    assert pd.isna(gap["next_event_id"])


def test_what_was_before_the_first_event_is_not_judged():
    rows = [*steady(14), *steady(4, start="2026-01-15", hsm="hsm-b")]

    assert analyse.gaps(events(*rows)).empty


def test_short_evidence_has_no_history(quiet_day):
    assert set(analyse.coverage(quiet_day.events)["state"]) == {"no_history"}
    assert analyse.gaps(quiet_day.events).empty


def test_one_record_with_a_wrong_year_hides_no_gap():
    rows = [{"at": "1999-01-01 00:00"}, *without(steady(14), "2026-01-14 03:00", "2026-01-14 09:00")]

    assert "14 02:45" in set(analyse.gaps(events(*rows))["start"].dt.strftime("%d %H:%M"))


def test_coverage_has_every_hour_and_marks_the_outage():
    answer = analyse.coverage(events(*without(steady(14), "2026-01-14 03:00", "2026-01-14 09:00")))

    assert all(b - a == pd.Timedelta(hours=1) for a, b in pairwise(answer["hour"]))
    silent = answer[answer["state"] == "silent"]
    assert silent["hour"].dt.strftime("%d %H").tolist() == [f"14 {hour:02d}" for hour in range(3, 9)]


def test_the_silence_of_the_incident_is_found_and_no_other(incident):
    found = analyse.gaps(incident.events)

    expected = {s["hsm"]: (s["start"][:19], s["end"][:19]) for s in TRUTH["silence"]}
    assert {
        row.hsm: (f"{row.start:%Y-%m-%dT%H:%M:%S}", f"{row.end:%Y-%m-%dT%H:%M:%S}") for row in found.itertuples()
    } == expected


def test_the_method_can_be_printed_with_its_shared_parts_written_out():
    for path in QUERIES:
        own = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("@")]
        printed = iter(engine.sql(path.stem).splitlines())
        assert all(line in printed for line in own), path.stem


def test_a_session_ends_with_a_pause_that_does_not_fit_its_own_cadence():
    hourly = [{"at": f"2026-01-05 {hour:02}:00", "principal": "job"} for hour in range(12)]
    person = [{"at": "2026-01-05 10:00", "principal": "anna"}, {"at": "2026-01-05 10:01", "principal": "anna"},
              {"at": "2026-01-05 10:45", "principal": "anna"}]  # fmt: skip

    found = analyse.sessions(events(*hourly, *person)).groupby("principal")["events"].agg(list)

    assert found["job"] == [12]
    assert found["anna"] == [2, 1]


def test_another_client_or_token_is_another_session():
    frame = events({"client": "curl"}, {"client": "Azure CLI"}, {"client": "Azure CLI", "token_id": "t2"})

    assert analyse.sessions(frame)["events"].tolist() == [1, 1, 1]


THIEF = {"principal": "svc", "caller_ip": "198.51.100.7"}


def test_the_story_folds_a_run_and_says_what_came_of_it():
    denied = [{**THIEF, "operation": "KeyPurge", "key_name": "k1", "http_status": 403}] * 2
    done = [{**THIEF, "operation": "KeyPurge", "key_name": f"k{n}"} for n in (1, 2, 3)]

    told = analyse.story(events(*denied, *done))

    assert told["line"].tolist() == [
        "10:01–10:05 KeyPurge 3 keys (k1, k2, k3), 5 times on hsm-a, 2 denied, then 3 succeeded"
    ]
    assert told["heading"].tolist() == [
        "2026-01-05 10:01–10:05 UTC · svc from 198.51.100.7, Azure CLI: 5 events, 2 denied"
    ]
    assert len(told["event_ids"].iloc[0]) == told["events"].iloc[0] == 5


def test_a_chapter_counts_every_event_of_its_caller_whatever_the_client():
    frame = events(
        {**THIEF, "operation": "KeyDelete", "client": "a"}, {**THIEF, "client": "b"}, {**THIEF, "client": "b"}
    )

    told = analyse.story(frame)

    assert told["heading"].tolist() == [
        "2026-01-05 10:01–10:03 UTC · svc from 198.51.100.7, a and 1 other client: 3 events"
    ]


def test_acts_of_nobody_are_told_too():
    told = analyse.story(events({"principal": None, "caller_ip": None, "operation": "KeyDelete", "key_name": "k"}))

    assert "nobody who is named" in told["heading"].iloc[0]


def test_a_story_without_acts_has_no_lines():
    assert analyse.story(events({})).empty
    assert analyse.story(events({}).iloc[:0]).empty


def test_the_story_of_the_incident_is_whole_and_ordered(incident):
    findings = detect.run(incident.events)
    told = analyse.story(incident.events, findings)
    acts = analyse.moments(incident.events)

    ids = [event_id for found in told.loc[told["kind"] != "silence", "event_ids"] for event_id in found]
    assert sorted(ids) == sorted(event_id for found in acts["event_ids"] for event_id in found)
    assert told["start"].is_monotonic_increasing
    assert (told["kind"] == "silence").sum() == 2
    assert told.loc[told["kind"] == "routine", "events"].tolist() == [17, 17]
    grave = told[told["severity"] == "critical"]
    assert grave["operation"].tolist() == ["BackupCreate", "BackupCreate", "SecurityDomainBackup", "KeyPurge"]


def test_a_scope_of_one_principal_is_no_silence_of_the_log(incident):
    quiet = incident.events.of(Scope(principals=("mateo.osei@contoso.example",)))

    assert analyse.gaps(quiet).equals(analyse.gaps(incident.events))
    assert analyse.coverage(quiet).equals(analyse.coverage(incident.events))


def test_silences_and_hours_of_a_scope_are_those_that_touch_its_time_and_hsms(incident):
    day = (datetime(2026, 3, 18, tzinfo=UTC), datetime(2026, 3, 18, 12, tzinfo=UTC))

    found = analyse.gaps(incident.events.within(*day, ["contoso-hsm-dr"]))
    hours = analyse.coverage(incident.events.within(*day, ["contoso-hsm-dr"]))

    assert found["hsm"].to_list() == ["contoso-hsm-dr"]
    assert (hours["hour"].min(), len(hours)) == (pd.Timestamp("2026-03-18 00:00", tz="UTC"), 12)
    assert analyse.gaps(incident.events.within(None, datetime(2026, 3, 10, tzinfo=UTC))).empty


RESTORE = {"operation": "RestoreCreate", "http_status": 202, "principal": "eve", "key_name": None}
REFUSED = {"operation": "KeyUnwrap", "http_status": 503, "key_name": "k"}


def test_restore_mode_lasts_until_the_hsm_answers_anything_else():
    found = analyse.restores(events(
        {"at": "2026-01-05 10:00", **RESTORE},
        {"at": "2026-01-05 10:01", **REFUSED, "principal": "pay"},
        {"at": "2026-01-05 10:02", "operation": "RestoreStatusGet", "principal": "eve"},
        {"at": "2026-01-05 10:03", **REFUSED, "principal": "shop"},
        {"at": "2026-01-05 10:04", "operation": "ManagedHsmPatch"},  # through Azure Resource Manager
        {"at": "2026-01-05 10:05", "hsm": "hsm-b"},
        {"at": "2026-01-05 10:09"},
        {"at": "2026-01-05 10:10", **REFUSED},
    ))  # fmt: skip

    (row,) = found.to_dict("records")
    assert (row["start"], row["end"]) == (pd.Timestamp("2026-01-05 10:00Z"), pd.Timestamp("2026-01-05 10:09Z"))
    assert (row["failed"], row["principals"], row["answered"], row["label"]) == (2, 2, True, "restore mode")
    assert (row["principal"], row["event_id"], row["outcome"]) == ("eve", "e:000001", "accepted")


def test_a_restore_after_which_nothing_is_answered_ends_with_the_log():
    found = analyse.restores(events({"at": "2026-01-05 10:00", **RESTORE}, {"at": "2026-01-05 11:00", **REFUSED}))

    assert found[["seconds", "label"]].to_numpy().tolist() == [[3600.0, "restore mode, end not seen"]]


@pytest.mark.parametrize("other", [
    {"operation": "RestoreCreate", "http_status": 403},
    {"operation": "SelectiveKeyRestoreCreate", "http_status": 202, "key_name": "k"},
    {"operation": "PreRestoreCreate", "http_status": 202},
])  # fmt: skip
def test_what_restores_no_whole_hsm_is_no_restore_mode(other):
    assert analyse.restores(events(other, {})).empty


def test_what_came_within_one_microsecond_is_taken_in_turn_by_its_tick():
    at, home, away = "2026-01-05 10:00", "203.0.113.5", "198.51.100.7"
    calls = events(*({"at": at, "tick": tick, "caller_ip": ip} for tick, ip in ((0, home), (2, home), (1, away))))

    assert analyse.concurrent(calls)["turns"].to_list() == [2]


def test_what_came_at_one_tick_is_taken_in_turn_by_its_place_in_the_file():
    at, home, away = "2026-01-05 10:00", "203.0.113.5", "198.51.100.7"
    places = (("e:90", 90, home), ("e:1000", 1000, away), ("e:101", 101, home))
    calls = events(*(
        {"at": at, "tick": 0, "evidence_id": "e", "source_offset": offset, "event_id": event_id, "caller_ip": ip}
        for event_id, offset, ip in places
    ))  # fmt: skip

    assert analyse.concurrent(calls)["turns"].to_list() == [1]
