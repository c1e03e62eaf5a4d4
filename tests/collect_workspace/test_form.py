"""The form collects from a workspace: rows are counted, a stop keeps what is whole, a fault is one line."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from la_server import Fault
from rows import WORKSPACE
from signing_in import Login, fill
from test_workspace import audit_rows

from mhsm_forensics import widgets
from mhsm_forensics.case import create_case, verify
from mhsm_forensics.collect import _workspace_plan as plan
from mhsm_forensics.collect import login

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def form(server, tls, tmp_path, monkeypatch):
    monkeypatch.setitem(login.CLOUDS, "public", replace(login.CLOUDS["public"], logs=server.url))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls[1])
    monkeypatch.setattr(login, "sign_in", lambda *_, **__: SimpleNamespace(credential=Login()))
    made = widgets.collect(create_case(tmp_path / "case"))
    made.source.value, made.workspace.value = "workspace", WORKSPACE
    return made


def test_rows_are_counted_and_a_stop_keeps_what_is_whole(server, form, monkeypatch):
    monkeypatch.setattr(plan, "_BYTES", 10_000)
    monkeypatch.setattr(plan, "_BYTES_A_ROW", 1_000)
    rows = [row for hour in range(8) for row in audit_rows(10, at=f"2026-03-05T{hour:02}:00:00Z", step=1)]
    fill(server, "AZKVAuditLogs", rows)
    form.bar.observe(lambda change: form.stop() if change["new"] else None, "value")

    form.collect_button.click()
    form.wait(60)

    assert form.state.value == "Stopped."
    assert "of 80 rows collected. What is finished is kept" in form.answer.value
    form.bar.unobserve_all()
    form.collect_button.click()
    form.wait(60)
    assert form.state.value == "Complete."
    assert "80 of 80 rows" in form.answer.value
    assert "the workspace has no such table" in form.answer.value
    assert "workspace.collect(case, &#x27;6f7cc6f3" in form.code.value
    assert len(form.case.events) == 80
    assert verify(form.case) == []


def test_a_refusal_is_one_line(server, form):
    body = {"error": {"code": "InsufficientAccessError", "message": "<b>no</b>"}}
    server.faults = [Fault(99, status=403, body=body)]

    form.collect_button.click()
    form.wait(60)

    assert form.state.value == "Not collected."
    assert "Log Analytics Reader" in form.problem
    assert "<b>" not in form.answer.value
