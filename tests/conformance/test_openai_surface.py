"""The OpenAI surface, spoken by the `openai` client and by raw HTTP, against real gateway and engine processes."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers import gateway

MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "John Smith has chest pain."}]


@pytest.fixture(scope="module")
def served(tiny_split: Path, tiny_engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("gateway")
    keys = folder / "tenants.toml"
    keys.write_text("".join(["[tenants]\n", *(f'{t} = "{hashlib.sha256(t.encode()).hexdigest()}"\n' for t in ("ward", "desk"))]))
    with gateway(tiny_split, tiny_engine["url"], folder, "--policy", "entities", "--tenants", str(keys)) as told:
        yield told


@pytest.fixture
def client(served: dict[str, Any]) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served['url']}/v1", api_key="ward", max_retries=0)


def test_models_are_listed_and_found_by_name(client: openai.OpenAI, served: dict[str, Any]) -> None:
    assert [m.id for m in client.models.list()] == [served["model"]]
    assert client.models.retrieve(served["model"]).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_a_wrong_key_is_401(served: dict[str, Any]) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{served['url']}/v1", api_key="nobody", max_retries=0).models.list()


def test_streamed_and_whole_answers_are_the_same(client: openai.OpenAI, served: dict[str, Any]) -> None:
    arguments: Any = {"model": served["model"], "messages": MESSAGES, "temperature": 0, "max_tokens": 12}
    whole = client.chat.completions.create(**arguments)
    chunks = list(client.chat.completions.create(**arguments, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({c.id for c in chunks}) == 1
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_the_raw_stream_ends_with_done(served: dict[str, Any]) -> None:
    body = json.dumps({"prompt": "The", "max_tokens": 3, "stream": True}).encode()
    headers = {"authorization": "Bearer ward", "content-type": "application/json"}
    request = urllib.request.Request(f"{served['url']}/v1/completions", body, headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-request-id"].startswith("req_")
        lines = [line for line in answer.read().decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all("choices" in json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_n_choices_have_their_index_and_a_seed_repeats_them(client: openai.OpenAI, served: dict[str, Any]) -> None:
    arguments: Any = {"model": served["model"], "messages": MESSAGES, "temperature": 1.5, "seed": 7, "n": 3, "max_tokens": 10}
    first, second = (client.chat.completions.create(**arguments) for _ in range(2))
    texts = [c.message.content for c in first.choices]
    assert [c.index for c in first.choices] == [0, 1, 2]
    assert len(set(texts)) > 1
    assert texts == [c.message.content for c in second.choices]
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**arguments, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_stop_strings_cut_and_are_not_shown(client: openai.OpenAI, served: dict[str, Any]) -> None:
    arguments: Any = {"model": served["model"], "prompt": "The patient", "temperature": 0, "max_tokens": 24}
    text = client.completions.create(**arguments).choices[0].text
    stop = text[8:10]
    cut = client.completions.create(**arguments, stop=stop).choices[0]
    assert cut.text == text[: text.index(stop)]
    assert cut.finish_reason == "stop"


def test_logprobs_name_each_token(client: openai.OpenAI, served: dict[str, Any]) -> None:
    answer = client.chat.completions.create(
        model=served["model"], messages=MESSAGES, temperature=0, max_tokens=5, logprobs=True, top_logprobs=3
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 5
    for entry in logprobs.content:
        assert len(entry.top_logprobs) == 3
        assert entry.logprob == pytest.approx(entry.top_logprobs[0].logprob)  # greedy: the likeliest was taken
        assert entry.logprob <= 0


def test_a_random_model_writes_json_where_a_schema_holds_it(client: openai.OpenAI, served: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["colour", "count"],
        "additionalProperties": False,
    }
    format_: Any = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}
    for seed in range(5):
        answer = client.chat.completions.create(
            model=served["model"], messages=MESSAGES, response_format=format_, seed=seed, max_tokens=90
        )
        thing = json.loads(answer.choices[0].message.content or "")
        assert thing["colour"] in ("red", "blue")
        assert 0 <= thing["count"] <= 99
        assert answer.choices[0].finish_reason == "stop"
    bad: Any = {"type": "json_schema", "json_schema": {"name": "thing", "schema": {"type": "nonsense"}}}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=served["model"], messages=MESSAGES, response_format=bad)


def test_fields_that_could_carry_content_are_dropped_and_named(client: openai.OpenAI, served: dict[str, Any]) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=served["model"], messages=MESSAGES, max_tokens=1, user="u", metadata={"a": "b"}, store=True
    )
    assert raw.headers["x-cmif-dropped"] == "store"


def test_eight_clients_at_once_get_their_own_answers(client: openai.OpenAI, served: dict[str, Any]) -> None:
    def ask(i: int) -> str:
        return client.completions.create(model=served["model"], prompt=f"Number {i}:", temperature=0, max_tokens=8).choices[0].text

    alone = [ask(i) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == alone


def test_health_readiness_and_metrics(served: dict[str, Any], client: openai.OpenAI) -> None:
    client.chat.completions.create(model=served["model"], messages=MESSAGES, max_tokens=1)
    with urllib.request.urlopen(f"{served['url']}/healthz") as answer:
        assert answer.read() == b"ok"
    with urllib.request.urlopen(f"{served['url']}/readyz") as answer:
        told = json.loads(answer.read())
    assert told["ready"] is True
    assert told["table"]["k"] > 1
    with urllib.request.urlopen(f"{served['url']}/metrics") as answer:
        assert 'cmif_requests_total{route="/v1/chat/completions",status="200"}' in answer.read().decode()
