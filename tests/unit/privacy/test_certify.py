"""The proof finds every kind of lie, even one with a fresh digest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmif.errors import TableError
from cmif.privacy.certify import certify, smallest_epsilon
from cmif.privacy.entries import Entries, dump
from cmif.privacy.integers import TOTAL, exp_lower
from cmif.privacy.table import Table
from tests.unit.privacy.test_table import _TABLE, flipped


def sealed(entries: Entries) -> Entries:
    return replace(entries, digest=entries.compute_digest())


def edit(**changes: Callable[[np.ndarray], object]) -> Entries:
    """The good table with arrays edited in place, under a fresh digest."""
    arrays = {}
    for name, change in changes.items():
        arrays[name] = getattr(_TABLE.entries, name).copy()
        change(arrays[name])
    return sealed(replace(_TABLE.entries, **arrays))


def at(index: object, value: int) -> Callable[[np.ndarray], object]:
    def change(array: np.ndarray) -> None:
        array[index] = value

    return change


def shift(amount: int) -> Callable[[np.ndarray], object]:
    """Move ``amount`` from word 5's heaviest output to its lightest: the row still sums to 2^48."""

    def change(weights: np.ndarray) -> None:
        row = weights[5]
        used = np.flatnonzero(row)
        heavy, light = used[row[used].argmax()], used[row[used].argmin()]
        row[heavy] += amount
        row[light] -= amount

    return change


def test_a_good_table_is_certified_from_file_table_and_entries(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    _TABLE.save(path)
    for source in (path, str(path), _TABLE, _TABLE.entries):
        certificate = certify(source)
        assert certificate.certified
        told = certificate.as_json()
        assert set(told) == {
            "certified",
            "k",
            "eps_in",
            "eps_out",
            "gamma",
            "law",
            "buckets",
            "constant",
            "words",
            "seconds",
        }
        assert told["gamma"] == "1/40"
        assert (told["k"], told["words"], told["buckets"]) == (4, 20, 5)


def test_a_flipped_weight_fails_by_its_digest() -> None:
    certificate = certify(flipped(_TABLE.entries))
    assert not certificate.certified
    assert "digest" in certificate.as_json()["reason"]


def test_a_ratio_over_epsilon_fails_even_with_a_fresh_digest() -> None:
    """The table spends epsilon up to the last units of 2^-48: a millionth more is found."""
    certificate = certify(edit(weights=shift(TOTAL >> 20)))
    assert not certificate.certified
    assert "e^eps_in" in certificate.reason


FLAWS = {
    "row sum": (edit(weights=lambda w: at((5, w[5].argmax()), int(w[5].max()) + 1)(w)), "do not sum"),
    "oversized": (edit(weights=at((5, 0), 2**63)), "larger than the total"),
    "zero weight": (edit(weights=lambda w: at((5, w[5].argmax()), 0)(w)), "do not sum"),
    "word missing": (edit(members=lambda m: at(0, int(m[1]))(m)), "exactly once"),
    "border": (edit(starts=at(0, 1)), "borders"),
    "borders decrease": (edit(starts=at(1, 9)), "borders|fewer than k"),
    "class unknown": (edit(classes=at(0, 7)), "class is unknown"),
    "classes mixed": (edit(classes=at(0, 1)), "mixes classes"),
    "foreign output": (
        edit(columns=lambda c: at((0, 0), int(_TABLE.entries.members[-1]))(c)),
        "another bucket",
    ),
    "output twice": (edit(columns=lambda c: at((0, 1), int(c[0, 0]))(c)), "twice"),
    "output out of range": (edit(columns=at((0, 0), 20)), "not word indices"),
    "padding first": (edit(columns=at((0, 0), -1)), "not word indices"),
    "k too large": (sealed(replace(_TABLE.entries, k=5)), "fewer than k"),
    "k of one": (sealed(replace(_TABLE.entries, k=1)), "k is 1"),
    "eps_in too small": (sealed(replace(_TABLE.entries, eps_in=1.999)), "e^eps_in"),
    "eps_in NaN": (sealed(replace(_TABLE.entries, eps_in=math.nan)), "finite"),
    "eps_in negative": (sealed(replace(_TABLE.entries, eps_in=-1.0)), "finite"),
    "eps_in 0 of laws that differ": (sealed(replace(_TABLE.entries, eps_in=0.0)), "e^eps_in"),
    "constant but charged": (
        edit(weights=lambda w: at(slice(None), [TOTAL, *[0] * (w.shape[1] - 1)])(w)),
        "nothing to charge",
    ),
    "eps_out too small": (
        sealed(replace(_TABLE.entries, eps_out=math.nextafter(_TABLE.eps_out, 0) - 1e-12)),
        "e^eps_out",
    ),
    "eps_out infinite": (sealed(replace(_TABLE.entries, eps_out=math.inf)), "finite"),
    "gamma smaller": (sealed(replace(_TABLE.entries, gamma=Fraction(1, 41))), "e^eps_out"),
    "gamma 0": (sealed(replace(_TABLE.entries, gamma=Fraction(0))), "gamma"),
    "duplicate words": (
        sealed(replace(_TABLE.entries, words=("w1", *_TABLE.words[1:]))),
        "not unique",
    ),
    "words missing": (sealed(replace(_TABLE.entries, words=_TABLE.words[1:])), "number of words"),
    "other words": (replace(_TABLE.entries, words=("other", *_TABLE.words[1:])), "digest"),
    "other bundle": (replace(_TABLE.entries, bundle="ef" * 32), "digest"),
    "other law": (replace(_TABLE.entries, law="rr"), "digest"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_every_flaw_is_found_and_named(name: str) -> None:
    entries, reason = FLAWS[name]
    certificate = certify(entries)
    assert not certificate.certified
    assert any(part in certificate.reason for part in reason.split("|")), certificate.reason
    with pytest.raises(TableError):
        Table(entries)
    with pytest.raises(TableError):
        Table.from_bytes(dump(entries), bundle=None)


def test_weight_on_padding_is_found() -> None:
    e = _TABLE.entries
    wide = replace(
        e,
        columns=np.column_stack([e.columns, np.full(len(e.columns), -1)]),
        weights=np.column_stack([e.weights, np.zeros(20, np.uint64)]),
    )
    assert certify(sealed(wide)).certified
    weights = wide.weights.copy()
    heavy = weights[5].argmax()
    weights[5, heavy] -= 1
    weights[5, -1] = 1
    assert "padding" in certify(sealed(replace(wide, weights=weights))).reason


def test_a_file_that_is_no_table_raises(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    path.write_bytes(b"no table")
    with pytest.raises(TableError):
        certify(path)


@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(3, 2), Fraction(10**6), 1 + Fraction(1, 10**25)])
def test_smallest_epsilon_is_enough_and_hardly_more(ratio: Fraction) -> None:
    epsilon = smallest_epsilon(ratio)
    assert exp_lower(Fraction(epsilon)) >= ratio
    assert epsilon <= math.log(ratio) * (1 + 1e-14) + 1e-18
