from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.segment import replace, segments
from cmif.errors import InputError, UnsupportedContentError
from cmif.types import Kind

REQUEST: dict[str, Any] = {
    "model": "small",
    "temperature": 0.5,
    "user": "anna",
    "messages": [
        {"role": "system", "content": "You help Anna."},
        {"role": "user", "name": "anna_weber", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "world"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "find", "arguments": '{"who": "Anna Weber", "card": 4111111111111111, "deep": [{"x": true}]}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Anna lives in Oslo"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "find",
                "description": "Find people such as Anna.",
                "parameters": {"type": "object", "properties": {"who": {"type": "string", "enum": ["Anna"]}}, "required": ["who"]},
            },
        }
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "Anna", "schema": {"type": "object"}}},
}


def paths(request: dict[str, Any]) -> dict[str, str]:
    return {segment.path: segment.text for segment in segments(request)}


def test_every_text_of_a_chat_is_a_segment() -> None:
    found = paths(REQUEST)
    assert found["messages[0].content"] == "You help Anna."
    assert found["messages[1].name"] == "anna_weber"
    assert found["messages[1].content"] == "Hello\nworld"
    assert found["messages[3].content"] == "Anna lives in Oslo"
    texts = list(found.values())
    for text in ("Anna Weber", "4111111111111111", "who", "call_1", "Find people such as Anna.", "Anna"):
        assert text in texts
    assert not any(text in ("object", "string", "function", "small", "anna") for text in texts)


def test_roles_and_prose() -> None:
    by_path = {s.path: s for s in segments(REQUEST)}
    assert by_path["messages[0].content"].role == "system"
    assert by_path["messages[3].content"].role == "tool"
    assert by_path["messages[0].content"].prose
    assert not by_path["messages[1].name"].prose
    arguments = [s for s in by_path.values() if "arguments" in s.path]
    assert [s.text for s in arguments if s.prose] == ["Anna Weber"]
    described = [s for s in by_path.values() if s.text == "Find people such as Anna."]
    assert [s.prose for s in described] == [True]


def test_texts_put_back_unchanged_give_the_same_request_and_the_given_one_is_not_touched() -> None:
    before = copy.deepcopy(REQUEST)
    same = replace(REQUEST, [s.text for s in segments(REQUEST)])
    call = same["messages"][2]["tool_calls"][0]["function"]
    call["arguments"] = json.dumps(json.loads(call["arguments"]))
    parts = copy.deepcopy(before)
    parts["messages"][1]["content"] = "Hello\nworld"
    assert same == parts
    assert before == REQUEST


def test_what_is_put_back_stands_where_it_was() -> None:
    found = segments(REQUEST)
    sent = replace(REQUEST, [f"<{i}>" for i in range(len(found))])
    where = {s.path: f"<{i}>" for i, s in enumerate(found)}
    assert sent["messages"][1]["content"] == where["messages[1].content"]
    function = sent["messages"][2]["tool_calls"][0]["function"]
    assert function["name"] == "find"
    assert sent["tools"][0]["function"]["name"] == "find"
    assert "Anna" not in json.dumps({k: sent[k] for k in ("messages", "tools", "response_format")})
    values = list(json.loads(function["arguments"]).values())
    assert values[2] == [{next(iter(values[2][0])): True}]


def test_numbers_in_arguments_stay_numbers_where_they_can() -> None:
    request = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 12, "b": 3.5}'}}]}]}
    texts = [s.text for s in segments(request)]
    assert texts == ["a", "12", "b", "3.5"]
    sent = replace(request, ["a", "99", "b", "secret"])
    assert json.loads(sent["messages"][0]["tool_calls"][0]["function"]["arguments"]) == {"a": 99, "b": "secret"}


@pytest.mark.parametrize("arguments", ["not json: Anna", '"Anna"', "", "[" * 5000])
def test_arguments_that_are_no_json_object_are_one_text(arguments: str) -> None:
    request = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]}
    assert [s.text for s in segments(request)] == [arguments]


def test_marks_are_taken_out_of_every_text() -> None:
    request = {"messages": [{"role": "user", "content": "the <private>red door</private> plan"}]}
    [segment] = segments(request)
    assert segment.text == "the red door plan"
    assert [(segment.text[s.start : s.end], s.kind) for s in segment.private] == [("red door", Kind.PRIVATE)]
    assert replace(request, ["the secret-1 plan"])["messages"][0]["content"] == "the secret-1 plan"


def test_completions() -> None:
    assert [s.text for s in segments({"prompt": "Once", "suffix": "end"})] == ["Once", "end"]
    assert [s.text for s in segments({"prompt": ["a", "b"]})] == ["a", "b"]
    assert replace({"prompt": ["a", "b"], "n": 1}, ["c", "d"]) == {"prompt": ["c", "d"], "n": 1}


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        [{"type": "text", "text": "look:"}, {"type": "input_audio", "input_audio": {"data": "AAAA"}}],
        [{"type": "file", "file": {"file_id": "f"}}],
        [{"type": "something_new", "text": "x"}],
        [{"text": "no type"}],
    ],
)
def test_content_that_cannot_be_inspected_is_refused(content: list[Any]) -> None:
    with pytest.raises(UnsupportedContentError) as caught:
        segments({"messages": [{"role": "user", "content": content}]})
    assert "AAAA" not in str(caught.value)


def test_audio_and_token_ids_are_refused() -> None:
    with pytest.raises(UnsupportedContentError):
        segments({"messages": [{"role": "assistant", "audio": {"id": "a"}}]})
    for prompt in ([1, 2, 3], [[1, 2]]):
        with pytest.raises(UnsupportedContentError):
            segments({"prompt": prompt})


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": "Anna"},
        {"messages": ["Anna"]},
        {"messages": [{"content": "Anna"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"messages": [{"role": "user", "tool_calls": {"a": 1}}]},
        {"prompt": 7},
        {"prompt": {"Anna": 1}},
        {"tools": ["Anna"]},
        {"messages": [{"role": 3}]},
        {"messages": [{"role": "Anna", "content": "x"}]},
        {"tools": [{"type": "function", "function": {"name": "call Anna"}}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "call Anna"}}]}]},
    ],
)
def test_a_request_of_another_form_is_refused_without_being_quoted(request_: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        segments(request_)
    assert "Anna" not in str(caught.value)


def test_json_nested_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InputError):
        segments({"messages": [{"role": "user", "content": "a", "extra": deep}]})


def test_the_wrong_number_of_texts_is_refused() -> None:
    for texts in ([], ["a", "b"]):
        with pytest.raises(InputError):
            replace({"prompt": "x"}, texts)


def test_a_schemas_keywords_stay_and_its_names_do_not() -> None:
    parameters = {"type": ["string", "null"], "properties": {"type": {"type": "Anna Weber", "format": "date-time"}}}
    request = {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}
    assert [s.text for s in segments(request)] == ["type", "Anna Weber"]
    sent = replace(request, ["kind", "X"])["tools"][0]["function"]["parameters"]
    assert sent == {"type": ["string", "null"], "properties": {"kind": {"type": "X", "format": "date-time"}}}


def test_paths_never_quote_what_the_caller_named() -> None:
    request = {"messages": [{"role": "user", "content": "x", "Anna Weber": {"Oslo": "y"}}]}
    found = segments(request)
    assert {"Oslo", "y"} <= {s.text for s in found}
    assert not any(name in s.path for s in found for name in ("Anna", "Oslo"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(JSON.filter(lambda v: isinstance(v, dict | list)))
def test_any_arguments_survive_the_way_out_and_back(value: Any) -> None:
    request = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": json.dumps(value)}}]}]}
    same = replace(request, [s.text for s in segments(request)])
    assert json.loads(same["messages"][0]["tool_calls"][0]["function"]["arguments"]) == value
