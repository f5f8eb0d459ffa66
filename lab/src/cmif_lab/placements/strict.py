"""`cmif-strict`: the engine holds no embedding table, so the enclave sends the row of every token it gets back."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmif.wire.rows import Rows
from cmif_lab.placements.channel import Channel, Message
from cmif_lab.placements.placement import Outcome
from cmif_lab.placements.server import NEXT, PROMPT


class Strict:
    """A client of the `strict` server at ``port``; ``table`` is the enclave's, uint16 [vocab, hidden]."""

    name = "cmif-strict"

    def __init__(self, port: int, table: NDArray[np.uint16]) -> None:
        self._channel, self._table = Channel.connect(port), table

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """As :meth:`Placement.run`."""
        channel = self._channel
        sent, up, down = channel.sent, channel.bytes_up, channel.bytes_down
        clock = [time.perf_counter()]
        out: list[int] = []
        engine = 0.0
        message = Message(PROMPT, rows.dense(), count=new)
        while True:
            answer = channel.ask(message)
            engine += answer.ms
            out.append(int(answer.array[0, 0]))
            clock.append(time.perf_counter())
            if len(out) == new:
                break
            message = Message(NEXT, self._table[out[-1] : out[-1] + 1])
        total = (clock[-1] - clock[0]) * 1e3
        return Outcome(
            tuple(out), (clock[1] - clock[0]) * 1e3, total, channel.sent - sent, channel.bytes_up - up,
            channel.bytes_down - down, {"engine": engine, "network": total - engine},
        )  # fmt: skip

    def close(self) -> None:
        self._channel.close()
