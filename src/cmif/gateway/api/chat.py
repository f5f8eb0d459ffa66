"""`POST /v1/chat/completions`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cmif.errors import CmifError
from cmif.gateway.answer import Answer, ToolCall
from cmif.gateway.api.errors import error_body
from cmif.gateway.api.request import (
    MAX_N,
    Body,
    Choice,
    Name,
    Request,
    Stop,
    Tokens,
    choose,
    formatted,
    refused,
    stops,
    validated,
)
from cmif.gateway.api.writer import Usage, new_id, sse
from cmif.gateway.exchange import Delta

Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class _StreamOptions(BaseModel):
    model_config = Body.model_config

    include_usage: bool | None = None


class Generation(Body):
    """What chat and completions share."""

    stream_options: _StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=MAX_N)] | None = None
    seed: Annotated[int, Field(ge=-(1 << 63), le=(1 << 63) - 1)] | None = None
    stop: Stop = None
    max_tokens: Tokens | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    user: Name | None = None
    safety_identifier: Name | None = None
    logit_bias: dict[str, Any] | None = None

    def shared(self) -> dict[str, Any]:
        """The fields of :class:`Request` that chat and completions fill alike."""
        if self.logit_bias:
            raise refused("logit_bias", "would tell the engine which words a prompt is about")
        return {
            "n": self.n or 1,
            "stop": stops(self.stop),
            "stream": bool(self.stream),
            "include_usage": bool(self.stream_options and self.stream_options.include_usage),
            "user": self.user or self.safety_identifier,
            "conversation": self.conversation,
        }

    def settings(self, logprobs: int | None) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "frequency_penalty": self.frequency_penalty or 0.0,
            "presence_penalty": self.presence_penalty or 0.0,
            "logprobs": 0 if logprobs is None else max(1, logprobs),
        }


class _Chat(Generation):
    messages: Annotated[list[Any], Field(min_length=1)]
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    functions: list[Any] | None = None


def parse(body: Any, names: Collection[str]) -> Request:
    """Raises :class:`InputError`."""
    chat, dropped = validated(_Chat, body, names)
    if chat.functions:
        raise refused("functions", "the deprecated 'functions' are not supported; use tools")
    tools = choose(chat.tools, _choice(chat.tool_choice))
    format_ = formatted("response_format", chat.response_format, tools)
    top = (chat.top_logprobs or 0) if chat.logprobs else None
    return Request(
        prompts=({"messages": chat.messages, **tools.prompt, **format_},),
        sampling=chat.sampling(**chat.settings(top)),
        max_tokens=chat.max_completion_tokens or chat.max_tokens,
        tools=tools.names,
        forced=tools.forced,
        parallel=chat.parallel_tool_calls is not False,
        top_logprobs=top,
        dropped=dropped,
        **chat.shared(),
    )


def _choice(choice: str | dict[str, Any] | None) -> Choice:
    match choice:
        case None:
            return Choice("auto")
        case "none" | "auto" | "required":
            return Choice(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return Choice("named", name)
    raise refused("tool_choice", "must be 'none', 'auto', 'required' or an object that names a function")


class ChatWriter:
    """A `chat.completion`, or its chunks."""

    def __init__(self, request: Request, model: str) -> None:
        self._request = request
        self._shared = {"id": new_id("chatcmpl-"), "created": int(time.time()), "model": model}
        self._called = [0] * request.n

    def body(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> dict[str, Any]:
        choices = [
            {
                "index": i,
                "message": {
                    "role": "assistant",
                    "content": answer.text if answer.text or not answer.calls else None,
                    "refusal": None,
                    **({"tool_calls": [_call(call) for call in answer.calls]} if answer.calls else {}),
                },
                "logprobs": self._logprobs(answer.logprobs),
                "finish_reason": answer.finish,
            }
            for i, answer in enumerate(answers)
        ]
        return {
            **self._shared,
            "object": "chat.completion",
            "choices": choices,
            "usage": tally(usage),
            **extra,
        }

    def begin(self, prompt: int) -> Iterator[str]:
        for i in range(self._request.n):
            yield self._chunk(i, {"role": "assistant", "content": ""})

    def delta(self, delta: Delta) -> Iterator[str]:
        if delta.text or (delta.logprobs and self._request.top_logprobs is not None):
            yield self._chunk(delta.index, {"content": delta.text}, self._logprobs(list(delta.logprobs)))
        for call in delta.calls:
            at = self._called[delta.index]
            self._called[delta.index] += 1
            yield self._chunk(delta.index, {"tool_calls": [{"index": at, **_call(call)}]})
        if delta.finish:
            yield self._chunk(delta.index, {}, finish=delta.finish)

    def end(self, _answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> Iterator[str]:
        if self._request.include_usage or extra:
            yield sse({**self._base, "choices": [], "usage": tally(usage), **extra})
        yield DONE

    def failed(self, error: CmifError) -> Iterator[str]:
        yield sse(error_body(error))
        yield DONE

    @property
    def _base(self) -> dict[str, Any]:
        return {**self._shared, "object": "chat.completion.chunk"}

    def _chunk(
        self, index: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None
    ) -> str:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return sse({**self._base, "choices": [choice]})

    def _logprobs(self, entries: Sequence[dict[str, Any]]) -> Any:
        top = self._request.top_logprobs
        if top is None:
            return None
        return {"content": [{**e, "top_logprobs": e["top_logprobs"][:top]} for e in entries], "refusal": None}


DONE = "data: [DONE]\n\n"


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tally(usage: Usage) -> dict[str, Any]:
    """OpenAI's `usage`. What the engine's prefix cache holds is not told to us: none of it counts as cached."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        **usage.more,
    }
