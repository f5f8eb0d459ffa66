from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import cmif_server.engine.transformers as module
from cmif.errors import ArchitectureError, EngineBusyError, EngineError
from cmif.wire.events import TokenEvent
from cmif_server.engine.body import load_body
from cmif_server.engine.transformers import TransformersEngine
from cmif_server.engine.variants import generate

from .conftest import Tiny, collect, prompt, tiny, until

FAMILIES = {
    "llama": ("Llama", {}),
    "llama3-rope": ("Llama", {"rope_parameters": {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}}),
    "tied": ("Llama", {"tie_word_embeddings": True}),
    "qwen2": ("Qwen2", {}),
    "qwen2-sliding": ("Qwen2", {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1}),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral-sliding": ("Mistral", {"sliding_window": 9}),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
async def test_greedy_output_is_that_of_generate_alone_and_in_a_batch(family: str, tmp_path: Path) -> None:
    architecture, changes = FAMILIES[family]
    model = tiny(tmp_path, architecture, **changes)
    prompts = [prompt(seed, n) for seed, n in enumerate((1, 5, 12, 30, 17, 2))]
    expected = [model.reference(ids, 20) for ids in prompts]
    engine = TransformersEngine(model.model, load_body(tmp_path).info, max_batch=4)
    try:
        alone = [(await collect(engine.generate(model.frame(ids, max_tokens=20))))[0] for ids in prompts]
        batch = await asyncio.gather(
            *(collect(engine.generate(model.frame(ids, max_tokens=20))) for ids in prompts)
        )
    finally:
        await engine.close()
    assert alone == expected
    assert [ids for ids, _ in batch] == expected
    assert len({tuple(e) for e in expected}) == len(expected)  # the test can tell answers apart


async def test_ids_and_rows_give_the_same_answer(engine: TransformersEngine, llama: Tiny) -> None:
    ids = prompt(3, 25)
    by_row, done = await collect(engine.generate(llama.frame(ids, max_tokens=16)))
    by_id, _ = await collect(engine.generate(llama.ids_frame(ids, max_tokens=16)))
    assert by_row == by_id
    assert (done.reason, done.prompt_tokens, done.completion_tokens) == ("length", 25, 16)


async def test_a_prompt_in_chunks_is_the_prompt_at_once(
    llama: Tiny, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    ids = prompt(5, 50)
    assert (await collect(engine.generate(llama.frame(ids, max_tokens=12))))[0] == llama.reference(ids, 12)


async def test_requests_join_and_leave_a_running_batch(llama: Tiny, engine: TransformersEngine) -> None:
    sizes = [(3, 40), (9, 3), (30, 25), (4, 1), (11, 12), (2, 33), (21, 7)]
    prompts = [prompt(10 + i, n) for i, (n, _) in enumerate(sizes)]

    async def later(i: int) -> list[int]:
        await until(lambda: engine.steps >= 3 * max(0, i - 3) and engine.running < 4)
        return (await collect(engine.generate(llama.frame(prompts[i], max_tokens=sizes[i][1]))))[0]

    got = await asyncio.gather(*(later(i) for i in range(len(sizes))))
    assert got == [llama.reference(p, n) for p, (_, n) in zip(prompts, sizes, strict=True)]


async def test_a_stop_id_ends_the_answer_and_is_not_sent(llama: Tiny, engine: TransformersEngine) -> None:
    ids = prompt(6, 10)
    full = llama.reference(ids, 12)
    stop = full[5]
    got, done = await collect(engine.generate(llama.frame(ids, max_tokens=12, stop_ids=(stop,))))
    assert got == full[: full.index(stop)]
    assert (done.reason, done.completion_tokens) == ("stop", len(got))


async def test_closing_the_stream_stops_within_one_token(llama: Tiny, engine: TransformersEngine) -> None:
    stream = engine.generate(llama.frame(prompt(1, 5), max_tokens=240))
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    at_close = engine.steps
    await until(lambda: not engine.running)
    assert engine.steps <= at_close + 1


async def test_a_stream_closed_before_it_was_read_stops_too(llama: Tiny, engine: TransformersEngine) -> None:
    await engine.generate(llama.frame(prompt(1, 5), max_tokens=240)).aclose()
    ids = prompt(2, 5)
    assert (await collect(engine.generate(llama.frame(ids, max_tokens=4))))[0] == llama.reference(ids, 4)
    assert engine.steps < 20


async def test_a_full_queue_refuses_at_once_and_recovers(llama: Tiny, engine: TransformersEngine) -> None:
    streams = [engine.generate(llama.frame(prompt(i, 5), max_tokens=200)) for i in range(4)]
    await until(lambda: engine.running == 4)
    streams += [engine.generate(llama.frame(prompt(i, 5), max_tokens=200)) for i in range(4)]
    with pytest.raises(EngineBusyError) as refused:
        engine.generate(llama.frame([5], max_tokens=1))
    assert refused.value.retry_after_s >= 1
    for stream in streams:
        await stream.aclose()
    ids = prompt(7, 5)
    assert (await collect(engine.generate(llama.frame(ids, max_tokens=4))))[0] == llama.reference(ids, 4)


async def test_a_poisoned_request_fails_alone(llama: Tiny, engine: TransformersEngine) -> None:
    """Past validation on purpose: infinite rows make NaN keys and values in their own slot, and nowhere else."""
    poison = llama.frame(prompt(1, 40), max_tokens=30)
    poison.rows.unique[:] = 0x7F80
    ids = prompt(2, 6)
    expected = llama.reference(ids, 40)
    for _ in range(3):
        beside = asyncio.create_task(collect(engine.generate(llama.frame(ids, max_tokens=40))))
        with pytest.raises(EngineError):
            await collect(engine.generate(poison))
        assert (await beside)[0] == expected
        # And whoever gets the poisoned slot next, in a batch whose longest member reaches into its stale part.
        after = await asyncio.gather(
            *(collect(engine.generate(llama.frame(ids, max_tokens=40))) for _ in range(4))
        )
        assert [got for got, _ in after] == [expected] * 4


async def test_a_failing_step_ends_its_requests_and_not_the_engine(
    llama: Tiny, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(engine._decoder, "decode", fail)
        with pytest.raises(EngineError):
            await collect(engine.generate(llama.frame(prompt(1, 4), max_tokens=4)))
    ids = prompt(2, 5)
    assert (await collect(engine.generate(llama.frame(ids, max_tokens=4))))[0] == llama.reference(ids, 4)


async def test_memory_for_keys_and_values_stays_in_its_budget(llama: Tiny) -> None:
    per_token = 2 * 2 * 2 * 16 * 4
    engine = TransformersEngine(
        llama.model, load_body(llama.path).info, max_batch=8, kv_bytes=120 * per_token
    )
    try:
        assert engine.info.context == 120
        cache = engine._decoder.cache
        jobs = [
            (prompt(i, n), m)
            for i, (n, m) in enumerate([(100, 15), (5, 5), (6, 30), (8, 8), (20, 80), (3, 9)])
        ]
        got = await asyncio.gather(*(collect(engine.generate(llama.frame(p, max_tokens=m))) for p, m in jobs))
        assert cache.slots * cache.length <= 120
    finally:
        await engine.close()
    assert [ids for ids, _ in got] == [llama.reference(p, m) for p, m in jobs]


async def test_sampling_is_reproducible_by_seed_whatever_runs_beside_it(
    llama: Tiny, engine: TransformersEngine
) -> None:
    warm = {"max_tokens": 20, "temperature": 1.0, "top_p": 0.95, "seed": 7}
    ids = prompt(8, 9)
    alone, _ = await collect(engine.generate(llama.frame(ids, **warm)))
    beside = [engine.generate(llama.frame(prompt(i, 20), max_tokens=30)) for i in range(3)]
    again, _ = await collect(engine.generate(llama.frame(ids, **warm)))
    other, _ = await collect(engine.generate(llama.frame(ids, **{**warm, "seed": 8})))
    assert alone == again != other
    for stream in beside:
        await stream.aclose()


async def test_logprobs_come_with_every_token(llama: Tiny, engine: TransformersEngine) -> None:
    ids = prompt(9, 9)
    events = [
        e
        async for e in engine.generate(llama.frame(ids, max_tokens=3, logprobs=4))
        if isinstance(e, TokenEvent)
    ]
    with torch.inference_mode():
        expected = torch.log_softmax(llama.model(torch.tensor([ids])).logits[0, -1], -1)
    first = events[0].logprobs[0]
    assert first.logprob == pytest.approx(float(expected.max()), abs=1e-4)
    assert [i for i, _ in first.top] == expected.topk(4).indices.tolist()
    assert [p for _, p in first.top] == pytest.approx(expected.topk(4).values.tolist(), abs=1e-4)


async def test_closing_the_engine_ends_what_runs(llama: Tiny) -> None:
    engine = TransformersEngine(llama.model, load_body(llama.path).info)
    stream = engine.generate(llama.frame(prompt(1, 5), max_tokens=250))
    await anext(stream)
    await engine.close()
    with pytest.raises(EngineError):
        await collect(stream)
    with pytest.raises(EngineError):
        engine.generate(llama.frame([5], max_tokens=1))


def test_models_whose_positions_depend_on_the_batch_are_refused(tmp_path: Path) -> None:
    model = tiny(tmp_path, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0})
    with pytest.raises(ArchitectureError):
        TransformersEngine(model.model, load_body(tmp_path).info)


def test_rows_are_upcast_exactly(llama: Tiny) -> None:
    weight = llama.model.model.embed_tokens.weight.detach().numpy()
    assert np.array_equal((llama.rows.astype(np.uint32) << 16).view(np.float32), weight)


@pytest.mark.parametrize("family", ["llama", "qwen2-sliding", "mistral-sliding"])
@pytest.mark.parametrize("chunk", [16, 512], ids=["in chunks", "at once"])
async def test_variants_of_a_prompt_answer_as_each_does_alone(
    family: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of unequal length, first differing in unequal places; more of them than run at once."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    architecture, changes = FAMILIES[family]
    model = tiny(tmp_path, architecture, **changes)
    prompts = [[*prompt(1, 20), 7, *prompt(10 + i, 1 + i % 4), *prompt(2, 9)] for i in range(6)]
    prompts[3][12] = 5
    prompts.append(prompts[0][:25])
    expected = [model.reference(ids, 20) for ids in prompts]
    engine = TransformersEngine(model.model, load_body(tmp_path).info, max_batch=5)
    frame = replace(model.frame([i for ids in prompts for i in ids], max_tokens=20), lengths=tuple(map(len, prompts)))
    try:
        got: dict[int, list[int]] = {i: [] for i in range(len(prompts))}
        async for event in generate(engine, frame):
            if isinstance(event, TokenEvent):
                got[event.of] += event.ids
    finally:
        await engine.close()
    assert list(got.values()) == expected
    assert len({tuple(e) for e in expected}) == len(expected)


async def test_variants_are_prefilled_together_and_their_prefix_once(
    llama: Tiny, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    prefill = engine._decoder.prefill

    def seen(slot: int, rows: torch.Tensor, start: int, counts: list[int]) -> torch.Tensor:
        shapes.append((tuple(rows.shape[:2]), start))
        return prefill(slot, rows, start, counts)

    monkeypatch.setattr(engine._decoder, "prefill", seen)
    prompts = [[*prompt(1, 30), 7 + i, *prompt(2, 5)] for i in range(4)]
    frame = replace(llama.frame([i for ids in prompts for i in ids], max_tokens=3), lengths=(36,) * 4)
    with engine._wake:  # until all of them are queued
        stream = generate(engine, frame)
    async for _ in stream:
        pass
    assert shapes == [((1, 36), 0), ((3, 6), 30)]
