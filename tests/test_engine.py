"""One text over whatever the events are in, with values bound and times in UTC."""

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhsm_forensics import engine
from mhsm_forensics.errors import SchemaError
from mhsm_forensics.ingest import load_events

TEXT = "SELECT principal, count(*) AS n, min(time) AS first FROM events GROUP BY principal ORDER BY principal"


@pytest.fixture
def frame():
    times = pd.to_datetime(["2026-03-29T00:30Z", "2026-03-29T01:30Z", "2026-03-29T02:30Z"], utc=True)
    names = pd.array(["a\0b", "a\0c", "a\0b"], dtype="string[pyarrow]")
    return pd.DataFrame({"time": times, "principal": names})


def test_the_same_answer_over_whatever_is_handed_over(frame, tmp_path):
    path = tmp_path / "events.parquet"
    table = pa.Table.from_pandas(frame, preserve_index=False)
    naive = table.set_column(0, "time", table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us")))
    pq.write_table(naive, path)
    relation = duckdb.connect().read_parquet(str(path))

    answers = [engine.run(source, TEXT) for source in (frame, table, path, str(path), [path], relation)]

    for answer in answers:
        pd.testing.assert_frame_equal(answer, answers[0])


def test_names_that_differ_after_a_nul_stay_two(frame):
    assert engine.run(frame, TEXT)["n"].tolist() == [2, 1]


def test_times_are_utc_whatever_the_zone_of_the_machine(frame, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")

    answer = engine.run(frame, "SELECT date_trunc('hour', time) AS hour FROM events ORDER BY hour")

    assert answer["hour"].tolist() == list(frame["time"].dt.floor("h"))


def test_values_are_bound_and_never_text(frame):
    hostile = "x' OR '1'='1"

    assert engine.run(frame, "SELECT * FROM events WHERE principal = :who", who=hostile).empty


def test_what_can_not_be_queried_says_so():
    with pytest.raises(SchemaError, match="can't be queried"):
        engine.run(42, TEXT)


def test_a_frame_without_a_column_says_what_to_pass():
    with pytest.raises(SchemaError, match=r"case\.events"):
        engine.run(pd.DataFrame({"x": [1]}), TEXT)


def test_a_window_is_the_same_in_sql_and_in_pandas(incident):
    start, end = pd.Timestamp("2026-03-16T00:00Z"), pd.Timestamp("2026-03-17T00:00Z")
    window = incident.events.within(start, end, ["CONTOSO-HSM-DR"])

    counted = engine.run(window, "SELECT count(*) AS n, min(time) AS first, max(time) AS last FROM events").iloc[0]

    assert counted["n"] == len(window) == len(window.df()) > 0
    assert start <= counted["first"] <= counted["last"] < end
    assert set(window.df()["hsm"]) == {"contoso-hsm-dr"}


def test_one_liner_and_case_have_the_same_events(quiet_day):
    events = load_events(quiet_day.path / "evidence")

    assert sorted(events["event_id"]) == sorted(quiet_day.events.df()["event_id"])
