"""Evidence from a storage account: whole, verbatim, once; and what is missing has a name and a cure."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import ContainerSasPermissions, ContentSettings, generate_container_sas
from collect.azurite import ACCOUNT, KEY, append
from collect.proxy import Fault

from mhsm_forensics import case as cases
from mhsm_forensics import ingest
from mhsm_forensics.collect import _download, _listing, _storage_run, commands, login, storage
from mhsm_forensics.collect._patience import RefusedError, StoppedError
from mhsm_forensics.errors import CaseError, EvidenceError, InputError

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

SAMPLES = Path(__file__).parents[2] / "data-samples"
GROUP = "resourceId=/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT"
HSM = f"{GROUP}/MANAGEDHSMS/CONTOSO"
HOUR = datetime(2026, 3, 5, 14, tzinfo=UTC)


def blob_name(hour: datetime = HOUR, resource: str = HSM) -> str:
    return f"{resource}/y={hour:%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"


def lines(count: int, hour: datetime = HOUR, *, first: int = 0, resource: str = HSM, pad: int = 0) -> bytes:
    """Records as a diagnostic setting writes them, a second apart."""
    records = (
        {
            "time": (hour + timedelta(seconds=number)).isoformat().replace("+00:00", ".1234567Z"),
            "resourceId": resource.removeprefix("resourceId="),
            "operationName": "KeyGet",
            "category": "AuditEvent",
            "correlationId": f"c-{number}{'x' * pad}",
            "properties": {"httpStatusCode": 200, "requestUri": "https://contoso.managedhsm.azure.net/keys/k"},
        }
        for number in range(first, first + count)
    )
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\r\n" for record in records)


def hours(container: ContainerClient, count: int, **options: Any) -> dict[str, bytes]:
    """Fill some hours, ten records each; returns what was written."""
    made = {blob_name(hour): lines(10, hour, **options) for hour in (HOUR + timedelta(hours=n) for n in range(count))}
    for name, data in made.items():
        append(container, name, data)
    return made


def kept(case: cases.Case) -> dict[str, list[bytes]]:
    """Contents of the evidence by the blob that it is of."""
    found: dict[str, list[bytes]] = {}
    for entry in cases.open_case(case.path).manifest.evidence:
        name = entry.origin[entry.origin.index("resourceId=") :]
        found.setdefault(name, []).append(case.evidence_path(entry).read_bytes())
    return found


def assert_sound(case: cases.Case) -> None:
    """Everything is as acquired, accounted for, and nothing lies about once every request has ended."""
    incoming = case.path / "evidence" / ".incoming"
    for _ in range(300):
        if not any(incoming.glob("*")):
            break
        time.sleep(0.1)
    assert cases.verify(cases.open_case(case.path)) == []
    assert [path.name for path in incoming.glob("*")] == []


@pytest.mark.parametrize(
    "parts", [["d=05"], pytest.param(["d=05", "CONTOSO-HSM-DR"], marks=pytest.mark.long)], ids=["day", "and an HSM"]
)
def test_a_container_gives_the_same_events_as_its_files(parts, container, case, collect, tmp_path):
    tree = SAMPLES / "incident" / "insights-logs-auditevent"
    files = [p for p in tree.rglob("*.json") if set(parts) & set(p.parts)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda p: append(container, p.relative_to(tree).as_posix(), p.read_bytes()), files))
    local = cases.create_case(tmp_path / "local")
    ingest.add(local, files)

    got = collect(case, include_vaults=True)

    assert got.complete
    assert got.listed == len(got.new) == len(files)
    expected, found = cases.open_case(local.path), got.case
    assert sorted(found.events.df()["record_id"]) == sorted(expected.events.df()["record_id"])
    assert found.accounting.to_dict("records") == expected.accounting.to_dict("records")
    assert_sound(case)


def test_evidence_is_verbatim_and_says_where_it_is_from(container, case, collect):
    made = hours(container, 3)

    got = collect(case)

    assert kept(case) == {name: [data] for name, data in made.items()}
    entry = got.new[0]
    assert entry.sha256 == hashlib.sha256(made[blob_name()]).hexdigest()
    assert entry.path == f"127.0.0.1/{ACCOUNT}/{container.container_name}/{blob_name()}"
    assert entry.origin.endswith(f"{container.container_name}/{blob_name()}")
    assert entry.etag
    assert '"' not in entry.etag
    assert len(got.events) == 30
    assert not os.access(case.evidence_path(entry), os.W_OK) or os.geteuid() == 0
    assert case.evidence_path(entry).stat().st_mode & 0o222 == 0
    assert_sound(case)


def test_a_rerun_fetches_nothing_that_is_unchanged(container, case, collect, proxy):
    hours(container, 5)
    first = collect(case)
    proxy.log.clear()

    again = collect(case)

    assert (len(first.new), again.unchanged, again.new, again.fetched_bytes) == (5, 5, (), 0)
    assert proxy.downloads() == []
    assert len(again.events) == 50


def test_one_small_blob_takes_one_request(container, case, collect, proxy):
    hours(container, 7)

    collect(case)

    assert len(proxy.downloads()) == 7
    assert len(proxy.log) <= 7 + 12  # the levels of a resource id, the listing, the listing of leads


def test_of_a_grown_blob_only_the_tail_is_fetched(container, case, collect, proxy):
    before, more = lines(2000), lines(5, first=2000)
    append(container, blob_name(), before)
    collect(case)
    append(container, blob_name(), more)
    proxy.log.clear()

    got = collect(case)

    assert (got.grown, len(got.new), got.fetched_bytes, got.replaced) == (1, 1, len(more), ())
    assert kept(case) == {blob_name(): [before, before + more]}
    assert len(proxy.downloads()) == 1
    assert len(got.events) == 2005
    assert got.case.accounting["duplicate"].iloc[0] == 2000
    assert_sound(case)


def test_a_blob_that_grows_while_it_is_read_is_kept_as_a_prefix(container, case, collect, proxy, monkeypatch):
    monkeypatch.setattr(_download, "PIECE", 1 << 16)
    before, more = lines(2000), lines(100, first=2000)
    append(container, blob_name(), before)
    grow = Fault("before", skip=2, times=3, run=lambda: append(container, blob_name(), more))
    proxy.faults.append(grow)

    got = collect(case)

    assert grow.hits == 3
    assert got.complete
    assert kept(case) == {blob_name(): [before]}
    assert collect(case).grown == 1
    assert kept(case)[blob_name()] == [before, before + 3 * more]
    assert_sound(case)


def test_a_replaced_blob_is_kept_beside_what_it_was(container, case, collect):
    append(container, blob_name(), lines(50))
    collect(case)
    time.sleep(1.1)  # a creation time has seconds
    append(container, blob_name(), lines(60, first=500), anew=True)

    got = collect(case)

    assert got.replaced == (blob_name(),)
    assert kept(case) == {blob_name(): [lines(50), lines(60, first=500)]}
    assert len(got.events) == 110
    assert_sound(case)


def test_a_shrunk_blob_is_kept_beside_what_it_was(container, case, collect):
    append(container, blob_name(), lines(50))
    collect(case)
    append(container, blob_name(), lines(10), anew=True)

    got = collect(case)

    assert got.replaced == (blob_name(),)
    assert kept(case) == {blob_name(): [lines(50), lines(10)]}


def test_another_beginning_under_the_same_creation_time_is_noticed(container, case, collect):
    append(container, blob_name(), lines(50))
    collect(case)
    log = blob_name()
    append(container, log, lines(60, first=500), anew=True)
    created = container.get_blob_client(log).get_blob_properties().creation_time.isoformat().replace("+00:00", "Z")
    held = _storage_run._held(cases.open_case(case.path), _place_of(case.path / "custody.jsonl"))[log]

    earlier = _download.Earlier(held.path, held.size, held.sha256, held.etag, created)
    blob = _listing.properties(container, log)
    got = _download.fetch(container, blob, case.path / "x", earlier, Event(), lambda _: None)

    assert got.start == 0
    assert (case.path / "x").read_bytes() == lines(60, first=500)


@pytest.mark.parametrize("trouble", ["stopped", "gone"])
def test_a_download_that_fails_leaves_nothing(trouble, container, case):
    append(container, blob_name(), lines(3))
    blob, stop = _listing.properties(container, blob_name()), Event()
    if trouble == "stopped":
        stop.set()
    else:
        container.delete_blob(blob_name())

    with pytest.raises((StoppedError, RefusedError)):
        _download.fetch(container, blob, case.path / "x", None, stop, lambda _: None)

    assert not (case.path / "x").exists()


def _place_of(custody: Path) -> str:
    entries = map(json.loads, custody.read_text().splitlines())
    return str(next(e["detail"]["place"] for e in entries if e["action"] == "downloaded"))


def test_a_blob_replaced_while_it_is_read_is_no_mixture(container, case, collect, proxy, monkeypatch):
    monkeypatch.setattr(_download, "PIECE", 1 << 16)
    append(container, blob_name(), lines(2000))
    replaced = lines(900, first=9000)  # shorter: a creation time is known to the second only
    proxy.faults.append(Fault("before", skip=2, run=lambda: append(container, blob_name(), replaced, anew=True)))

    got = collect(case)

    assert got.complete
    assert kept(case) == {blob_name(): [replaced]}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429, headers={"Retry-After": "1"}, times=2),
        Fault("status", status=429, times=3),
        Fault("status", status=503, times=3),
        Fault("status", status=500, times=2),
        Fault("reset", times=3),
        Fault("cut", times=2),
        Fault("flip", times=1),
        Fault("slow", seconds=1.0),
    ],
    ids=lambda fault: f"{fault.action}-{fault.status if fault.action == 'status' else fault.times}",
)
def test_passing_trouble_with_downloads_passes(fault, container, case, collect, proxy):
    made = hours(container, 4)
    fault.hits = 0
    proxy.faults.append(fault)

    got = collect(case)

    assert fault.hits == fault.times
    assert got.complete
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert_sound(case)


@pytest.mark.parametrize("fault", ["reset", "status", "cut"])
def test_passing_trouble_with_listings_passes(fault, container, case, collect, proxy):
    made = hours(container, 2)
    trouble = Fault(fault, when=lambda request: "comp=list" in request.path, times=3, skip=2)
    proxy.faults.append(trouble)

    collect(case)

    assert trouble.hits == 3
    assert kept(case) == {name: [data] for name, data in made.items()}


def test_retry_after_is_obeyed(container, case, collect, proxy):
    hours(container, 1)
    proxy.faults.append(Fault("status", status=429, headers={"Retry-After": "2"}))

    begun = time.monotonic()
    collect(case)

    assert time.monotonic() - begun >= 2


@pytest.mark.parametrize(
    ("status", "code", "cure"),
    [
        (403, "AuthorizationPermissionMismatch", "Storage Blob Data Reader"),
        (403, "AuthorizationFailure", "firewall"),
        (404, "BlobNotFound", "undelete"),
        (409, "BlobArchived", "set-tier"),
        (503, "ServerBusy", "again"),
    ],
)
def test_what_stays_unreadable_is_named_with_its_cure(status, code, cure, container, case, collect, proxy):
    made = hours(container, 6)
    bad = f"{HSM}/y=2026/m=03/d=05/h=16/m=00/PT1H.json"
    stays = Fault("status", when=lambda r: r.is_download and "h=16" in r.path, status=status, code=code, times=10**6)
    proxy.faults.append(stays)

    got = collect(case)

    assert not got.complete
    assert [item.blob for item in got.unreadable] == [bad]
    assert cure in got.unreadable[0].cure
    assert set(kept(case)) == set(made) - {bad}
    assert len(got.events) == 50
    assert "1 of 6 blobs could not be read" in case.unfinished[0]

    proxy.faults.clear()
    proxy.log.clear()
    healed = collect(case)

    assert healed.complete
    assert len(proxy.downloads()) == 1
    assert len(healed.events) == 60
    assert case.unfinished == []
    assert_sound(case)


def test_times_are_those_of_events_and_blobs_those_of_receipt(container, case, collect):
    day = timedelta(days=1)
    for hour in (
        HOUR - day * 9,
        HOUR - timedelta(hours=2),
        HOUR - timedelta(hours=1),
        HOUR,
        HOUR + day * 2,
        HOUR + day * 3,
    ):
        append(container, blob_name(hour), lines(10, hour))
    late = lines(1, HOUR, first=77)  # received two days later
    append(container, blob_name(HOUR + day * 2), late)

    got = collect(case, start=HOUR, end=HOUR + timedelta(hours=1))

    assert set(kept(case)) == {blob_name(HOUR - timedelta(hours=1)), blob_name(HOUR), blob_name(HOUR + day * 2)}
    assert (got.listed, got.outside) == (4, 1)
    assert len(got.events) == 11
    assert len(got.case.events) == 31


def test_hsms_are_found_and_vaults_left(container, case, collect):
    other, vault = f"{GROUP}/MANAGEDHSMS/FABRIKAM", f"{GROUP}/VAULTS/WEB"
    for resource in (HSM, other, vault):
        append(container, blob_name(resource=resource), lines(10, resource=resource))
    append(container, "readme.txt/x", b"no log")
    append(container, f"{HSM}/y=2026/m=03/d=05/notes.txt", b"no log")

    got = collect(case, hsms=["Contoso"])

    assert got.hsms == ("contoso",)
    assert got.vaults_left == (vault,)
    assert set(got.others) == {"readme.txt/", f"{HSM}/y=2026/m=03/d=05/notes.txt"}
    assert set(kept(case)) == {blob_name()}

    everything = collect(case, include_vaults=True)

    assert everything.hsms == ("contoso", "fabrikam")
    assert everything.vaults_left == ()
    assert everything.case.accounting["out_of_scope"].iloc[0] == 10


def test_wrong_names_say_what_is_there(container, case, collect):
    with pytest.raises(EvidenceError, match="no log of a managed HSM; it holds nothing"):
        collect(case)
    append(container, blob_name(), lines(1))

    with pytest.raises(EvidenceError, match="no log of nohsm; it holds managed HSMs contoso"):
        collect(case, hsms=["nohsm"])
    with pytest.raises(EvidenceError, match=r"404 ContainerNotFound\. Hint: check --container"):
        collect(case, container="no-such-container")
    assert kept(case) == {}


def test_hostile_names_stay_inside_the_case(container, case, collect, tmp_path):
    names = ["C:evil", "a%2e%2e", "con.", "NUL", "é\u202eb", "~x", "a*?|b"]
    resources = [f"{GROUP}/MANAGEDHSMS/{name}" for name in names]
    for number, resource in enumerate(resources):
        append(container, blob_name(resource=resource), lines(1, first=number))
    # The service makes slashes of these, so the name has dots for folders.
    append(container, blob_name(resource=f"{GROUP}/MANAGEDHSMS/..\\..\\evil"), lines(1, first=99))

    got = collect(case)

    assert sorted(kept(case)) == sorted(blob_name(resource=resource) for resource in resources)
    assert got.others == (f"{GROUP}/MANAGEDHSMS/../",)
    inside = (case.path / "evidence").resolve()
    assert all(case.evidence_path(entry).resolve().is_relative_to(inside) for entry in got.new)
    assert {path.name for path in tmp_path.iterdir()} == {"case"}
    assert_sound(case)


def test_different_blobs_have_different_paths_and_none_is_outside():
    names = ["a/b", "a//b", "a/./b", "a/../b", "../a/b", "a\\b", "a%5Cb", "/a/b", "a/b.", "a/b ", "a/b%2E", "a/\x00b"]

    paths = [_listing.local_path("host", name) for name in names]

    assert len(set(paths)) == len(names)
    for path in paths:
        assert not {"", ".", ".."} & set(path.split("/"))
        assert not set('\\:*?"<>|\x00') & set(path)


def test_same_bytes_under_two_names_are_evidence_once(container, case, collect, proxy):
    for hour in (HOUR, HOUR + timedelta(hours=1)):
        append(container, blob_name(hour), lines(10))

    got = collect(case)
    proxy.log.clear()

    assert (len(got.new), len(got.known), len(got.events)) == (1, 1, 10)
    assert collect(case).unchanged == 2
    assert proxy.downloads() == []


def test_empty_and_large_blobs(container, case, collect, proxy):
    large = lines(9000, pad=800)
    append(container, blob_name(), b"")
    append(container, blob_name(HOUR + timedelta(hours=1)), large)

    got = collect(case)

    assert got.complete
    assert kept(case) == {blob_name(): [b""], blob_name(HOUR + timedelta(hours=1)): [large]}
    assert len(proxy.downloads()) == -(-len(large) // _download.PIECE)
    assert len(got.events) == 9000


def test_content_md5_that_differs_is_a_lead_and_the_bytes_are_kept(container, case, collect, monkeypatch):
    monkeypatch.setattr(_download, "PIECE", 1 << 10)  # of a part, Azurite states the MD5; of the whole what was stored
    blob = container.get_blob_client(blob_name())
    blob.upload_blob(lines(10))
    good = blob_name(HOUR + timedelta(hours=1))
    container.get_blob_client(good).upload_blob(lines(10, HOUR + timedelta(hours=1)))
    blob.set_http_headers(ContentSettings(content_md5=bytearray(b"0123456789abcdef")))

    got = collect(case)

    assert [(lead.kind, lead.blob) for lead in got.leads] == [("content_md5_differs", blob_name())]
    assert len(got.events) == 20
    entry = next(e for e in got.new if e.origin.endswith(good))
    assert entry.content_md5 == hashlib.md5(lines(10, HOUR + timedelta(hours=1)), usedforsecurity=False).hexdigest()


def test_snapshots_are_leads(container, case, collect):
    append(container, blob_name(), lines(10))
    container.get_blob_client(blob_name()).create_snapshot()

    got = collect(case)

    assert [(lead.kind, lead.blob) for lead in got.leads] == [("snapshot", blob_name())]
    assert len(got.new) == 1


def test_leads_that_may_not_be_listed_stop_nothing(container, case, collect, proxy):
    hours(container, 2)
    proxy.faults.append(Fault("status", lambda r: "versions" in r.path, 99, status=403, code="AuthorizationFailure"))

    got = collect(case)

    assert (len(got.new), got.leads, got.leads_missing) == (2, (), "403 AuthorizationFailure")


class StopError(Exception):
    """What a person's Ctrl-C is."""


def test_stopped_and_resumed(container, case, collect, proxy):
    made = hours(container, 40)
    proxy.latency = 0.02

    def stop(done: int, total: int) -> None:
        if done > total / 8:
            raise StopError

    with pytest.raises(StopError):
        collect(case, progress=stop)
    had = len(kept(case))
    assert 0 < had < 40
    assert case.unfinished[0].endswith("it was interrupted")
    proxy.log.clear()

    seen: list[tuple[int, int]] = []
    got = collect(case, progress=lambda done, total: seen.append((done, total)))

    assert len(proxy.downloads()) == 40 - had
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert len(got.events) == 400
    assert seen[-1][0] == seen[-1][1]
    assert case.unfinished == []
    assert_sound(case)


SCRIPT = """
import sys
from mhsm_forensics import case
from mhsm_forensics.collect import login, storage
signed = login.sign_in("connection-string")
storage.collect(case.open_case(sys.argv[1]), signed.account_url, container=sys.argv[2], credential=signed.credential)
"""


@pytest.mark.parametrize("files", [0, 1, 12, 39])
def test_a_killed_run_loses_nothing_and_doubles_nothing(files, container, case, collect, proxy, signed):
    made = hours(container, 40)
    proxy.latency = 0.03
    run = subprocess.Popen([sys.executable, "-c", SCRIPT, str(case.path), container.container_name])
    log = case.path / "custody.jsonl"
    while run.poll() is None and log.read_bytes().count(b'"added"') < files:
        time.sleep(0.002)
    while files == 0 and run.poll() is None and not proxy.downloads():
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    run.wait()
    proxy.latency = 0.0

    got = collect(case)

    assert kept(case) == {name: [data] for name, data in made.items()}
    assert len(got.events) == 400
    assert got.case.accounting["event"].iloc[0] == got.case.accounting["lines"].iloc[0] == 400
    assert_sound(case)


@pytest.mark.parametrize("share", [0, 0.1, 0.25])
def test_a_stopped_run_keeps_what_is_whole_and_is_resumed(share, container, case, collect, proxy, monkeypatch):
    monkeypatch.setattr(_storage_run, "TOGETHER", 4)
    made = hours(container, 80)
    proxy.latency = 0.3
    stop = Event()

    def tell(done: int, total: int) -> None:
        if done >= share * total:
            stop.set()

    first = collect(case, progress=tell, stop=stop)
    had = len(kept(case))

    assert first.stopped
    assert not first.complete
    assert (first.listed, first.left) == (80, 80 - had)
    assert 0 < had < 80
    assert len(first.events) == 10 * had == 10 * len(first.new)
    assert case.unfinished == [f"{_place_of(case.path / 'custody.jsonl')}: it was stopped"]
    assert_sound(first.case)
    proxy.log.clear()
    proxy.latency = 0.0

    second = collect(case)

    assert len(proxy.downloads()) == 80 - had
    assert second.complete
    assert (second.unchanged, second.left) == (had, 0)
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert len(second.events) == 800
    assert case.unfinished == []
    assert_sound(second.case)


@pytest.mark.parametrize("listing", [True, False])
def test_requests_without_an_answer_do_not_hold_up_a_stop(listing, container, case, collect, proxy):
    made = hours(container, 4)
    stop, hangs, answered = Event(), Event(), Event()
    when = {"when": lambda request: "comp=list" in request.path} if listing else {}
    proxy.faults.append(Fault("before", run=lambda: (hangs.set(), answered.wait(60)), times=2, **when))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(collect, case, stop=stop)
        hangs.wait(60)
        before = time.monotonic()
        stop.set()
        first = running.result()
        took = time.monotonic() - before
    asked = len(proxy.log)
    answered.set()

    assert first.stopped
    assert took < 2.5
    assert first.listed == (0 if listing else 4)
    assert first.left in ({0} if listing else {2, 3, 4})
    assert case.unfinished[0].endswith("it was stopped")
    time.sleep(0.3)
    assert len(proxy.log) == asked  # nothing is asked for after a stop
    assert_sound(first.case)  # and what the late answers brought is gone
    assert collect(case).complete
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert_sound(cases.open_case(case.path))
    assert not list((case.path / "evidence" / ".incoming").glob("*"))


def test_a_stop_that_comes_too_late_changes_nothing(container, case, collect):
    hours(container, 3)
    stop = Event()

    got = collect(case, stop=stop, progress=lambda done, total: stop.set() if done == total else None)

    assert stop.is_set()
    assert got.complete
    assert not got.stopped


def test_a_bearer_token_is_enough(azurite_oauth, case, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_oauth.ca))
    made = hours(azurite_oauth.container("insights-logs-auditevent"), 2)
    credential = Token()

    got = storage.collect(case, azurite_oauth.url, credential=credential)

    assert credential.scopes == {"https://storage.azure.com/.default"}
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert got.complete

    for bad in ({"exp": int(time.time()) - 60}, {"aud": "https://vault.azure.net"}):
        with pytest.raises(EvidenceError, match="Hint: sign in again") as refused:
            storage.collect(case, azurite_oauth.url, credential=Token(**bad))
        assert "eyJ" not in str(refused.value)


class Token:
    """A bearer token of our own make: Azurite checks its times, issuer and audience, and no signature."""

    def __init__(self, **claims: Any) -> None:
        self.claims, self.scopes = claims, set[str]()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes |= set(scopes)
        now = int(time.time())
        tenant = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/"
        claims = {"aud": "https://storage.azure.com", "iss": tenant, "iat": now - 9, "nbf": now - 9, "exp": now + 999}
        parts = ({"alg": "none", "typ": "JWT"}, claims | self.claims)
        return AccessToken(".".join([*map(_encoded, parts), "c2ln"]), now + 999)


def _encoded(part: dict[str, Any]) -> str:
    import base64

    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_no_secret_is_kept(container, case, signed, proxy, monkeypatch, azurite):
    hours(container, 3)
    expiry = datetime.now(UTC) + timedelta(hours=1)
    may = ContainerSasPermissions(read=True, list=True)
    sas = generate_container_sas(ACCOUNT, container.container_name, account_key=KEY, permission=may, expiry=expiry)
    proxy.faults.append(
        Fault("status", when=lambda r: "h=15" in r.path, status=403, code="AuthorizationFailure", times=99)
    )
    proxy.faults.append(Fault("reset", when=lambda r: "h=16" in r.path, times=99))
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"{azurite.url}?{sas}")

    with_key = storage.collect(
        case, signed.account_url, container=container.container_name, credential=signed.credential
    )
    with_sas = login.sign_in("sas")
    got = storage.collect(case, signed.account_url, container=container.container_name, credential=with_sas.credential)

    signature = sas.partition("sig=")[2].partition("&")[0]
    said = repr([signed, with_sas, with_key, got]).encode()
    texts = [path.read_bytes() for path in case.path.rglob("*") if path.is_file()]
    assert len(got.unreadable) == 2
    for text in [*texts, said]:
        assert KEY.encode() not in text
        assert signature.encode() not in text
        assert b"sig=" not in text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://a.blob.core.windows.net/?sv=1&sig=abc", "must not hold a signature"),
        ("http://a.blob.core.windows.net", "not encrypted"),
        ("contosologs", "no address"),
        ("ftp://a", "no address"),
    ],
)
def test_addresses_that_are_refused(url, says, case):
    with pytest.raises(InputError, match=says) as refused:
        storage.collect(case, url, credential=None)

    assert "sig=abc" not in str(refused.value)


def test_times_that_are_refused(case):
    with pytest.raises(InputError, match="needs its zone"):
        storage.collect(case, "https://a", start=datetime(2026, 3, 5), credential=None)  # noqa: DTZ001
    with pytest.raises(InputError, match="holds no time"):
        storage.collect(case, "https://a", start=HOUR, end=HOUR, credential=None)


def test_a_case_that_is_being_written_is_left_alone(container, case, collect):
    with ingest.writing(case), pytest.raises(CaseError, match="another process"):
        collect(case)


def test_a_full_disk_is_said_and_nothing_is_lost(container, case, collect, monkeypatch):
    made = hours(container, 8)
    receive, calls = _storage_run.receive, []
    monkeypatch.setattr(_storage_run, "TOGETHER", 4)

    def full(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise CaseError.unwritable(case.path, OSError(28, "No space left on device"))
        return receive(*given)

    monkeypatch.setattr(_storage_run, "receive", full)
    with pytest.raises(CaseError, match="No space left"):
        collect(case)
    assert len(kept(case)) == 4
    monkeypatch.setattr(_storage_run, "receive", receive)

    assert len(collect(case).events) == 80
    assert kept(case) == {name: [data] for name, data in made.items()}
    assert_sound(case)


@pytest.mark.parametrize("kind", ["default", "browser", "device", "cli", "managed-identity"])
@pytest.mark.parametrize("cloud", login.CLOUDS)
def test_every_login_in_every_cloud(kind, cloud):
    assert login.sign_in(kind, cloud=cloud).credential is not None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("AccountName=a;AccountKey=Zm9v;EndpointSuffix=core.chinacloudapi.cn", "https://a.blob.core.chinacloudapi.cn"),
        ("BlobEndpoint=https://x.example;SharedAccessSignature=sv=1&sig=s", "https://x.example"),
        ("AccountName=a;AccountKey=Zm9v", "https://a.blob.core.windows.net"),
    ],
)
def test_connection_strings(text, url, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)

    assert login.sign_in("connection-string").account_url == url


def test_logins_that_are_refused(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN", raising=False)
    for given, says in [
        ({"kind": "sas"}, "AZURE_STORAGE_SAS_TOKEN"),
        ({"kind": "sas", "ask": lambda _: "x"}, "no signature"),
        ({"kind": "connection-string", "ask": lambda _: "AccountName=a"}, "names no account with a key"),
        ({"kind": "x"}, "no such login"),
        ({"cloud": "x"}, "no such cloud"),
    ]:
        with pytest.raises(InputError, match=says):
            login.sign_in(**given)


def test_the_command(container, tmp_path, signed, proxy):
    from click.testing import CliRunner

    hours(container, 3)
    folder = tmp_path / "new"
    given = [str(folder), "--container", container.container_name, "--login", "connection-string"]

    done = CliRunner().invoke(commands.storage, given, catch_exceptions=False)

    assert done.exit_code == 0
    assert "3 blobs listed = 3 fetched, 0 unchanged, 0 outside the time asked for, 0 unreadable" in done.output
    stays = Fault("status", when=lambda r: r.is_download and "h=15" in r.path, times=99, status=403, code="X")
    proxy.faults.append(stays)
    append(container, blob_name(HOUR + timedelta(hours=1)), b"\n")

    failed = CliRunner().invoke(commands.storage, [*given, "--from", "2026-03-05T14:00Z"])

    assert isinstance(failed.exception, EvidenceError)
    assert "1 blob of 3 could not be read: the case is incomplete" in str(failed.exception)
    assert "unreadable, 403 X" in failed.output
    assert "cure: have the role 'Storage Blob Data Reader'" in failed.output
