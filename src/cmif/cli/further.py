"""Commands that other installed distributions add to `cmif`: `cmif-server` the model's side, `cmif-lab` the research.

Nothing of theirs is imported unless their command, or the list of all commands, is asked for: a gateway in a TEE
loads no line of them.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cmif.errors import InputError

GROUP = "cmif.commands"
BROUGHT_BY = {
    **dict.fromkeys(("demo", "release", "seal", "serve", "split"), ("cmif-server", "./server")),
    **dict.fromkeys(("bench", "detect", "eval"), ("cmif-lab", "./lab")),
}
"""Commands that this repository's other distributions bring, and their folders, so that asking for one without it says
what to install. None is on the package registry: a name there would be somebody else's.
"""


class Commands(TyperGroup):
    """The product's commands, then those of the entry points ``cmif.commands`` (each a function for typer, or an app
    of it).
    """

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted({point.name for point in entry_points(group=GROUP)} - set(own))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group=GROUP, name=cmd_name):
            loaded = point.load()
            if isinstance(loaded, typer.Typer):
                group = get_command(loaded)
                group.name = cmd_name  # what the list of commands shows
                return group
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(name=cmd_name)(loaded)
            return get_command(alone)
        if cmd_name in BROUGHT_BY:
            brings, folder = BROUGHT_BY[cmd_name]
            raise InputError(
                f"`cmif {cmd_name}` is a command of {brings}, which is not installed.",
                hint=f"In CMIF's repository: pip install {folder}",
            )
        return None
