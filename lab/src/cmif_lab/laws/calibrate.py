"""The least noise that keeps an epsilon: exact losses instead of textbook bounds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cmif_server.tables.laws.base import F64, exact_epsilon


def sensitivity(scores: F64) -> float:
    """Delta = max over outputs y and inputs x, x' of |s(x, y) - s(x', y)|, for scores [K, K] of one
    bucket.
    """
    return float((scores.max(axis=0) - scores.min(axis=0)).max())


def calibrate(
    family: Callable[[F64, float], F64], scores: F64, epsilon: float, *, tolerance: float = 1e-9
) -> F64:
    """The member of a noise family with the least noise whose EXACT loss is at most ``epsilon``.

    ``family(scores, scale)`` is the law at a noise scale. The textbook scale 2*Delta/epsilon always
    satisfies epsilon and spends only about 0.6 of it; from there the scale shrinks until the exact loss
    meets epsilon. Only scales whose loss was computed and found <= epsilon are ever returned, so the
    guarantee does not lean on monotonicity.
    """
    delta = sensitivity(scores)
    if delta == 0.0:
        return np.full(scores.shape, 1.0 / scores.shape[1])
    inverse_low = epsilon / (2.0 * delta)  # inverse scales: the loss is nearly linear in them
    best = family(scores, 1.0 / inverse_low)
    gap_low = exact_epsilon(best) - epsilon
    inverse_high, gap_high = inverse_low, gap_low
    while gap_high <= 0 and inverse_high < inverse_low * 2**20:
        inverse_low, gap_low = inverse_high, gap_high
        inverse_high *= 1.5
        trial = family(scores, 1.0 / inverse_high)
        gap_high = exact_epsilon(trial) - epsilon
        best = trial if gap_high <= 0 else best
    for step in range(60):
        if gap_high <= 0 or -gap_low <= tolerance * epsilon:
            break
        # regula falsi, with a bisection every third step so that one flat end cannot stall it
        share = 0.5 if step % 3 == 2 or not math.isfinite(gap_high) else -gap_low / (gap_high - gap_low)
        share = min(max(share, 1e-3), 1 - 1e-3)
        middle = inverse_low + share * (inverse_high - inverse_low)
        trial = family(scores, 1.0 / middle)
        gap = exact_epsilon(trial) - epsilon
        if gap <= 0:
            inverse_low, gap_low, best = middle, gap, trial
        else:
            inverse_high, gap_high = middle, gap
    return best
