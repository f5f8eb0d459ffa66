"""`cmif serve`: run the engine."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cmif.attest.evidence import TeeKind
from cmif.cli.options import (
    CertificateFile,
    Chain,
    Collateral,
    Format,
    Host,
    KeyFile,
    Level,
    Port,
    default_split,
)
from cmif.gateway.logs import LogFormat, LogLevel, configure


class Backend(StrEnum):
    """The engines that speak the same frame: in process, or `vllm serve` behind the guard."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


def serve(
    body: Annotated[
        Path | None, typer.Argument(help="The server half of a split; default: SmolLM2's.")
    ] = None,
    vllm_arguments: Annotated[
        list[str] | None, typer.Argument(help="After `--`: passed to vLLM as they are.")
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8001,
    backend: Annotated[Backend, typer.Option(help="What runs the layers.")] = Backend.TRANSFORMERS,
    tls_certificate: CertificateFile = None,
    tls_key: KeyFile = None,
    tee: Annotated[
        TeeKind | None,
        typer.Option(help="In a TEE: its kind. TLS with a key made here, which GET /attestation binds."),
    ] = None,
    collateral: Collateral = None,
    chain: Chain = None,
    nvattest: Annotated[
        Path | None, typer.Option(help="With --tee: NVIDIA's nvattest, whose evidence of the GPUs goes with ours.")
    ] = None,
    log_format: Format = LogFormat.TEXT,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run the engine: every layer after the embedding, from rows to a stream of token ids."""
    from cmif.errors import InputError
    from cmif.listen import tls_from_files
    from cmif_server.cli.engine_tee import InTee, in_tee

    if nvattest is not None and tee is None:
        raise InputError("--nvattest is for --tee: GPUs are attested beside the TEE that uses them.")
    inside = InTee()
    if tee is not None:
        given = (tls_certificate, tls_key)
        inside = in_tee(tee, host, backend.value, vllm_arguments or (), collateral, chain or (), given, nvattest)
        tls_certificate, tls_key = inside.certificate, inside.key
    served = body or default_split("server") / "server"
    if backend is Backend.VLLM:
        from cmif_server.engine.vllm_serve import serve as serve_vllm

        serve_vllm(
            served,
            host=host,
            port=port,
            certificate=tls_certificate,
            key=tls_key,
            extra=vllm_arguments or (),
            tee=inside.tee,
        )
    # Threads that spin while they wait stop whatever else the machine does, other engines included.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from cmif_server.engine.app import serve as serve_body

    configure(log_format, log_level)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tls = inside.tls or tls_from_files(tls_certificate, tls_key)
    serve_body(served, host=host, port=port, device=device, tls=tls, tee=inside.tee)
