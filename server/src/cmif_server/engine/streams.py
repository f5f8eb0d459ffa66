"""An :class:`~cmif_server.engine.engine.EventStream` fed by an asyncio task, for asynchronous backends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from cmif.errors import CmifError, EngineBusyError, EngineError
from cmif.wire.events import DoneEvent, TokenEvent

log = logging.getLogger("cmif.engine")

Put = Callable[[TokenEvent | DoneEvent], None]
Produce = Callable[[Put], Coroutine[None, None, None]]

QUEUE = 64  # requests that may wait beyond those that a backend runs at once

_STOP_S = 5.0  # a backend that was asked to stop and has not by then is cancelled


class TaskStream:
    """Runs ``produce(put)`` from now on, and yields what it puts, up to a done event.

    ``stop`` asks it to end; without one it is cancelled. Memory is bounded by the request's own max_tokens.
    """

    def __init__(self, produce: Produce, stop: Callable[[], None] | None = None) -> None:
        self._items: asyncio.Queue[TokenEvent | DoneEvent | CmifError] = asyncio.Queue()
        self._ended = False
        self.task = asyncio.create_task(self._run(produce))
        self._stop = stop or self.task.cancel

    async def _run(self, produce: Produce) -> None:
        # Read only where no done event came before it.
        failure: CmifError = EngineError("The engine ended the stream early.")
        try:
            await produce(self._items.put_nowait)
        except CmifError as error:
            failure = error
        except Exception as error:
            log.error("a request broke: %s", type(error).__name__)
            failure = EngineError("The model failed on this request.")
        self._items.put_nowait(failure)

    def __aiter__(self) -> TaskStream:
        return self

    async def __anext__(self) -> TokenEvent | DoneEvent:
        if self._ended:
            raise StopAsyncIteration
        item = await self._items.get()
        self._ended = not isinstance(item, TokenEvent)
        if isinstance(item, CmifError):
            raise item
        return item

    async def aclose(self) -> None:
        """As :meth:`cmif_server.engine.engine.EventStream.aclose`."""
        self._ended = True
        await self._halt()

    async def fail(self, error: CmifError) -> None:
        """Stop, and end the stream with ``error`` once what is already there has been read."""
        self._items.put_nowait(error)
        await self._halt()

    async def _halt(self) -> None:
        if self.task.done():
            return
        self._stop()
        _, running = await asyncio.wait({self.task}, timeout=_STOP_S)
        if running:
            self.task.cancel()


class Streams:
    """The streams of a backend that runs ``batch`` requests at once: bounded, and all ended together."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._open: dict[asyncio.Task[None], TaskStream] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def start(self, produce: Produce, stop: Callable[[], None] | None = None) -> TaskStream:
        """A :class:`TaskStream`. Raises :class:`EngineBusyError` when :data:`QUEUE` requests wait already."""
        if self._closed:
            raise EngineError("The engine is shutting down.")
        if len(self._open) >= self._batch + QUEUE:
            raise EngineBusyError("The engine's queue is full.", retry_after_s=1 + QUEUE // self._batch)
        stream = TaskStream(produce, stop)
        self._open[stream.task] = stream
        stream.task.add_done_callback(self._open.pop)
        return stream

    async def close(self) -> None:
        """End every stream with :class:`EngineError`, and start no more."""
        self._closed = True
        for stream in list(self._open.values()):
            await stream.fail(EngineError("The engine is shutting down."))
