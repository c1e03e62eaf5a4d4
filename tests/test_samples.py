"""The samples are the same bytes everywhere, and hold what their truth says."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mhsm_forensics import samples

COMMITTED = Path(__file__).parent.parent / "data-samples"
INCIDENT = COMMITTED / "incident"

Record = dict[str, Any]


@pytest.fixture(scope="module")
def truth() -> Record:
    return json.loads((INCIDENT / "truth.json").read_text())


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    """Every line of the incident's blobs, with its blob, in the order of paths."""
    blobs = sorted(INCIDENT.rglob("PT1H.json"))
    return [(path.relative_to(INCIDENT).as_posix(), line) for path in blobs for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def records(lines: list[tuple[str, str]], truth: Record) -> list[Record]:
    """The records of the HSMs, each once, in order of time."""
    torn = [line for blob, line in lines if blob == truth["torn_file"]][-1]
    whole = dict.fromkeys(line for _, line in lines if line and line != torn)
    events = [record for record in map(json.loads, whole) if "/MANAGEDHSMS/" in record["resourceId"].upper()]
    return sorted(events, key=lambda record: record["time"])


def status(record: Record) -> int:
    return record.get("httpStatusCode") or record["properties"]["httpStatusCode"]


def hsm(record: Record) -> str:
    return record["resourceId"].rsplit("/", 1)[1].lower()


def uri(record: Record) -> str:
    return record.get("requestUri") or record["properties"]["requestUri"]


def claims(record: Record) -> Record:
    identity = record["identity"]
    return (json.loads(identity) if isinstance(identity, str) else identity).get("claim", {})


def object_id(record: Record) -> str | None:
    claim = claims(record)
    nested = claim.get("http_schemas_microsoft_com_identity", {}).get("claims", {})
    return claim.get("oid") or nested.get("objectidentifier")


def to_the_millisecond(time: str) -> str:
    return time[:23] + "Z"


def test_the_committed_samples_are_what_the_code_writes(tmp_path: Path):
    """Refresh: remove data-samples/, then ``python -m mhsm_forensics.samples data-samples/``."""
    samples.write(tmp_path)

    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    committed = {path.relative_to(COMMITTED): path.read_bytes() for path in COMMITTED.rglob("*") if path.is_file()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_samples_are_small():
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*") if path.is_file()) < 10_000_000


def test_every_line_of_the_incident_has_one_fate(lines: list[tuple[str, str]], truth: Record):
    fates: Counter[str] = Counter()
    seen = set()
    for _, line in lines:
        try:
            record = json.loads(line) if line else None
        except json.JSONDecodeError:
            fates["reject"] += 1
            continue
        if record is None:
            fates["blank"] += 1
        elif "/VAULTS/" in record["resourceId"].upper():
            fates["out_of_scope"] += 1
        else:
            fates["duplicate" if line in seen else "event"] += 1
        seen.add(line)

    assert {fate: truth["fates"][fate] for fate in fates} == fates
    assert truth["fates"]["lines"] == len(lines)


def test_only_the_torn_file_lacks_its_last_newline(truth: Record):
    torn = [path for path in INCIDENT.rglob("PT1H.json") if not path.read_bytes().endswith(b"\n")]

    assert [path.relative_to(INCIDENT).as_posix() for path in torn] == [truth["torn_file"]]


def test_each_hsm_has_as_many_events_as_told(records: list[Record], truth: Record):
    assert Counter(map(hsm, records)) == {one["name"]: one["events"] for one in truth["hsms"]}


def test_each_act_of_each_phase_is_in_the_files(records: list[Record], truth: Record):
    told = [act for phase in truth["phases"] for act in phase["acts"] if act["operation"] != "Authentication"]
    thief = [one for one in records if caller(one) in truth["attacker"]["addresses"] and claims(one)]
    for act in told:
        found = [
            record
            for record in thief
            if (hsm(record), record["operationName"], status(record)) == (act["hsm"], act["operation"], act["status"])
            and act["first_time"] <= to_the_millisecond(record["time"]) <= act["last_time"]
        ]
        times = sorted(to_the_millisecond(record["time"]) for record in found)
        keys = {name for record in found for name in re.findall(r"/(?:deleted)?keys/([^/?]+)", uri(record))}

        assert len(found) == act["count"], act
        assert (times[0], times[-1]) == (act["first_time"], act["last_time"])
        assert sorted(keys) == act["keys"]
    assert len(thief) == sum(act["count"] for act in told) == truth["attacker"]["events"]


def test_the_thief_is_a_known_principal_at_an_unknown_place(records: list[Record], truth: Record):
    attacker = truth["attacker"]
    mine = [record for record in records if object_id(record) == attacker["object_id"]]

    assert {caller(record) for record in mine} == {*attacker["addresses"], *attacker["usual_addresses"]}
    assert {claims(record)["appid"] for record in mine} == {attacker["app_id"]}
    before = [record for record in mine if record["time"] < truth["t0"]]
    assert {caller(record) for record in before} == set(attacker["usual_addresses"])


def caller(record: Record) -> str:
    return record["callerIpAddress"]


def test_an_hsm_in_silence_has_no_record_at_all(records: list[Record], truth: Record):
    for silence in truth["silence"]:
        times = [to_the_millisecond(record["time"]) for record in records if hsm(record) == silence["hsm"]]

        assert silence["start"] in times
        assert silence["end"] in times
        assert not [time for time in times if silence["start"] < time < silence["end"]]
        assert silence["events_not_logged"] > 20


def test_callers_of_lost_keys_get_404(records: list[Record], truth: Record):
    services = {one["object_id"]: one for one in truth["callers_of_lost_keys"]}
    failed = Counter(
        object_id(record)
        for record in records
        if status(record) == 404
        and any(f"/keys/{one['key']}/" in uri(record) for one in services.values())
        and record["time"] > truth["t0"]
    )

    assert failed == {identity: one["events"] for identity, one in services.items()}


def test_the_incident_holds_every_trap(lines: list[tuple[str, str]], records: list[Record]):
    uris = [uri(record) for record in records]
    blob_hours = {"{}-{}-{}T{}".format(*re.findall(r"/[ymdh]=(\d+)", blob)[:4]) for blob, _ in lines}

    assert {record["resultType"] for record in records} == {"Success"}
    assert {200, 201, 202, 204, 400, 401, 403, 404, 409} == set(map(status, records))
    assert {type(record["durationMs"]) for record in records} == {int, str}
    assert {len(record["time"]) for record in records} == {24, 28}
    assert [one for one in uris if re.search(r"/keys/[\w-]+//\w+", one)]
    assert [one for one in uris if re.search(r"/keys/[\w-]+/\?", one)]
    assert [one for one in uris if ":8443/" in one]
    assert [one for one in uris if "&_=1" in one]
    assert [one for one in uris if "/keys/providers/Microsoft.Authorization/" in one]
    assert [record for record in records if not record["resourceId"].isupper()]
    assert [record for record in records if caller(record).count(":") == 1]
    assert [record for record in records if caller(record).startswith("2001:db8:")]
    assert [line for blob, line in lines if line and blob_hour(blob) > line.split('"time":"', 1)[1][:13]]
    assert "2026-03-18T07" in blob_hours, "the key vault goes on while the HSMs are silent"


def blob_hour(blob: str) -> str:
    year, month, day, hour, _ = re.findall(r"/[ymdh]=(\d+)", blob + "/h=0")[:5]
    return f"{year}-{month}-{day}T{hour}"


def test_a_denial_says_why_in_several_lines(records: list[Record]):
    denials = [record["resultDescription"] for record in records if status(record) == 403]

    assert denials
    assert all("Assignment: (not found)\nDenyAssignmentId: null" in denial for denial in denials)


def test_the_quiet_day_is_one_utc_day_with_nothing_wrong():
    paths = sorted((COMMITTED / "quiet-day").rglob("PT1H.json"))
    quiet = [(blob_hour(path.as_posix()), json.loads(line)) for path in paths for line in path.read_text().splitlines()]

    assert len(paths) == 24
    assert all(record["time"].startswith(hour) for hour, record in quiet)
    assert {status(record) for _, record in quiet} <= {200, 202, 400, 401, 404}
    assert len({hsm(record) for _, record in quiet}) == 1


def test_no_address_belongs_to_anyone(lines: list[tuple[str, str]]):
    networks = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32")
    allowed = [ipaddress.ip_network(network) for network in networks]
    callers = {match for _, line in lines for match in re.findall(r'"callerIpAddress":"([^"]+)"', line)}
    addresses = [ipaddress.ip_address(re.sub(r"^([\d.]+):\d+$", r"\1", one)) for one in callers]

    assert addresses
    assert [one for one in addresses if not any(one in network for network in allowed)] == []


def test_every_damaged_file_is_expected():
    expected = json.loads((COMMITTED / "damaged" / "expected.json").read_text())
    names = {path.name for path in (COMMITTED / "damaged").iterdir()} - {"expected.json"}

    assert set(expected) == names
    assert all(one["reject"] == sum(one["reasons"].values()) for one in expected.values())


def test_the_bulk_tree_has_the_size_asked_for_and_no_line_twice(tmp_path: Path):
    samples.bulk(tmp_path, megabytes=4, files=3, seed=7)

    blobs = sorted(tmp_path.rglob("PT1H.json"))
    written = [line for blob in blobs for line in blob.read_text().splitlines()]
    assert len(blobs) == 3
    assert sum(blob.stat().st_size for blob in blobs) == pytest.approx(4_000_000, rel=0.02)
    assert len({json.loads(line)["correlationId"] for line in written}) == len(written)
    assert len({json.dumps(json.loads(line)["identity"]) for line in written}) > 1000


def test_the_long_line_is_a_whole_record_between_two_others(tmp_path: Path):
    samples.long_line(tmp_path / "long.json", 2)

    written = (tmp_path / "long.json").read_text().splitlines()
    assert [len(json.dumps(json.loads(line))) > 2_000_000 for line in written] == [False, True, False]


# scenarios


TOLD = list(samples.scenarios())


@pytest.mark.parametrize("scenario", TOLD, ids=lambda one: one.name)
def test_a_scenario_marks_what_must_be_shown(scenario):
    week = scenario.week(1)

    assert bool(week.core) == bool(scenario.techniques) == scenario.is_incident
    assert max(week.core, default=0) <= len(week.lines)


@pytest.mark.parametrize("scenario", TOLD[::9], ids=lambda one: one.name)
def test_a_scenario_is_the_same_for_the_same_seed_and_another_for_another(scenario):
    week = scenario.week(1)

    assert week == scenario.week(1)
    assert week.lines != scenario.week(2).lines


def test_there_are_as_many_innocent_weeks_as_incidents():
    incidents = [one for one in TOLD if one.is_incident]

    assert len(incidents) >= 12
    assert len(TOLD) - len(incidents) >= len(incidents)
