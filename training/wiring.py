"""An initialisation that can already copy: previous-token heads, induction heads and copying values, wired by hand.

A small model spends most of a two-core budget on discovering induction (measured: a million tokens for 18 % of a random
repetition). The circuit is known (Elhage et al. 2021, Olsson et al. 2022), so it is written into two layers;
gradients then refine it, and the later layers only have to learn where to look. Everything else starts random.

The residual stream starts as: A, the token's identity (tied with the output head); B and C, room for the identity of
the token before and of the one before that; one coordinate that is the same for every token, which gives the position
heads their constant query and key.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.model import Block, Llama

CONSTANT = 8.0
MATCH = 2.5
COPY = 4.0


@torch.no_grad()
def wire(model: Llama, seed: int = 0, scale: float = 0.1) -> None:
    """Overwrite parts of a freshly initialised model. ``hidden`` >= 128, ``heads`` >= 8 and at least two layers."""
    shape = model.shape
    generator = torch.Generator().manual_seed(seed)
    half, quarter = shape.hidden // 2, shape.hidden // 4
    identity = torch.arange(half)
    before, before2 = half + torch.arange(quarter), half + quarter + torch.arange(quarter - 1)
    constant = shape.hidden - 1

    rows = torch.randn(shape.vocab, shape.hidden, generator=generator) * scale
    rows[:, half:] *= 0.1
    rows[:, constant] = CONSTANT * scale
    model.embedding.weight.copy_(rows)

    first, second = model.blocks[0], model.blocks[1]
    assert isinstance(first, Block)
    assert isinstance(second, Block)
    per_head = quarter // 2
    for head in range(4):
        offset, target = (1, before) if head < 2 else (2, before2)
        source = identity[(head % 2) * per_head :][:per_head]
        goal = target[(head % 2) * per_head :][:per_head]
        _look_back(first, head, offset, constant)
        _carry(first, head, source[: len(goal)], goal, 0.9 * scale)

    slow = _slow_pairs(model)
    width = half // 4
    for head in range(4):
        n = len(slow)
        picks = torch.randperm(quarter - 1, generator=generator)[:n]
        q = identity[picks].clone()
        k = before[picks].clone()
        if head >= 2:  # also the token before must match: what tells one digit from another
            q[n // 2 :] = before[picks[n // 2 :]]
            k[n // 2 :] = before2[picks[n // 2 :]]
        wq, wk, _ = second.qkv.weight.chunk(3)
        for weight, source in ((wq, q), (wk, k)):
            block = weight[head * shape.head : (head + 1) * shape.head]
            block.zero_()
            block[slow, source] = MATCH
        _carry(
            second,
            head,
            identity[head * width :][:width],
            identity[head * width :][:width],
            COPY * scale / 0.9,
        )

    for layer in range(2, shape.layers):
        block = model.blocks[layer]
        assert isinstance(block, Block)
        for head in range(4):
            span = identity[head * width :][:width]
            _carry(block, head, span, span, scale)


def _slow_pairs(model: Llama) -> Tensor:
    """Coordinates of a head that rotary embeddings turn by less than a radian in 64 positions: fit for content."""
    shape = model.shape
    pairs = torch.arange(shape.head // 2)
    turn = shape.theta ** (-2.0 * pairs / shape.head)
    keep = pairs[turn < 1 / 64]
    return torch.cat([keep, keep + shape.head // 2])


def _look_back(block: Block, head: int, offset: int, constant: int) -> None:
    """Attention by position alone: the score peaks ``offset`` tokens back."""
    shape = block.shape
    turn = shape.theta ** (-torch.arange(0, shape.head, 2).float() / shape.head)
    wq, wk, _ = block.qkv.weight.chunk(3)
    q, k = wq[head * shape.head : (head + 1) * shape.head], wk[head * shape.head : (head + 1) * shape.head]
    q.zero_()
    k.zero_()
    strength = 12.0 / CONSTANT
    q[:, constant] = strength * torch.cat([torch.cos(offset * turn), -torch.sin(offset * turn)])
    k[:, constant] = strength * torch.cat([torch.ones_like(turn), torch.zeros_like(turn)])


def _carry(block: Block, head: int, source: Tensor, goal: Tensor, gain: float) -> None:
    """The head's value is the ``source`` coordinates of what it attends to, written to ``goal`` times ``gain``."""
    shape = block.shape
    at = head * shape.head + torch.arange(len(source))
    value = block.qkv.weight.chunk(3)[2]
    value[head * shape.head : (head + 1) * shape.head] *= 0.1
    value[at, source] = 1.0
    out = block.out.weight
    out[:, head * shape.head : (head + 1) * shape.head] *= 0.1
    out[goal, at] = gain


@torch.no_grad()
def give_meaning(model: Llama, vectors: Tensor, share: float = 0.8) -> None:
    """Add ``vectors`` [vocab, <= hidden / 2 - 1], unit rows, to the half of the embedding that holds no identity."""
    half = model.shape.hidden // 2
    known = vectors.norm(dim=1) > 0
    centred = (vectors - vectors[known].mean(0)) * known[:, None]
    centred /= centred.norm(dim=1, keepdim=True).clamp(min=1e-6)
    size = model.embedding.weight[:, :half].norm(dim=1).mean()
    model.embedding.weight[:, half : half + vectors.shape[1]] += share * size * centred
