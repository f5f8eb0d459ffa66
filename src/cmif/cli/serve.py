"""`cmif split`, `cmif serve`, `cmif gateway`: make the halves and run them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import closing, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cmif.attest.evidence import TeeKind
from cmif.cli.options import default_split, policy_of, steps
from cmif.errors import InputError
from cmif.gateway.logs import LogFormat, LogLevel, configure

if TYPE_CHECKING:
    import ssl

    from starlette.applications import Starlette
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from cmif.enclave.bundle import Bundle
    from cmif.gateway.traces import Spans

log = logging.getLogger("cmif.gateway")


class Backend(StrEnum):
    """The engines that speak the same frame: in process, or `vllm serve` behind the guard."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Lane(StrEnum):
    """What the gateway's engine is sent: embeddings of sanitised text, or the sanitised text."""

    ENGINE = "engine"
    TEXT = "text"


class Law(StrEnum):
    """The laws a table can be split with: `cmif.privacy.laws`."""

    MEDOID_RR = "medoid-rr"
    CONSTANT = "constant"


Host = Annotated[str, typer.Option(help="Address to listen on.")]
Format = Annotated[LogFormat, typer.Option(help="Lines of text, or one JSON object a line.")]
Level = Annotated[
    LogLevel, typer.Option(help="The least that is logged; debug adds health checks and scrapes.")
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)]


def split(
    model: Annotated[str, typer.Argument(help="A Hugging Face model directory, a GGUF file or a hub id.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for the halves, OUT/client and OUT/server.")
    ],
    k: Annotated[
        int | None, typer.Option(help="Words a bucket of the privacy table has at least; default 16.")
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
    from cmif.privacy.build import DEFAULT_K
    from cmif.provider.split import split as split_model

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
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM); with --tls-key.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM).")] = None,
    log_format: Format = LogFormat.TEXT,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run the engine: every layer after the embedding, from rows to a stream of token ids."""
    served = body or default_split("server") / "server"
    if backend is Backend.VLLM:
        from cmif.engine.vllm_serve import serve as serve_vllm

        serve_vllm(
            served, host=host, port=port, certificate=tls_certificate, key=tls_key, extra=vllm_arguments or ()
        )
    # Threads that spin while they wait stop whatever else the machine does, other engines included.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from cmif.engine.app import serve as serve_body

    configure(log_format, log_level)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    serve_body(served, host=host, port=port, device=device, certificate=tls_certificate, key=tls_key)


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
    bundle: Annotated[
        Path | None, typer.Option(help="The client half of a split; default: SmolLM2's.")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="off, entities, sensitive, content, all, or a TOML file.")
    ] = "sensitive",
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
    collateral: Annotated[
        Path | None, typer.Option(help="With --tee sgx or tdx: Intel's signed collateral.")
    ] = None,
    chain: Annotated[
        list[Path] | None, typer.Option(help="With --tee snp: AMD's certificates, if the host gives none.")
    ] = None,
    tls_name: Annotated[
        list[str] | None,
        typer.Option(help="With --sealed: serve TLS with a key made in the TEE, for these names."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Serve TLS with this certificate chain (PEM); with --tls-key.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM).")] = None,
    engine_ca: Annotated[
        Path | None,
        typer.Option(help="Certificate authority (PEM) of an https engine; default: the system's."),
    ] = None,
    engine_certificate: Annotated[
        Path | None,
        typer.Option(help="Certificate (PEM) that the engine asks of its clients; with --engine-key."),
    ] = None,
    engine_key: Annotated[Path | None, typer.Option(help="Private key (PEM).")] = None,
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
    from cmif.enclave.embed import embed
    from cmif.enclave.embed import oblivious as oblivious_rows
    from cmif.enclave.pipeline import Pipeline
    from cmif.enclave.policy import detectors_for
    from cmif.gateway.app import Gateway
    from cmif.gateway.browsers import Browsers, is_loopback
    from cmif.gateway.bundles import open_bundle
    from cmif.gateway.state import default_state
    from cmif.gateway.state import opened as opened_state
    from cmif.gateway.tenants import Anyone, FileTenants, LedgerTenants, Tenants
    from cmif.gateway.text_api import TextApi, read_key
    from cmif.gateway.upstream import Upstream, engine_context
    from cmif.listen import bind, run, tls_from_files

    configure(log_format, log_level)
    _require_apart(
        sealed,
        engine,
        tenants,
        tls_name,
        (tls_certificate, tls_key),
        (engine_ca, engine_certificate, engine_key),
    )
    if ui is not None and (sealed is not None or tls_certificate is not None):
        raise InputError("--ui is for a gateway on your own machine, without --sealed or --tls-certificate.")
    _require_lane(upstream, upstream_model, upstream_key, sealed)
    api_key = read_key(upstream_key)
    serving = tls_from_files(tls_certificate, tls_key)
    engine_tls = engine_context(engine_ca, engine_certificate, engine_key)
    browsers = Browsers(tuple(cors_origin or ()), keyless=tenants is None, loopback=is_loopback(host))
    if browsers.keyless and not browsers.loopback:
        log.warning("without --tenants everybody who reaches this address is served")
    chosen = policy_of(policy)
    spans = None if otlp is None else _spans_to(otlp)

    page = [bind("127.0.0.1", ui)] if ui is not None else []
    shown: dict[str, str] = {}

    def build(
        opened: Bundle,
        key: bytes,
        tls: ssl.SSLContext | None = None,
        ready: Callable[[], tuple[str, ...]] = lambda: (),
        routes: tuple[BaseRoute, ...] = (),
        label: str | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> Starlette:
        rows_for = oblivious_rows(opened.rows) if oblivious else embed
        pipeline = Pipeline(opened, chosen, detectors_for(chosen), store, key, rows_for)
        to: Upstream | TextApi
        if upstream is Lane.TEXT:
            to = TextApi(engine, upstream_model or "", opened.tokeniser, api_key, tls)
        else:
            to = Upstream(engine, opened.manifest.model, opened.manifest.vocab, wire, tls)
        to.metrics.watch(store)
        if spans is not None:
            to.metrics.tell(spans)
        names = (name or opened.manifest.name, *(alias or ()))
        made = Gateway(pipeline, to, known, ready, routes, label, admit, browsers, names)
        app = made.app()
        if page:
            from cmif.gateway.ui.page import add_page

            shown["ui"] = add_page(app, made, store, page[0], keyed=tenants is not None)
        return app

    opening = opened_state(state or default_state(), chosen, enclave_key, in_tee=sealed is not None)
    with opening as (store, key), nullcontext() if spans is None else closing(spans):
        served: ASGIApp
        known: Tenants
        if tenants is None:
            known = Anyone()
        else:
            known = LedgerTenants(store) if tenants == "state" else FileTenants(Path(tenants))
        if sealed is not None:
            from cmif.cli.attested import Sealed, attested

            asked = Sealed.parse(sealed, provider, provider_key, tee, collateral, chain)
            served, serving, told = attested(
                asked, engine, chosen, wire, oblivious, tuple(tls_name or ()), build
            )
        else:
            half = open_bundle(bundle or default_split("client") / "client")
            served = build(half, key, engine_tls)
            told = {
                "serves": "gateway",
                "policy": chosen.level.value,
                "model": name or half.manifest.name,
                "upstream": upstream.value,
            }
        run(served, bind(host, port), told | shown, tls=serving, also=page, **_STOPPING)


def _spans_to(collector: str) -> Spans:
    if not collector.startswith(("http://", "https://")):
        raise InputError("--otlp must be http(s)://host:port.")
    try:
        from cmif.gateway.traces import Spans
    except ImportError:
        raise InputError(
            "--otlp needs OpenTelemetry, which is not installed.",
            hint="Run: pip install 'cmif-gateway[otel]'",
        ) from None
    return Spans.to(collector)


_STOPPING: dict[str, Any] = {"drain_s": 5.0, "timeout_graceful_shutdown": 20}
"""Together less than the 30 s after which Kubernetes kills a container."""


def _require_apart(
    sealed: Path | None,
    engine: str,
    tenants: str | None,
    tls_names: list[str] | None,
    serving: tuple[Path | None, ...],
    to_engine: tuple[Path | None, ...],
) -> None:
    """Raises :class:`InputError` for options that this start would not hold to: they must not look as if they held."""
    if sealed is None and tls_names:
        raise InputError("--tls-name is for --sealed.", hint="Give --tls-certificate and --tls-key instead.")
    if sealed is not None and any(serving):
        raise InputError("With --sealed the TLS key is made in the TEE.", hint="Give --tls-name instead.")
    if sealed is not None and any(to_engine):
        raise InputError("With --sealed the provider's grant says which TLS key the engine has.")
    if sealed is not None and tenants == "state":
        raise InputError(
            "With --sealed the tenants are a file of the measured image: whoever has the host writes --state."
        )
    if any(to_engine) and not engine.startswith("https://"):
        raise InputError("--engine-ca and --engine-certificate are for an https:// engine.")


def _require_lane(lane: Lane, model: str | None, key: Path | None, sealed: Path | None) -> None:
    """Raises :class:`InputError` for options of the other lane, and for a text API that no grant speaks of."""
    if lane is not Lane.TEXT:
        if model is not None or key is not None:
            raise InputError("--upstream-model and --upstream-key are for --upstream text.")
        return
    if model is None:
        raise InputError("--upstream text needs --upstream-model, the API's name for its model.")
    if sealed is not None:
        raise InputError("With --sealed the provider's grant names engines, which are sent embeddings.")
