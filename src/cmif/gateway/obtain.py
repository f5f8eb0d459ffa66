"""The gateway's sockets towards provider and engine at its start: one exchange, one look at the engine's TLS key."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Collection
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cmif.attest.messages import MAX_MESSAGE_BYTES, encode
from cmif.attest.prove.exchange import KeyExchange, Released, Want
from cmif.attest.prove.produce import Producer
from cmif.attest.spki import require_pinned
from cmif.errors import AttestationError

TIMEOUT = aiohttp.ClientTimeout(total=30)


async def obtain(session: aiohttp.ClientSession, provider: str, want: Want, producer: Producer) -> Released:
    """One exchange with the provider. Raises :class:`AttestationError`; a provider's refusal carries its record."""
    exchange = KeyExchange(want, producer)
    challenge = await _post(
        session, f"{provider.rstrip('/')}/v1/challenge", encode({"v": 1, "bundle": want.bundle})
    )
    request = await asyncio.to_thread(exchange.request, challenge)
    return exchange.accept(await _post(session, f"{provider.rstrip('/')}/v1/release", request))


async def check_engine(engine: str, pins: Collection[str]) -> None:
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
