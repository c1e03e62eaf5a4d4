"""What is out of the usual, judged on a few events whose truth is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from building import SAMPLES, events

from mhsm_forensics import analyse, plot
from mhsm_forensics.errors import InputError

TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))
SURE = "confident"


def hourly(days: int, per_hour: int = 4, *, start: str = "2026-01-05", seed: int = 1, **row: object) -> list:
    """About so many events in each hour, at random; 5 January 2026 is a Monday."""
    dice = np.random.default_rng(seed)
    moments = np.sort(dice.uniform(0, days * 86400, dice.poisson(days * 24 * per_hour)))
    return [{"at": str(pd.Timestamp(start) + pd.Timedelta(seconds=s)), "duration_ms": 9, **row} for s in moments]


def at_once(moment: str, count: int, **row: object) -> list:
    """So many events, a second after each other."""
    return [{"at": str(pd.Timestamp(moment) + pd.Timedelta(seconds=n)), "duration_ms": 9, **row} for n in range(count)]


def without(rows: list, start: str, end: str) -> list:
    return [row for row in rows if not start <= row["at"] < end]


def kinds(found: pd.DataFrame) -> list:
    return list(zip(found["kind"], found["operation"].fillna("-"), found["start"].dt.strftime("%d %H:%M"), strict=True))


# series


def test_hours_that_begin_or_end_the_evidence_are_left_out_and_quiet_ones_are_zeros():
    frame = events(*({"at": f"2026-01-05 {clock}"} for clock in ("10:30", "11:10", "11:20", "13:30", "14:10")))

    answer = analyse.series(frame)

    assert answer["start"].dt.hour.tolist() == [11, 12, 13]
    assert answer["value"].tolist() == [2, 0, 1]


def test_a_gap_of_the_log_is_no_zero():
    rows = without(hourly(14), "2026-01-14 03:00", "2026-01-14 09:00")

    answer = analyse.series(events(*rows))

    inside = answer["start"].between(pd.Timestamp("2026-01-14 03:00Z"), pd.Timestamp("2026-01-14 08:00Z"))
    assert not inside.any()
    assert not (analyse.anomalies(events(*rows))["kind"] == "fewer").any()


@pytest.mark.parametrize(
    ("measure", "value"),
    [("events", 4), ("denied_share", 0.25), ("distinct_keys", 2), ("distinct_callers", 3), ("new_pairs", 2), ("duration_ms", 5)],
)  # fmt: skip
def test_measures(measure, value):
    hour = [
        {"principal": "anna", "key_name": "a", "duration_ms": 1},
        {"principal": "ben", "key_name": "a", "duration_ms": 4, "http_status": 403},
        {"principal": "ben", "key_name": "b", "duration_ms": 6},
        {"principal": "eve", "key_name": None, "duration_ms": 100},
    ]
    frame = events(
        {"at": "2026-01-05 09:59"}, *({"at": "2026-01-05 10:10", **row} for row in hour), {"at": "2026-01-05 11:00"}
    )

    answer = analyse.series(frame, measure=measure)

    assert answer["value"].tolist() == [value]


def test_a_series_without_a_value_is_there_and_its_names_are_whole():
    names = (None, "a\0b", "a\0c")
    inside = [{"at": "2026-01-05 10:10", "principal": name} for name in names]
    frame = events({"at": "2026-01-05 09:59"}, *inside, {"at": "2026-01-05 11:00"})

    answer = analyse.series(frame, by=["principal"])

    busy = answer[answer["value"] > 0]
    assert [None if pd.isna(name) else name for name in busy["principal"]] == [None, "a\0b", "a\0c"]


@pytest.mark.parametrize("wrong", [{"by": ("t",)}, {"by": ()}, {"measure": "money"}, {"every": "day"}])
def test_only_what_is_listed_makes_a_series(wrong):
    with pytest.raises(InputError, match="Hint"):
        analyse.series(events({}), **wrong)


# the baseline


def test_expected_follows_the_hour_and_the_kind_of_day():
    rows = [
        row for row in hourly(28, 8) if pd.Timestamp(row["at"]).weekday() < 5 and 8 <= pd.Timestamp(row["at"]).hour < 18
    ]
    rows += hourly(28, 4, operation="KeySign", seed=2)

    answer = analyse.baseline(events(*rows)).query("operation == 'KeyGet'")

    office = (answer["start"].dt.weekday < 5) & answer["start"].dt.hour.between(8, 17)
    assert answer["expected"][office].between(5, 11).all()
    assert (answer["expected"][~office] < 0.2).all()
    assert answer["enough"].all()
    assert (answer["value"].between(answer["low"], answer["high"])).mean() > 0.98


def test_two_days_are_no_history():
    answer = analyse.baseline(events(*hourly(2)))

    assert not answer["enough"].any()
    assert analyse.anomalies(events(*hourly(2), *at_once("2026-01-06 15:00", 90))).empty


def test_three_days_show_a_burst_and_say_that_they_are_few():
    found = analyse.anomalies(events(*hourly(4), *at_once("2026-01-07 15:00", 90)))

    assert kinds(found) == [("more", "KeyGet", "07 15:00")]
    assert not found[SURE].any()
    assert found["reason"].str.contains("days of history").all()


def test_what_is_trimmed_teaches_nothing():
    rows = hourly(10, 8) + [row for day in range(12, 15) for row in at_once(f"2026-01-{day} 15:00", 90)]
    incident = (datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 1, 15, tzinfo=UTC))

    expected = analyse.baseline(events(*rows), trim=incident).set_index("start")["expected"]
    found = analyse.anomalies(events(*rows), trim=incident)

    assert expected.between(5, 11).all()
    assert sorted(kinds(found)) == [("more", "KeyGet", f"{day} 15:00") for day in (12, 13, 14)]


def test_a_time_without_zone_is_refused():
    with pytest.raises(InputError, match="zone"):
        analyse.baseline(events({}), trim=(datetime(2026, 1, 5), datetime(2026, 1, 6)))  # noqa: DTZ001


# anomalies


def test_no_events_and_one_event_show_nothing():
    for frame in (events(), events({"duration_ms": 9})):
        found = analyse.anomalies(frame)
        assert found.empty
        assert found["start"].dtype == "datetime64[us, UTC]"
        assert found["kind"].dtype == "string[pyarrow]"
        assert analyse.baseline(frame)["expected"].isna().all()


def test_a_burst_leads_to_its_events_and_says_how_odd_it_is():
    frame = events(*sorted(hourly(28) + at_once("2026-01-22 15:10", 60), key=lambda row: row["at"]))

    (found,) = analyse.anomalies(frame).to_dict("records")

    hour = frame[frame["time"].between(pd.Timestamp("2026-01-22 15:00Z"), pd.Timestamp("2026-01-22 15:59:59.999Z"))]
    assert (found["kind"], found["value"], found["events"]) == ("more", len(hour), len(hour))
    assert list(found["event_ids"]) == hour["event_id"].tolist()
    assert found["low"] <= found["expected"] <= found["high"] < found["value"]
    assert found["score"] < 1e-6
    assert found[SURE]


def test_quiet_months_are_quiet():
    found = [analyse.anomalies(events(*hourly(28, 6, seed=seed))) for seed in range(6)]

    assert sum(len(one) for one in found) <= 1


def test_half_a_day_without_is_fewer_and_the_end_of_a_heartbeat_is_stopped():
    beat = hourly(28, 6, operation="KeySign")
    rows = hourly(28, 6, seed=2)

    lacking = analyse.anomalies(events(*rows, *without(beat, "2026-01-20 06", "2026-01-20 18")))
    ended = analyse.anomalies(events(*rows, *without(beat, "2026-01-30", "2026-03")))

    assert kinds(lacking) == [("fewer", "KeySign", "20 06:00")]
    assert kinds(ended) == [("stopped", "KeySign", "30 00:00")]
    assert len(ended["event_ids"].iloc[0]) > 0


def test_the_first_ever_is_told_whatever_its_chance():
    found = analyse.anomalies(events(*hourly(20), *at_once("2026-01-19 03:00", 1, operation="KeyPurge")))

    assert kinds(found) == [("first_ever", "KeyPurge", "19 03:00")]
    assert found["events"].tolist() == [1]
    assert found["score"].iloc[0] > 1  # one of many names, once, says little by itself


def test_a_job_at_night_is_usual_and_the_same_by_day_is_not():
    nights = [
        row
        for day in pd.date_range("2026-01-05", periods=28)
        for row in at_once(f"{day:%Y-%m-%d} 01:30", 50, operation="KeyWrap")
    ]
    rows = hourly(28, 4) + nights

    assert analyse.anomalies(events(*rows)).empty
    odd = analyse.anomalies(events(*rows, *at_once("2026-01-22 14:00", 50, operation="KeyWrap")))
    assert kinds(odd) == [("more", "KeyWrap", "22 14:00")]


def test_bursts_that_come_every_few_days_are_a_habit():
    days = ("06", "09", "13", "15", "19", "22", "24", "28", "30")
    bursts = [row for day in days for row in at_once(f"2026-01-{day} 1{int(day) % 8}:00", 40, operation="KeyBackup")]

    assert "more" not in analyse.anomalies(events(*hourly(28), *bursts))["kind"].tolist()


def test_a_weekly_job_is_a_habit():
    weekly = [row for day in ("11", "18", "25") for row in at_once(f"2026-01-{day} 03:00", 40, operation="KeyBackup")]

    assert "more" not in analyse.anomalies(events(*hourly(28), *weekly))["kind"].tolist()


def test_a_minute_shows_what_its_hour_hides():
    rows = hourly(14, 30) + at_once("2026-01-15 10:20:05", 14)

    assert analyse.anomalies(events(*rows)).empty
    found = analyse.anomalies(events(*rows), every="minute")
    assert kinds(found) == [("more", "KeyGet", "15 10:20")]
    assert found["end"].iloc[0] - found["start"].iloc[0] == pd.Timedelta(minutes=1)


def test_a_change_of_habit_is_told_once():
    rows = hourly(16, 4) + hourly(12, 12, start="2026-01-21", seed=2)

    found = analyse.anomalies(events(*rows))

    assert kinds(found) == [("habit_changed", "KeyGet", "21 00:00")]
    assert found["value"].iloc[0] > 2 * found["expected"].iloc[0]


def bursts(sizes, per_day, *, start, seed):
    """Bursts at random times, of random sizes."""
    dice = np.random.default_rng(seed)
    moments = pd.Timestamp(start) + pd.to_timedelta(
        np.sort(dice.uniform(0, per_day[0] * 86400, per_day[0] * per_day[1])), "s"
    )
    return [row for moment in moments for row in at_once(str(moment), int(dice.integers(*sizes)), operation="KeySign")]


def test_bursts_that_grow_are_a_change_though_days_hardly_differ():
    """Four bursts a day become three, each twice as large: a day's number says next to nothing."""
    quiet = hourly(28)
    before = bursts((20, 60), (18, 4), start="2026-01-05", seed=3)

    found = analyse.anomalies(events(*quiet, *before, *bursts((40, 120), (10, 3), start="2026-01-23", seed=4)))

    (changed,) = found[found["kind"] == "habit_changed"].to_dict("records")
    assert changed["operation"] == "KeySign"
    assert abs(changed["start"] - pd.Timestamp("2026-01-23", tz="UTC")) <= pd.Timedelta(days=1)
    same = bursts((20, 60), (10, 4), start="2026-01-23", seed=4)
    assert "habit_changed" not in set(analyse.anomalies(events(*quiet, *before, *same))["kind"])


def test_weekends_that_are_not_spread_evenly_hide_no_change():
    """From a Friday on workdays have nearly twice as many; of the days before fewer were weekends."""
    workdays = [row for row in hourly(28, 10) if pd.Timestamp(row["at"]).dayofweek < 5]
    more = [row for row in hourly(10, 9, start="2026-01-23", seed=5) if pd.Timestamp(row["at"]).dayofweek < 5]

    found = analyse.anomalies(events(*hourly(28, operation="KeyList"), *workdays, *more))

    assert ("habit_changed", "KeyGet", "23 00:00") in kinds(found)


def test_more_denials_of_as_many_requests_are_found():
    rows = hourly(21, 10)
    for row in rows:
        if row["at"].startswith("2026-01-20 11"):
            row["http_status"] = 403

    found = analyse.anomalies(events(*rows), measure="denied_share")

    assert kinds(found) == [("more", "KeyGet", "20 11:00")]
    assert found["value"].iloc[0] == 1


# the sample incident


def test_the_planted_acts_of_the_incident_are_found(incident):
    found = analyse.anomalies(incident.events)

    odd = found[found[SURE] & (found["score"] < 1)]
    told = {
        (kind, operation): start
        for kind, operation, start in zip(odd["kind"], odd["operation"], odd["start"], strict=True)
    }
    assert told["more", "KeyUnwrap"] == pd.Timestamp("2026-03-17 03:00Z")
    for act in ("KeyBackup", "KeyPurge", "KeyDelete"):
        assert ("first_ever", act) in told
    silent = found[found["kind"] == "silent"]
    assert set(silent["hsm"]) == {row["hsm"] for row in TRUTH["silence"]}
    burst = next(row for row in TRUTH["phases"] if row["phase"] == "decryption")
    assert odd.loc[odd["operation"] == "KeyUnwrap", "events"].iloc[0] >= burst["events"]


@pytest.mark.parametrize("every", ["hour", "minute"])
def test_two_quiet_weeks_give_at_most_one_alarm_an_hsm_and_week(incident, every):
    quiet = incident.events.within(end=datetime(2026, 3, 16, tzinfo=UTC))

    for by in (("operation",), ("principal",), ("hsm", "operation")):
        found = analyse.anomalies(quiet, by=by, every=every)
        assert found[SURE].sum() <= 2 * 2


def test_a_quiet_day_is_no_history(quiet_day):
    assert analyse.anomalies(quiet_day.events).empty


# the picture


def test_the_oddest_series_comes_first_and_its_mark_leads_to_its_events():
    frame = events(
        *hourly(21, 6),
        *hourly(21, 4, operation="KeySign", seed=2),
        *at_once("2026-01-22 03:00", 40, operation="KeySign"),
    )
    found = analyse.anomalies(frame)

    figure = plot.anomalies(analyse.baseline(frame), found=found)

    marks = [trace for trace in figure.data if trace.name == "unusual"]
    assert [len(mark.x) for mark in marks] == [1, 0]
    assert list(marks[0].customdata[0]) == list(found["event_ids"].iloc[0])
    assert "<b>KeySign</b>" in next(words.text for words in figure.layout.annotations if "Key" in words.text)


def test_series_beyond_the_limit_are_counted():
    frame = events(
        *hourly(4, 2), *hourly(4, 2, operation="KeySign", seed=2), *hourly(4, 2, operation="KeyWrap", seed=3)
    )

    figure = plot.anomalies(analyse.baseline(frame), limit=2)

    assert "2 of 3 panels" in figure.layout.title.subtitle.text
