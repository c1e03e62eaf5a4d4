"""Pages that are generated are current, and the README's code runs. `python tests/test_docs.py` writes the pages."""

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import mhsm_forensics as mf
from mhsm_forensics.cli import cli
from mhsm_forensics.export import _sentinel as sentinel

ROOT = Path(__file__).parents[1]

# Their prose is written by hand; what follows is not.
SENTINEL = "".join((ROOT / "docs" / "sentinel.md").read_text("utf-8").partition("## The rules\n\n")[:2])
REJECTS = "".join((ROOT / "docs" / "rejects.md").read_text("utf-8").partition("## The reasons\n\n")[:2])

PAGES = {
    "schema.md": (
        "# The tables\n\nEvery column of a case's tables. Generated from `mhsm_forensics/schema/` by `make docs`.\n\n",
        lambda: mf.schema.to_markdown(),
    ),
    "rejects.md": (REJECTS, lambda: mf.reasons.to_markdown()),
    "detections.md": (
        "# What is looked for\n\nEvery rule, as data. Generated from `mhsm_forensics/rules/` by `make docs`.\n\n",
        lambda: mf.detect.to_markdown(),
    ),
    "sentinel.md": (SENTINEL, lambda: sentinel.to_markdown()),
}


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_are_current(page):
    head, body = PAGES[page]

    assert (ROOT / "docs" / page).read_text("utf-8") == head + body(), "run: make docs"


def test_the_investigation_in_the_readme_runs(tmp_path, monkeypatch, incident):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "contoso").symlink_to(incident.path)
    (tmp_path / "logs").symlink_to(incident.path / "evidence")

    exec(compile(ast.parse(code), "README.md", "exec"), {})


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [name for name in cli.commands if f"`{name}" not in readme] == []


def test_every_command_has_help():
    for name in cli.commands:
        answer = CliRunner().invoke(cli, [name, "--help"])

        assert answer.exit_code == 0
        assert len(answer.output) > 80


def test_every_room_is_on_the_map():
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rooms = {path.stem for path in (ROOT / "mhsm_forensics").iterdir() if not path.name.startswith(("_", "."))}

    assert [room for room in sorted(rooms) if f"`{room}" not in contributing] == []


if __name__ == "__main__":
    for page, (head, body) in PAGES.items():
        (ROOT / "docs" / page).write_text(head + body(), "utf-8", newline="\n")
