"""The form that collects: what a person types is understood, no secret stays, nothing is loaded before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime

import ipywidgets
import nbconvert
import nbformat
import pytest

from mhsm_forensics import widgets
from mhsm_forensics.case import create_case
from mhsm_forensics.widgets import _request, _words

KEY = "bm90IGEgc2VjcmV0IG9mIGFueWJvZHk="
CONNECTION = f"AccountName=contosologs;AccountKey={KEY};EndpointSuffix=core.windows.net"

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def form(tmp_path):
    return widgets.collect(create_case(tmp_path / "case"))


def saved():
    """What Jupyter saves with a notebook of all widgets there are."""
    return json.dumps(ipywidgets.Widget.get_manager_state())


def shown(form):
    return [one for one in form.box.children[0].children for one in one.children if one.layout.display != "none"]


def test_importing_loads_nothing_of_azure():
    code = (
        "import sys, mhsm_forensics.widgets; print([m for m in sys.modules if m.split('.')[0] in ('azure', 'msticpy')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_field_says_what_it_is(form):
    assert all(field.description for field in shown(form))
    assert [button.description for button in form.box.children[1].children] == ["Collect", "Stop"]


def test_fields_fit_the_source_and_the_login(form):
    assert [field.description for field in shown(form)] == [
        "Source", "Account", "Container", "From", "To, not included", "Managed HSMs", "Login", "Cloud", "Tenant",
    ]  # fmt: skip

    form.login.value = "sas"
    assert form.secret in shown(form)
    form.source.value = "workspace"

    assert form.workspace in shown(form)
    assert form.account not in shown(form)
    assert form.secret not in shown(form)
    assert form.login.value == "default"
    assert "sas" not in form.login.options


def test_a_secret_is_in_no_state(form):
    form.login.value = "connection-string"
    form.secret._handle_custom_msg({"secret": CONNECTION}, [])

    assert form._held.typed == CONNECTION
    assert form.secret.placeholder == "held in memory until it is used"
    assert KEY not in saved()
    assert KEY not in repr(vars(form))


@pytest.mark.parametrize("name", ["account", "container", "hsms", "tenant", "start"])
@pytest.mark.parametrize("text", ["https://a.blob.core.windows.net/?sv=1&sig=abc", CONNECTION])
def test_a_secret_in_an_open_field_is_removed(form, name, text):
    field = getattr(form, name)
    field.value = text

    assert field.value == ""
    assert "was removed" in form.problem
    assert text not in saved()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"start": "2026-03-05T14:00"}, "a time needs its zone"),
        ({"end": "yesterday"}, "not a time"),
        ({"account": ""}, "No account"),
        ({"account": "a b"}, "no address"),
        ({"container": "Ä"}, "no name of a container"),
        ({"start": "2026-03-05T14:00Z", "end": "2026-03-05T13:00Z"}, "holds no time"),
        ({"login": "sas"}, "no secret. Hint: type it"),
        ({"source": "workspace"}, "No workspace"),
        ({"source": "workspace", "workspace": "contoso"}, "not a workspace ID"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(form, typed, says, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN", raising=False)
    for name, value in ({"account": "contosologs"} | typed).items():
        getattr(form, name).value = value

    form.collect_button.click()
    form.wait(60)

    assert says in form.problem
    assert says in form.answer.value
    assert form.state.value == "Not collected."
    assert form.result is None
    assert not form.collect_button.disabled
    assert form.stop_button.disabled


def test_without_a_kernel_there_is_text(form):
    bundle = form._repr_mimebundle_()

    assert bundle["text/plain"].startswith(f"Collect evidence into {form.case.path}. Not started.")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_nbconvert_shows_the_text_and_no_empty_box(form):
    output = nbformat.v4.new_output("execute_result", data=form._repr_mimebundle_(), execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("form", outputs=[output])])

    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)

    assert f"Collect evidence into {form.case.path}. Not started." in page
    assert form.box.model_id not in page


REQUEST = {"place": "", "container": "insights-logs-auditevent", "start": "", "end": "", "hsms": "", "login": "default",
           "cloud": "public", "tenant": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "typed", "lines"),
    [
        (
            "storage",
            {"place": "contosologs"},
            [
                "from mhsm_forensics.collect import login, storage",
                "signed = login.sign_in('default')",
                "storage.collect(case, 'https://contosologs.blob.core.windows.net', credential=signed.credential)",
            ],
        ),
        (
            "storage",
            {"login": "connection-string", "container": "logs", "hsms": "a, b", "start": "2026-03-05T15:00+01:00"},
            [
                "from datetime import datetime",
                "from mhsm_forensics.collect import login, storage",
                "signed = login.sign_in('connection-string')  # the secret: AZURE_STORAGE_CONNECTION_STRING",
                "storage.collect(",
                "    case,",
                "    signed.account_url,",
                '    start=datetime.fromisoformat("2026-03-05T14:00:00Z"),',
                "    hsms=('a', 'b'),",
                "    credential=signed.credential,",
                "    container='logs',",
                ")",
            ],
        ),
        (
            "workspace",
            {"place": "6f7c", "login": "device", "cloud": "usgov", "tenant": "t'); import os; ("},
            [
                "from mhsm_forensics.collect import login, workspace",
                "signed = login.sign_in('device', cloud='usgov', tenant=\"t'); import os; (\")",
                "workspace.collect(",
                "    case,",
                "    '6f7c',",
                "    credential=signed.credential,",
                "    endpoint='https://api.loganalytics.us',",
                ")",
            ],
        ),
    ],
)
def test_the_code_that_does_the_same(source, typed, lines):
    code = _request.understood(source, **(REQUEST | typed)).code()

    ast.parse(code)
    assert [line for line in code.splitlines() if line] == lines


def test_times_are_understood_with_their_zone():
    found = _request.understood(
        "storage", **(REQUEST | {"place": "a", "start": " 2026-03-05T15:00+01:00 ", "hsms": "a; B  c"})
    )

    assert found.start == datetime(2026, 3, 5, 14, tzinfo=UTC)
    assert found.end is None
    assert found.hsms == ("a", "B", "c")


def test_text_of_an_attacker_is_text():
    evil = "<img src=x onerror=alert(1)>\u202e"

    for made in (_words.table([(evil, evil)]), _words.paragraph(evil), _words.code(evil)):
        assert "<img" not in made
        assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in made


def test_the_code_of_a_sign_in_is_shown_and_goes(form):
    form._prompt("https://microsoft.com/devicelogin", "ABCD<b>", datetime(2026, 3, 5, 14, tzinfo=UTC))

    assert "type the code ABCD&lt;b&gt;, before 14:00 UTC" in form.prompt.value
    form._tell("storage", 0, 2)
    assert form.prompt.value == ""


def test_a_device_login_shows_its_code_where_it_is_asked_to(monkeypatch):
    from mhsm_forensics.collect import login

    def show(*_):
        """Show nothing."""

    given = {}
    monkeypatch.setattr(login, "DeviceCodeCredential", lambda **options: given.update(options))
    login.sign_in("device", show=show)

    assert given["prompt_callback"] is show


def test_a_typed_secret_counts_before_the_environment(monkeypatch):
    from mhsm_forensics.collect import login

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=other;AccountKey=Zm9v")

    assert login.sign_in("connection-string", ask=lambda _: CONNECTION, environment=False).account_url == (
        "https://contosologs.blob.core.windows.net"
    )
