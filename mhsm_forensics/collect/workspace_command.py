"""The commands `collect workspace` and `collect context`, put into their group when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import accounting
from ..errors import EvidenceError
from ..text import plural, visible
from ..typed import moment
from .clouds import CLOUDS, KINDS, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .workspace import Collected

_Command = TypeVar("_Command", bound="Callable[..., Any]")

# A secret opens a storage account; a workspace wants a token.
_KINDS = tuple(kind for kind in KINDS if kind not in SECRETS)

# The service's address is also the audience of its tokens.
ENDPOINTS = {name: cloud.logs for name, cloud in CLOUDS.items()}


def _who_asks(command: _Command) -> _Command:
    """Add the options of a login."""
    for option in (
        click.option("--client-id", metavar="ID", help="Client id of a user-assigned managed identity."),
        click.option("--tenant", metavar="ID", help="Entra tenant that owns the workspace."),
        click.option("--cloud", type=click.Choice([*ENDPOINTS]), default="public", show_default=True),
        click.option(
            "--login", "kind", type=click.Choice(_KINDS), default="default", show_default=True, help="Who asks."
        ),
    ):
        command = option(command)
    return command


@click.command("workspace")
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--workspace", "workspace_id", metavar="ID", help="The workspace ID, a GUID.")
@click.option("--resource", metavar="ID", help="Resource id of an HSM: its rows, in whatever workspaces they are.")
@click.option("--from", "start", metavar="TIME", help="Only from this time on (2026-03-16T02:00Z).")
@click.option("--to", "end", metavar="TIME", help="Only before this time.")
@click.option("--hsm", "hsms", multiple=True, help="Only this managed HSM; may be given several times.")
@click.option(
    "--table", type=click.Choice(["auto", "AzureDiagnostics", "AZKVAuditLogs"]), default="auto", show_default=True
)
@_who_asks
@click.option("--name", help="Name of a new case.  [default: the folder's]")
def workspace(
    case: Path,
    workspace_id: str | None,
    resource: str | None,
    start: str | None,
    end: str | None,
    hsms: tuple[str, ...],
    table: Any,
    kind: str,
    cloud: str,
    tenant: str | None,
    client_id: str | None,
    name: str | None,
) -> None:
    """Take the audit rows of a Log Analytics workspace into CASE, which is made if it is not there.

    A rerun asks only for what is new or was not complete. Exits with 1 where something is missing.
    """
    from ..case import create_case, open_case
    from . import login
    from . import workspace as collecting

    if bool(workspace_id) == bool(resource):
        raise click.UsageError("give either --workspace or --resource")
    between = (moment(start), moment(end))
    credential = login.sign_in(kind, cloud=cloud, tenant=tenant, client_id=client_id).credential
    opened = open_case(case) if (case / "case.json").exists() else create_case(case, name=name)
    found = collecting.collect(
        opened, workspace_id, start=between[0], end=between[1], hsms=hsms, table=table, resource=resource,
        credential=credential, endpoint=ENDPOINTS[cloud], progress=_progress(),
    )  # fmt: skip
    _say(found)


@click.command("context")
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--workspace", "workspace_id", metavar="ID", required=True, help="The workspace ID, a GUID.")
@click.option("--from", "start", metavar="TIME", help="Only from this time on.  [default: a day before the events]")
@click.option("--to", "end", metavar="TIME", help="Only before this time.  [default: a day after the events]")
@click.option("--hsm", "hsms", multiple=True, help="Only around this managed HSM; may be given several times.")
@click.option("--backup-account", "accounts", multiple=True, help="A storage account that backups go to: all requests.")
@_who_asks
def context(
    case: Path, workspace_id: str, start: str | None, end: str | None, hsms: tuple[str, ...], accounts: tuple[str, ...],
    kind: str, cloud: str, tenant: str | None, client_id: str | None,
) -> None:  # fmt: skip
    """Take what other logs say around the events of CASE: activity log, sign-ins, requests to the backups' storage."""
    from ..case import open_case
    from . import context as collecting
    from . import login

    between = (moment(start), moment(end))
    credential = login.sign_in(kind, cloud=cloud, tenant=tenant, client_id=client_id).credential
    found = collecting.collect(
        open_case(case), workspace_id, start=between[0], end=between[1], hsms=hsms, accounts=accounts,
        credential=credential, endpoint=ENDPOINTS[cloud], progress=_progress(),
    )  # fmt: skip
    _say(found)


def _say(found: Collected) -> None:
    for line in said(found):
        click.echo(visible(line))
    if nothing := accounting.nothing_examined(found.case):
        click.echo(visible(nothing))
    if not found.complete:
        raise EvidenceError(
            f"{found.case.path}: not everything was collected. Hint: run the same command again; what is there is kept."
        )


def said(found: Collected) -> Iterator[str]:
    """Yield what a collection brought and what is missing, line by line."""
    for table in found.tables:
        if table.absent:
            yield f"{table.name}: the workspace has no such table"
        else:
            yield f"{table.name}: {table.rows:,} of {plural(table.counted, 'row')}"
    known = sum(piece.status == "known" for piece in found.slices)
    if known:
        yield f"{plural(known, 'slice')} of an earlier run: the service still counts the same"
    if found.retried:
        yield f"{plural(len(found.retried), 'fault')} of the service passed"
    for piece in found.unfinished:
        yield f"missing: {piece.table} {piece.start:%Y-%m-%dT%H:%M:%SZ} to {piece.end:%Y-%m-%dT%H:%M:%SZ}: {piece.problem}"


def _progress() -> Callable[[int, int], None]:
    """Tell how far the collection is, at every tenth."""
    shown = -1

    def tell(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth > shown:
            shown = tenth
            click.echo(f"{done:,} of {total:,} rows", err=True)

    return tell
