"""An engine's stream as the rest of the gateway may see it: bounded, within the vocabulary, no more than was asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from itertools import chain

from cmif.errors import EngineError, WireError
from cmif.gateway.limits import LAST_S, SILENCE_S, SLICE, AnswerLimits
from cmif.types import Sampling
from cmif.wire.events import DoneEvent, ErrorEvent, Event, EventReader, TokenEvent, TokenLogprobs


async def checked(
    read: Callable[[], Awaitable[bytes]],
    sampling: Sampling,
    vocab: int,
    prompt_tokens: int,
    variants: int = 1,
) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
    """Token events of at most :data:`SLICE` ids, then one done event a variant with our own counts in it.

    ``read`` gives the next bytes, none at the end. Tokens beyond ``sampling.max_tokens`` are cut and end the answer.
    Raises :class:`WireError` for what does not follow the wire format or weighs more than
    :class:`~cmif.gateway.limits.AnswerLimits`, :class:`EngineError` for the engine's own error or a stream that is cut,
    :class:`TimeoutError` for one that gives no token for :data:`SILENCE_S`, or does not end in time.
    """
    clock = asyncio.get_running_loop().time
    limits = AnswerLimits.of(sampling, variants)
    deadline = clock() + limits.seconds
    progress = clock()
    reader, size, turn = EventReader(), 0, 0
    left = dict.fromkeys(range(variants), limits.tokens)  # of the variants that are not done

    def done(of: int, event: DoneEvent | None = None) -> DoneEvent:
        told = event or DoneEvent("length", 0, 0)
        count = limits.tokens - left.pop(of)
        return DoneEvent(told.reason, prompt_tokens, count, max(0.0, told.engine_ms), of)

    while left:
        wanted = any(left.values())
        try:
            async with asyncio.timeout_at(min(deadline, progress + (SILENCE_S if wanted else LAST_S))):
                chunk = await read()
        except TimeoutError:
            if wanted:
                raise
            chunk = b""
        if not chunk:
            if wanted:
                raise EngineError("The engine's answer was cut off.")
            for of in list(left):
                yield done(of)
            return
        size += len(chunk)
        if size > limits.bytes:
            raise WireError("the engine's answer is too large")
        for event in _joined(reader.feed(chunk)):
            match event:
                case ErrorEvent(code):
                    raise EngineError(f"The engine stopped with code {safe_code(code)!r}.")
                case DoneEvent(of=of) | TokenEvent(of=of) if of not in left:
                    if not 0 <= of < variants:
                        raise WireError("an event of a variant that nobody asked for")
                case DoneEvent(of=of):
                    yield done(of, event)
                    if not left:
                        return
                case TokenEvent(ids, of=of):
                    tops = (token for one in event.logprobs for token, _ in one.top)
                    if max(chain(ids, tops), default=0) >= vocab:
                        raise WireError("a token id is outside the vocabulary")
                    over = len(ids) > left[of]
                    for part in _slices(event, left[of], sampling.logprobs):
                        left[of] -= len(part.ids)
                        turn += len(part.ids)
                        yield part
                        if turn >= SLICE:
                            turn = 0
                            await asyncio.sleep(0)  # others' turn
                        progress = clock()
                    if over:
                        yield done(of)
                        if not left:
                            return


def safe_code(code: str) -> str:
    """An engine's error code if it could be one of ours, else "unknown": it goes into messages that clients print."""
    return code if re.fullmatch(r"[a-z0-9_]{1,40}", code) else "unknown"


def _joined(events: list[Event]) -> list[Event]:
    """Tokens that arrived together as one event: it is restored, written and sent on once, not once a token."""
    out: list[Event] = []
    run: list[TokenEvent] = []

    def close() -> None:
        if len(run) == 1:
            out.append(run[0])
        elif run:
            ids, logprobs = (event.ids for event in run), (event.logprobs for event in run)
            out.append(TokenEvent(tuple(chain.from_iterable(ids)), tuple(chain.from_iterable(logprobs)), run[0].of))
        run.clear()

    for event in events:
        if not isinstance(event, TokenEvent):
            close()
            out.append(event)
            continue
        if run and (run[0].of, bool(run[0].logprobs)) != (event.of, bool(event.logprobs)):
            close()
        run.append(event)
    close()
    return out


def _slices(event: TokenEvent, left: int, logprobs: int) -> Iterator[TokenEvent]:
    ids = event.ids[:left]
    for at in range(0, len(ids), SLICE):
        part = ids[at : at + SLICE]
        scored = event.logprobs[at : at + len(part)] if logprobs else ()
        yield TokenEvent(part, tuple(TokenLogprobs(one.logprob, one.top[:logprobs]) for one in scored), event.of)
