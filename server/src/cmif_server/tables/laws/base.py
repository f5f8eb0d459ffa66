"""What every law shares: the type, the exact privacy loss of a matrix, input checks.

A law turns the pairwise distances of ONE bucket into a row-stochastic matrix ``P[x, y]`` = probability of
reporting word ``y`` when the word is ``x``. Knows nothing about buckets, tables, integers or sampling.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, MechanismError
from cmif.privacy.integers import MAX_EPSILON

F64 = npt.NDArray[np.float64]


class Law(Protocol):
    """``law(distances, epsilon, weights) -> P``.

    ``distances``: float64 [K, K], ``D[x, y] = 1 - cosine(x, y)``, finite, >= 0 up to rounding. ``epsilon``:
    the target loss in nats, 0 < epsilon <= 30 (`constant` spends none and ignores it). ``weights``: float64 [K],
    how often each word is expected as the INPUT (any scale, public), uniform when None; laws that do not
    optimise ignore it. Returns float64
    [K, K], rows summing to 1, with ``exact_epsilon(P) <= epsilon`` up to float rounding (the integer table
    is what is proven, not this matrix). Raises MechanismError for a bad epsilon, InputError for bad
    distances or weights.
    """

    def __call__(self, distances: F64, epsilon: float, weights: F64 | None = None) -> F64: ...


def check_epsilon(epsilon: float) -> float:
    """``epsilon`` as a float; MechanismError unless 0 < epsilon <= 30 (NaN and infinity included)."""
    value = float(epsilon)
    if not 0.0 < value <= MAX_EPSILON:
        raise MechanismError(
            f"epsilon must be a number above 0 and at most {MAX_EPSILON:g}, not {value}.",
            hint="Privacy is spent per word; 1 is the default.",
        )
    return value


def check_bucket(distances: F64, weights: F64 | None) -> tuple[F64, F64]:
    """(distances clipped at 0, weights summing to 1), both float64; InputError for wrong shapes or values."""
    d = np.asarray(distances, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1] or d.shape[0] == 0:
        raise InputError(f"distances must be a square matrix [K, K], not of shape {d.shape}.")
    if not np.isfinite(d).all():
        raise InputError("distances hold a NaN or an infinity.")
    k = d.shape[0]
    w = np.full(k, 1.0 / k) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (k,) or not np.isfinite(w).all() or (w < 0).any():
        raise InputError(f"weights must be {k} finite numbers >= 0.")
    total = w.sum()
    return np.maximum(d, 0.0), w / total if total > 0 else np.full(k, 1.0 / k)


def exact_epsilon(matrix: F64) -> float:
    """The smallest epsilon for which every pair of rows of ``matrix`` [K, M] satisfies P[x, y] <= e^epsilon
    P[x', y].

    Pure LDP over the rows as inputs: max over columns of ln(max / min). A column that is zero everywhere is
    no output; a column that is zero for some inputs only gives infinity. Float64: use `certify` for a proof.
    """
    high, low = matrix.max(axis=0), matrix.min(axis=0)
    used = high > 0
    if (low[used] <= 0).any():
        return math.inf
    return float(np.max(np.log(high[used]) - np.log(low[used]), initial=0.0))
