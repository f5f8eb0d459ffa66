"""What streams back: server-sent events (WHATWG HTML, section 9.2) that carry token ids, never text.

::

    data: {"ids":[17,4]}                       tokens, with "logprobs" when they were asked for
    data: {"done":"stop","prompt_tokens":12,"completion_tokens":2,"engine_ms":31.5}
    data: {"of":2,"ids":[17]}                  of a prompt in variants: which, by place in the frame; 0 is left out
    data: {"error":{"code":"engine","message":"..."}}

The last event is a done (of variants, the last of one each) or an error; a stream that ends without either was cut.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from cmif.errors import WireError

CONTENT_TYPE = "text/event-stream"
_MAX_EVENT = 1 << 18
"""Bytes of one event. The largest honest one, a token with 20 logprobs, takes under 2 KiB; parsing this many takes
some 25 ms, in which nobody else is served."""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Natural-log probability of the chosen token, and (id, logprob) of the likeliest ones, best first.

    Of the model's own distribution: before temperature, top_p and penalties.
    """

    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """New token ids, in order. ``logprobs`` is empty or one a token. ``of``: the variant of the prompt."""

    ids: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...] = ()
    of: int = 0


@dataclass(frozen=True, slots=True)
class DoneEvent:
    """The end. ``reason`` "stop": a stop id came (it is neither sent nor counted). ``engine_ms``: time
    inside the engine."""

    reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    engine_ms: float = 0.0
    of: int = 0


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The engine failed after the stream began. ``code`` and ``message`` as in an error body."""

    code: str
    message: str


Event = TokenEvent | DoneEvent | ErrorEvent


def encode_event(event: Event) -> bytes:
    """One SSE message, blank line included."""
    body: dict[str, Any]
    match event:
        case TokenEvent(ids, logprobs, of):
            body = {"of": of, "ids": ids} if of else {"ids": ids}
            if logprobs:
                body["logprobs"] = [{"logprob": lp.logprob, "top": lp.top} for lp in logprobs]
        case DoneEvent(reason, prompt, completion, ms, of):
            body = {
                **({"of": of} if of else {}),
                "done": reason,
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "engine_ms": round(ms, 3),
            }
        case ErrorEvent(code, message):
            body = {"error": {"code": code, "message": message}}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


class EventReader:
    """Bytes as they arrive -> events. The engine is not trusted: sizes are bounded and every field is
    checked."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._seen = 0  # where the next search begins: what was searched is not searched again

    def feed(self, chunk: bytes) -> list[Event]:
        """Events completed by ``chunk``, plain token events that follow each other as one. Raises
        :class:`WireError` on anything that is not one of ours."""
        self._pending += chunk
        events: list[Event] = []
        start = 0
        while (end := self._pending.find(b"\n\n", max(start, self._seen))) >= 0:
            run = _RUN.match(self._pending, start)
            if run is not None and run.end() - start <= _MAX_EVENT:
                events.append(TokenEvent(tuple(map(int, _ID.findall(run.group())))))
                start = run.end()
                continue
            message = bytes(self._pending[start:end])
            if len(message) > _MAX_EVENT:
                raise WireError("an event of the engine is too large")
            if not message.startswith(b":"):
                events.append(_decode(message))
            start = end + 2
        del self._pending[:start]
        if len(self._pending) > _MAX_EVENT:
            raise WireError("an event of the engine is too large")
        self._seen = max(0, len(self._pending) - 1)
        return events


_ID = re.compile(rb"[0-9]+")
_RUN = re.compile(rb'(?:data: \{"ids":\[(?:0|[1-9][0-9]{0,8})(?:,(?:0|[1-9][0-9]{0,8}))*+\]\}\n\n)++')
"""What nearly every event is, told apart in a fraction of the time that JSON takes."""


def _decode(message: bytes) -> Event:
    try:
        if not message.startswith(b"data: "):
            raise ValueError
        body = json.loads(message[6:])
        of = _count(body.get("of", 0))
        if "ids" in body:
            ids = tuple(_count(i) for i in body["ids"])
            logprobs = tuple(
                TokenLogprobs(_number(lp["logprob"]), tuple((_count(i), _number(p)) for i, p in lp["top"]))
                for lp in body.get("logprobs", ())
            )
            if len(logprobs) not in (0, len(ids)):
                raise ValueError
            return TokenEvent(ids, logprobs, of)
        if "done" in body:
            if body["done"] not in ("stop", "length"):
                raise ValueError
            tokens = _count(body["prompt_tokens"]), _count(body["completion_tokens"])
            return DoneEvent(body["done"], *tokens, _number(body.get("engine_ms", 0.0)), of)
        error = body["error"]
        if not isinstance(error["code"], str) or not isinstance(error["message"], str):
            raise ValueError
        return ErrorEvent(error["code"], error["message"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise WireError("an event of the engine does not follow the wire format") from None


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ValueError
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError
    return float(value)  # type: ignore[arg-type]
