"""Commands that reach a network: found by name, and loaded when they are asked for."""

from __future__ import annotations

import click


class Outdoors(click.Group):
    """Commands that reach a network, imported only when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return ["context", "storage", "workspace"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name == "storage":
            from ..collect.commands import storage

            return storage
        if cmd_name in {"context", "workspace"}:
            from ..collect import workspace_command

            return {"context": workspace_command.context, "workspace": workspace_command.workspace}[cmd_name]
        return None
