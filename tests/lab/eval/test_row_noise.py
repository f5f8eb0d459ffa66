"""Noise on rows: its law and its refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import gamma as gamma_law
from scipy.stats import kstest

from cmif.errors import InputError, MechanismError
from cmif_lab.eval.row_noise import noise, noisy_rows


def test_lengths_are_gamma_and_directions_uniform() -> None:
    z = noise(4000, 6, 2.0)
    length = np.linalg.norm(z, axis=1)
    assert kstest(length, gamma_law(6, scale=0.5).cdf).pvalue > 1e-6
    direction = z / length[:, None]
    assert np.abs(direction.mean(axis=0)).max() < 5 / math.sqrt(6 * 4000)
    # the square of one coordinate of a uniform direction in 6 dimensions is Beta(1/2, 5/2)
    assert kstest(direction[:, 0] ** 2, "beta", args=(0.5, 2.5)).pvalue > 1e-6


def test_in_one_dimension_it_is_the_laplace_mechanism() -> None:
    assert kstest(noise(20_000, 1, 3.0)[:, 0], "laplace", args=(0, 1 / 3)).pvalue > 1e-6


def test_noise_is_added_afresh() -> None:
    rows = np.ones((5, 8), np.float32)
    first, second = noisy_rows(rows, 4.0), noisy_rows(rows, 4.0)
    assert (first != second).all()


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_bad_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(MechanismError):
        noisy_rows(np.ones((1, 2)), epsilon)


@pytest.mark.parametrize("rows", [np.ones(3), np.full((2, 2), np.nan)])
def test_bad_rows_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(InputError):
        noisy_rows(rows, 1.0)
