"""What a covered request costs an engine: python lab/benchmarks/cover_latency.py [transformers|vllm] [PROMPTS] [TOKENS]

Seconds until all K variants of a question are answered in TOKENS (32) greedy tokens each, over the seconds for the
one plain request, the best of three each, by the median of the first PROMPTS (4) questions that are covered; the same
until all have their first token, and from there; and the ratio of the frames' bytes. On the default model, one core.

vLLM: in its own environment, with CMIF_VLLM_TEST_BUILD=1 for the CPU build (docs/vllm.md).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from cmif.cli.options import default_split
from cmif.enclave.bundle import Bundle
from cmif.gateway.bundles import open_bundle
from cmif.types import Sampling
from cmif.wire.frame import Frame, encode
from cmif_lab.eval import cover
from cmif_server.engine.engine import Engine
from cmif_server.engine.variants import generate

QUESTIONS = Path(__file__).parent / "data" / "cover_questions.jsonl"


def load(kind: str, body: Path) -> Engine:
    """The engine on one core."""
    if kind == "vllm":
        from cmif_server.engine.vllm import VllmEngine

        return VllmEngine.load(body, max_num_seqs=16)
    import torch

    from cmif_server.engine.transformers import TransformersEngine

    torch.set_num_threads(1)
    return TransformersEngine.load(body)


def frame(bundle: Bundle, prepared: Any, tokens: int) -> Frame:
    lengths = prepared.variants.lengths if prepared.variants else ()
    return Frame(bundle.manifest.model, prepared.rows, Sampling(max_tokens=tokens), "one tenant", lengths)


async def seconds(engine: Engine, asked: Frame) -> tuple[float, float]:
    """Until all variants are answered, and until all have their first token."""
    began, waiting, begun = time.monotonic(), set(range(max(1, len(asked.lengths)))), 0.0
    async for event in generate(engine, asked):
        if event.of in waiting:
            waiting.discard(event.of)
            begun = time.monotonic() - began
    return time.monotonic() - began, begun


async def measure(kind: str, prompts: int, tokens: int) -> None:
    split = default_split("client", "server")
    bundle, engine = open_bundle(split / "client"), load(kind, split / "server")
    texts = cover.read(QUESTIONS)

    async def best(asked: Frame) -> tuple[float, float]:
        # A salt of its own each time, so that a prefix cache holds nothing of the time before.
        return min([await seconds(engine, replace(asked, salt=f"tenant {i}")) for i in range(3)])

    try:
        for k in (8, 16):
            found = []
            for case in cover.cases(bundle, k, 3, texts):
                if len(found) == prompts:
                    break
                plain, covered = (frame(bundle, made, tokens) for made in (case.plain, case.prepared))
                (one, first), (all_, begun) = await best(plain), await best(covered)
                sizes = [len(encode(asked, "bf16+zstd")) for asked in (plain, covered)]
                found.append((all_ / one, begun / first, (all_ - begun) / (one - first), sizes[1] / sizes[0]))
            whole, prefill, decoding, sizes_ = (median(column) for column in zip(*found, strict=True))
            parts = f"to the first token of all {prefill:.2f} x, from there {decoding:.2f} x"
            of = f"{kind} K {k}, {len(found)} prompts, {tokens} tokens, load {os.getloadavg()[0]:.1f}"
            print(f"{of}: latency {whole:.2f} x ({parts}), bytes {sizes_:.2f} x", flush=True)
    finally:
        await engine.close()


if __name__ == "__main__":
    kind, *numbers = [*sys.argv[1:], *("transformers", "4", "32")[len(sys.argv) - 1 :]]
    asyncio.run(measure(kind, *map(int, numbers)))
