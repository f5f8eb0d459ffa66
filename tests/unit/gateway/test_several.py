from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from cmif.errors import EngineError
from cmif.gateway.exchange import Delta
from cmif.gateway.limits import AHEAD
from cmif.gateway.several import Several


class Talkative:
    """An exchange of one choice whose engine says a word whenever it is asked; ``fails`` after so many."""

    def __init__(self, fails: int | None = None) -> None:
        self.answers = [None]
        self.said = 0
        self.stopped = False
        self._fails = fails

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        try:
            while self.said != self._fails:
                await asyncio.sleep(0)
                self.said += 1
                yield Delta(0, "x")
            raise EngineError("it stopped")
        finally:
            self.stopped = True


def several(*exchanges: Any) -> Several:
    return Several(exchanges)


async def test_a_slow_reader_holds_its_engines_back_instead_of_filling_memory() -> None:
    one, two = Talkative(), Talkative()
    async with aclosing(several(one, two).deltas()) as deltas:
        seen = {(await anext(deltas)).index for _ in range(10)}
        await asyncio.sleep(0.1)  # time for many thousands
        assert one.said + two.said <= 10 + AHEAD + 2
    assert seen == {0, 1}
    assert one.stopped
    assert two.stopped


async def test_one_engine_s_error_stops_the_others() -> None:
    one, two = Talkative(), Talkative(fails=5)
    with pytest.raises(EngineError):
        async for _ in several(one, two).deltas():
            pass
    assert one.stopped
