"""Copy exercises over random token ids: what a small model must master before it can answer with a name.

Knows nothing about text. Every exercise is a row of ids and a mask of the positions that carry loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.layout import BOS, DIGITS, FIRST_PIECE, VOCAB, Batch


def _ids(rng: np.random.Generator, n: int) -> np.ndarray:
    """``n`` random ids: one vocabulary-wide law, with runs of digits, as phones and references have."""
    out = rng.integers(FIRST_PIECE, VOCAB, n)
    if rng.random() < 0.6:
        at = 0
        while at < n:
            at += int(rng.integers(2, 16))
            run = int(rng.integers(2, 18))
            out[at : at + run] = rng.choice(DIGITS, len(out[at : at + run]))
            at += run
    return out


def repetition(rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    """A random sequence twice; loss on the second copy, but for its first token."""
    half = (length - 1) // 2
    first = _ids(rng, half)
    row = np.full(length, BOS)
    row[1 : 1 + half] = row[1 + half : 1 + 2 * half] = first
    mask = np.zeros(length, bool)
    mask[2 + half : 1 + 2 * half] = True
    return row, mask


def recall(rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    """``key value...`` pairs between noise, then keys again in another order: the values must follow.

    A key is one token out of a small set, a value 1-4 tokens (or a digit string), so that what is looked up
    is decided by the key alone.
    """
    row = np.full(length, BOS)
    mask = np.zeros(length, bool)
    keys = rng.choice(np.arange(FIRST_PIECE, VOCAB), 12, replace=False)
    pairs: list[tuple[int, np.ndarray]] = []
    at = 1
    for key in keys:
        digits = rng.random() < 0.6
        size = int(rng.integers(4, 17)) if digits else int(rng.integers(1, 5))
        value = rng.choice(DIGITS, size) if digits else rng.integers(FIRST_PIECE, VOCAB, size)
        noise = int(rng.integers(0, 5))
        if at + 1 + size + noise > length * 0.55:
            break
        row[at] = key
        row[at + 1 : at + 1 + size] = value
        at += 1 + size
        row[at : at + noise] = rng.integers(FIRST_PIECE, VOCAB, noise)
        at += noise
        pairs.append((int(key), value))
    while pairs:
        key, value = pairs.pop(int(rng.integers(len(pairs))))
        if at + 1 + len(value) > length:
            break
        row[at] = key
        row[at + 1 : at + 1 + len(value)] = value
        mask[at + 1 : at + 1 + len(value)] = True
        at += 1 + len(value)
    row[at:] = rng.integers(FIRST_PIECE, VOCAB, length - at)
    return row, mask


def span(rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    """A random sequence, then stretches from its middle: loss from each stretch's second token on."""
    row = np.full(length, BOS)
    mask = np.zeros(length, bool)
    body = int(length * 0.6)
    row[1 : 1 + body] = _ids(rng, body)
    at = 1 + body
    while at < length:
        size = min(int(rng.integers(4, 14)), length - at)
        start = int(rng.integers(1, body - size))
        row[at : at + size] = row[start : start + size]
        known = 1
        while known < size and row[at + known - 1] in DIGITS:  # a digit alone does not say where it stands
            known += 1
        mask[at + known : at + size] = True
        at += size
    return row, mask


def batches(rng: np.random.Generator, tokens: int, share_plain: float = 0.2) -> Iterator[Batch]:
    """Endless batches of about ``tokens`` ids; ``share_plain`` of the rows are pure repetition."""
    while True:
        length = int(rng.choice([48, 64, 96]))
        rows, masks = [], []
        for _ in range(tokens // length):
            pick = rng.random()
            make = repetition if pick < share_plain else recall if pick < (1 + share_plain) / 2 else span
            row, mask = make(rng, length)
            rows.append(row)
            masks.append(mask)
        yield Batch(np.stack(rows).astype(np.int64), np.stack(masks))
