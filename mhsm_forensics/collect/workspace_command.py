"""The command `collect workspace`, ready to be put into its group."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from ..errors import ForensicsError, InputError
from ..text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.credentials import TokenCredential

    from .workspace import Collected


_KINDS = ("default", "browser", "device", "cli", "managed-identity")

# The service's address is also the audience of its tokens.
ENDPOINTS = {
    "public": "https://api.loganalytics.io",
    "usgov": "https://api.loganalytics.us",
    "china": "https://api.loganalytics.azure.cn",
}


class SignIn(Protocol):
    """What the group hands down as `obj`: turns the options of a login into a credential."""

    def __call__(self, kind: str, *, cloud: str, tenant: str | None, client_id: str | None) -> TokenCredential:
        """Return the credential."""


class IncompleteError(ForensicsError):
    """The collection ended, and not everything is in the case."""


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
@click.option("--login", "kind", type=click.Choice(_KINDS), default="default", show_default=True, help="Who asks.")
@click.option("--cloud", type=click.Choice(["public", "usgov", "china"]), default="public", show_default=True)
@click.option("--tenant", metavar="ID", help="Entra tenant that owns the workspace.")
@click.option("--client-id", metavar="ID", help="Client id of a user-assigned managed identity.")
@click.option("--name", help="Name of a new case.  [default: the folder's]")
@click.pass_obj
def workspace(
    sign_in: SignIn,
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
    from . import workspace as collecting

    if bool(workspace_id) == bool(resource):
        raise click.UsageError("give either --workspace or --resource")
    between = (_time(start), _time(end))
    credential = sign_in(kind, cloud=cloud, tenant=tenant, client_id=client_id)
    opened = open_case(case) if (case / "case.json").exists() else create_case(case, name=name)
    found = collecting.collect(
        opened, workspace_id, start=between[0], end=between[1], hsms=hsms, table=table, resource=resource,
        credential=credential, endpoint=ENDPOINTS[cloud], progress=_progress(),
    )  # fmt: skip
    for line in said(found):
        click.echo(visible(line))
    if not found.complete:
        raise IncompleteError(
            f"{case}: not everything was collected. Hint: run the same command again; what is there is kept."
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


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError.bad_time(text) from None
    if moment.tzinfo is None:
        raise InputError.naive_time(text)
    return moment.astimezone(UTC)
