"""The OpenAI request as frozen values, and its answers as JSON. Knows nothing about privacy or the engine.

The surface is that of the OpenAI API reference (chat completions, completions, models). Fields that could carry
content to the engine unseen are dropped and listed in a response header; content that cannot be inspected is refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from cmif.errors import CmifError, InputError, UnsupportedContentError
from cmif.types import Sampling

USED = frozenset(
    {"model", "messages", "prompt", "stream", "stream_options", "n", "temperature", "top_p", "seed", "stop",
     "max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs",
     "tools", "user", "safety_identifier", "metadata"}
)  # fmt: skip
_REFUSED = {
    "suffix": "fill-in-the-middle is not supported",
    "best_of": "best_of is not supported; use n",
    "echo": "echo is not supported",
    "functions": "the deprecated 'functions' are not supported; use tools",
    "logit_bias": "logit_bias is not supported",
}
_MAX_N = 8
_MAX_STOPS = 4


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request. ``prompt`` holds only what may become part of the prompt: messages and tools, or a text."""

    kind: Literal["chat", "completion"]
    prompt: Mapping[str, Any]
    sampling: Sampling
    max_tokens: int | None
    n: int
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    dropped: tuple[str, ...]
    user: str | None = None
    conversation: str | None = None


def parse(body: Any, kind: Literal["chat", "completion"], model: str) -> Request:
    """Check an OpenAI request body. Raises :class:`InputError` naming the field, never quoting its value."""
    if not isinstance(body, dict):
        raise InputError("The request body must be a JSON object.")
    if body.get("model") not in (None, model):
        raise InputError(
            "This gateway does not serve that model.", hint="GET /v1/models lists the one it serves."
        )
    for field, why in _REFUSED.items():
        if body.get(field) not in (None, False, {}, 1 if field == "best_of" else None):
            raise InputError(f"Field {field!r}: {why}.")
    prompt = _prompt(body, kind)
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    max_tokens = _integer(body, limit, 1, 1 << 20)
    if max_tokens is None and kind == "completion":
        max_tokens = 16  # the API reference's default
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise InputError("Field 'stream_options' must be an object.")
    temperature = _number(body, "temperature", 0.0, 2.0)
    return Request(
        kind=kind,
        prompt=prompt,
        sampling=Sampling(
            max_tokens=max_tokens or 1,
            temperature=1.0 if temperature is None else temperature,
            top_p=_or(_number(body, "top_p", 0.0, 1.0), 1.0),
            seed=_integer(body, "seed", -(1 << 63), (1 << 63) - 1),
            frequency_penalty=_or(_number(body, "frequency_penalty", -2.0, 2.0), 0.0),
            presence_penalty=_or(_number(body, "presence_penalty", -2.0, 2.0), 0.0),
            logprobs=_logprobs(body, kind),
        ),
        max_tokens=max_tokens,
        n=_integer(body, "n", 1, _MAX_N) or 1,
        stop=_stop(body.get("stop")),
        stream=_boolean(body, "stream"),
        include_usage=bool(options.get("include_usage")),
        dropped=tuple(sorted(k for k in body if k not in USED and body[k] is not None)),
        user=_name(body, "user") or _name(body, "safety_identifier"),
        conversation=_name(body.get("metadata") or {}, "conversation_id"),
    )


def _name(fields: Any, key: str) -> str | None:
    """A name of the client's own for somebody or something: it decides what is shared, and never leaves the enclave."""
    value = fields.get(key) if isinstance(fields, dict) else None
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= 512):
        raise InputError(f"Field {key!r} must be a string of 1 to 512 characters.")
    return value


def _prompt(body: dict[str, Any], kind: str) -> Mapping[str, Any]:
    if kind == "chat":
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise InputError("Field 'messages' must be a non-empty list.")
        return {key: body[key] for key in ("messages", "tools") if body.get(key) is not None}
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise UnsupportedContentError(
            "Field 'prompt' must be one string.",
            hint="Send one request a prompt; token ids cannot be inspected.",
        )
    return {"prompt": prompt}


def _stop(stop: Any) -> tuple[str, ...]:
    entries = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if (
        not isinstance(entries, list)
        or len(entries) > _MAX_STOPS
        or not all(isinstance(s, str) and s for s in entries)
    ):
        raise InputError(f"Field 'stop' must be a string or a list of up to {_MAX_STOPS} non-empty strings.")
    return tuple(entries)


def _logprobs(body: dict[str, Any], kind: str) -> int:
    """How many top logprobs to ask the engine for; 0 is none, so plain logprobs ask for one."""
    if kind == "completion":
        return _integer(body, "logprobs", 0, 5) or 0
    if not _boolean(body, "logprobs"):
        return 0
    return max(1, _integer(body, "top_logprobs", 0, 20) or 0)


def _integer(body: dict[str, Any], field: str, low: int, high: int) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"Field {field!r} must be an integer from {low} to {high}.")
    return value


def _number(body: dict[str, Any], field: str, low: float, high: float) -> float | None:
    value = body.get(field)
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not isfinite(value)
        or not low <= value <= high
    ):
        raise InputError(f"Field {field!r} must be a number from {low:g} to {high:g}.")
    return float(value)


def _boolean(body: dict[str, Any], field: str) -> bool:
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise InputError(f"Field {field!r} must be true or false.")
    return bool(value)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every chunk or body of one answer shares."""

    id: str
    kind: Literal["chat", "completion"]
    model: str
    created: int

    @classmethod
    def new(cls, kind: Literal["chat", "completion"], model: str) -> Envelope:
        prefix = "chatcmpl" if kind == "chat" else "cmpl"
        return cls(f"{prefix}-{uuid.uuid4().hex}", kind, model, int(time.time()))

    def _base(self, object_: str) -> dict[str, Any]:
        return {"id": self.id, "object": object_, "created": self.created, "model": self.model}

    def body(self, choices: list[dict[str, Any]], usage: dict[str, Any], **extra: Any) -> dict[str, Any]:
        name = "chat.completion" if self.kind == "chat" else "text_completion"
        return {**self._base(name), "choices": choices, "usage": usage, **extra}

    def choice(self, index: int, text: str, finish: str, logprobs: Any) -> dict[str, Any]:
        content = (
            {"message": {"role": "assistant", "content": text, "refusal": None}}
            if self.kind == "chat"
            else {"text": text}
        )
        return {"index": index, **content, "logprobs": logprobs, "finish_reason": finish}

    def chunk(self, choices: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        name = "chat.completion.chunk" if self.kind == "chat" else "text_completion"
        return {**self._base(name), "choices": choices, **extra}

    def delta(
        self,
        index: int,
        text: str | None,
        *,
        role: bool = False,
        finish: str | None = None,
        logprobs: Any = None,
    ) -> dict[str, Any]:
        if self.kind == "completion":
            content: dict[str, Any] = {"text": text or ""}
        else:
            delta = {"role": "assistant"} if role else {}
            content = {"delta": delta if text is None else {**delta, "content": text}}
        return {"index": index, **content, "logprobs": logprobs, "finish_reason": finish}


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def error_body(error: CmifError, param: str | None = None) -> dict[str, Any]:
    """The API's error object. All four keys are always there."""
    kind = "invalid_request_error" if isinstance(error, InputError) else error.code
    return {"error": {"message": str(error), "type": kind, "param": param, "code": error.code}}
