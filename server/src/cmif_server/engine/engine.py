"""What an engine is: validated requests in, events out. Backends: `transformers.py` (in process),
`vllm.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame, IdsFrame


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What `GET /v1/engine` tells: the model's digest and sizes (tokens, elements), the largest row
    norm (L2), and whether answers can be held to a JSON Schema."""

    model: str
    hidden: int
    context: int
    vocab: int
    max_norm: float
    schemas: bool = False


class EventStream(Protocol):
    """The events of one request, ending with one :class:`DoneEvent`; an async generator is one."""

    def __aiter__(self) -> EventStream: ...

    async def __anext__(self) -> TokenEvent | DoneEvent:
        """The next event. Raises :class:`EngineError` if the model fails on this request, leaving others
        unharmed."""
        ...

    async def aclose(self) -> None:
        """Stop the request within one token, also when nothing was read yet."""
        ...


class Engine(Protocol):
    """One model behind the wire. Requests reach it only after `validate` let them through."""

    info: EngineInfo

    def hold(self, schema: str) -> Any:
        """What holds an answer to a JSON Schema, for :meth:`generate`. Takes long: call it beside the event loop.

        Only of an engine whose ``info`` says ``schemas``. Raises :class:`SchemaError`.
        """
        ...

    def generate(self, request: Frame | IdsFrame, held: Any = None) -> EventStream:
        """Queue ``request`` now; iterate for its events, on the event loop that called this. ``held``: what
        :meth:`hold` made of its schema, if it has one.

        Raises :class:`EngineBusyError` at once, before anything is queued.
        """
        ...

    async def close(self) -> None:
        """Stop everything; requests still running end with :class:`EngineError`."""
        ...
