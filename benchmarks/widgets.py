"""The timeline widget in JupyterLab and Chromium, against plotly's FigureWidget in the same run.

For each size and way a kernel and a page of their own: from the press of Shift+Enter to the first picture, from a zoom
to the sharp picture, bytes over the websocket, memory of the kernel and of the page. The way of ours ends when every
event in view is drawn; the way of plotly when its points are on the canvas.

    python benchmarks/widgets.py [--events 10000 100000 1000000] [--rounds 1]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

if TYPE_CHECKING:
    from lab import Opened

WORK = Path(__file__).parent / ".work"
ZOOMS = 10
LINE = 1_104  # bytes of a record, about

OPEN = "import mhsm_forensics as mf, mhsm_forensics.widgets\ncase = mf.open_case({path!r})"
OURS = "mf.widgets.timeline(case)"
PLOTLY = """import plotly.graph_objects as go
frame = case.events.df(["t", "principal", "operation_class"])
lane = frame["principal"].astype("category").cat.codes.to_numpy("float64")
go.FigureWidget(go.Scattergl(x=frame["t"].to_numpy() / 1000, y=lane, mode="markers", marker={"size": 4}),
                {"xaxis": {"type": "date"}, "dragmode": "zoom"})"""
WAYS = {"ours": OURS, "plotly": PLOTLY}

# What tells that a picture is whole, and what zooms to the middle fifth.
FIRST = {
    "ours": "() => { const c = document.querySelector('.mf-frame canvas');"
    " return c && c.dataset.fresh === 'true' && c.dataset.drawn === c.dataset.events && +c.dataset.events > 0 }",
    "plotly": "() => { const c = document.querySelector('.js-plotly-plot .gl-canvas'), p = document.querySelector("
    "'.js-plotly-plot'); return c && c.width > 0 && p._fullData?.length && p._fullLayout?._plots?.xy?._scene?.dirty === false }",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One way at one size."""

    first: float
    zoom: float
    megabytes: float
    per_zoom: float
    kernel: float
    page: float
    page_after: float


def case_of(events: int) -> Path:
    """Folder of a case with about so many events; made once."""
    from mhsm_forensics import ingest, samples
    from mhsm_forensics.case import create_case

    folder = WORK / f"widgets-{events}"
    if not (folder / "case.json").exists():
        logs = WORK / f"widgets-logs-{events}"
        shutil.rmtree(logs, ignore_errors=True)
        samples.bulk(logs, megabytes=max(events * LINE // 1_000_000, 1), files=24 * 14, seed=7)
        ingest.add(create_case(folder), [logs])
        shutil.rmtree(logs)
    return folder


def measure(way: str, folder: Path) -> Measured:
    """One notebook, its page and its kernel."""
    from browser import launched
    from lab import opened, served

    place = WORK / "widgets-notebook"
    shutil.rmtree(place, ignore_errors=True)
    (place / "own").mkdir(parents=True)
    cells = [OPEN.format(path=str(folder)), WAYS[way]]
    with (
        served(place, place / "own") as lab,
        launched() as chromium,
        opened(lab, chromium, place / "look.ipynb", cells) as found,
    ):
        page = found.page
        execute(found, 0)
        page.locator(".jp-CodeCell .jp-InputPrompt").first.get_by_text("[1]:").wait_for(timeout=120_000)
        page.wait_for_timeout(1_000)
        kernel = kernels()[-1]
        before, page_before, bytes_before = memory(kernel), page_memory(found), sum(found.received)
        began = time.perf_counter()
        execute(found, 1)
        page.wait_for_function(FIRST[way], timeout=180_000, polling=20)
        first = time.perf_counter() - began
        page.wait_for_timeout(8_000)  # what is asked for in the background
        drawn, received = page_memory(found), sum(found.received)
        zooms = [zoom(way, found) for _ in range(ZOOMS)]
        return Measured(
            first, statistics.median(zooms), (received - bytes_before) / 1e6,
            (sum(found.received) - received) / 1e6 / ZOOMS, memory(kernel) - before, drawn - page_before,
            page_memory(found) - page_before,
        )  # fmt: skip


def execute(found: Opened, cell: int) -> None:
    """Press Shift+Enter in a cell."""
    found.page.locator(".jp-CodeCell .cm-content").nth(cell).click()
    found.page.keyboard.press("Shift+Enter")


def zoom(way: str, found: Opened) -> float:
    """Seconds from a zoom to the sharp picture of it; then back to the whole."""
    page = found.page
    box = page.locator(".mf-frame canvas" if way == "ours" else ".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box
    if way == "ours":
        page.locator(".mf-frame canvas").focus()
        page.keyboard.press("Home")
        page.wait_for_timeout(200)
        page.wait_for_function(FIRST[way], timeout=60_000, polling=20)
        began = time.perf_counter()
        page.keyboard.press("+")
        page.wait_for_timeout(20)
        page.wait_for_function(FIRST[way], timeout=60_000, polling="raf")
        return time.perf_counter() - began
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + 20)
    page.wait_for_timeout(4_000)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=3)
    page.evaluate(
        "() => { window.zoomed = false; document.querySelector('.js-plotly-plot').on('plotly_afterplot',"
        " () => requestAnimationFrame(() => requestAnimationFrame(() => { window.zoomed = true }))) }"
    )
    began = time.perf_counter()
    page.mouse.up()
    page.wait_for_function("() => window.zoomed", timeout=120_000, polling="raf")
    return time.perf_counter() - began


def kernels() -> list[psutil.Process]:
    """Kernels that this process's JupyterLab started."""
    ours = psutil.Process().children(recursive=True)
    return [one for one in ours if any("ipykernel_launcher" in part for part in one.cmdline())]


def memory(process: psutil.Process) -> float:
    """Megabytes that a process holds."""
    return process.memory_info().rss / 1e6


def page_memory(found: Opened) -> float:
    """Megabytes of the process that draws the page, once its garbage is collected."""
    session = found.page.context.new_cdp_session(found.page)
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    found.page.wait_for_timeout(500)
    ours = psutil.Process().children(recursive=True)
    return max(memory(one) for one in ours if "--type=renderer" in one.cmdline())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    from mhsm_forensics.case import open_case

    WORK.mkdir(exist_ok=True)
    print(
        "| events | way | first picture s | zoom s | MB over the websocket | MB per zoom | kernel MB | page MB, after zooms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for events in chosen.events:
        folder = case_of(events)
        count = len(open_case(folder).events)
        for way in WAYS:
            runs = [measure(way, folder) for _ in range(chosen.rounds)]
            first, seconds, sent, each, kernel, page, after = (
                statistics.median(getattr(run, name) for run in runs) for name in Measured.__slots__
            )
            print(
                f"| {count:,} | {way} | {first:.2f} | {seconds:.2f} | {sent:.2f} | {each:.2f} | {kernel:.0f} "
                f"| {page:.0f}, {after:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
