"""The word spaces our mechanism can be built in: which vectors, which weights. All of it public, none of it
the text under test.

========== ===============================================================================================
rows       the model's own embedding rows, centred
counterfit rows less their first principal component, and the same counter-fitted with the constraints that ship, side
           by side (what `cmif split` uses)
frequent   the same with that component, which is word frequency (what `cmif split` used before)
body       the pooled output of the whole model for the word alone, centred
========== ===============================================================================================

``axis`` adds the task's polarity as a further column: each word's log-odds in the task's public training
labels. It is specific to its task and never part of the default. ``field`` weights mix the counts of the
training texts (public text of the field) into those of the public word list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmif.errors import InputError
from cmif_lab.eval import cache
from cmif_lab.eval.lexicon import Lexicon
from cmif_lab.eval.models import Model
from cmif_lab.eval.tasks import Task
from cmif_lab.eval.text import read
from cmif_server.provider.lexicon import public_constraints
from cmif_server.tables.vectors import (
    centred_rows,
    counter_fit,
    features,
    frequency_weights,
    task_axis,
    unit_rows,
    without_first,
)

KINDS = ("rows", "counterfit", "frequent", "body")
WEIGHTS = ("public", "field")


@dataclass(frozen=True)
class WordSpace:
    """``vectors``: float32 [sanitised words, d], unit rows; ``weights``: float64 [sanitised words]."""

    vectors: np.ndarray
    weights: np.ndarray


def build(
    model: Model,
    lexicon: Lexicon,
    rows: np.ndarray,
    task: Task,
    *,
    kind: str = "counterfit",
    weights: str = "public",
    axis: float = 0.0,
) -> WordSpace:
    """The space of ``kind`` over the lexicon's sanitised words. ``axis`` > 0 is the scale of the task axis.
    Raises InputError.
    """
    if kind not in KINDS or weights not in WEIGHTS:
        raise InputError(
            "Unknown vectors or weights.", hint=f"Vectors: {', '.join(KINDS)}; weights: {', '.join(WEIGHTS)}."
        )
    n = lexicon.sanitised
    words = lexicon.words[:n]
    centred = centred_rows(rows[:n])
    fitted = None
    if kind == "body":
        centred = centred_rows(model.body_vectors(words))
    elif kind in ("counterfit", "frequent"):
        centred = without_first(centred) if kind == "counterfit" else centred
        fitted = _fitted(centred, words, model.name)
    polarity = task_axis(centred, words, log_odds(task, lexicon)) if axis else None
    vectors = unit_rows(features(centred, fitted, polarity, axis))
    counts = lexicon.counts[:n] / lexicon.counts[:n].sum()
    if weights == "field":
        field = np.zeros(len(lexicon))
        corpus = read([text for example in task.train for text in example.texts], lexicon)
        np.add.at(field, corpus.index[corpus.index >= 0], 1)
        counts = 0.5 * counts + 0.5 * field[:n] / field[:n].sum()
    return WordSpace(vectors, frequency_weights(counts * 1e6))


def _fitted(centred: np.ndarray, words: Sequence[str], model: str) -> np.ndarray:
    synonyms, antonyms = public_constraints(words)
    made_from = [hashlib.sha256(a.tobytes()).hexdigest() for a in (centred, synonyms, antonyms)]
    key = [model, *words, *made_from]
    made = cache.arrays("counterfit", key, lambda: {"vectors": counter_fit(centred, synonyms, antonyms)})
    return made["vectors"]


def log_odds(task: Task, lexicon: Lexicon) -> dict[str, float]:
    """Word -> log-odds of the last against the first class in the public training texts, smoothed, scaled to
    about -1 to 1.

    Words seen fewer than 5 times are left to the regression of `task_axis`.
    """
    counts = np.full((2, len(lexicon)), 1.0)
    last = len(task.labels) - 1
    for side, label in enumerate((0, last)):
        corpus = read([text for e in task.train if e.label == label for text in e.texts], lexicon)
        np.add.at(counts[side], corpus.index[corpus.index >= 0], 1)
    seen = counts.sum(0) - 2
    share = counts / counts.sum(1, keepdims=True)
    odds = np.tanh(np.log(share[1] / share[0]) / 2)
    return {lexicon.words[i]: float(odds[i]) for i in np.flatnonzero(seen[: lexicon.sanitised] >= 5)}
