"""One checked request from its rows to the events of its answer: the part between HTTP and the enclave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.errors import CmifError
from cmif.gateway.answer import Answer
from cmif.gateway.metrics import Stopwatch
from cmif.gateway.openai import Request
from cmif.gateway.upstream import Upstream
from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame


def conversation_name(request: Request, given: str | None) -> str:
    """What a conversation is called: the client's header, else a digest of the chat up to its first user message.

    A re-sent history begins the same way, so it finds its own draws. Completions without a header share one
    conversation a tenant: their prompts grow and change, and fresh draws for the same words could be averaged.
    """
    if given:
        return f"given:{given}"
    if request.kind == "completion":
        return "completions"
    messages = request.prompt["messages"]
    first = next(
        (i for i, m in enumerate(messages) if isinstance(m, dict) and m.get("role") == "user"), len(messages)
    )
    start = json.dumps(messages[: first + 1], sort_keys=True, default=str).encode("utf-8")
    return f"begins:{hashlib.sha256(start).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of choice ``index``; ``finish`` is set on its last one."""

    index: int
    text: str
    finish: str | None = None


class Exchange:
    """One prepared request with its engine. Iterate :meth:`deltas` once; close it early to stop the engine.

    ``texts`` holds what every choice has said so far.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        upstream: Upstream,
        request: Request,
        prepared: Prepared,
        salt: str,
        watch: Stopwatch,
    ) -> None:
        self.prepared = prepared
        self.answers = [Answer(pipeline, prepared, request.stop) for _ in range(request.n)]
        self.texts = [""] * request.n
        self._upstream = upstream
        self._watch = watch
        context = pipeline.bundle.manifest.context
        room = context - len(prepared.ids)
        self._sampling = replace(
            request.sampling,
            max_tokens=room if request.max_tokens is None else request.max_tokens,
            stop_ids=pipeline.bundle.manifest.eos,
        )
        self._model = pipeline.bundle.manifest.model
        self._salt = salt

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Deltas of every choice as they come; raises the engine's error after stopping the others."""
        if len(self.answers) == 1:
            async with aclosing(self._one(0)) as only:
                async for delta in only:
                    yield delta
            return
        queue: asyncio.Queue[Delta | CmifError | None] = asyncio.Queue()
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
        frame = Frame(self._model, self.prepared.rows, sampling, self._salt)
        async with aclosing(self._upstream.generate(frame, self.prepared.conversation)) as events:
            while True:
                with self._watch("engine"):
                    event = await anext(events)
                with self._watch("restore"):
                    if isinstance(event, TokenEvent):
                        text, finish = answer.feed(event), "stop" if answer.stopped else None
                    elif isinstance(event, DoneEvent):
                        text = answer.close(event.reason)
                        finish = answer.finish
                self.texts[index] += text
                if text or finish:
                    yield Delta(index, text, finish)
                if finish:
                    return


def tenant_salt(key: bytes, tenant: str) -> str:
    """One cache salt a tenant, so that the engine's prefix cache never answers one tenant from another's prompt."""
    return hmac.digest(key, b"cmif cache salt\0" + tenant.encode("utf-8"), "sha256").hex()[:32]
