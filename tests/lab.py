"""JupyterLab on loopback in a headless Chromium: a notebook opened, all of its cells run, every complaint noted."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parent / "artifacts"
_ROOT = Path(__file__).parents[1]
_QUIET = {"@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
_THEME = "@jupyterlab/apputils-extension/themes"
_MANAGER = "@jupyter-widgets/jupyterlab-manager/plugin"
# Jupyter's own, of every page.
_USUAL = ("favicon", "Failed to load resource", "was preloaded", "GPU stall", "Deprecated", "deprecated")
_WAITING = '.jp-CodeCell .jp-InputPrompt:text-is("[*]:")'


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs."""

    address: str
    token: str
    folder: Path  # what it shows
    settings: Path

    def chosen(self, *, theme: str, save_widgets: bool) -> None:
        """Have the next page that is opened look and save so."""
        wanted = _QUIET | {_THEME: {"theme": theme}, _MANAGER: {"saveState": save_widgets}}
        for name, chosen in wanted.items():
            path = self.settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(chosen))

    def page_of(self, notebook: Path) -> str:
        """Address of the page of a notebook."""
        return f"{self.address}/lab/tree/{notebook.relative_to(self.folder).as_posix()}?token={self.token}&reset"

    def api(self, what: str) -> str:
        """Address of something that the server is asked."""
        return f"{self.address}/api/{what}?token={self.token}"


@dataclass
class Opened:
    """A notebook in a page, and what the page did."""

    page: Page
    notebook: Path
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    def run_all(self) -> None:
        """Run every cell, as a responder does."""
        self._menu("Run", "Run All Cells")

    def wait_for_cells(self) -> None:
        """Return when no cell runs, or waits to."""
        self.page.wait_for_timeout(500)
        for _ in range(1_200):
            if not self.page.locator(_WAITING).count():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("the cells do not end")

    def turn(self, theme: str) -> None:
        """Have the page in other colours, as a person turns it."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.page.locator(f'body[data-jp-theme-name="{theme}"]').wait_for(state="attached")
        self.page.wait_for_timeout(300)

    def saved(self) -> nbformat.NotebookNode:
        """The notebook with its outputs, saved now."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.notebook, as_version=4)

    def shot(self, name: str) -> None:
        """Keep a picture of the page among the artifacts."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"))

    def _menu(self, menu: str, item: str) -> None:
        self.page.locator(f'.lm-MenuBar-itemLabel:text-is("{menu}")').click()
        self.page.locator(f'.lm-Menu-itemLabel:text-is("{item}")').click()


@contextmanager
def served(folder: Path, own: Path) -> Iterator[Lab]:
    """A JupyterLab at a folder, that keeps what is its own in another."""
    token, port = secrets.token_hex(16), _free_port()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR")
    places = {name: str(own / name.lower()) for name in names} | {"JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.iopub_data_rate_limit=1e10", "--LabApp.expose_app_in_browser=True"]
    with (own / "log").open("wb") as log:
        environment = os.environ | places | {"PYTHONPATH": str(_ROOT)}
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            lab = Lab(f"http://127.0.0.1:{port}", token, folder, own / "settings")
            _await(lab.api("status"))
            yield lab
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def opened(
    lab: Lab, chromium: Browser, notebook: Path, cells: list[str], *, environment: Mapping[str, str] | None = None,
    theme: str = "JupyterLab Light", save_widgets: bool = False, size: tuple[int, int] = (1500, 1300),
) -> Iterator[Opened]:  # fmt: skip
    """Write a notebook of some cells and open it, in a page and with a kernel that no other test has.

    The *environment* of the kernel is set by a cell before the others, for the server is not this notebook's alone.
    """
    given = [f"import os\nos.environ.update({dict(environment)!r})"] if environment else []
    _write(notebook, [*given, *cells])
    lab.chosen(theme=theme, save_widgets=save_widgets)
    with chromium.new_context(viewport={"width": size[0], "height": size[1]}) as context:
        found = _watched(context.new_page(), notebook)
        found.page.goto(lab.page_of(notebook))
        session = _await_kernel(found.page, lab, notebook)
        idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
        found.page.locator(idle).wait_for(state="attached", timeout=60_000)
        try:
            yield found
        finally:
            found.page.request.delete(lab.api(f"sessions/{session}"))  # and with it the kernel


def _write(notebook: Path, cells: list[str]) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    notebook.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, notebook)


def _watched(page: Page, notebook: Path) -> Opened:
    page.set_default_timeout(90_000)  # a kernel on a busy machine is slow, and not wrong
    found = Opened(page, notebook)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: found.received.append(len(data))))
    page.on("request", lambda request: _outside(found, request.url))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("console", lambda message: _complaint(found, message.type, message.text))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _outside(found: Opened, url: str) -> None:
    if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "blob:", "data:")):
        found.outside.append(url)


def _complaint(found: Opened, kind: str, text: str) -> None:
    if kind == "error" and not any(usual in text for usual in _USUAL):
        found.complaints.append(text)


def _await(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("JupyterLab does not answer")


def _await_kernel(page: Page, lab: Lab, notebook: Path) -> str:
    """Session of the notebook, once its kernel is there: a cell that is executed before that is not."""
    path = notebook.relative_to(lab.folder).as_posix()
    for _ in range(600):
        sessions: list[dict[str, Any]] = page.request.get(lab.api("sessions")).json()
        for one in sessions:
            if one["path"] == path and one["kernel"] and one["kernel"]["execution_state"] == "idle":
                return str(one["id"])
        page.wait_for_timeout(100)
    raise AssertionError("the kernel does not start")
