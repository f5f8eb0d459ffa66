"""Probabilities as integers: every row of a table is non-negative integers that sum to 2^48.

A float matrix promises epsilon up to rounding; the integers that are compiled from it are what is sampled
and what is proven. Knows nothing about words or files.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cmif.errors import MechanismError

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

MAX_EPSILON = 30.0  # nats of one draw: beyond it a column's smallest weight would round to nothing
BITS = 48  # weights times a bucket's width stay far below 2^64, so 64-bit sums are exact
TOTAL = 1 << BITS
DUST = 1e-6  # a column that no input reports more often than this is dropped: it is no useful output
SHARES = (0.0, *(2.0**-e for e in range(44, 15, -2)))
_PRECISION = 192


@lru_cache(maxsize=64)
def exp_lower(exponent: Fraction) -> Fraction:
    """A rational lower bound of e^exponent (exponent >= 0), within a factor of about 1 - 2^-150.

    The Taylor series has positive terms only; each is rounded DOWN to a multiple of 2^-192 and the tail is
    left out.
    """
    if exponent < 0:
        raise ValueError("exp_lower needs an exponent >= 0")
    term = total = 1 << _PRECISION
    i = 0
    while term:
        i += 1
        term = term * exponent.numerator // (exponent.denominator * i)
        total += term
    return Fraction(total, 1 << _PRECISION)


def exceeds(high: U64, low: U64, bound: Fraction) -> npt.NDArray[np.bool_]:
    """high > bound * low, element by element, in integers of any size; bool of their shape."""
    pairs, place = np.unique(np.stack([high.ravel(), low.ravel()]), axis=1, return_inverse=True)
    wrong = [h * bound.denominator > l * bound.numerator for h, l in pairs.T.tolist()]
    return np.array(wrong, dtype=bool)[place].reshape(high.shape)


def compile_rows(matrix: npt.NDArray[np.float64], epsilon: float) -> tuple[I64, U64]:
    """(columns int64 [m], weights uint64 [K, m]) for a law's matrix [K, K]: what the table stores of a
    bucket.

    ``columns`` are the outputs that are used at all. Every row of ``weights`` sums to 2^48 and every column
    has max <= e^epsilon min, checked in integers. Rounding can exceed epsilon by 1e-12 or so; then the least
    share of the uniform law over the columns that repairs it is mixed in, at most 2^-16. MechanismError when
    that is not enough, which means that the matrix itself is not epsilon-LDP.
    """
    columns = np.flatnonzero(matrix.max(axis=0) > DUST)
    kept = matrix[:, columns] / matrix[:, columns].sum(axis=1, keepdims=True)
    bound = exp_lower(Fraction(epsilon))
    rows = np.arange(len(kept))
    for share in SHARES:
        mixed = (1 - share) * kept + share / len(columns)
        weights = np.floor(mixed * TOTAL).astype(np.int64)
        weights[rows, weights.argmax(axis=1)] += TOTAL - weights.sum(axis=1)
        result = weights.astype(np.uint64)
        if not exceeds(result.max(axis=0), result.min(axis=0), bound).any():
            return columns, result
    raise MechanismError("A bucket's law is not epsilon-LDP: no integer table of it can be certified.")
