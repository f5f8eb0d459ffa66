"""What the privacy table is built over: public words, public pairs, and the space they span."""

from __future__ import annotations

import numpy as np
import pytest

from cmif.types import WordClass
from cmif_server.provider.lexicon import public_constraints, public_lexicon, word_space
from cmif_server.tables.vectors import centred_rows


def test_words_are_distinct_and_of_three_classes() -> None:
    lexicon = public_lexicon()
    assert len(set(lexicon.words)) == len(lexicon.words) == len(lexicon.classes) == len(lexicon.counts)
    assert {int(c) for c in lexicon.classes} == {int(c) for c in WordClass}


def test_constraints_are_pairs_of_plain_words_on_one_side_only() -> None:
    lexicon = public_lexicon()
    synonyms, antonyms = public_constraints(lexicon.words)
    assert len(synonyms) > 5000
    assert len(antonyms) > 2000
    assert (lexicon.classes[np.concatenate([synonyms, antonyms])] == WordClass.WORD).all()
    assert not {tuple(p) for p in synonyms.tolist()} & {tuple(p) for p in antonyms.tolist()}


def test_constraints_of_other_words_are_left_out() -> None:
    synonyms, antonyms = public_constraints(["good", "bad", "zzz"])
    assert synonyms.shape == (0, 2)
    assert antonyms.tolist() == [[0, 1]]


def test_the_word_space_parts_antonyms_and_joins_synonyms() -> None:
    words = public_lexicon().words[:3000]
    rows = centred_rows(np.random.default_rng(0).normal(size=(len(words), 32)).astype(np.float32))
    space = word_space(rows, words)
    assert space.shape == (3000, 64)
    assert np.linalg.norm(space, axis=1) == pytest.approx(1, abs=1e-5)
    synonyms, antonyms = public_constraints(words)

    def cosines(vectors: np.ndarray, pairs: np.ndarray) -> float:
        return float(np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]]).mean())

    assert cosines(space, synonyms) > cosines(rows, synonyms) + 0.2
    assert cosines(space, antonyms) < cosines(rows, antonyms)
