from __future__ import annotations

import json
from typing import Any

import pytest

from cmif.errors import InputError, ModelNotFoundError, UnsupportedContentError
from cmif.gateway.api import chat, completions
from cmif.gateway.api.errors import error_body
from cmif.gateway.api.request import Request, schema_for

HELLO = {"messages": [{"role": "user", "content": "hi"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def parse(body: Any) -> Request:
    return chat.parse(body, ("m", "alias"))


def test_defaults_are_the_api_reference_s() -> None:
    asked = parse(HELLO)
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.n, asked.stream) == (1.0, 1.0, 1, False)
    assert asked.max_tokens is None
    assert completions.parse({"prompt": "hi"}, ("m",)).max_tokens == 16


def test_max_completion_tokens_wins_over_the_deprecated_name() -> None:
    assert parse({**HELLO, "max_tokens": 9, "max_completion_tokens": 5}).max_tokens == 5


def test_only_messages_and_tools_become_the_prompt() -> None:
    asked = parse({**HELLO, "tools": [TOOL], "user": "u", "metadata": {"a": "b"}, "store": True})
    assert [set(prompt) for prompt in asked.prompts] == [{"messages", "tools"}]
    assert (asked.dropped, asked.user, asked.tools) == (("store",), "u", ("f",))


def test_tools_that_must_not_be_called_stay_out_of_the_prompt() -> None:
    asked = parse({**HELLO, "tools": [TOOL], "tool_choice": "none"})
    assert [set(prompt) for prompt in asked.prompts] == [{"messages"}]
    assert asked.tools == ()


def test_top_p_of_zero_is_greedy() -> None:
    sampling = parse({**HELLO, "top_p": 0}).sampling
    assert (sampling.temperature, sampling.top_p) == (0.0, 1.0)


def test_an_alias_is_this_model_and_another_name_is_not() -> None:
    assert parse({**HELLO, "model": "alias"})
    with pytest.raises(ModelNotFoundError) as refusal:
        parse({**HELLO, "model": "gpt-4o"})
    assert error_body(refusal.value)["error"]["param"] == "model"


def test_a_forced_call_s_schema_is_that_of_its_sanitised_tool() -> None:
    asked = parse({**HELLO, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}})
    sanitised = {"tools": [{"function": {"name": "f", "parameters": {"properties": {"surrogate": {}}}}}]}
    schema = json.loads(schema_for(sanitised, asked))
    assert schema["properties"]["name"] == {"const": "f"}
    assert schema["properties"]["arguments"] == {"type": "object", "properties": {"surrogate": {}}}
    assert asked.forced


def test_a_format_goes_beside_the_prompt_to_be_sanitised() -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    asked = parse({**HELLO, "response_format": format_})
    assert asked.prompts[0]["response_format"] == format_
    assert json.loads(schema_for(asked.prompts[0], asked)) == {"type": "object"}
    assert schema_for(HELLO, parse({**HELLO, "response_format": {"type": "text"}})) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []}, {"messages": "hi"}, {"temperature": 3}, {"temperature": float("nan")},
        {"temperature": True}, {"max_tokens": 0}, {"max_tokens": "5"}, {"n": 9}, {"n": 0}, {"stop": [""]}, {"stop": ["a"] * 5},
        {"seed": 1.5}, {"seed": 10**400}, {"temperature": 10**400}, {"stream": "yes"}, {"stream_options": 1}, {"stream_options": {"include_usage": {}}}, {"logit_bias": {"5": 1}},
        {"functions": [1]}, {"top_logprobs": 21, "logprobs": True}, {"user": ""}, {"user": 5}, {"metadata": {"conversation_id": 5}},
        {"tools": [{"type": "custom"}]}, {"tools": 5}, {"tool_choice": "required"}, {"tool_choice": 5},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, {"tools": [TOOL], "response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}}, {"response_format": "json"},
    ],
)  # fmt: skip
def test_bad_fields_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refusal:
        parse({**HELLO, **change})
    assert refusal.value.param in {*change, None}


def test_a_refusal_never_quotes_the_value() -> None:
    for change in ({"temperature": "Okafor"}, {"metadata": "Okafor"}, {"n": "Okafor"}, {"tool_choice": "Okafor"}, {"Okafor": float("inf")}):
        with pytest.raises(InputError) as refusal:
            parse({**HELLO, **change})
        assert "Okafor" not in str(refusal.value)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_lone_surrogate_is_refused_wherever_it_stands(text: str) -> None:
    for body in ({"messages": [{"role": "user", "content": text}]}, {**HELLO, "tools": [{text: 1}]}, {**HELLO, text: 1}):
        with pytest.raises(InputError):
            parse(body)


@pytest.mark.parametrize("prompt", [None, 5, [], [1, 2], [[1]], ["a", 1]])
def test_prompts_that_cannot_be_inspected_are_refused(prompt: Any) -> None:
    with pytest.raises(UnsupportedContentError):
        completions.parse({"prompt": prompt}, ("m",))


def test_a_list_of_prompts_is_one_prompt_each() -> None:
    asked = completions.parse({"prompt": ["a", "b"], "suffix": "", "echo": False, "best_of": 1}, ("m",))
    assert asked.prompts == ({"prompt": "a"}, {"prompt": "b"})


def test_logprobs_of_zero_are_logprobs_without_alternatives() -> None:
    assert completions.parse({"prompt": "a", "logprobs": 0}, ("m",)).top_logprobs == 0
    assert completions.parse({"prompt": "a"}, ("m",)).top_logprobs is None


@pytest.mark.parametrize("change", [{"echo": True}, {"suffix": "x"}, {"best_of": 3}])
def test_what_completions_cannot_do_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        completions.parse({"prompt": "a", **change}, ("m",))


@pytest.mark.parametrize("body", [[1], None, "x", 5])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(InputError):
        parse(body)


def test_errors_have_all_four_keys() -> None:
    assert set(error_body(InputError("x"))["error"]) == {"message", "type", "param", "code"}
