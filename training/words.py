"""Measures of the language model and of its word space: perplexity, SimLex-999, neighbours; and thirty free prompts."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.layout import BOS, END
from training.lexicon import OUT as WORDS
from training.sources import DATA, held_out, paragraphs

NEIGHBOURS_OF = (
    "doctor",
    "pain",
    "drug",
    "blood",
    "bank",
    "money",
    "contract",
    "letter",
    "house",
    "mother",
    "red",
    "three",
    "happy",
    "angry",
    "quickly",
    "walk",
    "said",
    "London",
    "Alice",
    "Monday",
)

FREE = json.loads((Path(__file__).parent / "free_prompts.json").read_text("utf-8"))


def measure(
    folder: Path, answer: Callable[[list[list[dict[str, str]]]], list[str]], data: Path | None
) -> dict[str, object]:
    """The card's figures beyond exact answers."""
    free = [
        {"prompt": p, "answer": a}
        for p, a in zip(FREE, answer([[{"role": "user", "content": p}] for p in FREE]), strict=True)
    ]
    vectors = Vectors(folder)
    return {
        "free": free,
        "perplexity": perplexity(folder, data or DATA),
        "simlex": simlex(vectors, data or DATA),
        "neighbours": {word: vectors.nearest(word) for word in NEIGHBOURS_OF},
    }


def perplexity(folder: Path, data: Path, tokens: int = 40_000, row: int = 256) -> dict[str, float]:
    """Of held-out general text, by piece and in bits a character; rows of ``row`` pieces, each from a cold start."""
    import torch
    import torch.nn.functional as F
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rng = random.Random("perplexity")
    texts = [
        text
        for source, identity, text in paragraphs(data)
        if held_out(identity) and rng.random() < (0.02 if source == "books" else 0.1)
    ]
    rng.shuffle(texts)
    ids: list[int] = []
    characters = 0
    for text in texts:
        ids += [*tokenizer(text, add_special_tokens=False)["input_ids"], END]
        characters += len(text)
        if len(ids) >= tokens:
            break
    total = 0.0
    count = 0
    with torch.inference_mode():
        for at in range(0, len(ids) - row, row):
            part = torch.tensor([[BOS, *ids[at : at + row]]])
            total += float(F.cross_entropy(model(part).logits[0, :-1], part[0, 1:], reduction="sum"))
            count += row
    bits = total / count / np.log(2) * len(ids) / characters
    return {
        "perplexity": round(float(np.exp(total / count)), 1),
        "bits_per_character": round(float(bits), 3),
        "pieces": count,
    }


class Vectors:
    """Word vectors as ``cmif split`` makes them: the mean of the rows of the pieces of " word"."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        try:
            rows = load_file(str(folder / "model.safetensors"))["model.embed_tokens.weight"].astype(
                np.float32
            )
        except (TypeError, ValueError, KeyError):  # numpy knows no bf16
            from safetensors.torch import load_file as load

            rows = load(str(folder / "model.safetensors"))["model.embed_tokens.weight"].float().numpy()
        self.rows = rows - rows.mean(0)

    def of(self, word: str) -> np.ndarray:
        vector = self.rows[self.tokenizer.encode(f" {word}", add_special_tokens=False).ids].mean(0)
        return np.asarray(vector / np.linalg.norm(vector))

    def nearest(self, word: str, n: int = 6) -> list[str]:
        """Among the 6,000 most frequent words and all names of the public list."""
        if not hasattr(self, "words"):
            rows = [line.split("\t") for line in gzip.decompress(WORDS.read_bytes()).decode().splitlines()]
            self.words = [r[0] for r in rows if r[1] == "word"][:6000] + [
                r[0] for r in rows if r[1] == "name"
            ]
            self.matrix = np.stack([self.of(w) for w in self.words])
        order = np.argsort(-(self.matrix @ self.of(word)))
        return [self.words[i] for i in order if self.words[i] != word][:n]


def simlex(vectors: Vectors, data: Path) -> dict[str, float]:
    """Spearman's rank correlation of cosines with human similarity (Hill et al. 2015), all 999 pairs."""
    from scipy.stats import spearmanr

    with (data / "counterfit/SimLex-999.txt").open(encoding="utf-8", newline="") as file:
        pairs = [
            (r["word1"], r["word2"], float(r["SimLex999"])) for r in csv.DictReader(file, delimiter="\t")
        ]
    cosines = [float(vectors.of(a) @ vectors.of(b)) for a, b, _ in pairs]
    return {
        "spearman": round(float(spearmanr(cosines, [p[2] for p in pairs]).statistic), 3),
        "pairs": len(pairs),
    }
