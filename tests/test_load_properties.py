"""Whatever stands in a file: every byte is accounted for, every record leads back to its bytes, and blocks change nothing."""

import csv
import io
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mhsm_forensics.load import records

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

_texts = st.text(max_size=12) | st.sampled_from(
    ['},{"', '"', "\\", "[", "]}", '{"time":"x"}', "\u2028", "a\nb", "é\U0001f512"]
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_numbers = st.integers(0, 10**6)


@st.composite
def audit_records(draw):
    """A record as the service writes it, its keys in any order, with fields that nobody knows."""
    fields = {
        "time": f"2026-03-05T01:59:17.{draw(_numbers):07}Z",
        "operationName": draw(st.sampled_from(["KeySign", "KeyPurge", "Backup]}"])),
        "identity": {"claim": {"oid": draw(_texts)}},
        "properties": {"httpStatusCode": 200, "clientInfo": draw(_texts), "more": draw(_values)},
        "x" + draw(_texts): draw(_values),
    }
    return dict(draw(st.permutations(list(fields.items()))))


def dumped(record, *, pretty=False):
    return json.dumps(record, indent=2 if pretty else None, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read(data, size=1 << 20):
    """What is read of some bytes: records, rejects, places."""
    batches = list(records([data[i : i + size] for i in range(0, len(data), size)]))
    places = [b.place(i) for b in batches for i in range(len(b.records))]
    found = [(r.time, r.operationName, bytes(r.properties)) for b in batches for r in b.records]
    rejects = [(r.place, r.reason) for b in batches for r in b.rejects]
    return found, places, rejects, sum(b.blank for b in batches)


_FRAMINGS = {
    "lines": lambda parts: b"\n".join(parts) + b"\n",
    "crlf": lambda parts: b"\r\n".join(parts),
    "cr": lambda parts: b"\r".join(parts) + b"\r",
    "back to back": b"".join,
    "commas": b", ".join,
    "array": lambda parts: b"[" + b",\n".join(parts) + b"]",
    "array without an end": lambda parts: b"[" + b",".join(parts),
    "records": lambda parts: b'{"records": [' + b",".join(parts) + b"]}",
    "leading comma": lambda parts: b'{"records":[,' + b",".join(parts) + b",]}",
    "a wrapper each": lambda parts: b"".join(b'{"records":[' + part + b"]}" for part in parts),
    "text sequence": lambda parts: b"".join(b"\x1e" + part + b"\n" for part in parts),
    "wrappers in an array": lambda parts: b"[" + b",".join(b'{"records":[' + part + b"]}" for part in parts) + b"]",
}


@quick
@given(
    st.lists(audit_records(), min_size=1, max_size=5),
    st.sampled_from(sorted(_FRAMINGS)),
    st.booleans(),
    st.integers(1, 200),
)
def test_records_are_read_however_they_stand(some, framing, pretty, size):
    parts = [dumped(record, pretty=pretty and framing not in {"lines", "crlf", "cr"}) for record in some]
    data = _FRAMINGS[framing](parts)

    found, places, rejects, _ = read(data)

    assert [(time, name) for time, name, _ in found] == [(record["time"], record["operationName"]) for record in some]
    assert [data[place.offset : place.offset + place.length] for place in places] == parts
    assert rejects == []
    assert len({(place.offset, place.nth) for place in places}) == len(places)
    assert read(data, size) == read(data)


_BAD = st.sampled_from(
    [b"#### rotated ####", b'{"time":"2026-03-05T01:59', b'{"a":1', b"nul\x00nul", b'"x', b"{'time':'x'}", b"}{"]
)


@quick
@given(st.lists(audit_records().map(dumped) | _BAD, min_size=1, max_size=8), st.integers(1, 100))
def test_a_line_that_is_a_whole_record_is_that_record_whatever_stands_around_it(lines, size):
    good = [line for line in lines if line.endswith(b"}") and line.startswith(b'{"') and b'"operationName"' in line]
    first = dumped({"time": "2026-03-05T01:59:17Z", "operationName": "KeyGet", "properties": {"id": 1}})
    data = b"\n".join([first, *lines]) + b"\n"

    found, places, rejects, _ = read(data, size)

    assert len(found) == len(good) + 1
    assert [data[place.offset : place.offset + place.length] for place in places] == [first, *good]
    assert len(rejects) == len(lines) - len(good)


@quick
@given(
    st.lists(audit_records().map(dumped) | st.binary(max_size=40) | _BAD, max_size=6),
    st.sampled_from([b"\n", b"", b",", b"\r\n"]),
)
def test_every_byte_is_in_a_record_or_a_reject_or_is_what_stands_around_them(parts, between):
    data = between.join(parts)

    _, places, rejects, _ = read(data)

    covered = bytearray(len(data))
    for place in [*places, *(place for place, _ in rejects)]:
        covered[place.offset : place.offset + place.length] = b"\1" * place.length
    left = bytes(byte for byte, known in zip(data, covered, strict=True) if not known)
    assert not left.strip(b" \t\r\n\x0b\x0c,[]{}\x1e\xef\xbb\xbf")


@quick
@given(
    st.lists(st.tuples(_texts, _texts), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\r\n", "\n"]),
    st.integers(1, 90),
)
def test_a_table_is_read_whatever_parts_its_cells(rows, separator, end, size):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["TimeGenerated", "OperationName", "clientInfo_s", "id_s"])
    for number, cells in enumerate(rows):
        writer.writerow([f"2026-03-05T01:59:17.{number:07}Z", "KeyGet", *cells])
    data = buffer.getvalue().encode("utf-8", "surrogatepass")

    found, places, rejects, _ = read(data, size)

    assert rejects == []
    assert len(found) == len(rows)
    assert all(data[place.offset :].startswith(b'"2026-03-05T01:59:17') for place in places)
    assert all(data[place.offset + place.length :].startswith(end.encode()) for place in places)
