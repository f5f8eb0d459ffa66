"""The two ends: no protection, and noise on the rows themselves ("direct DP")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmif_lab.eval.mechanism import Likelihood
from cmif_lab.eval.peers.space import Space
from cmif_lab.eval.row_noise import noisy_rows


class Identity:
    """Every word as it is. Guarantee: none."""

    name = "none"
    k = 1
    everything = False
    memo = False
    guarantee = "none"

    def __init__(self, space: Space, epsilon: float) -> None:
        del space, epsilon

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        del rng
        return words.copy()

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        del rng
        return np.full(len(classes), -1, np.int64)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        del prior
        return [(np.array([y]), np.ones(1)) for y in outputs]


class RowNoise:
    """Noise on the embedding rows of sensitive words, sent straight to the model: `cmif_lab.eval.row_noise`.

    x' = row + z, density of z proportional to exp(-eps |z|). Guarantee: eps*d metric DP per row (Euclidean),
    in real numbers. The attacker's best guess for one row alone is argmax log prior(v) - eps |x' - row(v)|
    over the vocabulary's pieces.
    """

    name = "direct-dp"
    k = 0
    guarantee = (
        "eps*d metric DP per row (Euclidean), holds in real arithmetic; no eps-LDP: "
        "a row is as hidden as its noise is long"
    )

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def perturb(self, rows: np.ndarray) -> np.ndarray:
        """float32 [n, hidden] -> the same with fresh noise from the operating system's generator."""
        return noisy_rows(rows, self.epsilon)
