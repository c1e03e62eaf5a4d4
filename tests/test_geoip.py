"""Where addresses are, by databases in MaxMind's format that are written here."""

from __future__ import annotations

import json

import pytest
from building import copy_of
from click.testing import CliRunner
from mmdb_writer import MMDBWriter
from netaddr import IPSet

import mhsm_forensics as mf
from mhsm_forensics import known
from mhsm_forensics.cli import cli
from mhsm_forensics.enrich import geoip
from mhsm_forensics.errors import EvidenceError, InputError

OSLO = {"country": {"iso_code": "NO", "names": {"en": "Norway"}}, "city": {"names": {"en": "Oslo"}}}
HOSTING = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Hosting"}
THIEF = "198.51.100.77"


def database(path, records, *, kind="GeoLite2-City", version=6):
    """Write a database of some networks."""
    writer = MMDBWriter(version, kind, languages=["en"], ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def cities(tmp_path):
    return database(
        tmp_path / "cities.mmdb", {"198.51.100.0/25": OSLO, "2001:db8:20::/48": {"country": {"iso_code": "NL"}}}
    )


@pytest.fixture
def networks(tmp_path):
    return database(tmp_path / "asn.mmdb", {"198.51.100.0/24": HOSTING}, kind="GeoLite2-ASN", version=4)


@pytest.fixture
def case(incident, tmp_path):
    """A copy of the sample incident."""
    return copy_of(incident, tmp_path / "case")


def test_several_databases_say_country_city_and_network(cities, networks):
    (row,) = geoip.places([THIEF], [cities, networks]).to_dict("records")

    assert [row[name] for name in ("country", "city", "asn", "as_org")] == ["NO", "Oslo", 64500, "Example Hosting"]
    assert row["network"] == "198.51.100.0/25"
    assert [label.partition(" of ")[0] for label in row["databases"]] == ["GeoLite2-City", "GeoLite2-ASN"]


def test_ipv6_is_found_and_a_database_of_ipv4_is_not_asked_for_it(cities, networks):
    found = geoip.places(["2001:db8:20::44", THIEF], [networks, cities]).set_index("caller_ip")

    assert found.loc["2001:db8:20::44", "country"] == "NL"
    assert found.loc["2001:db8:20::44", "network"] == "2001:db8:20::/48"
    assert found["asn"].dropna().to_dict() == {THIEF: 64500}


def test_an_address_is_asked_for_once_and_private_ones_never(cities):
    found = geoip.places([THIEF, THIEF, "10.0.0.1", "somewhere", "192.0.2.1"], [cities])

    assert found["caller_ip"].to_list() == [THIEF]


def test_a_flat_database_is_read_too(tmp_path):
    path = database(tmp_path / "flat.mmdb", {"198.51.100.0/24": {
        "country": "Norway", "country_code": "NO", "city": "Oslo", "asn": "AS64500", "as_name": "Example"}})  # fmt: skip

    (row,) = geoip.places([THIEF], [path]).to_dict("records")

    assert [row[name] for name in ("country", "city", "asn", "as_org")] == ["NO", "Oslo", 64500, "Example"]


def test_the_first_database_with_an_answer_is_believed(cities, tmp_path):
    other = database(tmp_path / "other.mmdb", {"198.51.100.0/24": {"country": {"iso_code": "SE"}}})

    assert geoip.places([THIEF], [cities, other])["country"].to_list() == ["NO"]
    assert geoip.places([THIEF], [other, cities])[["country", "city"]].to_numpy().tolist() == [["SE", "Oslo"]]


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com" + b"\xff" * 40])
def test_a_broken_database_is_one_clear_error_and_changes_nothing(case, tmp_path, content):
    (tmp_path / "broken.mmdb").write_bytes(content)
    before = case.custody["sha256"].to_list()

    with pytest.raises(EvidenceError, match=r"broken\.mmdb: no database of places.*Hint") as problem:
        geoip.keep_places(case, [tmp_path / "broken.mmdb"])

    assert "\n" not in str(problem.value)
    assert case.custody["sha256"].to_list() == before
    assert known.places(case).empty


def test_a_database_that_is_damaged_inside_is_an_error_too(cities):
    content = bytearray(cities.read_bytes())
    half = content.index(b"\xab\xcd\xefMaxMind.com") // 2
    content[:half] = b"\xff" * half
    cities.write_bytes(content)

    with pytest.raises(EvidenceError, match=r"cities\.mmdb"):
        geoip.places([THIEF], [cities])


def test_a_missing_database_and_none_at_all(tmp_path):
    with pytest.raises(EvidenceError, match="no such file"):
        geoip.places([THIEF], [tmp_path / "none.mmdb"])
    with pytest.raises(InputError, match="no database"):
        geoip.places([THIEF], [])


def test_places_are_kept_in_the_case_and_custody_says_by_what(case, cities, networks):
    kept = geoip.keep_places(case, [cities, networks])

    rows = known.addresses(case).set_index("caller_ip")
    assert rows.loc[THIEF, ["country", "city", "as_org"]].to_list() == ["NO", "Oslo", "Example Hosting"]
    assert (kept.asked, kept.found, kept.local) == (8, 3, 7)
    entry = case.custody.iloc[-1]
    (first, second) = json.loads(entry["detail"])["databases"]
    assert entry["action"] == "looked up places"
    assert (first["file"], first["sha256"]) == ("cities.mmdb", mf.case.sha256_of(cities))
    assert (second["type"], first["built"][-1]) == ("GeoLite2-ASN", "Z")
    assert mf.case.verify(case) == []
    assert "NO, Oslo, AS64500 Example Hosting" in known.labels(case).of("caller_ip", THIEF)


def test_places_outlive_a_rebuild_and_are_replaced_by_the_next_look(case, cities, networks):
    geoip.keep_places(case, [cities])
    case = mf.rebuild(case)
    assert known.places(case)["country"].notna().any()

    geoip.keep_places(case, [networks])

    assert known.places(case)["country"].isna().all()


def test_the_command_says_when_it_was_built_and_how_many_are_found(case, cities, networks):
    answer = CliRunner().invoke(cli, ["enrich", str(case.path), "--geoip", str(cities), "--geoip", str(networks)])

    assert answer.exit_code == 0
    assert "cities.mmdb: GeoLite2-City, built 20" in answer.output
    assert "3 of 8 addresses found; 7 more are private" in answer.output


def test_the_command_without_a_database_is_wrong_usage(case):
    assert CliRunner().invoke(cli, ["enrich", str(case.path)]).exit_code == 2


def test_a_place_is_in_the_report_with_its_database(case, cities):
    geoip.keep_places(case, [cities])

    page = mf.report.write(case, case.path / "r.html").read_text("utf-8")

    assert f'{THIEF}<span class="below">NO, Oslo</span>' in page
    assert page.count("GeoLite2-City of 20") == 2  # as the source of labels, and among the limits
    assert "No location was looked up" not in page
