"""Every container and every fault: what comes out adds up to what went in."""

import gzip
import json
import random
import zipfile
from pathlib import Path

import msgspec
import pytest
from collect_workspace.rows import audit, diagnostics, sample_records, types

from mhsm_forensics import samples
from mhsm_forensics.case import FATES, create_case
from mhsm_forensics.errors import EvidenceError
from mhsm_forensics.evidence import blocks
from mhsm_forensics.ingest import add, load_events
from mhsm_forensics.load import _answers, records

DAMAGED = Path(__file__).parents[1] / "data-samples" / "damaged"
EXPECTED = json.loads((DAMAGED / "expected.json").read_text("utf-8"))


def loaded(path, folder):
    return add(create_case(folder / "case"), [path]).case


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "empty.json"])
def test_each_fault_costs_its_own_line_and_no_other(name, tmp_path):
    case = loaded(DAMAGED / name, tmp_path)

    assert {fate: int(case.accounting[fate].iloc[0]) for fate in FATES} == {f: EXPECTED[name].get(f, 0) for f in FATES}
    assert case.rejects["reason"].value_counts().to_dict() == EXPECTED[name].get("reasons", {})


def test_an_empty_file_alone_is_no_log():
    with pytest.raises(EvidenceError, match="no Managed HSM audit log"):
        load_events(DAMAGED / "empty.json")


@pytest.mark.parametrize(
    "name", ["one-line-array.json", "pretty-records.json", "crlf.json", "utf-16.json", "azure-diagnostics.csv"]
)
def test_every_event_leads_back_to_its_bytes(name, tmp_path):
    case = loaded(DAMAGED / name, tmp_path)

    content = b"".join(blocks(DAMAGED / name))
    for event in case.events.df().itertuples():
        piece = content[event.source_offset : event.source_offset + event.source_length]
        assert event.operation.encode() in piece
        assert content[: event.source_offset].count(b"\n") + 1 == event.source_line


def line(**changed):
    record = {
        "time": "2026-03-05T01:59:17.5606376Z",
        "operationName": "KeyGet",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO",
        "properties": {
            "requestUri": "https://contoso.managedhsm.azure.net/keys/k/?api-version=7.5",
            "httpStatusCode": 200,
        },
    }
    return json.dumps(record | changed).encode()


def outcome(data, size=7):
    """Records and rejects of some bytes, read in blocks so small that every boundary is met."""
    batches = list(records(data[i : i + size] for i in range(0, len(data), size)))
    return (
        [r for b in batches for r in b.records],
        [r for b in batches for r in b.rejects],
        sum(b.blank for b in batches),
    )


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize(
    "content",
    [
        line() + b"\n" + line() + b"\n",
        line() + b"\r\n" + line(),
        b"[" + line() + b"," + line() + b"]",
        b'{"records":[' + line() + b",\n" + line() + b"]}",
        b'{"count":2,"value":[' + line() + b"," + line() + b'],"next":{"a":[1]}}',
        b"\xef\xbb\xbf[\n" + line() + b",\n" + line() + b"\n]\n",
        json.dumps(json.loads(line()), indent=2).encode() + b"\n" + json.dumps(json.loads(line()), indent=2).encode(),
    ],
)
def test_block_boundaries_change_nothing(content, size):
    found, rejects, _ = outcome(content, size)

    assert [record.operationName for record in found] == ["KeyGet", "KeyGet"]
    assert rejects == []


def test_scalars_between_the_elements_of_an_array_are_rejects():
    found, rejects, _ = outcome(b"[1, " + line() + b', "x"]')

    assert len(found) == 1
    assert [(reject.raw, reject.reason) for reject in rejects] == [(b"1", "not_a_record"), (b'"x"', "not_a_record")]


def test_brackets_inside_strings_are_text():
    found, rejects, _ = outcome(b"[" + line(operationName='Key]}"[{\\') + b"]")

    assert [record.operationName for record in found] == ['Key]}"[{\\']
    assert rejects == []


def test_a_line_of_200_mb_is_a_reject_and_the_next_line_an_event(tmp_path):
    path = tmp_path / "PT1H.json"
    samples.long_line(path, 200)
    with path.open("ab") as file:
        file.write(b"\n" + line() + b"\n")

    case = loaded(path, tmp_path)

    assert case.accounting["event"].iloc[0] >= 1
    assert case.rejects["reason"].tolist() == ["too_long"]
    assert case.rejects["source_length"].iloc[0] >= 200_000_000
    assert len(case.rejects["raw"].iloc[0]) == 64 << 10


def test_an_element_of_20_mb_in_an_array_is_a_reject_and_the_next_one_an_event():
    long = line(resultDescription="x" * (20 << 20))

    found, rejects, _ = outcome(b"[" + long + b",\n" + line() + b"]", 1 << 20)

    assert [record.operationName for record in found] == ["KeyGet"]
    assert [(reject.reason, reject.place.length, reject.place.offset) for reject in rejects] == [
        ("too_long", len(long), 1)
    ]


def test_a_gzip_of_zeros_does_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("mhsm_forensics.evidence._streams.SAFE_EXPANSION", 4 << 20)
    path = tmp_path / "PT1H.json.gz"
    path.write_bytes(gzip.compress(line() + b"\n" + b"\n" * (64 << 20)))

    case = loaded(path, tmp_path)

    assert case.accounting["event"].iloc[0] == 1
    assert "expands" in case.evidence["unreadable"].iloc[0]


def test_a_zip_and_the_same_files_beside_it_are_the_same_events(tmp_path):
    path = tmp_path / "logs" / "PT1H.json"
    path.parent.mkdir()
    path.write_bytes(line() + b"\n")
    with zipfile.ZipFile(tmp_path / "logs" / "copy.zip", "w") as archive:
        archive.write(path, "../../PT1H.json")

    case = loaded(tmp_path / "logs", tmp_path)

    assert case.accounting.loc[0, ["event", "duplicate"]].to_list() == [1, 1]


def test_a_folder_keeps_what_is_no_log_out_and_says_so(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "PT1H.json").write_bytes(line())
    (tmp_path / "logs" / "notes.txt").write_text("call the bank")

    added = add(create_case(tmp_path / "case"), [tmp_path / "logs"])

    assert [(other.name, other.kind) for other in added.passed_over] == [("logs/notes.txt", "left out")]
    assert len(added.new) == 1


def answer(names, rows, **dumped):
    table = {"name": "PrimaryResult", "columns": [{"name": name, "type": "string"} for name in names], "rows": rows}
    return json.dumps({"tables": [table]}, **{"separators": (",", ":")} | dumped).encode("utf-8", "surrogatepass")


COLUMNS_OF_A_BATCH = ("lines", "offsets", "lengths", "nth", "routes", "utc", "rejects", "context")


def everything(data, size=1 << 20):
    """All that is read of some bytes, so that true, 1 and 1.0 differ."""
    batches = list(records(data[i : i + size] for i in range(0, len(data), size)))
    assert all(
        data[offset : offset + len(piece)] == piece
        for batch in batches
        for offset, piece in zip(batch.offsets, batch.data, strict=True)
    )
    said = [{k: bytes(v) if isinstance(v, msgspec.Raw) else v for k, v in msgspec.structs.asdict(r).items()}
            for b in batches for r in b.records]  # fmt: skip
    columns = [[item for b in batches for item in getattr(b, name)] for name in COLUMNS_OF_A_BATCH]
    return repr((said, columns))


@pytest.fixture
def the_long_way(monkeypatch):
    """`everything`, each row cut by its brackets and read for itself."""

    def run(data):
        with monkeypatch.context() as changed:
            changed.setattr(_answers, "plan_of", lambda _: None)
            changed.setattr(_answers, "_elements", lambda _: iter(()))
            return everything(data)

    return run


@pytest.mark.parametrize("table", ["AzureDiagnostics", "AZKVAuditLogs"])
def test_rows_read_by_plan_are_the_records_that_each_row_is(table, the_long_way):
    rows = [{"AzureDiagnostics": diagnostics, "AZKVAuditLogs": audit}[table](record) for record in sample_records()]
    columns = types(table, rows)
    cells = [[row.get(name, "" if columns[name] == "string" else None) for name in columns] for row in rows]
    data = answer(columns, cells)

    assert everything(data) == everything(data, 70_001) == the_long_way(data)
    assert len(outcome(data, len(data))[0]) == len(rows)


NAMES = (
    "TimeGenerated", "timegenerated", "TimeGenerated [UTC]", " TimeGenerated", "_OriginalTimeGenerated", "time",
    "OperationName", "operationName_s", "operationname_g", "Type", "Category", "CategoryValue", "category_s",
    "ResourceId", "_ResourceId", "resourceId_s", "ResourceProvider", "httpStatusCode_d", "httpStatusCode_s",
    "DurationMs", "ResultSignature", "CallerIPAddress", "CallerIpAddress_s", "identity", "Identity", "identity_s",
    "identity_claim_oid_g", "identity_claim_oid_s", "identity_claim_", "properties_s", "Properties", "id_s", "id_g",
    "tlsVersion_s", "isRbac_b", "AdditionalFields", "TenantId", "tenantid_g", "EventTimestamp", "", "_s", "records",
    "value", "route", "AuthenticationType", "AuthenticationHash", "requestUri_s", "a]", "é",
)  # fmt: skip
CELLS = (
    None, "", "", "x", "KeyGet", "2026-03-05T01:59:17.5606376Z", 0, 1, 1.0, True, False, -0.0, 1e16, 2**70, [], {},
    [1, [2]], {"a": {"b": []}}, {"value": "Administrative"}, "AzureDiagnostics", "AzureActivity", "AuditEvent", "Administrative",
    '{"oid":"1"}', "{", "],[", '"],["', "\\", "\x00\x7f\u2028", "é\U0001f512", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(300))
def test_whatever_the_columns_and_the_cells_the_plan_changes_nothing(seed, the_long_way):
    dice = random.Random(seed)
    names = ["TimeGenerated", "OperationName", *dice.sample(NAMES, k=dice.randint(0, 20))]
    dice.shuffle(names)
    usual = [dice.choice(CELLS) for _ in names]
    rows = [[dice.choice((cell, dice.choice(CELLS))) for cell in usual] for _ in range(40)]
    odd = [["short"], {"a": 1}, 7, None, [[]] * len(names)]
    rows = [dice.choice((*odd, row)) if dice.random() < 0.02 else row for row in rows]
    data = answer(names, rows, indent=dice.choice((None, None, 1)), ensure_ascii=dice.random() < 0.5)
    if seed % 5 == 0:
        data = data[: dice.randint(1, len(data))]
    if seed % 7 == 0:
        at = data.rindex(b"[")
        data = data[:at] + b"\xff\n" + data[at:]

    assert everything(data) == everything(data, 200) == the_long_way(data)


@pytest.mark.parametrize(
    "nest", [b"[" * 9_000, b'{"a":' * 3_000, b'[{"a":' * 3_000, b'{\n"a":[{"time":' * 2_000, b"}]" * 9_000]
)
@pytest.mark.parametrize("before", [b"", line() + b"\n"])
def test_what_is_nested_without_end_costs_the_records_after_it_nothing(nest, before):
    found, rejects, _ = outcome(before + nest + b"\n" + line() + b"\n" + line() + b"\n", 5_000)

    assert len(found) == 2 + bool(before)
    assert len(rejects) <= nest.count(b"\n") + 2  # a line that is broken, in a file of lines, costs itself


def test_a_text_that_only_looks_as_if_it_held_a_record_is_a_reject():
    text = b'"mi\\":\\"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-storage\\"}}"'

    batches = list(records([text + b"\n"]))

    assert [reject.reason for batch in batches for reject in batch.rejects] == ["not_a_record"]
