"""Where nothing was examined, every view says so first, and none says that there are no findings."""

import json
from datetime import UTC, datetime

import pytest
from commanding import commander, record, write_lines

from mhsm_forensics import accounting, add, create_case, detect, errors, open_case, overview, widgets
from mhsm_forensics.case import Scope

VAULT = "these are logs of a key vault, not of a managed HSM: nothing was examined"


@pytest.fixture
def run(monkeypatch, capsys):
    return commander(monkeypatch, capsys)


def made(folder, *lines):
    """The path of a case of some lines."""
    path = write_lines(folder / "PT1H.json", *lines)
    return add(create_case(folder / "case"), [path]).case.path


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    return made(tmp_path_factory.mktemp("vault"), *(record(n, kind="VAULTS", name="KV") for n in range(4)))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Two HSMs, some seconds of events."""
    names = ("CONTOSO-HSM-PROD", "CONTOSO-HSM-DR")
    return made(tmp_path_factory.mktemp("hsm"), *(record(n, name=name) for n in range(20) for name in names))


def test_adding_a_vaults_logs_is_no_error_and_says_what_they_are(run, tmp_path):
    path = write_lines(tmp_path / "PT1H.json", record(kind="VAULTS"))

    done = run("add", tmp_path / "case", path)

    assert done.code == 0
    assert VAULT in done.out


@pytest.mark.parametrize("command", [["what-happened"], ["findings"], ["findings", "--format", "json"]])
def test_a_vaults_logs_are_called_that_in_every_view(run, vault, command):
    done = run(*command[:1], vault, *command[1:])

    assert done.code == 0
    assert VAULT in done.both
    assert "No findings" not in done.both
    assert "too short a log" not in done.both


def test_json_of_a_vaults_logs(run, vault):
    answer = json.loads(run("what-happened", vault, "--json").out)

    assert answer["nothing_examined"] == VAULT
    assert answer["accounting"]["out_of_scope"] == 4


def test_the_report_of_a_vaults_logs_calls_nothing_quiet(run, vault):
    assert VAULT in run("report", vault).err

    page = (vault / "reports" / "report.html").read_text("utf-8")
    assert page.count("nothing was examined") >= 6  # cover, summary, each root of trust, scorecard, findings, limits
    assert "No rule raised an alarm" not in page
    assert "was done or accepted in this evidence" not in page


def test_panels_of_a_vaults_logs_say_it_in_their_head_line(vault):
    case = open_case(vault)
    found = detect.run(case.events)

    assert "nothing was examined" in widgets.scope(case).status.value
    assert "nothing was examined" in widgets.finding(case, found).card.value
    assert "nothing was examined" in widgets.story(case, found).said.value
    picker = widgets.cases(vault.parent)
    picker.choice.value = vault  # the only one
    assert "nothing was examined" in picker.status.value


def test_rejects_alone_and_an_empty_case_are_no_quiet_evidence(run, tmp_path):
    rejects = record(1, time="soon"), record(2, time="soon")
    done = run("add", tmp_path / "case", write_lines(tmp_path / "PT1H.json", *rejects))
    create_case(tmp_path / "empty")

    assert done.code == 1
    assert "no line of the evidence could be read as an event: nothing was examined; 2 rejects (bad_time)" in done.out
    assert "the case holds no evidence: nothing was examined" in run("findings", tmp_path / "empty").out


def test_other_logs_alone_are_named(tmp_path):
    (tmp_path / "users.csv").write_text("userPrincipalName,displayName,id\nanna@contoso.example,Anna,u1\n")
    case = add(create_case(tmp_path / "case"), [tmp_path / "users.csv"]).case

    assert "only other logs and lists are in the case (identities)" in accounting.nothing_examined(case)


def test_a_window_outside_the_evidence_is_said_first(run, case):
    done = run("what-happened", case, "--from", "2030-01-01T00:00Z")

    first = next(line for line in done.out.splitlines()[2:] if line.strip())
    assert done.code == 0
    assert first.startswith("nothing was examined: the evidence runs from 2026-03-05T02:00:00Z to 2026-03-05T02:00:19Z")
    assert "no event lies in the window from 2030-01-01T00:00:00Z" in " ".join(done.out.split())
    assert "No findings" not in done.out


def test_a_window_between_two_events_too(run, case):
    window = ("--from", "2026-03-05T02:00:03.5Z", "--to", "2026-03-05T02:00:03.6Z")
    answer = json.loads(run("what-happened", case, *window, "--json").out)

    assert answer["nothing_examined"].startswith("nothing was examined: the evidence runs from")
    assert accounting.nothing_examined(open_case(case)) is None


def test_from_after_to_is_one_clear_line(run, case):
    done = run("what-happened", case, "--from", "2026-03-06T00:00Z", "--to", "2026-03-05T00:00Z")

    assert done.code == 1
    assert "the start is before the end" in done.err


def test_an_hsm_that_is_not_in_the_case_is_refused_with_the_names_there_are(run, case):
    done = run("what-happened", case, "--hsm", "contoso-hsm-dx", "--json")

    assert done.code == 1
    assert "did you mean contoso-hsm-dr? There are: contoso-hsm-dr, contoso-hsm-prod." in done.err
    assert done.out == ""
    with pytest.raises(errors.InputError, match="no such managed HSM"):
        overview.overview(open_case(case), hsms=["nope"])
    assert open_case(case).having_hsms(["CONTOSO-HSM-DR "]) == ("contoso-hsm-dr",)


def test_a_scope_with_an_hsm_that_is_not_there(run, case):
    opened = open_case(case)

    with pytest.raises(errors.InputError, match="no such managed HSM"):
        opened.look_at(Scope(hsms=("nope",)))

    (case / "scope.json").write_text(json.dumps({"hsms": ["nope"]}))  # by an earlier version, or by hand
    status = widgets.scope(opened).status.value
    (case / "scope.json").unlink()
    assert "nope is not in the case, which has contoso-hsm-dr, contoso-hsm-prod" in status


def test_the_scope_bar_says_a_window_without_events(case):
    opened = open_case(case)
    opened.look_at(Scope(start=datetime(2030, 1, 1, tzinfo=UTC)))

    status = widgets.scope(opened).status.value
    opened.look_at(Scope())
    assert "Nothing was examined: the evidence runs from" in status
