"""Notebooks are thin, carry no output, and run on the sample incident."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# What each notebook shows at least: charts, panels.
CHART, PANEL = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
SHOWN = {"00-open-a-case": {CHART, PANEL}, "01-what-happened": {CHART, PANEL}, "02-timeline": {PANEL},
         "03-identity-and-ip": {CHART, PANEL}, "04-anomalies": {CHART, PANEL}}  # fmt: skip
LOGIC = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try)

pytestmark = [
    pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem),
    # The kernel's own channels, not ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning:zmq"),
]


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_no_output_is_committed(path):
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(path))


def test_no_logic(path):
    for cell in code_cells(path):
        found = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, LOGIC)]
        assert not found, f"move this into the package:\n{cell.source}"
        assert len(cell.source.splitlines()) <= 15


def kinds(notebook):
    """What its cells have shown; none of them failed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    return {kind for output in outputs for kind in output.get("data", {})}


@pytest.mark.long  # test_workbook_in_jupyterlab runs the same cells; here they run where there is no browser
def test_runs_on_a_case(path, incident, monkeypatch):
    monkeypatch.setenv("MHSM_CASE", str(incident.path))
    notebook = nbformat.read(path, as_version=4)

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()

    assert SHOWN[path.stem] <= kinds(notebook)
    assert not path.stem.startswith("01") or (incident.path / "reports" / "report.html").is_file()
