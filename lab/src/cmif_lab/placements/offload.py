"""`linear-offload`, the TEE partition: the enclave computes what is nonlinear and asks for every linear layer.

The model in the enclave is the real one with each linear layer replaced by a question over a socket; attention,
normalisation, activation, rotary positions and the embedding layer stay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cmif.wire.rows import Rows
from cmif_lab.placements.channel import Channel, Message
from cmif_lab.placements.partial import LINEARS, linear_names, partial_model
from cmif_lab.placements.placement import Outcome, decode_greedily, dense
from cmif_lab.placements.server import LINEAR, to_array, to_tensor
from cmif_server.engine.decoder import Decoder


class OffloadModel:
    """The enclave's part of the model in ``body``: what `linear-offload` keeps. Shared by the connections of a process.

    ``fused`` asks for q, k and v together, and for gate and up together.
    """

    def __init__(self, body: Path, *, fused: bool, dtype: torch.dtype = torch.float32) -> None:
        self.fused, self.dtype = fused, dtype
        self.module: Any = partial_model(body, lambda name: not _is_linear(name), dtype)
        self.current = (
            threading.local()
        )  # .connection, whose request this thread computes; .parts, what it last got
        layers = len(self.module.model.layers)
        names = linear_names(layers)
        groups = [(0, 3), (3, 1), (4, 2), (6, 1)] if fused else [(i, 1) for i in range(len(LINEARS))]
        for index, count in [(i * len(LINEARS) + first, n) for i in range(layers) for first, n in groups]:
            self._replace(names, index, count)
        self._replace(names, len(names) - 1, 1)

    def _replace(self, names: list[str], index: int, count: int) -> None:
        members = names[index : index + count]
        widths = [self.module.get_submodule(name).out_features for name in members]
        for member, name in enumerate(members):
            parent, _, child = name.rpartition(".")
            setattr(self.module.get_submodule(parent), child, _Remote(self, index, widths, member))


class _Remote(nn.Module):
    """Stands where a linear layer stood. The first of a group asks for all of it; the others take what came."""

    def __init__(self, owner: OffloadModel, index: int, widths: list[int], member: int) -> None:
        super().__init__()
        self._owner, self._index, self._widths, self._member = owner, index, widths, member

    def forward(self, x: Tensor) -> Tensor:
        current = self._owner.current
        if self._member == 0:
            out = current.connection.linear(x.reshape(-1, x.shape[-1]), self._index, len(self._widths))
            current.parts = torch.split(out.view(*x.shape[:-1], -1), self._widths, -1)
        part: Tensor = current.parts[self._member]
        return part


class Offload:
    """A connection of ``model`` to the `offload` server at ``port``."""

    def __init__(self, port: int, model: OffloadModel) -> None:
        self.name = "linear-offload-fused" if model.fused else "linear-offload"
        self._channel, self._model = Channel.connect(port), model
        self._decoder = Decoder(model.module)
        self._asked_ms = self._engine_ms = 0.0

    def linear(self, x: Tensor, index: int, count: int) -> Tensor:
        """[n, in] -> [n, the widths of ``count`` layers together], computed by the server."""
        started = time.perf_counter()
        answer = self._channel.ask(Message(LINEAR, to_array(x), index, count))
        self._asked_ms += (time.perf_counter() - started) * 1e3
        self._engine_ms += answer.ms
        return to_tensor(answer.array, self._model.dtype)

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """As :meth:`Placement.run`."""
        channel = self._channel
        sent, up, down = channel.sent, channel.bytes_up, channel.bytes_down
        self._asked_ms = self._engine_ms = 0.0
        self._model.current.connection = self
        clock: list[float] = [time.perf_counter()]
        out = decode_greedily(self._decoder, dense(rows), new, self._decoder.embed, clock)
        total = (clock[-1] - clock[0]) * 1e3
        steps = {
            "enclave layers": total - self._asked_ms,
            "engine": self._engine_ms,
            "network": self._asked_ms - self._engine_ms,
        }
        return Outcome(
            tuple(out), (clock[1] - clock[0]) * 1e3, total, channel.sent - sent, channel.bytes_up - up,
            channel.bytes_down - down, steps,
        )  # fmt: skip

    def close(self) -> None:
        self._channel.close()


def _is_linear(name: str) -> bool:
    return name.startswith("lm_head.") or any(f".{linear}." in name for linear in LINEARS)
