"""The public lexicon a privacy table is built over, and its words as vectors of the model being split.

The words and their counts are those of public text (``data/words.tsv.gz``, made by ``lexicon/words.py``): never of
anybody's prompts, so the table is independent of every input. So are the synonyms and antonyms that counter-fitting
takes (``data/constraints.txt.gz``, made by ``lexicon/constraints.py``).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError
from cmif.types import WordClass
from cmif_server.tables.vectors import counter_fit, features, read_pairs, unit_rows

_CLASSES = {"word": WordClass.WORD, "name": WordClass.NAME, "number": WordClass.NUMBER}


@dataclass(frozen=True, slots=True)
class PublicLexicon:
    """``words`` distinct within and across classes; ``counts`` float64 occurrences in public text."""

    words: tuple[str, ...]
    classes: NDArray[np.uint8]
    counts: NDArray[np.float64]


def public_lexicon() -> PublicLexicon:
    """The lexicon that ships with the package."""
    rows = [line.split("\t") for line in _lines("words.tsv.gz")]
    if any(len(row) != 3 or row[1] not in _CLASSES for row in rows):
        raise BundleError("The shipped word list is malformed.", hint="Reinstall cmif.")
    return PublicLexicon(
        words=tuple(row[0] for row in rows),
        classes=np.array([_CLASSES[row[1]] for row in rows], dtype=np.uint8),
        counts=np.array([float(row[2]) for row in rows]),
    )


def public_constraints(words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Synonyms and antonyms among ``words`` that ship with the package: index pairs int64 [m, 2] each."""
    lines = _lines("constraints.txt.gz")
    synonyms, antonyms = (read_pairs([line[2:] for line in lines if line[0] == sign], words) for sign in "+-")
    return synonyms, antonyms


def word_space(
    rows: NDArray[np.float32],
    words: Sequence[str],
    progress: Callable[[float], None] = lambda done: None,
) -> NDArray[np.float32]:
    """What the partition works in: unit rows [n, d] beside the same rows counter-fitted, unit float32 [n, 2d]."""
    return unit_rows(features(rows, counter_fit(rows, *public_constraints(words), progress=progress)))


def word_vectors(
    words: tuple[str, ...], tokeniser: Tokeniser, rows: NDArray[np.uint16]
) -> NDArray[np.float32]:
    """`float32[n, hidden]`: the mean of the rows of each word's pieces, the word written after a space."""
    vectors = np.empty((len(words), rows.shape[1]), dtype=np.float32)
    for i, word in enumerate(words):
        pieces = rows[tokeniser.pieces(f" {word}")]
        vectors[i] = (pieces.astype(np.uint32) << 16).view(np.float32).mean(axis=0)
    return vectors


def _lines(name: str) -> list[str]:
    raw = files("cmif_server.provider").joinpath("data", name).read_bytes()
    return gzip.decompress(raw).decode("utf-8").splitlines()
