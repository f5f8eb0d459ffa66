"""What draws compose to."""

from __future__ import annotations

import math

import pytest

from cmif.errors import MechanismError
from cmif_lab.composition import compose, main


def test_the_command_prints_the_numbers_of_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["50", "1"])
    assert capsys.readouterr().out == "epsilon 50; 47.6 at delta 1e-06\n"


@pytest.mark.parametrize(("draws", "expected"), [(20, 20.0), (50, 47.65), (200, 147.4)])
def test_composition_by_privacy_loss_distributions(draws: int, expected: float) -> None:
    report = compose({1.0: draws}, delta=1e-6)
    assert report.draws == draws
    assert report.epsilon == draws
    assert report.epsilon_delta == pytest.approx(expected, abs=0.1)


def test_composition_of_different_epsilons() -> None:
    report = compose({1.0: 40, 0.5: 40, 3.0: 0, 0.0: 4})
    assert report.epsilon == 60.0
    assert report.draws == 80
    assert report.epsilon_delta < compose({1.0: 80}).epsilon_delta < 80


def test_composition_never_exceeds_the_sum() -> None:
    assert compose({1.0: 1}).epsilon_delta <= 1.0
    assert compose({}).epsilon_delta == 0.0


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan])
def test_bad_deltas_are_refused(delta: float) -> None:
    with pytest.raises(MechanismError):
        compose({1.0: 1}, delta)
