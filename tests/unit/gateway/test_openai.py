from __future__ import annotations

from typing import Any

import pytest

from cmif.errors import InputError, UnsupportedContentError
from cmif.gateway.openai import Envelope, error_body, parse

HELLO = {"messages": [{"role": "user", "content": "hi"}]}


def test_defaults_are_the_api_reference_s() -> None:
    chat = parse(HELLO, "chat", "m")
    assert (chat.sampling.temperature, chat.sampling.top_p, chat.n, chat.stream, chat.max_tokens) == (
        1.0,
        1.0,
        1,
        False,
        None,
    )
    assert parse({"prompt": "hi"}, "completion", "m").max_tokens == 16


def test_max_completion_tokens_wins_over_the_deprecated_name() -> None:
    assert parse({**HELLO, "max_tokens": 9, "max_completion_tokens": 5}, "chat", "m").max_tokens == 5


def test_only_messages_and_tools_become_the_prompt() -> None:
    request = parse({**HELLO, "tools": [], "user": "u", "metadata": {"a": "b"}, "store": True}, "chat", "m")
    assert set(request.prompt) == {"messages", "tools"}
    assert (request.dropped, request.user) == (("store",), "u")


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []}, {"messages": "hi"}, {"model": "another"}, {"temperature": 3}, {"temperature": float("nan")},
        {"temperature": True}, {"max_tokens": 0}, {"max_tokens": "5"}, {"n": 9}, {"n": 0}, {"stop": [""]}, {"stop": ["a"] * 5},
        {"seed": 1.5}, {"stream": "yes"}, {"stream_options": 1}, {"logit_bias": {"5": 1}}, {"functions": [1]}, {"top_logprobs": 21, "logprobs": True},
    ],
)  # fmt: skip
def test_bad_fields_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse({**HELLO, **change}, "chat", "m")


@pytest.mark.parametrize("prompt", [None, 5, ["a", "b"], [1, 2], [[1]]])
def test_prompts_that_cannot_be_inspected_are_refused(prompt: Any) -> None:
    with pytest.raises(UnsupportedContentError):
        parse({"prompt": prompt}, "completion", "m")


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(InputError):
        parse([1], "chat", "m")


def test_errors_have_all_four_keys() -> None:
    assert set(error_body(InputError("x"))["error"]) == {"message", "type", "param", "code"}


def test_every_chunk_has_choices_and_one_id() -> None:
    envelope = Envelope.new("chat", "m")
    chunks = [envelope.chunk([envelope.delta(0, "", role=True)]), envelope.chunk([], usage={})]
    assert len({c["id"] for c in chunks}) == 1
    assert [c["choices"] for c in chunks][1] == []
