"""Cover: every outcome of the dealer enumerated, so its theorem is checked exactly and not sampled."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.errors import InputError, MechanismError
from cmif.privacy.cover import Deal, Group, deal, groups

View = tuple[tuple[str, ...], ...]
ILLS = Group("condition", ("asthma", "lupus", "gout", "measles"), 0.25)
DRUGS = Group("drug", ("aspirin", "insulin", "codeine", "heparin"), 0.25)


def outcomes(run: Callable[[Callable[[int], int]], Deal]) -> Iterator[tuple[Deal, Fraction]]:
    """Every outcome of ``run`` with its exact probability: each call of ``below`` branches into all its values."""
    pending: list[list[int]] = [[]]
    while pending:
        script = pending.pop()
        chance = Fraction(1)
        taken: list[int] = []

        def below(n: int, script: list[int] = script, taken: list[int] = taken) -> int:
            nonlocal chance
            chance /= n
            if len(taken) == len(script):
                pending.extend([*taken, value] for value in range(1, n))
                script.append(0)
            taken.append(script[len(taken)])
            return taken[-1]

        yield run(below), chance


def law(units: Sequence[tuple[Group, str]]) -> dict[View, Fraction]:
    """Pr[view | the true words], exactly."""
    found: dict[View, Fraction] = defaultdict(Fraction)
    for dealt, chance in outcomes(lambda below: deal(units, below=below)):
        assert dealt.rows[dealt.true] == tuple(word for _, word in units)
        found[dealt.rows] += chance
    assert sum(found.values()) == 1
    return found


def cut(group: Group, k: int) -> Group:
    return Group(group.kind, group.words[:k], 1 / k)


@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)])
def test_every_row_of_a_view_is_as_likely_to_be_the_true_one(k: int, n: int) -> None:
    """The theorem, for every input, every view and every row of it."""
    chosen = [cut(ILLS, k), cut(DRUGS, k)][:n]
    laws = {
        true: law(list(zip(chosen, true, strict=True)))
        for true in itertools.product(*(group.words for group in chosen))
    }
    views = {view for found in laws.values() for view in found}
    for view in views:
        by_row = {laws[row][view] for row in view}
        assert len(by_row) == 1
        assert by_row.pop() > 0
        assert sum(found.get(view, 0) > 0 for found in laws.values()) == k  # and no other input gives this view


def test_the_enumeration_would_find_a_dealer_that_leans() -> None:
    """A dealer that puts the true row first half of the time is told apart by the same check."""
    heads = cut(ILLS, 3)

    def leaning(below: Callable[[int], int], word: str) -> Deal:
        return deal([(heads, word)], below=lambda n: 0 if n == 3 and below(2) else below(n))

    laws = {}
    for word in heads.words:
        found: Counter[View] = Counter()
        for dealt, chance in outcomes(lambda below, word=word: leaning(below, word)):  # type: ignore[misc]
            found[dealt.rows] += chance  # type: ignore[assignment]
        laws[(word,)] = found
    view = next(iter(laws[("asthma",)]))
    assert len({laws[row][view] for row in view}) > 1


@given(st.data())
def test_a_deal_holds_every_member_once_a_column_and_the_true_words_in_the_true_row(data: st.DataObject) -> None:
    k = data.draw(st.integers(2, 9))
    n = data.draw(st.integers(1, 4))
    made = [Group("kind", tuple(f"w{u}-{i}" for i in range(k)), 1 / k) for u in range(n)]
    units = [(group, data.draw(st.sampled_from(group.words))) for group in made]
    dealt = deal(units)
    assert len(dealt.rows) == k
    assert dealt.rows[dealt.true] == tuple(word for _, word in units)
    for column, group in zip(zip(*dealt.rows, strict=True), made, strict=True):
        assert sorted(column) == sorted(group.words)


def test_the_true_row_is_uniform_by_the_systems_generator() -> None:
    seen = Counter(deal([(ILLS, "gout"), (DRUGS, "heparin")]).true for _ in range(4000))
    assert set(seen) == {0, 1, 2, 3}
    assert sum((count - 1000) ** 2 / 1000 for count in seen.values()) < 35  # chi-square, 3 degrees of freedom: 1e-7


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([], "no unit"),
        ([(ILLS, "aspirin")], "not in its group"),
        ([(ILLS, "gout"), (ILLS, "lupus")], "one group"),
        ([(ILLS, "gout"), (cut(DRUGS, 3), "insulin")], "same number"),
        ([(Group("x", ("a", "a"), 0.5), "a")], "different words"),
        ([(Group("x", ("a",), 1.0), "a")], "at least 2"),
    ],
)
def test_units_that_cannot_be_dealt_are_refused(units: list[tuple[Group, str]], message: str) -> None:
    with pytest.raises(MechanismError, match=message):
        deal(units)


@given(
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=40),
    k=st.integers(2, 6),
    data=st.data(),
)
def test_groups_are_exact_disjoint_and_of_one_kind(counts: list[int], k: int, data: st.DataObject) -> None:
    words = [f"w{i}" for i in range(len(counts))]
    kinds = [data.draw(st.sampled_from("ab")) for _ in words]
    made = groups(words, kinds, np.array(counts), k)
    members = [word for group in made for word in group.words]
    assert len(set(members)) == len(members)
    assert len(made) == sum(kinds.count(kind) // k for kind in set(kinds))
    for group in made:
        assert len(group.words) == k
        assert {kinds[words.index(word)] for word in group.words} == {group.kind}
        assert 1 / k <= group.largest_prior + 1e-12 <= 1 + 1e-12
    left = [word for word in words if word not in members]
    for word in left:  # the rarest of their kind
        same = [counts[words.index(m)] for m in members if kinds[words.index(m)] == kinds[words.index(word)]]
        assert counts[words.index(word)] <= min(same, default=10**9)


@pytest.mark.parametrize(
    ("words", "kinds", "counts", "k", "error"),
    [
        (["a", "a"], ["x", "x"], np.ones(2), 2, InputError),
        (["a", "b"], ["x"], np.ones(2), 2, InputError),
        (["a", "b"], ["x", "x"], np.ones(3), 2, InputError),
        (["a", "b"], ["x", "x"], np.array([1, np.nan]), 2, InputError),
        (["a", "b"], ["x", "x"], np.array([1, -1]), 2, InputError),
        (["a", "b"], ["x", "x"], np.ones(2), 1, MechanismError),
    ],
)
def test_bad_lists_are_refused(
    words: list[str], kinds: list[str], counts: np.ndarray, k: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        groups(words, kinds, counts, k)
