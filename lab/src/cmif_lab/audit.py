"""Statistical audit: what epsilon do samples of the real sampler refute?

A proof of the table does not prove the sampler. This draws from it as a request does and bounds epsilon from
BELOW: a claim under the bound is refuted with the stated confidence, a claim above it is not contradicted
(and not proven). Source: the Clopper-Pearson auditing of Jagielski, Ullman & Oprea 2020. Needs SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError

I64 = npt.NDArray[np.int64]
Draw = Callable[[I64], I64]


def clopper_pearson(hits: int, draws: int, alpha: float) -> tuple[float, float]:
    """Exact two-sided confidence interval of level 1 - alpha for a probability, from ``hits`` in
    ``draws``.
    """
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(alpha / 2, hits, draws - hits + 1))
    high = 1.0 if hits == draws else float(beta.ppf(1 - alpha / 2, hits + 1, draws - hits))
    return low, high


def epsilon_lower_bound(first: I64, second: I64, alpha: float = 0.05) -> float:
    """A lower bound on epsilon, right with probability >= 1 - alpha, from samples of M(x) and of M(x').

    ``first``, ``second``: int64 [m] outputs of independent runs on x and on x'. The event is chosen on the
    first half of both and its probabilities are bounded on the second half, so that choosing it costs no
    confidence. Two kinds of event in two directions are tried, each at alpha / 4: the output with the
    largest ratio, and all outputs with a ratio above 3. Returns 0 when nothing is refuted. InputError for
    fewer than 2 samples or different lengths.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise InputError("An audit needs two samples of the same length, at least 2 draws each.")
    outputs, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    half = len(first) // 2
    a, b = codes[: len(first)], codes[len(first) :]
    best = 0.0
    for one, other in ((a, b), (b, a)):
        p = np.bincount(one[:half], minlength=len(outputs))
        q = np.bincount(other[:half], minlength=len(outputs))
        for event in (np.array([int(np.argmax(p / (q + 0.5)))]), np.flatnonzero(p > 3 * (q + 1))):
            if not event.size:
                continue
            hits = [int(np.isin(s[half:], event).sum()) for s in (one, other)]
            # alpha / 4 for each of four tries, half of it for each of the two one-sided bounds
            low = clopper_pearson(hits[0], len(one) - half, alpha / 4)[0]
            high = clopper_pearson(hits[1], len(other) - half, alpha / 4)[1]
            if low > 0:
                best = max(best, math.log(low / high))
    return best


def audit(draw: Draw, pairs: Iterable[tuple[int, int]], draws: int, alpha: float = 0.05) -> float:
    """The largest `epsilon_lower_bound` over ``pairs`` of inputs, ``draws`` runs of each, jointly at level 1
    - alpha.

    ``draw``: int64 [m] inputs -> int64 [m] outputs, independent, as `Table.sample`. Any mechanism fits, a
    peer's too.
    """
    chosen = list(pairs)
    if not chosen:
        raise InputError("An audit needs at least one pair of inputs.")
    return max(
        epsilon_lower_bound(
            draw(np.full(draws, x, dtype=np.int64)),
            draw(np.full(draws, y, dtype=np.int64)),
            alpha / len(chosen),
        )
        for x, y in chosen
    )
