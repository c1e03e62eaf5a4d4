"""The layer of the ATT&CK Navigator: what was found, what was looked for, what could not be tested."""

from __future__ import annotations

import json
import re

import pytest
from building import copy_of
from click.testing import CliRunner

from mhsm_forensics import detect
from mhsm_forensics.cli import cli
from mhsm_forensics.rules import RULES


@pytest.fixture(scope="module")
def exported(incident, tmp_path_factory):
    """A copy of the incident, and its layer, exported by the command."""
    folder = tmp_path_factory.mktemp("navigator")
    copied = copy_of(incident, folder / "case")
    done = CliRunner().invoke(
        cli, ["export", str(folder / "case"), "--format", "navigator", "-o", str(folder / "layer.json")]
    )
    assert done.exit_code == 0, done.output
    return copied, json.loads((folder / "layer.json").read_text("utf-8"))


def test_it_has_what_the_format_asks_for(exported):
    _, layer = exported

    assert layer["versions"]["layer"] == "4.5"
    assert layer["domain"] == "enterprise-attack"
    assert {"name", "techniques", "gradient", "legendItems", "metadata"} <= layer.keys()
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one["techniqueID"]) for one in layer["techniques"])
    assert all(re.fullmatch(r"#[0-9a-f]{6}", one["color"]) for one in layer["techniques"])


def test_every_technique_of_a_rule_is_there_once(exported):
    _, layer = exported

    names = [one["techniqueID"] for one in layer["techniques"]]
    assert sorted(set(names)) == names
    assert set(names) == {technique for rule in RULES for technique in rule.techniques}


def test_what_was_found_is_told_from_what_was_looked_for_and_from_what_could_not_be_tested(exported):
    case, layer = exported
    findings = detect.run(case)
    looked_for = detect.looked_for(case, findings).set_index("rule_id")

    for one in layer["techniques"]:
        own = findings[[one["techniqueID"] in techniques for techniques in findings["techniques"]]]
        rules = [rule.id for rule in RULES if one["techniqueID"] in rule.techniques]
        if len(own):
            assert one["score"] > 0
            assert own["number"].iloc[0] in one["comment"]
            assert own["finding_id"].iloc[0] in one["comment"]
        elif (looked_for.loc[rules, "testable"] == "yes").any():
            assert one["score"] == 0
            assert "not found" in one["comment"]
        else:
            assert "score" not in one
            assert one["comment"].startswith("Not testable here")


def test_an_export_is_in_the_chain_of_custody(exported):
    case, _ = exported

    last = case.custody.iloc[-1]
    assert last["action"] == "exported"
    assert json.loads(last["detail"])["format"] == "navigator"
