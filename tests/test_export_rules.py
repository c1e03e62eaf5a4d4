"""The rules for Microsoft Sentinel: each query runs here, over both tables, and names what the rule itself names."""

import json
import re
import sys
import uuid
from functools import cache
from pathlib import Path

import duckdb
import duckdb_kql
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from building import SAMPLES
from click.testing import CliRunner

from mhsm_forensics import detect, load, samples, schema
from mhsm_forensics.case import Evidence
from mhsm_forensics.cli import cli
from mhsm_forensics.errors import InputError
from mhsm_forensics.export import _sentinel as sentinel
from mhsm_forensics.normalise import Normaliser
from mhsm_forensics.rules import RULES

sys.path.insert(0, str(Path(__file__).parent / "collect_workspace"))
try:
    from la_server import _DUCKDB
    from rows import TABLES, audit, diagnostics
    from test_kql import parsed
finally:
    sys.path.pop(0)

EXPRESSED = [rule.id for rule in RULES if sentinel.has_query(rule)]
OVER_AUDIT = [rule for rule in EXPRESSED if not sentinel.query(rule).partition("\n")[2].startswith("AzureActivity")]
HIGH = {rule.id for rule in RULES if rule.severity in ("critical", "high")}
MAKERS = {"AzureDiagnostics": diagnostics, "AZKVAuditLogs": audit}
STARTS = {"incident": "2026-03-16", "quiet-day": "2026-03-04"}
WEEK = "2026-02-16"  # the third week of every scenario

# What tells each rule apart: the sample, a scenario, or a scenario with a few records changed.
TOLD_IN = {
    "incident": ["security-domain-download", "full-backup-not-routine", "keys-purged", "keys-deleted", "key-backup-many",
                 "role-assignment-written", "role-definition-written", "role-removed", "denied-then-allowed", "use-burst",
                 "enumeration", "first-seen-address", "first-seen-client", "denied-burst", "grave-operation-denied",
                 "operation-never-seen-before"],
    "arm_trust": ["arm-trust-written"], "ekm_redirect": ["ekm-connection-changed"], "firewall": ["resource-changed"],
    "grant_use_remove": ["grant-removed-again"], "key_release": ["key-release"], "ransom": ["key-rewrap"],
    "restore": ["hsm-restored"], "stolen_identity": ["managed-identity-elsewhere"], "migration": ["first-seen-principal"],
    "planted": ["security-domain-upload", "hsm-deleted", "key-imported", "key-restored", "keys-updated-many",
                "settings-changed", "guessed-names", "signing-oracle", "token-at-two-addresses", "token-used-elsewhere"],
}  # fmt: skip

# Where the query can't name the very events of the rule, and why: it names fewer of them, more of what other rules name, or
# also what none does.
FEWER, MORE, BEYOND = "fewer", "more", "beyond"
APART = {
    "security-domain-download": (FEWER, "the rule names the questions how far the download is, too"),
    "full-backup-not-routine": (FEWER, "the rule sees a backup of the usual job at an unusual hour, too"),
    "grant-removed-again": (FEWER, "the rule names what was done with the role, too"),
    "key-release": (FEWER, "the rule names what gave the key its release policy, too"),
    "role-assignment-written": (MORE, "the rule leaves to own-rights what that tells"),
    "role-definition-written": (MORE, "the rule leaves to own-rights what that tells"),
    "role-removed": (MORE, "the rule leaves to grant-removed-again what that tells"),
    "denied-then-allowed": (MORE, "the rule leaves to own-rights what that tells"),
    "denied-burst": (MORE, "the rule leaves to own-rights what that tells, and parts what pauses part"),
    "grave-operation-denied": (MORE, "the rule tells only what no other rule named"),
    "operation-never-seen-before": (BEYOND, "the rule tells only what no other rule named, of the first day"),
    "key-rewrap": (BEYOND, "the rule pairs keys and hours; the query takes all such acts of the principal that day"),
    "use-burst": (MORE, "the rule leaves to key-rewrap what that tells"),
    "first-seen-address": (MORE, "the rule leaves to managed-identity-elsewhere what that tells"),
    "first-seen-client": (MORE, "the rule is of principals that ever changed, exported or destroyed"),
    "signing-oracle": (MORE, "the rule waits for the third day"),
}


@cache
def lines_of(name):
    """Records of a sample's HSMs, or of three weeks in the last of which a scenario happens."""
    if name in STARTS:
        found = [line for path in sorted((SAMPLES / name).rglob("PT1H.json")) for line in path.read_text().splitlines()]
        return tuple(dict.fromkeys(line for line in found if _is_of_an_hsm(line)))
    if name == "planted":
        return tuple(map(json.dumps, planted()))
    return tuple(next(one for one in samples.scenarios() if one.name == name).week(0).lines)


def _is_of_an_hsm(line):
    try:
        return "/MANAGEDHSMS/" in json.loads(line)["resourceId"].upper()
    except (ValueError, KeyError):
        return False


def planted():
    """Quiet weeks, in the last of which somebody does what no scenario tells, and tokens turn up elsewhere."""
    records = [json.loads(line) for line in lines_of("quiet")]
    late = [record for record in records if record["time"] >= "2026-02-17"]
    read = next(one for one in late if one["operationName"] == "KeyGet" and "upn" in one["identity"]["claim"])
    acts = (
        ("SecurityDomainRestore", "/securitydomain/upload", 202), ("KeyImport", "/keys/brought-01", 200),
        ("KeyRestore", "/keys/restore", 200), ("SettingUpdate", "/settings/Other", 200),
        ("ManagedHsmDelete", read["resourceId"], 200),
        *(("KeyUpdate", f"/keys/payments-kek-0{number}/a", 200) for number in range(5)),
        *(("KeyGet", f"/keys/guess-{number}/", 404) for number in range(5)),
        ("KeyGet", "/keys/payments-kek-01/", 200),
    )  # fmt: skip
    done = [_act(read, number, *act) for number, act in enumerate(acts)]
    done[-1]["callerIpAddress"] = "198.51.100.9"  # not where the token was issued
    for record in [one for one in late if one["operationName"] == "KeySign"][::7]:
        record["identity"] = read["identity"]
    next(one for one in late if "uti" in one["identity"].get("claim", {}))["callerIpAddress"] = "198.51.100.10"
    return sorted(records + done, key=lambda record: record["time"])


def _act(like, number, operation, path, status):
    record = json.loads(json.dumps(like))
    host = like["properties"]["requestUri"].partition("/keys")[0]
    record |= {"operationName": operation, "correlationId": str(uuid.UUID(int=number + 1))}
    record["time"] = f"{like['time'][:14]}59:{number:02}.0000000Z"
    record["properties"] |= {"requestUri": host + path, "httpStatusCode": status}
    record["properties"].pop("id", None)
    return record


def start_of(name):
    return f"{STARTS.get(name, WEEK)}T00:00:00Z"


# The query's side: a workspace on this machine


@cache
def workspace(name, *tables):
    """The records as rows of these tables; the other tables are there, and empty."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    for table, make in MAKERS.items():
        rows = [make(json.loads(line)) for line in lines_of(name)] if table in tables else []
        _fill(database, table, rows)
    _fill(database, "AzureActivity", activity() if "AzureActivity" in tables else [])
    return database


def _fill(database, table, rows):
    columns = ", ".join(f'"{name}" {_DUCKDB[kind]}' for name, kind in types_of(table).items())
    database.execute(f'CREATE TABLE "{table}" ({columns})')
    if not rows:
        return
    given = pa.table({
        name: [row.get(name, "" if kind == "string" else None) for row in rows] for name, kind in types_of(table).items()
    })  # fmt: skip
    time = "CAST(left(replace(TimeGenerated, 'Z', ''), 26) AS TIMESTAMP)"
    database.register("given", given)
    database.execute(f'INSERT INTO "{table}" BY NAME SELECT * REPLACE ({time} AS TimeGenerated) FROM given')


def types_of(table):
    """Columns of a table; the claims that a token may bring are columns of their own in AzureDiagnostics."""
    brought = ("identity_claim_ipaddr_s", "identity_claim_uti_s") if table == "AzureDiagnostics" else ()
    return TABLES[table] | dict.fromkeys(brought, "string")


def activity():
    """The sample's activity log as rows of its table."""
    records = json.loads((SAMPLES / "incident" / "context" / "activity-log.json").read_text("utf-8"))
    return [
        {
            "TimeGenerated": record["eventTimestamp"], "OperationNameValue": record["operationName"]["value"].upper(),
            "ActivityStatusValue": record["status"]["value"], "Caller": record["caller"], "Type": "AzureActivity",
            "CallerIpAddress": record["httpRequest"]["clientIpAddress"], "CorrelationId": record["correlationId"],
            "_ResourceId": record["resourceId"].lower().partition("/providers/microsoft.insights")[0],
        }
        for record in records
    ]  # fmt: skip


_IF_EXISTS = re.compile(r'column_ifexists\("(\w+)", ([^()]*(?:\([^()]*\))?)\)')  # which duckdb-kql doesn't know
_TABLE = re.compile(r"^\s*\(?(AzureDiagnostics|AZKVAuditLogs|AzureActivity)$", re.MULTILINE)


@cache
def ask(rule, name, *tables):
    """The answer of a rule's query, as if it had run at the end of the sample and looked back to its start."""
    text, changed = re.subn(r"ago\(\d+m\)", f"datetime({start_of(name)})", sentinel.query(rule))
    assert changed == 1

    def column(found):
        return found[1] if found[1] in types_of(_TABLE.findall(text, 0, found.start())[-1]) else found[2]

    given = duckdb_kql.execute(workspace(name, *tables).cursor(), _IF_EXISTS.sub(column, text))
    return pd.DataFrame(given.fetchall(), columns=[one[0] for one in given.description])


def named_by_query(rule, name, *tables):
    cells = ask(rule, name, *(tables or ["AzureDiagnostics"]))["CorrelationIds"]
    return {one for cell in cells for one in (json.loads(cell) if isinstance(cell, str) else cell)}


# The rule's side


@cache
def judged(name):
    """Correlation ids of the new events that findings name, by rule, and of any."""
    made, evidence = (
        Normaliser(),
        Evidence(evidence_id="e", path="PT1H.json", origin="", size=0, sha256="", acquired=""),
    )
    for batch in load.records(["\n".join(lines_of(name)).encode()]):
        made.take(batch, evidence)
    events = schema.to_pandas(made.finish().events)
    new = events[events["time"] >= pd.Timestamp(start_of(name))].set_index("event_id")["correlation_id"]
    findings = detect.run(events)
    told = findings.explode("event_ids").set_index("event_ids")["rule_id"]
    by_rule = {rule: set(new.reindex(told.index[told == rule]).dropna()) for rule in EXPRESSED}
    return by_rule | {"any": set(new.reindex(told.index).dropna())}


CASES = [(rule, name) for name, rules in TOLD_IN.items() for rule in rules]


@pytest.mark.parametrize(("rule", "name"), CASES)
def test_a_query_names_what_its_rule_names(rule, name):
    by_query, by_rule = named_by_query(rule, name), judged(name)[rule]

    assert by_query
    match APART.get(rule, ("",))[0]:
        case "more":
            assert by_rule <= by_query <= judged(name)["any"]
        case "beyond":
            assert by_rule < by_query
        case "fewer":
            assert by_query <= by_rule
        case _:
            assert by_query == by_rule


@pytest.mark.parametrize("rule", OVER_AUDIT)
def test_both_tables_answer_alike(rule):
    answers = [ask(rule, name, "AzureDiagnostics") for name in ("incident", "planted")]
    others = [ask(rule, name, "AZKVAuditLogs") for name in ("incident", "planted")]

    assert [_sorted(answer) for answer in answers] == [_sorted(other) for other in others]


def _sorted(answer):
    """Rows of an answer whatever their order, and that of the sets in them."""
    cells = [
        [sorted(json.loads(cell)) if isinstance(cell, str) and cell.startswith("[") else cell for cell in row]
        for row in answer.astype(object).to_numpy().tolist()
    ]
    return sorted(map(str, cells))


def test_every_query_is_seen_to_fire():
    assert sorted({rule for rule, _ in CASES} | {"logging-changed", "logging-removed"}) == sorted(EXPRESSED)


def test_the_activity_log_tells_who_ended_or_changed_the_logging():
    removed, changed = (ask(rule, "incident", "AzureActivity") for rule in ("logging-removed", "logging-changed"))

    assert sorted(removed["Hsm"]) == sorted(changed["Hsm"]) == ["contoso-hsm-dr", "contoso-hsm-prod"]
    assert set(removed["ObjectId"]) == {"df5edf54-f331-46cf-baa6-0157746b7a4f"}
    assert set(changed["Upn"]) == {"mateo.osei@contoso.example"}
    assert removed["Count"].tolist() == [1, 1]  # the record that it began is not told again


@pytest.mark.parametrize("name", ["quiet-day", "quiet"])
def test_nothing_of_high_severity_is_said_of_quiet_days(name):
    assert {
        rule: len(found) for rule in OVER_AUDIT if rule in HIGH and len(found := ask(rule, name, "AzureDiagnostics"))
    } == {}


# The texts


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    texts = {rule: sentinel.query(rule) for rule in EXPRESSED}
    return parsed(texts, TABLES, tmp_path_factory.mktemp("kql"))


def test_every_query_is_right_to_microsoft_s_parser(answers):
    assert len(answers) == len(EXPRESSED) >= 36
    assert {name: answer["problems"] for name, answer in answers.items() if answer["problems"]} == {}


@pytest.mark.parametrize("more", [(), ("OperationName",)])
def test_a_column_that_never_came_breaks_no_query(tmp_path, more):
    bare = {"TimeGenerated": "datetime", **dict.fromkeys(("Type", "_ResourceId", *more), "string")}
    texts = {rule: sentinel.query(rule) for rule in EXPRESSED}

    found = parsed(texts, dict.fromkeys((*MAKERS, "AzureActivity"), bare), tmp_path)

    assert {name: answer["problems"] for name, answer in found.items() if answer["problems"]} == {}


TACTICS = {
    "Reconnaissance", "ResourceDevelopment", "InitialAccess", "Execution", "Persistence", "PrivilegeEscalation",
    "DefenseEvasion", "CredentialAccess", "Discovery", "LateralMovement", "Collection", "Exfiltration",
    "CommandAndControl", "Impact", "PreAttack", "ImpairProcessControl", "InhibitResponseFunction",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules") / "sentinel"
    assert sentinel.analytics_rules(folder) == len(EXPRESSED)
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.iterdir()}


def test_a_file_holds_the_whole_rule(written):
    assert sorted(written) == sorted(EXPRESSED)
    for name, rule in written.items():
        assert rule["query"] == sentinel.query(name)
        assert rule["severity"] in {"High", "Medium", "Low", "Informational"}
        assert rule["tactics"]
        assert set(rule["tactics"]) <= TACTICS
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in rule["relevantTechniques"])
        assert (rule["kind"], rule["triggerOperator"], rule["triggerThreshold"]) == ("Scheduled", "gt", 0)
        assert len(rule["name"]) <= 256
        assert len(rule["description"]) <= 5000


def test_an_id_is_the_rule_s_own_and_stays(written):
    ids = {name: rule["id"] for name, rule in written.items()}

    assert len({str(uuid.UUID(one)) for one in ids.values()}) == len(ids)
    assert ids["keys-purged"] == "13b422c6-a1a5-51e8-b098-ebb487539e76"


def test_a_run_looks_back_past_the_run_before(written):
    minutes = {"1h": 60, "2h": 120} | {f"{days}d": days * 1440 for days in (1, 2, 3, 14)}
    for rule in written.values():
        back = int(re.search(r"ago\((\d+)m\)", rule["query"])[1])
        assert minutes[rule["queryFrequency"]] + 15 == back <= minutes[rule["queryPeriod"]]


def test_what_is_shown_of_a_finding_is_in_the_answer(written, answers):
    for name, rule in written.items():
        columns = {column.partition(":")[0] for column in answers[name]["columns"]}
        mapped = {field["columnName"] for entity in rule["entityMappings"] for field in entity["fieldMappings"]}
        assert mapped | set(rule["customDetails"].values()) <= columns


def test_every_rule_has_a_query_or_a_reason():
    known = {rule.id for rule in RULES}

    assert set(sentinel.NOT_EXPRESSED) | set(EXPRESSED) == known
    assert set(sentinel.NOT_EXPRESSED) & set(EXPRESSED) == set()
    assert [rule.id for rule in RULES if bool(sentinel.why_not(rule)) == sentinel.has_query(rule)] == []
    assert set(APART) <= set(EXPRESSED)


def test_the_command_writes_them_and_says_so_in_the_custody(tmp_path):
    case, folder = str(tmp_path / "case"), tmp_path / "rules"
    runner = CliRunner()
    added = runner.invoke(cli, ["add", case, str(SAMPLES / "quiet-day")])
    assert added.exit_code == 0, added.output

    done = runner.invoke(cli, ["export", case, "--format", "sentinel", "-o", str(folder)])

    assert done.exit_code == 0, done.output
    assert len(list(folder.glob("*.yaml"))) == len(EXPRESSED)
    assert '"sentinel"' in "".join(path.read_text("utf-8") for path in Path(case).glob("*custody*"))


def test_a_file_in_the_way_of_the_rules_is_a_clear_line(tmp_path):
    (tmp_path / "rules").write_text("")

    with pytest.raises(InputError, match="name a folder"):
        sentinel.analytics_rules(tmp_path / "rules")
