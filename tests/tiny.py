"""A tiny random Llama with a real tokenizer and chat template: made in a second, same files as a hub model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
TEXT = [
    "The patient reports chest pain and takes aspirin daily.",
    "Please refund the fee of 45 dollars to my account.",
    "This agreement may be ended with 30 days of written notice.",
    "John Smith lives in Berlin and works for Northfield Bank; anna.weber@birch.example",
]


def make_model(folder: Path, architecture: str = "llama", dtype: str = "bfloat16", **changes: Any) -> Path:
    """A random causal LM of ``architecture`` (llama, mistral, qwen2, qwen3) saved the Hugging Face way."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=480, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 20, trainer)
    bos = tokenizer.token_to_id("<|bos|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", bos)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|bos|>", eos_token="<|end|>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    names = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
    config_class = getattr(transformers, f"{names[architecture]}Config")
    eos = tokenizer.token_to_id("<|end|>")
    shape = {
        "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": bos,
        "eos_token_id": eos, "initializer_range": 0.3,
    }  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{names[architecture]}ForCausalLM")(config_class(**{**shape, **changes}))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def make_gguf(
    file: Path,
    architecture: str = "llama",
    *,
    expert_count: int | None = None,
    context_length: int | None = 256,
    rope_scaling: str | None = None,
    model: str = "gpt2",
    pre: str = "smollm",
    tokens: bool = True,
    without: str = "",
) -> Path:
    """A random GGUF of one layer, weights in Q8_0, with a byte-level tokenizer and a chat template."""
    import gguf
    import numpy as np
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    head = 128 if architecture == "qwen3" else 16  # `transformers` reads no other of a Qwen 3 GGUF
    vocabulary = [*SPECIAL, *alphabet, "Ġt", "he", "Ġthe"]
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_embedding_length(64)
    writer.add_block_count(1)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_rope_freq_base(10000.0)
    if context_length is not None:
        writer.add_context_length(context_length)
    if expert_count is not None:
        writer.add_expert_count(expert_count)
    if rope_scaling is not None:
        writer.add_string(f"{architecture}.rope.scaling.type", rope_scaling)
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    if tokens:
        writer.add_token_list(vocabulary)
        writer.add_token_types([3] * len(SPECIAL) + [1] * (len(vocabulary) - len(SPECIAL)))
        writer.add_token_merges(["Ġ t", "h e", "Ġt he"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(0)
    quantised = gguf.GGMLQuantizationType.Q8_0
    shapes = {
        "token_embd": (len(vocabulary), 64), "output": (len(vocabulary), 64), "blk.0.attn_q": (4 * head, 64),
        "blk.0.attn_k": (2 * head, 64), "blk.0.attn_v": (2 * head, 64), "blk.0.attn_output": (64, 4 * head),
        "blk.0.ffn_gate": (96, 64), "blk.0.ffn_up": (96, 64), "blk.0.ffn_down": (64, 96),
    }  # fmt: skip
    shapes.pop(without, None)
    for name, shape in shapes.items():
        values = random.normal(0, 0.3, shape).astype(np.float32)
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, quantised), raw_dtype=quantised)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(64, dtype=np.float32))
    for bias, size in {"attn_q": 64, "attn_k": 32, "attn_v": 32}.items():
        if architecture == "qwen2":
            writer.add_tensor(f"blk.0.{bias}.bias", random.normal(0, 0.3, size).astype(np.float32))
    for norm in ("attn_q_norm", "attn_k_norm"):
        if architecture == "qwen3":
            writer.add_tensor(f"blk.0.{norm}.weight", np.ones(head, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
