"""The law of a special word that belongs to a public type: K-ary randomised response over the members of its group.

    M(y|x) = (1 - b) [y = x] + b / n        n members, b the share of the uniform background

Guarantee, for x, x' of one group and every output y: M(y|x) <= e^eps M(y|x'), pure eps-LDP over the WHOLE group, with
no bucket inside it; epsilon 0 is the uniform law, which does not depend on x. Against any adversary.
Not hidden: the group, and that a member of it was written. Source: Warner 1965; Kairouz, Bonawitz & Ramage 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from cmif.errors import MechanismError
from cmif.privacy.accounting import NANO
from cmif.privacy.integers import MAX_EPSILON, exp_lower
from cmif.privacy.sample import below

_BITS = 62  # the total stays below 2^62, so that `below` draws it in one word


@dataclass(frozen=True, slots=True)
class TypeLaw:
    """``n`` members; ``own`` and ``other`` are the integer weights of the true member and of each other one.

    ``epsilon``: what one draw spends, ln(own / other) rounded up to whole nano-epsilons, never above what was asked.
    """

    n: int
    own: int
    other: int
    epsilon: float

    @property
    def total(self) -> int:
        return self.own + (self.n - 1) * self.other

    def probability(self, y: int, x: int) -> Fraction:
        """M(y|x), exactly, for members by their index in [0, n)."""
        return Fraction(self.own if x == y else self.other, self.total)

    def sample(self, x: int) -> int:
        """One draw from M(.|x) by the system's generator. Never twice for one word of a conversation: remember it."""
        return self.outcome(x, int(below(self.total, 1)[0]))

    def outcome(self, x: int, u: int) -> int:
        """The draw that ``u``, uniform in [0, total), stands for: so `sample` is provably the law."""
        return u // self.other if u < self.n * self.other else x


@lru_cache(maxsize=256)
def type_law(n: int, epsilon: float) -> TypeLaw:
    """The most faithful law over ``n`` members whose loss is at most ``epsilon``, proven in integers: own is the floor
    of a rational LOWER bound of e^epsilon times other. MechanismError unless n >= 2 and 0 <= epsilon <= 30.
    """
    if n < 2 or not 0 <= epsilon <= MAX_EPSILON:
        raise MechanismError(f"A type needs two members and an epsilon from 0 to {MAX_EPSILON:g}.")
    bound = exp_lower(Fraction(epsilon))
    other = 1 << (_BITS - (int(bound) + n + 1).bit_length())
    own = int(bound * other)
    nanos = math.floor(math.log(own / other) * NANO)
    while exp_lower(Fraction(nanos / NANO)) * other < own:
        nanos += 1
    return TypeLaw(n, own, other, min(nanos / NANO, epsilon))
