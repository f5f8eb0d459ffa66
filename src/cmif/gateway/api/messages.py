"""Anthropic's `POST /v1/messages`, which coding agents speak."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.responses import JSONResponse, Response

from cmif.errors import CmifError
from cmif.gateway.answer import Answer, ToolCall
from cmif.gateway.api.request import (
    Body,
    Choice,
    Request,
    Tokens,
    Tools,
    choose,
    formatted,
    refused,
    stops,
    unsupported,
    validated,
)
from cmif.gateway.api.writer import Usage, new_id, sse
from cmif.gateway.exchange import Delta
from cmif.gateway.http import error_response

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
          408: "timeout_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error"}  # fmt: skip


class _Prompt(Body):
    """What `/v1/messages` and its `count_tokens` share."""

    messages: Annotated[list[Any], Field(min_length=1)]
    system: str | list[Any] | None = None
    tools: list[Any] | None = None
    tool_choice: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None

    def prompt(self) -> tuple[dict[str, Any], Tools]:
        """What becomes the prompt, in chat's form, and what may be called."""
        tools = choose(_tools(self.tools), _choice(self.tool_choice))
        asked = self.output_format or (self.output_config or {}).get("format")
        field = "output_format" if self.output_format else "output_config"
        if isinstance(asked, dict) and asked.get("type") == "json_schema":
            asked = {"type": "json_schema", "json_schema": {"schema": asked.get("schema")}}
        format_ = formatted(field, asked, tools)
        return {"messages": _messages(self.system, self.messages), **tools.prompt, **format_}, tools


class _Message(_Prompt):
    max_tokens: Tokens
    stop_sequences: list[str] | None = None

    @property
    def user(self) -> str | None:
        name = (self.metadata or {}).get("user_id")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= 512):
            raise refused("metadata", "user_id must be a string of 1 to 512 characters")
        return name


def parse(body: Any, names: Collection[str]) -> Request:
    """Raises :class:`InputError`."""
    asked, dropped = validated(_Message, body, names)
    prompt, tools = asked.prompt()
    return Request(
        prompts=(prompt,),
        sampling=asked.sampling(),
        max_tokens=asked.max_tokens,
        fitted=True,  # clients of this API ask for all that its own models can write, whatever model answers
        stop=stops(asked.stop_sequences, "stop_sequences"),
        stream=bool(asked.stream),
        tools=tools.names,
        forced=tools.forced,
        parallel=not (asked.tool_choice or {}).get("disable_parallel_tool_use"),
        dropped=dropped,
        user=asked.user,
        conversation=asked.conversation,
    )


def parse_count(body: Any, names: Collection[str]) -> Mapping[str, Any]:
    """The prompt whose tokens are to be counted. Raises :class:`InputError`."""
    return validated(_Prompt, body, names)[0].prompt()[0]


def refusal(error: CmifError) -> Response:
    """``error`` in Anthropic's form, with the status and headers it has everywhere."""
    told = error_response(error)
    kind = _TYPES.get(told.status_code, "api_error")
    kept = {k: v for k, v in told.headers.items() if k in ("retry-after", "x-should-retry")}
    return JSONResponse(_error(kind, str(error)), told.status_code, kept)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": None}


def _tools(tools: Sequence[Any] | None) -> list[Any] | None:
    """Functions in chat's form."""
    if tools is None:
        return None
    out = []
    for tool in tools:
        if not isinstance(tool, dict) or tool.get("type", "custom") not in ("custom", None):
            raise refused("tools", "only tools of the client's own can be called here")
        function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
        if tool.get("description"):
            function["description"] = tool["description"]
        out.append({"type": "function", "function": {k: v for k, v in function.items() if v is not None}})
    return out


def _choice(choice: dict[str, Any] | None) -> Choice:
    match choice:
        case None | {"type": "auto"}:
            return Choice("auto")
        case {"type": "none"}:
            return Choice("none")
        case {"type": "any"}:
            return Choice("required")
        case {"type": "tool", "name": str(name)}:
            return Choice("named", name)
    raise refused("tool_choice", "must be an object of type auto, any, tool or none")


def _messages(system: str | Sequence[Any] | None, messages: Sequence[Any]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [{"role": "system", "content": _text(system, "system")}] if system else []
    for i, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system"):
            raise refused("messages", f"message {i} must have the role user or assistant")
        content = message.get("content")
        if isinstance(content, str):
            out.append({"role": role, "content": content})
        elif isinstance(content, list):
            out += _blocks(content, role, f"message {i}")
        else:
            raise refused("messages", f"message {i} has no content")
    return out


def _blocks(blocks: Sequence[Any], role: str, where: str) -> list[dict[str, Any]]:
    """One message's blocks as chat messages: results of tools first, for they answer the message before."""
    results: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case {"type": "text"}:
                texts.append(block)
            case {"type": "tool_use", "id": name, "name": called, "input": arguments}:
                function = {"name": called, "arguments": json.dumps(arguments, ensure_ascii=False)}
                calls.append({"id": name, "type": "function", "function": function})
            case {"type": "tool_result", "tool_use_id": name}:
                content = block.get("content")
                text = _text(content, "messages") if content else ""
                results.append({"role": "tool", "tool_call_id": name, "content": text})
            case {"type": "thinking" | "redacted_thinking"}:
                pass  # the engine's own, which it does not take back
            case _:
                raise unsupported("messages", f"{where} holds a block that cannot be inspected", "Send text.")
    out = results
    if texts or calls or not results:
        said: dict[str, Any] = {"role": role, "content": _text(texts, "messages") if texts else None}
        out.append({**said, "tool_calls": calls} if calls else said)
    return out


def _text(content: str | Sequence[Any], field: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for block in content if isinstance(content, list) else [None]:
        if (
            not isinstance(block, dict)
            or block.get("type") != "text"
            or not isinstance(block.get("text"), str)
        ):
            raise unsupported(field, "holds a block that cannot be inspected", "Send text.")
        texts.append(block["text"])
    return "\n".join(texts)


class MessageWriter:
    """A `message`, or its events."""

    def __init__(self, request: Request, model: str) -> None:
        self._max_tokens = request.max_tokens or 0
        self._shared = {"id": new_id("msg_"), "type": "message", "role": "assistant", "model": model}
        self._index = -1
        self._open = False  # a block of text is being written

    def body(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> dict[str, Any]:
        answer = answers[0]
        content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
        content += [{**_use(call), "input": json.loads(call.arguments)} for call in answer.calls]
        return {**self._shared, "content": content, **self._stop(answer), "usage": _usage(usage), **extra}

    def begin(self, prompt: int) -> Iterator[str]:
        message: dict[str, Any] = {
            **self._shared, "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": _usage(Usage(prompt, 0, {})),
        }  # fmt: skip
        yield _event("message_start", message=message)

    def delta(self, delta: Delta) -> Iterator[str]:
        if delta.text:
            if not self._open:
                self._open = True
                yield from self._start({"type": "text", "text": ""})
            yield self._piece({"type": "text_delta", "text": delta.text})
        for call in delta.calls:
            yield from self._close()
            yield from self._start({**_use(call), "input": {}})
            yield self._piece({"type": "input_json_delta", "partial_json": call.arguments})
            yield _event("content_block_stop", index=self._index)

    def end(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> Iterator[str]:
        yield from self._close()
        yield _event("message_delta", delta=self._stop(answers[0]), usage=_usage(usage), **extra)
        yield _event("message_stop")

    def failed(self, error: CmifError) -> Iterator[str]:
        yield sse(_error("api_error", str(error)), "error")

    def _start(self, block: dict[str, Any]) -> Iterator[str]:
        self._index += 1
        yield _event("content_block_start", index=self._index, content_block=block)

    def _piece(self, delta: dict[str, Any]) -> str:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _stop(self, answer: Answer) -> dict[str, Any]:
        reasons = {"length": "max_tokens", "tool_calls": "tool_use", "stop": "end_turn"}
        reason = reasons[answer.finish]
        if reason == "max_tokens" and answer.completion_tokens < self._max_tokens:
            reason = "model_context_window_exceeded"
        if answer.stopped_by:
            reason = "stop_sequence"
        return {"stop_reason": reason, "stop_sequence": answer.stopped_by}

    def _close(self) -> Iterator[str]:
        if self._open:
            self._open = False
            yield _event("content_block_stop", index=self._index)


def _event(kind: str, **fields: Any) -> str:
    return sse({"type": kind, **fields}, kind)


def _use(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "output_tokens": usage.completion,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        **usage.more,
    }
