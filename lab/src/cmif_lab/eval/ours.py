"""Our mechanism for the experiments: the certified table itself (`default`), and every law over the same
partition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from cmif.privacy.table import Table
from cmif_lab.eval.lexicon import Lexicon
from cmif_lab.eval.mechanism import Buckets, Likelihood, Members
from cmif_lab.eval.vectors import WordSpace
from cmif_lab.laws import LAWS
from cmif_server.tables.build import build_table

TOTAL = float(1 << 48)  # the integer weights of a row add up to this


class Shipped:
    """A certified :class:`Table`, sampled as a request samples it (the operating system's generator, exact
    integers).
    """

    name = "default"
    everything = False
    memo = True

    def __init__(self, table: Table) -> None:
        self.table, self.k = table, table.k
        self.guarantee = (
            f"certified: {table.eps_in:g}-LDP inside buckets of >= {table.k} words, "
            f"{table.eps_out:.1f}-LDP over the class (background {table.gamma})"
        )

    def sample(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        del rng  # the table is its own source of randomness, and none is seedable
        return self.table.sample(words)

    def unknown(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return Members(
            {int(c): np.flatnonzero(self.table.classes == c) for c in np.unique(self.table.classes)}
        ).uniform(classes, rng)

    def likelihood(self, outputs: np.ndarray, prior: np.ndarray) -> Sequence[Likelihood]:
        """Exact over the class: the bucket's members, and the likeliest word of the class (through the
        background).
        """
        entries = self.table.entries
        gamma = float(entries.gamma)
        sizes = {int(c): int((entries.classes == c).sum()) for c in np.unique(entries.classes)}
        top = {c: int(np.argmax(np.where(entries.classes == c, prior[: len(self.table)], -1))) for c in sizes}
        found = []
        for y in outputs:
            c = int(entries.classes[y])
            members = self.table.candidates(int(y))
            bucket = (
                int(np.searchsorted(entries.starts, np.flatnonzero(entries.members == y)[0], side="right"))
                - 1
            )
            column = np.flatnonzero(entries.columns[bucket] == y)
            q = entries.weights[members, column[0]] / TOTAL if len(column) else np.zeros(len(members))
            p = (1 - gamma) * q + gamma / sizes[c]
            if top[c] not in members:
                members, p = np.append(members, top[c]), np.append(p, gamma / sizes[c])
            found.append((members, p))
        return found


def shipped(
    lexicon: Lexicon,
    space: WordSpace,
    buckets: Sequence[np.ndarray],
    *,
    k: int,
    epsilon: float,
    gamma: Fraction,
    law: str,
) -> Shipped:
    """The table of `cmif_server.tables.build` over ``buckets``, proven."""
    n = lexicon.sanitised
    table = build_table(
        lexicon.words[:n],
        lexicon.classes[:n],
        space.vectors,
        bundle="eval",
        k=k,
        epsilon=epsilon,
        gamma=gamma,
        law=law,
        weights=space.weights,
        buckets=buckets,
    )
    return Shipped(table)


def law_over(
    name: str,
    lexicon: Lexicon,
    space: WordSpace,
    buckets: Sequence[np.ndarray],
    *,
    k: int,
    epsilon: float,
    gamma: Fraction,
) -> Buckets:
    """The law ``name`` of `cmif_lab.laws` over ``buckets``, built bucket by bucket as they are needed."""

    def law(bucket: np.ndarray) -> np.ndarray:
        rows = space.vectors[bucket].astype(float)
        return LAWS[name](np.maximum(1 - rows @ rows.T, 0), epsilon, space.weights[bucket])

    ceiling = math.log(1 + float(1 - gamma) / float(gamma) * lexicon.sanitised)
    guarantee = (
        f"{epsilon:g}-LDP inside buckets of >= {k} words; over the class at most {ceiling:.1f}, "
        f"through the background {gamma}"
    )
    return Buckets(name, lexicon, buckets, law, k=k, gamma=gamma, guarantee=guarantee)
