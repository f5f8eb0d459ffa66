"""SanText and SanText+ (Yue et al., "Differential Privacy for Text Analytics via Natural Text Sanitization",
ACL Findings 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmif_lab.eval.mechanism import Likelihood
from cmif_lab.eval.peers.space import Space, blocks, draw

CANDIDATES = 64


class SanText:
    """P(y|x) = exp(-eps/2 d(x,y)) / sum over y' in V, d Euclidean between rows, V the whole lexicon, every
    word replaced.

    Guarantee: P(y|x) <= exp(eps d(x,x')) P(y|x'): metric DP, not eps-LDP. What eps means hangs on the scale
    of the table: rows of MiniLM are at most about 2.2 apart, so the law is almost uniform at eps <= 4.
    """

    name = "santext"
    k = 0
    everything = True
    memo = False
    guarantee = (
        "eps*d metric DP (Euclidean rows); no eps-LDP: the loss between two words is eps times their distance"
    )

    def __init__(self, space: Space, epsilon: float) -> None:
        self.space, self.epsilon = space, epsilon
        self.pool = np.arange(len(space.lexicon))
        self._log_z: np.ndarray | None = None

    def log_z(self) -> np.ndarray:
        """float64 [lexicon]: log of each input's normaliser (one pass over all pairs, then kept)."""
        if self._log_z is None:
            z = np.empty(len(self.space.lexicon))
            for part in blocks(len(z)):
                d = self.space.distances(np.arange(part.start, part.stop), self.pool)
                z[part] = np.log(np.exp(d * np.float32(-self.epsilon / 2)).sum(1, dtype=np.float64))
            self._log_z = z
        return self._log_z

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        distinct, inverse = np.unique(words, return_inverse=True)
        out = np.empty(len(words), np.int64)
        for part in blocks(len(distinct)):
            weights = np.exp(self.space.distances(distinct[part], self.pool) * np.float32(-self.epsilon / 2))
            for row, number in enumerate(range(part.start, part.stop)):
                hit = np.flatnonzero(inverse == number)
                edges = np.cumsum(weights[row], dtype=np.float64)
                found = np.searchsorted(edges, rng.random(len(hit)) * edges[-1], side="right")
                out[hit] = self.pool[np.minimum(found, len(edges) - 1)]
        return out

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The published code draws a word uniformly for a token outside its vocabulary."""
        return rng.choice(self.pool, len(classes))

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """The 64 candidates of highest prior times likelihood for each output."""
        base = np.log(prior) - self.log_z()
        found: list[Likelihood] = []
        everything = np.arange(len(prior))
        for part in blocks(len(outputs)):
            loss = self.space.distances(outputs[part], everything) * np.float32(-self.epsilon / 2)
            best = np.argpartition(-(loss + base), CANDIDATES, axis=1)[:, :CANDIDATES]
            logs = np.take_along_axis(loss, best, 1) - self.log_z()[best]
            found += [(c, np.exp(p)) for c, p in zip(best, logs, strict=True)]
        return found


class SanTextPlus(SanText):
    """SanText over V_S, the rarest half of the types; other words are kept with probability 1 - p, p = 0.2
    (the code's defaults).

    Sensitive x: y in V_S by SanText restricted to V_S. Other x: kept with 0.8, else y in V_S by the same law.
    V_S is taken here from public counts; the paper counts the private corpus itself. Guarantee: eps*d metric
    DP among words of V_S; a word outside V_S that is released was the input (infinite loss there).
    """

    name = "santext+"
    guarantee = (
        "eps*d metric DP for the rarest half of the types only; "
        "the other half is released in clear with probability 0.8"
    )
    share = 0.5
    p = 0.2

    def __init__(self, space: Space, epsilon: float) -> None:
        super().__init__(space, epsilon)
        order = np.argsort(space.lexicon.counts, kind="stable")
        self.pool = np.sort(order[: int(self.share * len(order))])
        self.rare = np.zeros(len(order), bool)
        self.rare[self.pool] = True

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        replaced = self.rare[words] | (rng.random(len(words)) < self.p)
        out = words.copy()
        out[replaced] = super().sample(words[replaced], rng)
        return out

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        rare = self.rare[outputs]
        found: list[Likelihood] = [(np.array([y]), np.array([1 - self.p])) for y in outputs]
        inner = super().likelihood(outputs[rare], np.where(self.rare, prior, prior * self.p))
        for i, (candidates, p) in zip(np.flatnonzero(rare), inner, strict=True):
            found[i] = (candidates, np.where(self.rare[candidates], p, p * self.p))
        return found


class Metric:
    """Feyisetan et al., "Privacy- and Utility-Preserving Textual Analysis via Calibrated Multivariate
    Perturbations" (WSDM 2020).

    y = argmin over V of |row(x) + z - row(y)|, z with density proportional to exp(-eps |z|) in R^d: a uniform
    direction times a Gamma(d, 1/eps) length. Guarantee: eps*d metric DP (Euclidean); post-processing by the
    nearest neighbour is free. At d = 384 the noise is 384/eps long, against rows 1.4 long, so eps of this
    table's size gives noise alone.
    """

    name = "metric"
    k = 0
    everything = False
    memo = False
    guarantee = "eps*d metric DP (Euclidean rows), holds; no eps-LDP"

    def __init__(self, space: Space, epsilon: float) -> None:
        self.space, self.epsilon = space, epsilon
        self.pool = np.arange(space.lexicon.sanitised)

    def noise(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """float32 [count, hidden]: draws of z."""
        size = self.space.rows.shape[1]
        direction = rng.standard_normal((count, size))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        return np.asarray(direction * rng.gamma(size, 1 / self.epsilon, (count, 1)), np.float32)

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        out = np.empty(len(words), np.int64)
        for part in blocks(len(words)):
            points = self.space.rows[words[part]]
            out[part] = self.pool[
                self.space.to_pool(points + self.noise(len(points), rng), self.pool).argmin(1)
            ]
        return out

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.space.members.uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """The law has no closed form; exp(-eps d(x,y)) stands for it, which makes the attack weaker than the
        best one.
        """
        found: list[Likelihood] = []
        for part in blocks(len(outputs)):
            logs = self.space.distances(outputs[part], self.pool) * np.float32(-self.epsilon)
            best = np.argpartition(-(logs + np.log(prior[self.pool])), CANDIDATES, axis=1)[:, :CANDIDATES]
            found += [
                (self.pool[c], np.exp(p))
                for c, p in zip(best, np.take_along_axis(logs, best, 1), strict=True)
            ]
        return found


class Rantext:
    """RANTEXT of InferDPT (Tong et al., "InferDPT: Privacy-Preserving Inference for Black-box Large Language
    Model", 2023).

    Radius r = |noise|, noise per dimension Laplace with scale (range of that dimension) / f(eps), f(eps) =
    eps below 2 and a fitted logarithm from there; candidates C_r = {y: d(x,y) < r}; P(y|x) proportional to
    exp(eps/2 (1 - d(x,y)/r)) on C_r. Guarantee: none proven for the released word. The candidates depend on
    the input, the radius hardly on eps (from 2 on the scale is the fitted constant), and unknown tokens are
    dropped.
    """

    name = "rantext"
    k = 0
    everything = False
    memo = False
    guarantee = (
        "claims eps-LDP; none proven: the candidates depend on the input, "
        "and for eps >= 2 the radius hardly on eps"
    )
    # ln(eps * A - B) * C + D: the constants of the published code
    fit = (19.064721649556482, 38.1294334077209, 0.01658160142016071, 9.311083811697406)

    def __init__(self, space: Space, epsilon: float) -> None:
        self.space, self.epsilon = space, epsilon
        self.pool = np.arange(space.lexicon.sanitised)
        rows = space.rows[self.pool]
        a, b, c, d = self.fit
        divisor = epsilon if epsilon < 2 or epsilon * a <= b else c * np.log(epsilon * a - b) + d
        self.scale = (rows.max(0) - rows.min(0)) / divisor

    def radii(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """float64 [count]."""
        return np.asarray(np.linalg.norm(rng.laplace(size=(count, len(self.scale))) * self.scale, axis=1))

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        out = np.empty(len(words), np.int64)
        radii = self.radii(len(words), rng)
        for part in blocks(len(words)):
            distances = self.space.distances(words[part], self.pool)
            for row, i in enumerate(range(part.start, part.stop)):
                near = np.flatnonzero(distances[row] < radii[i])
                if len(near) == 0:
                    out[i] = words[i]
                    continue
                out[i] = self.pool[
                    near[draw(np.exp(-self.epsilon / 2 * distances[row, near] / radii[i]), rng)]
                ]
        return out

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Dropped in the published code; a uniform word of the class here, which says as little."""
        return self.space.members.uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """exp(-eps d / 2r) averaged over 32 radii, zero outside each; normalisers left out (a weaker attack
        than the best).
        """
        found: list[Likelihood] = []
        radii = self.radii(32, np.random.default_rng(0)).astype(np.float32)
        for part in blocks(len(outputs)):
            d = self.space.distances(outputs[part], self.pool)
            p = np.zeros_like(d)
            for r in radii:
                p += np.where(d < r, np.exp(np.float32(-self.epsilon / 2) * d / r), 0)
            best = np.argpartition(-(p * prior[self.pool]), CANDIDATES, axis=1)[:, :CANDIDATES]
            weights = np.take_along_axis(p, best, 1) / len(radii) + 1e-12
            found += [(self.pool[c], w) for c, w in zip(best, weights, strict=True)]
        return found
