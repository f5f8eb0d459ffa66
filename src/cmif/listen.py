"""Hold an address, then run an application on it and say in one JSON line when it answers.

Both the gateway's and the engine's commands end here.
"""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from cmif.errors import InputError


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address (port 0: a free one) and refuses connections until :func:`run` listens on it.

    Raises :class:`InputError` when the address is taken.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"Cannot listen on port {port} there ({error.strerror}).",
            hint="Choose another --port; 0 picks a free one.",
        ) from None
    return bound


def run(
    app: ASGIApp,
    bound: socket.socket,
    told: dict[str, Any],
    *,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> None:
    """Serve until SIGINT or SIGTERM. Prints ``{"ready": true, "url": ..., **told}`` once connections are accepted.

    ``settings`` go to uvicorn.
    """
    host, port = bound.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    ready = json.dumps({"ready": True, "url": f"{'https' if tls else 'http'}://{name}:{port}", **told})
    config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False, **settings)
    if tls is not None:
        config.load()
        config.ssl = tls
    with bound:
        _Server(config, ready).run(sockets=[bound])


def tls_from_files(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """A server context for TLS 1.3, or None without a certificate. Raises :class:`InputError` for files that do not go
    together.
    """
    if certificate is None and key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        if certificate is None or key is None:
            raise OSError
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise InputError("The TLS certificate and key are not a certificate and its key (PEM).") from None
    return context
