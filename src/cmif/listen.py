"""Hold an address, then run an application on it and say in one JSON line when it answers.

Both the gateway's and the engine's commands end here.
"""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cmif.errors import InputError

HEADERS_S = 20.0
"""From a connection, or the first byte of a further request on it, to the end of that request's headers."""
STALLED_S = 60.0
"""A reader that takes less than what is buffered for it (64 KiB) in this time is cut off: what runs for it, an engine's
turn among it, would otherwise wait for as long as it likes."""
JOINED = 1 << 16
"""Bytes of one turn of the event loop that are written together."""


class _Joined:
    """A transport that writes once a turn of the event loop: the head of an answer, what it says at once and its end
    are one packet and one system call instead of six.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > JOINED:  # from here on the transport has to tell its writer to wait
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        if data and not self._transport.is_closing():
            self._transport.write(data)


class _Protocol(H11Protocol):
    """Uvicorn's HTTP/1.1 with a bound on the time that headers take, and that a reader may make an answer wait; it
    bounds the headers' size, what is buffered for a reader, and idle time itself.
    """

    _headers: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        self._headers = self.loop.call_later(HEADERS_S, transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        idle = self.conn.their_state is h11.IDLE
        if self._headers is None and idle and self.conn.trailing_data[0]:
            self._headers = self.loop.call_later(HEADERS_S, self.transport.close)
        elif self._headers is not None and not idle:
            self._headers.cancel()
            self._headers = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._headers, self._stalled):
            if timer is not None:
                timer.cancel()


class _Drain:
    """The application while the server stops: `/readyz` is 503, all else is answered as before. ``until`` None: it does
    not stop.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.until: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.until is not None and scope["type"] == "http" and scope["path"] == "/readyz":
            told = {"ready": False, "reasons": ["draining: this server was asked to stop"]}
            await JSONResponse(told, status_code=503)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """Says when it listens. With ``drain_s``, SIGTERM first makes `/readyz` 503 for that long, so that whoever sends
    requests here stops doing so; then, or at once on SIGINT, the listener closes.
    """

    def __init__(self, config: uvicorn.Config, ready: str, drain: _Drain, drain_s: float) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain
        self._drain_s = drain_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._drain_s and self._drain.until is None:
            self._captured_signals.append(sig)
            self._drain.until = time.monotonic() + self._drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._drain.until is not None and time.monotonic() >= self._drain.until:
            self.should_exit = True
        return await super().on_tick(counter)


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address (port 0: a free one) and refuses connections until :func:`run` listens on it.

    Raises :class:`InputError` when the address is taken, or none of this machine.
    """
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that name it; without, the second write of
    # every answer waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # For the rest of an answer in the kernel, after the protocol has closed its end.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_S * 1000))
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise InputError(
            f"Cannot listen on {host}, port {port} ({error.strerror}).",
            hint="Give an address of this machine as --host."
            if elsewhere
            else "Choose another --port; 0 picks a free one.",
        ) from None
    return bound


def run(
    app: ASGIApp,
    bound: socket.socket,
    told: dict[str, Any],
    *,
    tls: ssl.SSLContext | None = None,
    drain_s: float = 0.0,
    also: Sequence[socket.socket] = (),
    **settings: Any,
) -> None:
    """Serve until SIGINT or SIGTERM. Prints ``{"ready": true, "url": ..., **told}`` once connections are accepted.

    ``also``: further addresses to listen on; the application knows them by their port.

    ``drain_s``: how long after SIGTERM `/readyz` is 503 while requests are still answered. ``settings`` go to uvicorn.
    """
    host, port = bound.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    ready = json.dumps({"ready": True, "url": f"{'https' if tls else 'http'}://{name}:{port}", **told})
    drain = _Drain(app)
    config = uvicorn.Config(
        drain, http=_Protocol, access_log=False, log_config=None, server_header=False, **settings
    )
    if tls is not None:
        config.load()
        config.ssl = tls
    with ExitStack() as stack:
        sockets = [stack.enter_context(held) for held in (bound, *also)]
        _Server(config, ready, drain, drain_s).run(sockets=sockets)


def tls_from_files(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """A server context for TLS 1.3, or None without a certificate. Raises :class:`InputError` for files that do not go
    together.
    """
    if certificate is None and key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate is None or key is None:
        raise InputError("--tls-certificate and --tls-key go together.")
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise InputError(f"{path.name} cannot be read ({error.strerror}).") from None
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise InputError("The TLS certificate and key are not a certificate and its key (PEM).") from None
    return context
