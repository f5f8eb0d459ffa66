"""What a placement is to the benchmark: a prompt in, greedy ids and what they cost out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from cmif.bf16 import to_float
from cmif.wire.rows import Rows
from cmif_server.engine.decoder import Decoder


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer: greedy ``ids``; milliseconds to the first and to the last of them; round trips and payload bytes
    (HTTP headers not counted); and milliseconds a step, those of `Outcome.steps` that the placement has."""

    ids: tuple[int, ...]
    ttft_ms: float
    total_ms: float
    round_trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    steps: dict[str, float] = field(default_factory=dict)


class Placement(Protocol):
    """One connection of a placement. Blocking; use one a thread."""

    name: str

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """Exactly ``new`` greedy tokens after the prompt ``ids``, whose embedding rows are ``rows``."""
        ...

    def close(self) -> None: ...


def dense(rows: Rows) -> Tensor:
    """float32 [n, hidden] of a prompt's rows."""
    return torch.from_numpy(to_float(rows.dense()))


def decode_greedily(
    decoder: Decoder, prompt: Tensor, new: int, embed: Callable[[Tensor], Tensor], clock: list[float]
) -> list[int]:
    """``new`` greedy ids after ``prompt`` [n, hidden] on slot 0 of ``decoder``; ``clock`` gets the time of each."""
    decoder.cache.resize(1, len(prompt) + new)
    decoder.cache.clear(0)
    out: list[int] = []
    with torch.inference_mode():
        hidden = decoder.prefill(0, prompt[None], 0, [len(prompt)])
        while True:
            token = decoder.logits(hidden).argmax(-1)
            out.append(int(token))
            clock.append(time.perf_counter())
            if len(out) == new:
                return out
            hidden = decoder.decode(embed(token), [len(prompt) + len(out) - 1])
