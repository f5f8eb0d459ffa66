"""One prepared request with its engine, from its rows to what each choice of the answer says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.errors import CmifError
from cmif.gateway.answer import Answer, Counts, ToolCall
from cmif.gateway.api.request import Request, schema_for
from cmif.gateway.limits import AHEAD
from cmif.gateway.metrics import Stopwatch
from cmif.gateway.text_api import TextApi, TextEvent
from cmif.gateway.upstream import Upstream
from cmif.wire.events import DoneEvent, TokenEvent

_Event = TokenEvent | TextEvent | DoneEvent


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of choice ``index`` with its logprobs, or calls; ``finish`` is set on its last one. One with none of
    them says that a covered answer has begun."""

    index: int
    text: str
    logprobs: tuple[dict[str, Any], ...] = ()
    finish: str | None = None
    calls: tuple[ToolCall, ...] = ()


class EngineExchange:
    """Iterate :meth:`deltas` once; close it early to stop the engine. ``answers`` hold what every choice has said."""

    def __init__(
        self,
        pipeline: Pipeline,
        upstream: Upstream | TextApi,
        request: Request,
        prepared: Prepared,
        watch: Stopwatch,
    ) -> None:
        self.prepared = prepared
        tokeniser = pipeline.bundle.tokeniser
        self.answers = [
            Answer(
                tokeniser,
                pipeline.restorer(prepared, json=request.json),
                prepared.conversation.response(),
                request.stop,
                request.tools,
                request.parallel,
                request.forced,
            )
            for _ in range(request.n)
        ]
        self._upstream = upstream
        self._request = request
        self._watch = watch
        room = pipeline.bundle.manifest.context - prepared.longest
        self._sampling = replace(
            request.sampling,
            max_tokens=room if request.max_tokens is None else min(room, request.max_tokens),
            stop_ids=pipeline.bundle.manifest.eos,
            schema=schema_for(prepared.request, request),
        )
        self._protected = pipeline.policy.entities

    @property
    def counts(self) -> Counts:
        return sum((answer.counts for answer in self.answers), Counts())

    def deltas(self) -> AsyncGenerator[Delta, None]:
        """Deltas of every choice as they come; raises the engine's error after stopping the others."""
        return self._one(0) if len(self.answers) == 1 else self._merged()

    async def _merged(self) -> AsyncGenerator[Delta, None]:
        queue: asyncio.Queue[Delta | CmifError | None] = asyncio.Queue(AHEAD)
        tasks = [asyncio.create_task(self._into(queue, i)) for i in range(len(self.answers))]
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

    async def _into(self, queue: asyncio.Queue[Delta | CmifError | None], index: int) -> None:
        try:
            async with aclosing(self._one(index)) as stream:
                async for delta in stream:
                    await queue.put(delta)
            await queue.put(None)
        except CmifError as error:
            await queue.put(error)

    async def _one(self, index: int) -> AsyncGenerator[Delta, None]:
        answer = self.answers[index]
        seed = self._sampling.seed
        sampling = replace(self._sampling, seed=None if seed is None else seed + index)
        events: AsyncGenerator[_Event, None]
        events = self._upstream.answer(self.prepared, self._request, sampling)
        told = called = 0
        finished = False
        try:
            while True:
                with self._watch("engine"):
                    event = await anext(events)
                with self._watch("restore"):
                    if isinstance(event, TokenEvent | TextEvent):
                        text, finish = answer.feed(event), "stop" if answer.stopped else None
                    elif isinstance(event, DoneEvent):
                        text = answer.close(event.reason)
                        finish = answer.finish
                fresh, calls = tuple(answer.logprobs[told:]), tuple(answer.calls[called:])
                if finish:
                    finished = True
                    await asyncio.to_thread(answer.remember, done=True)
                    if answer.stopped and not isinstance(event, DoneEvent) and self._protected:
                        events = self._drain(events)
                begun = isinstance(event, TokenEvent) and not event.ids
                if text or finish or calls or begun:
                    told, called = len(answer.logprobs), len(answer.calls)
                    yield Delta(index, text, fresh, finish, calls)
                if finish:
                    return
        finally:
            await events.aclose()
            if not finished:
                answer.remember()  # cut off: what the reader has got may come back

    def _drain(self, events: AsyncGenerator[_Event, None]) -> AsyncGenerator[_Event, None]:
        """Read a stopped answer to its own end, unseen: closing it early would tell the engine where a restored text
        met a stop string, which says something of the original.
        """

        async def rest() -> None:
            try:
                async for _ in events:
                    pass
            except CmifError:
                pass
            finally:
                await events.aclose()

        task = asyncio.create_task(rest())
        _DRAINING.add(task)
        task.add_done_callback(_DRAINING.discard)
        return _nothing()


_DRAINING: set[asyncio.Task[None]] = set()
"""Tasks that nobody awaits: the event loop itself keeps only weak references."""


async def _nothing() -> AsyncGenerator[_Event, None]:
    return
    yield
