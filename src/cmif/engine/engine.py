"""What an engine is: validated requests in, events out. Backends: `transformers.py` (in process), `vllm.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame, IdsFrame


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What `GET /v1/engine` tells: the model's digest and sizes (tokens, elements), and the largest row norm (L2)."""

    model: str
    hidden: int
    context: int
    vocab: int
    max_norm: float


class Engine(Protocol):
    """One model behind the wire. Requests reach it only after `validate` let them through."""

    info: EngineInfo

    def generate(self, request: Frame | IdsFrame) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
        """Queue ``request`` now; iterate for its events, ending with one :class:`DoneEvent`.

        Closing the iterator stops the request within one token. Call it on the event loop that iterates. Raises
        :class:`EngineBusyError` at once, before anything is queued; :class:`EngineError` from the iterator if the
        model fails on this request, leaving others unharmed.
        """
        ...

    async def close(self) -> None:
        """Stop everything; requests still running end with :class:`EngineError`."""
        ...
