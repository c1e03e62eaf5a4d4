"""The pivot panel without a browser: what the kernel answers to a click, a search, a tick."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pandas as pd
import pytest
from building import SAMPLES, copy_of

from mhsm_forensics import analyse, views, widgets
from mhsm_forensics.case import Scope, open_case
from mhsm_forensics.errors import InputError
from mhsm_forensics.ingest import add
from mhsm_forensics.widgets import _pivot_page as page

TRUTH = json.loads((SAMPLES / "incident" / "truth.json").read_text("utf-8"))
ATTACKER = TRUTH["attacker"]
ADDRESS = ATTACKER["addresses"][0]
T0 = datetime.fromisoformat(TRUTH["t0"])

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def known(incident, tmp_path_factory):
    """The incident with what stands around it, and with a second time zone."""
    folder = tmp_path_factory.mktemp("known") / "case"
    shutil.copytree(incident.path, folder)
    about = json.loads((folder / "case.json").read_text())
    (folder / "case.json").write_text(json.dumps(about | {"display_zone": "Europe/Amsterdam"}))
    add(open_case(folder), [SAMPLES / "incident" / "context"])
    return folder


@pytest.fixture
def case(known, tmp_path):
    """A copy, to write in."""
    copy_of(known, tmp_path / "case")
    return open_case(tmp_path / "case")


@pytest.fixture
def panel(case):
    made = widgets.pivot(case)
    yield made
    made.close()


def press(panel, what, **more):
    """What a page sends when something is pressed."""
    panel._handle_custom_msg({"do": what, **more}, [])


def list_of(panel, kind):
    return next(one for one in panel.view["lists"] if one["kind"] == kind)


def click(panel, kind, value):
    press(panel, "pivot", id=next(row["id"] for row in list_of(panel, kind)["rows"] if row["value"] == value))


def test_it_begins_with_everything(panel, case):
    assert panel.trail == [{}]
    assert panel.rows["found"] == len(case.events)
    assert {one["kind"] for one in panel.view["lists"]} >= {
        "principal",
        "caller_ip",
        "key",
        "operation",
        "client",
        "hsm",
    }


def test_from_an_address_to_an_identity_to_a_key_and_back(panel, case):
    click(panel, "caller_ip", ADDRESS)
    click(panel, "principal", ATTACKER["object_id"])
    key = list_of(panel, "key")["rows"][0]
    press(panel, "pivot", id=key["id"])

    assert [*panel.trail][1:3] == [{"caller_ip": ADDRESS}, {"principal": ATTACKER["object_id"]}]
    assert panel.trail[3] == {"key": key["value"], "hsm": key["hsm"]}
    assert panel.rows["found"] == len(analyse.rows(analyse.touching(case, **panel.trail[3])))

    press(panel, "back")
    assert panel.view["value"] == ATTACKER["object_id"]
    press(panel, "back", stops=2)
    assert panel.trail == [{}]
    press(panel, "back")
    assert panel.trail == [{}]


def test_every_count_of_a_page_is_that_of_the_function_it_names(panel, case):
    panel.go(principal=ATTACKER["object_id"])
    found = eval(panel.code, {"mf": __import__("mhsm_forensics"), "case": case})

    told = {
        (one["kind"], row["value"], row["hsm"]): row["events"] for one in panel.view["lists"] for row in one["rows"]
    }
    known = found.met[found.met["value"].fillna("").str.len() <= 48].fillna({"value": "", "hsm": ""})
    assert (
        told.items()
        >= {
            (row.kind, row.value, row.hsm): row.events
            for row in known.itertuples()
            if row.kind in {"caller_ip", "key", "operation"}
        }.items()
    )
    assert sum(events for events, _ in panel.view["strip"]["bins"]) == len(found.rows()) == panel.rows["found"]


@pytest.mark.parametrize(
    ("typed", "kind", "asked"),
    [
        (ADDRESS, "Address", {"caller_ip": ADDRESS}),
        (ATTACKER["object_id"][:8], "Identity", {"principal": ATTACKER["object_id"]}),
        ("198.51.100.0/24", "Network", {"caller_ip": "198.51.100.0/24"}),
        ("keypurge", "Operation", {"operation": "KeyPurge"}),
        ("svc-deploy", "Identity", {"principal": ATTACKER["object_id"]}),  # the roster's name for it
    ],
)
def test_a_search_offers_what_was_meant(panel, typed, kind, asked):
    panel.search = typed
    offered = next(one for one in panel.matches if one["kind"] == kind)
    press(panel, "pivot", id=offered["id"])

    assert panel.trail[-1] == asked
    assert panel.rows["found"] > 0


@pytest.mark.parametrize(("kind", "name"), [("correlation_id", "Correlation id"), ("token_id", "Token")])
def test_what_there_is_too_much_of_is_asked_about_as_typed(panel, case, kind, name):
    one = case.events.df([kind])[kind].dropna().iloc[0]

    panel.search = one
    assert [match["kind"] for match in panel.matches] == [name]
    press(panel, "pivot", id=panel.matches[0]["id"])

    assert panel.trail[-1] == {kind: one}
    assert panel.rows["found"] == len(analyse.rows(analyse.touching(case, **{kind: one})))


def test_everything_that_can_be_clicked_leads_to_its_events(panel):
    pages = [panel.tokens, *panel.view["lists"]]
    leads = {(one["kind"], row["id"]): row["events"] for one in pages for row in one["rows"][:2] if row["id"] >= 0}
    leads |= {("cell", number): 1 for row in panel.rows["rows"] for _, number in row["cells"] if number >= 0}

    for (_, number), events in leads.items():
        press(panel, "pivot", id=number)
        assert panel.message == ""
        assert len(panel.trail) == 2
        assert panel.rows["found"] >= events
        press(panel, "back")

    assert {kind for kind, _ in leads} >= {"token_id", "token_ip", "object_id", "key", "cell"}


def test_tokens_are_listed_with_the_addresses_that_they_came_from(panel, case):
    panel.go(principal=ATTACKER["object_id"])
    frame = panel.profile.rows()

    told = {row["value"]: (row["events"], row["places"]) for row in panel.tokens["rows"]}

    assert told == {
        token: (len(rows), rows["caller_ip"].nunique()) for token, rows in frame.dropna(subset="token_id").groupby("token_id")
    }  # fmt: skip


def test_tokens_of_too_many_events_are_not_counted_and_that_is_said(panel, monkeypatch):
    monkeypatch.setattr(page, "TOKENS_OF", 10)
    panel.go(principal=ATTACKER["object_id"])

    assert not panel.tokens["rows"]
    assert f"{panel.rows['found']:,}" in panel.tokens["note"]


def test_a_long_table_is_cut_and_says_of_how_many(panel, case, monkeypatch):
    case.notes.t0(T0, "first use from outside")
    panel.go(principal=ATTACKER["object_id"])
    whole = {name: panel.view[name]["rows"] for name in ("departures", "denials")}

    monkeypatch.setattr(page, "_FIRST", 2)
    panel.case_changed("scope")

    for name, rows in whole.items():
        assert len(rows) == len(getattr(panel.profile, name)) > 2
        assert panel.view[name] == {"total": len(rows), "rows": rows[:2]}


def test_a_search_says_how_many_it_found(panel):
    panel.search = "k"

    assert panel.matches[-1]["value"].endswith("12 shown")


@pytest.mark.parametrize("typed", ["'; DROP TABLE events; --", "%", "\0", '"', "*", "a" * 5000, "0/0"])
def test_a_hostile_search_breaks_nothing(panel, typed):
    panel.search = typed
    press(panel, "pivot", id=-1)
    press(panel, "pivot", id=10**9)

    panel.search = ADDRESS
    assert panel.matches


def test_a_label_stands_beside_the_id_and_not_in_its_place(panel):
    panel.go(principal=ATTACKER["object_id"])

    assert panel.view["value"] == ATTACKER["object_id"]
    assert "svc-deploy" in panel.view["label"]


def test_what_begins_at_t0_is_new_once_t0_is_set(panel, case):
    panel.go(principal=ATTACKER["object_id"])
    assert not any(row["new"] for row in list_of(panel, "caller_ip")["rows"])

    widgets.notes(case)
    case.notes.t0(T0, "first use from outside")
    panel.case_changed("notes")

    new = {row["value"] for row in list_of(panel, "caller_ip")["rows"] if row["new"]}
    assert new == set(ATTACKER["addresses"])
    assert "hour" in {row["kind"] for row in panel.view["departures"]["rows"]}


def test_hours_are_told_by_both_clocks(panel):
    panel.go(caller_ip=ADDRESS)

    assert [week["zone"] for week in panel.view["weeks"]] == ["UTC", "Europe/Amsterdam"]
    assert panel.rows["heads"][:2] == ["time (UTC)", "time (Europe/Amsterdam)"]


def test_a_stretch_of_the_strip_narrows_the_rows(panel):
    panel.go(principal=ATTACKER["object_id"])
    strip = panel.view["strip"]
    place = max(range(len(strip["bins"])), key=lambda one: strip["bins"][one][0])
    start = strip["start"] + place * strip["step"]

    press(panel, "rows", start=0, between=[start, start + strip["step"]])

    assert panel.rows["found"] == strip["bins"][place][0]


def test_pages_of_rows_add_up(panel):
    panel.go(caller_ip=ADDRESS)
    seen = []
    for start in range(0, panel.rows["found"], panel.rows["size"]):
        press(panel, "rows", start=start)
        seen += [row["id"] for row in panel.rows["rows"]]

    assert len(set(seen)) == panel.rows["found"]


def test_ticked_rows_are_pinned_to_the_notes(panel, case):
    panel.go(caller_ip=ADDRESS)
    panel.selected = [row["id"] for row in panel.rows["rows"][:2]]
    press(panel, "pin")

    note = case.notes.df("bookmark").iloc[0]
    assert list(note["about"]) == panel.selected
    assert ADDRESS in note["text"]
    assert panel.message == "Pinned 2 records."


def test_nothing_ticked_is_a_clear_line(panel):
    press(panel, "pin")

    assert "Hint" in panel.message


def test_a_profile_in_the_report_answers_the_same_again(panel, case):
    panel.go(caller_ip=ADDRESS)
    press(panel, "report")

    (view,) = views.saved(case)
    assert view.same, view.problem
    assert view.question == "analyse.met"


def test_another_scope_is_followed(panel, case):
    panel.go(caller_ip=ADDRESS)
    before = panel.rows["found"]

    case.look_at(Scope(start=T0, operations=("KeyUnwrap",)))
    panel.case_changed("scope")

    assert 0 < panel.rows["found"] < before
    assert "KeyUnwrap" in panel.view["scope"]


def test_a_record_opens_as_it_stands_in_the_evidence(panel):
    press(panel, "open", id=panel.rows["rows"][0]["id"])

    assert panel.record["raw"].startswith("{")


def test_a_record_opens_with_what_happened_around_it(panel, case, monkeypatch):
    panel.go(principal=ATTACKER["object_id"])
    middle = panel.profile.rows(operation="KeyBackup")["event_id"].iloc[0]
    found = analyse.neighbours(case, middle, minutes=10)

    press(panel, "open", id=middle)
    near = panel.record["near"]

    assert near["total"] == len(found) - 1 > 2
    assert [row["id"] for row in near["rows"]] == found.loc[found["event_id"] != middle, "event_id"].tolist()
    pd.testing.assert_frame_equal(eval(near["code"], {"mf": __import__("mhsm_forensics"), "case": case}), found)
    assert {row["same"] for row in near["rows"]} <= {"identity, address, token", "identity, address", "address"}
    number = near["rows"][0]["cells"][0][1]

    monkeypatch.setattr(page, "_NEAR", 2)
    press(panel, "open", id=middle)
    nearest = found[found["event_id"] != middle].sort_values("seconds", key=abs)["event_id"].head(2)
    assert {row["id"] for row in panel.record["near"]["rows"]} == set(nearest)
    assert panel.record["near"]["total"] == near["total"]

    press(panel, "pivot", id=number)
    assert panel.trail[-1] == {"operation": near["rows"][0]["cells"][0][0]}


def test_it_can_begin_where_asked_and_refuses_what_can_not_be_asked(case):
    assert widgets.pivot(case, caller_ip=ADDRESS).trail[-1] == {"caller_ip": ADDRESS}
    with pytest.raises(InputError, match="can't be asked about"):
        widgets.pivot(case, colour="red")


def test_hostile_text_is_shown_and_not_obeyed(case, monkeypatch):
    evil = "<img src=x onerror=alert(1)>\u202e"
    frame = case.events.df().head(3).assign(principal=evil, client=evil, object_id=None)
    monkeypatch.setattr(type(case), "scoped", property(lambda _: frame))

    page = widgets.pivot(case, principal=evil)._repr_mimebundle_()[0]["text/html"]

    assert "<img" not in page
    assert "⟨U+202E⟩" in page


def test_without_a_kernel_there_is_a_table(panel):
    data, _ = panel._repr_mimebundle_()

    assert "Addresses" in data["text/html"]
    assert "Run this cell" in data["text/plain"]


def test_no_event_at_all_is_a_page_too(case):
    case.look_at(Scope(start=datetime(2030, 1, 1, tzinfo=UTC)))

    assert widgets.pivot(case).rows["found"] == 0
