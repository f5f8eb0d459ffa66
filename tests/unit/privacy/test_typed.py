from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.errors import MechanismError
from cmif.privacy.integers import exp_lower
from cmif.privacy.typed import TypeLaw, type_law

SIZES = st.integers(2, 24)
EPSILONS = st.one_of(st.just(0.0), st.floats(1e-6, 30.0))


@given(SIZES, EPSILONS)
def test_every_members_law_sums_to_one_exactly(n: int, epsilon: float) -> None:
    law = type_law(n, epsilon)
    assert all(sum(law.probability(y, x) for y in range(n)) == 1 for x in range(n))


@given(SIZES, EPSILONS)
def test_no_pair_of_members_differs_by_more_than_e_to_the_claim_for_any_output(n: int, epsilon: float) -> None:
    law = type_law(n, epsilon)
    asked, charged = exp_lower(Fraction(epsilon)), exp_lower(Fraction(law.epsilon))
    for y in range(n):
        column = [law.probability(y, x) for x in range(n)]
        assert max(column) <= asked * min(column)
        assert max(column) <= charged * min(column)


@given(SIZES, st.floats(0.01, 20.0))
def test_what_is_charged_is_what_is_lost_and_nearly_what_was_asked(n: int, epsilon: float) -> None:
    law = type_law(n, epsilon)
    assert law.epsilon <= epsilon
    assert math.log(law.own / law.other) == pytest.approx(law.epsilon, abs=2e-9)
    assert law.epsilon == pytest.approx(epsilon, abs=1e-6)


@pytest.mark.parametrize("n", [2, 16, 33])
def test_without_epsilon_the_law_does_not_depend_on_the_member_and_costs_nothing(n: int) -> None:
    law = type_law(n, 0.0)
    assert {law.probability(y, x) for x in range(n) for y in range(n)} == {Fraction(1, n)}
    assert law.epsilon == 0


@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 20), st.data())
def test_the_sampler_gives_every_outcome_as_often_as_the_law_says(n: int, other: int, more: int, data: st.DataObject) -> None:
    law = TypeLaw(n, other + more, other, 0.0)
    x = data.draw(st.integers(0, n - 1))
    seen = Counter(law.outcome(x, u) for u in range(law.total))
    assert all(Fraction(seen[y], law.total) == law.probability(y, x) for y in range(n))


def test_draws_come_from_the_whole_range_of_the_law() -> None:
    law = type_law(16, 1.0)
    drawn = Counter(law.sample(3) for _ in range(2000))  # a member is missed with probability 16 (1 - 1 / 17.8)^2000 < 1e-48
    assert set(drawn) == set(range(16))
    assert 180 < drawn[3] < 440  # Bin(2000, 0.153): 306 expected, standard deviation 16


@pytest.mark.parametrize(("n", "epsilon"), [(1, 1.0), (0, 1.0), (16, -0.1), (16, 31.0), (16, math.nan), (16, math.inf)])
def test_a_law_that_hides_nothing_is_refused(n: int, epsilon: float) -> None:
    with pytest.raises(MechanismError):
        type_law(n, epsilon)
