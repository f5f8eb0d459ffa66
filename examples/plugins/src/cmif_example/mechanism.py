"""Any word of the same class, uniformly: nothing of the word survives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmif_lab.eval.mechanism import Likelihood, Members
from cmif_lab.eval.peers import Space


class Uniform:
    """0-LDP over the words of a class; epsilon is not used."""

    name = "uniform"
    guarantee = "0-LDP inside a class; which class a word is of is not hidden"
    k = 0
    everything = False
    memo = True

    def __init__(self, space: Space, epsilon: float) -> None:
        del epsilon
        self._classes = space.lexicon.classes
        self._members = Members.of(space.lexicon)

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._members.uniform(self._classes[words], rng)

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._members.uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        del prior
        members = self._members.by_class
        return [(m, np.full(len(m), 1 / len(m))) for m in (members[int(self._classes[y])] for y in outputs)]
