"""Run an application on a socket, port 0 picking a free one, and say in one JSON line when it answers."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from cmif.errors import InputError


def listen(app: ASGIApp, host: str, port: int, told: dict[str, Any]) -> None:
    """Serve until SIGINT or SIGTERM. Prints ``{"ready": true, "host", "port", ...told}`` once connections are accepted."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        raise InputError(f"Cannot listen on port {port} ({error.strerror}).", hint="Choose another --port; 0 picks a free one.") from None
    config = uvicorn.Config(app, access_log=False, log_level="warning", server_header=False, lifespan="on")
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            sys.stdout.write(json.dumps({"ready": True, "host": host, "port": bound.getsockname()[1], **told}) + "\n")
            sys.stdout.flush()
        await serving

    asyncio.run(run())
