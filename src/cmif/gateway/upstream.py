"""The gateway's one client of the engine: a binary frame up, server-sent events down, over a kept connection."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cmif.errors import (
    BundleError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InputError,
    WireError,
)
from cmif.wire.events import DoneEvent, ErrorEvent, EventReader, TokenEvent
from cmif.wire.frame import CONTENT_TYPE, Frame, encode

_CONNECT_S = 5.0
_SILENCE_S = 120.0
"""A busy engine may take long to the first token; one that says nothing for this long is given up."""


class Upstream:
    """One engine. Open it inside a running event loop and close it there."""

    def __init__(
        self, url: str, model: str, codec: str = "bf16+zstd", tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("The engine's URL must be http(s)://host:port.")
        self._url = url.rstrip("/")
        self._model = model
        self._codec = codec
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self.bytes_up = 0

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls if self._tls is not None else True)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def describe(self) -> dict[str, Any]:
        """What the engine says of itself. Raises :class:`EngineUnavailableError`; :class:`BundleError`: another model."""
        try:
            async with self._client.get(f"{self._url}/v1/engine") as answer:
                told: dict[str, Any] = await answer.json()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            raise _unavailable() from None
        if told.get("model") != self._model:
            raise BundleError(
                "The engine serves another model than this bundle's.",
                hint="Serve the server half of the same split.",
            )
        return told

    async def generate(self, frame: Frame) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
        """Token events and one final done event. Closing the iterator closes the connection, which stops the engine.

        Raises :class:`EngineUnavailableError`, :class:`EngineBusyError`, or :class:`EngineError` with its code.
        """
        body = encode(frame, self._codec)
        self.bytes_up += len(body)
        try:
            async with self._client.post(
                f"{self._url}/v1/generate", data=body, headers={"content-type": CONTENT_TYPE}
            ) as answer:
                if answer.status != 200:
                    raise await _refusal(answer)
                reader = EventReader()
                async for chunk in answer.content.iter_any():
                    for event in reader.feed(chunk):
                        if isinstance(event, ErrorEvent):
                            raise EngineError(f"The engine stopped with code {event.code!r}.")
                        yield event
                        if isinstance(event, DoneEvent):
                            return
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise _unavailable() from None
        except WireError:
            raise EngineError("The engine's answer does not follow the wire format.") from None
        raise EngineError("The engine's answer was cut off.")

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("open() the upstream first")
        return self._session


def _unavailable() -> EngineUnavailableError:
    return EngineUnavailableError(
        "The engine does not answer.", hint="What this request drew is remembered: retrying it costs nothing."
    )


async def _refusal(answer: aiohttp.ClientResponse) -> EngineError:
    try:
        code = str((await answer.json())["error"]["code"])
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        code = str(answer.status)
    if answer.status == 429:
        after = answer.headers.get("retry-after", "1")
        return EngineBusyError(
            "The engine's queue is full.", retry_after_s=int(after) if after.isdigit() else 1
        )
    if answer.status in (502, 503, 504):
        return _unavailable()
    return EngineError(f"The engine refused the request with code {code!r}.")
