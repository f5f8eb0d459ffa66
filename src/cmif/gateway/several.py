"""The exchanges of one HTTP request: one for each of its prompts, answered side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from cmif.errors import CmifError
from cmif.gateway.answer import Answer, Counts
from cmif.gateway.exchange import Delta, EngineExchange
from cmif.gateway.limits import AHEAD


class Several:
    """As :class:`EngineExchange`, over several: choices of the second come after those of the first."""

    def __init__(self, exchanges: Sequence[EngineExchange]) -> None:
        self.exchanges = tuple(exchanges)

    @property
    def answers(self) -> list[Answer]:
        return [answer for exchange in self.exchanges for answer in exchange.answers]

    @property
    def counts(self) -> Counts:
        return sum((exchange.counts for exchange in self.exchanges), Counts())

    @property
    def prompt_tokens(self) -> int:
        return sum(len(exchange.prepared.ids) for exchange in self.exchanges)

    @property
    def sent_tokens(self) -> int:
        """Tokens of all prompts that the engine got: what a log may hold, where one of them is the true one."""
        return sum(len(exchange.prepared.rows.index) for exchange in self.exchanges)

    def deltas(self) -> AsyncGenerator[Delta, None]:
        """Deltas of every choice as they come; raises the engine's error after stopping the others."""
        return self.exchanges[0].deltas() if len(self.exchanges) == 1 else self._merged()

    async def _merged(self) -> AsyncGenerator[Delta, None]:
        queue: asyncio.Queue[Delta | CmifError | None] = asyncio.Queue(AHEAD)
        first, tasks = 0, []
        for exchange in self.exchanges:
            tasks.append(asyncio.create_task(_into(queue, exchange, first)))
            first += len(exchange.answers)
        try:
            running = len(tasks)
            while running:
                item = await queue.get()
                if isinstance(item, CmifError):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _into(queue: asyncio.Queue[Delta | CmifError | None], exchange: EngineExchange, first: int) -> None:
    try:
        async with aclosing(exchange.deltas()) as deltas:
            async for delta in deltas:
                await queue.put(replace(delta, index=delta.index + first))
        await queue.put(None)
    except CmifError as error:
        await queue.put(error)
