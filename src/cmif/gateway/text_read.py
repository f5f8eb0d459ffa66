"""What a text API answers: a stream of chat completion chunks, bounded, and read as nobody's word."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cmif.enclave.tool_calls import Call
from cmif.errors import EngineError, WireError

_MAX_EVENT = 1 << 20
_MAX_CALLS = 128
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Lines:
    """The JSON objects of a stream of server-sent events; None at its end. Bounded by ``allowed`` bytes."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], allowed: int) -> None:
        self._read = read
        self._left = allowed
        self._held = b""
        self._ended = False

    async def next(self) -> dict[str, Any] | None:
        """Raises :class:`WireError` for what is no such stream."""
        while True:
            line, found, rest = self._held.partition(b"\n")
            if not found and not self._ended:
                data = await self._read()
                self._left -= len(data)
                self._ended = not data
                self._held += data
                if self._left < 0 or len(self._held) > _MAX_EVENT:
                    raise WireError("the answer is too large")
                continue
            if not found:
                return None
            self._held = rest
            line = line.strip()
            if line == b"data: [DONE]" or line == b"data:[DONE]":
                return None
            if line.startswith(b"data:"):
                try:
                    event = json.loads(line[5:])
                except (ValueError, RecursionError):
                    event = None
                if not isinstance(event, dict):
                    raise WireError("an event is not a JSON object")
                return event


class Calls:
    """Calls as they come in pieces; whole once the answer has ended."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}  # name, then arguments

    def feed(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        for piece in pieces:
            index, function = piece.get("index", 0), piece["function"]
            if type(index) is not int or not 0 <= index < _MAX_CALLS:
                raise WireError("a call's index is not one")
            call = self._parts.setdefault(index, ["", ""])
            call[0] += function.get("name") or ""
            call[1] += function.get("arguments") or ""

    def whole(self) -> tuple[Call, ...]:
        """Those that can be called: with a name and a JSON object. What cannot is nobody's."""
        out = []
        for name, arguments in self._parts.values():
            try:
                value = json.loads(arguments or "{}", parse_constant=_refuse)
                json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be sent on
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and _NAME.fullmatch(name):
                out.append(Call(name, value))
        return tuple(out)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def delta_of(chunk: Mapping[str, Any], calls: Calls, reason: str) -> tuple[str, str]:
    """The text of ``chunk`` and why the answer ended, if it did. Raises :class:`WireError`, :class:`EngineError`."""
    if chunk.get("error"):
        raise EngineError("The text API stopped with an error of its own.")
    try:
        choice = next(iter(chunk["choices"]), None)
        if choice is None:  # usage, which is counted here
            return "", reason
        delta = choice.get("delta") or {}
        text = choice.get("text") or delta.get("content") or delta.get("refusal") or ""
        calls.feed(delta.get("tool_calls") or ())
        reason = choice.get("finish_reason") or reason
        text.encode()  # a lone surrogate cannot be sent on
        if not isinstance(reason, str):
            raise ValueError
    except (KeyError, TypeError, AttributeError, ValueError):
        raise WireError("a chunk does not follow the API") from None
    return text, reason
