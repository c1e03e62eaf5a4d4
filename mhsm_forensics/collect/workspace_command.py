"""The command `collect workspace`, put into its group when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import EvidenceError
from ..text import plural, visible
from ..typed import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .workspace import Collected


_KINDS = ("default", "browser", "device", "cli", "managed-identity")

# The service's address is also the audience of its tokens.
ENDPOINTS = {
    "public": "https://api.loganalytics.io",
    "usgov": "https://api.loganalytics.us",
    "china": "https://api.loganalytics.azure.cn",
}


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
    for line in said(found):
        click.echo(visible(line))
    if not found.complete:
        raise EvidenceError(
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
