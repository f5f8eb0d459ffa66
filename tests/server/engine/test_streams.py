from __future__ import annotations

import asyncio

import pytest

import cmif_server.engine.streams as streams_module
from cmif.errors import EngineBusyError, EngineError, RowsRefusedError
from cmif.wire.events import DoneEvent, TokenEvent
from cmif_server.engine.streams import Put, Streams, TaskStream

from .conftest import collect, until

DONE = DoneEvent("length", 1, 2)


async def two_tokens(put: Put) -> None:
    put(TokenEvent((1, 2)))
    put(DONE)


async def endless(put: Put) -> None:
    put(TokenEvent((1,)))
    await asyncio.Event().wait()


async def test_events_come_out_as_they_went_in() -> None:
    stream = TaskStream(two_tokens)
    assert await collect(stream) == ([1, 2], DONE)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_producer_that_stops_early_is_an_error() -> None:
    async def produce(put: Put) -> None:
        put(TokenEvent((1,)))

    stream = TaskStream(produce)
    assert await anext(stream) == TokenEvent((1,))
    with pytest.raises(EngineError, match="early"):
        await anext(stream)


async def test_an_error_is_told_without_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    async def produce(put: Put) -> None:
        raise RuntimeError("row 17 is [0.25, 0.5]")

    with pytest.raises(EngineError, match="failed on this request") as caught:
        await anext(TaskStream(produce))
    assert caught.value.__cause__ is None
    assert "RuntimeError" in caplog.text
    assert "row 17" not in caplog.text


async def test_our_own_errors_pass() -> None:
    async def produce(put: Put) -> None:
        raise RowsRefusedError("x")

    with pytest.raises(RowsRefusedError):
        await anext(TaskStream(produce))


async def test_closing_cancels() -> None:
    stream = TaskStream(endless)
    await anext(stream)
    await stream.aclose()
    assert stream.task.cancelled()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_closing_asks_first_and_then_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "_STOP_S", 0.01)
    asked = asyncio.Event()
    stream = TaskStream(endless, asked.set)
    await stream.aclose()
    assert asked.is_set()
    await until(stream.task.done)


async def test_a_stream_is_closed_before_it_began() -> None:
    ran = False

    async def produce(put: Put) -> None:
        nonlocal ran
        ran = True

    await TaskStream(produce).aclose()
    assert not ran


async def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "QUEUE", 3)
    streams = Streams(batch=2)
    opened = [streams.start(endless) for _ in range(5)]
    with pytest.raises(EngineBusyError) as caught:
        streams.start(endless)
    assert caught.value.retry_after_s == 2
    await opened[0].aclose()
    await until(lambda: len(streams) == 4)
    streams.start(endless)
    await streams.close()
    assert len(streams) == 0


async def test_closing_all_ends_each_with_an_error_after_what_it_had() -> None:
    streams = Streams(batch=2)
    stream = streams.start(endless)
    await asyncio.sleep(0)
    await streams.close()
    assert await anext(stream) == TokenEvent((1,))
    with pytest.raises(EngineError, match="shutting down"):
        await anext(stream)
    with pytest.raises(EngineError, match="shutting down"):
        streams.start(endless)
