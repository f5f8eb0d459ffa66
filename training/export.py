"""From a training state to the directory that ships: bf16 safetensors and the plain files of a Hugging Face Llama."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from training.layout import BOS, END, PAD
from training.model import Llama, Shape, to_llama

FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "README.md",
)


def config(shape: Shape) -> dict[str, object]:
    """A Llama configuration plain enough for ``transformers`` and vLLM."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps,
        "rope_theta": shape.theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": BOS,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "torch_dtype": "bfloat16",
    }


def export(model: Llama, tokenizer: Path, out: Path) -> None:
    """Write weights and configuration to ``out`` beside copies of the tokenizer's files."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.to(torch.bfloat16) for name, weight in to_llama(model).items()}
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    _json(out / "config.json", config(model.shape))
    _json(
        out / "generation_config.json",
        {
            "bos_token_id": BOS,
            "eos_token_id": END,
            "pad_token_id": PAD,
            "do_sample": False,
            "max_new_tokens": 96,
        },
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if tokenizer.resolve() != out.resolve():
            shutil.copyfile(tokenizer / name, out / name)


def sums(out: Path) -> None:
    """SHA256SUMS over the shipped files, in the format of ``sha256sum -c``."""
    lines = [
        f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(FILES)
        if (out / name).exists()
    ]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def load_state(path: Path) -> Llama:
    saved = torch.load(path, weights_only=True)
    model = Llama(Shape(**saved["shape"]))
    model.load_state_dict(saved["model"])
    return model


def _json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a training state.")
    parser.add_argument("state", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    export(load_state(args.state), args.tokenizer, args.out)
    sums(args.out)


if __name__ == "__main__":
    main()
