"""The public lexicon a privacy table is built over, and its words as vectors of the model being split.

The words and their counts are those of public text (``data/words.tsv.gz``, made by ``training/lexicon.py``): never of
anybody's prompts, so the table is independent of every input.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError
from cmif.types import WordClass

_CLASSES = {"word": WordClass.WORD, "name": WordClass.NAME, "number": WordClass.NUMBER}


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``words`` distinct within and across classes; ``counts`` float64 occurrences in public text."""

    words: tuple[str, ...]
    classes: NDArray[np.uint8]
    counts: NDArray[np.float64]


def public_lexicon() -> Lexicon:
    """The lexicon that ships with the package."""
    raw = gzip.decompress(files("cmif.provider").joinpath("data/words.tsv.gz").read_bytes()).decode("utf-8")
    rows = [line.split("\t") for line in raw.splitlines() if line]
    if any(len(row) != 3 or row[1] not in _CLASSES for row in rows):
        raise BundleError("The shipped word list is malformed.", hint="Reinstall cmif.")
    return Lexicon(
        words=tuple(row[0] for row in rows),
        classes=np.array([_CLASSES[row[1]] for row in rows], dtype=np.uint8),
        counts=np.array([float(row[2]) for row in rows]),
    )


def word_vectors(
    words: tuple[str, ...], tokeniser: Tokeniser, rows: NDArray[np.uint16]
) -> NDArray[np.float32]:
    """`float32[n, hidden]`: the mean of the rows of each word's pieces, the word written after a space."""
    vectors = np.empty((len(words), rows.shape[1]), dtype=np.float32)
    for i, word in enumerate(words):
        pieces = rows[tokeniser.pieces(f" {word}")]
        vectors[i] = (pieces.astype(np.uint32) << 16).view(np.float32).mean(axis=0)
    return vectors
