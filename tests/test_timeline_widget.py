"""The timeline widget: what crosses the wire is the data, to the event, at every scale; hostile text stays text."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import replace
from datetime import UTC, datetime

import nbconvert
import nbformat
import numpy as np
import pandas as pd
import pytest
from building import copy_of, events

import mhsm_forensics as mf
from mhsm_forensics import analyse, views, widgets
from mhsm_forensics.case import Scope, create_case, open_case
from mhsm_forensics.errors import InputError
from mhsm_forensics.plot._style import GROUPS
from mhsm_forensics.widgets import _timeline_words as words
from mhsm_forensics.widgets._timeline_points import SINGLY, STACK, Points

HOSTILE = "<img src=x onerror=alert(1)>\u202e\0\"'{}`${1}"
LANES = ["principal", "caller_ip", "key", "operation_class", "hsm"]

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def points(frame, by="principal", **options):
    return Points(frame, by=by, groups=list(GROUPS), **options)


@pytest.fixture
def timeline(incident):
    made = widgets.timeline(incident)
    yield made
    made._searching.join()
    made.close()


@pytest.fixture
def own(incident, tmp_path):
    """A copy of the sample incident, to write in."""
    return copy_of(incident, tmp_path / "own")


def asked(timeline, ask, **more):
    timeline._hear(None, {"ask": ask, **more}, [])


def drawn(view):
    return int(view["bars"]["events"].sum() + view["acts"]["events"].sum() + len(view["marks"]))


# counts


@pytest.mark.parametrize("by", LANES)
def test_what_is_drawn_is_the_data_at_every_scale(incident, by):
    held, dice = points(incident.events, by), random.Random(by)
    data = incident.events.df(["t", "outcome", by])
    moments = data["t"].to_list()

    for _ in range(40):
        middle, span = dice.choice(moments), 10 ** dice.uniform(0, 12.5)
        start, end = int(middle - span * dice.random()), int(middle + span * dice.random()) + 1
        view = held.view(start, end, dice.choice([60, 500, 1000, 2500]))
        seen = data[(data["t"] >= start) & (data["t"] < end)]
        denied = view["bars"]["denied"].sum() + view["acts"].loc[view["acts"]["state"] == 2, "events"].sum()

        assert drawn(view) == view["events"] == len(seen)
        assert denied + (view["marks"]["state"] == 2).sum() == view["denied"] == (seen["outcome"] == "denied").sum()
        assert sum(view["lanes"]) == len(seen)
        for place, lane in enumerate(held.lanes[:-1]):
            assert view["lanes"][place] == (seen[by].isna() if lane.name is None else seen[by] == lane.name).sum()


def test_an_event_is_in_a_bar_or_a_mark_or_an_act_and_each_has_room(incident):
    held = points(incident.events)
    view = held.view(*held.whole, 900)
    acts = analyse.moments(incident.events)["events"].sum()

    assert view["control"] == view["acts"]["events"].sum() == acts
    assert set(view["bars"]["lane"]).isdisjoint(view["marks"]["lane"])
    bins = (view["marks"]["t"] - view["base"]) // view["step"]
    assert view["marks"].groupby(["lane", bins])["t"].count().max() <= STACK
    assert view["marks"].groupby("lane")["t"].count().max() <= SINGLY


def test_times_a_millisecond_apart_stay_apart_and_are_exact():
    frame = events(*({"at": f"2026-01-05 10:00:00.{n:03d}001"} for n in range(50)))
    held = points(frame)
    first = int(frame["t"].iloc[0])

    view = held.view(first, first + 50_000, 900)

    assert view["bars"].empty
    assert view["marks"]["t"].to_list() == frame["t"].to_list()
    sent = widgets._timeline._packed(view, first)
    assert np.frombuffer(sent["marks"]["time"], "<f8").tolist() == [n * 1000.0 for n in range(50)]


def test_times_that_no_float_holds_cross_the_wire_exactly():
    late = [253_402_300_799_999_000 + n for n in range(900)]
    frame = events({}, {}).loc[[0] * len(late)].assign(t=late, event_id=[f"e:{n:04}" for n in range(len(late))])
    held = points(frame.drop(columns="time").assign(time=pd.Timestamp("2026-01-01", tz="UTC")))

    view = held.view(late[0], late[100], 900)

    assert np.frombuffer(widgets._timeline._packed(view, late[0])["marks"]["time"], "<f8").tolist() == list(range(100))
    assert drawn(held.view(*held.whole, 300)) == 900


@pytest.mark.parametrize("count", [1, 2, 7, 5000])
def test_events_of_one_microsecond_are_counted(count):
    frame = events({}).loc[[0] * count].assign(event_id=[f"e:{n}" for n in range(count)])
    held = points(frame)

    for start, end in (held.whole, held.span):
        view = held.view(start, end, 900)
        assert drawn(view) == count
        assert view["marks"].empty == (count > STACK)


def test_no_events_are_no_lanes():
    held = points(events({}).iloc[:0])

    assert len(held) == 0
    assert drawn(held.view(*held.whole, 900)) == 0


def test_lanes_beyond_the_limit_are_summed_and_those_with_acts_kept():
    rows = [{"principal": f"svc-{n:02}"} for n in range(30) for _ in range(n + 1)]
    held = points(events(*rows, {"principal": "rare", "operation": "KeyPurge"}), limit=5)
    rest = held.lanes[-1]

    assert [lane.name for lane in held.lanes] == ["rare", "svc-26", "svc-27", "svc-28", "svc-29", None]
    assert (rest.summed, rest.events, held.total_lanes) == (26, sum(range(1, 27)), 31)
    view = held.view(*held.whole, 900)
    assert view["lanes"][-1] == rest.events
    assert len(held.ids(*held.whole, lane=5)) == rest.events


def test_names_that_differ_after_a_nul_and_no_name_at_all_keep_their_lanes():
    held = points(events({"principal": "a\0b"}, {"principal": "a\0c"}, {"principal": None}, {"principal": ""}))

    assert {lane.name: lane.events for lane in held.lanes} == {"a\0b": 1, "a\0c": 1, None: 1, "": 1}
    assert held.view(*held.whole, 900)["lanes"] == [1, 1, 1, 1]


def test_a_column_that_is_no_lane_is_refused():
    with pytest.raises(InputError, match="one of principal"):
        points(events({}), by="event_id")


# words and code


def test_the_code_gives_what_is_in_view(own):
    own.look_at(Scope(hsms=("contoso-hsm-prod",)))
    timeline = widgets.timeline(own)
    start, end = timeline._held.span

    for view in ((start, end), (start + 10**11, start + 2 * 10**11 + 1)):
        timeline.show(*view)
        *imports, code = timeline.code.splitlines()
        space = {"mf": mf, "case": own}
        exec("\n".join(imports), space)
        answer = eval(code, space)
        assert answer["events"].sum() == timeline.picture["counts"][0] > 0
        assert answer["denied"].sum() == timeline.picture["counts"][1]


def test_the_code_stays_one_call_whatever_a_name_holds():
    scope = Scope(principals=(HOSTILE, "'); import os; ("))

    (call,) = ast.parse(words.code(scope, "principal").splitlines()[-1]).body

    assert isinstance(call, ast.Expr)
    assert "\u202e" not in words.code(scope, "principal")


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-03-17 02:00", "2026-03-17 03:00", "2026-03-17 02:00 to 03:00 UTC"),
        ("2026-03-17 23:30", "2026-03-18 00:30", "2026-03-17 23:30 to 2026-03-18 00:30 UTC"),
        ("2026-03-17 02:00:00.000250", "2026-03-17 02:00:01", "2026-03-17 02:00:00.00025 to 02:00:01 UTC"),
    ],
)
def test_a_stretch_of_time_in_words(start, end, said):
    assert words.stretch(*(pd.Timestamp(one, tz="UTC").value // 1000 for one in (start, end))) == said


def test_the_second_zone_follows_its_clock_change():
    before, after = (pd.Timestamp(one, tz="UTC").value // 1000 for one in ("2026-03-29 00:59", "2026-03-29 01:01"))

    assert words.clock(before, "Europe/Amsterdam").endswith("01:59:00 +0100 Europe/Amsterdam")
    assert words.clock(after, "Europe/Amsterdam").endswith("03:01:00 +0200 Europe/Amsterdam")


def test_a_record_is_inert_and_a_large_one_is_counted():
    told, note = words.raw([b'{"a": "\xe2\x80\xae\x00\xff"}\n'[:-1]])
    cut, size = words.raw([b"x" * 50_000, b"y" * 50_000])

    assert told == '{"a": "⟨U+202E⟩⟨U+0000⟩\\xff"}'
    assert note == "14 bytes of the evidence, verbatim"
    assert (len(cut), size) == (words.RAW, "100,000 bytes of the evidence, verbatim, the first 65,536 shown")


# the widget


def test_the_picture_is_there_before_anybody_asks(timeline, incident):
    assert timeline.picture["counts"][0] == len(incident.events)
    assert re.fullmatch(r"5,605 events, 203 denied, 89 control acts, .* UTC", timeline.picture["words"])
    assert timeline.picture["request"] is None


def test_silences_and_sessions_follow_by_themselves(timeline, incident):
    timeline._searching.join(60)

    assert timeline.said == ""
    assert [label for *_, label in timeline.bands["gaps"]] == ["no log for 6 h 11 min (2 HSMs)"]
    assert len(timeline.bands["sessions"]) == len(analyse.sessions(incident.events))


def test_a_scope_of_one_principal_makes_no_silence(own):
    own.look_at(Scope(principals=("mateo.osei@contoso.example",)))

    timeline = widgets.timeline(own)
    timeline._searching.join(60)

    assert [label for *_, label in timeline.bands["gaps"]] == ["no log for 6 h 11 min (2 HSMs)"]


def test_what_is_brushed_can_be_followed(timeline):
    seen = []
    timeline.observe(lambda change: seen.append(change["new"]), "selection")
    origin = timeline._held.span[0]

    asked(timeline, "select", start=0.0, end=86_400e6, lane=None)
    asked(timeline, "select", start=0.0, end=86_400e6, lane=0)
    asked(timeline, "select", start=None)

    assert seen[0] == {"start_us": origin, "end_us": origin + 86_400_000_000, "lane": None, "nobody": False}
    assert seen[1]["lane"] == timeline._held.lanes[0].name
    assert seen[2] == {} == timeline.brushed


def test_a_selection_from_code_is_drawn(timeline):
    start, end = timeline._held.span

    timeline.selection = {"start_us": start, "end_us": end, "lane": None}

    assert timeline.brushed["words"].startswith("Selected: 5,605 events, 203 denied, 89 control acts")


def test_the_selection_becomes_the_scope_of_the_case(own):
    timeline = widgets.timeline(own)
    place = next(n for n, lane in enumerate(timeline._held.lanes) if lane.name == "mi-payments")
    asked(timeline, "select", start=0.0, end=4 * 86_400e6, lane=place)

    asked(timeline, "look")

    assert open_case(own.path).scope.principals == ("mi-payments",)
    assert timeline.picture["counts"][0] == len(own.scoped) > 0
    assert timeline.said.startswith("Kept in the case: from 2026-03-02T")
    assert [lane.name for lane in timeline._held.lanes] == ["mi-payments"]


def test_other_panels_are_followed(own, tmp_path):
    case = copy_of(own, tmp_path / "case")
    first, second = widgets.timeline(case), widgets.timeline(case)
    first.show(first._held.span[0], first._held.span[0] + 10**11)
    first.selection = {"start_us": first._held.span[0], "end_us": first._held.span[1], "lane": "mi-payments"}

    first.look_at_selection()
    case.notes.t0(datetime(2026, 3, 16, 2, 40, tzinfo=UTC), "the first role")
    second.case_changed("notes")

    assert [lane.name for lane in second._held.lanes] == ["mi-payments"]
    assert second.about["t0"] + second._held.span[0] == 1_773_628_800_000_000


def test_a_key_can_be_no_scope_and_that_is_said(own):
    timeline = widgets.timeline(own, by="key")
    asked(timeline, "select", start=0.0, end=4 * 86_400e6, lane=0)

    asked(timeline, "look")

    assert "it can't name this lane" in timeline.said
    assert own.scope.start


def test_a_click_opens_the_record_with_its_bytes(timeline, incident):
    view = timeline.view(*timeline._held.whole)
    act = view["acts"].iloc[0]
    offset = float(act["first_t"]) - timeline._held.span[0]
    asked(timeline, "click", start=offset, end=offset + 1, lane=int(act["lane"]), kind=None, state=None, control=1)
    (event_id,) = timeline.clicked
    record = incident.events.df().set_index("event_id").loc[event_id]
    raw = b"".join(mf.ingest.raw(incident, event_id)).decode()

    assert timeline.record["raw"] == raw
    facts = dict(timeline.record["facts"])
    assert facts["Operation"].split(" · ")[0] == record["operation"]
    assert facts["Principal"].split(" · ")[0] == record["principal"]
    assert pd.Timestamp(facts["Time"].removesuffix(" UTC"), tz="UTC") == record["time"]


@pytest.mark.parametrize("by", ["principal", "key", "correlation_id"])
def test_steps_go_through_every_event_of_the_same(timeline, incident, by):
    data = incident.events.df(["event_id", by])
    name = {"principal": "mateo.osei@contoso.example", "key": "contoso-hsm-prod/hr-records-kek"}.get(by) or data[
        by
    ].iloc[5]
    wanted = data.loc[data[by] == name, "event_id"].to_list()

    timeline.clicked = wanted[:1]
    timeline._open(0)
    seen = [timeline.record["event_id"]]
    while timeline.record["steps"][by]["after"]:
        asked(timeline, "step", by=by, way="after")
        seen.append(timeline.record["event_id"])

    assert seen == wanted
    assert timeline.record["steps"][by]["words"].startswith(f"{len(wanted)} of {len(wanted)} event")


def test_other_lanes_can_be_chosen(timeline):
    timeline.by = "hsm"

    assert [lane["name"] for lane in timeline.about["lanes"]] == ["contoso-hsm-dr", "contoso-hsm-prod"]
    assert timeline.about["title"] == "What was done on which HSM, when"
    assert timeline.picture["code"] == "mf.analyse.timeline(case.events, by='hsm')"


def test_an_empty_case_says_so(tmp_path):
    timeline = widgets.timeline(create_case(tmp_path / "empty"))
    timeline._searching.join()

    assert timeline.picture["words"].startswith("0 events, 0 denied, 0 control acts")
    assert "0 events" in timeline._repr_mimebundle_()[0]["text/html"]
    assert timeline.said == ""


# without a kernel


def test_without_a_kernel_there_is_a_picture_and_a_table(timeline, incident):
    data = timeline._repr_mimebundle_()[0]
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("timeline", outputs=[output])])

    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)

    assert "data:image/svg+xml;base64," in page
    assert "<td>mateo.osei@contoso.example</td><td>33</td>" in page
    assert data["text/plain"].startswith("Who did what, when: 5,605 events")


def test_hostile_names_are_text_everywhere(timeline):
    held, static = timeline._held, widgets._timeline.static
    lane = replace(held.lanes[0], name=HOSTILE)
    held.lanes = [lane, *held.lanes[1:]]
    view, names = timeline.view(*held.whole), timeline._names()

    svg = static.picture(view, names)
    page = static.page(svg, "Title", "words", held.lanes, names)

    assert names[0].startswith("<img src=x onerror=alert(1)>⟨U+202E⟩⟨U+0000⟩")
    for text in (svg, page):
        assert "<img src=x" not in text
        assert not re.search("[\u202e\0]", text)


def test_the_script_makes_no_markup_and_asks_nobody():
    script = (widgets._timeline._HERE / "timeline.js").read_text("utf-8")

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|setTimeout\(\"", script
    )
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\s*\(|https?:|import .* from", script)


def test_what_is_in_view_is_asked_again_by_the_report(own):
    timeline = widgets.timeline(own, by="key")
    timeline.show(timeline._held.span[0], timeline._held.span[0] + 3 * 10**11)

    asked(timeline, "add")

    (view,) = views.saved(own)
    assert view.same
    assert set(view.frame["lane"].dropna()) <= set(own.events.df(["key"])["key"].dropna())
    assert timeline.said.startswith("Added to the report: What was done with which key, when: from 2026-03-02T")
