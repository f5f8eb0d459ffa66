"""Run an application on a socket, port 0 picking a free one, and say in one JSON line when it answers."""

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


def listen(
    app: ASGIApp, host: str, port: int, told: dict[str, Any], tls: ssl.SSLContext | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. Prints ``{"ready": true, "url": ..., **told}`` once connections are accepted."""
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise InputError(
            f"Cannot listen on port {port} ({error.strerror}).",
            hint="Choose another --port; 0 picks a free one.",
        ) from None
    name = f"[{host}]" if ":" in host else host
    ready = json.dumps(
        {"ready": True, "url": f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}", **told}
    )
    config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False, lifespan="on")
    if tls is not None:
        config.load()
        config.ssl = tls
    with listener:
        _Server(config, ready).run(sockets=[listener])


def tls_from_files(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """A server context, or None without a certificate. Raises :class:`InputError` for files that do not go together."""
    if certificate is None and key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        if certificate is None or key is None:
            raise OSError
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise InputError("--tls-certificate and --tls-key are not a certificate and its key (PEM).") from None
    return context
