"""Charges and budgets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import BudgetExhaustedError, MechanismError
from cmif.privacy.accounting import NANO, Budget, Charge, nano


def test_a_request_costs_its_new_words() -> None:
    assert Charge(7, 1.0).epsilon == 7.0
    assert Charge(3, 0.1).nano == 300_000_000
    assert Charge(0, 1.0).nano == 0


@given(st.floats(0, 1000), st.integers(0, 10_000))
@settings(deadline=None)
def test_rounding_never_loses_a_charge(epsilon: float, draws: int) -> None:
    charge = Charge(draws, epsilon)
    assert charge.nano >= draws * epsilon * NANO * (1 - 1e-12)
    assert charge.nano <= draws * (epsilon * NANO * (1 + 1e-12) + 1)


def test_budgets_admit_up_to_the_last_nano() -> None:
    budget = Budget(tenant=1.0, conversation=0.5)
    for spent in range(0, 5):
        budget.admit(Charge(1, 0.1), tenant_spent=0, conversation_spent=spent * nano(0.1))
    with pytest.raises(BudgetExhaustedError, match="conversation's budget, of which 0 is left"):
        budget.admit(Charge(1, 0.1), tenant_spent=0, conversation_spent=5 * nano(0.1))
    with pytest.raises(BudgetExhaustedError, match=r"tenant's budget, of which 0\.05 is left"):
        budget.admit(Charge(1, 0.1), tenant_spent=nano(0.95), conversation_spent=0)


def test_what_is_remembered_is_free_even_with_nothing_left() -> None:
    Budget(tenant=1.0).admit(Charge(0, 1.0), tenant_spent=nano(5.0), conversation_spent=0)


def test_no_budget_is_no_limit() -> None:
    Budget().admit(Charge(10**6, 10.0), tenant_spent=10**18, conversation_spent=10**18)


@pytest.mark.parametrize("epsilon", [math.nan, math.inf, -1.0])
def test_bad_epsilons_are_refused(epsilon: float) -> None:
    with pytest.raises(MechanismError):
        Charge(1, epsilon)


def test_negative_draws_are_refused() -> None:
    with pytest.raises(MechanismError):
        Charge(-1, 1.0)
