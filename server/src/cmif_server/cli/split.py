"""`cmif split`: make a model's two halves."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cmif.cli.options import steps


class Law(StrEnum):
    """The laws a table can be split with: `cmif_server.tables.laws`."""

    MEDOID_RR = "medoid-rr"
    CONSTANT = "constant"


def split(
    model: Annotated[str, typer.Argument(help="A Hugging Face model directory, a GGUF file or a hub id.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for the halves, OUT/client and OUT/server.")
    ],
    k: Annotated[
        int | None, typer.Option(help="Words a bucket of the privacy table has at least; default 20.")
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="eps_in of one sanitised word; default 1.")] = None,
    law: Annotated[
        Law, typer.Option(help="What a bucket's words become; constant: all of them one word, epsilon 0.")
    ] = Law.MEDOID_RR,
    name: Annotated[
        str | None,
        typer.Option(help="What the gateway calls the model; default: the directory's or file's name."),
    ] = None,
) -> None:
    """Split a model into a client bundle (for the enclave) and a server body (for the engine)."""
    from cmif_server.provider.split import split as split_model
    from cmif_server.tables.build import DEFAULT_K

    with steps() as report:
        done = split_model(
            model,
            out,
            k=DEFAULT_K if k is None else k,
            epsilon=epsilon,
            law=law.value,
            name=name,
            report=report,
        )
    for warning in done.warnings:
        typer.echo(f"cmif: {warning}", err=True)
    typer.echo(
        json.dumps(
            {
                "client": str(done.client),
                "server": str(done.server),
                "model": done.model,
                "self_test": done.self_test,
                "warnings": list(done.warnings),
            }
        )
    )
