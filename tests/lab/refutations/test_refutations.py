"""Each attack file does what its docstring says, on tables small enough for a test."""

from __future__ import annotations

import numpy as np
import pytest

from cmif.types import WordClass
from cmif_lab.eval import lexicon
from cmif_lab.eval.mechanism import Buckets
from cmif_lab.eval.peers import Space
from cmif_lab.refutations import averaging, custext_sets, invert_rows, literal_rnm, rotated_rows


@pytest.fixture(scope="module")
def space() -> Space:
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(400)]
    lex = lexicon.build(words, [WordClass.WORD] * 400, np.arange(400.0, 0, -1).tolist(), frozenset())
    return Space(lex, rng.normal(size=(400, 16)).astype(np.float32))


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.asarray(rng.normal(size=(2000, 64)) * rng.uniform(0.8, 1.2, (2000, 1)), np.float32)


def test_rows_are_looked_up(table: np.ndarray) -> None:
    found = invert_rows.show(np.arange(30), table)
    assert found["float32"] == found["bfloat16"] == found["int8"] == 1.0


def test_rotated_rows_are_recovered(table: np.ndarray) -> None:
    found = rotated_rows.show(np.arange(0, 1200, 30), table, noises=(0.01,))
    plain = found.pop("nearest neighbour, for comparison")
    assert plain < 0.1
    assert min(found.values()) > 0.95


def test_the_literal_mechanism_violates_its_claim(space: Space) -> None:
    found = literal_rnm.show(space, epsilons=(1.0,), draws=6000, pairs=4)
    assert found["claimed eps 1, audited eps at least"] > 3


def test_custext_holds_inside_sets_and_fails_across(space: Space) -> None:
    found = custext_sets.show(space, epsilons=(1.0,), draws=4000)
    assert found["claimed eps 1: largest loss inside one set (exact)"] <= 1.0
    assert found["claimed eps 1: audited eps across sets at least"] > 3


def test_repeats_reveal_the_word(space: Space) -> None:
    matrix = np.full((16, 16), 1 / (np.e + 15)) + np.eye(16) * (np.e - 1) / (np.e + 15)
    buckets = [np.arange(i, i + 16) for i in range(0, 400, 16)]
    mechanism = Buckets("rr", space.lexicon, buckets, lambda b: matrix, k=16, gamma=1 / 40, guarantee="")
    prior = np.full(400, 1 / 400)
    found = list(averaging.show(mechanism, np.arange(100), prior).values())
    assert found[0] < 0.4
    assert found[-1] > 0.7
