from __future__ import annotations

import threading

import numpy as np
import pytest

from cmif.errors import EngineError, WireError
from cmif.gateway import upstream as module
from cmif.gateway.upstream import Upstream
from cmif.types import Sampling
from cmif.wire.frame import Frame
from cmif.wire.rows import Rows
from cmif.wire.session import Pending, SessionEncoder

MODEL = "ab" * 32


@pytest.mark.parametrize(("rows", "beside"), [(4, False), (4096, True)])
async def test_a_large_frame_is_packed_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, rows: int, beside: bool
) -> None:
    """A long prompt of a large model is tens of megabytes, and others' answers go on meanwhile."""
    where: list[threading.Thread] = []

    class Noting(SessionEncoder):
        def encode(self, frame: Frame) -> Pending:
            where.append(threading.current_thread())
            raise WireError("enough")

    monkeypatch.setattr(module, "SessionEncoder", Noting)
    upstream = Upstream("http://127.0.0.1:9", MODEL, rows)
    frame = Frame(MODEL, Rows(np.zeros((rows, 64), np.uint16), np.arange(rows, dtype=np.int32)), Sampling())
    with pytest.raises(EngineError):
        async for _ in upstream.generate(frame, None, b"turn"):
            pass
    assert [thread is not threading.current_thread() for thread in where] == [beside]
