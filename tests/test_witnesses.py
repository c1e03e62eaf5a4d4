"""Which records say one request: a function of the records, whatever the order in which they are added."""

import csv
import hashlib
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from building import copy_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mhsm_forensics import accounting, ingest, schema
from mhsm_forensics.case import create_case, open_case, read_custody, seal, verify
from mhsm_forensics.ingest import _cells
from mhsm_forensics.ingest._statements import may_say_more

HSM = "/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO"


def record(number, *, time=None, **more):
    """A storage record whose minute is its number; *more* goes into it as it is, ``status`` and ``key`` where they belong."""
    status, key = more.pop("status", 200), more.pop("key", "k")
    made = {
        "time": time or f"2026-03-05T02:{number:02d}:07.1234567Z", "resourceId": HSM, "operationName": "KeySign",
        "category": "AuditEvent", "resultType": "Success", "resultSignature": "OK", "durationMs": str(number),
        "callerIpAddress": "203.0.113.5", "correlationId": f"c{number}",
        "identity": {"claim": {"oid": "b1c5", "appid": "04b0", "uti": f"u{number}"}},
        "properties": {"clientInfo": "AZURECLI/2.7", "requestUri": f"https://contoso.managedhsm.azure.net/keys/{key}/sign",
                       "httpStatusCode": status},
    }  # fmt: skip
    return made | more


def portal(records, *, cut="%Y-%m-%dT%H:%M:%S.%f", digits=23, without=()):
    """The same requests as the portal's CSV of AzureDiagnostics, its times cut to so many letters."""
    rows = [
        {
            "TimeGenerated [UTC]": one["time"][:digits], "ResourceId": one["resourceId"],
            "OperationName": one["operationName"], "ResultSignature": one["resultSignature"],
            "CorrelationId": one["correlationId"], "DurationMs": one["durationMs"],
            "CallerIPAddress": one["callerIpAddress"], "requestUri_s": one["properties"]["requestUri"],
            "httpStatusCode_d": f"{one['properties']['httpStatusCode']}.0", "identity_claim_oid_g": "b1c5",
            "Type": "AzureDiagnostics",
        }
        for one in records
    ]  # fmt: skip
    file = io.StringIO()
    table = csv.DictWriter(file, [name for name in rows[0] if name not in without], extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    return file.getvalue()


def lines(records):
    return "".join(json.dumps(one) + "\n" for one in records)


def made(folder, *contents, together=False):
    """A case of some files, each added for itself, in this order."""
    paths = []
    for name, text in contents:
        path = folder / hashlib.sha256(text.encode()).hexdigest()[:8] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        paths.append(path)
    case = create_case(folder / f"case-{len(list(folder.iterdir()))}")
    for group in [paths] if together else [[path] for path in paths]:
        case = ingest.add(case, group).case
    assert verify(case) == []
    assert len(case.events) == case.accounting["event"].iloc[0]
    assert len(case.witnesses) == case.accounting[["event", "witness", "duplicate"]].iloc[0].sum()
    return case


def told(case):
    """How many records each event has, by its time."""
    counts = case.witnesses["event_id"].value_counts()
    return [int(counts[one]) for one in case.events.df(["event_id"])["event_id"]]


THREE = [record(n) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "other",
    [
        ("same.json", "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in THREE)),
        ("pretty.json", json.dumps(THREE, indent=2)),
        ("order.json", "".join(json.dumps(one, sort_keys=True) + "\n" for one in THREE)),
        ("ms.csv", portal(THREE)),
        ("seconds.csv", portal(THREE, digits=19)),
        ("minutes.csv", portal(THREE, digits=16)),
        ("few.csv", portal(THREE, without=("CorrelationId", "DurationMs", "httpStatusCode_d", "identity_claim_oid_g"))),
        (
            "fewer.csv",
            portal(THREE, digits=16, without=("CorrelationId", "DurationMs", "CallerIPAddress", "ResourceId")),
        ),
    ],
    ids=lambda pair: pair[0],
)
def test_the_same_requests_in_another_form_are_no_other_events(tmp_path, other):
    one, two = made(tmp_path, ("PT1H.json", lines(THREE)), other), made(tmp_path, other, ("PT1H.json", lines(THREE)))

    for case in (one, two):
        assert told(case) == [2, 2, 2]
        assert set(case.events.df(["precision"])["precision"]) == {1}
        assert set(case.events.df(["correlation_id"])["correlation_id"]) == {"c1", "c2", "c3"}
    assert one.events.df().drop(columns="source_file").equals(two.events.df().drop(columns="source_file"))


DIFFERENT = {
    "durationMs": "99", "callerIpAddress": "198.51.100.9", "correlationId": "other", "status": 403, "key": "l",
    "identity": {"claim": {"oid": "b1c5", "appid": "04b0", "uti": "u1", "acr": "2"}}, "resultDescription": "no",
}  # fmt: skip


@pytest.mark.parametrize("field", DIFFERENT)
def test_two_records_of_one_route_that_differ_in_what_both_have_are_two(tmp_path, field):
    whole = record(
        1, resultDescription="yes", identity={"claim": {"oid": "b1c5", "appid": "04b0", "uti": "u1", "acr": "1"}}
    )
    other = record(1, **{"resultDescription": "yes", "identity": whole["identity"], field: DIFFERENT[field]})

    case = made(tmp_path, ("a.json", lines([whole])), ("b.json", lines([other])))

    assert told(case) == [1, 1]


def test_of_one_file_what_lacks_a_field_is_another_request(tmp_path):
    bare = {name: value for name, value in record(1).items() if name != "correlationId"}

    assert told(made(tmp_path, ("a.json", lines([record(1), bare])))) == [1, 1]
    assert told(made(tmp_path / "two", ("a.json", lines([record(1)])), ("b.json", lines([bare])))) == [2]


@pytest.mark.parametrize(("rows", "right"), [(2, [2, 2, 1, 1, 1]), (5, [2] * 5), (6, [3, 2, 2, 2, 2])])
def test_rows_that_are_written_alike_stand_for_as_many_requests_as_there_are(tmp_path, rows, right):
    calls = [record(1, time=f"2026-03-05T02:01:0{n}.1234567Z", correlationId=f"c{n}") for n in range(5)]
    alike = portal([calls[0]] * rows, digits=16, without=("CorrelationId",))

    case = made(tmp_path, ("PT1H.json", lines(calls)), ("minutes.csv", alike))

    assert sorted(told(case), reverse=True) == right


def of_one_minute(count):
    """Requests of one minute whose correlation ids are GUIDs, and their rows in the portal's CSV, that writes these large."""
    ids = [f"0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e{n:02x}" for n in range(count)]
    calls = [record(1, time=f"2026-03-05T02:01:{n:02d}.1234567Z", correlationId=one) for n, one in enumerate(ids)]
    return calls, portal([one | {"correlationId": one["correlationId"].upper()} for one in calls], digits=16)


def test_records_of_two_correlation_ids_are_not_compared(tmp_path, monkeypatch):
    compared = []
    requests_of = _cells.requests_of
    monkeypatch.setattr(_cells, "requests_of", lambda ones: compared.append(len(ones)) or requests_of(ones))
    calls, minutes = of_one_minute(12)

    case = made(tmp_path, ("PT1H.json", lines(calls)), ("minutes.csv", minutes))

    assert told(case) == [2] * 12
    assert compared == [2] * 12


def test_a_record_without_a_correlation_id_may_be_of_any_request(tmp_path):
    calls, minutes = of_one_minute(3)
    bare = portal(calls[1:2], digits=19, without=("CorrelationId",))

    case = made(tmp_path, ("PT1H.json", lines(calls)), ("minutes.csv", minutes), ("bare.csv", bare))

    assert told(case) == [2, 3, 2]


def test_rows_that_are_written_alike_count_once_where_nothing_tells_them_apart(tmp_path):
    alike = portal([record(1)] * 5, digits=16, without=("CorrelationId",))

    case = made(tmp_path, ("minutes.csv", alike))

    assert told(case) == [5]
    assert case.witnesses["relation"].value_counts().to_dict() == {"same bytes": 4, "fullest": 1}


def test_a_row_that_fits_two_requests_leaves_the_one_that_another_row_needs(tmp_path):
    calls = [record(1, correlationId="one"), record(1, time="2026-03-05T02:01:30.0000000Z", correlationId="two")]
    either, first = {**calls[0], "correlationId": ""}, calls[0]

    case = made(tmp_path, ("PT1H.json", lines(calls)), ("minutes.csv", portal([either, first], digits=16)))

    assert told(case) == [2, 2]


def test_a_fuller_record_takes_the_place_of_the_event_and_custody_says_so(tmp_path):
    case = made(tmp_path, ("few.csv", portal(THREE, without=("CorrelationId",))))
    old = case.events.df(["event_id"])["event_id"].to_list()
    case.notes.tag(old, "seen")
    path = tmp_path / "PT1H.json"
    path.write_text(lines(THREE[:2]))

    added = ingest.add(case, [path])

    (changed,) = (one for one in old if one in set(added.case.events.df(["event_id"])["event_id"]))
    assert added.replaced == 2
    assert added.fates["event"] == 2
    assert len(added.case.events) == 3
    assert changed == old[2]
    assert added.case.notes.tags() == {one: ["seen"] for one in added.case.events.df(["event_id"])["event_id"]}
    (loaded,) = [entry["detail"] for entry, _ in read_custody(case.path) if entry["action"] == "loaded"][-1:]
    assert loaded["rewritten"] == list(case.manifest.parts)
    assert [b"".join(ingest.raw(added.case, one))[:4] for one in old] == [b"2026"] * 3
    assert verify(added.case) == []


def test_records_of_one_wrapper_have_ids_of_their_own(tmp_path):
    wrapped = json.dumps([{"records": THREE[:2]}, {"records": [*THREE[2:], record(4, operationName="KeyPurge")]}])

    case = made(tmp_path, ("PT1H.json", lines([THREE[1]])), ("hub.json", wrapped))

    assert told(case) == [1, 2, 1, 1]
    assert case.witnesses["witness_id"].is_unique
    assert "KeyPurge" in set(case.events.df(["operation"])["operation"])


def test_events_stand_by_tick_and_then_by_their_place(tmp_path):
    same = [record(1, time="2026-03-05T02:00:00.001Z", correlationId=f"c{n}") for n in range(12)]
    ticks = [record(1, time=f"2026-03-05T03:00:00.000001{9 - n}Z", correlationId=f"t{n}") for n in range(3)]

    case = made(tmp_path, ("PT1H.json", lines([*same, *ticks])))

    events = case.events.df(["correlation_id", "tick"])
    assert events["correlation_id"].to_list() == [*(f"c{n}" for n in range(12)), "t2", "t1", "t0"]
    assert events["tick"].to_list() == [0] * 12 + [7, 8, 9]


def test_the_log_sets_nothing_that_is_not_its_own(tmp_path):
    names = {column.name: "x" for column in (*schema.EVENTS, *schema.WITNESSES) if column.type == "string"}
    sly = record(1) | {name: text for name, text in names.items() if name not in record(1)} | {
        "zone_known": True, "is_utc": True, "tick": 7, "precision": 10**12, "source_number": 5,
    }  # fmt: skip

    case = made(
        tmp_path,
        ("PT1H.json", lines([record(1), sly, record(2) | {"zone_known": True, "time": "2026-03-05T02:02:00"}])),
    )

    rows = case.events.df(["route", "tick", "precision", "source_number"])
    assert rows.drop_duplicates().to_numpy().tolist() == [["storage", 7, 1, 1]]
    assert case.accounting["reject"].iloc[0] == 1


def test_what_a_line_is_hangs_on_nothing_beside_it(tmp_path):
    odd = [lines([record(n)]) for n in (1, 2)] + ['{"operationName": ""}\n', "torn\n", lines([record(3, time="")])]
    alone = {}
    for number, line in enumerate(odd):
        case = made(tmp_path / str(number), ("PT1H.json", line + lines([record(9)])))
        alone[line] = case.accounting["reject"].iloc[0]

    case = made(tmp_path / "all", ("PT1H.json", "".join(odd) + lines([record(9)])))

    assert case.accounting["reject"].iloc[0] == sum(alone.values())
    assert case.accounting["event"].iloc[0] == sum(1 - count for count in alone.values()) + 1


IDS = ["", "a", *(f"0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e{n}f" for n in range(2))]
CALLS = st.tuples(st.integers(0, 2), st.sampled_from(IDS), st.sampled_from([200, 403]))
FORMS = ["lines", "array", "ms", "seconds", "minutes", "few"]
FILES = st.lists(st.tuples(st.sampled_from(FORMS), st.lists(CALLS, min_size=1, max_size=4)), min_size=2, max_size=4)


def written(form, calls):
    """Some of a few requests, which hardly differ, in one of the forms."""
    rows = [record(1, time=f"2026-03-05T02:01:0{s}.1234567Z", correlationId=c, status=status) for s, c, status in calls]
    if form in ("lines", "array"):
        return "PT1H.json", lines(rows) if form == "lines" else json.dumps(rows)
    digits = {"ms": 23, "seconds": 19, "minutes": 16, "few": 16}[form]
    return f"{form}.csv", portal(rows, digits=digits, without=("CorrelationId",) if form == "few" else ())


@settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(FILES, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_adds_changes_nothing(files, dice, together):
    contents = list(dict.fromkeys(written(*one) for one in files))
    turned = contents[:]
    dice.shuffle(turned)
    with tempfile.TemporaryDirectory() as folder:
        one = made(Path(folder) / "one", *contents)
        other = made(Path(folder) / "other", *turned, together=together)

        place = ["source_file"]
        assert one.events.df().drop(columns=place).equals(other.events.df().drop(columns=place))
        assert one.witnesses.drop(columns=place).equals(other.witnesses.drop(columns=place))
        assert one.accounting.equals(other.accounting)
        rebuilt = ingest.rebuild(one)
        assert rebuilt.witnesses.equals(one.witnesses)
        for _, rows in one.witnesses.groupby(["evidence_id", "event_id"]):
            assert set(rows["relation"]) - {"fullest"} <= {"same bytes", "same in other bytes", "other route"}


@pytest.fixture(scope="module")
def fated(tmp_path_factory):
    """Three requests: twice in a file and in its copy, in other bytes, and with their times cut."""
    return made(
        tmp_path_factory.mktemp("fated"), ("PT1H.json", lines([*THREE, *THREE[:2]])), ("PT1H.json", lines(THREE) + "\n"),
        ("same.json", json.dumps(THREE, indent=2)), ("ms.csv", portal(THREE)),
    )  # fmt: skip


def test_a_record_has_the_fate_of_what_it_says_again(fated):
    fates = ["event", "witness", "duplicate"]

    assert fated.evidence[fates].to_numpy().tolist() == [[3, 0, 2], [0, 0, 3], [0, 3, 0], [0, 3, 0]]
    assert fated.accounting[fates].iloc[0].to_list() == [3, 6, 5]


def test_what_one_file_has_twice_is_told(fated):
    assert any(
        "5 records repeat another one byte for byte, 2 of" in text for text in accounting.lines_of_witnesses(fated)
    )


@pytest.mark.parametrize(
    ("more", "less"), [("event", "witness"), ("duplicate", "witness"), ("out_of_scope", "witness"), ("reject", "blank")]
)
def test_verify_counts_every_fate_again(fated, tmp_path, more, less):
    case = copy_of(fated, tmp_path / "case")
    at = next(n for n, entry in enumerate(case.manifest.evidence) if entry.fates[less])
    entries = list(case.manifest.evidence)
    fates = entries[at].fates
    entries[at] = replace(entries[at], fates=fates | {more: fates[more] + 1, less: fates[less] - 1})
    seal(case.path, replace(case.manifest, evidence=tuple(entries)))

    assert any("the accounting says" in problem for problem in verify(open_case(case.path), log=False))


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ('{"requestUri": "a", "httpStatusCode": 200, "tlsVersion": null}', False),
        (None, False),
        ('{"requestUri": "a\\\\":\\\\"", "skr": true}', True),
        ('{"requestUri:": "b", "skr": "c"}', True),
        ('{"keyProperties": {"size": 2048}}', True),
        ('{"requestUri": ["a"]}', False),
        ("@{requestUri=a; skr=b}", True),
        ('{"requestUri": "a"', True),
    ],
)
def test_properties_are_looked_into_where_their_names_say_that_there_is_more(text, more):
    assert may_say_more(pa.chunked_array([[text, "{}"]], pa.string())).tolist() == [more, False]
