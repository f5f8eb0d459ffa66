"""A gateway inside a TEE: attest to the provider, unseal the bundle in memory, hold the lease; only then serve.

Until the exchange, the bundle's hashes and the table's certificate hold, and again whenever the lease has run out,
`/readyz` is false with the reasons and no request is answered. Nothing sealed is ever written unsealed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cmif.attest.evidence import TeeKind
from cmif.attest.exchange import Exchange, Lease, Released, Want
from cmif.attest.messages import MAX_MESSAGE_BYTES, Grant, encode
from cmif.attest.produce import Producer
from cmif.attest.sealed import SealedHeader, open_sealed
from cmif.attest.simulated import LABEL
from cmif.attest.spki import pinned_context, require_pinned
from cmif.attest.statement import Subject, parse_nonce, statement
from cmif.enclave.bundle import Bundle
from cmif.errors import AttestationError, CmifError, InputError

log = logging.getLogger("cmif.gateway.start")

_RETRY_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_RENEW_AT = 0.5
"""The part of a lease after which a new one is asked for: half leaves as long again for a provider to come back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How this gateway starts: whose bundle, from where, with what evidence, for which engine.

    ``provider_key`` is the provider's raw Ed25519 key, part of the measured image. ``config`` is the digest of the
    settings this gateway runs under, ``tls_spki`` the hash of its own TLS key ("" without).
    """

    provider: str
    provider_key: bytes
    sealed: Path
    engine: str
    config: bytes
    producer: Producer
    tls_spki: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready`` only while nothing speaks against it; ``reasons`` name the checks that do not hold."""

    reasons: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What the exchange gave: the bundle in memory, the grant, and TLS that ends only at the granted engines."""

    bundle: Bundle
    grant: Grant
    tls: ssl.SSLContext
    label: str | None


class Build(Protocol):
    """Makes the gateway's application once there is a bundle; ``ready`` gives the reasons why it may not answer now."""

    def __call__(
        self, unsealed: Unsealed, ready: Callable[[], tuple[str, ...]], routes: tuple[Route, ...]
    ) -> Starlette: ...


@dataclass
class _State:
    reasons: tuple[str, ...] = ("attestation: the exchange with the provider has not finished",)
    lease: Lease | None = None
    app: Starlette | None = None
    spent: list[float] = field(default_factory=list)


class AttestedGateway:
    """An ASGI application that answers only `/healthz`, `/readyz` and `/attestation` until it is ready."""

    def __init__(self, terms: Terms, build: Build) -> None:
        if urlsplit(terms.engine).scheme != "https":
            raise InputError(
                "An attested gateway reaches its engine by https, pinned by the provider's grant."
            )
        self._terms = terms
        self._build = build
        self._header = SealedHeader.read(terms.sealed)
        self._want = Want(terms.provider_key, self._header.bundle, self._header.epoch, terms.config)
        self._state = _State()
        self._routes = (
            attestation_route(
                terms.producer, Subject(terms.config.hex(), self._header.bundle, terms.tls_spki)
            ),
        )
        self._waiting = Starlette(
            routes=[
                Route("/healthz", _alive),
                Route("/readyz", self._readyz),
                *self._routes,
                Route("/{path:path}", self._not_ready, methods=["GET", "POST"]),
            ]
        )

    def readiness(self) -> Readiness:
        """Whether requests may be answered now, and what speaks against it."""
        state = self._state
        if state.reasons or state.lease is None:
            return Readiness(state.reasons)
        try:
            state.lease.require()
        except AttestationError as expired:
            return Readiness((_reason(expired),))
        return Readiness()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        app = self._state.app
        if app is None:
            await self._waiting(scope, receive, send)
        elif self._over_limit(scope):
            await JSONResponse(_LIMITED, status_code=429, headers={"retry-after": "60"})(scope, receive, send)
        else:
            await app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        task = asyncio.create_task(self._run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await send({"type": "lifespan.shutdown.complete"})

    async def _run(self) -> None:
        """Serve for as long as the process lives; whatever ends that closes the gateway and is a reason."""
        try:
            await self._serve()
        except (
            Exception
        ) as error:  # its message could quote a bundle: only its type may leave, unless it is ours
            reason = _reason(error) if isinstance(error, CmifError) else f"internal: {type(error).__name__}"
            log.error("closed: %s", reason)
            self._state.reasons = (reason,)

    async def _serve(self) -> None:
        """Attest, unseal and serve; then renew the lease."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=_TIMEOUT))
            released = await self._until_released(session)
            unsealed = await self._until_unsealed(released)
            app = await asyncio.to_thread(
                self._build, unsealed, lambda: self.readiness().reasons, self._routes
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            self._state = _State(reasons=(), lease=released.lease, app=app)
            log.info("ready: bundle %s epoch %d", self._want.bundle[:16], self._want.epoch)
            while True:
                lease = released.lease
                await asyncio.sleep(max(1.0, lease.remaining_s() - lease.grant.lease_s * _RENEW_AT))
                released = await self._until_released(session)
                self._state.lease = released.lease

    async def _until_released(self, session: aiohttp.ClientSession) -> Released:
        """Ask until the provider grants. Every refusal is logged with its record; the reasons show while not ready."""
        attempt = 0
        while True:
            try:
                return await obtain(session, self._terms.provider, self._want, self._terms.producer)
            except CmifError as error:
                log.warning("not released: %s", json.dumps(_record(error)))
                if self._state.app is None:
                    self._state.reasons = (_reason(error),)
                await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1

    async def _until_unsealed(self, released: Released) -> Unsealed:
        attempt = 0
        while True:
            try:
                await check_engine(self._terms.engine, released.lease.grant.engine_spki)
                return await asyncio.to_thread(
                    unseal, self._terms.sealed, released, self._terms.producer.kind
                )
            except CmifError as error:
                log.error("not ready: %s", json.dumps(_record(error)))
                self._state.reasons = (_reason(error),)
                await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1

    def _over_limit(self, scope: Scope) -> bool:
        """The grant's bound on requests, over a sliding minute."""
        lease = self._state.lease
        limit = lease.grant.requests_per_minute if lease else 0
        if not limit or scope["type"] != "http" or scope["method"] != "POST":
            return False
        now = asyncio.get_running_loop().time()
        self._state.spent = [at for at in self._state.spent if now - at < 60]
        if len(self._state.spent) >= limit:
            return True
        self._state.spent.append(now)
        return False

    async def _not_ready(self, _request: Request) -> Response:
        message = f"This gateway is not ready. {'; '.join(self.readiness().reasons)}"
        error = {"message": message, "type": "server_error", "code": "not_ready"}
        return JSONResponse({"error": error}, status_code=503, headers={"retry-after": "5"})

    async def _readyz(self, _request: Request) -> Response:
        found = self.readiness()
        return JSONResponse({"ready": found.ready, "reasons": list(found.reasons)}, status_code=503)


async def obtain(session: aiohttp.ClientSession, provider: str, want: Want, producer: Producer) -> Released:
    """One exchange with the provider. Raises :class:`AttestationError`; a provider's refusal carries its record."""
    exchange = Exchange(want, producer)
    challenge = await _post(
        session, f"{provider.rstrip('/')}/v1/challenge", encode({"v": 1, "bundle": want.bundle})
    )
    request = await asyncio.to_thread(exchange.request, challenge)
    return exchange.accept(await _post(session, f"{provider.rstrip('/')}/v1/release", request))


def unseal(sealed: Path, released: Released, kind: TeeKind) -> Unsealed:
    """The bundle in memory, checked against its manifest and the grant.

    Raises :class:`SealError` or :class:`BundleError` for a bundle that is not the granted one, :class:`TableError` for
    a table without a valid certificate, :class:`AttestationError` for a table weaker than the grant allows.
    """
    grant = released.lease.grant
    opened = open_sealed(sealed, released.key, bundle=grant.bundle, epoch=grant.epoch)
    bundle = Bundle.load(opened.manifest, opened.files)
    table = bundle.table
    if table.eps_in > grant.max_eps_in or table.k < grant.min_k:
        raise AttestationError(
            "The bundle's privacy table is weaker than the grant allows.",
            check="mechanism",
            expected={"max_eps_in": grant.max_eps_in, "min_k": grant.min_k},
            seen={"eps_in": table.eps_in, "k": table.k},
        )
    return Unsealed(
        bundle, grant, pinned_context(grant.engine_spki), LABEL if kind is TeeKind.SIMULATED else None
    )


async def check_engine(engine: str, pins: tuple[str, ...]) -> None:
    """Raises :class:`AttestationError` (check ``engine_spki``) if the engine shows a key that ``pins`` do not name.

    An engine that is not there passes: it is asked again, under the same pins, at every request.
    """
    parts = urlsplit(engine)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = (
        ssl.CERT_NONE
    )  # looked at here, never sent anything: requests go through pinned_context
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except (TimeoutError, OSError):
        return
    try:
        require_pinned(writer.get_extra_info("ssl_object").getpeercert(binary_form=True), pins)
    finally:
        writer.close()


def attestation_route(producer: Producer, subject: Subject, path: str = "/attestation") -> Route:
    """``GET /attestation?nonce=HEX``: evidence over the caller's nonce. One at a time: evidence is slow to make."""
    busy = asyncio.Lock()

    async def endpoint(request: Request) -> Response:
        try:
            nonce = parse_nonce(request.query_params.get("nonce", ""))
            async with busy:
                evidence = await asyncio.to_thread(producer.produce, subject.report_data(nonce))
        except AttestationError as refusal:
            status = 400 if refusal.check == "nonce" else 503
            return JSONResponse({"error": {"code": refusal.code, **refusal.record()}}, status_code=status)
        headers = {"x-cmif-tee": LABEL} if producer.kind is TeeKind.SIMULATED else None
        return JSONResponse(statement(subject, evidence), headers=headers)

    return Route(path, endpoint)


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    try:
        async with session.post(url, data=body, headers={"content-type": "application/cbor"}) as answer:
            data = b"".join([chunk async for chunk in _bounded(answer)])
            status = answer.status
    except (TimeoutError, aiohttp.ClientError, OSError):
        raise AttestationError(
            "The provider does not answer.", check="provider", expected="an answer", seen=None
        ) from None
    if status == 200:
        return data
    try:
        told: dict[str, Any] = json.loads(data)["error"]
        record = {key: told.get(key) for key in ("check", "expected", "seen")}
        message = f"The provider refused: {told['message']}"
    except (ValueError, KeyError, TypeError):
        raise AttestationError(
            f"The provider answered with status {status}.", check="provider", expected=200, seen=status
        ) from None
    raise AttestationError(
        message, check=str(record["check"]), expected=record["expected"], seen=record["seen"]
    )


async def _bounded(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in answer.content.iter_chunked(65536):
        size += len(chunk)
        if size > MAX_MESSAGE_BYTES:
            raise AttestationError(
                "The provider's answer is too large.", check="format", expected=MAX_MESSAGE_BYTES, seen=size
            )
        yield chunk


def _reason(error: CmifError) -> str:
    return f"{error.check if isinstance(error, AttestationError) else error.code}: {error.message}"


def _record(error: CmifError) -> dict[str, Any]:
    return (
        error.record()
        if isinstance(error, AttestationError)
        else {"check": error.code, "message": error.message}
    )


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok")


_LIMITED = {
    "error": {
        "message": "The provider's grant allows no more requests this minute.",
        "type": "rate_limit_error",
        "code": "grant_limit",
    }
}
