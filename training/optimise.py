"""One optimiser step: Muon for the matrices of the blocks, AdamW for embedding and norms.

Muon orthogonalises the momentum of a matrix (Jordan et al. 2024); fused projections are split first so that each of
q, k, v, gate and up is orthogonalised by itself.
"""

from __future__ import annotations

from concurrent.futures import Executor
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor

from training.layout import Batch
from training.model import Llama


class Optimiser:
    """``step`` consumes gradients; ``state`` and ``load`` make a run resumable."""

    def __init__(self, model: Llama, muon: bool = True) -> None:
        self.model = model
        matrices = [p for p in model.blocks.parameters() if p.ndim == 2] if muon else []
        chosen = {id(p) for p in matrices}
        self.parts = [(p, _parts(model, p)) for p in matrices]
        self.momentum = [torch.zeros_like(p) for p in matrices]
        self.adam = torch.optim.AdamW(
            [p for p in model.parameters() if id(p) not in chosen],
            betas=(0.9, 0.98),
            weight_decay=0.0,
            fused=True,
        )

    def step(self, lr_matrix: float, lr_adam: float, pool: Executor | None = None) -> None:
        """One update, the matrices spread over ``pool``; gradients are gone afterwards."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.adam.param_groups:
            group["lr"] = lr_adam
        self.adam.step()
        list((pool.map if pool else map)(self._turn, range(len(self.parts)), repeat(lr_matrix)))
        self.model.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _turn(self, at: int, lr: float) -> None:
        (weight, parts), momentum = self.parts[at], self.momentum[at]
        assert weight.grad is not None
        momentum.lerp_(weight.grad, 0.05)
        update = weight.grad.lerp(momentum, 0.95)
        weight.mul_(1 - 0.01 * lr)
        for rows, old in zip(update.chunk(parts), weight.chunk(parts), strict=True):
            old.add_(orthogonal(rows), alpha=-lr * 0.2 * max(rows.shape) ** 0.5)

    def state(self) -> dict[str, object]:
        return {"adam": self.adam.state_dict(), "momentum": self.momentum}

    def load(self, state: dict[str, object]) -> None:
        self.adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
        for mine, saved in zip(self.momentum, state["momentum"], strict=True):  # type: ignore[call-overload]
            mine.copy_(saved)


def _parts(model: Llama, weight: Tensor) -> int:
    for block in model.blocks:
        if weight is block.qkv.weight:
            return 3
        if weight is block.gate_up.weight:
            return 2
    return 1


def orthogonal(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: Newton-Schulz with the quintic of Muon."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (update.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def loss_of(model: Llama, batch: Batch) -> tuple[Tensor, float, int]:
    """Mean cross-entropy in nats over the masked positions, the share of them that greedy gets right, their count."""
    ids = torch.from_numpy(batch.ids)
    wanted = torch.from_numpy(batch.mask[:, 1:].copy())
    states = model.states(ids[:, :-1])[wanted]
    target = ids[:, 1:][wanted]
    logits = model.logits(states)
    with torch.no_grad():
        right = (logits.argmax(-1) == target).float().mean().item()
    return F.cross_entropy(logits, target), right, target.numel()
