"""How long packing and reading a frame takes: 512 tokens, 230 of them distinct, of a 7B model (hidden size 4096).

pytest lab/benchmarks/test_wire_speed.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cmif.bf16 import to_bf16
from cmif.types import Sampling
from cmif.wire.frame import CODECS, Frame, Limits, decode, encode
from cmif.wire.rows import Rows
from cmif.wire.session import SessionEncoder, SessionStore

LIMITS = Limits(4096, 4096)


@pytest.fixture(scope="module")
def frame() -> Frame:
    rng = np.random.default_rng(0)
    table = to_bf16((rng.standard_normal((230, 4096)) * 0.02).astype(np.float32))
    ids = np.concatenate([np.arange(230), rng.integers(0, 230, 282)])
    return Frame("00" * 32, Rows.gather(table, ids), Sampling())


@pytest.mark.parametrize("codec", CODECS)
def test_encode(benchmark: Any, frame: Frame, codec: str) -> None:
    assert len(benchmark(encode, frame, codec)) < 512 * 4096 * 2


@pytest.mark.parametrize("codec", CODECS)
def test_decode(benchmark: Any, frame: Frame, codec: str) -> None:
    data = encode(frame, codec)
    assert benchmark(decode, data, LIMITS).rows.unique.shape == (230, 4096)


def test_a_turn_whose_rows_are_known(benchmark: Any, frame: Frame) -> None:
    encoder, store = SessionEncoder(), SessionStore()

    def turn() -> int:
        pending = encoder.encode(frame)
        store.accept(store.receive(pending.data, LIMITS))
        encoder.commit(pending)
        return len(pending.data)

    turn()
    assert benchmark(turn) < 4096
