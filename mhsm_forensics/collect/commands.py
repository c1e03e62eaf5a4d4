"""The command `collect storage`, attached to the group `collect` when it is asked for."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import accounting
from .. import case as cases
from ..errors import EvidenceError
from ..text import plural, visible
from ..typed import moment, progress_of
from .clouds import CLOUDS, KINDS

if TYPE_CHECKING:
    from .storage import Collected

_SHOWN = 5  # names of a kind on the screen; the custody log has them all


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--account", metavar="URL", help="The storage account: its blob address, or its name.")
@click.option("--container", default="insights-logs-auditevent", show_default=True, help="The container.")
@click.option("--from", "start", metavar="TIME", help="Only events from this time on (2026-03-16T02:00Z).")
@click.option("--to", "end", metavar="TIME", help="Only events before this time.")
@click.option("--hsm", "hsms", multiple=True, help="Only this managed HSM; may be given several times.")
@click.option("--include-vaults", is_flag=True, help="Fetch the logs of key vaults in the container, too.")
@click.option("--login", "kind", type=click.Choice(KINDS), default="default", show_default=True, help="Who asks.")
@click.option("--cloud", type=click.Choice([*CLOUDS]), default="public", show_default=True)
@click.option("--tenant", metavar="ID", help="Entra tenant that owns the account.")
@click.option("--client-id", metavar="ID", help="Client id of a user-assigned managed identity.")
@click.option("--name", help="Name of a new case.  [default: the folder's]")
def storage(
    case: Path, account: str | None, container: str, start: str | None, end: str | None, hsms: tuple[str, ...], kind: str,
    cloud: str, tenant: str | None, client_id: str | None, name: str | None, *, include_vaults: bool,
) -> None:  # fmt: skip
    """Fetch the logs of a storage account into CASE, which is made if it is not there.

    Run it again to go on after an interruption, or to fetch what has come since. A SAS or connection string comes
    from AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or is asked for.
    """
    from . import login
    from . import storage as stores

    window = moment(start), moment(end)
    signed = login.sign_in(kind, cloud=cloud, tenant=tenant, client_id=client_id, ask=_ask if _person() else None)
    url = login.account_url(account, cloud=cloud) if account else signed.account_url
    if url is None:
        raise click.UsageError("Missing option '--account'.")
    opened = cases.open_case(case) if (case / "case.json").exists() else cases.create_case(case, name=name)
    with progress_of("Collecting") as progress:
        got = stores.collect(
            opened, url, container=container, start=window[0], end=window[1], hsms=hsms, credential=signed.credential,
            include_vaults=include_vaults, progress=progress,
        )  # fmt: skip
    _say(got)
    if nothing := accounting.nothing_examined(got.case):
        click.echo(visible(nothing))
    if not got.complete:
        raise EvidenceError(
            f"{plural(len(got.unreadable), 'blob')} of {got.listed:,} could not be read: the case is incomplete. "
            "Hint: see the cures above, then run the same command again."
        )


def _say(got: Collected) -> None:
    click.echo(
        f"{plural(len(got.hsms), 'managed HSM')}: {visible(', '.join(got.hsms))}\n"
        f"{got.listed:,} blobs listed = {got.fetched:,} fetched, "
        f"{got.unchanged:,} unchanged, {got.outside:,} outside the time asked for, {len(got.unreadable):,} unreadable"
    )
    click.echo(
        f"{plural(len(got.new), 'new evidence file')}, {got.grown:,} of them grown, {got.fetched_bytes:,} bytes fetched"
    )
    _name("replaced since the last run, both versions are kept", got.replaced)
    _name("key vault left (--include-vaults)", got.vaults_left)
    _name("left out, no audit log", got.others)
    _name("lead", [f"{lead.kind} {lead.blob}: {lead.detail}" for lead in got.leads])
    if got.leads_missing:
        click.echo(f"snapshots, versions and deleted blobs could not be listed: {visible(got.leads_missing)}")
    cures: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in got.unreadable:
        cures[item.reason, item.cure].append(item.blob)
    for (reason, cure), blobs in cures.items():
        _name(f"unreadable, {reason}", blobs, err=True)
        click.echo(f"  cure: {cure}", err=True)


def _name(what: str, names: list[str] | tuple[str, ...], *, err: bool = False) -> None:
    for text in names[:_SHOWN]:
        click.echo(f"{visible(what)}: {visible(text)}", err=err)
    if len(names) > _SHOWN:
        click.echo(f"{visible(what)}: {len(names) - _SHOWN:,} more of {len(names):,}; custody.jsonl has all", err=err)


def _person() -> bool:
    return sys.stdin.isatty()


def _ask(kind: str) -> str:
    return str(click.prompt({"sas": "SAS"}.get(kind, "Connection string"), hide_input=True, err=True))
