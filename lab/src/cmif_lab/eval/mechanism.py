"""What a mechanism is to the experiments: a sampler of words, and the likelihood that the attackers invert.

The law is public, so every attacker gets it. Sampling here may use a seeded generator: these are
measurements, not releases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from cmif_lab.eval.lexicon import Lexicon

Likelihood = tuple[np.ndarray, np.ndarray]
"""Candidates (int64 lexicon indices) and P(output | candidate) for one output."""


class Mechanism(Protocol):
    """``everything``: whether stop words are replaced too. ``guarantee``: what it really gives, in one
    sentence.

    ``k``: candidates an input has, 0 where that is the whole lexicon. ``memo``: one draw per document and
    word.
    """

    name: str
    guarantee: str
    k: int
    everything: bool
    memo: bool

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """int64 [m] lexicon indices -> int64 [m] outputs, one independent draw each."""
        ...

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Outputs for words outside the lexicon, given their classes (uint8 [m]); -1 lets the word
        through.
        """
        ...

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """One :data:`Likelihood` per output. ``prior`` (float64 [lexicon]) says which candidates may be left
        out.
        """
        ...


@dataclass(frozen=True)
class Members:
    """A class's words as lexicon indices, for uniform draws."""

    by_class: dict[int, np.ndarray]

    @classmethod
    def of(cls, lexicon: Lexicon) -> Members:
        classes = lexicon.classes[: lexicon.sanitised]
        return cls({int(c): np.flatnonzero(classes == c) for c in np.unique(classes)})

    def uniform(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """int64 [m]: a word of each class, independent of the value (epsilon 0); of the first class where one
        is empty.
        """
        fallback = next(iter(self.by_class.values()))
        out = np.empty(len(classes), np.int64)
        for c in np.unique(classes):
            pool = self.by_class.get(int(c), fallback)
            hit = classes == c
            out[hit] = rng.choice(pool, int(hit.sum()))
        return out


class Buckets:
    """A partition with one row-stochastic matrix per bucket, mixed with a background ``gamma`` over the
    class.

    M(y|x) = (1 - gamma) Q(y|x) + gamma / |class|: ``eps_in``-LDP inside a bucket, ln(1 + (1-gamma) q_max
    |class| / gamma) over the class. ``law(bucket)`` gives Q for a bucket's member indices and is called once
    per bucket that is needed.
    """

    everything = False
    memo = True

    def __init__(
        self,
        name: str,
        lexicon: Lexicon,
        buckets: Sequence[np.ndarray],
        law: Callable[[np.ndarray], np.ndarray],
        *,
        k: int,
        gamma: Fraction | float,
        guarantee: str,
    ) -> None:
        self.name, self.k, self.guarantee = name, k, guarantee
        self.buckets, self.law, self.gamma = buckets, law, float(gamma)
        self.classes = lexicon.classes
        self.members = Members.of(lexicon)
        self.home = np.full(len(lexicon), -1, np.int64)
        self.place = np.zeros(len(lexicon), np.int64)
        for number, bucket in enumerate(buckets):
            self.home[bucket] = number
            self.place[bucket] = np.arange(len(bucket))
        self._matrices: dict[int, np.ndarray] = {}

    def matrix(self, number: int) -> np.ndarray:
        """float64 [members, members]: Q of bucket ``number``."""
        if number not in self._matrices:
            self._matrices[number] = np.asarray(self.law(self.buckets[number]), float)
        return self._matrices[number]

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        out = np.empty(len(words), np.int64)
        homes = self.home[words]
        for number in np.unique(homes):
            hit = np.flatnonzero(homes == number)
            edges = np.cumsum(self.matrix(int(number)), 1)[self.place[words[hit]]]
            drawn = (rng.random(len(hit))[:, None] * edges[:, -1:] >= edges).sum(1)
            out[hit] = self.buckets[number][np.minimum(drawn, edges.shape[1] - 1)]
        stray = np.flatnonzero(rng.random(len(words)) < self.gamma)
        out[stray] = self.members.uniform(self.classes[words[stray]], rng)
        return out

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.members.uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """Exact over the class: the bucket's members, and the likeliest word of the class outside it (the
        background).
        """
        top = {c: pool[np.argmax(prior[pool])] for c, pool in self.members.by_class.items()}
        found = []
        for y in outputs:
            bucket, c = self.buckets[self.home[y]], int(self.classes[y])
            background = self.gamma / len(self.members.by_class[c])
            p = (1 - self.gamma) * self.matrix(int(self.home[y]))[:, self.place[y]] + background
            if background and self.home[top[c]] != self.home[y]:
                bucket, p = np.append(bucket, top[c]), np.append(p, background)
            found.append((bucket, p))
        return found
