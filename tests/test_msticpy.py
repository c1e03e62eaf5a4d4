"""msticpy where it is good: pivots, a provider, KQL, look-ups that are switched on, masks."""

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from building import events

pytest.importorskip("msticpy")

from mhsm_forensics import analyse, case, operations, schema
from mhsm_forensics.case import open_case
from mhsm_forensics.enrich import msticpy as ours
from mhsm_forensics.errors import InputError

HOSTILE = ("') or 1=1 --", "\\' or true //", "a\0b", "x```) or true //", "'; drop table events; --", "*", "%", "")


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """Msticpy without anybody's configuration; a test may write one."""
    from msticpy.common import pkg_config, provider_settings

    config = tmp_path / "msticpyconfig.yaml"
    config.write_text("QueryDefinitions:\n  Custom: []\n", "utf-8")
    monkeypatch.setenv("MSTICPYCONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))

    def configured(text):
        config.write_text(text, "utf-8")
        pkg_config.refresh_config()
        provider_settings.reload_settings()

    pkg_config.refresh_config()
    yield configured
    monkeypatch.undo()
    pkg_config.refresh_config()


@pytest.fixture(scope="module")
def provider(incident):
    return ours.evidence_provider(incident)


def ids(frame):
    return frame["event_id"].tolist()


def python(code, *more):
    done = subprocess.run([sys.executable, "-c", code, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[0]


# Nothing is loaded, nothing is sent


def test_msticpy_is_loaded_when_it_is_called_and_not_before():
    code = "import sys; from mhsm_forensics import enrich; from mhsm_forensics.enrich import msticpy as ours;"

    assert python(code + "print('msticpy' in sys.modules)") == "False"


BROKEN = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "msticpy":
            raise ImportError("it was built for another Python")
sys.meta_path.insert(0, Missing())
import pandas as pd
import mhsm_forensics as mf
from mhsm_forensics.enrich import msticpy as ours
from mhsm_forensics.errors import InputError
frame, said = pd.DataFrame({"principal": ["anna"]}), []
for call in (
    lambda: ours.register(frame), lambda: ours.evidence_provider(frame), ours.register_provider,
    lambda: ours.shareable(frame), lambda: ours.ask_whois([], may_leave_this_machine=True),
    lambda: ours.ask_threat_intelligence([], provider="x", may_leave_this_machine=True),
):
    try:
        call()
    except InputError as problem:
        said.append("\\n" not in str(problem) and "another Python" in str(problem) and "pip install" in str(problem))
works = mf.analyse.principals(mf.open_case(sys.argv[1]).events)
print(said, len(works) > 0, ours.sentinel_values(key="kek"), ours.sentinel_queries().is_dir())
"""


def test_a_msticpy_that_cannot_be_loaded_is_one_clear_error_and_the_rest_works(incident):
    assert python(BROKEN, str(incident.path)) == f"{[True] * 6} True {{'key': 'kek'}} True"


def test_nothing_is_sent_by_registering_asking_or_masking(incident, monkeypatch):
    def refuse(*_):
        raise AssertionError("something was sent")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    asked = ours.evidence_provider(incident).ManagedHSM.list_denials()
    ours.register(incident)

    assert len(ours.shareable(asked).frame) == len(asked) > 0


# The provider


def test_without_a_time_the_whole_case_is_asked_however_old_it_is(provider, incident):
    assert ids(provider.ManagedHSM.list_events()) == ids(incident.events.df())
    assert incident.events.df()["time"].max() < pd.Timestamp.now("UTC") - pd.Timedelta(days=1)


def test_time_is_half_open_and_exact_to_the_microsecond():
    times = ["2026-03-05 02:00:00", "2026-03-05 02:00:00.000001", "2026-03-05 02:00:00.000002"]
    asked = ours.evidence_provider(events(*({"at": time} for time in times))).ManagedHSM.list_events
    first = datetime(2026, 3, 5, 2, tzinfo=UTC)
    step = timedelta(microseconds=1)

    assert ids(asked(start=first + step, end=first + 2 * step)) == ["e:000002"]
    assert ids(asked(start="2026-03-05T03:00:00.000001+01:00")) == ["e:000002", "e:000003"]
    assert ids(asked(end=pd.Timestamp(first) + pd.Timedelta("1001ns"))) == ["e:000001", "e:000002"]
    assert ids(asked(SimpleNamespace(start=first, end=first + step))) == ["e:000001"]


def test_a_query_that_msticpy_splits_loses_and_doubles_nothing(provider, incident):
    first = incident.events.df()["time"].min().floor("D")
    span = {"start": first, "end": first + pd.Timedelta(days=5)}

    whole = provider.ManagedHSM.list_events(**span)
    split = provider.ManagedHSM.list_events(**span, split_query_by="1D")

    one_bound = provider.ManagedHSM.list_events(start=span["end"], split_query_by="1D")

    assert ids(split) == ids(whole)
    assert ids(whole) + ids(one_bound) == ids(incident.events.df())
    assert 0 < len(whole) < len(incident.events)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"start": "2026-03-05T02:00"}, "needs its zone"),
        ({"end": datetime(2026, 3, 5)}, "needs its zone"),  # noqa: DTZ001
        ({"start": "yesterday-ish"}, "not a time"),
        ({"start": 7}, "not a time"),
        ({"start": "2026-03-05T02:00Z", "end": "2026-03-05T02:00Z"}, "holds no time"),
    ],
)
def test_a_time_that_says_too_little_is_refused(provider, span, said):
    with pytest.raises(InputError, match=said):
        provider.ManagedHSM.list_events(**span)


@pytest.mark.parametrize(
    "asked", [{"principal": "mateo.osei@contoso.example"}, {"caller_ip": "198.51.100.77"}, {"hsm": "Contoso-HSM-prod"},
              {"operation": "KeyBackup"}, {"client": "Azure CLI"}, {"caller_ip": "198.51.100.0/24"}],
)  # fmt: skip
def test_a_query_finds_what_our_own_question_finds(provider, incident, asked):
    found = provider.ManagedHSM.list_events(**asked)

    assert ids(found) == ids(analyse.rows(analyse.touching(incident, **asked)))
    assert 0 < len(found) < len(incident.events)


def test_of_several_values_any_and_of_several_things_all():
    frame = events(
        {"principal": "anna", "key_name": "k1"}, {"principal": "ben", "key_name": "k1"},
        {"principal": "anna", "key_name": "k2", "http_status": 403}, {"principal": "cleo", "key_name": "k1"},
    )  # fmt: skip
    asked = ours.evidence_provider(frame).ManagedHSM

    assert ids(asked.list_events(principal=["anna", "ben", None], key="k1")) == ["e:000001", "e:000002"]
    assert ids(asked.list_events(user="anna", outcome="denied")) == ["e:000003"]
    assert ids(asked.list_denials(principal="anna")) == ["e:000003"]
    assert asked.list_events(principal=[]).empty


def test_a_value_with_a_comma_is_one_value():
    asked = ours.evidence_provider(events({"principal": "Keller, Anna"}, {"principal": "Anna"})).ManagedHSM

    assert ids(asked.list_events(principal="Keller, Anna")) == ["e:000001"]


@pytest.mark.parametrize("name", ["principal", "caller_ip", "key", "hsm", "client", "operation", "outcome"])
def test_a_hostile_value_is_a_value_and_nothing_else(name):
    column = {"key": "key_name"}.get(name, name)
    asked = ours.evidence_provider(events({}, *({column: value} for value in HOSTILE), {})).ManagedHSM

    found = [ids(asked.list_events(**{name: value})) for value in HOSTILE]

    assert found == [[f"e:{number:06}"] for number in range(2, len(HOSTILE) + 2)]


def test_a_finding_that_is_none_has_no_events(provider):
    assert provider.ManagedHSM.list_finding_events(finding=list(HOSTILE)).empty


def test_free_text_is_refused(provider):
    with pytest.raises(InputError, match="runs no free text"):
        provider.exec_query("SELECT * FROM read_csv('/etc/passwd')")


def test_findings_lead_to_their_events(provider, findings):
    first = findings.iloc[0]

    found = provider.ManagedHSM.list_finding_events()
    of_one = provider.ManagedHSM.list_finding_events(finding=first["finding_id"])

    assert len(found) == findings["events"].sum()
    assert set(ids(of_one)) == set(first["event_ids"])
    assert set(of_one["rule_id"]) == {first["rule_id"]}
    assert ids(provider.ManagedHSM.list_finding_events(finding=first["number"])) == ids(of_one)


def test_control_events_and_exports_are_those_of_our_own_questions(provider, incident):
    control, exports = provider.ManagedHSM.list_control_events(), provider.ManagedHSM.list_exports()

    assert len(control) == analyse.principals(incident)["control_events"].sum() > 0
    assert set(exports["effect"]) == {"export"}
    assert list(exports.columns) == list(schema.EVENT_NAMES)


def test_a_printed_query_shows_text_and_values(provider):
    shown = repr(provider.ManagedHSM.list_events("print", caller_ip="192.0.2.1"))

    assert "FROM events" in shown
    assert "{'caller_ip': '192.0.2.1'}" in shown


def test_the_stock_way_in_works_too(incident):
    from msticpy.data.core.data_providers import QueryProvider

    ours.register_provider()
    ours.register_provider()
    stock = QueryProvider("MHSMEvidence")

    with pytest.raises(ValueError, match="connect"):
        stock.ManagedHSM.list_denials()
    stock.connect(str(incident.path))

    assert len(stock.ManagedHSM.list_denials()) > 0
    assert set(stock.schema["events"]) == set(schema.EVENT_NAMES)
    assert len([name for name in stock.list_queries() if name.startswith("ManagedHSM.")]) == 5


# Pivots


@pytest.fixture
def pivots(incident):
    from msticpy.datamodel import entities

    ours.register(incident)
    return entities


def test_a_pivot_takes_a_value_a_list_an_entity_and_a_frame(pivots):
    address = "198.51.100.77"
    frame = pd.DataFrame({"src": [address, None, address, "192.0.2.200"]})

    of_value = pivots.IpAddress.mhsm.profile(address)
    others = [
        pivots.IpAddress.mhsm.profile([address]),
        pivots.IpAddress.mhsm.profile(value=address),
        pivots.IpAddress.mhsm.profile(pivots.IpAddress(Address=address)),
        pivots.IpAddress.mhsm.profile([pivots.IpAddress(Address=address)]),
        pivots.IpAddress.mhsm.profile(value=pivots.IpAddress(Address=address)),
        pivots.IpAddress.mhsm.profile(frame["src"].dropna().head(2)),
        pivots.IpAddress.mhsm.profile(frame["src"].dropna().head(2).to_numpy()),
        pivots.IpAddress(Address=address).mhsm_profile(),
        pivots.IpAddress.mhsm.profile(frame, column="src"),
        pivots.IpAddress.mhsm.profile(data=frame, column="src"),
    ]

    assert of_value["asked"].tolist() == [address]
    for other in others:
        pd.testing.assert_frame_equal(other, of_value)


def test_a_pivot_says_what_our_own_question_says_of_old_evidence(pivots, incident):
    address = "198.51.100.77"
    profile = analyse.profile(incident, caller_ip=address)

    assert ids(pivots.IpAddress.mhsm.events(address)) == ids(profile.events and analyse.rows(profile.events))
    assert len(pivots.IpAddress.mhsm.met(address)) == len(profile.met)
    assert len(pivots.IpAddress.mhsm.sessions(address)) == len(profile.sessions)
    assert set(pivots.IpAddress.mhsm.principals(address)["value"]) == set(
        profile.met.loc[profile.met["kind"] == "principal", "value"].dropna()
    )


def test_a_join_keeps_every_row_and_adds_none(pivots):
    frame = pd.DataFrame({"src": ["198.51.100.77", None, "198.51.100.77", "192.0.2.200", pd.NA], "row": range(5)})

    joined = pivots.IpAddress.mhsm.profile(frame, column="src", join="left")

    assert joined["row"].tolist() == [0, 1, 2, 3, 4]
    assert joined["events"].notna().tolist() == [True, False, True, False, False]


def test_a_join_that_would_multiply_rows_is_refused(pivots):
    frame = pd.DataFrame({"src": ["198.51.100.77", "198.51.100.77", "192.0.2.200"]})

    with pytest.raises(InputError, match="multiply"):
        pivots.IpAddress.mhsm.keys(frame, column="src", join="left")
    with pytest.raises(InputError, match="multiply"):
        pivots.IpAddress.mhsm.keys(data=frame, src_col="src", join="inner")
    with pytest.raises(InputError, match="2 different ones among 3"):
        pivots.IpAddress.mhsm.keys(frame["src"], join="left")
    joined = pivots.IpAddress.mhsm.keys(frame.drop_duplicates(), column="src", join="left")

    assert joined["src"].nunique() == 2
    assert len(joined) == len(pivots.IpAddress.mhsm.keys("198.51.100.77")) + 1


@pytest.mark.parametrize("values", [[None], [pd.NA], ["nobody"], HOSTILE])
def test_what_the_evidence_does_not_know_is_an_empty_answer_with_its_columns(pivots, values):
    for question in ("profile", "events", "keys", "met", "denials", "hours", "sessions"):
        found = getattr(pivots.Account.mhsm, question)(pd.DataFrame({"who": list(values)}), column="who")

        assert found.empty
        assert "asked" in found.columns
        assert len(found.columns) > 2


def test_every_entity_finds_its_own_names(pivots, incident):
    row = incident.events.df().query("upn == 'mateo.osei@contoso.example'").iloc[0]
    whole = int(pivots.Account.mhsm.profile(row["object_id"])["events"].iloc[0])

    def events_of(found):
        return found["events"].tolist()

    assert events_of(pivots.Account(Name="mateo.osei", UPNSuffix="contoso.example").mhsm_profile()) == [whole]
    assert events_of(pivots.Account(AadUserId=row["object_id"]).mhsm_profile()) == [whole]
    service = incident.events.df().query("principal_type == 'service_principal'").iloc[0]
    by_object = pivots.ServicePrincipal(ServicePrincipalObjectId=service["object_id"]).mhsm_profile()
    assert events_of(by_object) == events_of(pivots.ServicePrincipal(AppId=service["app_id"]).mhsm_profile())
    by_host = pivots.Host.mhsm.profile("contoso-hsm-prod.managedhsm.azure.net")
    assert events_of(by_host) == events_of(pivots.AzureResource(ResourceId=row["resource_id"]).mhsm_profile())


def test_registered_again_the_new_events_take_the_place_of_the_old(pivots, quiet_day):
    before = pivots.IpAddress.mhsm.profile("198.51.100.77")
    ours.register(quiet_day)
    after = pivots.IpAddress.mhsm.profile("198.51.100.77")
    ours.register(events({"caller_ip": "198.51.100.77"}))

    assert (len(before), len(after)) == (1, 0)
    assert pivots.IpAddress.mhsm.profile("198.51.100.77")["events"].tolist() == [1]


def test_the_provider_brings_the_same_pivots_over_its_own_case(pivots, quiet_day):
    ours.evidence_provider(quiet_day)

    assert pivots.IpAddress.MHSMEvidence.profile("198.51.100.77").empty
    assert len(pivots.IpAddress.mhsm.profile("198.51.100.77")) == 1


# KQL


def kql(name, **values):
    """The text that msticpy would send, made by its own code."""
    from msticpy.data.core.query_store import QueryStore
    from msticpy.data.drivers.azure_monitor_driver import AzureMonitorDriver

    store = QueryStore.import_files([str(ours.sentinel_queries())], recursive=True)["MSSentinel"]
    query = store.get_query(query_path="ManagedHSM", query_name=name)
    return query.create_query(formatters={"list": AzureMonitorDriver._format_list}, **values)


VALUES = {
    "hsm": "contoso-hsm", "principal": "o'neil#EXT#@contoso.example", "caller_ip": "2001:db8::1", "key": "payments-kek",
    "operation": "KeyBackup", "correlation_id": "c2a40bba-15ca-11f1-9e9b-00005e005383",
}  # fmt: skip


def templates():
    import yaml

    (path,) = ours.sentinel_queries().glob("*.yaml")
    return yaml.safe_load(path.read_text("utf-8"))


def texts():
    span = ours.sentinel_values(start="2026-03-05T02:00:00.000001+00:00", end="2026-03-05T03:00Z")
    found = {}
    for name, source in templates()["sources"].items():
        values = ours.sentinel_values(**{wanted: VALUES[wanted] for wanted in source["parameters"]})
        found[name] = kql(name, **values)
        found[f"{name}, a time"] = kql(name, **values, **span)
    return found


def test_every_query_is_right_to_microsoft_s_parser(tmp_path):
    sys.path.insert(0, str(Path(__file__).parent / "collect_workspace"))
    try:
        from rows import TABLES
        from test_kql import parsed
    finally:
        sys.path.pop(0)
    bare = {"AZKVAuditLogs": {"TimeGenerated": "datetime", "OperationName": "string", "Type": "string"}}

    answers = parsed(texts(), TABLES, tmp_path)
    without = parsed(texts(), {**TABLES, **bare}, tmp_path)

    assert len(answers) == 2 * len(templates()["sources"]) >= 18
    assert {name: answer["problems"] for name, answer in answers.items() if answer["problems"]} == {}
    assert {len(answer["columns"]) for answer in answers.values()} == {14}
    assert [p for answer in without.values() for p in answer["problems"] if p.startswith("Error")] == []


def test_a_time_goes_in_exactly_and_half_open():
    text = kql("list_audit_events", **ours.sentinel_values(start="2026-03-05T03:00:00.000001+01:00"))

    assert "TimeGenerated >= datetime(2026-03-05T02:00:00.000001+00:00)" in text
    assert "TimeGenerated < datetime(2100-01-01T00:00:00+00:00)" in text


@pytest.mark.parametrize(
    "value", ["') or 1=1 --", "\\' or true //", "a\0b", "x```or//", "", "a\nb", 'a"b', "x" * 300, 7]
)
@pytest.mark.parametrize("name", list(VALUES))
def test_a_value_that_could_be_more_than_a_value_is_refused(name, value):
    with pytest.raises(InputError, match="can't be asked for"):
        ours.sentinel_values(**{name: value})


def test_a_value_that_no_query_knows_is_refused():
    with pytest.raises(InputError, match="no value of our queries"):
        ours.sentinel_values(audit="AzureActivity")


def test_the_kql_knows_every_operation_that_changes_something():
    known = {entry.operation for entry in operations.vocabulary().values()
             if entry.effect in {"change", "export", "destroy"}}  # fmt: skip

    listed = re.search(r"in~ \((.*?)\)", templates()["sources"]["list_control_events"]["args"]["query"], re.DOTALL)

    assert set(re.findall(r'"(\w+)"', listed[1])) == known


# Look-ups


class Intelligence(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.fails:
            self.send_error(self.server.fails)
            return
        body = json.dumps({"score": 90, "note": "<script>alert(1)</script>"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def stand_in(settings, monkeypatch):
    """A provider of threat intelligence on this machine, configured as a real one is."""
    from msticpy.context.http_provider import APILookupParams
    from msticpy.context.tilookup import TILookup
    from msticpy.context.tiproviders.ti_http_provider import HttpTIProvider, ResultSeverity

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Intelligence)
    server.asked, server.fails = [], None
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class StandIn(HttpTIProvider):
        """A stand-in."""

        _BASE_URL = f"http://127.0.0.1:{server.server_port}"
        _QUERIES = dict.fromkeys(("ipv4", "ipv6"), APILookupParams(path="/v1/{observable}", headers={"k": "{AuthKey}"}))

        def parse_results(self, response):
            score = response["RawResult"]["score"]
            return score > 50, ResultSeverity.high, {"score": score, "note": response["RawResult"]["note"]}

    monkeypatch.setitem(TILookup.CUSTOM_PROVIDERS, "StandIn", StandIn)
    settings(
        "TIProviders:\n  StandIn:\n    Primary: true\n    Provider: StandIn\n    Args:\n      AuthKey: secret-key\n"
    )
    yield server
    server.shutdown()
    server.server_close()
    StandIn.lookup_ioc.cache_clear()


@pytest.fixture
def own_case(tmp_path):
    return case.create_case(tmp_path / "contoso")


def test_without_the_switch_nothing_is_sent(stand_in, own_case):
    with pytest.raises(InputError, match="may_leave_this_machine=True"):
        ours.ask_threat_intelligence(["9.9.9.9"], provider="StandIn", case=own_case)
    with pytest.raises(InputError, match="may_leave_this_machine=True"):
        ours.ask_whois(["9.9.9.9"], case=own_case)

    assert stand_in.asked == []
    assert open_case(own_case.path).custody["action"].tolist() == ["created"]


def test_each_public_address_is_sent_once_and_the_case_says_so(stand_in, own_case):
    addresses = pd.Series(
        ["9.9.9.9", "10.0.0.4", None, "9.9.9.9", "2620:FE::fe", "100.64.0.1", "192.0.2.1", "::1", "fe80::1%9.9.9.9",
         "9.9.9.9 ", "../admin", "224.0.1.1", "::ffff:9.9.9.9"]
    )  # fmt: skip

    with pytest.warns(ours.LeavesTheMachineWarning, match="2 addresses .* tip off") as warned:
        found = ours.ask_threat_intelligence(
            addresses, provider="StandIn", may_leave_this_machine=True, case=own_case
        )  # fmt: skip

    assert sorted(stand_in.asked) == ["/v1/2620:fe::fe", "/v1/9.9.9.9"]
    assert len(warned) == 1
    assert found["address"].tolist() == [
        "9.9.9.9", "10.0.0.4", "2620:fe::fe", "100.64.0.1", "192.0.2.1", "::1", "fe80::1%9.9.9.9", "../admin", "224.0.1.1"
    ]  # fmt: skip
    assert found.loc[found["sent"], "severity"].tolist() == ["high", "high"]
    assert found.loc[found["sent"], "listed"].tolist() == [True, True]
    assert "<script>" in found["details"].iloc[0]
    last = open_case(own_case.path).custody.iloc[-1]
    assert last["action"] == "looked_up"
    assert json.loads(last["detail"]) == {"sent_to": "StandIn", "addresses": ["9.9.9.9", "2620:fe::fe"]}


def test_where_nothing_is_public_nothing_is_sent_or_logged(stand_in, own_case):
    found = ours.ask_threat_intelligence(
        "10.0.0.4", provider="StandIn", may_leave_this_machine=True, case=own_case
    )  # fmt: skip

    assert stand_in.asked == []
    assert found[["address", "sent"]].to_numpy().tolist() == [["10.0.0.4", False]]
    assert open_case(own_case.path).custody["action"].tolist() == ["created"]


def test_a_provider_that_refuses_is_in_the_answer(stand_in):
    stand_in.fails = 403

    with pytest.warns(ours.LeavesTheMachineWarning):
        found = ours.ask_threat_intelligence(["9.9.9.9"], provider="StandIn", may_leave_this_machine=True)

    assert found["status"].tolist() == [403]
    assert "forbidden" in found["details"].iloc[0]


def test_a_provider_that_is_away_is_one_clear_line_and_the_log_stays(stand_in, own_case):
    stand_in.shutdown()
    stand_in.server_close()

    with (
        pytest.warns(ours.LeavesTheMachineWarning),
        pytest.raises(ours.LookupFailedError, match=r"StandIn: .*Hint") as raised,
    ):
        ours.ask_threat_intelligence(["9.9.9.9"], provider="StandIn", may_leave_this_machine=True, case=own_case)

    assert "\n" not in str(raised.value)
    assert open_case(own_case.path).custody["action"].tolist() == ["created", "looked_up"]


def test_a_provider_that_is_not_configured_is_refused(stand_in):
    with pytest.raises(InputError, match="no provider of threat intelligence that is configured"):
        ours.ask_threat_intelligence(["9.9.9.9"], provider="VirusTotal", may_leave_this_machine=True)


@pytest.fixture
def cymru(monkeypatch):
    """Team Cymru's server on this machine; its registry is one that msticpy knows no address of."""
    from msticpy.context import ip_utils

    listening = socket.create_server(("127.0.0.1", 0))
    asked, port = [], listening.getsockname()[1]

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(4096).decode().split()[-1])
                head = "AS | IP | BGP Prefix | CC | Registry | Allocated | AS Name\n"
                row = f"64500 | {asked[-1]} | 9.9.9.0/24 | CH | example | 2026-01-01 | EXAMPLE\n"
                connection.sendall((head + row).encode())

    threading.Thread(target=serve, daemon=True).start()
    query = ip_utils._asn_whois_query
    monkeypatch.setattr(ip_utils, "_cymru_query", lambda text: query(text, "127.0.0.1", port))
    ip_utils._whois_lookup.cache_clear()
    yield SimpleNamespace(asked=asked, close=listening.close)
    listening.close()
    ip_utils._whois_lookup.cache_clear()


def test_whois_asks_each_public_address_once(cymru, own_case):
    with pytest.warns(ours.LeavesTheMachineWarning, match="1 address of"):
        found = ours.ask_whois(["10.0.0.4", "9.9.9.9", "9.9.9.9"], may_leave_this_machine=True, case=own_case)

    assert cymru.asked == ["9.9.9.9"]
    assert found["sent"].tolist() == [False, True]
    assert list(found.columns) == [
        "address", "sent", "asn", "network", "country", "registry", "allocated", "owner"
    ]  # fmt: skip
    assert json.loads(open_case(own_case.path).custody["detail"].iloc[-1])["addresses"] == ["9.9.9.9"]


def test_a_whois_that_nobody_answers_is_one_clear_line(monkeypatch):
    from msticpy.context import ip_utils

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    query = ip_utils._asn_whois_query
    monkeypatch.setattr(ip_utils, "_cymru_query", lambda text: query(text, "127.0.0.1", port))

    with (
        pytest.warns(ours.LeavesTheMachineWarning),
        pytest.raises(ours.LookupFailedError, match=r"WhoIs: .*refused.*Hint") as raised,
    ):
        ours.ask_whois(["9.9.9.10"], may_leave_this_machine=True)

    assert "\n" not in str(raised.value)


# Masks

NAMES = (
    "principal", "object_id", "app_id", "upn", "managed_identity_id", "tenant_id", "caller_ip", "token_ip", "token_id",
    "hsm", "resource_id", "subscription_id", "resource_group", "key_name", "key_version", "correlation_id",
    "assignment_id", "role_definition_id", "job_id", "request_uri", "client_info", "pool_name", "trusted_service",
)  # fmt: skip


def test_nothing_of_the_original_is_left_in_any_cell(incident):
    frame = incident.events.df()

    shared = ours.shareable(frame)

    originals = {str(value) for name in NAMES for value in frame[name].dropna().unique()}
    cells = {str(cell) for name in shared.frame for cell in shared.frame[name].dropna().unique()}
    text = "\n".join(sorted(cells))
    assert len(originals) > 800
    assert [value for value in originals if value in text] == []


def test_the_same_value_has_the_same_mask_in_every_column_and_a_null_stays_null(incident):
    frame = incident.events.df()

    shared = ours.shareable(frame).frame

    assert len(shared) == len(frame)
    for name in ("principal", "caller_ip", "key_name", "hsm", "upn"):
        assert shared[name].isna().tolist() == frame[name].isna().tolist()
        pairs = pd.DataFrame({"was": frame[name], "is": shared[name]}).dropna().drop_duplicates()
        assert pairs["was"].is_unique
        assert pairs["is"].is_unique
    people = frame["upn"].notna()
    assert shared.loc[people, "upn"].tolist() == shared.loc[people, "principal"].tolist()
    assert shared["event_id"].tolist() == ids(frame)


def test_it_says_what_became_of_every_column(incident):
    shared = ours.shareable(incident.events.df())

    assert sorted((*shared.masked, *shared.kept, *shared.dropped)) == sorted(schema.EVENT_NAMES)
    assert {"identity_json", "properties_json", "result_description", "source_file"} <= set(shared.dropped)
    assert {"request_uri", "client_info", "correlation_id"} <= set(shared.masked)
    assert "dropped: " in shared.in_words()


def test_findings_and_profiles_can_be_shared_too(incident, findings):
    met = analyse.profile(incident, principal="mateo.osei@contoso.example").met

    shared, met_shared = ours.shareable(findings), ours.shareable(met)

    assert shared.frame["event_ids"].map(list).tolist() == findings["event_ids"].map(list).tolist()
    assert [len(keys) for keys in shared.frame["keys"]] == [len(keys) for keys in findings["keys"]]
    assert {"title", "why"} <= set(shared.dropped)
    names = {name for name in incident.events.df()["key_name"].dropna().unique() if len(name) > 4}
    assert not [name for name in names if name in str(shared.frame["keys"].tolist())]
    assert set(met_shared.frame["value"].dropna()) & set(met["value"].dropna()) == set()


def test_what_nobody_vouches_for_is_dropped():
    frame = pd.DataFrame(
        {
            "anna@contoso.example": [3],
            "events": ["anna"],
            "operation": ["KeyStealer"],
            "outcome": ["denied"],
            "mine": ["x"],
        },
        index=["anna"],
    )

    shared = ours.shareable(frame, mask=["mine"])
    kept = ours.shareable(frame, keep=["mine"])

    assert shared.dropped == ("anna@contoso.example", "events")
    assert shared.frame.index.tolist() == [0]
    assert shared.frame["operation"].tolist() != ["KeyStealer"]
    assert shared.frame["mine"].tolist() != ["x"]
    assert kept.frame["mine"].tolist() == ["x"]
    assert ours.shareable(events({"operation": "KeyBackup"})).frame["operation"].tolist() == ["KeyBackup"]


def test_the_frame_that_was_handed_over_is_not_changed():
    frame = events({"principal": "anna"})
    before = frame.copy()

    ours.shareable(frame)

    pd.testing.assert_frame_equal(frame, before)


def test_no_events_can_be_shared():
    assert ours.shareable(events({}).iloc[:0]).frame.empty


# The page


def test_the_page_s_code_runs(tmp_path, monkeypatch, incident):
    page = (Path(__file__).parents[1] / "docs" / "msticpy.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    indoors = [block for block in blocks if "may_leave" not in block and "QueryProvider(" not in block.split("#")[0]]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "contoso").symlink_to(incident.path)

    exec("\n".join(indoors), {})

    assert (len(blocks), len(indoors)) == (5, 3)
