"""Packed corpora, and the batches of a step: a pure function of seed and step, so that a run resumes where it stopped.

``long.npz`` and ``short.npz`` hold conversations of many and of few turns as ragged token ids with a mask (loss on
answers), ``text.npy`` general text as one stream of ids.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.field.conversations import Conversation, conversation
from training.field.values import Values
from training.layout import ASSISTANT, BOS, END, PAD, USER, Batch
from training.repeat import batches
from training.sources import held_out, paragraphs

ROW = 128
MICRO = 512
_WIDTH = 16

FIELDS: dict[str, tuple[int, tuple[int, ...], float]] = {
    "long": (36_000, (1, 4, 6, 8), 0.1),
    "short": (60_000, (1, 1, 1, 2, 3), 0.25),
}
"""Conversations to make, how many turns they may have (many teach looking up, few teach the first answer), and how
often the first question stands before the text, the hardest place for it."""


def encode(
    tokenizer: Tokenizer, conversations: list[Conversation]
) -> tuple[list[list[int]], list[list[bool]]]:
    """Ids as the chat template would give them, and where the loss is: each answer and the piece that ends it."""
    texts = [text for c in conversations for turn in c.turns for text in (turn.question, turn.answer)]
    encoded = iter(tokenizer.encode_batch(texts, add_special_tokens=False))
    rows, masks = [], []
    for c in conversations:
        ids, mask = [BOS], [False]
        for _ in c.turns:
            question, answer = next(encoded).ids, next(encoded).ids
            ids += [USER, *question, END, ASSISTANT, *answer, END]
            mask += [False] * (len(question) + 3) + [True] * (len(answer) + 1)
        rows.append(ids)
        masks.append(mask)
    return rows, masks


def make_field(tokenizer: Tokenizer, out: Path, seed: int, name: str) -> None:
    """Conversations of one of :data:`FIELDS`."""
    n, turns, before = FIELDS[name]
    rng = random.Random(f"{name} {seed}")
    values = Values(rng)
    rows: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    for _ in range(0, n, 2000):
        talks = [conversation(rng, values, rng.choice(turns), before=before) for _ in range(2000)]
        ids, mask = encode(tokenizer, talks)
        rows += [np.array(r, np.uint16) for r in ids]
        masks += [np.array(m, bool) for m in mask]
    starts = np.cumsum([0, *(len(r) for r in rows)])
    np.savez(out / f"{name}.npz", ids=np.concatenate(rows), mask=np.concatenate(masks), starts=starts)


def make_text(tokenizer: Tokenizer, out: Path, data: Path, seed: int, tokens: int) -> None:
    """Two files: ``text.npy`` to learn from and ``held.npy``, from documents that no training step sees."""
    rng = random.Random(f"text {seed}")
    train: list[str] = []
    held: list[str] = []
    for source, identity, text in paragraphs(data, books=295):
        if held_out(identity):
            if rng.random() < 0.05:
                held.append(text)
        elif rng.random() < (0.12 if source == "books" else 0.35):
            train.append(text)
    rng.shuffle(train)
    rng.shuffle(held)
    for name, texts, limit in (("text", train, tokens), ("held", held, 60_000)):
        ids: list[int] = []
        for at in range(0, len(texts), 1000):
            for item in tokenizer.encode_batch(texts[at : at + 1000], add_special_tokens=False):
                ids += [*item.ids, END]
            if len(ids) > limit:
                break
        np.save(out / f"{name}.npy", np.array(ids[:limit], np.uint16))


@dataclass(frozen=True, slots=True)
class Mix:
    """Tokens of each stream in one step: long and short conversations, general text, copy exercises."""

    long: int = 0
    short: int = 0
    text: int = 0
    repeat: int = 0


class Field:
    """Conversations in buckets of like length."""

    def __init__(self, path: Path) -> None:
        packed = np.load(path)
        self.ids, self.mask, self.starts = packed["ids"], packed["mask"], packed["starts"]
        lengths = np.diff(self.starts)
        width = (lengths + _WIDTH - 1) // _WIDTH
        self.buckets = [np.flatnonzero(width == w) for w in range(int(width.max()) + 1)]
        size = np.array([lengths[b].sum() if len(b) >= 16 else 0 for b in self.buckets], float)
        self.chance = size / size.sum()

    def batch(self, rng: np.random.Generator, tokens: int) -> Batch:
        bucket = int(rng.choice(len(self.buckets), p=self.chance))
        rows = rng.choice(self.buckets[bucket], max(1, tokens // (bucket * _WIDTH)))
        length = int(max(self.starts[r + 1] - self.starts[r] for r in rows))
        ids = np.full((len(rows), length), PAD, np.int64)
        mask = np.zeros((len(rows), length), bool)
        for i, row in enumerate(rows):
            at = slice(self.starts[row], self.starts[row + 1])
            ids[i, : at.stop - at.start] = self.ids[at]
            mask[i, : at.stop - at.start] = self.mask[at]
        return Batch(ids, mask)


class Corpus:
    def __init__(self, folder: Path) -> None:
        self.fields = {name: Field(folder / f"{name}.npz") for name in FIELDS}
        self.text = np.load(folder / "text.npy")

    def general(self, rng: np.random.Generator, tokens: int) -> Batch:
        starts = rng.integers(0, len(self.text) - ROW, max(1, tokens // ROW))
        ids = np.stack([self.text[s : s + ROW] for s in starts]).astype(np.int64)
        ids[:, 0] = BOS
        return Batch(ids, np.ones(ids.shape, bool))

    def step(self, seed: int, step: int, mix: Mix) -> list[tuple[str, Batch]]:
        """The micro-batches of one step, each about ``MICRO`` tokens of one stream."""
        rng = np.random.default_rng([seed, step])
        out = [("long", self.fields["long"].batch(rng, size)) for size in _cut(mix.long)]
        out += [("short", self.fields["short"].batch(rng, size)) for size in _cut(mix.short)]
        out += [("text", self.general(rng, size)) for size in _cut(mix.text)]
        return out + [("repeat", next(batches(rng, size))) for size in _cut(mix.repeat)]


def _cut(tokens: int) -> list[int]:
    return [min(MICRO, tokens - at) for at in range(0, tokens, MICRO)]
