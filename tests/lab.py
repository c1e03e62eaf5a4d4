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
from typing import TYPE_CHECKING

import nbformat
import pytest
from browser import CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

PICTURES = Path(__file__).parent / "artifacts"
_ROOT = Path(__file__).parents[1]
_QUIET = {"@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
_THEME = "@jupyterlab/apputils-extension/themes"
# Jupyter's own, of every page.
_USUAL = ("favicon", "Failed to load resource", "was preloaded", "GPU stall", "Deprecated", "deprecated")


@dataclass
class Opened:
    """A notebook in a page, and what the page did."""

    page: Page
    folder: Path
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    def run_all(self) -> None:
        """Run every cell, as a responder does, and wait for their outputs."""
        self.page.locator('.lm-MenuBar-itemLabel:text-is("Run")').click()
        self.page.locator('.lm-Menu-itemLabel:text-is("Run All Cells")').click()

    def shot(self, name: str) -> None:
        """Keep a picture of the page among the artifacts."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"))


@contextmanager
def served(
    folder: Path, *, theme: str = "JupyterLab Light", settings: dict[str, object] | None = None
) -> Iterator[tuple[str, str]]:
    """Address and token of a JupyterLab at a folder, with settings of its own."""
    token, port, own = secrets.token_hex(16), _free_port(), folder.parent / f"jupyter-{folder.name}"
    for name, chosen in (_QUIET | {_THEME: {"theme": theme}} | (settings or {})).items():
        path = own / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(chosen))
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR")
    places = {name: str(own / name.lower()) for name in names} | {"JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.iopub_data_rate_limit=1e10"]
    environment = os.environ | places | {"PYTHONPATH": str(_ROOT)}
    with (own / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            _await(f"http://127.0.0.1:{port}/api/status?token={token}")
            yield f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def opened(folder: Path, cells: list[str], *, theme: str = "JupyterLab Light", height: int = 1300) -> Iterator[Opened]:
    """Write a notebook of some cells and open it; nothing but this machine can be reached."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, folder / "look.ipynb")
    playwright = pytest.importorskip("playwright.sync_api")
    with served(folder, theme=theme) as (address, token), playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": height})
        page.set_default_timeout(90_000)  # a kernel on a busy machine is slow, and not wrong
        found = Opened(page, folder)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: found.received.append(len(data))))
        page.on("request", lambda request: _outside(found, request.url))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("console", lambda message: _complaint(found, message.type, message.text))
        page.route(lambda url: "//127.0.0.1" not in url, lambda route: route.abort())
        page.goto(f"{address}/lab/tree/look.ipynb?token={token}&reset")
        await_kernel(page, f"{address}/api/sessions?token={token}")
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(state="attached", timeout=60_000)
        yield found
        browser.close()


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


def await_kernel(page: Page, sessions: str) -> None:
    """Return when the notebook's kernel is there: a cell that is executed before that is not."""
    for _ in range(600):
        found = page.request.get(sessions).json()
        if any(one["kernel"]["execution_state"] == "idle" for one in found if one["kernel"]):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the kernel does not start")
