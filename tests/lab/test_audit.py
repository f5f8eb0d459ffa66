"""The audit refutes what is false and leaves what is true, on the real sampler, with fixed sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmif.errors import InputError
from cmif.privacy.table import Table
from cmif_lab.audit import audit, clopper_pearson, epsilon_lower_bound
from cmif_server.tables.build import build_table
from tests.unit.privacy.conftest import BUNDLE, LAWS, clustered

DRAWS = 40_000
ALPHA = 1e-6  # so that a true claim fails this suite once in a million runs


def test_clopper_pearson_by_known_values() -> None:
    assert clopper_pearson(0, 10, 0.05) == (0.0, pytest.approx(0.3085, abs=1e-4))
    assert clopper_pearson(5, 10, 0.05) == (pytest.approx(0.1871, abs=1e-4), pytest.approx(0.8129, abs=1e-4))
    assert clopper_pearson(10, 10, 0.05) == (pytest.approx(0.6915, abs=1e-4), 1.0)


def test_the_real_sampler_does_not_exceed_eps_in(table: Table) -> None:
    pairs = [(int(table.candidates(x)[0]), int(table.candidates(x)[-1])) for x in (0, 30, 100, 160)]
    bound = audit(table.sample, pairs, DRAWS, ALPHA)
    assert bound <= table.eps_in


def test_the_bound_is_near_the_truth_where_the_law_spends_it_all() -> None:
    """Randomised response over four words at epsilon 2: the audit finds 1.7 or more of it."""
    table = build_table(
        list("abcdefgh"), np.zeros(8, np.uint8), clustered(8, 4), bundle=BUNDLE, k=4, epsilon=2.0, law="rr", laws=LAWS
    )
    a, b = table.candidates(0)[:2].tolist()
    bound = audit(table.sample, [(a, b)], DRAWS, 0.01)
    assert 1.5 < bound <= 2.0


def test_words_of_two_buckets_are_far_apart_and_within_eps_out(table: Table) -> None:
    a = 0
    b = next(i for i in range(90) if i not in table.candidates(a))
    bound = audit(table.sample, [(a, b)], DRAWS, ALPHA)
    assert table.eps_in < bound <= table.eps_out


def test_a_false_claim_is_refuted() -> None:
    """Per-input candidates (the literal top-K) have different supports: no epsilon holds."""
    rng = np.random.default_rng(0)

    def literal(x: np.ndarray) -> np.ndarray:
        return (x + rng.integers(0, 4, len(x))).astype(np.int64)

    assert audit(literal, [(0, 1)], DRAWS) > 6.0


def test_equal_inputs_show_nothing() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 9, (2, DRAWS))
    assert epsilon_lower_bound(first, second) < 0.1


def test_the_bound_is_never_over_the_truth() -> None:
    """200 audits of a coin at epsilon 1, level 95 %: some 10 may exceed it; 25 would be a defect."""
    rng = np.random.default_rng(2)
    p = math.e / (1 + math.e)
    over = 0
    for _ in range(200):
        first, second = rng.random(2000) < p, rng.random(2000) >= p
        over += epsilon_lower_bound(first.astype(np.int64), second.astype(np.int64)) > 1.0
    assert over <= 25


def test_bad_samples_are_refused() -> None:
    with pytest.raises(InputError):
        epsilon_lower_bound(np.zeros(3, np.int64), np.zeros(4, np.int64))
    with pytest.raises(InputError):
        audit(lambda x: x, [], 10)
