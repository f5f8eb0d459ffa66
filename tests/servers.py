"""Real servers for tests: engine and gateway as processes on free loopback ports, and a recording TCP proxy between."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from cmif_server.cli.processes import server


@contextmanager
def engine(split: Path, *extra: str) -> Iterator[dict[str, Any]]:
    with server("serve", str(split / "server"), *(extra or ("--port", "0"))) as told:
        yield told


@contextmanager
def gateway(split: Path, engine_url: str, state: Path | str, *extra: str) -> Iterator[dict[str, Any]]:
    fixed = ("--bundle", str(split / "client"), "--engine", engine_url, "--port", "0", "--state", str(state))
    with server("gateway", *fixed, *extra) as told:
        yield told


@contextmanager
def text_gateway(split: Path, api: str, model: str, state: Path, *extra: str) -> Iterator[dict[str, Any]]:
    """A gateway whose engine is the text API at ``api``."""
    with gateway(split, api, state, "--upstream", "text", "--upstream-model", model, *extra) as told:
        yield told


@contextmanager
def lane(kind: str, split: Path, engine_url: str, state: Path, *extra: str) -> Iterator[dict[str, Any]]:
    """A gateway before the engine at ``engine_url``: directly, or ("text") by text, to a second gateway that protects
    nothing and serves that engine as an OpenAI-compatible API.
    """
    if kind == "engine":
        with gateway(split, engine_url, state, *extra) as told:
            yield told
        return
    with gateway(split, engine_url, state / "api", "--policy", "off") as api:
        with text_gateway(split, f"{api['url']}/v1", api["model"], state / "near", *extra) as told:
            yield told


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The URL of ``app``, served on a free loopback port by a thread of this process."""
    bound = socket.create_server(("127.0.0.1", 0))
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
    thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        uvicorn_server.should_exit = True
        thread.join(10)
        bound.close()


class RecordingProxy:
    """Forwards bytes to ``target`` and keeps a copy of both directions; a packet capture without privileges."""

    def __init__(self, target_port: int) -> None:
        self.up = bytearray()
        self.down = bytearray()
        self.open = 0
        self._target = target_port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RecordingProxy:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self.open += 1

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, record: bytearray) -> None:
            try:
                while data := await source.read(65536):
                    record += data
                    sink.write(data)
                    await sink.drain()
            except ConnectionError:
                pass
            finally:
                sink.close()

        try:
            await asyncio.gather(
                pump(reader, upstream_writer, self.up), pump(upstream_reader, writer, self.down)
            )
        finally:
            self.open -= 1
