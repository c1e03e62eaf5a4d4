"""Broken and odd evidence, one fault a file, each with what must become of its lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ._exports import archives, exports
from ._faults import Fault, at_another_time, fault, good, good_with, lines, of_a_vault, text
from ._hostile import hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._records import Record


def damaged() -> dict[str, bytes]:
    """Return the files of ``damaged/`` by name, with ``expected.json`` among them."""
    faults = [
        *torn(),
        *broken_lines(),
        *wrapped(),
        *encoded(),
        *timed(),
        *odd_values(),
        *identities(),
        *archives(),
        *exports(),
        *hostile(),
    ]
    expected = {one.name: one.expected() for one in sorted(faults, key=lambda one: one.name)}
    return {one.name: one.data for one in faults} | {"expected.json": (json.dumps(expected, indent=1) + "\n").encode()}


def torn() -> Iterator[Fault]:
    """Yield files that end too early, or merely without a newline."""
    whole, last = lines(good(1), good(2), good(3)), text(good(4))
    yield fault("torn-last-line.json", whole + last[:300], event=3, truncated=1)
    yield fault("no-final-newline.json", whole + last, event=4)
    yield fault("torn-array.json", "[" + ",".join((text(good(1)), text(good(2)), last[:300])), event=2, truncated=1)
    yield fault("empty.json", b"")


def broken_lines() -> Iterator[Fault]:
    """Yield files with lines that are no record."""
    first, last = good(1), good(2)
    garbage = ("", "  \t ", "#### log rotated ####", text(good(5))[:200], text(good(6))[:-1] + ",}")
    yield fault("blank-and-garbage-lines.json", lines(first, *garbage, last), event=2, blank=2, not_json=3)
    # A crashed append leaves a run of NULs where bytes were promised.
    nuls = "\0" * 512
    yield fault("nul-runs.json", lines(first, nuls, nuls + text(good(3)), last), event=3, not_json=2)
    pair = text(good(3)) + text(good(4))
    yield fault("two-records-on-a-line.json", lines(first, pair, last), event=4)
    nans = (
        text(good(number, durationMs=7)).replace(":7,", f":{value},").replace(":7}", f":{value}}}")
        for number, value in enumerate(("NaN", "Infinity", "-Infinity"), start=3)
    )
    yield fault("nan-literals.json", lines(first, *nans, last), event=2, not_json=3)
    scalars = ("42", '"text"', "null", "true", "{}", '{"hello":"world"}')
    yield fault("scalar-lines.json", lines(first, *scalars, last), event=2, not_a_record=6)
    unnamed = {name: value for name, value in good(3).items() if name != "operationName"}
    yield fault("no-operation.json", lines(first, unnamed, last), event=2, not_a_record=1)
    yield fault("deep-nesting.json", lines(first, nested_to(60), nested_to(100_000), last), event=3, too_deep=1)
    yield fault(
        "duplicate-lines.json",
        lines(first, last, first, good(1, durationMs="8"), last, good(3)),
        event=4,
        duplicate=2,
    )


def nested_to(depth: int) -> str:
    """Return a good line with arrays nested that deep, written by hand as no encoder goes so far."""
    return text(good_with(depth % 7 + 3, deep="HERE")).replace('"HERE"', "[" * depth + "]" * depth)


def wrapped() -> Iterator[Fault]:
    """Yield whole records that are not one to a line: arrays, wrappers, objects one after the other."""
    records = [good(number) for number in range(1, 4)]
    wrappers = {"array": records, "records": {"records": records}, "value": {"value": records}}
    for name, wrapper in wrappers.items():
        yield fault(f"one-line-{name}.json", text(wrapper), event=3)
        yield fault(f"pretty-{name}.json", json.dumps(wrapper, indent=4) + "\n", event=3)
    pretty = "".join(json.dumps(record, indent=2) + "\n" for record in records)
    yield fault("concatenated-pretty-objects.json", pretty, event=3)
    messages = ({"records": records[:2]}, {"records": records[2:]}, {"records": [of_a_vault(1), good(4)]})
    yield fault("event-hub-messages.json", lines(*messages), event=4, out_of_scope=1)


def encoded() -> Iterator[Fault]:
    """Yield files in other encodings, or with bytes and characters that trip readers."""
    plain = lines(good(1), good(2), good(3))
    yield fault("byte-order-mark.json", b"\xef\xbb\xbf" + plain.encode(), event=3)
    yield fault("utf-16.json", b"\xff\xfe" + plain.encode("utf-16-le"), event=3)
    yield fault("crlf.json", plain.replace("\n", "\r\n"), event=3)
    client = lines(good(1), good_with(2, clientInfo="caf@@ client"), good(3))
    yield fault("invalid-utf-8.json", client.encode().replace(b"@@", b"\xe9\xff"), event=3)
    surrogates = [
        good_with(number, clientInfo=f"half a pair {half}") for number, half in ((2, "\ud83d"), (3, "\ude00"))
    ]
    yield fault("lone-surrogates.json", lines(good(1), *surrogates), event=3)
    nul = [
        good(4 * number + 1, identity={"claim": {"upn": f"a\0{end}@contoso.example"}})
        for number, end in enumerate("bc")
    ]
    yield fault("nul-in-strings.json", lines(*nul, good(2)), event=3)
    # These end a line for str.splitlines(), not for JSON Lines.
    separators = good_with(2, clientInfo="one\u2028two\u2029three\u0085four")
    yield fault("line-separators.json", lines(good(1), json.dumps(separators, ensure_ascii=False), good(3)), event=3)


def timed() -> Iterator[Fault]:
    """Yield times of every kind: those that name an instant, those that don't."""

    def file(name: str, times: tuple[object, ...], **counts: int) -> Fault:
        odd = [at_another_time(good(number), time) for number, time in enumerate(times, start=3)]
        return fault(name, lines(good(1), *odd, good(2)), **counts)

    yield file(
        "time-digits.json",
        ("2026-03-04T09:30:02.1234567Z", "2026-03-04T09:30:02.123Z", "2026-03-04T09:30:02Z"),
        event=5,
    )
    yield file(
        "time-with-offset.json",
        ("2026-03-04T11:30:02.123+02:00", "2026-03-04T03:30:02.1234567-05:30"),
        event=4,
    )
    yield file(
        "time-without-zone.json",
        ("2026-03-04T09:30:02.1234567", "2026-03-04 09:30:02"),
        event=2,
        no_zone=2,
    )
    bad = ("yesterday", "2026-02-30T09:30:02Z", "2026-03-04T25:61:02Z", 17726166)
    yield file("bad-times.json", bad, event=2, bad_time=4)
    yield file("counted-times.json", (1772616602, "1772616602123", "/Date(1772616602123)/"), event=5)
    impossible = ("1601-01-01T00:00:00.0000000Z", "2150-03-04T09:30:02Z", "9999-12-31T23:59:59.9999999Z")
    yield file("impossible-times.json", impossible, event=2, impossible_time=3)
    yield file("us-style-times.json", ("3/4/2026, 9:30:02.123 AM", "03/04/2026 9:30:02 PM"), event=2, no_zone=2)
    yield file("no-time.json", (None, ""), event=2, no_time=2)


def odd_values() -> Iterator[Fault]:
    """Yield records whose values have other types or names than one expects; all of them are events."""

    def file(name: str, *records: Record) -> Fault:
        return fault(name, lines(good(1), *records), event=1 + len(records))

    yield file("numbers-as-strings.json", good_with(2, httpStatusCode="403"), good(3, durationMs="78"))
    yield file(
        "odd-numbers.json",
        good_with(2, httpStatusCode=403.0),
        good_with(3, httpStatusCode="abc"),
        good_with(4, httpStatusCode=True),
        good(5, durationMs=12.7),
        good(6, durationMs=-1),
        good(7, durationMs=""),
    )
    yield file(
        "status-as-string.json",
        good_with(2, httpStatusCode="200 OK"),
        good_with(3, httpStatusCode="Forbidden"),
    )
    huge = text(good_with(4, httpStatusCode=7)).replace(":7,", ":1e400,")
    overflow = lines(good(1), good(2, durationMs=2**63), good_with(3, httpStatusCode=10**40), huge)
    yield fault("int64-overflow.json", overflow, event=4)
    yield file(
        "unknown-fields.json",
        good(2, futureField={"a": [1, 2]}),
        good_with(3, newProperty="x", nsp={"id": 1}),
    )
    zeros = {
        "claim": {
            "oid": "00000000-0000-0000-0000-000000000042",
            "appid": "00000012-0000-0000-c000-000000000000",
        }
    }
    yield file(
        "leading-zeros.json",
        good(2, identity=zeros, correlationId="0000123"),
        good(3, operationVersion="007.10"),
    )
    shouted = [{name[0].upper() + name[1:]: value for name, value in good(number).items()} for number in (2, 3)]
    yield file("keys-in-another-case.json", *shouted, {name.lower(): value for name, value in good(4).items()})
    anywhere = [{name: value for name, value in good(number).items() if name != "resourceId"} for number in (2, 3)]
    yield file("no-resource-id.json", *anywhere)
    yield file("only-time-and-operation.json", {"time": "2026-03-04T09:40:00.000Z", "operationName": "KeyGet"})
    twice = text(good(2)).replace('"operationName":', '"operationName":"KeyDelete","operationName":', 1)
    yield fault("duplicate-keys.json", lines(good(1), twice, good(3)), event=3)
    yield fault("key-vault-only.json", lines(*(of_a_vault(number) for number in range(3))), out_of_scope=3)


def identities() -> Iterator[Fault]:
    """Yield every way in which an identity was seen, or may come."""
    claims = {
        "claim": {
            "oid": "5790f82e-c1d3-4cff-aa3a-f4d46b0a18e8",
            "appid": "6bf46c69-7d2c-4f82-aeea-cbe226e87555",
        }
    }
    shapes: tuple[object, ...] = (
        claims,
        text(claims),
        text(text(claims)),
        "not json {",
        "",
        {},
        None,
        [],
        {"claim": None},
        7,
    )
    records = [good(number, identity=shape) for number, shape in enumerate(shapes)]
    records.append({name: value for name, value in good(11).items() if name != "identity"})
    yield fault("identity-shapes.json", lines(*records), event=11)
