"""Rational bounds of e^x and the compilation of rows to integers."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import MechanismError
from cmif.privacy.integers import TOTAL, compile_rows, exceeds, exp_lower
from tests.server.tables.test_laws import distances
from tests.unit.privacy.conftest import LAWS


@given(st.floats(0, 30, allow_nan=False))
@settings(deadline=None)
def test_exp_lower_is_a_tight_lower_bound(x: float) -> None:
    with localcontext() as context:
        context.prec = 90
        bound = exp_lower(Fraction(x))
        below = Decimal(bound.numerator) / Decimal(bound.denominator)
        exact = Decimal(x).exp()
        assert below <= exact
        assert (exact - below) / exact < Decimal("1e-50")


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 6.0, 20.0])
def test_compiled_rows_are_exact(name: str, epsilon: float) -> None:
    p = LAWS[name](distances(9), epsilon)
    columns, weights = compile_rows(p, epsilon)
    assert all(sum(row) == TOTAL for row in weights.tolist())
    bound = exp_lower(Fraction(epsilon))
    for column in weights.T.tolist():
        assert min(column) > 0
        for a in column:
            for b in column:
                assert a <= bound * b
    np.testing.assert_allclose(weights / TOTAL, p[:, columns], atol=1e-5 * 9)


def test_a_matrix_over_epsilon_is_refused() -> None:
    with pytest.raises(MechanismError):
        compile_rows(LAWS["rr"](distances(5), 1.01), 1.0)


def test_exceeds_does_not_round() -> None:
    high, low = np.array([TOTAL - 1], dtype=np.uint64), np.array([TOTAL // 2], dtype=np.uint64)
    assert not exceeds(high, low, Fraction(TOTAL - 1, TOTAL // 2)).any()
    assert exceeds(high, low, Fraction(TOTAL - 1, TOTAL // 2) - Fraction(1, 10**40)).all()
