"""The form collects from a real storage service: it is stopped and resumed, and keeps no secret."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import ipywidgets
import pytest
from collect.azurite import KEY
from collect.proxy import Fault
from collect.test_storage import HSM, assert_sound, hours, kept

from mhsm_forensics import widgets

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from mhsm_forensics.case import Case

# Of traitlets and of Jupyter's own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def form(container: ContainerClient, case: Case, azurite, proxy) -> widgets.CollectForm:
    """The form, filled in as far as the secret."""
    made = widgets.collect(case)
    made.container.value = container.container_name
    made.login.value = "connection-string"
    type_secret(made, azurite.connection_string(proxy.port))
    return made


def type_secret(form: widgets.CollectForm, text: str) -> None:
    """What the browser sends when the field is left."""
    form.secret._handle_custom_msg({"secret": text}, [])


def assert_no_secret(form: widgets.CollectForm) -> None:
    """No secret stands in what Jupyter saves, in what the form shows, or in the case."""
    saved = json.dumps(ipywidgets.Widget.get_manager_state())
    files = [path.read_bytes() for path in form.case.path.rglob("*") if path.is_file()]
    for text in (saved, repr(form), repr(vars(form)), str(form._repr_mimebundle_())):
        assert KEY not in text
        assert "AccountKey" not in text
    assert not [data for data in files if KEY.encode() in data]


def test_collect_stop_and_collect_again(form, container, case, proxy):
    made = hours(container, 80)
    proxy.latency = 0.3
    bars: list[float] = []

    def watch(change):
        bars.append(change["new"])
        if form.running:
            form.stop_button.click()

    form.bar.observe(watch, "value")
    form.collect_button.click()
    assert form.collect_button.disabled
    assert form.account.disabled
    form.wait(60)
    had = len(kept(case))

    assert form.problem is None
    assert form.result.stopped
    assert form.state.value == "Stopped."
    assert f"{80 - had} blobs of 80 left" in form.answer.value
    assert "not complete yet" in widgets.collect(case).answer.value
    assert 0 < had < 80
    assert len(form.case.events) == 10 * had
    assert not form.collect_button.disabled
    assert form.stop_button.disabled
    assert_no_secret(form)

    form.bar.unobserve_all()
    proxy.latency = 0.0
    proxy.log.clear()
    form.collect_button.click()  # the secret need not be typed again
    form.wait(60)

    assert form.state.value == "Complete."
    assert form.bar.value == 1.0
    assert len(proxy.downloads()) == 80 - had
    assert f"80 listed = {80 - had} fetched, {had} unchanged" in form.answer.value
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert len(form.case.events) == 800
    assert "signed.account_url" in form.code.value
    assert case.unfinished == []
    assert widgets.collect(case).answer.value == ""
    assert_sound(case)
    assert_no_secret(form)


def test_what_is_unreadable_has_its_cure_and_names_are_text(form, container, proxy):
    hours(container, 3)
    container.get_blob_client(f"{HSM}/<img src=x onerror=alert(1)>").upload_blob(b"x")
    stays = Fault("status", when=lambda r: r.is_download and "h=15" in r.path, times=99, status=403, code="X")
    proxy.faults.append(stays)

    form.collect_button.click()
    form.wait(60)

    assert form.state.value == "Incomplete."
    assert "1 blob of 3 could not be read" in form.answer.value
    assert "1 blob, 403 X; cure: have the role &#x27;Storage Blob Data Reader&#x27;" in form.answer.value
    assert "/&lt;img src=x onerror=alert(1)&gt;" in form.answer.value
    assert "<img" not in form.answer.value
    assert len(form.case.events) == 20


def test_a_wrong_key_is_one_line_and_is_typed_anew(form, container, azurite, proxy):
    hours(container, 1)
    type_secret(form, azurite.connection_string(proxy.port).replace(KEY, "Zm9v"))

    form.collect_button.click()
    form.wait(60)

    assert form.state.value == "Not collected."
    assert "403 AuthorizationFailure" in form.problem
    assert "\n" not in form.problem
    type_secret(form, azurite.connection_string(proxy.port))
    form.collect_button.click()
    form.wait(60)
    assert form.result.complete
    assert_no_secret(form)


def test_a_key_that_is_none_is_not_repeated(form, azurite, proxy):
    type_secret(form, azurite.connection_string(proxy.port).replace(KEY, "not base64!"))

    form.collect_button.click()
    form.wait(60)

    assert form.problem
    assert "not base64" not in form.problem + form.answer.value


def test_the_kernel_stays_free(form, container, proxy):
    hours(container, 4)
    proxy.latency = 0.3

    before = time.monotonic()
    form.collect_button.click()
    took = time.monotonic() - before

    assert form.running
    assert took < 0.2
    form.stop_button.click()
    form.wait(60)
    assert not form.running
