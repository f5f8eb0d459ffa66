"""Random-weight models of named shapes, so that speed can be measured without a download.

Sizes are those of the published `config.json` files. The weights are noise and so is what such a model
answers; the tokenizer is SmolLM2's, cut to the shape's vocabulary.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cmif.errors import InputError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def _llama(
    hidden: int, inner: int, layers: int, heads: int, kv: int, vocab: int, **more: Any
) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
        "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv, "head_dim": hidden // heads, "vocab_size": vocab,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", **more,
    }  # fmt: skip


def _of(architecture: str, base: dict[str, Any]) -> dict[str, Any]:
    return {**base, "architectures": [f"{architecture}ForCausalLM"], "model_type": architecture.lower()}


SHAPES: dict[str, dict[str, Any]] = {
    "tiny": _llama(64, 128, 2, 2, 1, 32000),
    "smollm2-135m": _llama(576, 1536, 30, 9, 3, 49152, tie_word_embeddings=True),
    "llama-3.2-1b": _llama(2048, 8192, 16, 32, 8, 128256, tie_word_embeddings=True, rope_theta=500000.0),
    "llama-3.2-3b": _llama(3072, 8192, 28, 24, 8, 128256, tie_word_embeddings=True, rope_theta=500000.0),
    "llama-2-7b": _llama(4096, 11008, 32, 32, 32, 32000),
    "llama-2-13b": _llama(5120, 13824, 40, 40, 40, 32000),
    "llama-3-8b": _llama(4096, 14336, 32, 32, 8, 128256, rope_theta=500000.0),
    "mistral-7b": _of("Mistral", _llama(4096, 14336, 32, 32, 8, 32000, sliding_window=None)),
    "qwen2.5-0.5b": _of(
        "Qwen2", _llama(896, 4864, 24, 14, 2, 151936, tie_word_embeddings=True, rope_theta=1e6)
    ),
    "qwen2.5-7b": _of("Qwen2", _llama(3584, 18944, 28, 28, 4, 152064, rope_theta=1e6)),
    "qwen3-0.6b": _of(
        "Qwen3", _llama(1024, 3072, 28, 16, 8, 151936, tie_word_embeddings=True, head_dim=128, rope_theta=1e6)
    ),
    "qwen3-8b": _of("Qwen3", _llama(4096, 12288, 36, 32, 8, 151936, head_dim=128, rope_theta=1e6)),
}


def config_of(shape: str) -> dict[str, Any]:
    """The `config.json` of ``shape``. Raises :class:`InputError` for a name that is not in :data:`SHAPES`."""
    if shape not in SHAPES:
        raise InputError(f"Unknown shape {shape!r}.", hint=f"Known: {', '.join(SHAPES)}.")
    return SHAPES[shape]


def parameters(config: dict[str, Any]) -> int:
    """How many weights a shape has."""
    return sum(_size(shape) for _, shape in _tensors(config))


def write_model(shape: str, out: Path, tokenizer: Path | None = None) -> Path:
    """A Hugging Face directory of ``shape`` in bf16 at ``out``, one file a layer; nothing larger is ever in
    memory.

    ``tokenizer`` is a directory with a `tokenizer.json`; None takes SmolLM2's, cut to the shape's
    vocabulary.
    """
    import torch
    from safetensors.torch import save_file

    config = config_of(shape)
    out.mkdir(parents=True, exist_ok=True)
    _copy_tokenizer(tokenizer, out, config["vocab_size"])
    generator = torch.Generator().manual_seed(0)
    shards: dict[str, dict[str, Any]] = {}
    for name, size in _tensors(config):
        layer = name.split(".")[2] if ".layers." in name else "ends"
        shards.setdefault(layer, {})[name] = size
    weight_map: dict[str, str] = {}
    for i, sizes in enumerate(shards.values()):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        # Norms are 1, everything else small noise, as a fresh model of these architectures has it.
        tensors = {
            name: torch.ones(size, dtype=torch.bfloat16)
            if name.endswith("norm.weight")
            else torch.empty(size, dtype=torch.bfloat16).normal_(0, 0.02, generator=generator)
            for name, size in sizes.items()
        }
        save_file(tensors, str(out / file), metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, file)
    index = {"metadata": {"total_size": 2 * parameters(config)}, "weight_map": weight_map}
    (out / "model.safetensors.index.json").write_text(json.dumps(index))
    (out / "config.json").write_text(json.dumps(config, indent=2))
    return out


def _tensors(config: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    hidden, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config["head_dim"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    kind = config["model_type"]
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (q, hidden), "self_attn.k_proj.weight": (kv, hidden),
        "self_attn.v_proj.weight": (kv, hidden), "self_attn.o_proj.weight": (hidden, q),
        "mlp.gate_proj.weight": (inner, hidden), "mlp.up_proj.weight": (inner, hidden),
        "mlp.down_proj.weight": (hidden, inner), "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }  # fmt: skip
    if kind == "qwen2":
        layer |= {
            "self_attn.q_proj.bias": (q,),
            "self_attn.k_proj.bias": (kv,),
            "self_attn.v_proj.bias": (kv,),
        }
    if kind == "qwen3":
        layer |= {"self_attn.q_norm.weight": (head,), "self_attn.k_norm.weight": (head,)}
    out: list[tuple[str, tuple[int, ...]]] = [("model.embed_tokens.weight", (vocab, hidden))]
    for i in range(config["num_hidden_layers"]):
        out += [(f"model.layers.{i}.{name}", shape) for name, shape in layer.items()]
    out.append(("model.norm.weight", (hidden,)))
    if not config["tie_word_embeddings"]:
        out.append(("lm_head.weight", (vocab, hidden)))
    return out


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _copy_tokenizer(source: Path | None, out: Path, vocab: int) -> None:
    if source is None:
        from cmif_server.provider.default import default_file
        from cmif_server.provider.gguf_file import read_gguf

        default = read_gguf(default_file())
        (out / "tokenizer.json").write_text(_first(default.tokenizer, vocab), "utf-8")
        settings = {**default.special, "chat_template": default.template}
        (out / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
        return
    if not (source / "tokenizer.json").is_file():
        raise InputError("There is no tokenizer for a random model.", hint="Give a model directory instead.")
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)


def _first(tokenizer: str, vocab: int) -> str:
    """A BPE's first ``vocab`` ids: merges come in the order of their results, so the rest is still a BPE."""
    settings = json.loads(tokenizer)
    bpe = settings["model"]
    bpe["vocab"] = {token: i for token, i in bpe["vocab"].items() if i < vocab}
    bpe["merges"] = [pair for pair in bpe["merges"] if "".join(pair) in bpe["vocab"]]
    return json.dumps(settings)
