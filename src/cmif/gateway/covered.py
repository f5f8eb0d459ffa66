"""The true answer of a covered request out of the stream of all, so that nothing tells the engine which one it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from cmif.enclave.pipeline import Variants
from cmif.errors import CmifError, EngineError
from cmif.wire.events import DoneEvent, TokenEvent

_Item = TokenEvent | DoneEvent | CmifError


async def kept(
    events: AsyncGenerator[TokenEvent | DoneEvent, None], variants: Variants
) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
    """The events of the true variant. Its done event comes when every variant is done: a client that sends its next
    request at once would else say by the time of it whose end it waited for.

    The stream is read to its own end whatever becomes of the reader, who may leave because of what the true answer
    says. An error of any variant is an error of all.
    """
    items: asyncio.Queue[_Item] = asyncio.Queue()
    task = asyncio.create_task(_read(events, variants, items))
    _READING.add(task)
    task.add_done_callback(_READING.discard)
    while True:
        item = await items.get()
        if isinstance(item, CmifError):
            raise item
        yield item
        if isinstance(item, DoneEvent):
            return


_READING: set[asyncio.Task[None]] = set()
"""Tasks that nobody awaits: the event loop itself keeps only weak references."""


async def _read(
    events: AsyncGenerator[TokenEvent | DoneEvent, None], variants: Variants, items: asyncio.Queue[_Item]
) -> None:
    ending: _Item = EngineError("The engine's answer was cut off.")
    try:
        async with aclosing(events):
            async for event in events:
                if event.of != variants.true:
                    continue
                if isinstance(event, DoneEvent):
                    ending = replace(event, of=0)
                else:
                    items.put_nowait(replace(event, of=0))
    except CmifError as error:
        ending = error
    items.put_nowait(ending)
