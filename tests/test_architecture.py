"""The map in CONTRIBUTING.md, enforced: imports point up the list, and each heavy library has one door."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mhsm_forensics import schema

PACKAGE = Path(__file__).parents[1] / "mhsm_forensics"

# In reading order: a room may import the rooms above it, and none below.
ROOMS = [
    "errors", "zones", "identifiers", "schema", "reasons", "operations", "playbook", "text", "typed", "case", "evidence",
    "load", "normalise", "derive", "engine", "search", "known", "ingest", "accounting", "analyse", "rules", "detect", "plot",
    "export", "views", "report", "samples", "overview", "workbook", "terminal", "collect", "enrich", "widgets", "cli",
    "__main__",
]  # fmt: skip

# These stand apart: the surface loads rooms by name, and the samples know no other room.
APART = {"__init__"}

# Rooms that talk to a network; nothing loads them unless it is asked to.
OUTDOORS = {"collect", "enrich"}

# library -> the only rooms that may import it
DOORS = {
    "duckdb": {"engine"},
    "pyspark": {"engine"},
    "plotly": {"plot"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
    "jinja2": {"report"},
    "azure": {"collect"},
    "msticpy": {"enrich"},
    "click": {"cli", "collect", "typed"},
    "rich": {"terminal", "typed"},
    "maxminddb": {"enrich"},
    "msgspec": {"load", "collect"},
    "loky": {"ingest"},
    "nbclient": {"workbook"},
    "yaml": {"export"},
    "zstandard": {"evidence"},
    "fastavro": {"load"},
}

# What a lazily imported room may reach down to, with the reason.
DOWNWARD = {("ingest", "samples"): "sample_case makes the sample incident where the checkout has none"}


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py")) if (PACKAGE / room).is_dir() else [PACKAGE / f"{room}.py"]


def typing_only(tree: ast.AST) -> set[ast.AST]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {node for block in blocks for statement in block.body for node in ast.walk(statement)}


def imports(room: str) -> tuple[set[str], set[str]]:
    """(rooms, libraries) that *room* imports at run time, wherever in its files."""
    rooms, libraries = set(), set()
    for path in files(room):
        depth = len(path.relative_to(PACKAGE).parts)
        tree = ast.parse(path.read_text("utf-8"))
        skipped = typing_only(tree)
        for node in ast.walk(tree):
            if node in skipped:
                continue
            if isinstance(node, ast.ImportFrom) and node.level:
                if node.level >= depth:  # leaves its own folder
                    rooms |= {node.module.partition(".")[0]} if node.module else {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                libraries.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                libraries |= {alias.name.partition(".")[0] for alias in node.names}
    return rooms - {room}, libraries


def test_every_file_is_a_room():
    found = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert found - APART == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_up_the_list(room):
    above = set(ROOMS[: ROOMS.index(room)])
    allowed = above | {low for high, low in DOWNWARD if high == room}

    assert imports(room)[0] <= allowed


@pytest.mark.parametrize("library", DOORS)
def test_heavy_libraries_have_one_door(library):
    assert {room for room in ROOMS if library in imports(room)[1]} <= DOORS[library]


def test_nothing_indoors_can_touch_a_network():
    network = {"requests", "httpx", "urllib3", "socketserver", "socket", "aiohttp", "azure"}

    assert {room for room in ROOMS if imports(room)[1] & network} <= OUTDOORS


def test_the_package_and_the_command_line_load_nothing_from_outdoors():
    code = (
        "import sys, mhsm_forensics.cli, mhsm_forensics as mf; mf.report, mf.ingest, mf.widgets;"
        "print([name for name in sys.modules if name.split('.')[0] == 'azure'])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_crowded(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


# Who acts and which key it is are decided where a record becomes an event, and asked for by `actor` and `key`. A label, or a
# name of a key, may stand beside: where a text groups, joins or counts, it may not.
LABELS = r"\b(?:\w\.)?(?:principal|upn|key_name)\b"
QUERIES = sorted((PACKAGE / "queries").glob("*.sql"))
# What a question is about by its nature: labels themselves, columns that somebody named, the columns of one denial.
ASKED_FOR = {"labels", "actors", "denials", "_alike", "first_seen_pairs", "moved", "shared", "detect_exercised"}


def statement(path: Path) -> str:
    return re.sub(r"--[^\n]*", "", path.read_text("utf-8"))


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_events_stand_in_one_order_in_every_query(path):
    """By their time and then by their id, which is opaque, calls that follow each other at once would change places."""
    for order in re.findall(r"ORDER BY([^()]*)", statement(path)):
        names = [name for name in re.findall(r"\w+", order) if name in schema.ORDER]
        assert "t" not in names or "event_id" not in names or tuple(names) == schema.ORDER


@pytest.mark.parametrize("path", [p for kind in ("py", "yaml") for p in sorted(PACKAGE.rglob(f"*.{kind}"))], ids=str)
def test_nothing_else_orders_events_by_their_ids(path):
    text = path.read_text("utf-8")

    assert not re.search(r"ORDER BY[^\n]*\b(?:t|time), (?:\w+\.)?event_id", text)


def test_the_order_that_queries_share_is_that_of_the_schema():
    assert tuple(re.findall(r"\w+", statement(PACKAGE / "queries" / "_order.sql"))) == schema.ORDER


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_no_query_decides_by_itself_who_acts_or_which_key_it_is(path):
    text = statement(path)

    assert not re.findall(r"coalesce\((?:\w\.)?(?:object_id|app_id|upn|principal|actor|key_name|key)\s*,", text)
    assert not re.findall(r"hsm[^,]*\|\|[^,]*key_name", text)


@pytest.mark.parametrize("path", [path for path in QUERIES if path.stem not in ASKED_FOR], ids=lambda path: path.stem)
def test_no_query_groups_joins_or_counts_by_a_label(path):
    text = statement(path)
    grouping = re.findall(
        r"(?:GROUP BY|PARTITION BY)((?:(?!ORDER BY|HAVING|SELECT|\bROWS\b)[^;])*?)(?:ORDER BY|HAVING|\)|\Z)", text
    )
    joining = re.findall(rf"{LABELS}\s*(?:=|<>|IS NOT DISTINCT FROM|IS DISTINCT FROM)\s*\w+\.?\w*", text)
    counting = re.findall(rf"DISTINCT {LABELS}(?! FROM)", text)

    assert [part for part in grouping if re.search(LABELS, part)] == []
    assert joining == []
    assert [part for part in counting if "array_agg(" not in text] == []
