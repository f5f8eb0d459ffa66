"""What a text API is sent: sanitised text and the fields that the API defines, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cmif.gateway.api.request import Request
from cmif.types import Sampling

_FIELDS = ("role", "content", "name", "tool_call_id", "refusal")


def body_of(
    model: str, sent: Mapping[str, Any], request: Request, sampling: Sampling
) -> tuple[str, dict[str, Any]]:
    """The route and the body of one request: of sanitised text ``sent`` and the fields that the API defines."""
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    for field in ("frequency_penalty", "presence_penalty", "seed"):
        if value := getattr(sampling, field):
            body[field] = value
    if "messages" not in sent:
        return "completions", {**body, "prompt": sent["prompt"]}
    body["messages"] = [_message(message) for message in sent["messages"]]
    if request.tools:
        body["tools"] = [
            {"type": "function", "function": tool["function"]} for tool in sent["tools"] if "function" in tool
        ]
        named = {"type": "function", "function": {"name": request.tools[0]}}
        one = len(request.tools) == 1
        body["tool_choice"] = "auto" if not request.forced else named if one else "required"
        if not request.parallel:
            body["parallel_tool_calls"] = False
    if "response_format" in sent:
        body["response_format"] = sent["response_format"]
    return "chat/completions", body


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    out = {field: message[field] for field in _FIELDS if message.get(field) is not None}
    out.setdefault("content", None if message.get("tool_calls") else "")
    if out["role"] == "developer":  # the newer name, which most APIs do not know
        out["role"] = "system"
    if message.get("tool_calls"):
        out["tool_calls"] = [
            {
                "id": str(call.get("id", "")),
                "type": "function",
                "function": {
                    "name": call["function"].get("name", ""),
                    "arguments": _text(call["function"].get("arguments")),
                },
            }
            for call in message["tool_calls"]
            if isinstance(call.get("function"), Mapping)
        ]
    return out


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
