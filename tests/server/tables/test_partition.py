"""Buckets: every word once, classes apart, sizes in [k, 2k), similar words together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import InputError, MechanismError
from cmif_server.tables import partition as module
from cmif_server.tables.partition import partition
from tests.unit.privacy.conftest import clustered


def cohesion(buckets: list[np.ndarray], x: np.ndarray, w: np.ndarray | None = None) -> float:
    """Mean over buckets of the (weighted) mean cosine of a member with the others."""
    total = 0.0
    for b in buckets:
        c = x[b] @ x[b].T
        np.fill_diagonal(c, 0)
        total += float((c.sum(axis=1) * (1 if w is None else w[b])).sum() / (len(b) - 1))
    return total


@given(
    sizes=st.lists(st.integers(4, 70), min_size=1, max_size=3),
    k=st.integers(2, 9),
    seed=st.integers(0, 2**16),
    ties=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_shape_of_a_partition(sizes: list[int], k: int, seed: int, ties: bool) -> None:
    k = min(k, *sizes)
    classes = np.repeat(np.arange(len(sizes), dtype=np.uint8), sizes)
    vectors = np.ones((len(classes), 5), np.float32) if ties else clustered(len(classes), 5, seed)
    buckets = partition(vectors, classes, k, seed)
    assert sorted(np.concatenate(buckets).tolist()) == list(range(len(classes)))
    for b in buckets:
        assert k <= len(b) < 2 * k
        assert len(set(classes[b].tolist())) == 1


def test_the_same_input_and_seed_give_the_same_buckets() -> None:
    x, classes = clustered(300, 20), np.zeros(300, np.uint8)
    for a, b in zip(partition(x, classes, 8, 5), partition(x, classes, 8, 5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_order_of_words_in_a_bucket_tells_nothing() -> None:
    for b in partition(clustered(200, 8), np.zeros(200, np.uint8), 8):
        assert (np.diff(b) > 0).all()


def test_swaps_raise_the_cosine_and_only_then_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    x, classes = clustered(800, 30, clusters=60), np.zeros(800, np.uint8)
    swapped = partition(x, classes, 8)
    monkeypatch.setattr(module, "SWEEPS", 0)
    plain = partition(x, classes, 8)
    assert cohesion(swapped, x) > 1.05 * cohesion(plain, x)


def test_swap_gains_are_what_they_are_taken_for() -> None:
    """The gain of the formula is the change of the objective, for every sequence of swaps."""
    x = clustered(160, 12, seed=4)
    w = np.random.default_rng(0).random(160).astype(np.float32) + 0.1
    buckets = [np.arange(i, i + 16 + 4 * (i == 64)) for i in (0, 16, 32, 48, 64)] + [
        np.arange(84 + 19 * i, 84 + 19 * (i + 1)) for i in range(4)
    ]
    x, w = x[:160], w[:160]
    before = cohesion(buckets, x, w)
    swaps = module._Swaps(buckets, x, w)
    near = module._nearest(swaps.sums)
    rises = []
    for a in range(len(buckets)):
        if swaps.visit(a, near[a]):
            after = cohesion(buckets, x, w)
            rises.append(after - before)
            before = after
    assert rises
    assert min(rises) > 0
    for b, s, t in zip(buckets, swaps.sums, swaps.weighted, strict=True):
        np.testing.assert_allclose(s, x[b].sum(axis=0), atol=1e-4)
        np.testing.assert_allclose(t, w[b] @ x[b], atol=1e-4)
        np.testing.assert_allclose(swaps.home[b, 0], x[b] @ s, atol=1e-3)
        np.testing.assert_allclose(swaps.home[b, 1], x[b] @ t, atol=1e-3)


def test_a_visit_makes_the_best_swap_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against every swap of a bucket with its neighbours, tried one by one; sizes and weights differ."""
    monkeypatch.setattr(module, "SWAPS_A_VISIT", 1)
    x = clustered(60, 8, seed=5)
    w = np.random.default_rng(3).random(60).astype(np.float32) * 4 + 0.1
    buckets = [np.arange(0, 12), np.arange(12, 30), np.arange(30, 45), np.arange(45, 60)]
    swaps = module._Swaps(buckets, x, w)
    for a in range(4):
        before = cohesion(buckets, x, w)
        best = 0.0
        for b in set(range(4)) - {a}:
            for i in range(len(buckets[a])):
                for j in range(len(buckets[b])):
                    tried = [c.copy() for c in buckets]
                    tried[a][i], tried[b][j] = buckets[b][j], buckets[a][i]
                    best = max(best, cohesion(tried, x, w) - before)
        assert best > 0.01
        assert swaps.visit(a, np.array([b for b in range(4) if b != a])) == 1
        assert cohesion(buckets, x, w) - before == pytest.approx(best, rel=1e-3)


def test_weights_favour_frequent_words() -> None:
    x, classes = clustered(800, 30, clusters=60), np.zeros(800, np.uint8)
    w = np.where(np.arange(800) < 80, 50.0, 1.0)
    plain, weighted = partition(x, classes, 8), partition(x, classes, 8, weights=w)
    assert cohesion(weighted, x, w) > cohesion(plain, x, w)


def test_wide_vectors_keep_their_neighbourhoods() -> None:
    """1,024 dimensions are cut to 512 principal ones; the buckets are as good as before."""
    low = clustered(600, 40, clusters=50)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(1024, 40)))[0].T.astype(np.float32)
    wide, classes = low @ turn, np.zeros(600, np.uint8)
    assert cohesion(partition(wide, classes, 8), wide) > 0.98 * cohesion(partition(low, classes, 8), low)


@pytest.mark.parametrize("k", [-1, 0, 1])
def test_buckets_of_one_are_refused(k: int) -> None:
    with pytest.raises(MechanismError, match="at least 2"):
        partition(clustered(10, 4), np.zeros(10, np.uint8), k)


def test_k_larger_than_a_class_is_refused_with_its_name() -> None:
    classes = np.array([0] * 20 + [1] * 5, np.uint8)
    with pytest.raises(MechanismError, match="NAME has 5 words, fewer than k = 8"):
        partition(clustered(25, 4), classes, 8)


@pytest.mark.parametrize(
    ("vectors", "classes", "weights"),
    [
        (np.zeros((0, 4), np.float32), np.zeros(0, np.uint8), None),
        (np.zeros((9, 4), np.float32), np.zeros(10, np.uint8), None),
        (np.zeros((10, 0), np.float32), np.zeros(10, np.uint8), None),
        (np.full((10, 4), np.inf, np.float32), np.zeros(10, np.uint8), None),
        (np.full((10, 4), np.nan, np.float32), np.zeros(10, np.uint8), None),
        (np.ones((10, 4), np.float32), np.full(10, 9, np.uint8), None),
        (np.ones((10, 4), np.float32), np.zeros(10, np.uint8), np.ones(9)),
        (np.ones((10, 4), np.float32), np.zeros(10, np.uint8), np.full(10, -1.0)),
        (np.ones((10, 4), np.float32), np.zeros(10, np.uint8), np.zeros(10)),
    ],
)
def test_bad_input_is_refused(vectors: np.ndarray, classes: np.ndarray, weights: np.ndarray | None) -> None:
    with pytest.raises(InputError):
        partition(vectors, classes, 4, weights=weights)
