"""The report: what it says, and that nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import html5lib
import pandas as pd
import pytest
from browser import needs_chromium, visit
from building import NOON, SAMPLES, copy_of
from plotly.offline import get_plotlyjs_version

from mhsm_forensics import case as cases
from mhsm_forensics import detect, export, ingest, report, search, views
from mhsm_forensics.case import record_custody, verify
from mhsm_forensics.errors import InputError
from mhsm_forensics.report import _content, _findings, _gather, _html
from mhsm_forensics.report._document import Col, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from playwright.sync_api import Browser

    from mhsm_forensics.case import Case

HOSTILE = (
    '"><script>alert(1)</script><img src=//evil.example onerror=alert(1)><a href="javascript:x">\u202e%{x}$y$\u0000'
)
TAGS = {
    "a", "article", "b", "body", "button", "caption", "dd", "details", "div", "dl", "dt", "figcaption", "figure",
    "footer", "h1", "h2", "h3", "h4", "head", "header", "html", "li", "main", "meta", "nav", "noscript", "ol", "p",
    "pre", "script", "section", "span", "style", "summary", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


@pytest.fixture(scope="module")
def quiet(quiet_day: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the quiet day."""
    return report.write(quiet_day, tmp_path_factory.mktemp("report") / "quiet.html", generated=NOON)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a case in which every text an attacker could choose is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    made = cases.create_case(folder / "case", name=HOSTILE)
    ingest.add(made, sorted((SAMPLES / "damaged").glob("hostile-*.json")))
    opened = cases.open_case(made.path)
    findings = hostile_findings(opened)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detect, "run", lambda _events: findings)
        return report.write(opened, folder / "hostile.html", title=HOSTILE, generated=NOON)


@pytest.fixture
def empty(tmp_path: Path) -> Case:
    """A case without evidence."""
    return cases.create_case(tmp_path / "empty")


def hostile_findings(case: Case) -> pd.DataFrame:
    """An alarm and a routine with hostile text wherever there is text."""
    events = case.events.df(["event_id", "time"])
    texts = ("title", "hsm", "principal", "object_id", "caller_ip", "why", "benign", "next_step")
    row: dict[str, Any] = {
        **dict.fromkeys(texts, HOSTILE),
        "rule_id": "rule",
        "confidence": "high",
        "first_time": events["time"].min(),
        "last_time": events["time"].max(),
        "keys": [HOSTILE] * 3,
        "events": len(events),
        "event_ids": list(events["event_id"]),
        "techniques": ["T1485"],
    }
    return pd.DataFrame(
        [
            {**row, "finding_id": "x-1", "number": "F01", "severity": "high"},
            {**row, "finding_id": "x-2", "number": "F02", "severity": "info", "rule_id": "routine-x"},
        ]
    )


@cache
def parsed(path: Path) -> ET.Element:
    """The page as an HTML parser sees it."""
    return html5lib.parse(path.read_text("utf-8"), namespaceHTMLElements=False)


def words(path: Path) -> str:
    """Text of the page, without scripts and styles, spaces folded."""
    return " ".join(" ".join(_texts(parsed(path))).split())


def _texts(element: ET.Element) -> Iterator[str]:
    if element.tag not in {"script", "style"}:
        yield element.text or ""
        for child in element:
            yield from _texts(child)
    yield element.tail or ""


def specs(path: Path) -> dict[str, dict[str, Any]]:
    """Figures of the page by name, as plotly JSON."""
    found = [s for s in parsed(path).iter("script") if s.get("type") == "application/json"]
    return {s.attrib["id"].removesuffix("-data"): json.loads(s.text or "") for s in found}


def test_vendored_plotly_is_the_version_that_plotly_bundles():
    head = (_html.files("mhsm_forensics.report") / "plotly-cartesian.min.js").read_text("utf-8")[:200]

    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}\n" in head


def test_same_case_and_time_give_the_same_bytes(incident: Case):
    verified = cases.check(incident)

    first, second = (
        _html.render(_content.report(incident, title=None, generated=NOON, verified=verified)) for _ in range(2)
    )

    assert first == second


def test_a_report_is_recorded_in_the_chain_of_custody(quiet: Path, quiet_day: Case):
    entry = quiet_day.custody.iloc[-1]

    assert entry["action"] == "reported"
    assert cases.sha256_of(quiet) in entry["detail"]


def test_a_time_of_generation_without_zone_is_refused(incident: Case, tmp_path: Path):
    with pytest.raises(InputError, match="zone"):
        report.write(incident, tmp_path / "a.html", generated=NOON.replace(tzinfo=None))

    assert not list(tmp_path.iterdir())


def test_fates_add_up_on_the_page(written: Path, incident: Case):
    lines = int(incident.accounting["lines"].iloc[0])

    assert f"the six add up to {lines:,}" in words(written)


def test_cover_states_the_digest_of_all_evidence(written: Path, incident: Case):
    recipe = hashlib.sha256("\n".join(sorted(incident.evidence["sha256"])).encode()).hexdigest()

    assert f"SHA-256 over all: {recipe}" in words(written)


def test_every_finding_has_its_card_and_every_sentence_its_finding(written: Path, findings: pd.DataFrame):
    page = parsed(written)
    ids = {element.attrib["id"] for element in page.iter("article")}

    assert ids == set(findings.loc[~findings["rule_id"].str.startswith("routine-"), "number"])
    assert {a.attrib["href"] for a in page.iter("a") if a.get("class") == "ref"} <= {
        "#findings",
        *(f"#{i}" for i in ids),
    }


def test_every_event_id_of_a_finding_is_on_the_page(written: Path, findings: pd.DataFrame):
    lines = {item.text for item in parsed(written).iter("li")}

    for event_ids in findings.loc[~findings["rule_id"].str.startswith("routine-"), "event_ids"]:
        assert set(_findings.ranges(event_ids)) <= lines


def test_ranges_of_event_ids_lose_none():
    ids = [f"e{file}:{line}" for file in (1, 2) for line in (1, 2, 3, 7, 9, 10)]
    told = dict(line.split(": ") for line in _findings.ranges(ids))
    bounds = {e: [part.partition("-") for part in spans.split(", ")] for e, spans in told.items()}
    again = [f"{e}:{n}" for e, spans in bounds.items() for a, _, b in spans for n in range(int(a), int(b or a) + 1)]

    assert again == ids


def test_incident_affects_the_root_of_trust(written: Path):
    assert "Root of trust: security domain Yes SecurityDomainBackup (accepted)" in words(written)


def test_a_quiet_day_raises_nothing_grave(quiet: Path):
    text = words(quiet)

    assert not re.search(r"\d (critical|high)", text.partition("Executive summary")[0])
    assert not re.search(r"Root of trust: [a-z ]+ Yes", text)


def test_one_day_is_too_short_to_rule_anything_out(quiet: Path):
    text = words(quiet)

    assert "Root of trust: security domain Cannot tell" in text
    assert "too short to tell a silence from a quiet hour" in text


def test_an_empty_case_has_a_report(empty: Case, tmp_path: Path):
    text = words(report.write(empty, tmp_path / "empty.html", generated=NOON))

    assert "nothing was examined" in text
    assert "no events" in text


def test_second_zone_stands_beside_utc(tmp_path: Path):
    made = cases.create_case(tmp_path / "case", display_zone="Asia/Kolkata")
    ingest.add(made, [SAMPLES / "documented" / "backup-create.json"])
    text = words(report.write(cases.open_case(made.path), tmp_path / "r.html", generated=NOON))

    assert "2020-08-31T19:52:39.763Z 2020-09-01T01:22:39.763+05:30" in text


def test_rows_that_are_cut_are_counted():
    frame = pd.DataFrame({"name": list("abc")})

    table = Writer().table(frame, "Names.", Col("name", "Name"), limit=2)

    assert table.cut == "2 of 3 rows shown."


def test_limitations_are_true_of_the_case(written: Path, empty: Case, tmp_path: Path):
    bare = words(report.write(empty, tmp_path / "empty.html", generated=NOON))

    assert "Silences of the log:" in words(written)
    assert "Silences of the log:" not in bare
    assert "not guaranteed lossless" in bare


@pytest.mark.parametrize("which", ["written", "hostile"])
def test_only_known_tags_and_no_address_outside(which: str, request: pytest.FixtureRequest):
    for element in parsed(request.getfixturevalue(which)).iter():
        assert isinstance(element.tag, str), "a comment"
        assert element.tag in TAGS
        assert not {"src", "srcset", "action", "formaction", "data", "background"} & set(element.attrib)
        assert not [name for name in element.attrib if name.startswith("on")]
        assert element.get("href", "#").startswith("#")
        assert not [value for value in element.attrib.values() if re.search("https?:|//", value)]
        assert element.get("http-equiv") in {None, "Content-Security-Policy"}


@pytest.mark.parametrize("which", ["written", "hostile"])
def test_policy_allows_these_two_scripts_and_no_other(which: str, request: pytest.FixtureRequest):
    page = parsed(request.getfixturevalue(which))
    policy = next(meta.attrib["content"] for meta in page.iter("meta") if meta.get("http-equiv"))
    scripts = [script.text or "" for script in page.iter("script") if "type" not in script.attrib]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]

    assert len(scripts) == 2
    assert re.findall("'sha256-([^']+)'", policy) == hashes
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_hostile_text_is_shown_and_not_obeyed(hostile: Path):
    text = words(hostile)

    assert "<script>alert(1)</script>" in text
    assert "⟨U+202E⟩" in text
    assert "⟨U+0000⟩" in text
    assert not re.search("[\u0000-\u0008\u202a-\u202e\u2066-\u2069]", text)


def test_hostile_text_gives_no_markup_inside_figures(hostile: Path):
    told = json.dumps(specs(hostile), ensure_ascii=False)

    assert not re.search(r"<(script|img|a)\b", told)
    assert "&lt;script" in told


def test_style_carries_no_address():
    assert not re.search(r"url\(|@import|https?:", _html._part("report.css"))


def test_report_states_the_window_it_searched(written: Path):
    assert re.search(r"Looked for and not found\. Examined: 2026-\d\d-\d\dT[0-9:.]+Z to 2026-", words(written))


def test_digest_of_no_evidence_is_that_of_nothing(empty: Case):
    assert _content.digest(empty) == hashlib.sha256(b"").hexdigest()


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("which", ["written", "hostile"])
def test_chromium_draws_every_figure_and_asks_for_nothing(
    which: str, theme: Any, chromium: Browser, request: pytest.FixtureRequest
):
    path: Path = request.getfixturevalue(which)

    with visit(chromium, path, theme=theme) as seen:
        seen.scroll_through()

        drawn = seen.page.evaluate(
            "[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('svg').length > 0)"
        )
        assert drawn == [True] * len(specs(path))
        assert seen.page.locator(".plot a").count() == 0
        assert seen.requests == [path.as_uri()]
        assert seen.complaints == []


@needs_chromium
def test_chromium_prints_a_document(written: Path, chromium: Browser, tmp_path: Path):
    with visit(chromium, written) as seen:
        seen.page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)

        assert seen.complaints == []
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


@needs_chromium
def test_without_javascript_the_tables_are_there(written: Path, chromium: Browser):
    with visit(chromium, written, javascript=False) as seen:
        assert "JavaScript is off" in seen.page.inner_text("noscript")
        assert seen.page.locator("details.data table").count() >= 5


@needs_chromium
def test_theme_button_redraws_in_the_other_colours(written: Path, chromium: Browser):
    paper = "document.querySelector('.plot .main-svg').style.background"
    with visit(chromium, written) as seen:
        seen.scroll_through()
        light = seen.page.evaluate(paper)
        seen.page.click("#theme")
        seen.page.wait_for_timeout(300)

        assert seen.page.evaluate(paper) != light
        assert seen.complaints == []


# Views that this version can't ask, for this reason or that.
ODD = ("analyse.nothing", "os.system", "search.events", "analyse.hourly")
PURGES = {"text": "KeyPurge", "sort": "time", "descending": False, "columns": ["time", "operation", "key_name"],
          "scope": {"hsms": ["contoso-hsm-prod"]}, "equal": {}, "only": None}  # fmt: skip


@pytest.fixture(scope="module")
def noted(incident, tmp_path_factory):
    """The incident with an analyst's notes, one of them hostile, with views, and with the report of it."""
    case = copy_of(incident, tmp_path_factory.mktemp("noted") / "case")
    event_id = case.events.df(["event_id"])["event_id"].iloc[0]
    claim = case.notes.hypothesis("the secret was stolen")
    case.notes.evidence(claim, event_id, "another network", supports=False)
    case.notes.t0(datetime(2026, 3, 16, 2, 31, tzinfo=UTC), "first failed sign-in")
    case.notes.answer("Did a backup leave?", "partly", "it was read")
    case.notes.tag(event_id, "<script>alert(1)</script>\u202e")
    case.notes.retract(case.notes.comment("nonsense"), "a slip")
    ids = search.events(case.events.within(hsms=["contoso-hsm-prod"]), "KeyPurge")[["event_id"]]
    case.notes.view("Purges", "search.events", PURGES, export.digest_of(ids))
    case.notes.view("Changed", "search.events", PURGES | {"columns": ["time"], "scope": None}, "0" * 64)
    for question in ODD:
        case.notes.view(f"Odd {question}", question, {"unheard_of": 1}, "0" * 64)
    # as notes were written before findings had ids
    case.notes.tag(event_id, "exfiltration", "F07: 3 keys backed up")
    for rule_id in ("security-domain-download", "full-backup-not-routine"):
        case.notes.view(f"Of before {rule_id}", "detect.run", {"rule_id": rule_id, "finding_id": "F99"}, "0" * 64)
    report.write(case, case.path / "r.html")
    return case


def of_view(noted, title):
    """What the report says of a view, up to the next one."""
    return words(noted.path / "r.html").partition(f"View: {title}.")[2].partition("View: ")[0]


def test_notes_that_count_are_in_the_report_and_inert(noted):
    page = (noted.path / "r.html").read_text("utf-8")

    for words in ("the secret was stolen", "against hypothesis", "Did a backup leave?: partly", "2026-03-16T02:31:00Z"):
        assert words in page
    assert "nonsense" not in page
    assert "<script>alert(1)" not in page
    assert noted.notes.head in page


def test_custody_knows_which_notes_a_report_held(noted, tmp_path):
    case = copy_of(noted, tmp_path / "case")
    lines = case.notes.path.read_text("utf-8").splitlines(keepends=True)
    case.notes.path.write_text("".join(lines[:-1]), "utf-8")

    assert any("a note is missing" in problem for problem in verify(case))


def test_every_act_is_told_in_the_story(incident, written):
    told = _gather.gather(incident).story
    page = written.read_text("utf-8")

    assert all(html.escape(line).split(" (")[0] in page for line in told.loc[told["kind"] == "act", "line"])


def test_an_unfinished_collection_is_a_limit(empty):
    record_custody(empty.path, "collecting", {"place": "https://a/logs", "from": None, "to": None})

    page = report.write(empty, empty.path / "r.html").read_text("utf-8")

    assert "A collection of this evidence is incomplete: https://a/logs: it was interrupted." in page


def test_other_logs_in_the_case_are_counted_and_findings_show_their_records(listed_report):
    page = listed_report.read_text("utf-8")

    assert "Sign-ins are held in Entra ID; 22 records of it are in the case." in page
    assert "Diagnostic setting deleted: the HSM&#39;s log goes nowhere" in page
    assert page.count("microsoft.insights/diagnosticSettings/delete") >= 4


def test_what_could_not_be_found_here_is_told_apart_from_what_was_not_found(written: Path):
    text = words(written)

    assert "Not testable here: that nothing was found says nothing." in text
    assert "no log of a storage account in the case" in text


def test_a_saved_view_is_drawn_again_from_the_evidence(noted):
    (view,) = (one for one in views.saved(noted) if one.title == "Purges")

    assert view.same
    assert len(view.frame) == 6
    assert "Saved by" in of_view(noted, "Purges")
    assert "the answer is the same now" in of_view(noted, "Purges")


def test_a_saved_finding_is_found_by_its_id_whatever_its_number(noted, findings):
    own = findings.tail(1)
    asked = {"rule_id": own["rule_id"].iloc[0], "finding_id": own["finding_id"].iloc[0]}
    noted.notes.view("One", "detect.run", asked, export.digest_of(own.drop(columns="number")))

    (view,) = (one for one in views.saved(noted) if one.title == "One")

    assert view.same
    assert view.frame["number"].tolist() == own["number"].tolist()


def test_a_note_of_before_that_names_a_number_is_told_for_what_it_is(noted):
    assert "1 note names a finding by a number (F07)" in words(noted.path / "r.html")
    one, several = (
        of_view(noted, f"Of before {rule}") for rule in ("security-domain-download", "full-backup-not-routine")
    )
    assert "THE ANSWER IS ANOTHER ONE NOW" in one
    assert "F99, a number of then, and rule full-backup-not-routine has 2 findings now" in several


def test_a_view_whose_answer_changed_says_so(noted):
    assert "THE ANSWER IS ANOTHER ONE NOW" in of_view(noted, "Changed")


@pytest.mark.parametrize("question", ODD)
def test_a_view_that_can_not_be_asked_says_why(noted, question):
    assert "by this version" in of_view(noted, f"Odd {question}")
