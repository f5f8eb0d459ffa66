"""The in-process engine: continuous batching of embedding rows over a Hugging Face model, on CPU or CUDA.

One worker thread owns the model. Between two steps it drops what was cancelled, lets waiting requests in,
prefills one chunk of new requests, and then decodes one token for every running one; a long prompt
therefore delays others by one chunk at most, and a cancelled request stops within one token. Variants of one
prompt take over what one of them has in the cache, and run what is left of them together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cmif.bf16 import to_float
from cmif.errors import BundleError, CmifError, EngineBusyError, EngineError, SchemaError
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.body import TOKENIZER, load_body
from cmif_server.engine.constrain import Constraint, Schemas
from cmif_server.engine.decoder import Decoder
from cmif_server.engine.engine import EngineInfo
from cmif_server.engine.sampling import Sampler

CHUNK = 512  # tokens of prompts that one step prefills

_Item = TokenEvent | DoneEvent | CmifError


@dataclass(slots=True, eq=False)
class _Job:
    """One request, from the queue to its last token. The worker alone writes it, but for ``cancelled``."""

    request: Frame | IdsFrame
    loop: asyncio.AbstractEventLoop
    sampler: Sampler
    items: asyncio.Queue[_Item] = field(default_factory=asyncio.Queue)
    cancelled: bool = False
    received: float = field(default_factory=time.monotonic)
    length: int = 0  # tokens in the cache
    produced: int = 0
    last: int = 0  # the token that the next step embeds

    @property
    def prompt(self) -> int:
        request = self.request
        return len(request.ids) if isinstance(request, IdsFrame) else len(request.rows.index)

    @property
    def total(self) -> int:
        return self.prompt + self.request.sampling.max_tokens


def load_model(path: Path, *, device: str = "cpu", dtype: torch.dtype | None = None) -> Any:
    """The `...ForCausalLM` of a Hugging Face directory, ready to run. float32 on a CPU, where it is also
    what keeps greedy output the same alone and in a batch; bfloat16 elsewhere. Safetensors only, no remote
    code."""
    from transformers import AutoModelForCausalLM

    if dtype is None:
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
    )
    return model.to(device).eval()


class TransformersEngine:
    """:class:`~cmif_server.engine.engine.Engine` over a Hugging Face model.

    ``max_batch`` requests run at once, ``max_queue`` wait, and keys and values take at most ``kv_bytes``;
    the context is cut to what fits in there.
    """

    def __init__(
        self,
        model: Any,
        info: EngineInfo,
        *,
        max_batch: int = 16,
        max_queue: int = 64,
        kv_bytes: int = 4 << 30,
        schemas: Schemas | None = None,
    ) -> None:
        if (model.config.hidden_size, model.config.vocab_size) != (info.hidden, info.vocab):
            raise BundleError("The server body's sizes are not those of its config.json.")
        self._decoder = Decoder(model)
        self._kv_tokens = kv_bytes // self._decoder.cache.bytes_per_token
        self._schemas = schemas
        self.info = replace(
            info, context=min(info.context, self._kv_tokens), schemas=schemas is not None
        )
        self._max_batch, self._max_queue = max_batch, max_queue
        self._waiting: deque[_Job] = deque()
        self._active: list[_Job] = []  # slot order; those that decode come before those that still prefill
        self._wake = threading.Condition()
        self._closed = False
        self.steps = 0  # decoding steps so far
        self._worker = threading.Thread(target=self._work, name="cmif-engine", daemon=True)
        self._worker.start()

    @classmethod
    def load(
        cls, body: Path, *, device: str = "cpu", dtype: torch.dtype | None = None, **options: int
    ) -> TransformersEngine:
        """The engine of a server body, its files verified first. Raises :class:`BundleError`,
        :class:`ArchitectureError`."""
        verified = load_body(body)
        tokenizer, eos = verified.path / TOKENIZER, verified.config.get("eos_token_id")
        ends = [eos] if isinstance(eos, int) else list(eos or ())
        schemas = Schemas(tokenizer, verified.info.vocab, ends) if tokenizer.is_file() else None
        model = load_model(verified.path, device=device, dtype=dtype)
        return cls(model, verified.info, schemas=schemas, **options)

    def hold(self, schema: str) -> Constraint:
        """As :meth:`cmif_server.engine.engine.Engine.hold`."""
        if self._schemas is None:
            raise SchemaError("This engine cannot hold an answer to a schema.")
        return self._schemas.constraint(schema)

    def generate(self, request: Frame | IdsFrame, held: Constraint | None = None) -> _Stream:
        """As :meth:`cmif_server.engine.engine.Engine.generate`."""
        if request.sampling.schema and held is None:
            raise SchemaError("The schema was not compiled.")
        job = _Job(request, asyncio.get_running_loop(), Sampler(request.sampling, held))
        with self._wake:
            if self._closed:
                raise EngineError("The engine is shutting down.")
            # What was cancelled while it waited holds no place.
            self._waiting = deque(j for j in self._waiting if not j.cancelled)
            if len(self._waiting) >= self._max_queue:
                raise EngineBusyError(
                    "The engine's queue is full.", retry_after_s=1 + len(self._waiting) // self._max_batch
                )
            self._waiting.append(job)
            self._wake.notify()
        return _Stream(job)

    async def close(self) -> None:
        """As :meth:`cmif_server.engine.engine.Engine.close`."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        await asyncio.to_thread(self._worker.join)

    @property
    def running(self) -> int:
        """Requests that hold a slot now."""
        return len(self._active)

    @property
    def queued(self) -> int:
        """Requests that wait for a slot now."""
        return sum(not j.cancelled for j in self._waiting)

    def _work(self) -> None:
        with torch.inference_mode():
            while True:
                with self._wake:
                    while not (self._closed or self._waiting or self._active):
                        self._wake.wait()
                    if self._closed:
                        break
                    self._retire()
                    self._admit()
                self._step()
        for job in (*self._active, *self._waiting):
            _deliver(job, EngineError("The engine is shutting down."))

    def _retire(self) -> None:
        """Free the slots of cancelled and failed requests, keeping slots in use first and decoding ones
        before the rest."""
        for job in [j for j in self._active if j.cancelled]:
            self._release(job)

    def _release(self, job: _Job) -> None:
        # Slots in use stay the first ones, and those that decode stay before those that prefill: two moves at most.
        hole, decoding = self._active.index(job), self._decoding()
        for end in ([decoding - 1] if hole < decoding else []) + [len(self._active) - 1]:
            self._decoder.cache.move(end, hole)
            self._active[hole] = self._active[end]
            hole = end
        self._active.pop()

    def _decoding(self) -> int:
        return sum(j.produced > 0 for j in self._active)

    def _admit(self) -> None:
        while self._waiting and len(self._active) < self._max_batch:
            job = self._waiting[0]
            if not job.cancelled:
                slots = len(self._active) + 1
                length = max(j.total for j in (*self._active, job))
                if slots > 1 and slots * length > self._kv_tokens:
                    return
                self._make_room(slots, length)
                self._active.append(job)
            self._waiting.popleft()

    def _make_room(self, slots: int, length: int) -> None:
        cache = self._decoder.cache
        if slots > cache.slots or length > cache.length:
            # Generously, so that the next request finds room; to the letter where that would pass the budget.
            roomy = (
                max(cache.slots, min(2 * slots, self._max_batch)),
                max(cache.length, -(-length // 256) * 256),
            )
            cache.resize(*(roomy if roomy[0] * roomy[1] <= self._kv_tokens else (slots, length)))
        cache.clear(slots - 1)

    def _step(self) -> None:
        left = CHUNK
        while left > 0 and (slot := self._decoding()) < len(self._active):
            jobs = self._together(slot, left)
            before = sum(job.length for job in jobs)
            self._guarded(jobs, partial(self._prefill, jobs, slot, left))
            left -= max(1, sum(job.length for job in jobs) - before)
            self._retire()
        if jobs := self._active[: self._decoding()]:
            self._guarded(jobs, partial(self._decode, jobs))

    def _guarded(self, jobs: list[_Job], run: Callable[[], None]) -> None:
        """A failure ends the requests it happened to, and only those."""
        try:
            run()
        except (RuntimeError, ValueError, IndexError, MemoryError):
            for job in jobs:
                _deliver(job, EngineError("The model failed on this request."))
                job.cancelled = True

    def _prefill(self, jobs: list[_Job], slot: int, most: int) -> None:
        """At most ``most`` tokens of the prompts of ``jobs``, which are in ``slot`` and the next ones and have equally
        many tokens in the cache: of several the whole rest, of one a part."""
        start = jobs[0].length
        counts = [min(most, job.prompt - start) for job in jobs]
        rows = pad_sequence([self._rows(job.request, start, n) for job, n in zip(jobs, counts, strict=True)], True)
        hidden = self._decoder.prefill(slot, rows, start, counts)
        for job, n in zip(jobs, counts, strict=True):
            job.length += n
        if jobs[0].length == jobs[0].prompt:
            self._emit(jobs, self._decoder.logits(hidden))

    def _together(self, slot: int, most: int) -> list[_Job]:
        """The request in ``slot``, and those in the next slots that can be prefilled with it: other variants of its
        frame, the rests of which are at most ``most`` tokens in all. Their common prefix is in their slots by then,
        where one that began before them has it."""
        first = self._active[slot]
        group = [first]
        for job in self._active[slot + 1 :]:
            if not _same_frame(job, first) or job.length:
                break
            group.append(job)
        source = next((i for i, job in enumerate(self._active) if job.length and _same_frame(job, first)), None)
        if first.length or source is None:
            return [first]
        common = min(_common(self._active[source], job) for job in group)
        rest = max(job.prompt for job in group) - common
        group = group[: max(1, most // rest)]
        for i, job in enumerate(group if common else ()):
            self._decoder.cache.share(source, slot + i, common)
            job.length = common
        return group if common else [first]

    def _rows(self, request: Frame | IdsFrame, start: int, n: int) -> Tensor:
        if isinstance(request, IdsFrame):
            return self._decoder.embed(torch.from_numpy(request.ids[start : start + n]).long())
        rows = to_float(request.rows.unique[request.rows.index[start : start + n]])
        return torch.from_numpy(rows).to(self._decoder.device)

    def _decode(self, jobs: list[_Job]) -> None:
        rows = self._decoder.embed(torch.tensor([j.last for j in jobs]))
        hidden = self._decoder.decode(rows, [j.length for j in jobs])
        self.steps += 1
        for job in jobs:
            job.length += 1
        self._emit(jobs, self._decoder.logits(hidden))

    def _emit(self, jobs: list[_Job], logits: Tensor) -> None:
        best, choice = logits.max(-1)
        finite, greedy = best.isfinite().tolist(), choice.tolist()
        for i, job in enumerate(jobs):
            if not finite[i]:
                _deliver(job, EngineError("The model's output for this request is not finite."))
                job.cancelled = True
                continue
            logprobs: TokenLogprobs | None = None
            token = greedy[i]
            if not job.sampler.plain:
                try:
                    token, logprobs = job.sampler.pick(logits[i])
                except EngineError as error:
                    _deliver(job, error)
                    job.cancelled = True
                    continue
            self._advance(job, token, logprobs)

    def _advance(self, job: _Job, token: int, logprobs: TokenLogprobs | None) -> None:
        sampling = job.request.sampling
        reason: Literal["stop", "length"] | None = "stop" if token in sampling.stop_ids else None
        sent = job.produced
        job.produced, job.last = job.produced + 1, token
        if reason is None:
            sent += 1
            _deliver(job, TokenEvent((token,), () if logprobs is None else (logprobs,)))
            reason = "length" if job.produced >= sampling.max_tokens else None
        if reason is not None:
            elapsed = (time.monotonic() - job.received) * 1e3
            _deliver(job, DoneEvent(reason, job.prompt, sent, elapsed))
            job.cancelled = True  # frees the slot before the next step


def _same_frame(job: _Job, other: _Job) -> bool:
    a, b = job.request, other.request
    return isinstance(a, Frame) and isinstance(b, Frame) and a.rows.unique is b.rows.unique


def _common(source: _Job, job: _Job) -> int:
    """How many tokens of the prompt of ``job`` are those that ``source``, of the same frame, has in the cache: never
    all of them, since the last one is what the answer begins with."""
    most = min(source.length, source.prompt, job.prompt - 1)
    assert isinstance(source.request, Frame)
    assert isinstance(job.request, Frame)
    differs = np.flatnonzero(source.request.rows.index[:most] != job.request.rows.index[:most])
    return int(differs[0]) if len(differs) else most


def _deliver(job: _Job, item: _Item) -> None:
    if not job.cancelled:
        try:
            job.loop.call_soon_threadsafe(job.items.put_nowait, item)
        except RuntimeError:  # the loop is gone, and the one who asked with it
            job.cancelled = True


class _Stream:
    """The events of one job, as its :class:`~cmif_server.engine.engine.EventStream`."""

    def __init__(self, job: _Job) -> None:
        self._job, self._ended = job, False

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> TokenEvent | DoneEvent:
        if self._ended:
            raise StopAsyncIteration
        item = await self._job.items.get()
        self._ended = not isinstance(item, TokenEvent)
        if isinstance(item, CmifError):
            raise item
        return item

    async def aclose(self) -> None:
        self._ended = self._job.cancelled = True

    def __del__(self) -> None:
        self._job.cancelled = True
