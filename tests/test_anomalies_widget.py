"""The panel of anomalies without a browser: what is drawn, listed, chosen and kept."""

from __future__ import annotations

import pytest
from building import copy_of, events

from mhsm_forensics import analyse, views, widgets
from mhsm_forensics.case import open_case
from mhsm_forensics.errors import InputError

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def case(incident, tmp_path):
    """A copy of the incident, to write in."""
    copy_of(incident.path, tmp_path / "case")
    return open_case(tmp_path / "case")


def test_the_list_and_the_charts_are_those_of_the_functions(case):
    panel = widgets.anomalies(case)
    found = analyse.anomalies(case)

    assert [row["what"] for row in panel.charts.rows] == [
        " · ".join(str(name) for name in (row.operation, row.hsm) if isinstance(name, str))
        for row in found.itertuples()
    ]
    told = {(one["title"], odd["row"]) for one in panel.charts.charts for odd in one["odd"]}
    assert {row for _, row in told} == set(found.index[found["kind"] != "silent"])
    assert all(found.at[row, "operation"] == title for title, row in told)
    assert panel.charts.charts[0]["title"] == found["operation"].iloc[0]


def test_a_chosen_stretch_shows_its_records(case):
    panel = widgets.anomalies(case)
    panel.charts.chosen = 0

    assert panel.selected == list(analyse.anomalies(case)["event_ids"].iloc[0])
    assert panel.place.children[0].page["found"] == len(panel.selected)


@pytest.mark.parametrize(("by", "measure"), [("identity", "different keys"), ("operation and identity", "events")])
def test_something_else_can_be_asked(case, by, measure):
    panel = widgets.anomalies(case)
    panel.charts.chosen = 0
    panel.charts.by = by
    panel.charts.measure = measure

    assert panel.charts.problem == ""
    assert panel.place.children == ()
    assert len(panel.found) == len(analyse.anomalies(case, **panel._asked))


def test_a_list_in_the_report_answers_the_same_again(case):
    widgets.anomalies(case).add_to_report()

    (view,) = views.saved(case)
    assert view.same, view.problem


def test_what_can_not_be_asked_says_what_can(case):
    with pytest.raises(InputError, match="operation and identity"):
        widgets.anomalies(case, by="colour")


def test_hostile_names_are_shown_and_not_obeyed(case, monkeypatch):
    evil = "<img src=x onerror=alert(1)>\u202e"
    rows = [
        {"operation": "KeyGet", "at": f"2026-01-{day:02d} {hour:02d}:10"} for day in range(1, 11) for hour in range(24)
    ]
    burst = [{"operation": evil, "at": f"2026-01-09 03:{minute:02d}"} for minute in range(50)]
    frame = events(*rows, *burst)
    real = analyse.anomalies
    monkeypatch.setattr(analyse, "anomalies", lambda _, **asked: real(frame, **asked))
    monkeypatch.setattr(analyse, "baseline", lambda _, real=analyse.baseline, **asked: real(frame, **asked))

    page = widgets.anomalies(case)._repr_mimebundle_()["text/html"]

    assert "<img" not in page
    assert "⟨U+202E⟩" in page
