"""Cover: the true text hides among K - 1 that differ from it in the sensitive words only. Epsilon 0 inside the view.

A **group** is K public words that can stand for each other, in a public order: of one kind (conditions, drugs, ...) and
of like base rate. Every sensitive unit of a text is a member of one group. ``shifted`` by s, a word becomes the one s
places on in its group, around the end; a text becomes the one in which every unit is shifted by the same s. `order`
gives the K shifts in uniform order, and row i of the view is the text shifted by ``order[i]``: the row of shift 0 is
the true one. The engine sees all rows, in order, and answers all of them.

**Theorem.** Let x be the covered words of any number of texts of any number of conversations, and x + s the same words
all shifted by s. Every view of x is exactly as likely when the words are x + s: the loss between any two of the K
rows, over everything that is ever sent of these words, is epsilon 0. So the posterior odds of an adversary between
two rows are its prior odds, whatever else it knows, and its chance to name the true one is the largest prior among
the K, 1/K where the prior does not tell them apart.

*Proof.* The rows of one text are the orbit {x + t : t in Z_K}, which x + s has too; a view is the orbit in an order,
and each of the K! orders has probability 1/K!, whatever the true words. The orders of different texts are independent,
so the probability of all views together is a product of equal factors.

One shift for all units, and not a bijection for each, is what makes views compose: two texts with the same two words
have the same K pairs, where independent bijections would share the true pair and hardly any other. Two units may be of
one group, since different words stay different.

What it does not give: anything between words of different groups or different distances in one (the groups and the
distances are read off the view: the loss is infinite there); anything against context, which is a prior and may make a
decoy absurd (``largest_prior`` says what base rates alone give away); anything about the text outside the units, or
about what the gateway does with the answers: it must treat all rows alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, MechanismError

Below = Callable[[int], int]
"""``below(n)``: a uniform integer in [0, n)."""

_SHARE = 4
"""How many times its even share of a group's occurrences a member may have: 1/4 of all at K = 16."""


@dataclass(frozen=True, slots=True)
class Group:
    """``words``: K different public words of one ``kind``, from the most to the least frequent. ``largest_prior``: the
    largest share that one of them has of the group's occurrences in public text, 1/K at best."""

    kind: str
    words: tuple[str, ...]
    largest_prior: float

    def shifted(self, word: str, shift: int) -> str:
        """The word ``shift`` places after ``word``, around the end. MechanismError for a word of another group."""
        if word not in self.words:
            raise MechanismError("A word is not in its cover group.")
        return self.words[(self.words.index(word) + shift) % len(self.words)]


def groups(
    words: Sequence[str], kinds: Sequence[str], counts: npt.NDArray[np.number], k: int
) -> tuple[Group, ...]:
    """Groups of exactly ``k`` words: each kind in order of frequency, cut into runs, so that members are as like in
    base rate as can be.

    ``words``: unique. ``counts``: float [n] >= 0, occurrences in PUBLIC text. Left over and in no group, so that a text
    with one of them has no cover: a word so frequent that it would have more than 4 times its even share of its run,
    and the rarest of a kind, fewer than ``k``. InputError for lists that do not go together, MechanismError for k < 2.
    """
    c = np.asarray(counts, dtype=np.float64)
    if len(set(words)) != len(words) or len(kinds) != len(words) or c.shape != (len(words),):
        raise InputError("Cover groups need unique words, and one kind and one count for each.")
    if not np.isfinite(c).all() or (c < 0).any():
        raise InputError("Counts of words must be finite numbers >= 0.")
    if k < 2:
        raise MechanismError(f"k must be at least 2, not {k}: a group of one word hides nothing.")
    found = []
    for kind in sorted(set(kinds)):
        left = sorted((i for i, other in enumerate(kinds) if other == kind), key=lambda i: (-c[i], words[i]))
        while len(left) >= k:
            rate = c[left[:k]] + 0.5
            prior = float(rate[0] / rate.sum())
            if prior * k > _SHARE:
                del left[0]
                continue
            found.append(Group(kind, tuple(words[i] for i in left[:k]), prior))
            del left[:k]
    return tuple(found)


def order(k: int, *, below: Below = secrets.randbelow) -> tuple[int, ...]:
    """The shifts 0 to ``k`` - 1 in uniform order, by the system's generator (Fisher & Yates): row i is the text shifted
    by the i-th. Which is 0 is a secret: it must reach nothing that the engine can see.

    ``below`` is for proofs that enumerate every outcome. MechanismError for k < 2.
    """
    if k < 2:
        raise MechanismError(f"k must be at least 2, not {k}: a view of one row hides nothing.")
    shifts = list(range(k))
    for i in range(k - 1, 0, -1):
        j = below(i + 1)
        shifts[i], shifts[j] = shifts[j], shifts[i]
    return tuple(shifts)
