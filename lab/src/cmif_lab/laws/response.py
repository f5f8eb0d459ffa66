"""Randomised response over the whole bucket."""

from __future__ import annotations

import math

import numpy as np

from cmif_server.tables.laws.base import F64, check_bucket, check_epsilon


def rr(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """K-ary randomised response: keep x with probability e^eps / (e^eps + K - 1), else any other word
    uniformly.

    Sensitivity: none (distances only give K). Source: Warner 1965; Kairouz, Oh & Viswanath 2014. Guarantee:
    epsilon-LDP inside the bucket with equality. The optimum of the linear program from about epsilon 3 up.
    """
    epsilon = check_epsilon(epsilon)
    k = check_bucket(distances, weights)[0].shape[0]
    low = 1.0 / (math.exp(epsilon) + k - 1)
    p = np.full((k, k), low)
    np.fill_diagonal(p, math.exp(epsilon) * low)
    return p
