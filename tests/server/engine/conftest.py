from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import torch

from cmif.types import Sampling
from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame, IdsFrame
from cmif.wire.rows import Rows
from cmif_server.engine.body import load_body
from cmif_server.engine.engine import EventStream
from cmif_server.engine.transformers import TransformersEngine, load_model
from tests.bodies import VOCAB, make_body, table

torch.set_num_threads(1)


@dataclass(frozen=True)
class Tiny:
    """A tiny body, its reference model, and requests for it."""

    path: Path
    model: Any
    rows: np.ndarray
    digest: str

    def frame(self, ids: list[int], salt: str = "", **sampling: Any) -> Frame:
        return Frame(self.digest, Rows.gather(self.rows, np.array(ids)), Sampling(**sampling), salt)

    def ids_frame(self, ids: list[int], **sampling: Any) -> IdsFrame:
        return IdsFrame(self.digest, np.array(ids, np.int32), Sampling(**sampling))

    def reference(self, ids: list[int], n: int) -> list[int]:
        """What transformers' own generate() answers, greedily, with no stop token."""
        with torch.inference_mode():
            out = self.model.generate(
                torch.tensor([ids]), max_new_tokens=n, do_sample=False, eos_token_id=None, pad_token_id=0
            )
        return out[0, len(ids) :].tolist()


def tiny(path: Path, architecture: str = "Llama", **changes: Any) -> Tiny:
    body = load_body(make_body(path, architecture, **changes))
    return Tiny(path, load_model(path), table(path), body.info.model)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny(tmp_path_factory.mktemp("llama"))


@pytest_asyncio.fixture
async def engine(llama: Tiny) -> AsyncIterator[TransformersEngine]:
    running = TransformersEngine(llama.model, load_body(llama.path).info, max_batch=4, max_queue=4)
    yield running
    await running.close()


def prompt(seed: int, n: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, VOCAB, n).tolist()


async def collect(stream: EventStream) -> tuple[list[int], DoneEvent]:
    ids: list[int] = []
    async for event in stream:
        if isinstance(event, DoneEvent):
            return ids, event
        assert isinstance(event, TokenEvent)
        ids += event.ids
    raise AssertionError("the stream ended without a done event")


@contextmanager
def held(engine: TransformersEngine, after: int = 0) -> Iterator[None]:
    """The worker stops before decoding step number ``after`` and goes on when the block is left."""
    gate, decode = threading.Event(), engine._decoder.decode

    def gated(*arguments: Any) -> torch.Tensor:
        if engine.steps >= after:
            gate.wait(30)
        return decode(*arguments)

    engine._decoder.decode = gated  # type: ignore[method-assign]
    try:
        yield
    finally:
        gate.set()
        engine._decoder.decode = decode  # type: ignore[method-assign]


async def until(condition: Callable[[], bool]) -> None:
    """Poll: the engine's worker is a thread and signals nothing."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
