from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

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
