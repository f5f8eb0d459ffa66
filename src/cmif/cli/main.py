"""The `cmif` command: each subcommand imports what it needs when it runs, so that the gateway never loads torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cmif import __version__
from cmif.cli import attest, certify, gateway, inspect, ledger, tenants
from cmif.cli.config import ENVIRONMENT, forget_service_links, read
from cmif.cli.further import Commands
from cmif.errors import CmifError, InputError

_ENGINE = {"torch", "transformers", "safetensors"}  # what the extra `engine` of cmif-server brings

app = typer.Typer(
    name="cmif",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": ENVIRONMENT},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cmif {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_version, is_eager=True, allow_from_autoenv=False
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with a table of options for each command.")
    ] = None,
) -> None:
    """Confidential LLM inference: private text stays with you, every later layer runs on GPUs you need not trust."""
    if config is not None:
        context.default_map = read(config, context)


app.command()(gateway.gateway)
app.command()(inspect.inspect)
app.command()(ledger.ledger)
app.command()(certify.certify)
app.add_typer(attest.app, name="attest")
app.add_typer(tenants.app, name="tenants")


def main() -> None:
    """Exit status: 0 done, 1 failed or refused, 2 wrong input."""
    forget_service_links()
    try:
        app()
    except CmifError as error:
        sys.stderr.write(f"cmif: {error}\n")
        sys.exit(2 if isinstance(error, InputError) else 1)
    except ModuleNotFoundError as error:
        if error.name not in _ENGINE:
            raise
        needed = f"This command needs {error.name}, which is not installed."
        sys.stderr.write(f"cmif: {needed} In CMIF's repository: pip install './server[engine]'\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
