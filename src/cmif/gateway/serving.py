"""The one assembly of a gateway: from its settings, its bundle and the memo's key to an application that is served."""

from __future__ import annotations

import gc
import hashlib
import logging
import secrets
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from cmif.attest.evidence import TeeKind
from cmif.attest.prove.produce import Gramine, Producer, producer
from cmif.attest.simulated import LABEL
from cmif.enclave.bundle import Bundle
from cmif.enclave.embed import embed, oblivious
from cmif.enclave.pipeline import Pipeline
from cmif.enclave.policy import detectors_for
from cmif.errors import InputError
from cmif.gateway.app import Gateway, Ready
from cmif.gateway.browsers import Browsers, is_loopback
from cmif.gateway.bundles import open_bundle
from cmif.gateway.config import GatewayConfig, Lane
from cmif.gateway.ledger import Ledger
from cmif.gateway.logs import configure
from cmif.gateway.selfsigned import enclave_tls
from cmif.gateway.start import AttestedGateway, Terms, Unsealed
from cmif.gateway.state import opened
from cmif.gateway.tenants import Anyone, FileTenants, LedgerTenants, Tenants
from cmif.gateway.text_api import TextApi, read_key
from cmif.gateway.upstream import Attestation, Upstream, engine_context
from cmif.listen import bind, run, tls_from_files

if TYPE_CHECKING:
    from cmif.gateway.traces import Spans

log = logging.getLogger("cmif.gateway")

Attest = Callable[..., Attestation]
"""Makes the attestation of the engine that serves a split, by its digest; more as of :class:`EngineAttestation`."""

_STOPPING: dict[str, Any] = {"drain_s": 5.0, "timeout_graceful_shutdown": 20}
"""Together less than the 30 s after which Kubernetes kills a container."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a gateway's application uses and outlives it: ledger, tenants, where spans go, the address of its page."""

    ledger: Ledger
    tenants: Tenants
    spans: Spans | None = None
    page: socket.socket | None = None


def application(
    config: GatewayConfig,
    bundle: Bundle,
    key: bytes,
    around: Surroundings,
    tls: ssl.SSLContext | None = None,
    ready: Ready = lambda: (),
    routes: tuple[BaseRoute, ...] = (),
    label: str | None = None,
    admit: Callable[[], None] = lambda: None,
    attest: Attest | None = None,
) -> tuple[Starlette, dict[str, str]]:
    """The application over ``bundle`` and the memo's ``key`` (32 bytes), and what its start should say of it.

    ``tls`` is how the engine is reached, ``attest`` what it has to prove before that; the rest is what the gateway's
    own attestation adds (:class:`Gateway`).
    """
    rows_for = oblivious(bundle.rows) if config.oblivious else embed
    policy = config.policy
    attested = attest is not None
    pipeline = Pipeline(bundle, policy, detectors_for(policy), around.ledger, key, rows_for, attested=attested)
    upstream: Upstream | TextApi
    if config.upstream is Lane.TEXT:
        api_key = read_key(config.upstream_key)
        upstream = TextApi(config.engine, config.upstream_model or "", bundle.tokeniser, api_key, tls)
    else:
        model, vocab = bundle.manifest.model, bundle.manifest.vocab
        attestation = attest(model) if attest is not None else None
        upstream = Upstream(config.engine, model, vocab, config.wire, tls, attestation=attestation)
    upstream.metrics.watch(around.ledger)
    if around.spans is not None:
        upstream.metrics.tell(around.spans)
    keyed = config.tenants is not None
    browsers = Browsers(config.cors_origin, keyless=not keyed, loopback=is_loopback(config.host))
    names = (config.name or bundle.manifest.name, *config.alias)
    made = Gateway(pipeline, upstream, around.tenants, ready, routes, label, admit, browsers, names)
    app = made.app()
    gc.collect()
    gc.freeze()  # lists and tables stay as long as the process: a collection that walks them stops every stream for it
    if around.page is None:
        return app, {}
    from cmif.gateway.ui.page import add_page

    return app, {"ui": add_page(app, made, around.ledger, around.page, keyed=keyed)}


def serve(config: GatewayConfig) -> None:
    """Run a gateway until it is asked to stop. Raises :class:`InputError` for settings that cannot be served."""
    configure(config.log_format, config.log_level)
    if config.tenants is None and not is_loopback(config.host):
        log.warning("without --tenants everybody who reaches this address is served")
    spans = None if config.otlp is None else _spans_to(config.otlp)
    page = None if config.ui is None else bind("127.0.0.1", config.ui)
    opening = opened(config.state, config.policy, config.enclave_key, in_tee=config.sealed is not None)
    with opening as (ledger, key), nullcontext() if spans is None else closing(spans):
        around = Surroundings(ledger, _tenants(config.tenants, ledger), spans, page)
        served: ASGIApp
        if config.sealed is None:
            tls = tls_from_files(config.tls_certificate, config.tls_key)
            served, told = _plain(config, key, around)
        else:
            served, tls, told = _attested(config, config.sealed, around)
        run(served, bind(config.host, config.port), told, tls=tls, also=[page] if page else [], **_STOPPING)


def _plain(config: GatewayConfig, key: bytes, around: Surroundings) -> tuple[ASGIApp, dict[str, str]]:
    if config.bundle is None:
        raise InputError("A gateway needs --bundle or --sealed.")
    bundle = open_bundle(config.bundle)
    tls = engine_context(config.engine_ca, config.engine_certificate, config.engine_key)
    app, shown = application(config, bundle, key, around, tls, attest=_attesting(config))
    told = {
        "serves": "gateway",
        "policy": config.policy.level.value,
        "model": config.name or bundle.manifest.name,
        "upstream": config.upstream.value,
    }
    return app, told | shown


def _attested(
    config: GatewayConfig, sealed: Path, around: Surroundings
) -> tuple[ASGIApp, ssl.SSLContext | None, dict[str, str]]:
    """The application that waits for its bundle, its TLS context (made in the TEE if there are names for it), and what
    to say when it listens.
    """
    assert config.provider is not None  # as `GatewayConfig` requires of a sealed start
    assert config.provider_key is not None
    assert config.tee is not None
    tls, spki = enclave_tls(config.tls_name) if config.tls_name else (None, "")
    made = producer(config.tee, collateral=config.collateral, chain=config.chain)
    digest = config.protection.digest()
    attesting = _attesting(config)
    engine_attested = attesting is not None
    terms = Terms(config.provider, config.provider_key, sealed, config.engine, digest, made, spki, engine_attested)

    def build(
        unsealed: Unsealed, ready: Ready, routes: tuple[BaseRoute, ...], admit: Callable[[], None]
    ) -> Starlette:
        key = _enclave_key(made)
        attest = partial(attesting, pins=unsealed.pins, now=unsealed.now) if attesting is not None else None
        return application(
            config, unsealed.bundle, key, around, unsealed.tls, ready, routes, unsealed.label, admit, attest
        )[0]

    told = {"serves": "gateway", "tee": str(config.tee), "config_digest": digest.hex(), "tls_spki": spki}
    if config.tee is TeeKind.SIMULATED:
        told["warning"] = LABEL
    return AttestedGateway(terms, build), tls, told


def _attesting(config: GatewayConfig) -> Attest | None:
    """What the engine has to prove; None: nothing. Raises :class:`InputError`, before there is a bundle."""
    if config.engine_policy is None:
        return None
    from cmif.gateway.engine_attestation import (  # only this lane judges evidence
        EngineAttestation,
        parse_policy,
    )

    certificate, key = config.engine_certificate, config.engine_key
    client = (certificate, key) if certificate and key else None
    policy = parse_policy(config.engine_policy)
    simulated = config.allow_simulated
    return partial(EngineAttestation, config.engine, policy=policy, allow_simulated=simulated, client=client)


def _enclave_key(made: Producer) -> bytes:
    """The memo's key: sealed to this enclave under SGX; elsewhere fresh at each start, so old draws are not reused."""
    if isinstance(made, Gramine):
        return hashlib.sha256(b"cmif memo key\0" + made.sealing_key()).digest()
    return secrets.token_bytes(32)


def _tenants(given: str | None, ledger: Ledger) -> Tenants:
    """Raises :class:`InputError` for a file that is not one of tenants."""
    if given is None:
        return Anyone()
    return LedgerTenants(ledger) if given == "state" else FileTenants(Path(given))


def _spans_to(collector: str) -> Spans:
    try:
        from cmif.gateway.traces import Spans
    except ImportError:
        raise InputError(
            "--otlp needs OpenTelemetry, which is not installed.",
            hint="In CMIF's repository: pip install '.[otel]'",
        ) from None
    return Spans.to(collector)
