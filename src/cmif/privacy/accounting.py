"""The privacy budget as arithmetic: what a request costs, what is left. No clock, no storage.

The accounted event is one draw of the mechanism for one distinct word of one conversation, at the table's
eps_in. Draws that are remembered cost nothing again, surrogates drawn independently of the value cost
nothing at all, and whatever is computed from a release (the engine's answer, fluent decoding, restoration)
is post-processing.

Sums are integers of nano-epsilons, rounded up per draw, so that no order of additions and no store can lose
a charge.
"""

from __future__ import annotations

import math
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
class Budget:
    """The most a tenant, one of its end users and a conversation may spend, as epsilon; None is no limit."""

    tenant: float | None = None
    user: float | None = None
    conversation: float | None = None

    def admit(self, spend: int, *, tenant_spent: int, user_spent: int, conversation_spent: int) -> None:
        """Nothing when ``spend`` fits beside what was spent (nano-epsilons all); else BudgetExhaustedError.

        Meeting the budget exactly is allowed. A charge of 0 is always admitted: it spends nothing.
        """
        for name, limit, spent in (
            ("tenant", self.tenant, tenant_spent),
            ("end user", self.user, user_spent),
            ("conversation", self.conversation, conversation_spent),
        ):
            if limit is not None and spend and spent + spend > nano(limit):
                left = max(nano(limit) - spent, 0) / NANO
                raise BudgetExhaustedError(
                    f"This request would spend epsilon {spend / NANO:g} of the {name}'s budget, "
                    f"of which {left:g} is left.",
                    hint="Words that were drawn before cost nothing; new ones do.",
                )
