"""Text as the experiments see it: words, their class, which of them are sensitive, and the way back to a
string.

Knows nothing about models or mechanisms. The policy measured here is `content` (every word and number but
stop words, the paper's and CusText+'s setting), so that every mechanism protects the same positions; the mask
itself is public and leaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from cmif.types import WordClass
from cmif_lab.eval.lexicon import Lexicon

TOKEN = re.compile(r"(\s*)([^\W\d_]+|\d+(?:[.,]\d+)*|_|[^\w\s])")
CONTRACTIONS = (
    "ain aren couldn didn doesn don hadn hasn haven isn ll lrb rrb shan shouldn ve wasn weren won wouldn"
)
STOP_WORDS = frozenset(ENGLISH_STOP_WORDS) | frozenset(CONTRACTIONS.split())


def tokens(text: str) -> list[str]:
    """Words, numbers and single marks, each with the white space before it; trailing white space is
    dropped.
    """
    return [match.group() for match in TOKEN.finditer(text)]


def word_class(word: str) -> WordClass:
    """The public class of a word as written: digits, a leading capital, or neither."""
    if word[:1].isdigit():
        return WordClass.NUMBER
    return WordClass.NAME if word[:1].isupper() else WordClass.WORD


def is_content(word: str) -> bool:
    """Whether the `content` policy sanitises ``word``: a number, or a word of two letters or more that is no
    stop word.
    """
    return word[:1].isdigit() or (len(word) > 1 and word.isalpha() and word.lower() not in STOP_WORDS)


@dataclass(frozen=True)
class Corpus:
    """Documents flattened to tokens. Arrays are parallel to ``tokens``; ``offsets`` has one entry more than
    documents.

    ``index`` (int64) is the lexicon index of the word, -1 outside the lexicon; ``classes`` (uint8) the word's
    class, 255 for what is no word; ``content`` (bool) the positions the `content` policy sanitises; ``lower``
    the lowercase words.
    """

    tokens: tuple[str, ...]
    lower: tuple[str, ...]
    offsets: np.ndarray
    index: np.ndarray
    classes: np.ndarray
    content: np.ndarray

    @property
    def documents(self) -> np.ndarray:
        """int64 [tokens]: the document each token belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def render(self, words: np.ndarray, lexicon: Lexicon) -> list[str]:
        """The documents with position i replaced by ``lexicon.words[words[i]]`` wherever ``words[i] >= 0``.

        Leading white space stays, and so does a leading capital (the shape of a word is part of the skeleton
        that leaks).
        """
        out = list(self.tokens)
        for i in np.flatnonzero(words >= 0):
            token, word = out[i], lexicon.words[words[i]]
            bare = token.lstrip()
            out[i] = token[: len(token) - len(bare)] + (word.capitalize() if bare[:1].isupper() else word)
        return ["".join(out[a:b]) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]


def read(texts: Sequence[str], lexicon: Lexicon, max_tokens: int = 200) -> Corpus:
    """Split ``texts`` to a :class:`Corpus`; documents are cut after ``max_tokens`` tokens.

    A capitalised word that the lexicon has only in lower case (a sentence's first word) counts as that word.
    """
    flat: list[str] = []
    offsets = [0]
    for text in texts:
        flat += tokens(text)[:max_tokens]
        offsets.append(len(flat))
    bare = [token.strip() for token in flat]
    index = np.full(len(flat), -1, np.int64)
    classes = np.full(len(flat), 255, np.uint8)
    content = np.zeros(len(flat), bool)
    for i, word in enumerate(bare):
        if not word[:1].isalnum():
            continue
        classes[i] = word_class(word)
        content[i] = is_content(word)
        found = lexicon.find(word, WordClass(int(classes[i])))
        if found is None and classes[i] == WordClass.NAME:
            found = lexicon.find(word.lower(), WordClass.WORD)
            if found is not None:
                classes[i] = WordClass.WORD
        index[i] = -1 if found is None else found
    lower = tuple(word.lower() for word in bare)
    return Corpus(tuple(flat), lower, np.array(offsets), index, classes, content)
