"""The release service over HTTP: ``POST /v1/challenge`` and ``POST /v1/release``, CBOR in and out.

The messages protect themselves; TLS is optional. A refusal is 403 and says which check failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cmif.attest.messages import MAX_MESSAGE_BYTES, decode, malformed
from cmif.errors import AttestationError
from cmif_server.provider.release import Releaser

CBOR = "application/cbor"


def release_app(releaser: Releaser) -> Starlette:
    """The application. Appraisals run in threads, a few milliseconds each."""

    def challenge(body: bytes) -> bytes:
        match decode(body, "challenge request"):
            case {"v": 1, "bundle": str(bundle), **rest} if not rest:
                return releaser.challenge(bundle)
        raise malformed("challenge request")

    return Starlette(
        routes=[
            Route("/v1/challenge", _endpoint(challenge), methods=["POST"]),
            Route("/v1/release", _endpoint(releaser.release), methods=["POST"]),
            Route("/healthz", _alive),
        ]
    )


def _endpoint(handle: Callable[[bytes], bytes]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_MESSAGE_BYTES:
                return _error(
                    413,
                    AttestationError("The message is too large.", check="format", expected=MAX_MESSAGE_BYTES),
                )
        try:
            return Response(await asyncio.to_thread(handle, bytes(body)), media_type=CBOR)
        except AttestationError as refusal:
            return _error(403, refusal)

    return endpoint


def _error(status: int, refusal: AttestationError) -> JSONResponse:
    """What the caller showed and which check failed; what was expected (machines, say) stays on record here."""
    told = {name: value for name, value in refusal.record().items() if name != "expected"}
    return JSONResponse({"error": {"code": refusal.code, **told}}, status_code=status)


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok")
