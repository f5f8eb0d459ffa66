"""The privacy budget as arithmetic: what a request costs, what is left, what it all composes to. No clock,
no storage.

The accounted event is one draw of the mechanism for one distinct word of one conversation, at the table's
eps_in. Draws that are remembered cost nothing again, surrogates drawn independently of the value cost
nothing at all, and whatever is computed from a release (the engine's answer, fluent decoding, restoration)
is post-processing.

Sums are integers of nano-epsilons, rounded up per draw, so that no order of additions and no store can lose
a charge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from cmif.errors import BudgetExhaustedError, MechanismError

NANO = 1_000_000_000


def nano(epsilon: float) -> int:
    """``epsilon`` in nano-epsilons, rounded UP. MechanismError unless it is finite and >= 0."""
    if not (math.isfinite(epsilon) and epsilon >= 0):
        raise MechanismError("A privacy loss must be a finite number >= 0.")
    return math.ceil(Fraction(repr(float(epsilon))) * NANO)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request spends: ``draws`` newly drawn words at ``eps_in`` each (basic composition: their
    sum).
    """

    draws: int
    eps_in: float

    def __post_init__(self) -> None:
        if self.draws < 0:
            raise MechanismError("A charge cannot be for fewer than 0 draws.")
        nano(self.eps_in)

    @property
    def nano(self) -> int:
        return self.draws * nano(self.eps_in)

    @property
    def epsilon(self) -> float:
        return self.nano / NANO


@dataclass(frozen=True, slots=True)
class Budget:
    """The most a tenant and a conversation may spend, as epsilon; None is no limit."""

    tenant: float | None = None
    conversation: float | None = None

    def admit(self, charge: Charge, *, tenant_spent: int, conversation_spent: int) -> None:
        """Nothing when ``charge`` fits beside what was spent (nano-epsilons); else BudgetExhaustedError.

        Meeting the budget exactly is allowed. A charge of 0 is always admitted: it spends nothing.
        """
        for name, limit, spent in (
            ("tenant", self.tenant, tenant_spent),
            ("conversation", self.conversation, conversation_spent),
        ):
            if limit is not None and charge.nano and spent + charge.nano > nano(limit):
                left = max(nano(limit) - spent, 0) / NANO
                raise BudgetExhaustedError(
                    f"This request would spend epsilon {charge.epsilon:g} of the {name}'s budget, "
                    f"of which {left:g} is left.",
                    hint="Words that were drawn before cost nothing; new ones do.",
                )


@dataclass(frozen=True, slots=True)
class Report:
    """Two upper bounds for the same draws: pure ``epsilon``, and ``epsilon_delta`` at ``delta``."""

    draws: int
    epsilon: float
    epsilon_delta: float
    delta: float


def compose(charges: Iterable[Charge], delta: float = 1e-6) -> Report:
    """The privacy loss of all ``charges`` together, for two documents that differ in every drawn word.

    ``epsilon``: basic composition, the sum (near tight for pure mechanisms at these sizes).
    ``epsilon_delta``: the smallest epsilon for (epsilon, delta)-DP by the privacy loss distribution of
    randomised response, the worst pure mechanism of its epsilon (Kairouz, Oh & Viswanath 2015), with
    Google's `dp-accounting`, pessimistic rounding; needs the ``eval`` extra. MechanismError for a delta
    outside (0, 1).
    """
    if not 0 < delta < 1:
        raise MechanismError("delta must be between 0 and 1.")
    counts: dict[float, int] = {}
    total = 0
    for charge in charges:
        total += charge.nano
        if charge.eps_in > 0 and charge.draws:
            counts[charge.eps_in] = counts.get(charge.eps_in, 0) + charge.draws
    pure = total / NANO
    return Report(sum(counts.values()), pure, min(pure, _pld(counts, delta)) if counts else 0.0, delta)


def _pld(counts: Mapping[float, int], delta: float) -> float:
    # reports only: the gateway's request path needs neither this nor SciPy
    from dp_accounting.pld import common, privacy_loss_distribution

    whole = None
    for epsilon, draws in counts.items():
        one = privacy_loss_distribution.from_privacy_parameters(
            common.DifferentialPrivacyParameters(epsilon, 0.0), value_discretization_interval=1e-3
        )
        part = one.self_compose(draws)
        whole = part if whole is None else whole.compose(part)
    assert whole is not None
    return float(whole.get_epsilon_for_delta(delta))
