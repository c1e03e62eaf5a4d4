"""A notebook run over a case with nobody there: the executed copy stays in the case."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from .case import recorded, sha256_of
from .errors import CaseError, ForensicsError, InputError
from .text import visible

if TYPE_CHECKING:
    from .case import Case

_WIDGET = "application/vnd.jupyter.widget-view+json"
_LONGEST = 1800  # seconds that a cell may take: millions of events are no reason to give up


def notebooks() -> Path | None:
    """Where the notebooks of this checkout are; None where the package is installed without them."""
    folder = Path(__file__).parents[1] / "notebooks"
    return folder if folder.is_dir() else None


def run(case: Case, name: str = "01-what-happened") -> Path:
    """Run one of the notebooks over a case, and return the executed copy in the case's `reports` folder.

    Parameters
    ----------
    case
        The case; the notebook reads its scope too.
    name
        The notebook's name, without its ending.

    Raises
    ------
    InputError
        There is no such notebook.
    ForensicsError
        A cell failed; the copy up to there is kept, and named in the message.
    CaseError
        The case can't be written.
    """
    folder = notebooks()
    source = folder / f"{name}.ipynb" if folder else None
    if source is None or not source.is_file():
        raise InputError(f"{name!r}: no such notebook. Hint: clone the repository; its notebooks/ holds them.")
    book = nbformat.read(source, as_version=4)
    place = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(book, timeout=_LONGEST, resources=place, store_widget_state=False)
    failed = ""
    try:
        client.execute(env=os.environ | {"MHSM_CASE": str(case.path.resolve())})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
        failed = visible(str(getattr(problem, "evalue", "") or problem).strip().splitlines()[-1], limit=300)
    _without_widgets(book)
    written = _keep(case, name, nbformat.writes(book))
    if failed:
        raise ForensicsError(f"{name}: a cell failed ({failed}). Hint: open {written} and look at its last output.")
    return written


def _without_widgets(book: nbformat.NotebookNode) -> None:
    """Leave the picture and the table that each widget has for where no kernel is at hand, and no empty box."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(_WIDGET, None)


def _keep(case: Case, name: str, text: str) -> Path:
    path = case.path / "reports" / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.ipynb"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise CaseError.unwritable(path, problem) from problem
    about = {"path": str(path.resolve()), "sha256": sha256_of(path), "notes": case.notes.head}
    recorded(case.path, "reported", about)
    return path
