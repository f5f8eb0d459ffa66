"""The gateway's one client of the engine: a binary frame up, server-sent events down, over a kept connection."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
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
from cmif.wire.frame import CODECS, CONTENT_TYPE, Frame
from cmif.wire.session import SessionEncoder

_CONNECT_S = 5.0
_CONVERSATIONS = 1024
_SILENCE_S = 120.0
"""A busy engine may take long to the first token; one that says nothing for this long is given up."""


class Sessions:
    """A row dictionary a conversation, the most recently used ones. One request of a conversation uses it at a time;
    a second one at the same moment sends its rows in a session of its own."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._idle: OrderedDict[bytes, SessionEncoder] = OrderedDict()

    @contextmanager
    def borrow(self, before: bytes | None, turn: bytes) -> Generator[SessionEncoder, None, None]:
        """The session that the turn ``before`` left, from now on that of ``turn``."""
        known = None if before is None else self._idle.pop(before, None)
        session = known or SessionEncoder(self._codec)
        try:
            yield session
        finally:
            self._idle[turn] = session
            while len(self._idle) > _CONVERSATIONS:
                self._idle.popitem(last=False)


class Upstream:
    """One engine. Open it inside a running event loop and close it there."""

    def __init__(
        self, url: str, model: str, codec: str = "bf16+zstd", tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("The engine's URL must be http(s)://host:port.")
        if codec not in CODECS:
            raise InputError("--wire names an unknown codec.", hint=f"Known: {', '.join(CODECS)}.")
        self._url = url.rstrip("/")
        self._model = model
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None
        self._sessions = Sessions(codec)
        self.bytes_up = 0

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls if self._tls is not None else True)
        self._http = aiohttp.ClientSession(timeout=timeout, connector=connector)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def describe(self) -> dict[str, Any]:
        """What the engine says of itself. Raises :class:`EngineUnavailableError`, :class:`BundleError`."""
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

    async def generate(
        self, frame: Frame, before: bytes | None, turn: bytes
    ) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
        """Token events and one final done event. Closing the iterator closes the connection, which stops the engine.

        Rows that the engine has from the turns up to ``before`` are not sent again. Raises
        :class:`EngineUnavailableError`, :class:`EngineBusyError`, or :class:`EngineError` with its code.
        """
        with self._sessions.borrow(before, turn) as session:
            try:
                async with self._post(frame, session) as answer:
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

    @asynccontextmanager
    async def _post(
        self, frame: Frame, session: SessionEncoder
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The engine's accepted answer. A session that the engine has lost is begun anew, once."""
        for again in (True, False):
            pending = session.encode(frame)
            self.bytes_up += len(pending.data)
            accepted = False
            try:
                async with self._client.post(
                    f"{self._url}/v1/generate", data=pending.data, headers={"content-type": CONTENT_TYPE}
                ) as answer:
                    if answer.status == 409 and again:
                        continue
                    if answer.status != 200:
                        raise await _refusal(answer)
                    session.commit(pending)
                    accepted = True
                    yield answer
                    return
            finally:
                if not accepted:
                    session.reset()

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("open() the upstream first")
        return self._http


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
