"""Every container and every fault: what comes out adds up to what went in."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from mhsm_forensics import samples
from mhsm_forensics.case import FATES, create_case
from mhsm_forensics.errors import EvidenceError
from mhsm_forensics.evidence import blocks
from mhsm_forensics.ingest import add, load_events
from mhsm_forensics.load import records

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
    monkeypatch.setattr("mhsm_forensics.evidence._SAFE_EXPANSION", 1 << 20)
    path = tmp_path / "PT1H.json.gz"
    path.write_bytes(gzip.compress(line() + b"\n" + b"\n" * (64 << 20)))

    case = loaded(path, tmp_path)

    assert case.accounting["event"].iloc[0] == 1
    assert "expands" in case.evidence["note"].iloc[0]


def test_a_zip_and_the_same_files_beside_it_are_one_evidence(tmp_path):
    path = tmp_path / "logs" / "PT1H.json"
    path.parent.mkdir()
    path.write_bytes(line() + b"\n")
    with zipfile.ZipFile(tmp_path / "logs" / "copy.zip", "w") as archive:
        archive.write(path, "../../PT1H.json")

    case = loaded(tmp_path / "logs", tmp_path)

    assert len(case.events) == 1


def test_a_folder_keeps_what_is_no_log_out_and_says_so(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "PT1H.json").write_bytes(line())
    (tmp_path / "logs" / "notes.txt").write_text("call the bank")

    added = add(create_case(tmp_path / "case"), [tmp_path / "logs"])

    assert added.left_out == ("logs/notes.txt",)
    assert len(added.new) == 1
