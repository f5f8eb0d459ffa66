"""Metric-DP noise on embedding rows: the "direct DP" peer of the evaluation.

Rows of a public table are far apart in hundreds of dimensions, so noise that a model still reads through is noise that
nearest-neighbour search reads through as well (`cmif_lab.refutations`). It is measured because "noise in the embedding
vectors" is what the literature first reaches for; no gateway offers it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, MechanismError
from cmif.privacy.sample import words64

F64 = npt.NDArray[np.float64]


def _uniform(count: int) -> F64:
    """Uniform on (0, 1]: multiples of 2^-53 from the operating system's generator, never 0."""
    out: F64 = ((words64(count) >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53
    return out


def _gaussian(rows: int, width: int) -> F64:
    """Standard normal [rows, width] by Box & Muller."""
    half = (rows * width + 1) // 2
    radius = np.sqrt(-2.0 * np.log(_uniform(half)))
    angle = 2.0 * math.pi * _uniform(half)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: rows * width].reshape(
        rows, width
    )


def noise(rows: int, width: int, epsilon: float) -> F64:
    """float64 [rows, width], each row of density proportional to exp(-epsilon * ||z||_2).

    A uniform direction times a length of law Gamma(width, 1 / epsilon); the mean length is width / epsilon.
    Source: Feyisetan et al. 2020, "Privacy- and Utility-Preserving Textual Analysis via Calibrated
    Multivariate Perturbations". MechanismError unless epsilon is finite and > 0.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise MechanismError(f"epsilon of noise on rows must be a finite number above 0, not {epsilon}.")
    direction = _gaussian(rows, width)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-300)
    length = np.empty(rows)
    for i in range(rows):  # a Gamma of whole shape is a sum of exponentials
        length[i] = -np.log(_uniform(width)).sum() / epsilon
    return direction * length[:, None]


def noisy_rows(rows: npt.NDArray[np.floating], epsilon: float) -> npt.NDArray[np.float32]:
    """float32 [m, d]: ``rows`` plus fresh `noise`.

    Guarantee: epsilon * ||r - r'||_2 metric-DP for each row, for ANY two rows r, r' (density ratio; rounding is
    post-processing), and the sum of that over the rows and over every request that sends
    them again: nothing is remembered here. It is no LDP at epsilon: two words at distance 5 are 5 epsilon
    apart. It holds for real numbers; float64 noise has gaps and a bounded tail (Mironov 2012), so unlike the
    table this is not exact.
    """
    r = np.asarray(rows, dtype=np.float64)
    if r.ndim != 2 or not np.isfinite(r).all():
        raise InputError("Rows must be a finite matrix [m, d].")
    return (r + noise(r.shape[0], r.shape[1], epsilon)).astype(np.float32)
