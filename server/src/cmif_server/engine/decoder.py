"""A causal language model's layers, run from embedding rows over a :class:`SlotCache`. Knows nothing about
requests.

It drives the layers of a Hugging Face model one by one instead of calling the model: masks, positions and
cache are then ours, the same for every architecture, and the embedding layer is simply not part of it.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor

from cmif.errors import ArchitectureError
from cmif_server.engine.cache import SlotCache


class Decoder:
    """``model`` is a Llama, Mistral, Qwen 2 or Qwen 3 `...ForCausalLM` in inference mode. Not thread-safe."""

    def __init__(self, model: Any) -> None:
        config = model.config
        rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
        if rope in ("dynamic", "longrope"):
            raise ArchitectureError(f"The engine does not batch models with {rope} rotary positions.")
        self._model, self._layers = model.model, list(model.model.layers)
        self._head = model.lm_head
        names = signature(type(self._layers[0]).forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"  # as older ones say
        self._windows = _windows(config, len(self._layers))
        parameter = self._model.norm.weight
        self.dtype, self.device = parameter.dtype, parameter.device
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.cache = SlotCache(
            len(self._layers), config.num_key_value_heads, head_dim, self.dtype, self.device
        )

    def embed(self, ids: Tensor) -> Tensor:
        """The model's own rows of ``ids`` (int64 [n]): compute dtype [n, hidden]."""
        rows: Tensor = self._model.embed_tokens(ids.to(self.device))
        return rows

    def prefill(self, slot: int, rows: Tensor, start: int, counts: list[int]) -> Tensor:
        """Run ``rows`` [b, n, hidden] as positions ``start``... of ``slot`` and the next ones, the first ``counts[i]``
        of row i; the others are zero and leave finite values, which nothing attends to and later tokens overwrite. The
        hidden state of each one's last position, [b, hidden]."""
        b, n = rows.shape[:2]
        end = start + n
        self.cache.at(slot, [start] * b, n)
        masks = {}
        for window in set(self._windows):
            needed = n > 1 and (start > 0 or (window is not None and end > window))
            needed |= n == 1 and window is not None and end > window
            masks[window] = self._causal(start, n, end, window) if needed else None
        positions = torch.arange(start, end, device=self.device)[None]
        return self._run(rows, positions, masks)[torch.arange(b), torch.tensor(counts) - 1]

    def decode(self, rows: Tensor, lengths: list[int]) -> Tensor:
        """One step: ``rows`` [b, hidden] are the next tokens of slots 0 to b - 1, which hold ``lengths``
        tokens each. Hidden states [b, hidden]."""
        self.cache.at(0, lengths, 1)
        longest = max(lengths)
        at = torch.tensor(lengths, device=self.device)
        masks = {}
        for window in set(self._windows):
            ragged = min(lengths) < longest or (window is not None and longest >= window)
            masks[window] = self._reach(at, longest + 1, window) if ragged else None
        return self._run(rows[:, None], at[:, None], masks)[:, 0]

    def logits(self, hidden: Tensor) -> Tensor:
        """[b, hidden] -> float32 [b, vocab]."""
        logits: Tensor = self._head(hidden)
        return logits.float()

    def _run(self, rows: Tensor, positions: Tensor, masks: dict[int | None, Tensor | None]) -> Tensor:
        hidden = rows.to(self.dtype)
        rotary = self._model.rotary_emb(hidden, position_ids=positions)
        for layer, window in zip(self._layers, self._windows, strict=True):
            hidden = layer(
                hidden,
                attention_mask=masks[window],
                position_ids=positions,
                use_cache=True,
                position_embeddings=rotary,
                **{self._cache_name: self.cache},
            )
        normed: Tensor = self._model.norm(hidden)
        return normed

    def _causal(self, start: int, n: int, end: int, window: int | None) -> Tensor:
        return self._reach(torch.arange(start, start + n, device=self.device), end, window).transpose(0, 2)

    def _reach(self, at: Tensor, end: int, window: int | None) -> Tensor:
        """bool [len(at), 1, 1, end]: which positions a token at position ``at`` attends to."""
        keys = torch.arange(end, device=self.device)
        seen = keys <= at[:, None]
        if window is not None:
            seen &= keys > at[:, None] - window
        return seen[:, None, None]


def _windows(config: Any, layers: int) -> list[int | None]:
    """The attention window of each layer, None where attention is full."""
    window = getattr(config, "sliding_window", None)
    if config.model_type in ("qwen2", "qwen3"):
        return [window if kind == "sliding_attention" else None for kind in config.layer_types]
    return [window if config.model_type == "mistral" else None] * layers
