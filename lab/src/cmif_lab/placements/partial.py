"""Part of a model: some tensors of a Hugging Face directory on a model whose other parameters do not exist."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
LINEARS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip


def linear_names(layers: int) -> list[str]:
    """Every linear layer in the order that both sides of an offload number them; the head is the last."""
    return [f"model.layers.{i}.{name}" for i in range(layers) for name in LINEARS] + ["lm_head"]


def tensors(body: Path, keep: Callable[[str], bool], dtype: torch.dtype) -> dict[str, Tensor]:
    """The parameters that ``keep`` wants, by name. A tied head is the embedding table under its own name."""
    found: dict[str, Tensor] = {}
    tied: Tensor | None = None
    for name, read in _stored(body):
        if keep(name):
            found[name] = read().to(dtype)
        if name == EMBEDDING and keep(HEAD):
            tied = found[name] if name in found else read().to(dtype)
    if keep(HEAD) and HEAD not in found and tied is not None:
        found[HEAD] = tied
    return found


def partial_model(body: Path, keep: Callable[[str], bool], dtype: torch.dtype) -> Any:
    """A `...ForCausalLM` that holds the wanted parameters; the others stay on the meta device, without memory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(body, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(tensors(body, keep, dtype), strict=False, assign=True)
    # Its frequencies are computed, not stored, and were just computed on the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    return model.eval()


def _stored(body: Path) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    from safetensors import safe_open

    index = body / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    for file in names:
        with safe_open(str(body / file), "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 (not a mapping)
                yield name, partial(opened.get_tensor, name)
