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
from cmif.privacy.cover import Below, Group, groups, order

Text = tuple[str, ...]
View = tuple[Text, ...]
ILLS = Group("condition", ("asthma", "lupus", "gout", "measles"), 0.25)
DRUGS = Group("drug", ("aspirin", "insulin", "codeine", "heparin"), 0.25)


def cut(group: Group, k: int) -> Group:
    return Group(group.kind, group.words[:k], 1 / k)


def outcomes(run: Callable[[Below], View]) -> Iterator[tuple[View, Fraction]]:
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


def rows(chosen: Sequence[Group], text: Text, shifts: Sequence[int]) -> View:
    return tuple(
        tuple(group.shifted(word, s) for group, word in zip(chosen, text, strict=True)) for s in shifts
    )


def law(chosen: Sequence[Group], text: Text) -> dict[View, Fraction]:
    """Pr[view | the true words], exactly."""
    k = len(chosen[0].words)
    found: dict[View, Fraction] = defaultdict(Fraction)
    for view, chance in outcomes(lambda below: rows(chosen, text, order(k, below=below))):
        found[view] += chance
    assert sum(found.values()) == 1
    return found


@pytest.mark.parametrize(
    "chosen",
    [
        (cut(ILLS, 2),),
        (cut(ILLS, 3), cut(DRUGS, 3)),
        (ILLS, DRUGS),
        (ILLS, ILLS),
        (cut(ILLS, 3), cut(DRUGS, 3), cut(ILLS, 3)),
    ],
    ids=["one word", "two groups", "two groups of four", "one group twice", "three words"],
)
def test_every_row_of_a_view_is_as_likely_to_be_the_true_one(chosen: tuple[Group, ...]) -> None:
    """The theorem, for every input, every view and every row of it."""
    k = len(chosen[0].words)
    laws = {text: law(chosen, text) for text in itertools.product(*(group.words for group in chosen))}
    for view in {view for found in laws.values() for view in found}:
        assert len({laws[row][view] for row in view}) == 1
        assert laws[view[0]][view] > 0
        assert sum(view in found for found in laws.values()) == k  # and no other input gives this view


def test_two_conversations_together_tell_no_more_of_a_pair_than_each_of_them() -> None:
    """The composition: the two views of x and of x shifted have equal probability, whatever was said where."""
    chosen = (cut(ILLS, 3), cut(DRUGS, 3))
    first, second = chosen, chosen[::-1]
    for x in itertools.product(chosen[0].words, chosen[1].words):
        for s in range(3):
            (moved,) = rows(chosen, x, [s])
            one, two = law(first, x), law(second, x[::-1])
            assert (one, two) == (law(first, moved), law(second, moved[::-1]))


def test_the_enumeration_would_find_an_order_that_leans() -> None:
    """One that puts the true row first half of the time is told apart by the same check."""
    ills = cut(ILLS, 3)

    def leaning(below: Below) -> tuple[int, ...]:
        made = order(3, below=below)
        return made if below(2) else (0, *(s for s in made if s))

    laws: dict[Text, dict[View, Fraction]] = {}
    for word in ills.words:
        found: dict[View, Fraction] = defaultdict(Fraction)
        for view, chance in outcomes(lambda below, word=word: rows([ills], (word,), leaning(below))):  # type: ignore[misc]
            found[view] += chance
        laws[(word,)] = found
    view = next(iter(laws[("asthma",)]))
    assert len({laws[row][view] for row in view}) > 1


@given(st.data())
def test_shifting_is_a_bijection_that_nothing_but_zero_leaves_as_it_is(data: st.DataObject) -> None:
    k = data.draw(st.integers(2, 9))
    group = Group("kind", tuple(f"w{i}" for i in range(k)), 1 / k)
    shift = data.draw(st.integers(0, k - 1))
    assert {group.shifted(word, shift) for word in group.words} == set(group.words)
    assert all((group.shifted(word, shift) == word) == (shift == 0) for word in group.words)
    assert all(group.shifted(group.shifted(word, shift), k - shift) == word for word in group.words)


def test_a_word_of_another_group_is_refused() -> None:
    with pytest.raises(MechanismError, match="not in its cover group"):
        ILLS.shifted("aspirin", 1)


def test_the_true_row_is_uniform_by_the_systems_generator() -> None:
    seen = Counter(order(4).index(0) for _ in range(4000))
    assert set(seen) == {0, 1, 2, 3}
    assert sum((count - 1000) ** 2 / 1000 for count in seen.values()) < 35  # chi-square, 3 degrees of freedom: 1e-7


def test_a_view_of_one_row_is_refused() -> None:
    with pytest.raises(MechanismError, match="at least 2"):
        order(1)


@given(
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=40),
    k=st.integers(2, 6),
    data=st.data(),
)
def test_groups_are_exact_disjoint_of_one_kind_and_matched(counts: list[int], k: int, data: st.DataObject) -> None:
    words = [f"w{i}" for i in range(len(counts))]
    kinds = [data.draw(st.sampled_from("ab")) for _ in words]
    made = groups(words, kinds, np.array(counts), k)
    members = [word for group in made for word in group.words]
    assert len(set(members)) == len(members)
    for group in made:
        assert len(group.words) == k
        assert {kinds[words.index(word)] for word in group.words} == {group.kind}
        rates = [counts[words.index(word)] + 0.5 for word in group.words]
        assert group.largest_prior == pytest.approx(max(rates) / sum(rates))
        assert group.largest_prior * k <= 4 + 1e-9
    for kind in set(kinds):  # who is left is the rarest, fewer than K, or too frequent for who follows
        left = [word for word in words if word not in members and kinds[words.index(word)] == kind]
        if kinds.count(kind) >= k and k <= 4:
            assert len(left) < k


def test_a_word_that_would_be_most_of_its_group_has_no_cover() -> None:
    made = groups([f"w{i}" for i in range(17)], ["x"] * 17, np.array([1000, *range(17, 1, -1)]), 16)
    assert [group.words[0] for group in made] == ["w1"]


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
