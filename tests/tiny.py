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
