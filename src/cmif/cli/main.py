"""The `cmif` command: each subcommand imports what it needs when it runs, so that the gateway never loads torch."""

from __future__ import annotations

import sys

import typer

from cmif.cli import attest, certify, detect, ledger, provider, serve, show, tenants
from cmif.cli.further import Commands
from cmif.errors import CmifError, InputError

_SERVER = {
    "torch",
    "transformers",
    "safetensors",
}  # what the extra `server` brings and a gateway does without

app = typer.Typer(
    name="cmif",
    cls=Commands,
    help="Confidential LLM inference: private text stays with you, every later layer runs on GPUs you need not trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.split)
app.command()(serve.serve)
app.command()(serve.gateway)
app.command()(show.inspect)
app.command()(show.demo)
app.command()(ledger.ledger)
app.command()(certify.certify)
app.command()(provider.seal)
app.command()(provider.release)
app.add_typer(attest.app, name="attest")
app.add_typer(detect.app, name="detect")
app.add_typer(tenants.app, name="tenants")


def main() -> None:
    """Exit status: 0 done, 1 failed or refused, 2 wrong input."""
    try:
        app()
    except CmifError as error:
        sys.stderr.write(f"cmif: {error}\n")
        sys.exit(2 if isinstance(error, InputError) else 1)
    except ModuleNotFoundError as error:
        if error.name not in _SERVER:
            raise
        needed = f"This command needs {error.name}, which is not installed. Run: pip install 'cmif-gateway[server]'"
        sys.stderr.write(f"cmif: {needed}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
