"""The tokenizer: byte-level BPE, 8,192 pieces, each digit a piece, chat template, plain ``transformers`` files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from cmif.enclave.surrogates import lists
from training.field.conversations import conversation
from training.field.values import Values
from training.layout import CHAT_TEMPLATE, DIGITS, FIRST_PIECE, SPECIALS, VOCAB
from training.sources import held_out, paragraphs

_SPLIT = r"'(?:s|t|re|ve|m|ll|d)\b| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def corpus(data: Path, seed: int, general: int = 9_000_000, field: int = 12_000) -> Iterator[str]:
    """Text to learn pieces from: listed surrogates many times, field conversations, ``general`` characters of T text.

    Books come last in the sources, so every paragraph is kept with a chance that balances trade and plain prose.
    """
    rng = random.Random(seed)
    for group, entries in lists().items():
        for entry in entries:
            yield " ".join([f" {entry}"] * (60 if group != "site" else 40))
    values = Values(rng)
    for _ in range(field):
        for turn in conversation(rng, values).turns:
            yield f"{turn.question}\n{turn.answer}"
    used = 0
    for source, identity, text in paragraphs(data, books=80):
        if held_out(identity) or rng.random() > (0.25 if source == "books" else 0.2):
            continue
        yield text
        used += len(text)
        if used > general:
            return


def train(texts: Iterator[str], vocab: int = VOCAB) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        min_frequency=2,
        special_tokens=[AddedToken(piece, special=True, normalized=False) for piece in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    digits = [tokenizer.token_to_id(str(d)) for d in range(10)]
    if digits != DIGITS.tolist() or tokenizer.token_to_id("!") != FIRST_PIECE:
        raise RuntimeError(f"the alphabet moved: digits stand at {digits}")
    return tokenizer


def save(tokenizer: Tokenizer, out: Path, context: int) -> None:
    """Write tokenizer.json, tokenizer_config.json, chat_template.jinja for ``AutoTokenizer.from_pretrained``."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|end|>",
        "pad_token": "<|pad|>",
        "additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"],
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "chat_template": CHAT_TEMPLATE,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
