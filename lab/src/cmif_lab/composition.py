"""What many draws add up to: `python -m cmif_lab.composition 50 1` for 50 words at epsilon 1.

The gateway's ledger adds epsilons (`cmif.privacy.accounting`); this says how much of that sum is slack.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from dp_accounting.pld import common, privacy_loss_distribution

from cmif.errors import MechanismError
from cmif.privacy.accounting import NANO, nano


@dataclass(frozen=True, slots=True)
class Composed:
    """Two upper bounds for the same draws: pure ``epsilon``, and ``epsilon_delta`` at ``delta``."""

    draws: int
    epsilon: float
    epsilon_delta: float
    delta: float


def compose(draws: Mapping[float, int], delta: float = 1e-6) -> Composed:
    """The privacy loss of ``draws`` (epsilon of one draw: how many) together, for two documents that differ in all.

    ``epsilon``: basic composition, the sum (near tight for pure mechanisms at these sizes).
    ``epsilon_delta``: the smallest epsilon for (epsilon, delta)-DP by the privacy loss distribution of
    randomised response, the worst pure mechanism of its epsilon (Kairouz, Oh & Viswanath 2015), with
    Google's `dp-accounting`, pessimistic rounding. MechanismError for a delta outside (0, 1).
    """
    if not 0 < delta < 1:
        raise MechanismError("delta must be between 0 and 1.")
    pure = sum(n * nano(epsilon) for epsilon, n in draws.items()) / NANO
    counts = {epsilon: n for epsilon, n in draws.items() if epsilon > 0 and n}
    return Composed(sum(counts.values()), pure, min(pure, _pld(counts, delta)) if counts else 0.0, delta)


def _pld(counts: Mapping[float, int], delta: float) -> float:
    whole = None
    for epsilon, draws in counts.items():
        one = privacy_loss_distribution.from_privacy_parameters(
            common.DifferentialPrivacyParameters(epsilon, 0.0), value_discretization_interval=1e-3
        )
        part = one.self_compose(draws)
        whole = part if whole is None else whole.compose(part)
    assert whole is not None
    return float(whole.get_epsilon_for_delta(delta))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m cmif_lab.composition", description="What draws add up to."
    )
    parser.add_argument("draws", type=int)
    parser.add_argument("epsilon", type=float)
    parser.add_argument("--delta", type=float, default=1e-6)
    given = parser.parse_args(argv)
    found = compose({given.epsilon: given.draws}, given.delta)
    print(f"epsilon {found.epsilon:g}; {found.epsilon_delta:.1f} at delta {found.delta:g}")


if __name__ == "__main__":
    main()
