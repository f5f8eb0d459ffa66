"""The host of an attested engine, over real TLS: a forged processor vendor, the scripted engine, and whoever has the
machine and answers in the engine's place.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cmif.attest.evidence import TeeKind
from cmif.attest.prove.route import Gpus, attestation_route
from cmif.attest.subject import Subject, engine_config
from cmif.attest.verify import appraise
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.suggest import policy_for
from cmif.enclave.pipeline import Pipeline
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.gateway.app import Gateway
from cmif.gateway.bundles import open_bundle
from cmif.gateway.engine_attestation import EngineAttestation
from cmif.gateway.selfsigned import enclave_tls
from cmif.gateway.store import SqliteStore
from cmif.gateway.tenants import Anyone
from cmif.gateway.upstream import Upstream
from cmif.listen import bind
from cmif_server.engine.app import make_app
from tests.boundary.fake_tee import vendor
from tests.hostile.engine import Script, ScriptedEngine


@contextmanager
def serving(app: Starlette, tls: ssl.SSLContext | None, port: int = 0) -> Iterator[str]:
    bound = bind("127.0.0.1", port)
    config = uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=1)
    config.load()
    if tls is not None:
        config.ssl = tls
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http{'s' if tls is not None else ''}://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()


@dataclass
class Machine:
    """A machine with a TEE, whose evidence the policy accepts, and the engine in it."""

    split: Path
    script: Script
    kind: TeeKind = TeeKind.SNP
    engine: ScriptedEngine = field(init=False)
    policy: AppraisalPolicy = field(init=False)
    roots: appraise.Roots = field(init=False)
    rules: str = field(init=False)

    def __post_init__(self) -> None:
        self.engine = ScriptedEngine(open_bundle(self.split / "client"), self.script)
        self.producer, self.roots, _ = vendor(self.kind)
        claims = appraise.verify(self.producer.produce(bytes(64)), datetime.now(UTC), self.roots)
        self.rules = policy_for(claims).replace('reason = ""', 'reason = "test"')
        self.config = engine_config("transformers").hex()
        self.policy = replace(AppraisalPolicy.parse(self.rules), config_digests=frozenset({self.config}))

    @contextmanager
    def up(self, port: int = 0, *, evidence: bool = True, gpus: Gpus | None = None, **subject: str) -> Iterator[str]:
        """The engine with a new TLS key, as after every start; ``subject`` changes what it states of itself."""
        tls, spki = enclave_tls(("127.0.0.1",))
        told = replace(Subject(self.config, self.engine.info.model, spki), **subject)
        app = make_app(self.engine)  # type: ignore[arg-type]
        if evidence:
            app.router.routes.append(attestation_route(self.producer, told, gpus=gpus))
        with serving(app, tls, port) as url:
            yield url


@dataclass
class InTheMiddle:
    """Who has the engine's network: TLS ends here, questions go on to the engine, and what is sent is kept. ``again``:
    a statement that was true once, for every question."""

    engine: str
    again: Any = None
    got: list[bytes] = field(default_factory=list)

    @contextmanager
    def up(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])
        with serving(app, tls or enclave_tls(("127.0.0.1",))[0], port) as url:
            yield url

    async def _answer(self, request: Request) -> Response:
        if request.url.path == "/attestation" and self.again is not None:
            return JSONResponse(self.again)
        self.got.append(await request.body())
        async with httpx.AsyncClient(verify=False) as client:
            told = await client.get(f"{self.engine}{request.url.path}", params=dict(request.query_params))
            return Response(told.content, told.status_code, media_type="application/json")


@dataclass
class Attested:
    """A gateway before an attested engine: its client, and what holds of the engine."""

    client: httpx.AsyncClient
    attestation: EngineAttestation
    pipeline: Pipeline

    async def chat(self, messages: list[dict[str, Any]], **more: Any) -> httpx.Response:
        model = self.pipeline.bundle.manifest.name
        return await self.client.post("/v1/chat/completions", json={"model": model, "messages": messages, **more})

    async def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.client.get("/readyz")).json()
        return told


@asynccontextmanager
async def gateway(
    machine: Machine,
    url: str,
    store: SqliteStore | None = None,
    *,
    attested: str | None = "off",
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Attested]:
    bundle = open_bundle(machine.split / "client")
    policy = PrivacyPolicy.parse({"level": "sensitive", **({"attested": attested} if attested else {})})
    pipeline = Pipeline(
        bundle, policy, detectors_for(policy), store or SqliteStore(":memory:"), b"k" * 32, attested=True
    )
    timed = {"clock": clock} if clock else {}
    attestation = EngineAttestation(url, bundle.manifest.model, machine.policy, roots=machine.roots, **timed)
    upstream = Upstream(url, bundle.manifest.model, bundle.manifest.vocab, attestation=attestation)
    app = Gateway(pipeline, upstream, Anyone()).app()
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Attested(client, attestation, pipeline)


@asynccontextmanager
async def plain(machine: Machine, url: str, store: SqliteStore, tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway on the same state and under the same policy that asks its engine for nothing."""
    bundle = open_bundle(machine.split / "client")
    policy = PrivacyPolicy.parse({"level": "sensitive", "attested": "off"})
    pipeline = Pipeline(bundle, policy, detectors_for(policy), store, b"k" * 32)
    upstream = Upstream(url, bundle.manifest.model, bundle.manifest.vocab, tls=tls)
    app = Gateway(pipeline, upstream, Anyone()).app()
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
            yield client
