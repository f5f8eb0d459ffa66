"""Report-Noisy-Max: score every candidate, add independent noise, report the argmax.

Scores are cosines, ``s(x, y) = -D(x, y)`` up to a constant. Candidates are the bucket's members whatever the
input, which is what makes epsilon-LDP possible at all: with per-input candidates (the top-K neighbours)
supports differ and the loss is infinite. Each noise comes with two calibrations:

- textbook: scale 2*Delta/epsilon, Delta = `calibrate.sensitivity`. The factor 2 is needed because cosine scores
  are not monotone in the input. epsilon-LDP inside the bucket, by the classical proof; spends about 0.6 of
  it;
- exact: the smallest scale whose exact loss, computed from the law's matrix, is <= epsilon.

Sources: Dwork & Roth, "The Algorithmic Foundations of Differential Privacy" (2014), section 3.3 (noisy max
with Laplace and one-sided exponential noise) and 3.4 (exponential mechanism); McKenna & Sheldon,
"Permute-and-Flip" (2020); Ding et al., "The Permute-and-Flip Mechanism is Identical to Report-Noisy-Max with
Exponential Noise" (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cmif_lab.laws.calibrate import calibrate, sensitivity
from cmif_server.tables.laws.base import F64, check_bucket, check_epsilon

LAPLACE_NODES = 16  # per interval between two neighbouring scores, where the integrand is smooth


@lru_cache(maxsize=32)
def _legendre(n: int) -> tuple[F64, F64]:
    """Gauss-Legendre nodes and weights on [0, 1]: exact for polynomials of degree 2n - 1."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


def gumbel_matrix(scores: F64, scale: float) -> F64:
    """P(y) proportional to exp(s(x, y) / scale): RNM with Gumbel(scale) noise, the exponential mechanism."""
    z = np.exp((scores - scores.max(axis=1, keepdims=True)) / scale)
    out: F64 = z / z.sum(axis=1, keepdims=True)
    return out


def exponential_matrix(scores: F64, scale: float) -> F64:
    """RNM with one-sided Exponential(scale) noise, which is permute-and-flip.

    With q_j = exp((s_j - max s) / scale): P(y) = q_y * integral over z in [0, 1] of prod_{j != y} (1 - z
    q_j). The integrand is a polynomial of degree K - 1, so Gauss-Legendre with ceil(K / 2) nodes is exact up
    to rounding.
    """
    q = np.exp((scores - scores.max(axis=1, keepdims=True)) / scale)
    nodes, weights = _legendre((scores.shape[1] + 1) // 2)
    flips = 1.0 - nodes[:, None, None] * q[None]  # nodes < 1, so never 0
    others = np.prod(flips, axis=2, keepdims=True) / flips
    p = q * np.einsum("n,nxy->xy", weights, others)
    out: F64 = p / p.sum(axis=1, keepdims=True)
    return out


def laplace_matrix(scores: F64, scale: float) -> F64:
    """RNM with Laplace(scale) noise: P(y) = integral over t of f(t - u_y) prod_{j != y} F(t - u_j), u = s /
    scale.

    Below every score the integral is closed; above every score it is a polynomial in exp(-t), so
    Gauss-Legendre is exact; between two neighbouring scores the integrand is smooth and 16 nodes leave about
    1e-12.
    """
    u = scores / scale
    u = u - u.max(axis=1, keepdims=True)
    k = u.shape[1]
    ordered = np.sort(u, axis=1)
    # below: prod of e^{t - u_j} / 2 for every j, the same for each y
    below = np.exp(k * ordered[:, :1] - u.sum(axis=1, keepdims=True) - k * np.log(2.0)) / k
    p = np.repeat(below, k, axis=1)
    nodes, weights = _legendre((k + 1) // 2)
    # above, z = e^{-t}: f dt = e^{u_y} / 2 dz and F = 1 - z e^{u_j} / 2, with every u_j <= 0
    half = np.exp(u) / 2
    rest = 1.0 - nodes[:, None, None] * half[None]
    p += half * np.einsum("n,nxy->xy", weights, np.prod(rest, axis=2, keepdims=True) / rest)
    nodes, weights = _legendre(LAPLACE_NODES)
    for i in range(k - 1):
        width = ordered[:, i + 1] - ordered[:, i]
        t = ordered[:, i, None] + width[:, None] * nodes[None]
        z = t[:, :, None] - u[:, None, :]
        tail = 0.5 * np.exp(-np.abs(z))  # density and, on the left, distribution function
        log_f = np.log(np.where(z < 0, np.maximum(tail, 1e-300), 1.0 - tail))
        others = np.exp(log_f.sum(axis=2, keepdims=True) - log_f)
        p += np.einsum("n,xny->xy", weights, tail * others) * width[:, None]
    out: F64 = p / p.sum(axis=1, keepdims=True)
    return out


def _textbook(
    family: Callable[[F64, float], F64], distances: F64, epsilon: float, weights: F64 | None
) -> F64:
    epsilon = check_epsilon(epsilon)
    scores = -check_bucket(distances, weights)[0]
    delta = sensitivity(scores)
    return family(scores, 2 * delta / epsilon) if delta else np.full(scores.shape, 1 / scores.shape[1])


def _exact(family: Callable[[F64, float], F64], distances: F64, epsilon: float, weights: F64 | None) -> F64:
    epsilon = check_epsilon(epsilon)
    return calibrate(family, -check_bucket(distances, weights)[0], epsilon)


def rnm_laplace(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """argmax of cosine + Laplace(b), b the smallest scale whose exact loss is <= epsilon.

    Sensitivity: none used; the loss is computed from the matrix. Source: Dwork & Roth 2014, 3.3, calibration
    ours. Guarantee: epsilon-LDP inside the bucket, met with equality up to 1e-9.
    """
    return _exact(laplace_matrix, distances, epsilon, weights)


def rnm_laplace_textbook(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """argmax of cosine + Laplace(2*Delta/epsilon), Delta the bucket's largest change of one score over
    inputs.

    Source: Dwork & Roth 2014, 3.3. Guarantee: epsilon-LDP inside the bucket; really spends about 0.6 epsilon.
    """
    return _textbook(laplace_matrix, distances, epsilon, weights)


def rnm_gumbel(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """P(y|x) proportional to exp(cosine / b), b the smallest scale whose exact loss is <= epsilon.

    Sensitivity: none used. Source: McSherry & Talwar 2007 (exponential mechanism = Gumbel noise),
    calibration ours. Guarantee: epsilon-LDP inside the bucket, met with equality up to 1e-9.
    """
    return _exact(gumbel_matrix, distances, epsilon, weights)


def rnm_gumbel_textbook(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """P(y|x) proportional to exp(epsilon * cosine / (2 * Delta)): the exponential mechanism as published.

    Source: McSherry & Talwar 2007; Dwork & Roth 2014, 3.4. Guarantee: epsilon-LDP inside the bucket; spends
    about 0.6.
    """
    return _textbook(gumbel_matrix, distances, epsilon, weights)


def rnm_exponential(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """argmax of cosine + Exponential(b) (permute-and-flip), b the smallest scale whose exact loss is <=
    epsilon.

    Sensitivity: none used. Sources: McKenna & Sheldon 2020; Ding et al. 2021; exact law by Gauss-Legendre.
    Guarantee: epsilon-LDP inside the bucket, met with equality up to 1e-9.
    """
    return _exact(exponential_matrix, distances, epsilon, weights)


def rnm_exponential_textbook(distances: F64, epsilon: float, weights: F64 | None = None) -> F64:
    """argmax of cosine + Exponential(2*Delta/epsilon): permute-and-flip as published, and the paper's noise.

    Sources: McKenna & Sheldon 2020; Ding et al. 2021. Guarantee: epsilon-LDP inside the bucket; spends about
    0.6.
    """
    return _textbook(exponential_matrix, distances, epsilon, weights)
