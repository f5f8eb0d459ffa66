"""`POST /v1/responses`: stateless, so a client sends its history each time, as with chat completions."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from cmif.errors import CmifError
from cmif.gateway.answer import Answer, ToolCall
from cmif.gateway.api.errors import error_body
from cmif.gateway.api.request import (
    Body,
    Choice,
    Name,
    Request,
    Tokens,
    choose,
    formatted,
    refused,
    unsupported,
    validated,
)
from cmif.gateway.api.writer import Usage, new_id, sse
from cmif.gateway.exchange import Delta

_STATELESS = "this gateway keeps no answers for later requests; send the whole input"


class _Response(Body):
    input: str | list[Any] | None = None
    instructions: str | None = None
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    max_output_tokens: Tokens | None = None
    previous_response_id: str | None = None
    prompt: Any = None
    background: bool | None = None
    store: bool | None = None
    user: Name | None = None
    safety_identifier: Name | None = None


def parse(body: Any, names: Collection[str]) -> Request:
    """Raises :class:`InputError`."""
    asked, dropped = validated(_Response, body, names)
    for field in ("previous_response_id", "conversation", "prompt"):
        if body.get(field) is not None:
            raise refused(field, _STATELESS)
    if asked.background:
        raise refused("background", _STATELESS)
    if not asked.input:
        raise refused("input", "must be a text or a list of items")
    tools = choose(_tools(asked.tools), _choice(asked.tool_choice))
    format_ = formatted("text", _format((asked.text or {}).get("format")), tools)
    return Request(
        prompts=({"messages": _messages(asked.instructions, asked.input), **tools.prompt, **format_},),
        sampling=asked.sampling(),
        max_tokens=asked.max_output_tokens,
        stream=bool(asked.stream),
        tools=tools.names,
        forced=tools.forced,
        parallel=asked.parallel_tool_calls is not False,
        dropped=tuple(name for name in dropped if name != "conversation"),
        user=asked.user or asked.safety_identifier,
        conversation=asked.conversation,
    )


def _tools(tools: Sequence[Any] | None) -> list[Any] | None:
    """Functions in chat's form."""
    if tools is None:
        return None
    out = []
    for tool in tools:
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise refused("tools", "only functions can be called here; what the API itself would run cannot")
        kept = ("name", "description", "parameters", "strict")
        out.append({"type": "function", "function": {k: tool[k] for k in kept if tool.get(k) is not None}})
    return out


def _format(format_: Any) -> Any:
    """Chat's form of it, which has the schema one level deeper."""
    if not isinstance(format_, dict) or format_.get("type") != "json_schema":
        return format_
    return {"type": "json_schema", "json_schema": {k: v for k, v in format_.items() if k != "type"}}


def _choice(choice: str | dict[str, Any] | None) -> Choice:
    match choice:
        case None:
            return Choice("auto")
        case "none" | "auto" | "required":
            return Choice(choice)
        case {"type": "function", "name": str(name)}:
            return Choice("named", name)
    raise refused("tool_choice", "must be 'none', 'auto', 'required' or an object that names a function")


def _messages(instructions: str | None, items: str | Sequence[Any]) -> list[dict[str, Any]]:
    """The input in chat's form; calls that stand together are one assistant message."""
    out: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(items, str):
        return [*out, {"role": "user", "content": items}]
    for i, item in enumerate(items):
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind == "message" and "role" in item and "content" in item:
            out.append({"role": item["role"], "content": item["content"]})
        elif kind == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            if not out or out[-1]["role"] != "assistant":
                out.append({"role": "assistant", "content": None})
            out[-1].setdefault("tool_calls", []).append(call)
        elif kind == "function_call_output":
            out.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
        elif kind != "reasoning":  # the engine's own, which it does not take back
            raise unsupported(
                "input", f"item {i} is no message, function call or its output, and cannot be inspected"
            )
    return out


class ResponseWriter:
    """A `response`, or its events. An item is a text or a call, in the order in which they began."""

    def __init__(self, request: Request, model: str) -> None:
        self._request = request
        self._id = new_id("resp_")
        self._created = int(time.time())
        self._model = model
        self._sequence = 0
        self._items: list[dict[str, Any]] = []
        self._text = ""  # of the item that is being written
        self._open = False

    def body(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> dict[str, Any]:
        answer = answers[0]
        if answer.text or not answer.calls:
            self._items.append(_message(new_id("msg_"), answer.text, _status(answer)))
        self._items.extend(_call(call, new_id("fc_")) for call in answer.calls)
        return {**self._response(_status(answer), usage), **extra}

    def begin(self, prompt: int) -> Iterator[str]:
        yield self._event("response.created", response=self._response("in_progress"))
        yield self._event("response.in_progress", response=self._response("in_progress"))

    def delta(self, delta: Delta) -> Iterator[str]:
        if delta.text:
            if not self._open:
                yield from self._begin_text()
            self._text += delta.text
            yield self._text_event("delta", delta=delta.text, logprobs=[])
        for call in delta.calls:
            yield from self._end_text()
            yield from self._whole_call(call)
        if delta.finish and not self._items:
            yield from self._begin_text()

    def end(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> Iterator[str]:
        status = _status(answers[0])
        yield from self._end_text(status)
        yield self._event(f"response.{status}", response={**self._response(status, usage), **extra})

    def failed(self, error: CmifError) -> Iterator[str]:
        told = {"code": "server_error", "message": str(error)}
        yield self._event("response.failed", response={**self._response("failed"), "error": told})
        yield self._event("error", **{k: v for k, v in error_body(error)["error"].items() if k != "type"})

    def _begin_text(self) -> Iterator[str]:
        item = _message(new_id("msg_"), "", "in_progress")
        part, item["content"] = item["content"][0], []
        self._items.append(item)
        self._open, self._text = True, ""
        yield self._event("response.output_item.added", output_index=self._at, item=item)
        yield self._event(
            "response.content_part.added",
            item_id=item["id"], output_index=self._at, content_index=0, part=part,
        )  # fmt: skip

    def _end_text(self, status: str = "completed") -> Iterator[str]:
        if not self._open:
            return
        self._open = False
        item = self._items[-1] = _message(self._items[-1]["id"], self._text, status)
        yield self._text_event("done", text=self._text, logprobs=[])
        yield self._event(
            "response.content_part.done",
            item_id=item["id"], output_index=self._at, content_index=0, part=item["content"][0],
        )  # fmt: skip
        yield self._event("response.output_item.done", output_index=self._at, item=item)

    def _whole_call(self, call: ToolCall) -> Iterator[str]:
        item = _call(call, new_id("fc_"))
        self._items.append(item)
        begun = {**item, "arguments": "", "status": "in_progress"}
        where = {"item_id": item["id"], "output_index": self._at}
        yield self._event("response.output_item.added", output_index=self._at, item=begun)
        yield self._event("response.function_call_arguments.delta", **where, delta=call.arguments)
        yield self._event(
            "response.function_call_arguments.done", **where, name=call.name, arguments=call.arguments
        )
        yield self._event("response.output_item.done", output_index=self._at, item=item)

    @property
    def _at(self) -> int:
        return len(self._items) - 1

    def _text_event(self, kind: str, **fields: Any) -> str:
        where = {"item_id": self._items[-1]["id"], "output_index": self._at, "content_index": 0}
        return self._event(f"response.output_text.{kind}", **where, **fields)

    def _event(self, kind: str, **fields: Any) -> str:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return sse(event, kind)

    def _response(self, status: str, usage: Usage | None = None) -> dict[str, Any]:
        request = self._request
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": cut,
            "instructions": None,
            "max_output_tokens": request.max_tokens,
            "metadata": {},
            "model": self._model,
            "output": list(self._items),
            "parallel_tool_calls": request.parallel,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": request.sampling.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": request.sampling.top_p,
            "truncation": "disabled",
            "usage": None if usage is None else _usage(usage),
        }


def _status(answer: Answer) -> str:
    return "incomplete" if answer.finish == "length" else "completed"


def _message(name: str, text: str, status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": name, "type": "message", "role": "assistant", "status": status, "content": [part]}


def _call(call: ToolCall, name: str) -> dict[str, Any]:
    return {
        "id": name, "type": "function_call", "status": "completed",
        "call_id": call.id, "name": call.name, "arguments": call.arguments,
    }  # fmt: skip


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
        **usage.more,
    }
