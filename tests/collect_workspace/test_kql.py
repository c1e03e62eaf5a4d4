"""Every query that is sent is right to Microsoft's own parser, against every table that is asked."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import npm
import pytest
from rows import TABLES

from mhsm_forensics.collect import _workspace_queries as queries
from mhsm_forensics.errors import InputError

HERE = Path(__file__).parent
FILES = sorted((Path(queries.__file__).parent / "kql").glob("*.kql"))
EVERY = (*queries.TABLES, *queries.CONTEXT_TABLES)
SOME = queries.Only(
    ("contoso-hsm", "contoso-hsm-dr"),
    ("5790a6a1-3a4c-4a58-9a16-6b1e5b6f2a10",),
    ("192.0.2.1", "2001:db8::1"),
    ("logs1",),
)
START, END = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC)


def parsed(texts, tables, folder):
    """What the parser says about some queries, by name."""
    npm.installed(HERE, "Microsoft's Kusto parser")
    schema = folder / "schema.json"
    schema.write_text(json.dumps(tables), "utf-8")
    given = json.dumps([{"name": name, "text": text} for name, text in texts.items()])
    done = subprocess.run(
        ["node", str(HERE / "validate.js"), str(schema)], input=given, capture_output=True, text=True, check=True
    )
    return {answer["name"]: answer for answer in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    texts = {path.name: path.read_text("utf-8") for path in FILES}
    for number, only in enumerate((queries.Only(), SOME)):
        for table in EVERY:
            for ask in ("rows", "count", "hours"):
                texts[f"{ask} {table} {number}"] = queries.query(ask, START, END, table=table, only=only)
        for kind, tables in (("audit", queries.TABLES), ("context", queries.CONTEXT_TABLES)):
            texts[f"extent {kind} {number}"] = queries.extent(tables, START, END, only=only)
    return parsed(texts, TABLES, tmp_path_factory.mktemp("kql"))


def test_every_file_and_every_query_that_is_sent_is_right(answers):
    assert len(answers) == len(FILES) + 2 * (len(EVERY) * 3 + 2)
    assert {name: answer["problems"] for name, answer in answers.items() if answer["problems"]} == {}


def test_rows_come_with_every_column_of_the_table(answers):
    for table in EVERY:
        assert len(answers[f"rows {table} 0"]["columns"]) == len(TABLES[table])


def test_the_other_queries_answer_what_the_collector_reads(answers):
    assert answers["count AzureDiagnostics 0"]["columns"] == ["found:long"]
    assert answers["hours AzureDiagnostics 0"]["columns"] == ["hour:datetime", "found:long"]
    assert set(answers["extent audit 0"]["columns"]) == {
        "source:string", "found:long", "oldest:datetime", "newest:datetime",
    }  # fmt: skip


def test_a_table_or_a_column_that_is_not_there_breaks_nothing(tmp_path):
    bare = {"AzureDiagnostics": {"TimeGenerated": "datetime", "Type": "string"}}
    texts = {ask: queries.query(ask, START, END) for ask in ("rows", "count", "hours")}
    texts["extent"] = queries.extent(queries.TABLES, START, END)

    found = parsed(texts, bare, tmp_path)

    errors = {name: [p for p in answer["problems"] if p.startswith("Error")] for name, answer in found.items()}
    assert errors == {key: [] for key in texts}


def test_the_parser_does_find_faults(tmp_path):
    found = parsed({"wrong": "AzureDiagnostics | where NoSuchColumn == 1", "right": "AZKVAuditLogs"}, TABLES, tmp_path)

    assert len(found["wrong"]["problems"]) == 1
    assert found["right"]["problems"] == []


def test_only_values_are_put_in():
    text = queries.query("rows", START, END, table="AZKVAuditLogs", only=queries.Only(hsms=("contoso-hsm",)))

    assert "let start_time = datetime(2026-03-05T00:00:00.000000Z);" in text
    assert "let end_time = datetime(2026-03-06T00:00:00.000000Z);" in text
    assert 'let hsms = dynamic(["contoso-hsm"]);' in text
    assert "\nAZKVAuditLogs\n| where" in text
    assert "AzureDiagnostics" not in text


@pytest.mark.parametrize("name", ["", 'a"]) or true', "a\nb", "hsm;", "x" * 65])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InputError, match="no name of a managed HSM"):
        queries.query("rows", START, END, only=queries.Only(hsms=(name,)))


@pytest.mark.parametrize(
    "only",
    [queries.Only(ids=("x') or true",)), queries.Only(accounts=("Contoso",)), queries.Only(ids=("5790a6a1",))],
    ids=["id", "account", "short id"],
)
def test_a_value_of_another_log_that_is_none_is_refused(only):
    with pytest.raises(InputError, match="no name of a"):
        queries.query("rows", START, END, table="StorageBlobLogs", only=only)


def test_the_same_values_in_another_order_are_the_same_question():
    one, other = queries.Only(addresses=("192.0.2.1", "192.0.2.2")), queries.Only(addresses=("192.0.2.2", "192.0.2.1"))

    asked = [queries.query("rows", START, END, table="SigninLogs", only=only) for only in (one, other)]

    assert asked[0] == asked[1]


def test_a_time_without_its_zone_is_refused():
    with pytest.raises(InputError, match="zone"):
        queries.query("rows", datetime(2026, 3, 5), END)  # noqa: DTZ001
