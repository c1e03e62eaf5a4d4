"""Lines of a log, and what damage, other services and strangers make of them: the same for the same seed."""

import json
import random

SPECIAL = [
    b'"', b"\\", b"\\\\", b'\\"', b"\r", b"\t", b"\0", b"\x7f", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"\\u0000", b"\\ud800",
    b"\\ud83d\\ude00", b"{", b"}", b"[", b"]", b",", b":", b" ", b"null", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
]  # fmt: skip
TIMES = [
    "2026-03-04T09:15:02.1234567Z", "2026-03-04T09:15:02Z", "2026-03-04T09:15Z", "2026-03-04T09:15:02.123456789Z",
    "2026-03-04T09:15:02+02:00", "2026-03-04T09:15:02", "", "3/4/2026, 9:15:02 AM", "2026-13-04T09:15:02Z",
    "2026-02-30T09:15:02Z", "2026-03-04 09:15:02Z", " 2026-03-04T09:15:02Z", "2026-03-04T24:00:00Z", "2026-03-04T09:15:60Z",
    "9999-01-01T00:00:00Z", "1601-01-01T00:00:00.0000000Z", "2026-0x-04T09:15:02Z", "2026-03-04T09:15:02.Z", None, 5,
]  # fmt: skip
DURATIONS = [
    67, "67", "067", 0, "0", -1, "-1", 6.7, "6.7", "1_0", "", None, "n/a", 12345678901234567890, "12345678901234567890",
    "999999999999999", 1e3, True, " 67 ", "٦٧", [], {},
]  # fmt: skip
TEXTS = ["", None, 5, "x", "é", 'a"b', "a\\b", "\0", "(unknown)", "a\nb", ["a", "b"], {"x": 1}, "\u2028", "null", True]
FIELDS = (
    "time", "correlationId", "durationMs", "identity", "operationName", "category", "callerIpAddress", "resourceId",
    "requestUri", "resultDescription", "httpStatusCode", "route", "zone_known", "records", "value", "TenantId", "uti",
)  # fmt: skip


def varied(line: bytes, dice: random.Random) -> bytes:
    """The same record again: with another time, correlation id, duration and token."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    for name in record.keys() & {"time", "TimeGenerated"}:
        record[name] = f"2026-03-0{dice.randint(1, 9)}T0{dice.randint(0, 9)}:15:02.{dice.randint(0, 9999999):07}Z"
    for name in record.keys() & {"correlationId", "CorrelationId"}:
        record[name] = f"{dice.getrandbits(32):08x}-fe94-482b-a739-80c0b9db906a"
    for name in record.keys() & {"durationMs", "DurationMs"}:
        record[name] = (
            type(record[name])(dice.randint(0, 2000)) if isinstance(record[name], (int, str)) else record[name]
        )
    claims = record["identity"].get("claim") if isinstance(record.get("identity"), dict) else None
    for name in {"uti", "iat", "aio"} & claims.keys() if isinstance(claims, dict) else ():
        claims[name] = f"{dice.getrandbits(88):022x}"
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def restructured(line: bytes, dice: random.Random) -> bytes:
    """Other values, keys in another order or twice, other spacing; still what a program would write."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    what = dice.choice((_other_field, _other_claim, _other_property, _shuffled, _other_names, _twice, _other_identity))
    return what(record, dice)


def _dumped(record, dice, spaces=None) -> bytes:
    separators = dice.choice(((",", ":"), (",", ":"), (", ", ": "))) if spaces is None else spaces
    return json.dumps(record, ensure_ascii=dice.random() < 0.5, separators=separators).encode("utf-8", "surrogatepass")


def _other_field(record, dice):
    name = dice.choice(FIELDS)
    values = {
        "time": TIMES,
        "durationMs": DURATIONS,
        "category": ["AuditEvent", "Administrative", "SignInLogs", None, "", 5],
    }
    return _dumped(record | {name: dice.choice(values.get(name, TEXTS))}, dice)


def _other_claim(record, dice):
    identity = record.get("identity")
    claims = identity.get("claim") if isinstance(identity, dict) else None
    if isinstance(claims, dict):
        claims[dice.choice(("uti", "iat", "exp", "nbf", "aio", "rh", "oid", "upn"))] = dice.choice(
            [*TEXTS, "1", "z", "tok"]
        )
    return _dumped(record, dice)


def _other_property(record, dice):
    if isinstance(record.get("properties"), dict):
        record["properties"][dice.choice(FIELDS)] = dice.choice([*TEXTS, 401, "401", 5.5])
    return _dumped(record, dice)


def _shuffled(record, dice):
    return _dumped(dict(dice.sample(list(record.items()), len(record))), dice)


def _other_names(record, dice):
    return _dumped({name.upper() if dice.random() < 0.3 else name: value for name, value in record.items()}, dice)


def _twice(record, dice):
    text = _dumped(record, dice, (",", ":"))
    pair = b'"%s":%s' % (dice.choice(FIELDS).encode(), dice.choice([b'"dup"', b"5", b"null", b"{}"]))
    return text[:1] + pair + b"," + text[1:] if dice.random() < 0.5 else text[:-1] + b"," + pair + b"}"


def _other_identity(record, dice):
    identity = record.get("identity")
    claims = identity.get("claim") if isinstance(identity, dict) else identity
    forms = [
        json.dumps(identity),
        {},
        None,
        "",
        "x",
        [],
        5,
        {"claims": claims},
        claims,
        {"claim": {"uti": "a"}, "claims": claims},
    ]
    return _dumped(record | {"identity": dice.choice(forms)}, dice)


def damaged(line: bytes, dice: random.Random) -> bytes:
    """Bytes put in, taken out or replaced."""
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        at, what = dice.randrange(len(line) + 1), dice.randrange(4)
        put = bytes([dice.randrange(256)]) if what == 2 else b"" if what == 1 else dice.choice(SPECIAL)
        line = line[:at] + put + line[at + (0 if what == 0 else dice.choice([1, 1, 2, 10])) :]
    return line.replace(b"\n", b" ")


def lines(pool: list[bytes], dice: random.Random, count: int) -> bytes:
    """Some lines, each a few times over with other slots, and what stands between them in real files."""
    found: list[bytes] = []
    for _ in range(count):
        one = dice.choice(pool)
        if dice.random() < 0.6:
            one = restructured(one, dice)
        if dice.random() < 0.15:
            one = damaged(one, dice)
        found += [varied(one, dice) if dice.random() < 0.9 else one for _ in range(dice.randint(1, 4))]
        if dice.random() < 0.05:
            found.append(
                dice.choice([b"", b"  ", b"garbage", b"\r", b"{}", b"5", b'{"records":[', b"]}", found[-1], b"[", b","])
            )
    dice.shuffle(found)
    end = b"\r\n" if dice.random() < 0.15 else b"\n"
    return end.join(found) + (end if dice.random() < 0.8 else b"")
