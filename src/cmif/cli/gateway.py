"""`cmif gateway`: its options, read into the gateway's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cmif.attest.evidence import TeeKind
from cmif.cli.options import (
    BundleFolder,
    Chain,
    Collateral,
    Format,
    Host,
    KeyFile,
    Level,
    Port,
    PrivacyLevel,
    default_split,
)
from cmif.gateway.config import Lane, parse
from cmif.gateway.logs import LogFormat, LogLevel


def gateway(
    engine: Annotated[
        str, typer.Option(help="The engine's URL, http(s)://host:port; a text API's with its path, say /v1.")
    ],
    upstream: Annotated[
        Lane, typer.Option(help="What the engine is sent: embeddings, or text, to any OpenAI-compatible API.")
    ] = Lane.ENGINE,
    upstream_model: Annotated[
        str | None, typer.Option(help="With --upstream text: the API's name for its model.")
    ] = None,
    upstream_key: Annotated[
        Path | None, typer.Option(help="With --upstream text: a file with the gateway's key for the API.")
    ] = None,
    bundle: BundleFolder = None,
    policy: PrivacyLevel = "sensitive",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    state: Annotated[
        str | None,
        typer.Option(
            help="Of ledger and memo: a directory, or postgresql://... that several gateways share."
        ),
    ] = None,
    enclave_key: Annotated[
        Path | None,
        typer.Option(help="With --state postgresql://...: the memo's key, the same file for all gateways."),
    ] = None,
    tenants: Annotated[
        str | None,
        typer.Option(
            help="TOML file of tenants and their keys' SHA-256, or `state`: those of `cmif tenants`."
        ),
    ] = None,
    wire: Annotated[
        str, typer.Option(help="Codec of the rows: bf16, int8 or fp8, each optionally +zstd.")
    ] = "bf16+zstd",
    oblivious: Annotated[
        bool, typer.Option("--oblivious", help="Look rows up without telling the host's page tables which.")
    ] = False,
    sealed: Annotated[
        Path | None, typer.Option(help="In a TEE: a sealed bundle, opened only by attested key release.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="With --sealed: URL of the provider's `cmif release`.")
    ] = None,
    provider_key: Annotated[
        Path | None, typer.Option(help="With --sealed: the provider's public key, KEY.pub.")
    ] = None,
    tee: Annotated[
        TeeKind | None, typer.Option(help="With --sealed: the platform that gives the evidence.")
    ] = None,
    collateral: Collateral = None,
    chain: Chain = None,
    tls_name: Annotated[
        list[str] | None,
        typer.Option(help="With --sealed: serve TLS with a key made in the TEE, for these names."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Serve TLS with this certificate chain (PEM); with --tls-key.")
    ] = None,
    tls_key: KeyFile = None,
    engine_ca: Annotated[
        Path | None,
        typer.Option(help="Certificate authority (PEM) of an https engine; default: the system's."),
    ] = None,
    engine_certificate: Annotated[
        Path | None,
        typer.Option(help="Certificate (PEM) that the engine asks of its clients; with --engine-key."),
    ] = None,
    engine_key: KeyFile = None,
    engine_policy: Annotated[
        Path | None,
        typer.Option(help="Appraisal policy (TOML): the engine must prove that it runs in a TEE that this accepts."),
    ] = None,
    allow_simulated: Annotated[
        bool,
        typer.Option(
            "--allow-simulated", help="Development: let an --engine-policy that names the simulated TEE accept it."
        ),
    ] = False,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="A site whose pages may use this gateway, https://app.example.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name here; default: the bundle's.")] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name that clients may ask for, say gpt-4o.")
    ] = None,
    ui: Annotated[
        int | None,
        typer.Option(
            help="Port on this machine of a page that shows what happens; 0 picks a free one.", min=0, max=65535
        ),
    ] = None,
    log_format: Format = LogFormat.TEXT,
    log_level: Level = LogLevel.INFO,
    otlp: Annotated[
        str | None,
        typer.Option(
            help="An OpenTelemetry collector, http(s)://host:4318: a span a request, without content."
        ),
    ] = None,
) -> None:
    """Run the gateway: an OpenAI-compatible API that lets only sanitised text out, as embeddings."""
    options = dict(locals())
    from cmif.gateway.serving import serve
    from cmif.gateway.state import default_state

    if bundle is None and sealed is None:
        options["bundle"] = default_split("client") / "client"
    serve(parse(options | {"state": state or default_state()}))
