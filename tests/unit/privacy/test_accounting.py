"""Charges and budgets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import BudgetExhaustedError, MechanismError
from cmif.privacy.accounting import NANO, Budget, nano


@given(st.floats(0, 1000), st.integers(0, 10_000))
@settings(deadline=None)
def test_rounding_never_loses_a_charge(epsilon: float, draws: int) -> None:
    spent = draws * nano(epsilon)
    assert spent >= draws * epsilon * NANO * (1 - 1e-12)
    assert spent <= draws * (epsilon * NANO * (1 + 1e-12) + 1)


def test_budgets_admit_up_to_the_last_nano() -> None:
    budget = Budget(tenant=1.0, user=0.8, conversation=0.5)
    one = nano(0.1)
    for spent in range(0, 5):
        budget.admit(one, tenant_spent=0, user_spent=0, conversation_spent=spent * one)
    with pytest.raises(BudgetExhaustedError, match="conversation's budget, of which 0 is left"):
        budget.admit(one, tenant_spent=0, user_spent=0, conversation_spent=5 * one)
    with pytest.raises(BudgetExhaustedError, match=r"end user's budget, of which 0\.05 is left"):
        budget.admit(one, tenant_spent=0, user_spent=nano(0.75), conversation_spent=0)
    with pytest.raises(BudgetExhaustedError, match=r"tenant's budget, of which 0\.05 is left"):
        budget.admit(one, tenant_spent=nano(0.95), user_spent=0, conversation_spent=0)


def test_what_is_remembered_is_free_even_with_nothing_left() -> None:
    Budget(tenant=1.0).admit(0, tenant_spent=nano(5.0), user_spent=0, conversation_spent=0)


def test_no_budget_is_no_limit() -> None:
    Budget().admit(nano(10.0) * 10**6, tenant_spent=10**18, user_spent=10**18, conversation_spent=10**18)


@pytest.mark.parametrize("epsilon", [math.nan, math.inf, -1.0])
def test_bad_epsilons_are_refused(epsilon: float) -> None:
    with pytest.raises(MechanismError):
        nano(epsilon)
