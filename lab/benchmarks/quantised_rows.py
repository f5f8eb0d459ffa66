"""What int8 and fp8 rows do to a real model: its answers, and its perplexity, against exact bf16 rows.

    python lab/benchmarks/quantised_rows.py [SPLIT] [--prompts 40] [--text FILE]

SPLIT is what `cmif split` made; SmolLM2's if none is given. The prompts ask for sentences of the benchmark's own prose
in simpler words, answered greedily to the end token; perplexity is over windows of 256 tokens of the text, by default
the same prose. float32 on the CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cmif.bf16 import to_float
from cmif.cli.options import default_split
from cmif.gateway.bundles import open_bundle
from cmif.wire.rows import pack, unpack
from cmif_lab.bench.prompts import TEXT
from cmif_lab.placements.placement import decode_greedily
from cmif_server.engine.decoder import Decoder
from cmif_server.engine.transformers import load_model

CODECS = ("bf16", "int8", "fp8")
NEW = 40


def rows_of(model: Any, codec: str) -> torch.Tensor:
    """The model's whole table as it arrives under ``codec``: float32 [vocab, hidden]."""
    table = (
        model.model.embed_tokens.weight.detach().to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    )
    return torch.from_numpy(to_float(unpack(codec, memoryview(pack(codec, table)), *table.shape)))


def answers(model: Any, rows: torch.Tensor, chats: list[list[int]], end: set[int]) -> list[list[int]]:
    decoder = Decoder(model)
    out = []
    for ids in chats:
        got = decode_greedily(decoder, rows[ids], NEW, decoder.embed, [])
        out.append(got[: next((i for i, token in enumerate(got) if token in end), NEW)])
    return out


def perplexity(model: Any, rows: torch.Tensor, ids: list[int], window: int = 256) -> float:
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(ids) - 1, window):
            part = torch.tensor(ids[start : start + window])
            logits = model(inputs_embeds=rows[part][None]).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, part[1:], reduction="sum"))
            count += len(part) - 1
    return math.exp(total / count)


def measure(split: Path, text: str, count: int) -> None:
    model = load_model(split / "server")
    bundle = open_bundle(split / "client")
    end = set(bundle.manifest.eos)
    sentences = [s for s in re.split(r"(?<=[.?!])\s+", " ".join(TEXT.split())) if len(s) > 40][:count]
    chats = [
        bundle.tokeniser.encode_chat([{"role": "user", "content": f"Say this in simpler words: {s}"}])
        for s in sentences
    ]
    ids = bundle.tokeniser.pieces(text)
    exact: list[list[int]] = []
    for codec in CODECS:
        rows = rows_of(model, codec)
        got = answers(model, rows, chats, end)
        exact = exact or got
        print(json.dumps({
            "codec": codec, "prompts": len(chats), "same_answer_as_bf16": sum(map(list.__eq__, exact, got)),
            "perplexity": round(perplexity(model, rows, ids[:8192]), 4),
        }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("split", type=Path, nargs="?")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--prompts", type=int, default=40)
    options = parser.parse_args()
    text = options.text.read_text("utf-8") if options.text else TEXT
    measure(options.split or default_split("client", "server"), text, options.prompts)


if __name__ == "__main__":
    main()
