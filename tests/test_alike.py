"""Lines that are alike: whatever stands in a file, its tables are those that the ordinary reader makes."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutating import lines, varied

from mhsm_forensics import engine, samples
from mhsm_forensics.case import Evidence
from mhsm_forensics.derive import TABLES, Reader
from mhsm_forensics.load import _templates

SAMPLES = Path(__file__).parents[1] / "data-samples"
FORMS = Path(__file__).parent / "forms"

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _short_blocks_too(monkeypatch):
    monkeypatch.setattr(_templates, "_SHORTEST", 1)


def derived(folder, files, *, remembers, entry=None):
    """What a reader gives of some files: counts, and the Parquet of each table; events that share a tick may stand apart."""
    folder.mkdir()
    like = entry or Evidence("", "", "", 0, "", "2026-11-01T00:00:00Z")
    named = [(replace(like, evidence_id=f"e{n}", path=str(path)), path) for n, path in enumerate(files)]
    loaded = Reader(folder, remembers=remembers).part("part", named)
    return loaded, {kind: paths for kind in TABLES if (paths := sorted(folder.glob(f"{kind}-part*.parquet")))}


def assert_same(folder, files, entry=None):
    """Both ways give the same: every count, table, column, type and row. Returns how many lines were not read one by one."""
    taken = []
    run_at = _templates.Alike.run_at

    def noting(alike, offset, line):
        if end := run_at(alike, offset, line):
            taken.append(end - offset)
        return end

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_templates.Alike, "run_at", noting)
        ordinary, plain = derived(folder / "ordinary", files, remembers=False, entry=entry)
        assert not taken
        alike, fast = derived(folder / "alike", files, remembers=True, entry=entry)
    assert alike == ordinary
    assert fast.keys() == plain.keys()
    with engine.connect() as db:
        for kind in plain:
            assert {str(pq.read_schema(path)) for path in fast[kind]} == {
                str(pq.read_schema(path)) for path in plain[kind]
            }, kind
            for one, two in ((plain, fast), (fast, plain)):
                left = db.execute("SELECT * FROM read_parquet(?) EXCEPT ALL SELECT * FROM read_parquet(?)",
                                  [[str(path) for path in way[kind]] for way in (one, two)]).fetchall()  # fmt: skip
                assert left == [], kind
    return sum(taken)


def written(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_incident_comes_out_the_same(tmp_path):
    files = sorted((SAMPLES / "incident" / "insights-logs-auditevent").rglob("*.json"))

    taken = assert_same(tmp_path, files)

    assert taken > 0.5 * sum(path.stat().st_size for path in files)


def test_a_large_tree_comes_out_the_same_and_hardly_any_line_is_read_by_itself(tmp_path):
    samples.bulk(tmp_path / "logs", megabytes=24, files=4, seed=7)
    files = sorted((tmp_path / "logs").rglob("*.json"))

    taken = assert_same(tmp_path, [*files, *files, *files])

    assert taken > 1.5 * sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("folder", [SAMPLES / "damaged", SAMPLES / "documented", FORMS], ids=lambda path: path.name)
def test_damaged_and_rare_forms_come_out_the_same(tmp_path, folder):
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "expected.json")

    assert_same(tmp_path, [*files, *files])


@pytest.fixture(scope="module")
def pool():
    """Lines of all kinds that the samples have."""
    found = [
        path
        for folder in ("incident/insights-logs-auditevent", "damaged")
        for path in sorted((SAMPLES / folder).rglob("*.json"))
    ]
    every = [
        line
        for path in found
        for line in path.read_bytes().split(b"\n")[:40]
        if b"perationName" in line and len(line) < 6000
    ]
    return [*every, *map(_diagnostics, range(20)), *(_with_claims(n) for n in range(20))]


def _diagnostics(number):
    """A row of AzureDiagnostics as a line of its own."""
    return json.dumps({
        "TenantId": "0c1f6b1e-55d2-4a6c-9e0e-7c5dbb2a4d10", "Type": "AzureDiagnostics",
        "TimeGenerated": "2026-03-04T09:15:02.1234567Z",
        "ResourceId": "/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO",
        "OperationName": "KeySign", "CorrelationId": f"{number:08x}-fe94-482b-a739-80c0b9db906a", "DurationMs": 12,
        "CallerIPAddress": "10.0.0.4", "ResourceProvider": "MICROSOFT.KEYVAULT", "httpStatusCode_d": 200.0,
        "requestUri_s": f"https://contoso.managedhsm.azure.net/keys/kek{number % 3}/sign?api-version=7.4",
        "identity_claim_oid_g": "8f0345a8-7a14-4c37-87c2-5b917f4889e8", "identity_claim_uti_s": f"abcDEF{number:016}",
        "_ItemId": f"{number:08x}-0000-11f1-9e9b-00005e0053d1",
    }).encode()  # fmt: skip


def _with_claims(number):
    """A record whose token has more that is its own: numbers of times, and a text that comes twice."""
    claims = {"oid": "8f0345a8-7a14-4c37-87c2-5b917f4889e8", "iat": 1772600000 + number, "exp": 1772690000 + number,
              "aio": f"aio{number:020}", "uti": f"uti{number:019}", "rh": "1." + "AXo" * 9}  # fmt: skip
    return json.dumps({
        "time": "2026-03-04T09:15:02.1234567Z", "operationName": "KeyGet", "correlationId": claims["uti"],
        "identity": {"claim": claims} if number % 2 else json.dumps({"claim": claims}),
        "properties": {"httpStatusCode": 200, "requestUri": "https://contoso.managedhsm.azure.net/keys/k"},
        "durationMs": "7",
    }, separators=(",", ":")).encode()  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_mutated_lines_come_out_the_same(tmp_path, pool, seed):
    dice = random.Random(seed)
    files = [written(tmp_path, f"m{n}/PT1H.json", lines(pool, dice, 150)) for n in range(8)]

    taken = assert_same(tmp_path, files)

    assert taken > 0.1 * sum(path.stat().st_size for path in files)


@pytest.mark.parametrize(
    "entry",
    [
        Evidence("", "", "", 0, "", "2026-03-04T00:00:00Z"),
        Evidence("", "", "", 0, "", "2024-03-04T00:00:00Z"),  # nothing in it can be of 2026
        Evidence("", "", "", 0, "", "2026-11-01T00:00:00Z", times_in="Europe/Amsterdam", dates="day-first"),
    ],
    ids=["acquired soon", "acquired before", "with words"],
)
def test_what_is_known_of_the_evidence_counts_for_lines_that_are_alike(tmp_path, pool, entry):
    dice = random.Random(20)
    files = [written(tmp_path, f"m{n}/PT1H.json", lines(pool, dice, 100)) for n in range(3)]

    assert_same(tmp_path, files, entry)


_texts = st.text(max_size=12) | st.sampled_from(
    ['},{"', '"', "\\", "[", "]}", '{"time":"x"}', "\u2028", "a\nb", "é\U0001f512"]
)
_values = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | _texts
)


@st.composite
def _records(draw):
    """A record with its keys in any order, texts that nobody expects, and fields that nobody knows."""
    fields = {
        "time": draw(st.sampled_from(["2026-03-05T01:59:17Z", "2026-03-05T01:59:17.5Z", "2026-03-05T01:59:17", "x"])),
        "operationName": draw(st.sampled_from(["KeySign", "KeyPurge", "Backup]}"])),
        "correlationId": draw(_texts),
        "durationMs": draw(_values),
        "identity": {"claim": {"oid": draw(_texts), draw(st.sampled_from(["uti", "iat", "upn"])): draw(_values)}},
        "properties": {"httpStatusCode": 200, "clientInfo": draw(_texts), draw(_texts): draw(_values)},
        "x" + draw(_texts): draw(_values),
    }
    return dict(draw(st.permutations(list(fields.items()))))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=st.lists(_records(), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_whatever_record_comes_again_comes_out_the_same(tmp_path_factory, records, seed):
    dice = random.Random(seed)
    every = [json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") for record in records]
    again = [varied(line, dice) for line in every for _ in range(4)]
    folder = tmp_path_factory.mktemp("made")

    assert_same(folder, [written(folder, "a/PT1H.json", b"\n".join([*every, *again, *every]) + b"\n")])


def test_lines_of_two_layouts_with_as_many_quotes_are_both_known(tmp_path):
    one = {
        "time": "2026-03-05T01:59:17Z",
        "operationName": "KeySign",
        "correlationId": "a1",
        "identity": {},
        "durationMs": 5,
    }
    two = dict(reversed(one.items()))
    dice = random.Random(1)
    data = b"".join(varied(json.dumps(record).encode(), dice) + b"\n" for _ in range(200) for record in (one, two))

    taken = assert_same(tmp_path, [written(tmp_path, "a/PT1H.json", data)])

    assert taken > 0.9 * len(data)


def test_a_row_of_azure_diagnostics_that_comes_again_is_not_read_by_itself(tmp_path):
    dice = random.Random(1)
    data = b"".join(varied(_diagnostics(number), dice) + b"\n" for number in range(300))

    taken = assert_same(tmp_path, [written(tmp_path, "a/rows.json", data)])

    assert taken > 0.9 * len(data)


def test_a_line_within_something_that_was_opened_before_is_read_as_what_it_is(tmp_path):
    record = json.dumps(
        {"time": "2026-03-05T01:59:17Z", "operationName": "KeySign", "identity": {}, "properties": {}}
    ).encode()
    data = (
        (record + b"\n") * 5
        + b'{"records":[\n'
        + (record + b",\n") * 3
        + b'{"a": [\n'
        + (record + b"\n") * 3
        + b"]}]}\n"
        + record
    )

    assert_same(tmp_path, [written(tmp_path, "a/PT1H.json", data), written(tmp_path, "b/PT1H.json", data)])


def test_what_is_known_begins_anew_when_it_is_too_much(tmp_path, pool, monkeypatch):
    monkeypatch.setattr(_templates, "_MOST", 40)
    dice = random.Random(5)
    files = [written(tmp_path, f"m{n}/PT1H.json", lines(pool, dice, 100)) for n in range(6)]

    assert assert_same(tmp_path, files) > 0
