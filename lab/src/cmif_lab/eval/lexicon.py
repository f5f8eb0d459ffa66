"""The public word list of the experiments, and vectors for it taken from a model's own embedding table.

The list is the project's public one (`cmif_server/provider/data/words.tsv.gz`: word, class, count) or a file of the
same form; nothing in it comes from the text under test. Stop words are appended for the peers that replace
every word.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from cmif.errors import InputError
from cmif.types import WordClass

CLASSES: Mapping[str, WordClass] = {
    "word": WordClass.WORD,
    "name": WordClass.NAME,
    "number": WordClass.NUMBER,
}


@dataclass(frozen=True)
class Lexicon:
    """``words[:sanitised]`` are what our mechanisms replace and draw from; the rest are stop words, for the
    peers.

    ``classes`` is uint8 [n], ``counts`` float64 [n] (frequency in public text), ``by_word`` maps (word,
    class) to an index.
    """

    words: tuple[str, ...]
    classes: np.ndarray
    counts: np.ndarray
    sanitised: int
    by_word: Mapping[tuple[str, int], int]

    def __len__(self) -> int:
        return len(self.words)

    def find(self, word: str, cls: WordClass) -> int | None:
        """The index of ``word`` in class ``cls``, or None; WORD entries are lower case, NAME entries
        capitalised.
        """
        key = word.lower() if cls is WordClass.WORD else word
        return self.by_word.get((key, int(cls)))


def build(
    words: list[str],
    classes: list[WordClass],
    counts: list[float],
    stop_words: frozenset[str],
    limit: int = 0,
) -> Lexicon:
    """A lexicon of the ``limit`` most frequent entries (0: all) without stop words, then the stop words
    themselves.

    Raises InputError for an empty list or duplicate entries.
    """
    rows = list(zip(words, classes, counts, strict=True))
    kept = [row for row in rows if row[0].lower() not in stop_words and (len(row[0]) > 1 or row[0].isdigit())]
    if limit:
        kept = sorted(kept, key=lambda row: -row[2])[:limit]
    if not kept:
        raise InputError("The word list is empty.")
    known = dict.fromkeys(stop_words, 1.0) | {row[0]: row[2] for row in rows if row[0] in stop_words}
    everything = kept + [(word, WordClass.WORD, count) for word, count in sorted(known.items())]
    by_word = {(word, int(cls)): i for i, (word, cls, _) in enumerate(everything)}
    if len(by_word) != len(everything):
        raise InputError("The word list holds an entry twice.")
    return Lexicon(
        tuple(row[0] for row in everything),
        np.array([row[1] for row in everything], np.uint8),
        np.array([row[2] for row in everything], np.float64),
        len(kept),
        by_word,
    )


def load(path: Path | None, stop_words: frozenset[str], limit: int = 0) -> Lexicon:
    """Read ``word<TAB>class<TAB>count`` lines (gzip) from ``path`` or the packaged list. Raises
    InputError.
    """
    source = path or Path(str(files("cmif_server.provider") / "data" / "words.tsv.gz"))
    if not source.is_file():
        raise InputError(
            "No word list.", hint="Give one with --lexicon FILE (word, class, count; tab separated; gzip)."
        )
    words: list[str] = []
    classes: list[WordClass] = []
    counts: list[float] = []
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            parts = line.rstrip("\n").split("\t")
            if len(parts) != 3 or parts[1] not in CLASSES:
                raise InputError(f"Line {number} of the word list is not word, class, count.")
            words.append(parts[0])
            classes.append(CLASSES[parts[1]])
            counts.append(float(parts[2]))
    return build(words, classes, counts, stop_words, limit)
