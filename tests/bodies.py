"""Tiny random models as server bodies, for tests that need an engine and no training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, VOCAB, CONTEXT = 64, 320, 256


def make_body(path: Path, architecture: str = "Llama", seed: int = 0, **changes: Any) -> Path:
    """A server body of a random two-layer `{architecture}ForCausalLM` at ``path``, its weights saved in bf16."""
    import torch
    import transformers

    settings: dict[str, Any] = {
        "vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
        # Wide weights: with the usual small ones a random model repeats one token and every test passes.
        "initializer_range": 0.2, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
        "pad_token_id": 0, **changes,
    }  # fmt: skip
    if architecture == "Qwen3":
        settings.setdefault("head_dim", 16)
    torch.manual_seed(seed)
    config = getattr(transformers, f"{architecture}Config")(**settings)
    model = getattr(transformers, f"{architecture}ForCausalLM")(config).to(torch.bfloat16)
    model.save_pretrained(path)
    rows = table(path)
    norms = np.linalg.norm((rows.astype(np.uint32) << 16).view(np.float32), axis=1)
    write_manifest(path, hidden=rows.shape[1], vocab=rows.shape[0], max_norm=float(norms.max()))
    return path


def write_manifest(path: Path, *, hidden: int, vocab: int, max_norm: float, context: int = CONTEXT) -> None:
    """`body.json` over whatever lies in ``path``."""
    names = sorted(p.name for p in path.iterdir() if p.name != "body.json")
    files = {
        n: {"sha256": hashlib.sha256((path / n).read_bytes()).hexdigest(), "bytes": (path / n).stat().st_size}
        for n in names
    }
    model = hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()
    body = {"format": 1, "model": model, "hidden": hidden, "vocab": vocab, "context": context,
            "max_norm": max_norm, "files": files}  # fmt: skip
    (path / "body.json").write_text(json.dumps(body))


def table(path: Path) -> np.ndarray:
    """The body's embedding table: uint16 [vocab, hidden] bf16 patterns."""
    import torch
    from safetensors import safe_open

    with safe_open(str(path / "model.safetensors"), "pt") as file:
        rows: np.ndarray = (
            file.get_tensor("model.embed_tokens.weight").view(torch.int16).numpy().view(np.uint16)
        )
    return rows
