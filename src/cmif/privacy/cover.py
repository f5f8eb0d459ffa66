"""Cover: the true text hides among K - 1 that differ from it in the sensitive words only. Epsilon 0 inside the view.

A **group** is K public words that can stand for each other: of one type (conditions, drugs, ...) and of like base rate.
Every sensitive unit of the text is a member of one group. `deal` writes K variants: one uniformly random row holds the
true words, and each unit's group is dealt to the rows by its own uniform bijection, so that every row holds one member
of every group and every member is in exactly one row. The engine sees all rows, in order, and answers all of them.

**Theorem.** Let V be a view that can occur, i and j rows of it, V_i the words in row i. Then
Pr[view = V | the true words are V_i] = Pr[view = V | the true words are V_j]: the posterior odds of an adversary
between any two rows are its prior odds, whatever else it knows that does not depend on the deal. Its chance to name
the true row is the largest prior among the K rows, 1/K where the prior does not tell them apart.

*Proof.* The words of a column of V are different, so only row i agrees with V_i in any unit: V comes out exactly when
the true row is i, which has probability 1/K, and every column is that of V. Given the true row, a unit's K - 1 other
words are in uniform order over the K - 1 other rows: probability 1/(K - 1)! for each of the n units, independently.
The product 1/K * 1/(K - 1)!^n does not depend on i.

What it does not give: anything between words of different groups (the groups are read off the view: the loss is
infinite there); anything against context, which is a prior, and may make a decoy absurd (`largest_prior` says what base
rates alone give away); anything about the text outside the units, about how many units there are, or about what the
gateway does with the answers: it must treat all rows alike.
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


@dataclass(frozen=True, slots=True)
class Group:
    """``words``: K different public words of one ``kind``, from the most to the least frequent. ``largest_prior``: the
    largest share that one of them has of the group's occurrences in public text, 1/K at best."""

    kind: str
    words: tuple[str, ...]
    largest_prior: float


@dataclass(frozen=True, slots=True)
class Deal:
    """``rows[i][u]``: the word that variant i holds for unit u, K rows of n words. ``true``: the row of the true words,
    a secret: it must reach nothing that the engine can see."""

    rows: tuple[tuple[str, ...], ...]
    true: int


def groups(
    words: Sequence[str], kinds: Sequence[str], counts: npt.NDArray[np.number], k: int
) -> tuple[Group, ...]:
    """Groups of exactly ``k`` words: each kind in order of frequency, cut into runs, so that members are as like in
    base rate as can be.

    ``words``: unique. ``counts``: float [n] >= 0, occurrences in PUBLIC text. The rarest words of a kind, fewer than
    ``k``, are left over and in no group: a text with one of them has no cover. InputError for lists that do not go
    together, MechanismError for k < 2.
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
        of_kind = sorted((i for i, other in enumerate(kinds) if other == kind), key=lambda i: (-c[i], words[i]))
        for start in range(0, len(of_kind) - k + 1, k):
            members = of_kind[start : start + k]
            rate = c[members] + 0.5
            found.append(Group(kind, tuple(words[i] for i in members), float(rate.max() / rate.sum())))
    return tuple(found)


def deal(units: Sequence[tuple[Group, str]], *, below: Below = secrets.randbelow) -> Deal:
    """The K variants of the words of ``units`` (a group and the true word in it), by the system's generator.

    ``units``: the distinct sensitive words of one text, at least one, no two of one group: independent bijections would
    give two of them one word in some rows, and such a row is no text that could have been sent. ``below`` is for proofs
    that enumerate every outcome. MechanismError for units that cannot be dealt.
    """
    if not units:
        raise MechanismError("There is nothing to cover: no unit.")
    k = len(units[0][0].words)
    if any(len(group.words) != k or len(set(group.words)) != k for group, _ in units) or k < 2:
        raise MechanismError("All groups of a deal must have the same number of different words, at least 2.")
    if any(word not in group.words for group, word in units):
        raise MechanismError("A unit is not in its group.")
    if len({word for group, _ in units for word in group.words}) != k * len(units):
        raise MechanismError("Two units of one deal are of one group, or their groups share a word.")
    true = below(k)
    columns = []
    for group, word in units:
        others = [other for other in group.words if other != word]
        for i in range(len(others) - 1, 0, -1):  # Fisher & Yates
            j = below(i + 1)
            others[i], others[j] = others[j], others[i]
        columns.append((*others[:true], word, *others[true:]))
    return Deal(tuple(zip(*columns, strict=True)), true)
