"""A form that collects evidence from Azure into a case, shows how far it is, and can be stopped and resumed."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

import ipywidgets

from ..case import Case, open_case
from ..errors import ForensicsError, InputError
from . import _panel as panel
from . import _words as words
from ._request import Request, holds_secret, understood
from ._secret import SecretField

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..collect.login import Login
    from ._request import Result

_SOURCES = {"Storage account": "storage", "Log Analytics workspace": "workspace"}
_EVERY = 0.1  # seconds between two updates of the bar
_LABEL = {"description_width": "9em"}
_FIELD = {"width": "32em"}
_INDENT = "calc(9em + 8px)"  # where the fields begin


def collect(case: Case) -> CollectForm:
    """Form that collects evidence from a storage account or a Log Analytics workspace into a case.

    It works in the background: other cells run meanwhile. Stop keeps what is finished, Collect goes on with the rest.

    Parameters
    ----------
    case
        The case; what other processes add to it meanwhile is refused.

    Returns
    -------
    The form. When it has ended, `case` is the case with the new evidence, and `result` what was brought and left.
    """
    return CollectForm(case)


@dataclass(slots=True)
class _Held:
    """What a login needs, in memory alone: its repr shows nothing."""

    typed: str = field(default="", repr=False)
    signed: Login | None = field(default=None, repr=False)
    who: tuple[str, str, str | None] | None = None


class CollectForm:
    """A form that collects; made by `collect`.

    Attributes
    ----------
    result
        What the newest collection brought and left; None before it has ended.
    problem
        Why there is no result, in one line.
    """

    def __init__(self, case: Case) -> None:
        self.result: Result | None = None
        self.problem: str | None = None
        self._path = case.path.resolve()  # a cell may change the folder meanwhile
        self._held, self._stop, self._lock = _Held(), Event(), Lock()
        self._thread: Thread | None = None
        self._told = 0.0
        self._make_fields()
        self._make_outcome()
        left = [self.source, self.account, self.workspace, self.container, self.start, self.end, self.hsms]
        right = [self.login, self.secret, self.cloud, self.tenant]
        columns = [ipywidgets.VBox(fields) for fields in (left, right)]
        self.box = panel.column(
            ipywidgets.HBox(columns, layout={"flex_flow": "row wrap"}),
            ipywidgets.HBox([self.collect_button, self.stop_button], layout={"margin": f"8px 0 8px {_INDENT}"}),
            ipywidgets.HBox([self.bar, self.state], layout={"align_items": "center", "flex_flow": "row wrap"}),
            self.prompt, self.answer, self.code,
        )  # fmt: skip
        self._fit()

    @property
    def case(self) -> Case:
        """The case as it is now."""
        return open_case(self._path)

    def collect(self) -> None:
        """Begin, or go on after a stop; returns at once."""
        with self._lock:
            if self.running:
                return
            self._clear()
            try:
                request = self._request()
            except InputError as problem:
                self._refuse(str(problem))
                return
            self.code.value = words.code(request.code())
            self._stop = Event()
            self._enable(running=True)
            self._say("Asking the service …")
            self._thread = Thread(target=self._work, args=(request, self._stop), name="collect form", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End early: what is finished is kept."""
        if self.running:
            self._stop.set()
            self.stop_button.disabled = True
            self._say("Stopping: what is finished is kept …")

    def wait(self, seconds: float | None = None) -> CollectForm:
        """Return when the collection has ended, or the time is over."""
        if self._thread:
            self._thread.join(seconds)
        return self

    @property
    def running(self) -> bool:
        """Whether a collection is going on."""
        return self._thread is not None and self._thread.is_alive()

    def __repr__(self) -> str:
        return f"Collect evidence into {self._path}. {self.state.value}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # Where no kernel is at hand, there is the text instead of an empty box.
        return {**self.box._repr_mimebundle_(), "text/plain": f"{self!r} Run this cell to have the form."}

    def _make_fields(self) -> None:
        from ..collect.clouds import CLOUDS
        from ..collect.storage import CONTAINER

        self.source = ipywidgets.Dropdown(options=_SOURCES, description="Source", style=_LABEL, layout=_FIELD)
        self.account = _text("Account", "contosologs, or its blob address")
        self.workspace = _text("Workspace ID", "a GUID, from the Overview page")
        self.container = _text("Container", value=CONTAINER)
        self.start = _text("From", "2026-03-05T14:00Z; empty: all")
        self.end = _text("To, not included", "2026-03-06T15:00+01:00; empty: now")
        self.hsms = _text("Managed HSMs", "names; empty: all that log there")
        self.login = ipywidgets.Dropdown(options=_logins("storage"), description="Login", style=_LABEL, layout=_FIELD)
        self.secret = SecretField(
            self._take_secret, description="Secret", label_width=_LABEL["description_width"], layout=_FIELD
        )
        self.cloud = ipywidgets.Dropdown(options=list(CLOUDS), description="Cloud", style=_LABEL, layout=_FIELD)
        self.tenant = _text("Tenant", "empty: the login's own")
        for chosen in (self.source, self.login):
            chosen.observe(lambda _: self._fit(), "value")
        for open_field in self._texts():
            open_field.observe(self._guard, "value")

    def _make_outcome(self) -> None:

        self.collect_button = ipywidgets.Button(description="Collect", tooltip="Collect, or go on after a stop")
        self.stop_button = ipywidgets.Button(description="Stop", tooltip="Keep what is finished", disabled=True)
        self.collect_button.on_click(lambda _: self.collect())
        self.stop_button.on_click(lambda _: self.stop())
        self.bar = ipywidgets.FloatProgress(max=1.0, description="Progress", style=_LABEL, layout=_FIELD)
        self.state = ipywidgets.Label("Not started.", layout={"margin": "2px 1em"})
        self.prompt, self.answer, self.code = (ipywidgets.HTML() for _ in range(3))
        self.answer.value = words.earlier(self.case.unfinished)

    def _texts(self) -> list[Any]:
        return [self.account, self.workspace, self.container, self.start, self.end, self.hsms, self.tenant]

    def _fit(self) -> None:
        """Show the fields that the source and the login have."""
        from ..collect.login import SECRETS

        source = self.source.value
        if self.login.options != (names := tuple(_logins(source))):
            kept = self.login.value if self.login.value in names else names[0]
            self.login.options, self.login.value = names, kept
        _show(source == "storage", self.account, self.container)
        _show(source == "workspace", self.workspace)
        _show(self.login.value in SECRETS, self.secret)
        self._held.typed = ""
        self.secret.placeholder = f"or in {SECRETS[self.login.value]}" if self.login.value in SECRETS else ""

    def _take_secret(self, typed: str) -> None:
        self._held = _Held(typed=typed)
        self.secret.placeholder = "held in memory until it is used"

    def _guard(self, change: dict[str, Any]) -> None:
        """Empty an open field into which a secret was typed."""
        if holds_secret(change["new"]):
            change["owner"].value = ""
            self._refuse(
                "That held a signature or a key, and was removed. Hint: choose the login sas or connection-string."
            )

    def _request(self) -> Request:
        place = self.account.value if self.source.value == "storage" else self.workspace.value
        return understood(
            self.source.value, place=place, container=self.container.value, start=self.start.value, end=self.end.value,
            hsms=self.hsms.value, login=self.login.value, cloud=self.cloud.value, tenant=self.tenant.value,
        )  # fmt: skip

    def _signed(self, request: Request) -> Login:
        """Return the login: the one of before, unless something else was typed or chosen since."""
        from ..collect import login

        held, signed = self._held, self._held.signed
        if signed is None or held.typed or held.who != request.who:
            signed = login.sign_in(
                request.login, cloud=request.cloud, tenant=request.tenant, ask=lambda _: held.typed, show=self._prompt,
                environment=not held.typed,
            )  # fmt: skip
            self._held = _Held(signed=signed, who=request.who)
        return signed

    def _work(self, request: Request, stop: Event) -> None:
        try:
            with _quiet():
                got = request.run(self.case, self._signed(request), partial(self._tell, request.source), stop)
            self._conclude(got)
        except ForensicsError as problem:
            self._refuse(str(problem))
        except Exception as problem:  # noqa: BLE001 - a thread has nobody to raise it to; its text may hold anything
            self._refuse(
                f"{type(problem).__name__}, which is unforeseen. Hint: run the lines below in a cell to see it."
            )
        finally:
            self.prompt.value = ""
            self._enable(running=False)

    def _tell(self, source: str, done: int, total: int) -> None:
        if done < total and monotonic() - self._told < _EVERY:
            return
        self._told = monotonic()
        self.prompt.value = ""
        self.bar.value = done / total if total else 1.0
        if not self._stop.is_set():
            self._say(words.progress(source, done, total))

    def _prompt(self, address: str, code: str, until: datetime) -> None:
        """Show where a person signs in with a code; it goes as soon as it was used."""
        self.prompt.value = words.paragraph(
            f"To sign in, open {address} and type the code {code}, before {until.astimezone(UTC):%H:%M} UTC."
        )

    def _conclude(self, got: Result) -> None:
        self.result = got
        self.bar.value = 1.0 if got.complete else self.bar.value
        word, sentence = words.conclusion(got)
        self._say(word)
        self.answer.value = words.paragraph(sentence) + words.table(words.rows(got))

    def _refuse(self, problem: str) -> None:
        self.problem = problem
        self._say("Not collected.")
        self.answer.value = words.paragraph(problem)

    def _clear(self) -> None:
        self.result, self.problem, self._told = None, None, 0.0
        self.bar.value, self.answer.value, self.code.value = 0.0, "", ""

    def _say(self, text: str) -> None:
        self.state.value = text

    def _enable(self, *, running: bool) -> None:
        for one in (*self._texts(), self.source, self.login, self.secret, self.cloud, self.collect_button):
            one.disabled = running
        self.stop_button.disabled = not running
        if not running and self._held.signed:
            self.secret.placeholder = "as before, or type another"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the SDK's warnings from the notebook: what failed, the form says itself, in one line."""
    logger = logging.getLogger("azure")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _logins(source: str) -> list[str]:
    """Kinds of login; a workspace knows no keys and no signatures."""
    from ..collect.clouds import KINDS, SECRETS

    return [kind for kind in KINDS if source == "storage" or kind not in SECRETS]


def _text(description: str, placeholder: str = "", value: str = "") -> Any:
    return ipywidgets.Text(value=value, description=description, placeholder=placeholder, style=_LABEL, layout=_FIELD)


def _show(wanted: bool, *fields: Any) -> None:  # noqa: FBT001 - reads as a sentence
    for one in fields:
        one.layout.display = None if wanted else "none"
