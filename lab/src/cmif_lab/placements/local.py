"""`enclave-only`: every layer in the enclave, nothing on the wire."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from cmif.wire.rows import Rows
from cmif_lab.placements.placement import Outcome, decode_greedily, dense
from cmif_server.engine.decoder import Decoder


class EnclaveOnly:
    """The whole ``model`` (a `...ForCausalLM`) in this process."""

    name = "enclave-only"

    def __init__(self, model: Any) -> None:
        self._decoder = Decoder(model)

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """As :meth:`Placement.run`."""
        clock: list[float] = [time.perf_counter()]
        out = decode_greedily(self._decoder, dense(rows), new, self._decoder.embed, clock)
        total = (clock[-1] - clock[0]) * 1e3
        return Outcome(tuple(out), (clock[1] - clock[0]) * 1e3, total, steps={"enclave layers": total})

    def close(self) -> None:
        return None
