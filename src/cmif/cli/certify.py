"""`cmif certify`: prove the shipped table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cmif.cli.options import default_split


def certify(
    bundle: Annotated[
        Path | None, typer.Argument(help="A client bundle; default: SmolLM2's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove a bundle's privacy table in exact arithmetic, every bucket and every pair. Exit status 1 if it fails."""
    from cmif.enclave.bundle import TABLE
    from cmif.privacy.certify import certify as prove

    certificate = prove((bundle or default_split("client") / "client") / TABLE)
    told = certificate.as_json()
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for name, value in told.items():
            sys.stdout.write(f"{name:10} {value}\n")
    if not certificate.certified:
        raise typer.Exit(1)
