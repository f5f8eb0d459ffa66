"""What writes answers in the form of one route: whole, or event by event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cmif.errors import CmifError
from cmif.gateway.answer import Answer
from cmif.gateway.exchange import Delta


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all prompts and of all answers; ``more`` are our own extensions."""

    prompt: int
    completion: int
    more: Mapping[str, Any]


class Writer(Protocol):
    """One answer's way out. Streaming calls :meth:`begin`, :meth:`delta` for each delta, and one of the endings."""

    def body(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer."""
        ...

    def begin(self, prompt: int) -> Iterator[str]:
        """``prompt``: its tokens."""
        ...

    def delta(self, delta: Delta) -> Iterator[str]: ...

    def end(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> Iterator[str]: ...

    def failed(self, error: CmifError) -> Iterator[str]:
        """The ending of an answer that broke off."""
        ...


def new_id(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex}"


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def sse(value: Any, event: str | None = None) -> str:
    """One server-sent event."""
    data = f"data: {_json(value)}\n\n"
    return f"event: {event}\n{data}" if event else data
