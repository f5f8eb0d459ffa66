"""Fluent decoding of a release: among what each drawn word may stand for, the reading that a public model
likes best.

Post-processing. The input is what the engine would see anyway (kept text and drawn words) and public
knowledge (the table, a public language model), so it costs no epsilon and an attacker could do it as well.
It makes "share of words unchanged" meaningless as a measure of privacy: some words come back as the original
by being the likely reading. Knows no model: callers pass a scorer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError
from cmif.privacy.table import Table


class Scorer(Protocol):
    """A public language model.

    ``scorer(prefixes, candidates)`` -> float [len(prefixes), len(candidates)]: the log probability (any
    base, up to a constant a prefix) that a candidate follows a prefix. A prefix is the words so far, kept
    and chosen.
    """

    def __call__(
        self, prefixes: Sequence[tuple[str, ...]], candidates: Sequence[str]
    ) -> npt.NDArray[np.floating]: ...


def readings(table: Table, drawn: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(words int64 [m], log M(drawn|word) float64 [m]) for the bucket of ``drawn``: what it may stand for.

    Words of other buckets are left out: the background gives them gamma / |C| each, hundreds of times less.
    """
    words = table.candidates(drawn)
    return words, np.array([math.log(table.probability(drawn, int(x))) for x in words])


def decode(pieces: Sequence[str | int], table: Table, scorer: Scorer, *, beam: int = 8) -> list[str]:
    """The words of a release with every drawn word replaced by its most fluent reading, by beam search.

    ``pieces``: the sanitised words in order; a str is kept text, an int the table index of a drawn word.
    Maximises scorer(prefix, word) + log M(drawn|word), summed over the release. InputError for an index out
    of range.
    """
    if any(not isinstance(p, str) and not 0 <= p < len(table) for p in pieces):
        raise InputError(f"A drawn word's index is not in [0, {len(table)}).")
    kept: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
    for piece in pieces:
        if isinstance(piece, str):
            candidates, evidence = [piece], np.zeros(1)
        else:
            members, evidence = readings(table, piece)
            candidates = [table.words[i] for i in members]
        fluency = np.asarray(scorer([prefix for _, prefix in kept], candidates), dtype=np.float64)
        if fluency.shape != (len(kept), len(candidates)):
            raise InputError("The scorer did not return one number for each prefix and candidate.")
        scores = np.array([score for score, _ in kept])[:, None] + fluency + evidence
        best = np.argsort(-scores, axis=None, kind="stable")[:beam]
        rows, columns = np.unravel_index(best, scores.shape)
        kept = [
            (float(scores[r, c]), (*kept[r][1], candidates[c]))
            for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    return list(kept[0][1])
