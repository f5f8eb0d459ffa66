"""What every peer is given: the lexicon, the model's own rows for it, and the two distances the papers
use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmif_lab.eval.lexicon import Lexicon
from cmif_lab.eval.mechanism import Members

BLOCK = 1024


@dataclass(frozen=True)
class Space:
    """``rows``: float32 [lexicon, hidden], the mean row of each word's pieces in the model's embedding
    table.
    """

    lexicon: Lexicon
    rows: np.ndarray

    @cached_property
    def unit(self) -> np.ndarray:
        """float32 rows of length 1."""
        return np.asarray(
            self.rows / np.maximum(np.linalg.norm(self.rows, axis=1, keepdims=True), 1e-9), np.float32
        )

    @cached_property
    def squares(self) -> np.ndarray:
        return np.asarray((self.rows**2).sum(1), np.float32)

    @cached_property
    def members(self) -> Members:
        return Members.of(self.lexicon)

    def distances(self, words: np.ndarray, pool: np.ndarray) -> np.ndarray:
        """float32 [words, pool]: Euclidean distances between rows."""
        return self.to_pool(self.rows[words], pool)

    def to_pool(self, points: np.ndarray, pool: np.ndarray) -> np.ndarray:
        """float32 [points, pool]: Euclidean distances of arbitrary points (float32 [n, hidden]) to the pool's
        rows.
        """
        whole = len(pool) == len(self.rows)
        rows, squares = (self.rows, self.squares) if whole else (self.rows[pool], self.squares[pool])
        found = points @ rows.T
        found *= -2
        found += squares
        found += (points**2).sum(1)[:, None]
        np.maximum(found, 0, out=found)
        return np.asarray(np.sqrt(found, out=found))


def blocks(size: int) -> Iterator[slice]:
    """Slices of at most :data:`BLOCK` that cover range(size)."""
    for start in range(0, size, BLOCK):
        yield slice(start, min(start + BLOCK, size))


def draw(weights: np.ndarray, rng: np.random.Generator) -> int:
    """One index with probability proportional to ``weights`` (float [n])."""
    edges = np.cumsum(weights, dtype=np.float64)
    return int(min(np.searchsorted(edges, rng.random() * edges[-1], side="right"), len(edges) - 1))
