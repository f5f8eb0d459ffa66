"""The laws that ship: representatives, their epsilon, their refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmif.errors import InputError, MechanismError
from cmif_server.tables.laws import LAWS, exact_epsilon
from cmif_server.tables.laws.response import medoids
from tests.unit.privacy.conftest import clustered


def distances(k: int, seed: int = 0) -> np.ndarray:
    x = clustered(k, 12, seed, clusters=4).astype(np.float64)
    return np.maximum(1 - x @ x.T, 0)


def distortion(p: np.ndarray, d: np.ndarray, w: np.ndarray | None = None) -> float:
    rows = (p * d).sum(axis=1)
    return float(rows.mean() if w is None else rows @ w / w.sum())


@pytest.mark.parametrize("name", LAWS)
@given(
    points=arrays(np.float64, (7, 3), elements=st.floats(-1, 1, width=32)),
    epsilon=st.floats(0.05, 12),
    weights=arrays(np.float64, 7, elements=st.floats(0, 1e6)),
)
@settings(max_examples=80, deadline=None)
def test_epsilon_holds_for_any_bucket(
    points: np.ndarray, epsilon: float, weights: np.ndarray, name: str
) -> None:
    d = np.linalg.norm(points[:, None] - points[None], axis=2)  # with ties and equal words among them
    p = LAWS[name](d, epsilon, weights)
    assert p.shape == (7, 7)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    assert exact_epsilon(p) <= epsilon * (1 + 1e-9)


def test_the_medoids_of_clear_groups_are_one_a_group() -> None:
    points = np.array([0.0, 0.01, 0.02, 5.0, 5.01, 5.02])
    d = np.abs(points[:, None] - points)
    assert sorted(medoids(d, 3.0, np.full(6, 1 / 6)).tolist()) == [1, 4]
    p = LAWS["medoid-rr"](d, 3.0)
    assert (p[:3, 1] > p[:3, 4]).all()
    assert (p[3:, 4] > p[3:, 1]).all()
    assert (p[:, [0, 2, 3, 5]] == 0).all()


def test_medoids_follow_the_weights() -> None:
    points = np.array([0.0, 1.0, 2.0])
    d = np.abs(points[:, None] - points)
    assert medoids(d, 0.1, np.array([0.98, 0.01, 0.01])).tolist() == [0]
    assert medoids(d, 0.1, np.array([0.01, 0.01, 0.98])).tolist() == [2]


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, 31.0])
def test_bad_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(MechanismError, match="epsilon"):
        LAWS["medoid-rr"](distances(4), epsilon)


@pytest.mark.parametrize(
    ("d", "w"),
    [
        (np.zeros((3, 4)), None),
        (np.zeros((0, 0)), None),
        (np.full((3, 3), np.nan), None),
        (np.zeros((3, 3)), np.ones(4)),
        (np.zeros((3, 3)), np.array([1.0, -1.0, 1.0])),
    ],
)
def test_bad_buckets_are_refused(d: np.ndarray, w: np.ndarray | None) -> None:
    with pytest.raises(InputError):
        LAWS["medoid-rr"](d, 1.0, w)


def test_exact_epsilon_of_different_supports_is_infinite() -> None:
    assert exact_epsilon(np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])) == math.inf
    assert exact_epsilon(np.array([[1.0, 0.0], [1.0, 0.0]])) == 0.0


@given(
    points=arrays(np.float64, (7, 3), elements=st.floats(-1, 1, width=32)),
    weights=arrays(np.float64, 7, elements=st.floats(0, 1e6)),
)
@settings(max_examples=60, deadline=None)
def test_the_constant_law_is_the_medoid_and_no_constant_is_nearer(points: np.ndarray, weights: np.ndarray) -> None:
    d = np.linalg.norm(points[:, None] - points[None], axis=2)
    p = LAWS["constant"](d, 0.0, weights)
    assert exact_epsilon(p) == 0
    assert set(p.ravel()) == {0.0, 1.0}
    w = weights if weights.sum() else np.ones(7)
    assert distortion(p, d, w) <= min(distortion(np.tile(row, (7, 1)), d, w) for row in np.eye(7)) + 1e-9
