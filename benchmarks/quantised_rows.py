"""What int8 and fp8 rows do to a trained model's answers: greedy output and perplexity, against exact bf16 rows.

    python benchmarks/quantised_rows.py MODEL [--text FILE] [--new 48]

MODEL is a Hugging Face directory or the `server` half of a split. Prompts are windows of the text, 24 to 96 tokens;
perplexity is over consecutive windows of 256 tokens. float32 on the CPU.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from cmif.bench.prompts import TEXT
from cmif.engine.decoder import Decoder
from cmif.engine.transformers import load_model
from cmif.placements.placement import decode_greedily
from cmif.wire.rows import pack, to_float, unpack

CODECS = ("bf16", "int8", "fp8")


def rows_of(model: Any, codec: str) -> torch.Tensor:
    """The model's whole table as it arrives under ``codec``: float32 [vocab, hidden]."""
    table = (
        model.model.embed_tokens.weight.detach().to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    )
    return torch.from_numpy(to_float(unpack(codec, memoryview(pack(codec, table)), *table.shape)))


def greedy(model: Any, rows: torch.Tensor, prompts: list[list[int]], new: int) -> list[list[int]]:
    decoder = Decoder(model)
    return [decode_greedily(decoder, rows[ids], new, decoder.embed, []) for ids in prompts]


def perplexity(model: Any, rows: torch.Tensor, ids: list[int], window: int = 256) -> float:
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(ids) - 1, window):
            part = torch.tensor(ids[start : start + window])
            if len(part) < 2:
                break
            logits = model(inputs_embeds=rows[part][None]).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, part[1:], reduction="sum"))
            count += len(part) - 1
    return math.exp(total / count)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="directory of tokenizer.json; default: MODEL")
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--new", type=int, default=48)
    options = parser.parse_args()
    model = load_model(options.model)
    tokenizer = Tokenizer.from_file(str((options.tokenizer or options.model) / "tokenizer.json"))
    text = options.text.read_text("utf-8") if options.text else TEXT
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    rng = np.random.default_rng(0)
    prompts = [ids[s : s + n] for s, n in zip(rng.integers(0, max(1, len(ids) - 96), options.prompts),
                                             rng.integers(24, 97, options.prompts), strict=True)]  # fmt: skip
    exact = greedy(model, rows_of(model, "bf16"), prompts, options.new)
    for codec in CODECS:
        rows = rows_of(model, codec)
        got = greedy(model, rows, prompts, options.new)
        same = [a == b for a, b in zip(exact, got, strict=True)]
        agree = [next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), options.new)
                 for a, b in zip(exact, got, strict=True)]  # fmt: skip
        print(json.dumps({
            "codec": codec, "perplexity": round(perplexity(model, rows, ids[:4096]), 4),
            "same_answers": f"{sum(same)}/{len(same)}", "tokens_before_the_first_difference": float(np.mean(agree)),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
