from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cmif import listen
from cmif.listen import bind


async def test_accepted_connections_send_without_waiting_for_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY only where the socket says that it is TCP."""
    seen: asyncio.Queue[int] = asyncio.Queue()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sock = transport.get_extra_info("socket")
            seen.put_nowait(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with bind("127.0.0.1", 0) as bound:
        server = await asyncio.get_running_loop().create_server(Protocol, sock=bound)
        _, writer = await asyncio.open_connection(*bound.getsockname())
        assert await seen.get() == 1
        writer.close()
        server.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT"]
)
async def test_headers_that_never_end_close_the_connection(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(listen, "HEADERS_S", 0.3)
    with bind("127.0.0.1", 0) as bound:
        config = uvicorn.Config(
            PlainTextResponse("ok"), http=listen._Protocol, log_config=None, timeout_keep_alive=60
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 200") == sent.endswith(b"GET / HT")
        writer.close()
        server.should_exit = True
        await task


async def test_what_is_written_in_one_turn_of_the_event_loop_is_one_write() -> None:
    class Transport(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.writes: list[bytes] = []
            self.closed = False

        def write(self, data: bytes) -> None:
            assert not self.closed
            self.writes.append(data)

        def is_closing(self) -> bool:
            return self.closed

        def close(self) -> None:
            self.closed = True

    under = Transport()
    joined = listen._Joined(under, asyncio.get_running_loop())
    joined.write(b"head")
    joined.write(b"body")
    assert under.writes == []
    await asyncio.sleep(0)
    assert under.writes == [b"headbody"]
    joined.write(b"x" * (listen.JOINED + 1))  # at once, so that the transport can say that it is full
    assert len(under.writes) == 2
    joined.write(b"end")
    joined.close()
    assert under.writes[2:] == [b"end"]
    await asyncio.sleep(0)
    assert under.writes[3:] == []


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    with bind("127.0.0.1", 0) as bound:
        server = uvicorn.Server(
            uvicorn.Config(app, http=listen._Protocol, log_config=None, timeout_graceful_shutdown=1)
        )
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        yield bound.getsockname()
        server.should_exit = True
        await task


class Endless:
    """A stream without an end; ``sent`` bytes were taken from it, ``ended`` is set when it was closed."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(self._chunks())(scope, receive, send)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0)
                self.sent += 1 << 14
                yield bytes(1 << 14)
        finally:
            self.ended.set()


async def test_a_reader_that_stops_reading_is_cut_off_and_little_is_buffered_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = Endless()
    async with serving(endless) as address:
        monkeypatch.setattr(listen, "STALLED_S", 0.5)  # the kernel's own bound stays as it is
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            await asyncio.to_thread(client.connect, address)
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await asyncio.wait_for(endless.ended.wait(), 15)
            assert endless.sent < 16 << 20  # what two kernels hold, not what was asked for


async def test_a_reader_that_is_only_slow_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "STALLED_S", 0.5)
    endless = Endless()
    async with serving(endless) as address:
        reader, writer = await asyncio.open_connection(*address, limit=1 << 14)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        until = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < until:
            assert await reader.read(1 << 16)
            await asyncio.sleep(0.01)
        assert not endless.ended.is_set()
        writer.close()
        await asyncio.wait_for(endless.ended.wait(), 20)


async def test_the_kernel_gives_up_on_a_reader_as_soon() -> None:
    """After the answer's end only the kernel knows what was not read."""
    with bind("127.0.0.1", 0) as bound:
        bound.listen()
        with socket.create_connection(bound.getsockname()):
            accepted, _ = bound.accept()
            with accepted:
                timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == listen.STALLED_S * 1000
