from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from cmif.privacy.table import Table
from cmif.types import WordClass
from cmif_server.tables.build import build_table
from cmif_server.tables.laws import LAWS as SHIPPED

BUNDLE = "ab" * 32


def clustered(n: int, width: int, seed: int = 0, clusters: int = 12) -> np.ndarray:
    """float32 [n, width]: unit rows around a few centres, as words are."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(clusters, width))[rng.integers(0, clusters, n)] + 0.6 * rng.normal(
        size=(n, width)
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rr(distances: np.ndarray, epsilon: float, weights: np.ndarray | None = None) -> np.ndarray:
    """Randomised response over the whole bucket: every word is an output."""
    p = np.ones_like(distances) + (math.exp(epsilon) - 1) * np.eye(len(distances))
    return p / p.sum(axis=1, keepdims=True)


def softmax(distances: np.ndarray, epsilon: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The exponential mechanism: all weights different, the loss below epsilon."""
    p = np.exp(-epsilon * distances / (2 * max(float(np.ptp(distances, axis=0).max()), 1e-9)))
    return p / p.sum(axis=1, keepdims=True)


LAWS = {**SHIPPED, "rr": rr, "softmax": softmax}  # certify and sample must not lean on what the shipped laws look like


def lexicon() -> tuple[list[str], np.ndarray, np.ndarray]:
    """170 words: 90 of class WORD, 60 NAME, 20 NUMBER (one bucket at k = 12), with vectors of width 16."""
    classes = np.repeat(np.array([c.value for c in WordClass], dtype=np.uint8), [90, 60, 20])
    words = [f"{'wNn'[c]}{i}" for i, c in enumerate(classes)]
    return words, classes, clustered(len(words), 16)


@pytest.fixture(scope="session", params=["medoid-rr", "rr", "softmax"])
def table(request: pytest.FixtureRequest) -> Table:
    words, classes, vectors = lexicon()
    return build_table(
        words,
        classes,
        vectors,
        bundle=BUNDLE,
        k=12,
        epsilon=1.5,
        gamma=Fraction(1, 20),
        law=request.param,
        laws=LAWS,
    )
