"""CusText and CusText+ (Chen et al., "A Customized Text Sanitization Mechanism with Differential Privacy",
ACL Findings 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmif_lab.eval.mechanism import Likelihood
from cmif_lab.eval.peers.space import Space

SET_SIZE = 20


def mapping(space: Space, size: int = SET_SIZE) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The paper's greedy sets: the most frequent word left takes its ``size`` nearest words left as one set.

    Returns ``home`` (int64 [lexicon], the set of each word), the sets, and u (float64 [lexicon, size]): the
    scores of each word's set for it, cosine scaled to [0, 1] per word; columns past a smaller last set are
    -inf.
    """
    n = len(space.lexicon)
    home = np.full(n, -1, np.int64)
    sets: list[np.ndarray] = []
    scores = np.full((n, size), -np.inf)
    left = np.arange(n)
    unit = space.unit
    for word in np.argsort(-space.lexicon.counts, kind="stable"):
        if home[word] >= 0:
            continue
        close = unit[left] @ unit[word]
        count = min(size, len(left))
        best = np.argpartition(-close, count - 1)[:count]
        chosen = left[best[np.argsort(-close[best], kind="stable")]]
        cosines = (unit[chosen] @ unit[chosen].T).astype(float)
        low, high = cosines.min(1, keepdims=True), cosines.max(1, keepdims=True)
        scores[chosen, :count] = (cosines - low) / np.maximum(high - low, 1e-12)
        home[chosen] = len(sets)
        sets.append(chosen)
        left = np.delete(left, best)
    return home, sets, scores


class CusText:
    """P(y|x) proportional to exp(eps u(x,y) / 2) over x's set of 20, u = cosine scaled to [0, 1] for each x
    (Delta = 1).

    Every word is replaced, words outside the vocabulary are released in clear. Guarantee: eps-LDP inside one
    set (about 0.55 eps is really spent there). Across sets the supports are disjoint: the set of the input is
    released exactly, so the claim of eps-LDP over the vocabulary fails with an infinite loss.
    """

    name = "custext"
    k = SET_SIZE
    everything = True
    memo = False
    guarantee = (
        "eps-LDP inside one set of 20 only; claimed over all words, where the loss is infinite "
        "(disjoint supports)"
    )

    def __init__(
        self,
        space: Space,
        epsilon: float,
        sets: tuple[np.ndarray, list[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.space, self.epsilon = space, epsilon
        self.home, self.sets, self.scores = sets or mapping(space)
        weights = np.exp(epsilon / 2 * self.scores)
        self.law = weights / weights.sum(1, keepdims=True)

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        edges = np.cumsum(self.law[words], 1)
        chosen = (rng.random(len(words))[:, None] * edges[:, -1:] >= edges).sum(1)
        return np.array([self.sets[self.home[x]][j] for x, j in zip(words, chosen, strict=True)], np.int64)

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.full(len(classes), -1, np.int64)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        found = []
        for y in outputs:
            members = self.sets[self.home[y]]
            found.append((members, self.law[members, int(np.flatnonzero(members == y)[0])]))
        return found


class CusTextPlus(CusText):
    """CusText that keeps stop words: the setting of every mechanism here that is not said to replace
    everything.
    """

    name = "custext+"
    everything = False


class Literal:
    """The paper's Report-Noisy-Max read literally: candidates are the 20 nearest words of the INPUT, score
    cosine, noise Laplace(1/eps), report the argmax (CMIF, arXiv 2509.09091; the candidate set of CusText's
    "aggressive" mode).

    Guarantee: none. Noisy max is eps-LDP for one fixed candidate set; here two inputs have different sets
    (0.05 % of nearest neighbours share theirs), so an output outside the other's set tells them apart: the
    loss is infinite at every eps.
    """

    name = "cmif-literal"
    k = SET_SIZE
    everything = False
    memo = False
    guarantee = "claims eps-LDP; none: the top-20 candidates depend on the input, supports differ, the loss is infinite"

    def __init__(
        self, space: Space, epsilon: float, near: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.space, self.epsilon = space, epsilon
        self.candidates, self.scores = near or nearest(space)
        self._inverse: dict[int, Likelihood] | None = None

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.laplace(scale=1 / self.epsilon, size=(len(words), SET_SIZE))
        best = (self.scores[words] + noise).argmax(1)
        return np.asarray(self.candidates[words, best])

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.space.members.uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """Exact probabilities of the noisy max for every input whose 20 candidates hold the output."""
        if self._inverse is None:
            p = noisy_max(self.scores, 1 / self.epsilon)
            inputs = np.repeat(np.arange(len(p)), SET_SIZE)
            order = np.argsort(self.candidates.ravel(), kind="stable")
            y, x, q = self.candidates.ravel()[order], inputs[order], p.ravel()[order]
            cuts = np.flatnonzero(np.diff(y)) + 1
            groups = zip(y[np.r_[0, cuts]], np.split(x, cuts), np.split(q, cuts), strict=True)
            self._inverse = {int(key): (a, b) for key, a, b in groups}
        empty = (np.zeros(1, np.int64), np.full(1, 1e-12))
        return [self._inverse.get(int(y), empty) for y in outputs]


def nearest(space: Space, size: int = SET_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Each sanitised word's ``size`` nearest words by cosine, itself among them: int64 and float64 [words,
    size].
    """
    n = space.lexicon.sanitised
    pool = space.unit[:n]
    candidates = np.empty((n, size), np.int64)
    scores = np.empty((n, size))
    for start in range(0, n, 1024):
        close = pool[start : start + 1024] @ pool.T
        best = np.argpartition(-close, size, axis=1)[:, :size]
        candidates[start : start + 1024] = best
        scores[start : start + 1024] = np.take_along_axis(close, best, 1)
    return candidates, scores


def noisy_max(scores: np.ndarray, scale: float, nodes: int = 400) -> np.ndarray:
    """float64 like ``scores`` [n, candidates]: P(argmax of score + Laplace(scale)), by the trapezoid rule on
    the winner's value.
    """
    out = np.empty_like(scores)
    for start in range(0, len(scores), 4096):
        u = (scores[start : start + 4096] / scale).astype(np.float32)
        total = np.zeros_like(u)
        for t in np.linspace(u.min() - 10, u.max() + 12, nodes, dtype=np.float32):
            tail = np.float32(0.5) * np.exp(-np.abs(t - u))
            log_f = np.log(np.where(t < u, tail, 1 - tail))
            total += tail * np.exp(log_f.sum(1, keepdims=True) - log_f)
        out[start : start + 4096] = total / total.sum(1, keepdims=True)
    return out
