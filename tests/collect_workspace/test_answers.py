"""Answers of the query API as evidence: every row with its place, every fault its own reject."""

import json

import pytest

from mhsm_forensics.case import create_case
from mhsm_forensics.ingest import add, load_events, raw
from mhsm_forensics.load import Survey, records, survey

COLUMNS = [
    {"name": name, "type": "string"} for name in ("TimeGenerated", "OperationName", "_ResourceId", "Type", "RequestUri")
]
RESOURCE = "/subscriptions/s/resourcegroups/r/providers/microsoft.keyvault/managedhsms/contoso"


def row(operation="KeyGet", time="2026-03-05T01:59:17.5606376Z", uri="https://contoso.managedhsm.azure.net/keys/k"):
    return [time, operation, RESOURCE, "AZKVAuditLogs", uri]


def answer(*rows, columns=None, more=None, **dumped):
    table = {"name": "PrimaryResult", "columns": columns or COLUMNS, "rows": list(rows)}
    dumped.setdefault("separators", (",", ":"))
    return json.dumps({"tables": [table], **(more or {})}, **dumped).encode()


def outcome(data, size):
    batches = list(records(data[i : i + size] for i in range(0, len(data), size)))
    return [r for b in batches for r in b.records], [r for b in batches for r in b.rejects]


@pytest.fixture
def surveyed(tmp_path):
    """What a survey of some bytes says."""

    def run(data):
        (tmp_path / "surveyed.json").write_bytes(data)
        return survey(tmp_path / "surveyed.json")

    return run


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_block_boundaries_and_layout_change_nothing(indent, size, surveyed):
    separators = (", ", ": ") if indent else (",", ":")
    data = answer(
        row(),
        row("KeyDelete", uri='x"]]}[{\\'),
        more={"statistics": {"rows": [[1]]}},
        indent=indent,
        separators=separators,
    )

    found, rejects = outcome(data, size)

    assert [record.operationName for record in found] == ["KeyGet", "KeyDelete"]
    assert [route for batch in records([data]) for route in batch.routes] == ["azkv_audit_logs"] * 2
    assert rejects == []
    assert surveyed(data).rows == 2


def test_every_row_leads_back_to_its_bytes(tmp_path):
    path = tmp_path / "answer.json"
    path.write_bytes(b"\xef\xbb\xbf" + answer(row(), row("KeyDelete")))

    case = add(create_case(tmp_path / "case"), [path]).case

    for event in case.events.df().itertuples():
        assert json.loads(b"".join(raw(case, event.event_id)))[1] == event.operation
        assert event.source_line == 1
        assert event.time_text == "2026-03-05T01:59:17.5606376Z"


def test_several_tables_are_read_each_by_its_own_columns():
    other = [COLUMNS[1], COLUMNS[0], *COLUMNS[2:]]
    data = json.dumps(
        {
            "tables": [
                {"name": "a", "columns": COLUMNS, "rows": [row()]},
                {"name": "b", "columns": other, "rows": [[row()[1], row()[0], *row()[2:]]]},
                {"name": "c", "columns": [{"name": "n"}], "rows": []},
            ]
        }
    ).encode()

    found, rejects = outcome(data, 50)

    assert [record.time for record in found] == ["2026-03-05T01:59:17.5606376Z"] * 2
    assert rejects == []


def test_rows_that_do_not_fit_cost_themselves_and_no_other():
    data = answer(row(), ["short"], row(), {"a": 1}, [None] * 5, row(time=None), row())

    found, rejects = outcome(data, 64)

    assert len(found) == 3
    assert [reject.reason for reject in rejects] == ["not_a_record"] * 3 + ["no_time"]
    assert rejects[0].raw == b'["short"]'


def test_scalars_between_rows_and_damaged_text_are_accounted_for():
    data = answer(row(), row("Key\x00X")).replace(b"X", b"\xff").replace(b'"rows":[', b'"rows":[1,')

    found, rejects = outcome(data, 64)

    assert [record.operationName for record in found] == ["KeyGet", "Key\x00�"]
    assert [(reject.raw, reject.reason) for reject in rejects] == [(b"1", "not_a_record")]


@pytest.mark.parametrize("size", [1, 64, 100_000])
@pytest.mark.parametrize("kept", [0.5, 0.8, 0.99])
def test_an_answer_that_was_cut_off_is_said_to_be(kept, size):
    whole = answer(*[row()] * 20)

    found, rejects = outcome(whole[: int(len(whole) * kept)], size)

    assert rejects[-1].reason in {"truncated", "partial_answer"}  # in a row, or between two
    assert len(found) <= 20


def test_cut_off_between_two_rows(surveyed):
    whole = answer(row(), row())
    data = whole[: whole.index(b"],[") + 2]

    found, rejects = outcome(data, 30)

    assert len(found) == 1
    assert [(reject.reason, reject.place.offset) for reject in rejects] == [("partial_answer", len(data))]
    assert not surveyed(data).whole


def test_a_survey_counts_rows_and_sees_what_is_missing(surveyed):
    whole = answer(row(), row(), more={"error": None})

    assert surveyed(whole) == Survey(2)
    assert surveyed(b"") == surveyed(b"[]") == surveyed(whole[:-1]) == Survey(0, whole=False)


def test_a_partial_answer_says_so_in_the_case(tmp_path):
    problem = {"code": "PartialError", "details": [{"message": "E_QUERY_RESULT_SET_TOO_LARGE"}]}
    path = tmp_path / "answer.json"
    path.write_bytes(answer(row(), more={"error": problem}))

    events = load_events(path)

    assert len(events) == 1
    assert events.attrs["rejects"] == {"partial_answer": 1}
    assert json.loads(survey(path).problem) == problem


def test_a_row_of_20_mb_is_a_reject_and_the_next_one_an_event():
    data = answer(row(uri="x" * (20 << 20)), row("KeyDelete"))

    found, rejects = outcome(data, 1 << 20)

    assert [record.operationName for record in found] == ["KeyDelete"]
    assert [reject.reason for reject in rejects] == ["too_long"]
