from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.errors import EngineError, WireError
from cmif.gateway import checked as module
from cmif.gateway.checked import checked, safe_code
from cmif.gateway.limits import SLICE
from cmif.types import Sampling
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs, encode_event

VOCAB = 100


def reading(*chunks: bytes, then_silent: bool = False) -> Callable[[], Awaitable[bytes]]:
    left = list(chunks)

    async def read() -> bytes:
        if not left and then_silent:
            await asyncio.sleep(3600)
        return left.pop(0) if left else b""

    return read


async def of(read: Callable[[], Awaitable[bytes]], **sampling: int) -> list[TokenEvent | DoneEvent]:
    return [event async for event in checked(read, Sampling(**sampling), VOCAB, 9)]  # type: ignore[arg-type]


@given(
    st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=3 * SLICE), max_size=4),
    st.integers(1, 200),
)
async def test_an_answer_is_what_the_engine_sent_up_to_max_tokens(events: list[list[int]], most: int) -> None:
    sent = [i for ids in events for i in ids]
    stream = b"".join(encode_event(TokenEvent(tuple(ids))) for ids in events)
    *tokens, done = await of(reading(stream + encode_event(DoneEvent("stop", 5, 5))), max_tokens=most)
    assert [i for event in tokens for i in event.ids] == sent[:most]  # type: ignore[union-attr]
    assert all(0 < len(event.ids) <= SLICE for event in tokens)  # type: ignore[union-attr]
    assert done == DoneEvent("length" if len(sent) > most else "stop", 9, min(len(sent), most))


async def test_tokens_that_arrive_together_are_one_event_and_those_that_do_not_are_not() -> None:
    one, two, three = (encode_event(TokenEvent((i,))) for i in (1, 2, 3))
    scored = TokenEvent((4,), (TokenLogprobs(-1.0, ((4, -1.0),)),))
    done = encode_event(DoneEvent("stop", 1, 1))
    told = await of(reading(one + two, three + encode_event(scored) * 2 + done), logprobs=1)
    assert told[:-1] == [TokenEvent((1, 2)), TokenEvent((3,)), TokenEvent((4, 4), scored.logprobs * 2)]


async def test_logprobs_are_cut_to_those_asked_for() -> None:
    scored = TokenEvent((1,), (TokenLogprobs(-1.0, ((1, -1.0), (2, -2.0))),))
    stream = encode_event(scored) + encode_event(DoneEvent("stop", 1, 1))
    for asked, top in ((0, None), (1, 1), (2, 2), (5, 2)):
        event = (await of(reading(stream), logprobs=asked))[0]
        assert isinstance(event, TokenEvent)
        assert [len(one.top) for one in event.logprobs] == ([] if top is None else [top])


async def test_tokens_that_trickle_forever_and_say_nothing_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comments and empty events are bytes but no progress."""
    monkeypatch.setattr(module, "SILENCE_S", 0.2)

    async def drip() -> bytes:
        await asyncio.sleep(0.01)
        return b': x\n\ndata: {"ids":[]}\n\n'

    with pytest.raises(TimeoutError):
        await of(drip)


async def test_an_answer_whose_last_token_came_needs_no_done_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_S", 0.05)
    token = encode_event(TokenEvent((1,)))
    for read in (reading(token), reading(token, then_silent=True)):
        assert await of(read, max_tokens=1) == [TokenEvent((1,)), DoneEvent("length", 9, 1)]
    with pytest.raises(EngineError, match="cut off"):
        await of(reading(token), max_tokens=2)


async def test_bytes_beyond_what_the_tokens_can_weigh_are_refused() -> None:
    with pytest.raises(WireError):
        await of(reading(*[b": comment\n\n" * 100] * 100), max_tokens=1)


@pytest.mark.parametrize(
    ("code", "shown"),
    [("rows_refused", "rows_refused"), ("\x1b[31m", "unknown"), ("a" * 41, "unknown"), ("", "unknown")],
)
def test_only_codes_that_could_be_ours_are_shown(code: str, shown: str) -> None:
    assert safe_code(code) == shown
