"""An engine that answers with whatever bytes a test gives it. What to answer is told by the request's max_tokens, so
that honest and hostile answers run side by side behind one gateway.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from cmif.wire.events import DoneEvent, TokenEvent, encode_event
from cmif.wire.frame import Limits
from cmif.wire.session import SessionStore

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
Script = bytes | Callable[[], AsyncIterator[bytes]]


def events(*data: bytes) -> bytes:
    """A 200 whose body is these events and then ends."""
    return HEAD + b"".join(b"data: " + one + b"\n\n" for one in data)


def refusal(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "connection: close", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class RawEngine:
    """Use as a context manager. ``scripts`` by max_tokens; any other number gets an honest answer of token 7."""

    def __init__(self, model: str, hidden: int, context: int) -> None:
        self.scripts: dict[int, Script] = {}
        self.description: Script = refusal(200, json.dumps({"model": model, "context": context}).encode())
        self.paths: list[str] = []
        self._sessions = SessionStore()
        self._limits = Limits(hidden, context)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""

    def __enter__(self) -> RawEngine:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            path = head.split(" ")[1]
            self.paths.append(path)
            await self._send(writer, await self._script(path, head, reader))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _script(self, path: str, head: str, reader: asyncio.StreamReader) -> Script:
        if path == "/v1/engine":
            return self.description
        if path != "/v1/generate":
            return refusal(200, b"{}")
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        received = self._sessions.receive(await reader.readexactly(int(length[15:])), self._limits)
        frame = received.frame
        assert hasattr(frame, "rows")
        wanted = frame.sampling.max_tokens
        if wanted in self.scripts:
            return self.scripts[wanted]
        self._sessions.accept(received)
        honest = [TokenEvent((7,))] * wanted
        return HEAD + b"".join(
            map(encode_event, [*honest, DoneEvent("length", len(frame.rows.index), wanted)])
        )

    async def _send(self, writer: asyncio.StreamWriter, script: Script) -> None:
        if isinstance(script, bytes):
            writer.write(script)
            await writer.drain()
            return
        async for chunk in script():
            writer.write(chunk)
            await writer.drain()


def endless(head: bytes, chunk: bytes) -> Callable[[], AsyncIterator[bytes]]:
    """``head``, then ``chunk`` until the gateway hangs up."""

    async def script() -> AsyncIterator[bytes]:
        yield head
        while True:
            yield chunk

    return script


def once(*chunks: bytes, hold: bool = False) -> Callable[[], AsyncIterator[bytes]]:
    """These bytes; with ``hold`` the connection then stays open in silence."""

    async def script() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if hold:
            await asyncio.sleep(3600)

    return script


def ids(*values: Any) -> bytes:
    return json.dumps({"ids": values}, separators=(",", ":")).encode()
