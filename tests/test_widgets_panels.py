"""The workbook's panels, without a browser: what the kernel answers, what is written, what is refused."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import nbconvert
import nbformat
import pandas as pd
import pytest
import traitlets
from building import copy_of

from mhsm_forensics import detect, export, search, widgets
from mhsm_forensics.case import Scope, create_case, open_case
from mhsm_forensics.errors import InputError

DEPLOY = "df5edf54-f331-46cf-baa6-0157746b7a4f"

EVIL = "<img src=x onerror=alert(1)>\u202e"

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def case(incident, tmp_path):
    """A copy of the incident, to write in; with a second time zone."""
    return copy_of(incident, tmp_path / "case", zone="Europe/Amsterdam")


@pytest.fixture
def grid(case):
    return widgets.events(case)


def names(grid):
    return [row["id"] for row in grid.page["rows"]]


class TestEvents:
    def test_pages_add_up_to_all_events(self, grid, case):
        seen = []
        for start in range(0, grid.page["found"], grid.page["size"]):
            grid.start = start
            seen += names(grid)

        assert sorted(seen) == sorted(case.events.df(["event_id"])["event_id"])
        assert grid.status == "rows 5,601–5,605 of 5,605 events"

    def test_a_page_beyond_the_end_is_the_last_one(self, grid):
        grid.start = 10**9

        assert grid.start == 5600

    def test_a_search_begins_at_the_first_page_and_says_what_it_found(self, grid):
        grid.start = 300
        grid.search = "operation:KeyPurge"

        assert grid.start == 0
        assert grid.status == "rows 1–7 of 7 found in 5,605 events"
        assert grid.code == "mf.search.events(case.scoped, text='operation:KeyPurge')"

    @pytest.mark.parametrize("text", ["'; DROP TABLE events; --", "zz%zz", "\0", '"', "time:x' OR 1=1"])
    def test_a_hostile_search_finds_nothing_and_breaks_nothing(self, grid, text):
        grid.search = text
        grid.search = ""

        assert grid.problem == ""
        assert grid.page["found"] == 5605

    def test_a_column_that_is_none_is_a_clear_line(self, grid):
        grid.sort = "no_such"

        assert "no column of events" in grid.problem

    def test_the_second_zone_stands_beside_utc(self, grid):
        heads = [head["label"] for head in grid.page["heads"]]

        assert heads[:3] == ["time (UTC)", "time (Europe/Amsterdam)", "principal"]
        assert [head["frozen"] for head in grid.page["heads"][:4]] == [True, True, True, False]
        assert grid.page["rows"][0]["cells"][:2] == ["2026-03-02 00:00:04.308", "2026-03-02 01:00:04.308"]

    def test_every_column_of_events_can_be_chosen(self, grid):
        grid.columns = [name for name, _ in grid.choices]

        assert grid.problem == ""
        assert len(grid.page["rows"][0]["cells"]) == len(grid.choices) + 3

    def test_columns_that_a_page_made_up_are_left_out(self, grid):
        grid.columns = ["hsm", "t; DROP TABLE events"]

        assert [head["name"] for head in grid.page["heads"]] == ["time", "time", "principal", "hsm"]

    def test_text_of_an_attacker_is_shown_and_not_obeyed(self, case):
        frame = case.events.df().head(2).assign(client=EVIL)

        shown = widgets.events(case, frame)

        assert "<img src=x onerror=alert(1)>⟨U+202E⟩" in shown.page["rows"][0]["cells"]
        page = shown._repr_mimebundle_()[0]["text/html"]
        assert "<img" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in page

    def test_selected_rows_are_copied_without_a_formula(self, case):
        frame = case.events.df().head(3).assign(client='=HYPERLINK("http://evil")')
        shown = widgets.events(case, frame)
        shown.selected = names(shown)[:2]

        rows = list(csv.DictReader(io.StringIO(shown.csv())))

        assert [row["event_id"] for row in rows] == shown.selected
        assert rows[0]["client"] == '\'=HYPERLINK("http://evil")'
        assert shown.status.endswith("; 2 selected")

    def test_nothing_selected_is_a_clear_line(self, grid):
        grid._handle_custom_msg({"do": "copy"}, [])

        assert "no rows are selected" in grid.problem

    def test_all_found_are_selected_and_too_many_are_not(self, grid, monkeypatch):
        grid.search = "operation:KeyPurge"
        grid._handle_custom_msg({"do": "all"}, [])
        assert len(grid.selected) == 7

        monkeypatch.setattr("mhsm_forensics.widgets._grid._SELECTED", 5)
        grid.select_all()
        assert "too many to select" in grid.problem

    def test_a_record_is_shown_as_it_stands_in_the_evidence(self, grid, case):
        from mhsm_forensics.ingest import raw

        event_id = names(grid)[0]
        grid._handle_custom_msg({"do": "open", "id": event_id}, [])

        assert grid.record["raw"].encode() == b"".join(raw(case, event_id))
        assert ["event_id", event_id] in grid.record["facts"]

    def test_a_record_that_is_none_is_a_clear_line(self, grid):
        grid.show_record("nowhere:1' OR 1=1")

        assert "no such record" in grid.record["problem"]

    def test_a_view_is_kept_with_the_digest_of_its_answer(self, grid, case):
        grid.search = "operation:KeyPurge"
        grid.add_to_report()

        detail = json.loads(case.notes.df("view")["detail"].iloc[0])
        again = search.events(case.events, detail["parameters"]["text"], columns=[])
        assert detail["question"] == "search.events"
        assert detail["digest"] == export.digest_of(again)

    def test_events_that_are_not_the_case_s_own_are_no_view(self, case):
        shown = widgets.events(case, case.events.df().head(3))
        shown._handle_custom_msg({"do": "report"}, [])

        assert "not the case's own" in shown.problem
        assert case.notes.df().empty

    def test_the_code_gives_the_same_rows(self, grid, case):
        import mhsm_forensics as mf

        grid.search, grid.sort, grid.descending = "denied", "principal", True
        found = eval(grid.code, {"mf": mf, "case": case})

        assert found["event_id"].to_list() == grid.found

    def test_it_follows_the_scope_and_a_brush(self, case, grid):
        class Timeline(traitlets.HasTraits):
            by = traitlets.Unicode("principal")
            selection = traitlets.Dict()
            clicked = traitlets.List()

            def reload(self):
                """Nothing to draw."""

        timeline, start = Timeline(), 1_773_792_000_000_000  # 2026-03-18T00:00Z
        grid.follow(timeline)

        timeline.selection = {"start_us": start, "end_us": start + 86_400_000_000, "lane": None, "nobody": False}
        within = len(case.events.within(datetime(2026, 3, 18, tzinfo=UTC), datetime(2026, 3, 19, tzinfo=UTC)))
        assert len(grid.found) == within > 0
        timeline.selection = timeline.selection | {"nobody": True}
        assert 0 < len(grid.found) < within
        timeline.clicked = grid.found[:2]
        assert grid.selected == grid.found[:2]
        timeline.selection = {}
        assert len(grid.found) == 5605


class TestScope:
    def test_names_have_their_counts_and_can_be_searched(self, case):
        bar = widgets.scope(case)
        operations = bar.choices["operations"]

        assert operations.list.options[0] == ("KeyList (2,071)", "KeyList")
        operations.search.value = "purge"
        assert [value for _, value in operations.list.options] == ["KeyPurge"]
        assert repr(bar) == "Looking at the whole case: 5,605 of 5,605 events."

    def test_whom_the_lists_know_is_named_before_the_id_and_found_by_name(self, listed):
        principals = widgets.scope(listed).choices["principals"]

        principals.search.value = "SVC-deploy"

        assert principals.list.options == ((f"svc-deploy · {DEPLOY} (281)", DEPLOY),)

    def test_what_is_chosen_stays_chosen_when_another_is_searched(self, case):
        operations = widgets.scope(case).choices["operations"]
        operations.list.value = ("KeyList",)
        operations.search.value = "purge"

        assert operations.chosen == ("KeyList",)
        assert [value for _, value in operations.list.options] == ["KeyList", "KeyPurge"]

    def test_a_scope_is_kept_followed_and_undone(self, case, grid):
        bar = widgets.scope(case)
        seen = []
        bar.observe(lambda change: seen.append(change["new"]), "scope")
        bar.choices["operations"].list.value = ("KeyPurge",)
        bar.start.value = "2026-03-18T05:20+01:00"

        bar.look_button.click()

        wanted = Scope(datetime(2026, 3, 18, 4, 20, tzinfo=UTC), operations=("KeyPurge",))
        assert open_case(case.path).scope == bar.scope == wanted
        assert seen == [wanted]
        assert grid.page["found"] == len(case.scoped) == 6
        assert "6 of 5,605 events" in bar.status.value
        bar.undo_button.click()
        assert case.scope.is_whole
        assert bar.start.value == ""
        assert bar.undo_button.disabled

    @pytest.mark.parametrize(
        ("field", "text", "says"),
        [
            ("start", "2026-03-18T04:20", "a time needs its zone"),
            ("end", "yesterday", "not a time"),
            ("end", "' OR 1=1", "not a time"),
        ],
    )
    def test_a_time_that_cannot_be_used_is_refused_and_nothing_changes(self, case, field, text, says):
        bar = widgets.scope(case)
        getattr(bar, field).value = text

        bar.look()

        assert says in bar.status.value
        assert not (case.path / "scope.json").exists()

    def test_the_second_zone_is_said_beside(self, case):
        bar = widgets.scope(case)
        bar.start.value = "2026-03-18T04:20Z"

        assert bar.start_beside.value == "2026-03-18 04:20 UTC, 2026-03-18 05:20 in Europe/Amsterdam"

    def test_the_code_does_the_same(self, case):
        import mhsm_forensics as mf
        from mhsm_forensics.widgets._scope import as_code

        wanted = Scope(datetime(2026, 3, 18, tzinfo=UTC), principals=("x' OR 1=1 --",))

        assert eval(as_code(wanted), {"mf": mf, "datetime": datetime}) == wanted

    def test_two_bars_say_the_same(self, case):
        one, other = widgets.scope(case), widgets.scope(case)
        one.choices["hsms"].list.value = ("contoso-hsm-dr",)
        one.look()

        assert other.scope == one.scope
        other.undo()
        assert one.scope.is_whole

    def test_a_damaged_scope_says_how_to_go_on(self, case):
        (case.path / "scope.json").write_text("{")

        assert "Hint" in widgets.scope(case).status.value


class TestNotes:
    def write(self, panel, kind, **typed):
        panel.kind.value = kind
        for name, value in typed.items():
            getattr(panel, name).value = value
        return panel.save()

    def test_a_tag_is_there_for_the_next_who_opens_the_case(self, case, grid):
        panel = widgets.notes(case, grid)
        grid.selected = names(grid)[:2]

        assert self.write(panel, "Tag", tag="exfil", text="all at once")

        assert open_case(case.path).notes.tags() == {one: ["exfil"] for one in grid.selected}
        assert [row["tags"] for row in grid.page["rows"][:3]] == ["exfil", "exfil", ""]
        assert "exfil: all at once" in panel.list.value

    def test_every_kind_is_written(self, case):
        panel = widgets.notes(case, case.events.df(["event_id"])["event_id"].head(2))
        self.write(panel, "Bookmark", text="look again")
        self.write(panel, "Comment", text="odd")
        claim = self.write(panel, "Hypothesis", text="the secret was stolen")
        self.write(panel, "Evidence", text="another network", supports=False)
        self.write(panel, "T0", text="first refusal")
        self.write(panel, "Answer", question="backup-left", state="not answerable", text="needs the storage log")
        first = self.write(panel, "Comment", text="a slip")
        self.write(panel, "Correct", note=first, text="no slip")
        second = case.notes.df().iloc[-1]["note_id"]
        self.write(panel, "Take back", note=second, text="said twice")

        found = case.notes.df()
        kinds = ["bookmark", "comment", "hypothesis", "evidence", "t0", "answer"]
        assert found["kind"].to_list() == kinds
        assert json.loads(found["detail"].iloc[3]) == {"note_id": claim, "supports": False}
        assert case.t0 == case.events.df(["time"])["time"].min()
        assert "against “the secret was stolen”: another network" in panel.list.value
        assert len(case.notes.history()) == 9

    @pytest.mark.parametrize(
        ("kind", "typed", "says"),
        [
            ("Tag", {"tag": "exfil"}, "about nothing"),
            ("Tag", {"tag": " "}, "has no words"),
            ("Comment", {"text": ""}, "has no words"),
            ("Evidence", {"text": "x"}, "No hypothesis"),
            ("T0", {"text": "x", "time": "2026-03-18T04:20"}, "a time needs its zone"),
            ("T0", {"text": "x", "time": ""}, "No time"),
            ("Correct", {"text": "x"}, "No note"),
        ],
    )
    def test_what_cannot_be_noted_is_a_clear_line_and_nothing_is_written(self, case, kind, typed, says):
        panel = widgets.notes(case)

        assert self.write(panel, kind, **typed) is None
        assert says in panel.message.value
        assert case.notes.df().empty

    def test_a_second_press_writes_nothing(self, case):
        panel = widgets.notes(case)
        self.write(panel, "Comment", text="once")
        panel.save_button.click()

        assert len(case.notes.df()) == 1

    def test_text_of_an_attacker_is_text(self, case):
        case.notes.comment(EVIL)

        panel = widgets.notes(case)

        for made in (panel.list.value, panel._repr_mimebundle_()["text/html"]):
            assert "<img" not in made
            assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in made

    def test_it_follows_only_what_can_be_chosen_in(self, case):
        with pytest.raises(InputError, match="nothing can be chosen"):
            widgets.notes(case).follow(traitlets.HasTraits())

    def test_a_note_of_another_panel_shows(self, case):
        one, other = widgets.notes(case), widgets.notes(case)
        self.write(one, "Comment", text="seen by both")

        assert "seen by both" in other.list.value


class TestFinding:
    def test_the_gravest_comes_first_and_the_next_one_follows(self, case, findings):
        card = widgets.finding(case, findings)

        assert card.finding_id == findings["finding_id"].iloc[0]
        assert repr(card).startswith(f"F01 of {len(findings)}")
        assert card.previous_button.disabled
        assert "◆◆ critical" in card.card.value
        card.next_button.click()
        assert card.finding_id == card.choice.value == findings["finding_id"].iloc[1]
        assert "F02" in card.card.value

    @pytest.mark.parametrize("name", ["F03", "f3", "id"])
    def test_it_is_called_by_its_number_or_its_id(self, case, findings, name):
        wanted = findings["finding_id"].iloc[2]

        assert widgets.finding(case, findings, wanted if name == "id" else name).finding_id == wanted

    def test_one_that_is_not_there_is_refused(self, case, findings):
        with pytest.raises(InputError, match="no such finding"):
            widgets.finding(case, findings, "F999")

    def test_its_events_are_read_when_asked_for(self, case, findings):
        card = widgets.finding(case, findings, "F03")
        assert card.grid is None

        card.events_button.click()

        assert sorted(card.grid.found) == sorted(findings["event_ids"].iloc[2])

    def test_its_events_are_tagged_or_those_that_are_selected(self, case, findings):
        card = widgets.finding(case, findings, "F03")
        ids = list(findings["event_ids"].iloc[2])
        card.tag.value = "exfiltration"
        card.tag_button.click()
        assert case.notes.tags() == {one: ["exfiltration"] for one in ids}

        card.show_events()
        card.grid.selected = ids[:1]
        card.tag.value = "benign"
        card.tag_button.click()
        assert [one for one, tags in case.notes.tags().items() if "benign" in tags] == ids[:1]

    def test_it_is_kept_for_the_report(self, case, findings):
        widgets.finding(case, findings, "F02").add_to_report()

        detail = json.loads(case.notes.df("view")["detail"].iloc[0])
        own = findings[findings["number"] == "F02"].drop(columns="number")
        assert detail["parameters"]["finding_id"] == own["finding_id"].iloc[0]
        assert detail["digest"] == export.digest_of(own)

    def test_no_findings_are_said_in_words(self, case, findings):
        card = widgets.finding(case, findings.head(0))

        assert "No rule found anything" in card.card.value
        assert card.tag_events() is None
        assert repr(card) == "No findings."

    def test_a_finding_that_is_none_is_refused(self, case, findings):
        with pytest.raises(InputError, match="no such finding"):
            widgets.finding(case, findings, "F99")

    def test_text_of_an_attacker_is_text(self, case, findings):
        evil = findings.head(1).assign(title=EVIL, principal=EVIL, keys=[[EVIL]])

        card = widgets.finding(case, evil)

        assert "<img" not in card._repr_mimebundle_()["text/html"]


class TestCases:
    def test_a_case_is_made_and_files_are_added(self, tmp_path, quiet_day):
        picker = widgets.cases(tmp_path)
        picker.name.value, picker.zone.value = "contoso-2026", "Europe/Amsterdam"
        picker.make_button.click()
        picker.path.value = str(quiet_day.path / "evidence")
        picker.add_button.click()

        assert picker.case.path == tmp_path / "contoso-2026"
        assert picker.case.display_zone == "Europe/Amsterdam"
        assert len(picker.case.events) == len(quiet_day.events)
        assert f"{len(quiet_day.events):,} events" in picker.status.value

    @pytest.mark.parametrize("name", ["", "../outside", "a/b", "a\\b", ".", "..", ".hidden", "a\0b"])
    def test_a_name_is_no_path(self, tmp_path, name):
        picker = widgets.cases(tmp_path / "cases")
        picker.name.value = name
        picker.make()

        assert "no name of a folder" in picker.status.value
        assert not list(tmp_path.rglob("case.json"))

    def test_a_zone_that_is_none_is_refused(self, tmp_path):
        picker = widgets.cases(tmp_path)
        picker.name.value, picker.zone.value = "a", "../../etc/passwd"
        picker.make()

        assert "no time zone" in picker.status.value

    def test_the_case_of_the_environment_is_chosen(self, tmp_path, quiet_day, monkeypatch):
        monkeypatch.setenv("MHSM_CASE", str(quiet_day.path))

        assert widgets.cases(tmp_path).case.path == quiet_day.path

    def test_without_a_case_there_is_the_sample_incident(self, tmp_path):
        picker = widgets.cases(tmp_path)

        assert "everything in it is invented" in picker.status.value
        assert len(picker.case.events) == 5605

    def test_files_that_are_no_log_are_a_clear_line(self, tmp_path):
        create_case(tmp_path / "a")
        picker = widgets.cases(tmp_path)
        picker.path.value = str(tmp_path / "nowhere")
        picker.add()

        assert "no such file or folder" in picker.status.value


@pytest.mark.parametrize("name", ["events", "scope", "notes", "finding", "cases"])
def test_without_a_kernel_there_is_a_table_and_no_empty_box(name, case, findings):
    case.notes.comment("odd")
    made = {
        "events": lambda: widgets.events(case), "scope": lambda: widgets.scope(case), "notes": lambda: widgets.notes(case),
        "finding": lambda: widgets.finding(case, findings), "cases": lambda: widgets.cases(case.path.parent),
    }[name]()  # fmt: skip
    bundle = made._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])

    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)

    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"].startswith(repr(made))
    assert "<table" in data["text/html"]
    assert " of " in data["text/html"]
    assert data["text/html"][:200] in page
    assert json.loads(json.dumps(data))["application/vnd.jupyter.widget-view+json"]["model_id"] not in page


@pytest.mark.parametrize("script", sorted(Path(widgets.__file__).parent.glob("*.js")), ids=lambda path: path.name)
def test_scripts_set_text_and_load_nothing(script):
    text = script.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")  # the name of SVG, which loads nothing

    assert not [
        word
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(", "fetch(", "import(", "http")
        if word in text
    ]


def test_the_same_answer_has_the_same_digest():
    frame = pd.DataFrame({"name": ["a", None], "n": [1, 2]})

    assert export.digest_of(frame) == export.digest_of(frame.convert_dtypes())
    assert export.digest_of(frame) != export.digest_of(frame.iloc[::-1])


class TestStory:
    def test_a_line_opens_to_its_records(self, case):
        panel = widgets.story(case)
        number = int(panel.told.index[panel.told["operation"] == "KeyPurge"][0])

        panel.lines.value = f"index == {number}"

        assert sorted(panel.selected) == sorted(panel.told["event_ids"].iloc[number])
        assert "KeyPurge 5 keys (archive-kek-2024" in panel.whole.value
        assert sorted(panel.place.children[0].found) == sorted(panel.selected)

    def test_a_heading_opens_to_the_records_of_its_session(self, case):
        panel = widgets.story(case)
        chapter = panel.told["chapter"].dropna().iloc[-1]

        panel.lines.value = f"chapter == {chapter}"

        assert len(panel.selected) == panel.told.loc[panel.told["chapter"] == chapter, "events"].sum()

    def test_it_follows_the_scope_and_makes_no_silence_of_it(self, case):
        panel = widgets.story(case)
        bar = widgets.scope(case)
        bar.choices["principals"].list.value = ("mateo.osei@contoso.example",)

        bar.look()

        assert set(panel.told["principal"].dropna()) == {"mateo.osei@contoso.example"}
        assert (panel.told["kind"] == "silence").sum() == 2

    def test_without_a_kernel_it_leaves_the_lines_as_text(self, case):
        page = widgets.story(case)._repr_mimebundle_()["text/html"]

        assert "KeyPurge 5 keys" in page
        assert "29 of 29 lines" in page


def test_a_finding_of_another_log_shows_its_records_too(listed, tmp_path):
    whole = copy_of(listed, tmp_path / "case")
    found = detect.run(whole)
    removed = found.loc[found["rule_id"] == "logging-removed", "finding_id"].iloc[0]

    card = widgets.finding(whole, found, removed)
    card.show_events()

    told = "".join(getattr(child, "value", "") for child in card.place.children)
    ids = set(found.loc[found["finding_id"] == removed, "event_ids"].iloc[0])
    others = ids & set(whole.context("activity")["event_id"])
    assert others
    assert all(one in told for one in others)
    assert len(ids) == card.grid.page["found"] + len(others)
    assert "before v19: T1562.008" in card.card.value
