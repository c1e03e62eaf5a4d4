"""Forms in which people hand over these logs, with what is right for each: written by somebody who had not seen the readers.

`forms/expected.json` says of each file what becomes of its lines, whether its events are those of `reference.json`, and what
the responder has to say first.
"""

import json
from pathlib import Path

import pandas as pd
import pytest

from mhsm_forensics import schema
from mhsm_forensics.case import Evidence
from mhsm_forensics.evidence import blocks
from mhsm_forensics.evidence.formats import refusal
from mhsm_forensics.load import records
from mhsm_forensics.normalise import Normaliser

FORMS = Path(__file__).parent / "forms"
EXPECTED = json.loads((FORMS / "expected.json").read_text("utf-8"))
READ = [name for name, right in EXPECTED.items() if right["refuse"] is False]
COLUMNS = ("operation", "caller_ip", "hsm", "outcome", "http_status", "duration_ms", "object_id", "app_id", "upn")


def read(path, needs=None):
    """Events, rejects, counts by fate and what is out of scope, of one file."""
    needs = needs or {}
    evidence = Evidence("e", path.name, "", 0, "", "2026-11-01T00:00:00Z", times_in=needs.get("times_in"))
    normaliser, blank = Normaliser(), 0
    for batch in records(list(blocks(path)), dates=needs.get("dates")):
        normaliser.take(batch, evidence)
        blank += batch.blank
    tables = normaliser.finish()
    events = schema.to_pandas(tables.events).sort_values(["t", "source_offset"], kind="stable").reset_index(drop=True)
    fates = {
        "event": len(events),
        "out_of_scope": len(tables.out_of_scope),
        "reject": len(tables.rejects),
        "blank": blank,
    }
    return events, tables.rejects["reason"].to_pylist(), fates


def once(events):
    """Each request once: a file that says it twice is accounted for when the case knows all of it."""
    return events.drop_duplicates(["record_id"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def reference():
    return read(FORMS / "reference.json")[0]


@pytest.mark.parametrize("name", READ)
def test_each_line_has_the_fate_that_is_right(name):
    right = EXPECTED[name]

    events, reasons, fates = read(FORMS / name, right["needs"])

    wanted = dict(right["fates"])
    wanted["event"] = wanted.get("event", fates["event"]) + wanted.pop("duplicate", 0)
    assert {fate: fates[fate] for fate in wanted} == wanted
    if right["reasons"] and not right.get("safe"):
        assert sorted(reasons) == sorted(right["reasons"])
    assert events["event_id"].is_unique


@pytest.mark.parametrize("name", [name for name in READ if EXPECTED[name]["same"]])
def test_the_events_are_those_of_the_reference(name, reference):
    events = once(read(FORMS / name, EXPECTED[name]["needs"])[0])

    for column in COLUMNS:
        if events[column].notna().any() or column in EXPECTED[name].get("columns", {}):
            pd.testing.assert_series_equal(events[column], reference[column], check_dtype=False)
    seconds = events["time"].dt.floor("min"), reference["time"].dt.floor("min")
    pd.testing.assert_series_equal(*seconds, check_dtype=False)


@pytest.mark.parametrize("name", [name for name in READ if EXPECTED[name].get("columns")])
def test_a_column_holds_what_is_right(name):
    events = once(read(FORMS / name, EXPECTED[name]["needs"])[0])

    for column, values in EXPECTED[name]["columns"].items():
        if column == "time":
            assert [str(moment)[:19] for moment in events["time"]] == [value[:19].replace("T", " ") for value in values]
        else:
            assert [None if pd.isna(value) else value for value in events[column]] == values, column


@pytest.mark.parametrize("name", [name for name in READ if EXPECTED[name]["needs"]])
def test_what_the_responder_has_to_say_is_never_guessed(name):
    events, reasons, _ = read(FORMS / name)

    assert events.empty
    assert set(reasons) <= {"ambiguous_date", "no_zone"}


@pytest.mark.parametrize("name", [name for name, right in EXPECTED.items() if right["refuse"]])
def test_a_form_that_is_not_read_is_named_with_the_way_out(name):
    refused = refusal((FORMS / name).read_bytes()[: 64 << 10])

    assert refused is not None
    assert refused.reason
    assert refused.hint
