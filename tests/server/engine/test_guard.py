"""The guard over a stand-in for vLLM that answers as the real one was seen to answer; `conformance/test_vllm.py` has
the real one."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import torch
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import cmif_server.engine.attested as attested_module
import cmif_server.engine.streams as streams_module
import cmif_server.engine.vllm_version as version_module
from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.prove.nvidia import collect
from cmif.attest.subject import Subject, engine_config
from cmif.wire.events import DoneEvent, ErrorEvent, Event, EventReader, TokenEvent
from cmif.wire.frame import CONTENT_TYPE, encode
from cmif_server.engine.attested import EngineTee
from cmif_server.engine.body import load_body
from cmif_server.engine.completions import request_body
from cmif_server.engine.guard import Guard
from tests.unit.attest.fake_nvattest import program

from .conftest import Tiny, prompt, until


def chunk(ids: list[int], finish: str | None = None, logprobs: dict[str, Any] | None = None) -> bytes:
    choice = {"index": 0, "text": "", "token_ids": ids, "finish_reason": finish, "logprobs": logprobs}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


END = b"data: [DONE]\n\n"


@dataclass
class FakeVllm:
    """What `vllm serve` puts behind its middleware, as far as the guard sees it."""

    body: Path
    answer: list[bytes] = field(
        default_factory=lambda: [chunk([7]), chunk([8, 9]), chunk([3], "length"), END]
    )
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None
    left: int = 0
    url: str = ""

    @property
    def args(self) -> SimpleNamespace:
        return SimpleNamespace(
            model=str(self.body), enable_prompt_embeds=True, api_key=None, enable_log_requests=False,
            enable_log_outputs=False, kv_transfer_config=None,
        )  # fmt: skip

    def app(self, **changes: Any) -> Starlette:
        info = load_body(self.body).info
        model = SimpleNamespace(
            max_model_len=200, get_hidden_size=lambda: info.hidden, get_vocab_size=lambda: info.vocab
        )
        app = Starlette(
            routes=[
                Route("/v1/completions", self.completions, methods=["POST"]),
                Route("/health", lambda _: Response()),
                Route("/metrics", lambda _: PlainTextResponse("vllm:x 1\n")),
                Route("/{path:path}", self.other, methods=["GET", "POST"]),
            ],
            middleware=[Middleware(Guard)],
        )
        app.state.args = SimpleNamespace(**vars(self.args) | changes)
        app.state.vllm_config = SimpleNamespace(
            model_config=model, scheduler_config=SimpleNamespace(max_num_seqs=2)
        )
        return app

    async def other(self, request: Request) -> Response:
        self.others.append(request.url.path)
        return Response()

    async def completions(self, request: Request) -> Response:
        self.requests.append(await request.json())
        if self.status != 200:
            return JSONResponse({"error": {"message": "?"}}, self.status)
        return StreamingResponse(self.stream(), media_type="text/event-stream")

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            for part in self.answer:
                yield part
                if self.held is not None:
                    await self.held.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise


@pytest.fixture
def new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_module, "version", lambda _: "0.33.0")
    monkeypatch.delenv("VLLM_API_KEY", raising=False)


@pytest_asyncio.fixture
async def vllm(llama: Tiny, new_enough: None) -> AsyncIterator[FakeVllm]:
    fake = FakeVllm(llama.path)
    server = uvicorn.Server(uvicorn.Config(fake.app(), port=0, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started or task.done())
    fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield fake
    server.should_exit = True
    await task


async def post(fake: FakeVllm, data: bytes) -> tuple[int, list[Event], dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{fake.url}/v1/generate", data=data, headers={"content-type": CONTENT_TYPE}) as answer,
    ):
        body = await answer.read()
        if answer.status == 200:
            return 200, EventReader().feed(body), {}
        return answer.status, [], json.loads(body)["error"]


async def test_rows_reach_vllm_as_the_tensor_they_are(vllm: FakeVllm, llama: Tiny) -> None:
    ids = prompt(1, 9)
    frame = llama.frame(ids, salt="tenant", max_tokens=4, stop_ids=(5, 6), seed=11, top_p=0.5)
    status, events, _ = await post(vllm, encode(frame))
    assert status == 200
    (body,) = vllm.requests
    tensor = torch.load(io.BytesIO(base64.b64decode(body.pop("prompt_embeds"))), weights_only=True)
    assert tensor.dtype == torch.bfloat16
    assert not tensor.is_sparse
    assert torch.equal(tensor.float(), llama.model.get_input_embeddings()(torch.tensor(ids)).detach())
    assert len(body.pop("cache_salt")) == 64
    assert body == {
        "stream": True, "return_token_ids": True, "ignore_eos": True, "stop_token_ids": [5, 6], "max_tokens": 4,
        "temperature": 0.0, "top_p": 0.5, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
        "frequency_penalty": 0.0, "presence_penalty": 0.0, "seed": 11,
    }  # fmt: skip
    *tokens, done = events
    assert tokens == [TokenEvent((7, 8, 9, 3))]
    assert isinstance(done, DoneEvent)
    assert (done.reason, done.prompt_tokens, done.completion_tokens) == ("length", 9, 4)


async def test_ids_reach_vllm_as_ids(vllm: FakeVllm, llama: Tiny) -> None:
    ids = prompt(2, 5)
    await post(vllm, encode(llama.ids_frame(ids, max_tokens=4)))
    assert vllm.requests[0]["prompt"] == ids
    assert "prompt_embeds" not in vllm.requests[0]


async def test_the_context_is_the_smaller_one(vllm: FakeVllm, llama: Tiny) -> None:
    async with aiohttp.ClientSession(vllm.url) as client, client.get("/v1/engine") as answer:
        assert (await answer.json())["context"] == 200
    status, _, error = await post(vllm, encode(llama.frame(prompt(3, 190), max_tokens=11)))
    assert (status, error["code"]) == (400, "context_length_exceeded")
    assert vllm.requests == []


async def test_what_validation_refuses_never_reaches_vllm(vllm: FakeVllm, llama: Tiny) -> None:
    frame = llama.frame(prompt(4, 6), max_tokens=4)
    frame.rows.unique[2, 3] = 0x7FC0
    status, _, error = await post(vllm, encode(frame))
    assert (status, error["code"]) == (400, "rows_refused")
    assert vllm.requests == []


def test_a_salt_is_shared_by_equal_ones_only(llama: Tiny) -> None:
    def salt(given: str) -> str:
        value: str = json.loads(request_body(llama.frame([5], salt=given)))["cache_salt"]
        return value

    assert salt("tenant") == salt("tenant")
    assert len({salt("tenant"), salt("tenant 2"), salt(""), salt(""), salt("a/b@c\\d" * 30)}) == 5


async def test_the_stop_token_is_dropped(vllm: FakeVllm, llama: Tiny) -> None:
    vllm.answer = [chunk([7]), chunk([8, 5], "stop"), END]
    _, events, _ = await post(vllm, encode(llama.frame([9], max_tokens=4, stop_ids=(5,))))
    *tokens, done = events
    assert tokens == [TokenEvent((7, 8))]
    assert isinstance(done, DoneEvent)
    assert (done.reason, done.completion_tokens) == ("stop", 2)


async def test_logprobs(vllm: FakeVllm, llama: Tiny) -> None:
    # vLLM puts the chosen token first, whether or not it is among the likeliest.
    given = {
        "tokens": ["token_id:4"], "token_logprobs": [-7.5],
        "top_logprobs": [{"token_id:4": -7.5, "token_id:1": -0.5, "token_id:2": -1.5}],
    }  # fmt: skip
    vllm.answer = [chunk([4], "length", given)]
    _, events, _ = await post(vllm, encode(llama.frame([9], max_tokens=1, logprobs=2)))
    assert isinstance(events[0], TokenEvent)
    assert events[0].logprobs[0].logprob == -7.5
    assert events[0].logprobs[0].top == ((1, -0.5), (2, -1.5))
    assert vllm.requests[0]["logprobs"] == 2
    assert vllm.requests[0]["return_tokens_as_token_ids"] is True


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ([b'data: {"error": {"message": "boom"}}\n\n', END], 200, "engine"),
        ([chunk([7])], 200, "engine"),
        ([chunk([7], "abort")], 200, "engine"),
        ([b"data: {not json\n\n"], 200, "engine"),
        ([b'data: {"choices": [{}]}\n\n'], 200, "engine"),
        ([], 400, "engine"),
        ([], 503, "engine_busy"),
    ],
)
async def test_a_failure_of_vllm_is_an_error_event(
    vllm: FakeVllm, llama: Tiny, answer: list[bytes], status: int, code: str
) -> None:
    vllm.answer, vllm.status = answer, status
    _, events, _ = await post(vllm, encode(llama.frame([9], max_tokens=4)))
    assert isinstance(events[-1], ErrorEvent)
    assert events[-1].code == code


async def test_a_client_that_leaves_is_noticed_by_vllm(vllm: FakeVllm, llama: Tiny) -> None:
    vllm.held = asyncio.Event()
    async with aiohttp.ClientSession() as client:
        answer = await client.post(
            f"{vllm.url}/v1/generate",
            data=encode(llama.frame([9], max_tokens=4)),
            headers={"content-type": CONTENT_TYPE},
        )
        assert b"ids" in await answer.content.readany()
        answer.close()
        await until(lambda: vllm.left == 1)


async def test_a_full_queue_is_429(vllm: FakeVllm, llama: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "QUEUE", 1)
    vllm.held = asyncio.Event()
    data = encode(llama.frame([9], max_tokens=4))
    running = [asyncio.create_task(post(vllm, data)) for _ in range(3)]
    await until(lambda: len(vllm.requests) == 3)
    status, _, error = await post(vllm, data)
    assert (status, error["code"]) == (429, "engine_busy")
    vllm.held.set()
    assert [events[-1].__class__ for _, events, _ in await asyncio.gather(*running)] == [DoneEvent] * 3
    assert (await post(vllm, data))[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/v1/completions", "/v1/models", "/invocations", "/tokenize", "/v1/generate/", "/metrics/x", "/"]
)
async def test_every_other_way_in_is_closed(vllm: FakeVllm, method: str, path: str) -> None:
    async with (
        aiohttp.ClientSession(vllm.url) as client,
        client.request(method, path, json={"prompt_embeds": "x"}) as answer,
    ):
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "invalid_input"
    assert (vllm.requests, vllm.others) == ([], [])


async def test_websockets_are_closed(vllm: FakeVllm) -> None:
    async with aiohttp.ClientSession(vllm.url) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect("/v1/realtime")
    assert vllm.others == []


@pytest.mark.parametrize("path", ["/healthz", "/health", "/metrics"])
async def test_health_and_metrics_are_vllms(vllm: FakeVllm, path: str) -> None:
    async with aiohttp.ClientSession(vllm.url) as client:
        async with client.get(path) as answer:
            assert answer.status == 200
            assert ("vllm:x" in await answer.text()) == (path == "/metrics")
        async with client.post(path) as answer:
            assert answer.status == 403


async def start(app: Starlette) -> tuple[dict[str, Any], Callable[[str], Awaitable[int]]]:
    """What the server says to being started, and a way to ask it for a path's status then."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    calls = [{"type": "lifespan.startup"}]

    async def receive() -> dict[str, Any]:
        return calls.pop() if calls else await asyncio.Event().wait()  # type: ignore[return-value]

    task = asyncio.create_task(app({"type": "lifespan", "asgi": {}}, receive, sent.put))  # type: ignore[arg-type]
    said = await asyncio.wait_for(sent.get(), 10)
    task.cancel()

    async def status(path: str) -> int:
        answers: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            answers.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": [],
            "asgi": {},
        }
        await app(scope, receive, keep)  # type: ignore[arg-type]
        return int(answers[0]["status"])

    return said, status


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"enable_prompt_embeds": False}, "--enable-prompt-embeds"),
        ({"api_key": ["k"]}, "API key"),
        ({"enable_log_requests": True}, "log"),
        ({"enable_log_outputs": True}, "log"),
        ({"kv_transfer_config": object()}, "cache"),
        ({"model": "nowhere"}, "body.json"),
    ],
)
async def test_it_does_not_start_on_what_would_undo_it(
    llama: Tiny, new_enough: None, changes: dict[str, Any], about: str
) -> None:
    said, status = await start(FakeVllm(llama.path).app(**changes))
    assert said["type"] == "lifespan.startup.failed"
    assert about in said["message"]
    assert await status("/v1/engine") == 503


async def test_it_does_not_start_with_a_key_in_the_environment(
    llama: Tiny, new_enough: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "k")
    said, _ = await start(FakeVllm(llama.path).app())
    assert said["type"] == "lifespan.startup.failed"


async def test_it_does_not_start_on_another_models_body(llama: Tiny, new_enough: None) -> None:
    app = FakeVllm(llama.path).app()
    app.state.vllm_config.model_config.get_hidden_size = lambda: 65
    said, _ = await start(app)
    assert said["type"] == "lifespan.startup.failed"


async def test_it_does_not_start_on_a_vllm_that_it_does_not_know(llama: Tiny, new_enough: None) -> None:
    app = FakeVllm(llama.path).app()
    del app.state.vllm_config
    said, status = await start(app)
    assert said["type"] == "lifespan.startup.failed"
    assert await status("/v1/engine") == 503


async def test_it_starts_otherwise(llama: Tiny, new_enough: None) -> None:
    said, status = await start(FakeVllm(llama.path).app())
    assert said["type"] == "lifespan.startup.complete"
    assert await status("/v1/engine") == 200


async def test_it_does_not_start_on_an_old_vllm(
    llama: Tiny, new_enough: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_module, "version", lambda _: "0.32.0+cpu")
    monkeypatch.delenv("CMIF_VLLM_TEST_BUILD", raising=False)
    said, _ = await start(FakeVllm(llama.path).app())
    assert said["type"] == "lifespan.startup.failed"
    assert "vllm>=0.33" in said["message"]


async def test_in_a_tee_it_states_what_it_runs_in_and_what_vllm_is_given(
    llama: Tiny, new_enough: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvattest, config = program(tmp_path), engine_config("vllm", ["--seed", "1"])
    tee = EngineTee(TeeKind.SNP, config, "ab" * 32, chain=(tmp_path / "ark.pem",), nvattest=nvattest)
    (tmp_path / "ark.pem").write_bytes(b"signed by AMD")
    made = Producer()
    monkeypatch.setattr(attested_module, "producer", lambda kind, **files: made.given(kind, files))
    monkeypatch.setenv("CMIF_VLLM_TEE", tee.text())
    said, status = await start(FakeVllm(llama.path).app())
    assert said["type"] == "lifespan.startup.complete"
    assert await status("/attestation") == 400  # without a nonce
    assert await status(f"/attestation?nonce={'11' * 32}") == 200
    assert made.files == {"collateral": None, "chain": (tmp_path / "ark.pem",)}
    subject = Subject(tee.config.hex(), load_body(llama.path).info.model, "ab" * 32)
    nonce = bytes([0x11]) * 32
    assert made.asked == [subject.report_data(nonce, collect(nvattest, subject.gpu_nonce(nonce)))]


class Producer:
    def given(self, kind: TeeKind, files: dict[str, Any]) -> Producer:
        self.kind, self.files, self.asked = kind, files, list[bytes]()
        return self

    def produce(self, report_data: bytes) -> Evidence:
        self.asked.append(report_data)
        return Evidence(self.kind, b"evidence")


async def test_elsewhere_it_states_nothing(llama: Tiny, new_enough: None) -> None:
    _, status = await start(FakeVllm(llama.path).app())
    assert await status("/attestation") == 404


def test_the_arguments_of_vllm_are_in_the_digest() -> None:
    told = {engine_config("vllm", a) for a in ([], ["--seed", "1"], ["--seed", "2"], ["--seed 1"])}
    assert len(told | {engine_config("transformers")}) == 5
