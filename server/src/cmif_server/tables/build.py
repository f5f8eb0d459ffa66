"""A certified table from words and vectors: partition, law, integers, background, proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, MechanismError
from cmif.privacy.certify import constant, smallest_epsilon, spread
from cmif.privacy.entries import Entries
from cmif.privacy.integers import compile_rows
from cmif.privacy.table import Table
from cmif_server.tables.laws import LAWS, Law
from cmif_server.tables.laws.base import check_epsilon
from cmif_server.tables.partition import check_lexicon, partition

DEFAULT_K = 20
DEFAULT_EPSILON = 1.0
DEFAULT_GAMMA = Fraction(1, 40)
DEFAULT_LAW = "medoid-rr"


def build_table(
    words: Sequence[str],
    classes: npt.ArrayLike,
    vectors: npt.NDArray[np.floating],
    *,
    bundle: str,
    k: int = DEFAULT_K,
    epsilon: float | None = None,
    gamma: Fraction = DEFAULT_GAMMA,
    law: str = DEFAULT_LAW,
    laws: Mapping[str, Law] = LAWS,
    weights: npt.NDArray[np.floating] | None = None,
    buckets: Sequence[npt.NDArray[np.int64]] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda done: None,
) -> Table:
    """The table of one model: eps_in = ``epsilon`` inside buckets of >= ``k`` words (0 where no law depends on its
    word), eps_out as `certify` proves it. ``epsilon`` None is 1, and 0 for the law ``constant``, which takes no other.

    ``words``: unique, without line breaks. ``classes``: `WordClass` values [n]. ``vectors``: float [n, d],
    centred (`vectors.centred_rows`); distances are 1 - cosine of them. ``weights``: float [n], how often a
    word is expected as input (`vectors.frequency_weights`), for the partition and the laws. ``buckets``: a
    partition made before, by `partition` on the same words; ``progress``: see there. ``laws``: where ``law`` is looked
    up. All of it must be public: nothing here may depend on a user's text.

    Raises InputError (empty lexicon, duplicate words, shapes), MechanismError (epsilon, gamma, k, law).
    """
    epsilon = law_epsilon(law, epsilon, laws)
    gamma = Fraction(gamma)
    if not 0 < gamma < 1 or gamma.denominator >= 1 << 32:
        raise MechanismError(
            "gamma must be a fraction between 0 and 1: without a background, words of different buckets "
            "can be told apart for certain."
        )
    classes = _checked_words(words, classes)
    check_lexicon(vectors, classes, k)
    if weights is not None and np.shape(weights) != classes.shape:
        raise InputError(f"weights of shape {np.shape(weights)} do not go with {len(classes)} words.")
    if buckets is None:
        buckets = partition(vectors, classes, k, seed=seed, weights=weights, progress=progress)
    compiled = []
    for b in buckets:
        rows = np.asarray(vectors[b], dtype=np.float64)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        matrix = laws[law](1 - rows @ rows.T, epsilon, None if weights is None else np.asarray(weights)[b])
        compiled.append(compile_rows(matrix, epsilon))
    width = max(len(columns) for columns, _ in compiled)
    all_columns = np.full((len(buckets), width), -1, dtype=np.int32)
    all_weights = np.zeros((len(classes), width), dtype=np.uint64)
    for i, (b, (columns, rows_of)) in enumerate(zip(buckets, compiled, strict=True)):
        all_columns[i, : len(columns)] = b[columns]
        all_weights[b, : len(columns)] = rows_of
    entries = Entries(
        words=tuple(words),
        classes=classes,
        members=np.concatenate(list(buckets)).astype(np.int32),
        starts=np.cumsum([0, *(len(b) for b in buckets)]).astype(np.int32),
        columns=all_columns,
        weights=all_weights,
        k=k,
        eps_in=epsilon,
        eps_out=math.inf,
        gamma=gamma,
        law=law,
        bundle=bundle,
    )
    spent = 0.0 if constant(entries).all() else epsilon
    entries = replace(entries, eps_in=spent, eps_out=smallest_epsilon(spread(entries)))
    return Table(replace(entries, digest=entries.compute_digest()))


def law_epsilon(law: str, epsilon: float | None, laws: Mapping[str, Law] = LAWS) -> float:
    """The eps_in of a table of this law: ``epsilon``, or the law's default. MechanismError for an unknown law and for
    an epsilon it cannot have."""
    if law not in laws:
        raise MechanismError(f"There is no law of that name; known are {', '.join(laws)}.")
    if law != "constant":
        return check_epsilon(DEFAULT_EPSILON if epsilon is None else epsilon)
    if epsilon:
        raise MechanismError(
            f"The law constant spends nothing, so its epsilon is 0, not {epsilon:g}.",
            hint="Leave epsilon out, or take medoid-rr.",
        )
    return 0.0


def _checked_words(words: Sequence[str], classes: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    if not len(words):
        raise InputError("The lexicon is empty.", hint="A table needs at least k words of a class.")
    out = np.asarray(classes)
    if out.shape != (len(words),) or not np.issubdtype(out.dtype, np.integer):
        raise InputError(f"{len(words)} words need as many integer classes.")
    seen: dict[str, int] = {}
    for i, word in enumerate(words):
        if not word or "\n" in word:
            raise InputError(f"Word {i} of the lexicon is empty or holds a line break.")
        if seen.setdefault(word, i) != i:
            raise InputError(f"Word {i} of the lexicon repeats word {seen[word]}: words must be unique.")
    return out.astype(np.uint8)
