from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import uvicorn

import cmif_server.engine.app as app_module
from cmif.errors import EngineBusyError, SchemaError
from cmif.wire.events import DoneEvent, Event, EventReader, TokenEvent
from cmif.wire.frame import CONTENT_TYPE, Frame, encode
from cmif.wire.session import SessionEncoder, SessionStore
from cmif_server.engine.app import limits_of, make_app
from cmif_server.engine.body import load_body
from cmif_server.engine.transformers import TransformersEngine
from cmif_server.engine.variants import generate

from .conftest import Tiny, held, prompt, until

FRAME = {"content-type": CONTENT_TYPE}


@dataclass
class Service:
    url: str
    client: aiohttp.ClientSession
    engine: TransformersEngine
    sessions: SessionStore

    async def post(
        self, data: Any, headers: dict[str, str] = FRAME
    ) -> tuple[int, list[Event], dict[str, Any], Any]:
        async with self.client.post(f"{self.url}/v1/generate", data=data, headers=headers) as answer:
            body = await answer.read()
            events = EventReader().feed(body) if answer.status == 200 else []
            return answer.status, events, {} if events else json.loads(body), answer.headers


@pytest_asyncio.fixture
async def service(engine: TransformersEngine) -> AsyncIterator[Service]:
    sessions = SessionStore()
    config = uvicorn.Config(make_app(engine, sessions=sessions), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as client:
        yield Service(f"http://127.0.0.1:{port}", client, engine, sessions)
    server.should_exit = True
    await task


def ids_of(events: list[Event]) -> list[int]:
    return [i for e in events if isinstance(e, TokenEvent) for i in e.ids]


async def test_a_frame_in_tokens_out(service: Service, llama: Tiny) -> None:
    ids = prompt(1, 12)
    status, events, _, headers = await service.post(encode(llama.frame(ids, max_tokens=8), "bf16+zstd"))
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert ids_of(events) == llama.reference(ids, 8)
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert (done.reason, done.prompt_tokens, done.completion_tokens) == ("length", 12, 8)
    assert done.engine_ms > 0


async def test_ids_in_tokens_out(service: Service, llama: Tiny) -> None:
    ids = prompt(2, 9)
    _, events, _, _ = await service.post(encode(llama.ids_frame(ids, max_tokens=5)))
    assert ids_of(events) == llama.reference(ids, 5)


async def test_a_schema_is_compiled_beside_the_event_loop(
    service: Service, llama: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one takes long, and other streams go on meanwhile."""
    where: list[threading.Thread] = []

    def hold(schema: str) -> None:
        where.append(threading.current_thread())
        raise SchemaError(schema)

    monkeypatch.setattr(service.engine, "hold", hold)
    status, _, refusal, _ = await service.post(encode(llama.frame([3], schema="{}")))
    assert (status, where) == (400, [])  # this engine has no tokenizer, and says so before
    service.engine.info = replace(service.engine.info, schemas=True)
    status, _, refusal, _ = await service.post(encode(llama.frame([3], schema="{}")))
    assert (status, refusal["error"]["code"]) == (400, "invalid_schema")
    assert where
    assert where[0] is not threading.current_thread()


async def test_the_engine_describes_itself(service: Service, llama: Tiny) -> None:
    async with service.client.get(f"{service.url}/v1/engine") as answer:
        told = await answer.json()
    assert told["model"] == llama.digest
    assert {"hidden", "context", "vocab", "max_norm", "codecs"} <= set(told)
    async with service.client.get(f"{service.url}/healthz") as answer:
        assert answer.status == 200


async def test_a_client_that_reads_to_the_last_event_keeps_its_connection(
    service: Service, llama: Tiny
) -> None:
    data = encode(llama.frame(prompt(1, 5), max_tokens=3))
    opened: list[object] = []

    async def note(*details: object) -> None:
        opened.append(details)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note)
    async with aiohttp.ClientSession(trace_configs=[trace]) as client:
        for _ in range(4):
            async with client.post(f"{service.url}/v1/generate", data=data, headers=FRAME) as answer:
                reader = EventReader()
                while not any(isinstance(e, DoneEvent) for e in reader.feed(await answer.content.readany())):
                    pass
    assert len(opened) == 1


async def test_what_is_wrong_with_a_frame_is_told_apart(service: Service, llama: Tiny) -> None:
    good = encode(llama.frame(prompt(1, 5), max_tokens=4))
    poison = llama.frame(prompt(1, 5), max_tokens=4)
    poison.rows.unique[0, 0] = 0x7FC0
    large = llama.frame(prompt(1, 5), max_tokens=4)
    large.rows.unique[0, 0] = 0x4700  # 32768.0
    cases = [
        (good[:-1], FRAME, 400, "malformed_frame"),
        (good, {"content-type": "application/octet-stream"}, 400, "malformed_frame"),
        (b"", FRAME, 400, "malformed_frame"),
        (encode(poison), FRAME, 400, "rows_refused"),
        (encode(large), FRAME, 400, "rows_refused"),
        (encode(llama.frame(prompt(1, 5), max_tokens=4000)), FRAME, 400, "context_length_exceeded"),
        (encode(llama.ids_frame([5000], max_tokens=4)), FRAME, 400, "invalid_input"),
        (bytes(limits_of(service.engine).max_bytes + 1), FRAME, 413, "frame_too_large"),
        (encode(llama.frame([7] * 300, max_tokens=4)), FRAME, 413, "frame_too_large"),
    ]
    for data, headers, status, code in cases:
        got, _, body, _ = await service.post(data, headers)
        assert (got, body["error"]["code"]) == (status, code)
        assert body["error"]["message"]
    assert service.engine.steps == 0  # nothing reached the model


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(service: Service) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 1 << 16
            yield bytes(1 << 16)

    try:
        status, *_ = await service.post(endless())
        assert status == 413
    except aiohttp.ClientError:
        pass  # the engine may close the connection on a client that keeps sending
    assert sent < 64 << 20


async def test_uploads_together_are_bounded(
    service: Service, llama: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "_UPLOADING", 100)
    status, _, body, headers = await service.post(encode(llama.frame(prompt(1, 5), max_tokens=4)))
    assert (status, body["error"]["code"]) == (429, "engine_busy")
    assert int(headers["retry-after"]) >= 1


async def test_a_full_queue_is_429_with_retry_after(service: Service, llama: Tiny) -> None:
    data = encode(llama.frame(prompt(1, 5), max_tokens=240))
    tasks = []
    with held(service.engine):
        while service.engine.queued < 4:
            tasks.append(asyncio.create_task(service.post(data)))
            await until(lambda: service.engine.running + service.engine.queued == len(tasks))
        status, _, body, headers = await service.post(data)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert (status, body["error"]["code"]) == (429, "engine_busy")
    assert int(headers["retry-after"]) >= 1
    await until(lambda: not service.engine.running)


async def test_a_client_that_goes_away_stops_its_request_within_one_token(
    service: Service, llama: Tiny
) -> None:
    data = encode(llama.frame(prompt(1, 5), max_tokens=240))
    # The worker is held until the server has seen the client go, so that the count below is no race.
    with held(service.engine, after=3):
        async with service.client.post(f"{service.url}/v1/generate", data=data, headers=FRAME) as answer:
            await answer.content.readany()
            await until(lambda: service.engine.steps == 3)
            (job,) = service.engine._active
            answer.close()
        await until(lambda: job.cancelled)
    await until(lambda: not service.engine.running)
    assert service.engine.steps <= 4


async def test_a_session_over_http_and_a_restart_in_between(service: Service, llama: Tiny) -> None:
    encoder = SessionEncoder("bf16")
    sizes = []
    for turn in range(3):
        ids = prompt(1, 20 + turn)
        frame = llama.frame(ids, salt="t", max_tokens=4)
        if turn == 2:
            service.sessions._sessions.clear()
        pending = encoder.encode(frame)
        status, events, body, _ = await service.post(pending.data)
        if turn == 2:
            assert (status, body["error"]["code"]) == (409, "unknown_rows")
            encoder.reset()
            pending = encoder.encode(frame)
            status, events, body, _ = await service.post(pending.data)
        assert status == 200
        encoder.commit(pending)
        sizes.append(len(pending.data))
        assert ids_of(events) == llama.reference(ids, 4)
    assert sizes[1] < sizes[0] / 3 < sizes[2]


async def test_logs_hold_no_content(service: Service, llama: Tiny, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await service.post(encode(llama.frame(prompt(4, 9), salt="tenant-salt", max_tokens=6)))
    poison = llama.frame(prompt(4, 9), salt="tenant-salt", max_tokens=6)
    poison.rows.unique[:] = 0x7FC0
    await service.post(encode(poison))
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("cmif")]
    assert any("generated 6 tokens from 9" in line for line in lines)
    assert any("rows_refused" in line for line in lines)
    assert not any("tenant-salt" in line for line in caplog.messages)


def variants_of(llama: Tiny, prompts: list[list[int]], **sampling: Any) -> Frame:
    whole = llama.frame([i for ids in prompts for i in ids], **sampling)
    return replace(whole, lengths=tuple(map(len, prompts)))


async def test_every_variant_is_answered_as_if_it_were_alone(service: Service, llama: Tiny) -> None:
    """Three prompts that share a beginning, of different lengths, and one that shares nothing."""
    shared = prompt(3, 20)
    prompts = [[*shared, *prompt(40 + i, 3 + i)] for i in range(3)] + [prompt(90, 6)]
    status, events, _, _ = await service.post(encode(variants_of(llama, prompts, max_tokens=6)))
    assert status == 200
    for of, ids in enumerate(prompts):
        mine = [event for event in events if getattr(event, "of", None) == of]
        assert ids_of(mine) == llama.reference(ids, 6)
        assert isinstance(mine[-1], DoneEvent)
        assert mine[-1].prompt_tokens == len(ids)
    assert sum(isinstance(event, DoneEvent) for event in events) == len(prompts)


async def test_what_variants_share_is_computed_once(service: Service, llama: Tiny) -> None:
    seen: list[int] = []
    prefill = service.engine._decoder.prefill

    def counted(slot: int, rows: Any, start: int, counts: list[int]) -> Any:
        seen.extend(counts)
        return prefill(slot, rows, start, counts)

    service.engine._decoder.prefill = counted  # type: ignore[method-assign]
    shared = prompt(3, 20)
    await service.post(encode(variants_of(llama, [[*shared, i, 5] for i in (7, 8, 9)], max_tokens=6)))
    assert seen == [22, 2, 2]


async def test_variants_are_queued_all_or_none(llama: Tiny) -> None:
    engine = TransformersEngine(llama.model, load_body(llama.path).info, max_batch=1, max_queue=2)
    try:
        frame = variants_of(llama, [prompt(i, 5) for i in range(8)], max_tokens=200)
        with pytest.raises(EngineBusyError):
            generate(engine, frame)
        await until(lambda: engine.queued == 0 and engine.running == 0)
    finally:
        await engine.close()
