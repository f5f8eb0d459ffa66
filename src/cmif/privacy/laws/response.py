"""Randomised response: over the whole bucket, and over k medoids of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cmif.privacy.laws.base import F64, check_bucket, check_epsilon


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


def medoids(distances: F64, epsilon: float, weights: F64) -> npt.NDArray[np.int64]:
    """The representatives that `medoid_rr` reports: indices into the bucket.

    Chosen greedily by weighted distance to the nearest one; their number m is the one that minimises the
    expected distortion (e^eps * near + all - near) / (e^eps + m - 1), where ``near`` is the weighted
    distance to the nearest representative and ``all`` the sum of the weighted distances to every one of them.
    """
    e = math.exp(epsilon)
    k = distances.shape[0]
    to = weights @ distances  # weighted distance of the bucket to each candidate
    nearest = np.full(k, np.inf)
    chosen: list[int] = []
    best, best_m, everything = math.inf, 1, 0.0
    for m in range(1, k + 1):
        cost = weights @ np.minimum(nearest[:, None], distances)
        cost[chosen] = np.inf
        r = int(np.argmin(cost))
        chosen.append(r)
        nearest = np.minimum(nearest, distances[:, r])
        everything += float(to[r])
        near = float(weights @ nearest)
        distortion = (e * near + everything - near) / (e + m - 1)
        if distortion < best:
            best, best_m = distortion, m
    return np.array(chosen[:best_m], dtype=np.int64)


def medoid_rr(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """k-medoid randomised response: map x to its nearest of m representatives, then randomised response over
    the m.

    P(y|x) = e^eps / (e^eps + m - 1) for the nearest representative, 1 / (e^eps + m - 1) for the others, 0
    for words that represent nothing (for EVERY x, so no loss). Sensitivity: none. Source: ours, see
    `medoids`; the mapping is a deterministic pre-processing of the input. Guarantee: epsilon-LDP inside the
    bucket, with equality when m >= 2. Within about 1 % of the optimum's distortion at epsilon 1 for a
    twentieth of its cost; with m = K it is `rr`.
    """
    epsilon = check_epsilon(epsilon)
    d, w = check_bucket(distances, weights)
    chosen = medoids(d, epsilon, w)
    low = 1.0 / (math.exp(epsilon) + len(chosen) - 1)
    p = np.zeros_like(d)
    p[:, chosen] = low
    p[np.arange(len(d)), chosen[d[:, chosen].argmin(axis=1)]] = math.exp(epsilon) * low
    return p
