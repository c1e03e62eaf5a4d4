"""Figures are judged by their data."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from mhsm_forensics import plot

HOSTILE = "<a href='https://evil.example/?%{x}'>x</a>$\\href{x}$<img src=//evil.example/>\u202e\u0000\u2028"
ALLOWED = re.compile(r"</?[bi]>|<br>|<extra></extra>|<span style='[a-z0-9:;#.\- ]*'>|</span>", re.IGNORECASE)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def frame(rows: list[dict[str, Any]], **defaults: Any) -> pd.DataFrame:
    built = pd.DataFrame([defaults | row for row in rows])
    for column in built.columns:
        if isinstance(built[column].iloc[0], str):
            built[column] = built[column].astype("string[pyarrow]")
    for column in built.columns:
        if "time" in column or column in {"start", "end", "hour", "bin_start", "bin_end"} or column.endswith("_at"):
            built[column] = pd.to_datetime(built[column], utc=True).astype("datetime64[us, UTC]")
    return built


def timeline(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"lane": "alice@contoso.example", "bin_start": at("2026-03-04 10:00"),
             "bin_end": at("2026-03-04 11:00"), "group": "read", "events": 4, "denied": 1}  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def moments(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "start": at("2026-03-04 10:00"), "end": at("2026-03-04 10:00"), "hsm": "hsm-a", "principal": "svc",
        "principal_type": "service_principal", "caller_ip": "192.0.2.7", "operation": "KeyDelete",
        "operation_class": "key_lifecycle", "effect": "destroy", "outcome": "success", "group": "destructive",
        "events": 1, "keys": 1, "key_names": "pay-kek", "event_ids": ["e1:1"],
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def gaps(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "hsm": "hsm-a", "start": at("2026-03-04 12:00"), "end": at("2026-03-04 14:00"), "seconds": 7200.0,
        "expected_events": 80.0, "usual_seconds": 60.0, "chance": 0.001, "last_event_id": "e1:4",
        "next_event_id": "e1:5",
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def coverage(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"hsm": "hsm-a", "hour": at("2026-03-04 10:00"), "events": 9, "expected": 10.0, "state": "as_expected"}
    return frame(list(rows) or [{}], **usual)


def hourly(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"hour": at("2026-03-04 10:00"), "hsm": "hsm-a", "operation_class": "crypto", "events": 5, "denied": 2}
    return frame(list(rows) or [{}], **usual)


def reconcile(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "hour": at("2026-03-04 10:00"), "hsm": "hsm-a", "route": "storage", "other_route": "azure_diagnostics",
        "records": 9, "other_records": 2, "lacking": 7, "lacking_within": 5, "first_time": at("2026-03-04 10:01"),
        "last_time": at("2026-03-04 10:50"), "event_id": "e1:1",
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def outcomes(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "operation": "KeyGet", "operation_class": "key_read", "effect": "read", "operation_status": "expected",
        "events": 3, "success": 2, "accepted": 0, "denied": 1, "failure": 0, "unknown": 0,
        "first_time": at("2026-03-04"), "last_time": at("2026-03-05"),
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def principals(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "principal": "svc", "principal_type": "service_principal", "object_id": "0f", "app_id": "0a",
        "first_time": at("2026-03-04"), "last_time": at("2026-03-05"), "events": 3, "operations": 1, "caller_ips": 1,
        "keys": 0, "hsms": 1, "clients": 1, "control_events": 0, "denied": 0, "denial_rate": 0.0,
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def pairs(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"principal": "svc", "caller_ip": "192.0.2.7", "first_time": at("2026-03-04"),
             "last_time": at("2026-03-05"), "events": 3, "denied": 0, "is_new": False}  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def sessions(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "session": 1, "principal": "svc", "caller_ip": "192.0.2.7", "start": at("2026-03-04 10:00"),
        "end": at("2026-03-04 10:30"), "seconds": 1800.0, "events": 3, "operations": 1, "top_operations": "KeyGet",
        "keys": 0, "denied": 0, "control_events": 0,
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def keys(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "hsm": "hsm-a", "key_name": "pay-kek", "first_time": at("2026-03-04"), "last_time": at("2026-03-08"),
        "events": 3, "principals": 1, "caller_ips": 1, "uses": 3, "exports": 0, "changes": 0, "denied": 0,
        "deleted_at": None, "purged_at": None, "recovered_at": None, "created_at": None, "state": "active",
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def hours(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"zone": "UTC", "weekday": 0, "hour": 9, "events": 4, "denied": 1, "before": 4, "later": 0}
    return pd.DataFrame([usual | row for row in rows or [{}]])


def met(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "kind": "caller_ip", "value": "192.0.2.7", "hsm": None, "first_time": at("2026-03-04"),
        "last_time": at("2026-03-05"), "events": 3, "denied": 0, "control_events": 0, "is_new": False, "only_here": False,
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def concurrent(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "principal": "svc", "object_id": "0f", "one_place": "192.0.2.7", "other_place": "203.0.113.9",
        "first_time": at("2026-03-04 10:00"), "last_time": at("2026-03-04 11:00"), "turns": 4, "shortest_seconds": 2.0,
        "event_id": "e1:1", "next_event_id": "e1:2",
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def links(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "kind": "caller_ip", "principal": "svc", "value": "192.0.2.7", "principals": 1, "values": 1,
        "first_time": at("2026-03-04"), "last_time": at("2026-03-05"), "events": 3, "denied": 0, "control_events": 0,
        "is_new": False,
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


def anomalies(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "operation": "KeyGet", "start": at("2026-03-04 10:00"), "end": at("2026-03-04 11:00"), "value": 9.0, "events": 9,
        "expected": 4.0, "low": 1.0, "high": 7.0, "enough": True,
    }  # fmt: skip
    return frame(list(rows) or [{}], **usual)


DRAWN: dict[str, tuple[Callable[..., pd.DataFrame], Callable[..., go.Figure]]] = {
    "timeline": (timeline, plot.timeline),
    "moments": (moments, plot.moments),
    "coverage": (coverage, plot.coverage),
    "gaps": (gaps, plot.gaps),
    "hourly": (hourly, plot.hourly),
    "reconcile": (reconcile, plot.reconcile),
    "outcomes": (outcomes, plot.outcomes),
    "principals": (principals, plot.principals),
    "first_seen_pairs": (pairs, plot.first_seen_pairs),
    "sessions": (sessions, plot.sessions),
    "keys": (keys, plot.keys),
    "hours": (hours, plot.hours),
    "met": (met, plot.met),
    "concurrent": (concurrent, plot.concurrent),
    "links": (links, plot.links),
    "anomalies": (anomalies, plot.anomalies),
}
both = pytest.mark.parametrize(("build", "draw"), DRAWN.values(), ids=DRAWN)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)


def trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def subtitle(figure: go.Figure) -> str:
    return str(figure.layout.title.subtitle.text)


@both
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_empty_frame_says_nothing_to_show(build, draw, theme):
    figure = draw(build().iloc[:0], theme=theme)

    assert "Nothing to show" in figure.layout.annotations[0].text


@both
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_row_is_drawn(build, draw, theme):
    figure = draw(build(), theme=theme)

    assert len(figure.data) >= 1
    assert json.loads(figure.to_json())["layout"]["title"]["text"].startswith("<b>")


@both
def test_input_is_untouched(build, draw):
    given = build()
    before = given.copy(deep=True)

    draw(given)

    pd.testing.assert_frame_equal(given, before)


@both
def test_hostile_text_stays_text(build, draw):
    given = build()
    for column in given.select_dtypes("string").columns.difference(["group", "state", "outcome", "effect", "kind"]):
        given[column] = pd.Series([HOSTILE] * len(given), dtype="string[pyarrow]")
    figure = json.loads(draw(given).to_json())

    for text in strings(figure):
        assert "<" not in ALLOWED.sub("", text), text
        assert "evil.example/?%{x}" not in text
        assert not re.search("[\u202e\u0000\u2028]", text)
        assert "$" not in text


@both
def test_second_zone_is_named(build, draw):
    if draw in (plot.outcomes, plot.hours):
        pytest.skip("has no time axis")

    texts = list(strings(json.loads(draw(build(), zone="Asia/Tokyo").to_json())))

    assert "Asia/Tokyo" in texts or draw in (plot.first_seen_pairs, plot.links)
    assert any("+0900" in text for text in texts) or draw in (plot.hourly, plot.reconcile)


def test_importing_the_room_removes_the_upload_button():
    for name in ("plotly_mimetype", "jupyterlab", "notebook", "browser"):
        assert pio.renderers[name].config["showSendToCloud"] is False
        assert "sendChartToCloud" in pio.renderers[name].config["modeBarButtonsToRemove"]


def test_times_reach_plotly_as_epoch_milliseconds():
    figure = plot.timeline(timeline())

    assert trace(figure, "read").x.tolist() == [at("2026-03-04 10:00").timestamp() * 1000]
    assert figure.layout.xaxis.type == "date"


def test_timeline_stacks_groups_and_keeps_their_counts():
    figure = plot.timeline(timeline({"group": "read", "events": 4}, {"group": "crypto", "events": 12}))

    assert [(bar.name, bar.customdata.tolist()) for bar in figure.data[:2]] == [
        ("read", [[4.0, 16.0, 1.0]]),
        ("crypto", [[12.0, 16.0, 1.0]]),
    ]


def test_timeline_draws_what_was_denied_hollow_and_never_too_small_to_be_seen():
    figure = plot.timeline(
        timeline({"events": 1000, "denied": 1}, {"lane": "bob", "denied": 4}, {"lane": "eve", "denied": 0})
    )

    hollow = trace(figure, "denied")
    assert hollow.marker.color == "#FFFFFF"
    assert [round(-height, 2) for height in hollow.y] == [0.08, 0.74]


def test_timeline_puts_actors_then_people_first():
    rows = timeline(
        {"lane": "mi-payments", "events": 900},
        {"lane": "bob@contoso.example"},
        {"lane": "svc", "events": 500},
    )

    figure = plot.timeline(rows, moments=moments({"principal": "svc"}))

    names = [label.split("  ")[0] for label in figure.layout.yaxis.ticktext]
    assert names == ["svc", "bob@contoso.example", "mi-payments"]


def test_timeline_counts_acts_in_one_badge_and_hollows_it_when_all_were_refused():
    acts = moments(
        {"principal": "alice@contoso.example", "events": 3, "outcome": "denied"},
        {"principal": "alice@contoso.example", "start": at("2026-03-04 10:00:20"), "outcome": "denied"},
    )

    badge = trace(plot.timeline(timeline(), moments=acts), "control acts")

    assert badge.text == ("<b>4</b>",)
    assert badge.marker.color == ("#FFFFFF",)


def test_timeline_draws_t0_marks_intervals_and_sessions():
    given = frame([{"start": at("2026-03-04 10:10"), "end": at("2026-03-04 10:40"), "label": HOSTILE}])
    marks = frame([{"time": at("2026-03-04 10:20"), "label": HOSTILE}])
    rows = sessions({"principal": "alice@contoso.example"}, {"principal": "nobody here"})

    figure = plot.timeline(timeline(), intervals=given, marks=marks, sessions=rows, t0=at("2026-03-04 10:05"))

    lines = [
        shape.x0 for shape in figure.layout.shapes if shape.type == "line" and shape.yref == "paper" and shape.x0 > 1
    ]
    assert lines == [at(f"2026-03-04 {clock}").timestamp() * 1000 for clock in ("10:20", "10:05")]
    assert "T0 2026-03-04 10:05:00Z" in [words.text for words in figure.layout.annotations]
    assert len(trace(figure, "sessions").x) == 3
    for text in strings(json.loads(figure.to_json())):
        assert "<" not in ALLOWED.sub("", text), text


@pytest.mark.parametrize("by", ["principal", "caller_ip", "key", "operation_class", "hsm"])
def test_timeline_puts_acts_into_the_lane_that_is_theirs(by):
    acts = moments({"key_names": "pay-kek"}, {"keys": 3, "key_names": "a, b, c", "hsm": "hsm-b"})
    lane = "hsm-a/pay-kek" if by == "key" else acts[by].iloc[0]

    figure = plot.timeline(timeline({"lane": lane}, {"lane": "other"}), by=by, moments=acts)

    badge = trace(figure, "control acts")
    assert badge.text == ("<b>2</b>",) if by not in {"key", "hsm"} else badge.text == ("",)


def test_lanes_beyond_the_limit_are_counted():
    rows = timeline(*({"lane": f"svc-{i}"} for i in range(5)))

    assert "3 of 5 identities shown" in subtitle(plot.timeline(rows, limit=3))
    assert "shown" not in subtitle(plot.timeline(rows, limit=5))


def test_sessions_beyond_what_can_be_drawn_are_counted(monkeypatch):
    monkeypatch.setattr("mhsm_forensics.plot._people.MARKS", 2)

    figure = plot.sessions(sessions({}, {"control_events": 1}, {"seconds": 5.0}))

    assert "2 of 3 sessions shown" in subtitle(figure)
    assert [(bar.name, len(bar.x)) for bar in figure.data] == [("without", 1), ("with control events", 1)]


def test_two_identities_that_differ_after_a_nul_keep_their_lanes():
    figure = plot.timeline(timeline({"lane": "a\0b"}, {"lane": "a\0c"}))

    assert len(figure.layout.yaxis.ticktext) == 2


def test_an_identity_that_looks_like_a_number_stays_a_name():
    figure = plot.timeline(timeline({"lane": "1e5"}, {"lane": "2026-01-01"}))

    assert list(figure.layout.yaxis.tickvals) == [0, 1]


def test_silences_of_several_hsms_at_once_are_one_band():
    both_silent = gaps({}, {"hsm": "hsm-b", "start": at("2026-03-04 13:00"), "end": at("2026-03-04 15:00")})

    figure = plot.timeline(timeline(), gaps=both_silent)

    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert len(bands) == 1
    assert "no log for 3 h (2 HSMs)" in [words.text for words in figure.layout.annotations]


def test_moments_fill_what_was_done_and_hollow_what_was_refused():
    figure = plot.moments(moments({"outcome": "accepted"}, {"outcome": "denied", "start": at("2026-03-04 11:00")}))

    assert trace(figure, "acts").marker.color == ("#D1430C", "#FFFFFF")


def test_coverage_joins_hours_of_one_state():
    figure = plot.coverage(
        coverage({}, {"hour": at("2026-03-04 11:00")}, {"hour": at("2026-03-04 12:00"), "state": "silent", "events": 0})
    )

    hours = [(bar.name, (bar.x / 3_600_000).tolist()) for bar in figure.data]
    assert hours == [("as expected", [2.0]), ("nothing received", [1.0])]


def test_coverage_leaves_hours_that_no_row_covers_blank():
    figure = plot.coverage(coverage({}, {"hour": at("2026-03-04 20:00")}))

    assert len(trace(figure, "as expected").x) == 2


def test_hourly_draws_denied_below_the_line():
    figure = plot.hourly(hourly())

    assert [(bar.name, bar.y.tolist()) for bar in figure.data] == [("crypto", [5]), ("denied", [-2])]


def test_reconcile_tells_what_is_missing_from_what_may_never_have_been_collected():
    figure = plot.reconcile(reconcile({}, {"hsm": "hsm-b", "lacking": 3, "lacking_within": 0}))

    assert [(bar.name, bar.yaxis, bar.y.tolist()) for bar in figure.data] == [
        ("within", "y", [5]), ("outside", "y", [2]), ("outside", "y2", [3]),
    ]  # fmt: skip


def test_new_pairs_are_shaded_apart():
    figure = plot.first_seen_pairs(pairs({}, {"caller_ip": "198.51.100.7", "events": 9, "is_new": True}))

    written = [[cell for row in heat.text for cell in row if cell] for heat in figure.data]
    assert written == [["<b>3</b>"], ["<b>9</b>"]]


def test_outcomes_write_every_count():
    figure = plot.outcomes(outcomes())

    assert [[cell for row in heat.text for cell in row if cell] for heat in figure.data] == [["<b>2</b>"], ["<b>1</b>"]]


def test_sessions_of_one_event_can_be_seen():
    figure = plot.sessions(sessions({"end": at("2026-03-04 10:00")}))

    assert trace(figure, "without").x[0] > 0


def test_a_purged_key_ends_and_a_recovered_one_lives_on():
    figure = plot.keys(
        keys(
            {"key_name": "gone", "deleted_at": at("2026-03-05"), "purged_at": at("2026-03-06"), "state": "purged"},
            {"key_name": "back", "deleted_at": at("2026-03-05"), "recovered_at": at("2026-03-07")},
        )
    )

    day = 86_400_000
    active, deleted = trace(figure, "active"), trace(figure, "soft-deleted")
    assert list(zip(active.y, active.x / day, strict=True)) == [(0, 1.0), (1, 1.0), (1, 1.0)]
    assert list(zip(deleted.y, deleted.x / day, strict=True)) == [(0, 1.0), (1, 2.0)]
    assert trace(figure, "purged").y == (0,)


def test_hours_tell_what_is_new_from_what_was_known():
    drawn = plot.hours(hours({}, {"hour": 2, "before": 0, "later": 7}, {"hour": 11, "later": 3}))

    assert {one.name: list(one.x) for one in drawn.data} == {"before": [9, 11], "since": [11], "new hour": [2]}


def test_each_clock_has_a_panel_of_its_own():
    drawn = plot.hours(hours({}, {"zone": "Asia/Kathmandu", "hour": 14}))

    assert [note.text for note in drawn.layout.annotations] == ["hour of day, UTC", "hour of day, Asia/Kathmandu"]
    assert [one.xaxis for one in drawn.data] == ["x", "x2"]


def test_the_rarest_stand_below_the_busiest_and_the_rest_is_counted():
    rows = [{"value": f"192.0.2.{n}", "events": 100 - n} for n in range(40)]

    drawn = plot.met(met(*rows), limit=10)

    labels = [text.partition(" ")[0] for text in drawn.layout.yaxis.ticktext]
    assert labels == [f"192.0.2.{n}" for n in (0, 1, 2, 3, 4, 35, 36, 37, 38, 39)]
    assert "10 of 40 addresses shown" in subtitle(drawn)
    assert [shape.line.dash for shape in drawn.layout.shapes].count("dot") == 1


def test_links_are_thicker_for_more_events_and_new_ones_stand_out():
    drawn = plot.links(links({"events": 500}, {"value": "192.0.2.8"}, {"kind": "key", "value": "kek", "is_new": True}))

    lines = [(one.name, one.line.width) for one in drawn.data if one.mode == "lines"]
    assert lines == [("known", 6.0), ("known", 1.6), ("new", 1.6)]
    assert trace(drawn, "keys").text == ("kek",)


def test_links_that_stand_for_several_say_so():
    assert "1 line for several" in subtitle(plot.links(links({"value": "12 addresses", "values": 12}, {})))


def test_local_ticks_are_round_in_their_zone():
    figure = plot.timeline(timeline({"bin_end": at("2026-03-04 18:00")}), zone="Asia/Kolkata")

    assert all(text.endswith(":00") for text in figure.layout.xaxis2.ticktext)
    assert figure.layout.xaxis2.matches == "x"


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        (None, ""),
        (pd.NA, ""),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("%{y}$", "%&#123;y}&#36;"),
        ("שלום", "\u2068שלום\u2069"),
    ],
)
def test_safe_text(text, drawn):
    assert plot.safe(text) == drawn


def test_safe_text_is_short_whatever_comes():
    assert len(plot.safe("\u202e" * 1_000_000, limit=40)) <= 40


def test_in_a_notebook_importing_the_package_is_enough_to_remove_the_upload_button():
    code = "import ipykernel, mhsm_forensics, plotly.io as pio; print(pio.renderers['plotly_mimetype'].config['showSendToCloud'])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
