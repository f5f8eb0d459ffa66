"""Where an option's value may come from besides the command line: the environment, then the file of `--config`.

``CMIF_GATEWAY_PORT`` is ``cmif gateway --port``; in the file, ``port`` in the table ``[gateway]``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from cmif.errors import InputError

ENVIRONMENT = "CMIF"


def forget_service_links() -> None:
    """Kubernetes tells every container the address of a service `cmif-gateway` in ``CMIF_GATEWAY_PORT``."""
    for name in [
        n for n, value in os.environ.items() if n.startswith(ENVIRONMENT) and value.startswith("tcp://")
    ]:
        del os.environ[name]


def read(path: Path, context: Any) -> dict[str, Any]:
    """The file's tables as click's ``default_map`` of ``context``, the root's.

    Raises :class:`InputError` for what is no TOML, and for a name that is no option: it may have been meant to protect.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config cannot be read ({type(error).__name__}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--config is not TOML: {error}.") from None
    return _commands(table, context.command, context, "")


def _commands(table: dict[str, Any], group: TyperGroup, context: Any, path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, entry in table.items():
        command = group.get_command(context, name)
        if command is None or not isinstance(entry, dict):
            raise InputError(f"--config: [{path}{name}] is not a table of a command.")
        if isinstance(command, TyperGroup):
            values[name] = _commands(entry, command, context, f"{path}{name}.")
            continue
        options = [one for one in command.params if one.param_type_name == "option"]
        known = {spelling.lstrip("-").replace("-", "_"): one.name for one in options for spelling in one.opts}
        given = {key.replace("-", "_"): value for key, value in entry.items()}
        for key in given.keys() - known.keys():
            raise InputError(f"--config: {key!r} in [{path}{name}] is not an option of that command.")
        values[name] = {known[key]: value for key, value in given.items()}
    return values
