"""The true answer of a covered request out of the stream of all, so that nothing tells the engine which one it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import repeat

from cmif.enclave.pipeline import Variants
from cmif.errors import CmifError, EngineError
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs

_Item = TokenEvent | DoneEvent | CmifError


async def kept(
    events: AsyncGenerator[TokenEvent | DoneEvent, None], variants: Variants
) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
    """The events of the true variant, at a pace that is that of all: its n-th token when every variant has written n
    or is done, its done event when every one is. An engine that holds one variant back learns nothing from when its
    reader goes on, leaves, or asks again.

    An event without ids comes first, as soon as all have begun: from then on an engine that breaks off is a broken
    answer, whether the true variant has said anything yet or not. Clients send an answer that never began again by
    themselves, and a broken one not.

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
    written = dict.fromkeys(range(len(variants.lengths)), 0)  # of the variants that are not done
    tokens: list[tuple[int, TokenLogprobs | None]] = []
    told = 0
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, DoneEvent):
                    del written[event.of]
                    ending = replace(event, of=0) if event.of == variants.true else ending
                else:
                    written[event.of] += len(event.ids)
                    if event.of == variants.true:
                        tokens += zip(event.ids, event.logprobs or repeat(None), strict=False)
                reached = min(written.values(), default=len(tokens))
                if reached > told == 0:
                    items.put_nowait(TokenEvent(()))
                if fresh := tokens[told:reached]:
                    scored = tuple(one for _, one in fresh if one)
                    items.put_nowait(
                        TokenEvent(tuple(i for i, _ in fresh), scored if len(scored) == len(fresh) else ())
                    )
                told = max(told, reached)
    except CmifError as error:
        ending = error
    items.put_nowait(ending)
