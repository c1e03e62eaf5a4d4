"""Whom ids and addresses belong to: by the lists in the case, beside the id and never in its place."""

from __future__ import annotations

import csv
import ipaddress
import json
import random
import re
from importlib import resources

import pandas as pd
import pytest
from building import SAMPLES, copy_of

import mhsm_forensics as mf
from mhsm_forensics import known, operations, report
from mhsm_forensics.terminal import show_overview

LISTS = SAMPLES / "incident" / "context"
DEPLOY = "df5edf54-f331-46cf-baa6-0157746b7a4f"
ANNA = "anna.keller@contoso.example"
CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def case_of(folder, **files):
    """A case of some lists, given as the text of each or as what JSON holds."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("_", ".")).write_text(text)
    return mf.add(mf.create_case(folder / "case"), [folder / name.replace("_", ".") for name in files]).case


def test_one_row_per_id_says_who_it_is_and_by_which_list(listed):
    rows = known.identities(listed).set_index("object_id")

    assert not known.identities(listed)["object_id"].dropna().duplicated().any()
    assert rows.loc[DEPLOY, ["label", "kind", "enabled"]].to_list() == ["svc-deploy", "service_principal", "false"]
    assert rows.loc[DEPLOY, "source"].endswith("service-principals.json")
    (event_id,) = rows.loc[DEPLOY, "event_ids"]
    assert json.loads(b"".join(mf.ingest.raw(listed, event_id)))["id"] == DEPLOY


def test_microsofts_own_applications_are_known_without_a_list(quiet_day):
    rows = known.identities(quiet_day).set_index("app_id")

    assert rows.loc[CLI, ["label", "kind", "status"]].to_list() == [
        "Microsoft Azure CLI",
        "first_party_application",
        "documented",
    ]
    assert rows.loc[CLI, "source"].startswith("https://learn.microsoft.com/")


def test_lists_that_disagree_on_a_name_are_both_heard(tmp_path):
    entry = {"id": "o-1", "appId": "a-1", "servicePrincipalType": "Application"}
    case = case_of(tmp_path, old_json=[entry | {"displayName": "payroll"}], new_json=[entry | {"displayName": "svc-x"}])

    (row,) = known.identities(case).query("object_id == 'o-1'").to_dict("records")

    assert (row["label"], len(row["event_ids"])) == ("payroll / svc-x", 2)
    assert known.labels(case).of("app_id", "A-1") == "payroll / svc-x"


def test_a_role_assignment_names_a_principal_that_no_roster_does(tmp_path):
    grant = {"name": "g", "principalId": "o-2", "principalName": "team", "principalType": "Group", "scope": "/",
             "roleDefinitionId": "x/515eb02d-2335-4d2d-92f2-b1cbdf9c3778"}  # fmt: skip

    labels = known.labels(case_of(tmp_path, roles_json=[grant]))

    assert labels.of("object_id", "o-2") == "team"
    assert labels.of("role_definition_id", "515eb02d-2335-4d2d-92f2-b1cbdf9c3778") == "Managed HSM Crypto Officer"


def test_a_role_is_named_as_the_hsm_names_it_itself(tmp_path):
    role, own = "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", "55555555-5555-4555-8555-555555555555"
    block = [{"name": one, "roleName": name, "assignableScopes": ["/"], "permissions": []}
             for one, name in ((role, "Managed HSM Backup"), (own, "Builder"), ("nameless", None))]  # fmt: skip

    labels = known.labels(case_of(tmp_path, definitions_json=block))

    assert [labels.of("role_definition_id", one) for one in (role, own, "nameless")] == [
        "Managed HSM Backup",
        "Builder",
        "",
    ]
    assert operations.role_ids()["managed hsm backup"] == role


@pytest.mark.parametrize(("name", "key"), [("applications.csv", "app_id"), ("roles.csv", "role_definition_id")])
def test_each_public_id_is_there_once_with_its_source(name, key):
    rows = list(csv.DictReader(resources.files("mhsm_forensics").joinpath(name).read_text("utf-8").splitlines()))

    assert len({row[key] for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row[key]) for row in rows)
    assert all(row["source"] and row["name"] and row["what"] for row in rows)
    if name == "applications.csv":
        assert {row["status"] for row in rows} == {"documented", "observed"}


def test_the_most_specific_network_says_whose_an_address_is(listed):
    rows = known.addresses(listed).set_index("caller_ip")

    assert rows.loc["192.0.2.18", ["address_class", "label", "network"]].to_list() == [
        "corporate", "Utrecht office, staff", "192.0.2.16/28",
    ]  # fmt: skip
    assert rows.loc["10.20.9.40", "network"] == "10.20.9.40/32"
    assert rows.loc["2001:db8:20::44", "label"] == "Staff at home, VPN"
    assert rows.loc["203.0.113.150", ["address_class", "label"]].to_list() == ["azure", "AzureCloud.westeurope"]
    assert rows.loc["198.51.100.77", "label"] is known.pd.NA
    assert len(rows) == rows.index.nunique()


def test_an_address_that_no_list_has_is_what_it_is_by_itself(quiet_day):
    rows = known.addresses(quiet_day, ["10.1.2.3", "100.64.0.1", "8.8.8.8", "somewhere", "10.1.2.3", None])

    assert dict(zip(rows["caller_ip"], rows["address_class"], strict=True)) == {
        "10.1.2.3": "private", "100.64.0.1": "cgnat", "8.8.8.8": "public", "somewhere": "invalid",
    }  # fmt: skip


def test_the_responders_own_list_is_named_before_a_service_tag(tmp_path):
    tags = {"changeNumber": 1, "cloud": "Public", "values": [
        {"name": name, "id": name, "properties": {"addressPrefixes": ["203.0.113.0/28"]}}
        for name in ("AzureCloud", "AzureCloud.westeurope", "Sql")]}  # fmt: skip
    case = case_of(tmp_path, tags_json=tags, own_csv="cidr,label,class\n203.0.113.0/24,our egress,corporate\n")

    (row,) = known.addresses(case, ["203.0.113.5"]).to_dict("records")

    assert (row["address_class"], row["network"]) == ("corporate", "203.0.113.0/28")
    assert row["label"] == "our egress, AzureCloud.westeurope, Sql"
    assert len(row["event_ids"]) == 4


def test_looking_up_gives_what_looking_at_every_network_gives():
    dice = random.Random(7)
    networks = [
        ipaddress.ip_network((dice.getrandbits(bits) >> (bits - length) << (bits - length), length))
        if bits == 32
        else ipaddress.IPv6Network((dice.getrandbits(bits) >> (bits - length) << (bits - length), length))
        for bits, lowest in ((32, 1), (128, 1))
        for length in [dice.randint(lowest, 12) for _ in range(150)]
    ]
    rows = [{"source": "list", "networks": [str(network)], "label": str(network), "address_class": None,
             "source_file": "f", "event_id": "e"} for network in networks]  # fmt: skip
    index = known.Networks(rows)
    addresses = [ipaddress.ip_address(dice.getrandbits(32)) for _ in range(300)]
    addresses += [ipaddress.IPv6Address(dice.getrandbits(128)) for _ in range(300)]

    for address in addresses:
        plain = [network for network in networks if network.version == address.version and address in network]
        best = max(plain, key=lambda network: network.prefixlen, default=None)
        assert [entry.network for entry in index.find(str(address))] == ([str(best)] if best else [])


def test_a_label_stands_beside_an_id_and_says_nothing_twice(listed):
    labels = known.labels(listed)

    assert labels.of("principal", ANNA) == labels.of("upn", ANNA.upper()) == "Anna Keller"
    assert labels.of("app_id", CLI) == "Microsoft Azure CLI"
    assert labels.of("principal", "mi-payments") == labels.of("principal", "svc-deploy") == ""
    assert labels.of("caller_ip", "192.0.2.18") == "Utrecht office, staff"
    assert [labels.of("principal", value) for value in (None, known.pd.NA, float("nan"), "nobody")] == [""] * 4


def test_labels_say_which_lists_they_are_from(listed):
    labels = known.labels(listed)

    assert any(source.endswith("users.csv (3 identities)") for source in labels.sources)
    assert any(source.endswith("addresses.csv (7 address ranges)") for source in labels.address_sources)


def test_the_report_shows_labels_below_ids_and_where_they_are_from(listed_report):
    first = listed_report.read_text("utf-8")

    assert f'{DEPLOY}<span class="below">svc-deploy</span>' in first
    assert '192.0.2.18<span class="below">Utrecht office, staff</span>' in first
    assert len(re.findall(r"users\.csv \(3 identities\)", first)) == 1
    assert "Role assignments in the case, from lists: 16." in first


def test_the_report_of_a_case_without_lists_has_no_labels(written):
    page = written.read_text("utf-8")

    assert "svc-deploy" not in page
    assert "No snapshot of roles is part of this case" in page


def test_a_hostile_label_is_shown_and_never_obeyed(incident, tmp_path, capsys):
    hostile = "<img src=x onerror=alert(1)>\u202e\x1b[31m{{7*7}}"
    copied = copy_of(incident, tmp_path / "case")
    entry = {"id": DEPLOY, "appId": "a", "displayName": hostile, "servicePrincipalType": "Application"}
    (tmp_path / "sp.json").write_text(json.dumps([entry]))
    case = mf.add(copied, [tmp_path / "sp.json"]).case

    page = report.write(case, case.path / "r.html").read_text("utf-8")
    show_overview(mf.overview.overview(case))

    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩⟨U+001B⟩[31m{{7*7}}" in page
    assert "\x1b[31m" not in capsys.readouterr().out


def test_the_terminal_shows_labels_beside_principals(listed, capsys):
    show_overview(mf.overview.overview(listed))

    printed = capsys.readouterr().out
    assert f"{DEPLOY}  svc-deploy" in printed
    assert "users.csv (3 identities)" in printed


def test_a_chart_names_who_the_lists_know_and_keeps_the_id(tmp_path):
    who = "0f0e0d0c-0b0a-4908-8706-050403020100"
    (tmp_path / "users.csv").write_text(f"id,displayName,userPrincipalName\n{who},Anna,anna@contoso.example\n")
    labels = known.labels(mf.add(mf.create_case(tmp_path / "case"), [tmp_path / "users.csv"]).case)
    frame = pd.DataFrame({"principal": [who, "ben", None], "events": [1, 2, 3]}).astype(
        {"principal": "string[pyarrow]"}
    )

    named = labels.beside(frame)

    assert named["principal"].isna().tolist() == [False, False, True]
    assert named["principal"].dropna().tolist() == [f"Anna · {who}", "ben"]
    assert labels.beside(frame.rename(columns={"principal": "lane"}), lane="principal")["lane"][0] == f"Anna · {who}"


def test_a_story_names_who_the_lists_know(incident, tmp_path):
    case = mf.add(mf.create_case(tmp_path / "case"), [SAMPLES / "incident" / "context"]).case

    told = mf.analyse.story(incident.events, labels=known.labels(case))

    headings = told["heading"].dropna()
    assert headings.str.contains("svc-deploy · df5edf54-f331-46cf-baa6-0157746b7a4f from").any()
    assert told["principal"].eq("df5edf54-f331-46cf-baa6-0157746b7a4f").any()


def test_titles_of_findings_name_whom_the_lists_know_beside_the_id(listed, incident):
    titles = " ".join(mf.detect.run(listed)["title"])

    assert f"{DEPLOY} (svc-deploy) from 198.51.100.77 (new address and client for it)" in titles
    assert "(Ingrid Sato) from 192.0.2.18 (Utrecht office, staff)" in titles
    assert "svc-deploy (svc-deploy)" not in titles
    assert "svc-deploy" not in " ".join(mf.detect.run(incident)["title"])


def test_a_label_in_a_title_is_text_on_one_line(incident, tmp_path):
    copied = copy_of(incident, tmp_path / "case")
    roster = tmp_path / "users.json"
    roster.write_text(json.dumps([{"id": DEPLOY, "displayName": "<b>svc</b>\n\u202edeploy\x1b[31m", "userType": "Member",
                                   "userPrincipalName": "svc@contoso.example"}]))  # fmt: skip
    case = mf.add(copied, [roster]).case

    title = mf.detect.run(case)["title"].iloc[0]

    assert "(<b>svc</b>" in title
    assert not set("\n\u202e\x1b") & set(title)
