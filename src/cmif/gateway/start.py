"""A gateway inside a TEE: attest to the provider, unseal the bundle in memory, hold the lease; only then serve.

Until the exchange, the bundle's hashes and the table's certificate hold, and again whenever the lease has run out,
`/readyz` is false with the reasons and no request is answered. Nothing sealed is ever written unsealed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, repeat
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
from cmif.attest.messages import Grant
from cmif.attest.prove.exchange import Lease, Released, Want
from cmif.attest.prove.produce import Producer
from cmif.attest.prove.route import attestation_route
from cmif.attest.sealed import SealedHeader, open_sealed
from cmif.attest.simulated import LABEL
from cmif.attest.spki import pinned_context
from cmif.attest.subject import Subject
from cmif.enclave.bundle import Bundle
from cmif.errors import AttestationError, CmifError, GrantLimitError, InputError, NotReadyError
from cmif.gateway.http import error_response
from cmif.gateway.obtain import TIMEOUT, check_engine, obtain

log = logging.getLogger("cmif.gateway.start")

_RETRY_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
_RENEW_AT = 0.5
"""The part of a lease after which a new one is asked for: half leaves as long again for a provider to come back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How this gateway starts: whose bundle, from where, with what evidence, for which engine.

    ``provider_key`` is the provider's raw Ed25519 key, part of the measured image. ``config`` is the digest of the
    settings this gateway runs under, ``tls_spki`` the hash of its own TLS key ("" without). ``attested``: the engine
    shows evidence of its own, so that a grant need not name it.
    """

    provider: str
    provider_key: bytes
    sealed: Path
    engine: str
    config: bytes
    producer: Producer
    tls_spki: str = ""
    attested: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready`` only while nothing speaks against it; ``reasons`` name the checks that do not hold."""

    reasons: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What the exchange gave: the bundle in memory, and TLS that ends only at the engines of the newest grant.

    ``pins`` are those engines' keys, ``now`` the provider's time: both as of the newest grant whenever they are read.
    ``label`` is what every answer must carry when the TEE is simulated, else None.
    """

    bundle: Bundle
    tls: ssl.SSLContext
    pins: Collection[str]
    now: Callable[[], datetime]
    label: str | None


class Build(Protocol):
    """Makes the gateway's application once there is a bundle. ``ready`` gives the reasons why it may not answer now;
    ``admit``, called for a request that is authenticated, raises if the grant allows no more.
    """

    def __call__(
        self,
        unsealed: Unsealed,
        ready: Callable[[], tuple[str, ...]],
        routes: tuple[Route, ...],
        admit: Callable[[], None],
    ) -> Starlette: ...


@dataclass
class _State:
    reasons: tuple[str, ...] = ("attestation: the exchange with the provider has not finished",)
    lease: Lease | None = None
    app: Starlette | None = None
    spent: deque[float] = field(default_factory=deque)


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
        self._pins: set[str] = set()
        self._label = LABEL if terms.producer.kind is TeeKind.SIMULATED else None
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
            self._require_engine(state.lease.grant)
        except AttestationError as closed:
            return Readiness((_reason(closed),))
        return Readiness()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        app = self._state.app or self._waiting
        await app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        task = asyncio.create_task(self._run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        task.cancel()
        await asyncio.wait({task})
        await send({"type": "lifespan.shutdown.complete"})

    async def _run(self) -> None:
        """Serve for as long as the process lives; whatever ends that closes the gateway and is a reason."""
        try:
            await self._serve()
        except Exception as error:
            # The message of an error that is not ours could quote a bundle: only its type may leave.
            reason = _reason(error) if isinstance(error, CmifError) else f"internal: {type(error).__name__}"
            log.error("closed: %s", reason)
            self._state.reasons = (reason,)

    async def _serve(self) -> None:
        """Attest, unseal and serve; then renew the lease until cancelled."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
            lease, unsealed = await self._opened(session)
            self._state.lease = lease
            app = await asyncio.to_thread(self._build, unsealed, self._reasons, self._routes, self._admit)
            await stack.enter_async_context(app.router.lifespan_context(app))
            self._state = _State(reasons=(), lease=lease, app=app)
            log.info("ready: bundle %s epoch %d", self._want.bundle[:16], self._want.epoch)
            # Cancelling is how serving ends; the application then closes as if it had returned.
            with suppress(asyncio.CancelledError):
                while True:
                    await asyncio.sleep(max(1.0, lease.remaining_s() - lease.grant.lease_s * _RENEW_AT))
                    lease = (await self._released(session)).lease
                    self._state.lease = lease
                    self._pin(lease.grant)

    async def _released(self, session: aiohttp.ClientSession) -> Released:
        """Ask until the provider grants. Every refusal is logged with its record, and is a reason while not ready."""
        for pause in _pauses():
            try:
                return await obtain(session, self._terms.provider, self._want, self._terms.producer)
            except CmifError as error:
                self._note(error)
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _opened(self, session: aiohttp.ClientSession) -> tuple[Lease, Unsealed]:
        """Ask and open until both succeed, with a new grant each time: it may name other engines by then."""
        for pause in _pauses():
            released = await self._released(session)
            self._pin(released.lease.grant)
            try:
                self._require_engine(released.lease.grant)
                if self._pins:
                    await check_engine(self._terms.engine, self._pins)
                bundle = await asyncio.to_thread(unseal, self._terms.sealed, released)
                tls = pinned_context(self._pins)
                return released.lease, Unsealed(bundle, tls, self._pins, self._now, self._label)
            except CmifError as error:
                self._note(error)
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    def _pin(self, grant: Grant) -> None:
        """The engines of the newest grant: handshakes from now on accept these and no others. Never empty in between,
        which would leave the choice to an attested engine's evidence.
        """
        self._pins.update(grant.engine_spki)
        self._pins.intersection_update(grant.engine_spki)

    def _require_engine(self, grant: Grant) -> None:
        """Raises :class:`AttestationError` for a grant that names no engine, where nothing else says which it is."""
        if not grant.engine_spki and not self._terms.attested:
            raise AttestationError(
                "The provider's grant names no engine, and this gateway has no --engine-policy.",
                check="engine_spki",
                expected="the engine's TLS key",
                seen=[],
            )

    def _now(self) -> datetime:
        assert self._state.lease is not None  # before an application is built
        return self._state.lease.now()

    def _note(self, error: CmifError) -> None:
        log.warning("not ready: %s", json.dumps(_record(error)))
        if self._state.app is None:
            self._state.reasons = (_reason(error),)

    def _reasons(self) -> tuple[str, ...]:
        return self.readiness().reasons

    def _admit(self) -> None:
        """Count one request against the grant's bound, over a sliding minute. Raises :class:`GrantLimitError`."""
        lease = self._state.lease
        limit = lease.grant.requests_per_minute if lease else 0
        if not limit:
            return
        now, spent = asyncio.get_running_loop().time(), self._state.spent
        while spent and now - spent[0] >= 60:
            spent.popleft()
        if len(spent) >= limit:
            raise GrantLimitError("The provider's grant allows no more requests this minute.")
        spent.append(now)

    async def _not_ready(self, _request: Request) -> Response:
        return error_response(
            NotReadyError("This gateway is not ready.", hint="; ".join(self.readiness().reasons))
        )

    async def _readyz(self, _request: Request) -> Response:
        found = self.readiness()
        return JSONResponse({"ready": found.ready, "reasons": list(found.reasons)}, status_code=503)


def unseal(sealed: Path, released: Released) -> Bundle:
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
    return bundle


def _pauses() -> Iterator[float]:
    return chain(_RETRY_S, repeat(_RETRY_S[-1]))


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
