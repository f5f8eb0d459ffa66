"""What a reader of a covered answer gets and when, by the order of the engine's events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from cmif.enclave.pipeline import Variants
from cmif.errors import CmifError, EngineError
from cmif.gateway.covered import kept
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs

K = 3
Event = TokenEvent | DoneEvent


async def shown(events: Sequence[Event | CmifError], true: int) -> list[list[Event | CmifError]]:
    """What the reader of variant ``true`` gets after each of ``events``."""
    gate: asyncio.Queue[Event | CmifError | None] = asyncio.Queue()

    async def engine() -> AsyncGenerator[Event, None]:
        while (event := await gate.get()) is not None:
            if isinstance(event, CmifError):
                raise event
            yield event

    out: list[list[Event | CmifError]] = []
    got: list[Event | CmifError] = []

    async def read() -> None:
        try:
            async with aclosing(kept(engine(), Variants((1,) * K, true))) as answer:
                async for event in answer:
                    got.append(event)
        except CmifError as error:
            got.append(error)

    reader = asyncio.create_task(read())
    for event in (*events, None):
        gate.put_nowait(event)
        for _ in range(10):  # until everybody waits again
            await asyncio.sleep(0)
        out.append(got[sum(map(len, out)) :])
    await reader
    return out


def answers(lengths: Sequence[int], seed: int) -> list[Event]:
    """Variants that write ``lengths`` tokens in events of one to three, in any order: i-th token of v is 100 v + i."""
    draw = random.Random(seed)
    left: list[list[Event]] = []
    for of, n in enumerate(lengths):
        ids, row = [100 * of + i for i in range(n)], []
        while ids:
            cut = draw.randrange(1, 4)
            row.append(TokenEvent(tuple(ids[:cut]), of=of))
            ids = ids[cut:]
        left.append([*row, DoneEvent("stop", 9, n, of=of)])
    out = []
    while some := [row for row in left if row]:
        out.append(draw.choice(some).pop(0))
    return out


def ids(events: Sequence[Event | CmifError]) -> list[int]:
    return [i for event in events if isinstance(event, TokenEvent) for i in event.ids]


@pytest.mark.parametrize("seed", range(20))
async def test_the_reader_gets_the_true_answer_whole(seed: int) -> None:
    lengths = [random.Random(seed).randrange(12) for _ in range(K)]
    for true in range(K):
        got = [event for row in await shown(answers(lengths, seed), true) for event in row]
        assert ids(got) == [100 * true + i for i in range(lengths[true])]
        assert got[-1] == DoneEvent("stop", 9, lengths[true])


@pytest.mark.parametrize("seed", range(20))
async def test_when_the_reader_gets_a_token_does_not_depend_on_which_variant_is_true(seed: int) -> None:
    """Of answers of equal length: what the reader sees besides is what the answer says."""
    events = answers([8] * K, seed)
    paces = [[len(ids(row)) for row in await shown(events, true)] for true in range(K)]
    assert paces[0] == paces[1] == paces[2]
    assert sum(paces[0]) == 8


async def test_no_token_comes_before_every_variant_has_written_as_many() -> None:
    of_true = [TokenEvent((1, 2, 3), of=1), DoneEvent("stop", 9, 3, of=1)]
    others = [TokenEvent((7,), of=0), TokenEvent((7,), of=2), TokenEvent((7, 7), of=0), TokenEvent((7,), of=2)]
    got = [ids(row) for row in await shown([*of_true, *others, DoneEvent("stop", 9, 2, of=2)], 1)]
    assert got[:7] == [[], [], [], [1], [], [2], [3]]


async def test_the_end_comes_with_the_end_of_the_last_variant() -> None:
    ends = [DoneEvent("stop", 9, 0, of=of) for of in (1, 0, 2)]
    for true in range(K):
        got = await shown(ends, true)
        assert [len(row) for row in got] == [0, 0, 0, 1] or [len(row) for row in got] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("events", "begun"),
    [
        ([], False),
        ([TokenEvent((1,), of=0), TokenEvent((1,), of=1)], False),
        ([TokenEvent((1,), of=0), TokenEvent((1,), of=1), TokenEvent((1,), of=2)], True),
        ([DoneEvent("stop", 9, 0, of=0), TokenEvent((1,), of=1), TokenEvent((1,), of=2)], True),
    ],
    ids=["nothing", "two of three", "all", "one ended without a word"],
)
async def test_whether_a_broken_answer_had_begun_does_not_depend_on_which_variant_is_true(
    events: list[Event], begun: bool
) -> None:
    """A client that gets an error instead of an answer may ask again by itself, one whose answer breaks off may not."""
    for true in range(K):
        got = [event for row in await shown([*events, EngineError("gone")], true) for event in row]
        assert isinstance(got[-1], EngineError)
        assert (len(got) > 1) == begun
        if begun:
            assert got[0] == TokenEvent(())


async def test_logprobs_stay_with_their_tokens_and_those_that_some_lack_go() -> None:
    one, two = TokenLogprobs(-1.0), TokenLogprobs(-2.0)
    others = [TokenEvent((7, 7, 7), of=0), TokenEvent((7, 7, 7), of=2)]
    whole = [TokenEvent((1, 2), (one, two), of=1), *others]
    got = [event for row in await shown(whole, 1) for event in row][1:]
    assert got[:1] == [TokenEvent((1, 2), (one, two))]
    mixed = [*others, TokenEvent((1,), (one,), of=1), TokenEvent((2,), of=1)]
    got = [event for row in await shown(mixed, 1) for event in row][1:]
    assert got[:2] == [TokenEvent((1,), (one,)), TokenEvent((2,))]


async def test_a_reader_that_leaves_does_not_close_the_engines_stream() -> None:
    closed = asyncio.Event()
    left: list[Event] = answers([5] * K, 1)

    async def engine() -> AsyncGenerator[Event, None]:
        try:
            while left:
                yield left.pop(0)
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with aclosing(kept(engine(), Variants((1,) * K, 0))) as answer:
        await anext(answer)
        assert left
    await closed.wait()
    assert not left
