"""A Llama written for training: fused projections, logits only where a loss is asked for.

Knows nothing about data or text. The parameters map one to one to ``transformers.LlamaForCausalLM`` (:func:`to_llama`),
which is what ships; a test holds both to the same logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model. ``hidden`` is divisible by ``heads``; the embedding and the output head are tied."""

    vocab: int = 8192
    hidden: int = 256
    layers: int = 6
    heads: int = 8
    ffn: int = 512
    context: int = 1024
    theta: float = 100000.0
    eps: float = 1e-5

    @property
    def head(self) -> int:
        return self.hidden // self.heads


def rope(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines float32 [context, head] of rotary embeddings, in the half-rotation layout of Llama."""
    inverse = shape.theta ** (-torch.arange(0, shape.head, 2).float() / shape.head)
    angles = torch.outer(torch.arange(shape.context).float(), inverse)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.norm_attention = nn.Parameter(torch.ones(shape.hidden))
        self.norm_ffn = nn.Parameter(torch.ones(shape.hidden))
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden, bias=False)
        self.out = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.gate_up = nn.Linear(shape.hidden, 2 * shape.ffn, bias=False)
        self.down = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        h = F.rms_norm(x, (hidden,), self.norm_attention, self.shape.eps)
        qkv = self.qkv(h).view(batch, length, 3, self.shape.heads, self.shape.head).permute(2, 0, 3, 1, 4)
        q, k = rotate(qkv[0], cos, sin), rotate(qkv[1], cos, sin)
        a = F.scaled_dot_product_attention(q, k, qkv[2], is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(batch, length, hidden))
        h = F.rms_norm(x, (hidden,), self.norm_ffn, self.shape.eps)
        gate, up = self.gate_up(h).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab, shape.hidden)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden))
        cos, sin = rope(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                scale = (2 * shape.layers) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(weight, std=0.02 if "embedding" in name else scale * shape.hidden**-0.5 * 0.6)

    def states(self, ids: Tensor) -> Tensor:
        """Normalised last hidden states [batch, length, hidden] of token ids int64 [batch, length]."""
        length = ids.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.rms_norm(x, (self.shape.hidden,), self.norm, self.shape.eps)

    def logits(self, states: Tensor) -> Tensor:
        return F.linear(states, self.embedding.weight)

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits(self.states(ids))


def to_llama(model: Llama) -> dict[str, Tensor]:
    """The parameters under the names of ``transformers.LlamaForCausalLM``, float32."""
    names: dict[str, Tensor] = {
        "model.embed_tokens.weight": model.embedding.weight,
        "model.norm.weight": model.norm,
    }
    for i, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        at = f"model.layers.{i}."
        q, k, v = block.qkv.weight.chunk(3)
        gate, up = block.gate_up.weight.chunk(2)
        names |= {
            at + "input_layernorm.weight": block.norm_attention,
            at + "post_attention_layernorm.weight": block.norm_ffn,
            at + "self_attn.q_proj.weight": q,
            at + "self_attn.k_proj.weight": k,
            at + "self_attn.v_proj.weight": v,
            at + "self_attn.o_proj.weight": block.out.weight,
            at + "mlp.gate_proj.weight": gate,
            at + "mlp.up_proj.weight": up,
            at + "mlp.down_proj.weight": block.down.weight,
        }
    return {name: weight.detach().clone().float().contiguous() for name, weight in names.items()}
