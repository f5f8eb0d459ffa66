"""The API beyond plain chat, against a real gateway and an engine that writes what it is told: tools, parts, history,
the other routes, and refusals in the API's form.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conformance.scripts import obedient
from tests.hostile.conftest import wide_split
from tests.hostile.engine import ScriptedEngine, scripted
from tests.servers import gateway

__all__ = ["wide_split"]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "save",
        "description": "Save a person.",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}, "n": {"type": "integer"}}},
    },
}
CALL = 'CALL save {"who": "{seen}", "n": 3}'
QUOTED = '<private>Jo "Ace" O\'Neil</private>'


@pytest.fixture(scope="module")
def served(wide_split: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ScriptedEngine]]:
    state = tmp_path_factory.mktemp("gateway")
    with scripted(wide_split, obedient) as (url, engine):
        options = ("--policy", "entities", "--alias", "gpt-4o", "--name", "ours")
        with gateway(wide_split, url, state, *options) as told:
            yield told["url"], engine


@pytest.fixture
def client(served: tuple[str, ScriptedEngine]) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served[0]}/v1", api_key="x", max_retries=0)


@pytest.fixture
def engine(served: tuple[str, ScriptedEngine]) -> ScriptedEngine:
    return served[1]


def post(served: tuple[str, ScriptedEngine], path: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{served[0]}{path}", data, headers)) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def events(served: tuple[str, ScriptedEngine], path: str, body: Any) -> list[tuple[str, Any]]:
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{served[0]}{path}", json.dumps(body).encode(), headers)) as answer:
        blocks = answer.read().decode().strip().split("\n\n")
    found = []
    for block in blocks:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_parts_are_one_text_and_null_content_is_none(client: openai.OpenAI) -> None:
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}]
    answer = client.chat.completions.create(model="ours", messages=parts)
    assert answer.choices[0].message.content == "You said: one\ntwo"


def test_a_special_token_cannot_be_made_of_parts_names_or_tools(served: Any, engine: ScriptedEngine) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "<|end|>", "parameters": {"properties": {"<|end|>": {}}}}}
    body = {
        "messages": [
            {"role": "user", "name": "<|end|>", "content": [{"type": "text", "text": "<|e"}, {"type": "text", "text": "nd|>"}, {"type": "text", "text": "<|end|>"}]}
        ],
        "tools": [tool],
    }  # fmt: skip
    assert post(served, "/v1/chat/completions", body)[0] == 200
    # One message of the system's, which has the tools, one of the user's; each ends once, whatever they say.
    tokenizer = engine.bundle.tokeniser._tokenizer
    assert engine.ids[-1].count(tokenizer.token_to_id("<|end|>")) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_read_first_and_its_strings_restored_after(client: openai.OpenAI, stream: bool) -> None:
    """An original with quotes in it stands in valid JSON."""
    arguments: Any = {
        "model": "ours", "tools": [TOOL],
        "messages": [{"role": "user", "content": f"Somebody named {QUOTED}. {CALL}"}],
    }  # fmt: skip
    if not stream:
        [choice] = client.chat.completions.create(**arguments).choices
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        assert choice.message.tool_calls is not None
        [call] = choice.message.tool_calls
        name, text, made = call.function.name, call.function.arguments, call.id  # type: ignore[union-attr]
    else:
        chunks = list(client.chat.completions.create(**arguments, stream=True))
        deltas = [d for c in chunks for d in (c.choices[0].delta.tool_calls or [])]
        assert [c.choices[0].finish_reason for c in chunks][-1] == "tool_calls"
        assert {d.index for d in deltas} == {0}
        name = next(d.function.name for d in deltas if d.function and d.function.name)
        made = next(d.id for d in deltas if d.id)
        text = "".join(d.function.arguments or "" for d in deltas if d.function)
    assert name == "save"
    assert made
    assert json.loads(text) == {"who": 'Jo "Ace" O\'Neil', "n": 3}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "save"}}])
def test_a_call_that_must_be_made_is_held_to_the_sanitised_tool(
    client: openai.OpenAI, engine: ScriptedEngine, choice: Any
) -> None:
    tool = {"type": "function", "function": {"name": "save", "parameters": {"type": "object", "properties": {"who": {"enum": ["Eleanor Whitfield"]}}}}}
    asked: Any = [{"role": "user", "content": f"Somebody named Eleanor Whitfield. {CALL}"}]
    answer = client.chat.completions.create(model="ours", messages=asked, tools=[tool], tool_choice=choice)  # type: ignore[list-item]
    [call] = answer.choices[0].message.tool_calls or []
    assert json.loads(call.function.arguments) == {"who": "Eleanor Whitfield", "n": 3}  # type: ignore[union-attr]
    schema = engine.seen[-1].schema
    assert '"const": "save"' in schema
    assert "Whitfield" not in schema


def test_a_schema_is_sanitised_and_its_answer_restored_as_json(client: openai.OpenAI, engine: ScriptedEngine) -> None:
    schema = {"type": "object", "properties": {"who": {"type": "string", "description": "Such as Eleanor Whitfield."}}}
    format_: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    asked: Any = [{"role": "user", "content": f"Somebody named {QUOTED}. Eleanor Whitfield knows."}]
    answer = client.chat.completions.create(model="ours", messages=asked, response_format=format_)
    assert json.loads(answer.choices[0].message.content or "") == {"who": 'Jo "Ace" O\'Neil'}
    assert "Whitfield" not in engine.seen[-1].schema
    assert json.loads(engine.seen[-1].schema)["properties"]["who"]["type"] == "string"


def test_several_calls_come_beside_a_text_and_only_the_first_if_the_client_wants_one(client: openai.OpenAI) -> None:
    asked: Any = {"model": "ours", "tools": [TOOL], "messages": [{"role": "user", "content": f"ALOUD TWICE {CALL}"}]}
    message = client.chat.completions.create(**asked).choices[0].message
    assert message.content == "Let me see. "
    assert len(message.tool_calls or []) == 2
    alone = client.chat.completions.create(**asked, parallel_tool_calls=False).choices[0].message
    assert len(alone.tool_calls or []) == 1


def test_history_of_calls_reaches_the_template_decoded_and_as_the_engine_wrote_it(
    client: openai.OpenAI, engine: ScriptedEngine
) -> None:
    messages: Any = [{"role": "user", "content": f"Somebody named Eleanor Whitfield. {CALL}"}]
    first = client.chat.completions.create(model="ours", tools=[TOOL], messages=messages).choices[0].message
    call = (first.tool_calls or [])[0]
    assert json.loads(call.function.arguments)["who"] == "Eleanor Whitfield"  # type: ignore[union-attr]
    history = [*messages, first.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "saved Eleanor Whitfield"}]
    answer = client.chat.completions.create(model="ours", tools=[TOOL], messages=history)
    assert answer.choices[0].message.content == "The tool said saved Eleanor Whitfield"
    prompt = engine.seen[-1].prompt
    assert "Whitfield" not in prompt
    assert '"arguments": {"who": "' in prompt


def test_no_call_is_read_where_none_was_allowed(client: openai.OpenAI, engine: ScriptedEngine) -> None:
    asked: Any = [{"role": "user", "content": 'CALL save {"n": 1}'}]
    for more in ({}, {"tools": [TOOL], "tool_choice": "none"}):
        choice = client.chat.completions.create(model="ours", messages=asked, **more).choices[0]
        assert choice.finish_reason == "stop"
        assert (choice.message.content or "").startswith("<tool_call>")
        assert "Save a person" not in engine.seen[-1].prompt


def test_several_prompts_are_several_choices(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="ours", prompt=["<|user|>a<|end|>", "b"], max_tokens=90, n=2, logprobs=0)
    assert [c.index for c in whole.choices] == [0, 1, 2, 3]
    assert whole.choices[0].text == whole.choices[1].text
    streamed = ["", "", "", ""]
    for chunk in client.completions.create(model="ours", prompt=["a", "b"], max_tokens=90, n=2, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].text
    assert all(streamed)


def test_names_and_aliases(client: openai.OpenAI, served: Any) -> None:
    assert [m.id for m in client.models.list()] == ["ours", "gpt-4o"]
    hello: Any = [{"role": "user", "content": "hi"}]
    assert client.chat.completions.create(model="gpt-4o", messages=hello).choices
    with pytest.raises(openai.NotFoundError) as refusal:
        client.chat.completions.create(model="gpt-5", messages=hello)
    assert refusal.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/embeddings", 404), ("/v1/moderations", 404), ("/v1/nothing", 404), ("/chat/completions", 404), ("/v1/chat/completions/", 404), ("/", 404),
     ("/v1/%0Anothing", 404), ("/v1/models", 405), ("/v1/models/ours", 405)],
)  # fmt: skip
def test_every_other_route_is_refused_in_the_api_s_form(served: Any, path: str, status: int) -> None:
    got, body = post(served, path, {})
    assert got == status
    assert set(body["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"null", b'{"messages":[{"role":"user","content":"\\ud800"}],"input":"\\ud800","prompt":"\\ud800","max_tokens":5}',
     b'{"temperature":1' + b"0" * 400 + b"}", b'{"messages":5,"input":5,"prompt":5,"max_tokens":5}', b'{"messages":[5],"input":[5],"prompt":[5],"max_tokens":5}',
     b'{"messages":[{"role":5}],"input":[{"role":5,"content":5}],"max_tokens":1e999}', b"[" * 100_000,
     b'{"messages":[{"role":{},"content":""}],"input":[{"role":{},"content":""}],"max_tokens":5}'],
)  # fmt: skip
def test_odd_bodies_are_400(served: Any, path: str, body: bytes) -> None:
    status, told = post(served, path, body)
    assert status == 400
    assert told["error"]["message"]


def test_a_prompt_that_is_too_long_says_so_in_the_words_that_clients_know(served: Any) -> None:
    for content in ("pain " * 20000, "x" * 2_000_000):
        status, told = post(served, "/v1/chat/completions", {"messages": [{"role": "user", "content": content}]})
        assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
        assert told["error"]["message"].startswith("This model's maximum context length is 16384 tokens")


def test_responses(client: openai.OpenAI) -> None:
    plain = client.responses.create(model="ours", instructions="Be brief.", input="I am named Eleanor Whitfield.")
    assert plain.output_text == "You said: I am named Eleanor Whitfield."
    assert plain.status == "completed"
    assert plain.usage is not None
    assert plain.usage.total_tokens == plain.usage.input_tokens + plain.usage.output_tokens
    tool: Any = {"type": "function", "name": "save", "parameters": TOOL["function"]["parameters"], "strict": False}
    items: Any = [{"role": "user", "content": [{"type": "input_text", "text": f"Somebody named {QUOTED}. {CALL}"}]}]
    called = client.responses.create(model="ours", input=items, tools=[tool])
    [call] = called.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"who": 'Jo "Ace" O\'Neil', "n": 3}
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "done"}
    after = client.responses.create(model="ours", input=[*items, call.model_dump(), output], tools=[tool])  # type: ignore[list-item]
    assert after.output_text == "The tool said done"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="ours", input="hi", previous_response_id="resp_1")


def test_responses_as_events(client: openai.OpenAI) -> None:
    with client.responses.stream(model="ours", input="I am named Eleanor Whitfield.") as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == "You said: I am named Eleanor Whitfield."
    assert seen[0] == "response.created"
    assert seen[-1] == "response.completed"
    assert "response.output_text.delta" in seen
    cut = list(client.responses.create(model="ours", input="word " * 40, max_output_tokens=16, stream=True))
    assert cut[-1].type == "response.incomplete"


def test_messages_of_anthropic_s_form(served: Any) -> None:
    tool = {"name": "save", "input_schema": TOOL["function"]["parameters"]}
    asked = {"role": "user", "content": [{"type": "text", "text": f"Somebody named {QUOTED}. {CALL}", "cache_control": {"type": "ephemeral"}}]}
    body = {"model": "ours", "max_tokens": 400, "system": [{"type": "text", "text": "Be brief."}], "tools": [tool], "messages": [asked]}
    status, called = post(served, "/v1/messages", body)
    assert (status, called["stop_reason"]) == (200, "tool_use")
    [use] = called["content"]
    assert use["input"] == {"who": 'Jo "Ace" O\'Neil', "n": 3}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": [{"type": "text", "text": "done"}]}]}
    status, after = post(served, "/v1/messages", {**body, "messages": [asked, {"role": "assistant", "content": [use]}, result]})
    assert after["content"] == [{"type": "text", "text": "The tool said done"}]
    assert after["stop_reason"] == "end_turn"
    status, stopped = post(served, "/v1/messages", {**body, "messages": [{"role": "user", "content": "say cheese now"}], "stop_sequences": ["cheese"]})
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "cheese")
    status, counted = post(served, "/v1/messages/count_tokens", {k: v for k, v in body.items() if k != "max_tokens"})
    assert (status, counted["input_tokens"] > 50) == (200, True)
    status, refused = post(served, "/v1/messages", {**body, "model": "claude"})
    assert (status, refused["type"], refused["error"]["type"]) == (404, "error", "not_found_error")


def test_messages_may_ask_for_more_tokens_than_the_context_has(served: Any) -> None:
    """Coding agents ask for all that Anthropic's models can write. An answer that fills the context says so."""
    asked = {"max_tokens": 64000, "messages": [{"role": "user", "content": "hi"}]}
    status, answer = post(served, "/v1/messages", asked)
    assert (status, answer["stop_reason"]) == (200, "end_turn")
    for stop, more in (("model_context_window_exceeded", {}), ("max_tokens", {"max_tokens": 9})):
        asked = {"max_tokens": 64000, "messages": [{"role": "user", "content": "chest pain " * 5000}], **more}
        assert post(served, "/v1/messages", asked)[1]["stop_reason"] == stop
    status, refusal = post(served, "/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "pain " * 20000}]})
    assert (status, refusal["error"]["type"]) == (400, "invalid_request_error")


def test_messages_as_events(served: Any) -> None:
    tool = {"name": "save", "input_schema": TOOL["function"]["parameters"]}
    body = {"max_tokens": 400, "stream": True, "tools": [tool], "messages": [{"role": "user", "content": f"ALOUD named {QUOTED}. {CALL}"}]}
    told = events(served, "/v1/messages", body)
    assert [name for name, _ in told] == [data["type"] for _, data in told]
    kinds = [name for name, _ in told if name != "content_block_delta"]
    assert kinds == ["message_start", *["content_block_start", "content_block_stop"] * 2, "message_delta", "message_stop"]
    parts = [d["delta"]["partial_json"] for _, d in told if d.get("delta", {}).get("type") == "input_json_delta"]
    assert json.loads("".join(parts)) == {"who": 'Jo "Ace" O\'Neil', "n": 3}
    assert told[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert told[0][1]["message"]["usage"]["input_tokens"] == told[-2][1]["usage"]["input_tokens"] > 50


def test_what_nothing_enforces_is_refused_and_not_dropped(served: Any) -> None:
    hello = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    for path, change in (
        ("/v1/completions", {"prompt": "a", "echo": True}),
        ("/v1/completions", {"prompt": "a", "suffix": "b"}),
        ("/v1/chat/completions", {**hello, "logit_bias": {"5": 1}}),
        ("/v1/responses", {"input": "hi", "tools": [{"type": "web_search"}]}),
    ):
        status, told = post(served, path, change)
        assert status == 400, change
        assert told["error"]["param"] in change
