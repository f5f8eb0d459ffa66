"""A prompt in several variants as one stream over any engine: all of them run at once, and all are treated alike.

The backend sees ordinary requests, which batch and share their prefix as it can. Which variant is the true one is known
to the gateway alone; what happens to one of them (an error, a client that left) happens to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cmif.errors import CmifError, EngineError
from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.engine import Engine, EventStream


def generate(engine: Engine, request: Frame | IdsFrame, held: Any = None) -> EventStream:
    """As :meth:`cmif_server.engine.engine.Engine.generate`; of a frame with variants, the events of all, each with its
    done event.

    Raises :class:`EngineBusyError` when not all of them can be queued; then none is.
    """
    if isinstance(request, IdsFrame) or not request.lengths:
        return engine.generate(request, held)
    streams: list[EventStream] = []
    try:
        for variant in request.variants():
            streams.append(engine.generate(variant, held))
    except CmifError:
        for stream in streams:
            task = asyncio.ensure_future(stream.aclose())
            _CLOSING.add(task)
            task.add_done_callback(_CLOSING.discard)
        raise
    return _Variants(streams)


_CLOSING: set[asyncio.Future[None]] = set()
"""Futures that nobody awaits: the event loop itself keeps only weak references."""


class _Variants:
    def __init__(self, streams: Sequence[EventStream]) -> None:
        self._streams = streams
        self._items: asyncio.Queue[TokenEvent | DoneEvent | CmifError] = asyncio.Queue()
        self._running = len(streams)
        self._tasks = [asyncio.create_task(self._read(i, stream)) for i, stream in enumerate(streams)]

    async def _read(self, of: int, stream: EventStream) -> None:
        failure: CmifError | None = EngineError("The engine ended the stream early.")
        try:
            async for event in stream:
                self._items.put_nowait(replace(event, of=of))
                if isinstance(event, DoneEvent):
                    failure = None
        except CmifError as error:
            failure = error
        if failure is not None:
            self._items.put_nowait(failure)

    def __aiter__(self) -> _Variants:
        return self

    async def __anext__(self) -> TokenEvent | DoneEvent:
        if not self._running:
            raise StopAsyncIteration
        item = await self._items.get()
        if isinstance(item, CmifError):
            self._running = 0
            raise item
        self._running -= isinstance(item, DoneEvent)
        return item

    async def aclose(self) -> None:
        self._running = 0
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(stream.aclose() for stream in self._streams))
