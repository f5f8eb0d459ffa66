"""Vectors and weights: centring, constraints, the task axis, frequencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cmif.errors import InputError
from cmif_server.tables.vectors import (
    centred_rows,
    counter_fit,
    features,
    frequency_weights,
    read_pairs,
    task_axis,
    unit_rows,
    without_first,
)
from tests.unit.privacy.conftest import clustered


def test_rows_lose_their_first_principal_component_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    rows = unit_rows(rng.normal(size=(500, 40)) * np.linspace(1, 2, 40))
    _, directions = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    less = without_first(rows)
    assert np.abs(less @ directions[:, -1]).max() < 0.02 < np.abs(rows @ directions[:, -1]).max()
    rest = rows @ directions[:, :-1]
    assert np.allclose(less @ directions[:, :-1], unit_rows(rest), atol=0.02)


def test_two_dimensions_have_no_component_to_spare() -> None:
    rows = unit_rows(np.random.default_rng(1).normal(size=(9, 2)))
    assert without_first(rows) is rows


def test_centred_rows_lose_what_they_share() -> None:
    rows = clustered(200, 16) + np.array([3.0] + [0.0] * 15, dtype=np.float32)
    before, after = unit_rows(rows), centred_rows(rows)
    assert np.linalg.norm(before.mean(axis=0)) > 0.9
    assert np.linalg.norm(after.mean(axis=0)) < 0.1
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, rtol=1e-5)
    assert after.dtype == np.float32


def test_the_callers_rows_stay_as_they_are() -> None:
    rows = 2 * clustered(10, 4)
    copy = rows.copy()
    centred_rows(rows)
    counter_fit(rows, np.array([[0, 1]]), np.array([[2, 3]]))
    np.testing.assert_array_equal(rows, copy)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.zeros(3), np.full((2, 3), np.nan)])
def test_bad_rows_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(InputError):
        unit_rows(rows)


def test_features_side_by_side() -> None:
    a, b, axis = clustered(5, 3), clustered(5, 4, seed=1), np.linspace(-1, 1, 5)
    assert features(a).shape == (5, 3)
    both = features(a, b, axis, scale=2.0)
    assert both.shape == (5, 8)
    np.testing.assert_allclose(both[:, :3], a / 2)
    np.testing.assert_allclose(both[:, -1], 2 * axis)


def test_frequency_weights_are_square_roots_with_mean_one() -> None:
    w = frequency_weights(np.array([0, 3.5, 99.5]))
    assert w.mean() == pytest.approx(1)
    assert w[2] / w[1] == pytest.approx(5)
    with pytest.raises(InputError):
        frequency_weights(np.array([-1.0]))


def test_constraint_lines() -> None:
    lines = ["good great\n", "great good", "good good", "good unknown", "", "three words here", "bad poor"]
    assert read_pairs(lines, ["poor", "good", "bad", "great"]).tolist() == [[0, 2], [1, 3]]
    assert read_pairs([], ["a"]).shape == (0, 2)


def test_counter_fitting_moves_pairs_and_leaves_the_rest() -> None:
    x = clustered(300, 24, clusters=20)
    synonyms, antonyms = np.array([[0, 1], [2, 3], [4, 5]]), np.array([[6, 7], [8, 9], [4, 5]])
    near = x[6] + 0.1 * x[7]
    x[7] = near / np.linalg.norm(near)
    y = counter_fit(x, synonyms, antonyms)

    def cosine(rows: np.ndarray, pair: list[int]) -> float:
        return float(rows[pair[0]] @ rows[pair[1]])

    for pair in ([0, 1], [2, 3]):
        assert cosine(y, pair) > max(0.8, cosine(x, pair))
    assert cosine(x, [6, 7]) > 0.9
    assert cosine(y, [6, 7]) < 0.5
    assert cosine(y, [4, 5]) < max(0.1, cosine(x, [4, 5]))  # in both files: antonyms
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, rtol=1e-5)
    far = [i for i in range(10, 300) if (x[:10] @ x[i]).max() < 0.1]
    assert np.einsum("ij,ij->i", x[far], y[far]).min() > 0.99


def test_counter_fitting_without_constraints_changes_nothing() -> None:
    x, none = clustered(20, 8), np.zeros((0, 2), np.int64)
    np.testing.assert_allclose(counter_fit(x, none, none), x, rtol=1e-6)


def test_real_constraint_files(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "counterfit"
    words = (folder / "vocabulary.txt").read_text().split()[:4000]
    synonyms = read_pairs((folder / "ppdb_synonyms.txt").read_text().splitlines(), words)
    antonyms = read_pairs((folder / "wordnet_antonyms.txt").read_text().splitlines(), words)
    assert len(synonyms) > 20
    assert len(antonyms) > 20
    y = counter_fit(clustered(len(words), 16), synonyms, antonyms, rounds=5)
    near, far = (np.einsum("ij,ij->i", y[p[:, 0]], y[p[:, 1]]).mean() for p in (synonyms, antonyms))
    assert near > 0.5
    assert far < 0.1


def test_task_axis_regresses_what_the_lexicon_does_not_hold() -> None:
    rng = np.random.default_rng(0)
    direction = rng.normal(size=20)
    x = clustered(400, 20)
    truth = x @ direction
    truth /= np.abs(truth).max()
    words = [str(i) for i in range(400)]
    axis = task_axis(x, words, {w: float(truth[i]) for i, w in enumerate(words[:300])}, ridge=0.01)
    np.testing.assert_allclose(axis[:300], truth[:300], rtol=1e-5)
    assert np.corrcoef(axis[300:], truth[300:])[0, 1] > 0.95


def test_a_lexicon_of_unknown_words_is_refused() -> None:
    with pytest.raises(InputError, match="fewer than two"):
        task_axis(clustered(3, 2), ["a", "b", "c"], {"z": 1.0, "a": 0.5})
