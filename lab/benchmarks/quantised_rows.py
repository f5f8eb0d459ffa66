"""What int8 and fp8 rows do to a trained model: its answers, and its perplexity, against exact bf16 rows.

    PYTHONPATH=. python lab/benchmarks/quantised_rows.py [MODEL] [--prompts 200] [--text FILE]

MODEL is a Hugging Face directory with a chat template; the embedded default model if none is given. The prompts are the
held-out ones of `training/evaluate.py` (documents with a question each), answered greedily to the end token;
perplexity is over windows of 256 tokens of the text, by default the benchmark's own prose. float32 on the CPU.
"""

from __future__ import annotations

import argparse
import json
import math
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training.evaluate import prompts as held_out

from cmif.bf16 import to_float
from cmif.enclave.tokenise import Tokeniser
from cmif.engine.decoder import Decoder
from cmif.engine.transformers import load_model
from cmif.wire.rows import pack, unpack
from cmif_lab.bench.prompts import TEXT
from cmif_lab.placements.placement import decode_greedily

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


def measure(folder: Path, text: str, count: int) -> None:
    model = load_model(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    tokeniser = Tokeniser(
        (folder / "tokenizer.json").read_text("utf-8"),
        (folder / "chat_template.jinja").read_text("utf-8"),
        {name: settings[name] for name in ("bos_token", "eos_token") if isinstance(settings.get(name), str)},
    )
    eos = model.generation_config.eos_token_id
    end = set(eos if isinstance(eos, list) else [eos])
    asked = list(held_out(count))
    chats = [tokeniser.encode_chat(p.messages) for p in asked]
    ids = tokeniser.pieces(text)
    exact: list[list[int]] = []
    for codec in CODECS:
        rows = rows_of(model, codec)
        got = answers(model, rows, chats, end)
        exact = exact or got
        right = sum(
            tokeniser.decode(a).strip() == p.expected.strip() for a, p in zip(got, asked, strict=True)
        )
        print(json.dumps({
            "codec": codec, "prompts": len(asked), "same_answer_as_bf16": sum(map(list.__eq__, exact, got)),
            "right_answers": right, "perplexity": round(perplexity(model, rows, ids[:8192]), 4),
        }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--prompts", type=int, default=200)
    options = parser.parse_args()
    text = options.text.read_text("utf-8") if options.text else TEXT
    with as_file(files("cmif.provider").joinpath("data/default")) as default:
        measure(options.model or default, text, options.prompts)


if __name__ == "__main__":
    main()
