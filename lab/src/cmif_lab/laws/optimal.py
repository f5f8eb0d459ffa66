"""The law of least expected distortion under epsilon-LDP, by linear programming."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cmif.errors import MechanismError
from cmif_server.tables.laws.base import F64, check_bucket, check_epsilon, exact_epsilon

DUST = 1e-6  # the solver leaves columns of about 1e-9: no outputs, yet their ratios are unbounded
MIXES = (0.0, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)


def repair(matrix: F64, epsilon: float) -> F64:
    """A float matrix from a solver made epsilon-LDP: drop columns under 1e-6, mix in the least uniform that
    is needed.

    matrix [K, K], nearly row-stochastic. MechanismError when even a share of 1e-5 does not bring it under
    epsilon.
    """
    used = matrix.max(axis=0) > DUST
    p = np.where(used, np.maximum(matrix, 0.0), 0.0)
    p /= p.sum(axis=1, keepdims=True)
    for share in MIXES:
        mixed: F64 = (1 - share) * p + share * used / used.sum()
        if exact_epsilon(mixed) <= epsilon:
            return mixed
    raise MechanismError("The linear program's solution could not be repaired to the epsilon asked for.")


def optimal(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """Report-Noisy-Max with optimal scores: scores log P(y|x) and Gumbel noise, P from a linear program.

    P minimises sum_x w_x sum_y P(y|x) D(x, y) subject to rows summing to 1 and m_y <= P(y|x) <= e^eps m_y
    for every x and y: 2 K^2 constraints for the K^3 pairwise ones. Any law is RNM with scores log P and
    Gumbel noise, so this is the best RNM. Sensitivity: none, the constraint is the loss itself. Source: the
    linear program of Ghosh, Roughgarden & Sundararajan 2009 for local inputs; the m_y form ours. Guarantee:
    epsilon-LDP inside the bucket, proven again in integers. Needs SciPy (build time only); about 0.3 s a
    bucket at K=32.
    """
    # build time only: loading and sampling a table needs NumPy alone
    from scipy import sparse
    from scipy.optimize import linprog

    epsilon = check_epsilon(epsilon)
    d, w = check_bucket(distances, weights)
    k = d.shape[0]
    if k == 1:
        return np.ones((1, 1))
    cells = np.arange(k * k)
    column = k * k + cells % k
    one = np.ones(k * k)
    floor = sparse.csr_matrix((np.r_[-one, one], (np.r_[cells, cells], np.r_[cells, column])))
    ceiling = sparse.csr_matrix(
        (np.r_[one, -math.exp(epsilon) * one], (np.r_[cells, cells], np.r_[cells, column]))
    )
    rows: Any = sparse.csr_matrix((one, (cells // k, cells)), shape=(k, k * k + k))
    inequalities: Any = sparse.vstack([floor, ceiling])
    answer: Any = linprog(
        np.r_[(w[:, None] * d).ravel(), np.zeros(k)],
        A_ub=inequalities,
        b_ub=np.zeros(2 * k * k),
        A_eq=rows,
        b_eq=np.ones(k),
        bounds=(0, 1),
        method="highs",
    )
    if answer.status != 0:
        raise MechanismError(f"The linear program of a bucket failed: solver status {answer.status}.")
    return repair(np.asarray(answer.x[: k * k], dtype=np.float64).reshape(k, k), epsilon)
