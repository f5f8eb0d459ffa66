"""`linear-offload`, the TEE partition: the enclave computes what is nonlinear and asks for every linear layer.

The model in the enclave is the real one with each linear layer replaced by a question over a socket; attention,
normalisation, activation, rotary positions and the embedding layer stay.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cmif.engine.decoder import Decoder
from cmif.placements.channel import Channel, Message
from cmif.placements.partial import LINEARS, linear_names, partial_model
from cmif.placements.placement import Outcome, decode_greedily, dense
from cmif.placements.server import LINEAR, to_array, to_tensor
from cmif.wire.rows import Rows


class _Ask:
    """``count`` linear layers from ``index`` on, asked for in one round trip."""

    def __init__(self, owner: Offload, index: int, widths: list[int]) -> None:
        self._owner, self._index, self._widths = owner, index, widths
        self.parts: tuple[Tensor, ...] = ()

    def __call__(self, x: Tensor) -> None:
        out = self._owner.linear(x.reshape(-1, x.shape[-1]), self._index, len(self._widths))
        self.parts = torch.split(out.view(*x.shape[:-1], -1), self._widths, -1)


class _Remote(nn.Module):
    """Stands where a linear layer stood. The first of a group asks; the others take what it brought."""

    def __init__(self, ask: _Ask, member: int) -> None:
        super().__init__()
        self._ask, self._member = ask, member

    def forward(self, x: Tensor) -> Tensor:
        if self._member == 0:
            self._ask(x)
        return self._ask.parts[self._member]


class Offload:
    """A client of the `offload` server at ``port`` for the model in ``body``.

    ``fused`` asks for q, k and v together, and for gate and up together.
    """

    def __init__(self, port: int, body: Path, *, fused: bool, dtype: torch.dtype = torch.float32) -> None:
        self.name = "linear-offload-fused" if fused else "linear-offload"
        self._channel = Channel.connect(port)
        self._dtype = dtype
        self._asked_ms = self._engine_ms = 0.0
        model = partial_model(body, lambda name: not _is_linear(name), dtype)
        names = linear_names(len(model.model.layers))
        groups = [(0, 3), (3, 1), (4, 2), (6, 1)] if fused else [(i, 1) for i in range(len(LINEARS))]
        for layer in range(len(model.model.layers)):
            for first, count in groups:
                self._replace(model, names, layer * len(LINEARS) + first, count)
        self._replace(model, names, len(names) - 1, 1)
        self._decoder = Decoder(model)

    def _replace(self, model: nn.Module, names: list[str], index: int, count: int) -> None:
        members = names[index : index + count]
        ask = _Ask(self, index, [model.get_submodule(name).out_features for name in members])  # type: ignore[misc]
        for member, name in enumerate(members):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _Remote(ask, member))

    def linear(self, x: Tensor, index: int, count: int) -> Tensor:
        """[n, in] -> [n, the widths of ``count`` layers together], computed by the server."""
        started = time.perf_counter()
        answer = self._channel.ask(Message(LINEAR, to_array(x), index, count))
        self._asked_ms += (time.perf_counter() - started) * 1e3
        self._engine_ms += answer.ms
        return to_tensor(answer.array, self._dtype)

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """As :meth:`Placement.run`."""
        channel = self._channel
        sent, up, down = channel.sent, channel.bytes_up, channel.bytes_down
        self._asked_ms = self._engine_ms = 0.0
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
