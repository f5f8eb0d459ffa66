"""The sampler against the integers: at every border exactly, and as a whole statistically."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import chi2

from cmif.privacy import sample
from cmif.privacy.integers import BITS, TOTAL
from cmif.privacy.table import Table
from cmif.types import WordClass
from tests.unit.privacy.test_table import _TABLE

RARE = 1e-7  # the chance that a right sampler fails one of these tests


def fits(counts: np.ndarray, expected: np.ndarray) -> bool:
    """Pearson's chi-square test at level RARE."""
    assert counts[expected == 0].sum() == 0
    used = expected > 0
    statistic = ((counts - expected)[used] ** 2 / expected[used]).sum()
    return bool(chi2.sf(statistic, used.sum() - 1) > RARE)


@pytest.mark.parametrize("index", [0, 60, 89, 95, 149, 151, 169])
def test_draws_follow_the_integer_law(table: Table, index: int) -> None:
    drawn = table.sample(np.full(200_000, index))
    expected = [float(table.probability(y, index)) * 200_000 for y in range(len(table))]
    assert fits(np.bincount(drawn, minlength=len(table)), np.array(expected))


def test_draws_of_many_words_at_once_follow_their_own_laws(table: Table) -> None:
    x = np.tile(np.arange(len(table)), 1500)
    drawn = table.sample(x)
    seen = np.zeros((len(table), len(table)))
    np.add.at(seen, (x, drawn), 1)
    bad = 0
    for i in range(len(table)):
        expected = np.array([float(table.probability(y, i)) * 1500 for y in range(len(table))])
        rest = expected < 8  # the background's cells are pooled
        counts, pooled = (
            np.append(seen[i][~rest], seen[i][rest].sum()),
            np.append(expected[~rest], expected[rest].sum()),
        )
        bad += not fits(counts, pooled)
    assert bad == 0


def test_every_border_of_every_row_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threshold t reports column j exactly when sum(weights[:j]) <= t < sum(weights[:j + 1])."""
    entries = _TABLE.entries
    sampler = sample.Sampler(entries)
    asked: list[tuple[int, int, int]] = []
    for x in range(20):
        bucket = int(sampler._bucket[x])
        before = 0
        for column, weight in zip(entries.columns[bucket].tolist(), entries.weights[x].tolist(), strict=True):
            if weight:
                asked += [(x, before, column), (x, before + weight - 1, column)]
            before += weight
        assert before == TOTAL
    x, thresholds, expected = (
        np.array(v, dtype=np.uint64).astype(np.int64) for v in zip(*asked, strict=True)
    )
    # the low bits of the 64 are unused: set them to show that they do not matter
    raw = (thresholds.astype(np.uint64) << np.uint64(64 - BITS)) | np.uint64(0xFFFF)
    answers = iter([raw, np.full(len(x), 39, dtype=np.uint64)])  # 39 of [0, 40): no background
    monkeypatch.setattr(sample, "words64", lambda count: next(answers))
    np.testing.assert_array_equal(sampler.draw(x), expected)


def test_the_background_replaces_exactly_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = sample.Sampler(_TABLE.entries)
    coins = np.arange(40, dtype=np.uint64)
    answers = iter([np.zeros(40, dtype=np.uint64), coins, np.array([7], dtype=np.uint64)])
    monkeypatch.setattr(sample, "words64", lambda count: next(answers))
    drawn = sampler.draw(np.full(40, 3))
    assert drawn[0] == 7  # of the class, by its own draw
    assert len(set(drawn[1:].tolist())) == 1


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 40, 1000])
def test_below_is_uniform(bound: int) -> None:
    drawn = sample.below(bound, 200_000)
    assert drawn.min() >= 0
    assert drawn.max() < bound
    if bound > 1:
        assert fits(np.bincount(drawn, minlength=bound), np.full(bound, 200_000 / bound))


def test_below_redraws_what_would_bias_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^64 = 1 mod 3: the last value is no multiple's, so it is drawn again, until it is not."""
    last = 2**64 - 1
    answers = iter([np.array(v, dtype=np.uint64) for v in ([5, last, last], [last, 4], [8])])
    monkeypatch.setattr(sample, "words64", lambda count: next(answers))
    assert sample.below(3, 3).tolist() == [2, 2, 1]


def test_the_operating_system_is_the_only_source(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def urandom(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    monkeypatch.setattr(os, "urandom", urandom)
    np.random.seed(0)
    first = table.sample(np.arange(100))
    np.random.seed(1)
    np.testing.assert_array_equal(first, table.sample(np.arange(100)))
    assert asked


def test_two_runs_differ(table: Table) -> None:
    x = np.arange(len(table))
    assert (table.sample(x) != table.sample(x)).any()


def test_words_of_a_class_are_uniform(table: Table) -> None:
    drawn = table.sample_class(WordClass.NAME, 60_000)
    assert set(table.classes[drawn]) == {WordClass.NAME}
    assert fits(np.bincount(drawn)[90:150], np.full(60, 1000.0))


def test_no_draws_and_many_chunks(table: Table) -> None:
    assert table.sample(np.array([], dtype=np.int64)).shape == (0,)
    assert table.sample(np.zeros(sample.CHUNK + 5, dtype=np.int32)).shape == (sample.CHUNK + 5,)
    assert table.gamma == Fraction(1, 20)
