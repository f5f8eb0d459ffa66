"""Words: the unit of the mechanism. Where they are in a text, their case, their public class.

Case is part of the skeleton that leaks: a replaced word is written the way the original was
(:func:`with_shape`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from importlib.resources import files

from cmif.types import WordClass

# Letters with inner apostrophes, or digits with inner points and commas, or a mix such as "B12". No
# underscore.
_WORD = re.compile(r"[^\W_]+(?:(?:['’](?=[^\W\d_])|(?<=\d)[.,](?=\d))[^\W_]+)*+")
_POSSESSIVE = re.compile(r"['’][sS]\Z")

Index = Callable[[str, WordClass], int | None]
"""``Table.index``: a word's place in the lexicon under a class, or None."""


class Shape(Enum):
    """How a word is written. Anything mixed ("iPhone", "McKay") counts by its first letter."""

    LOWER = "lower"
    CAPITALISED = "capitalised"
    UPPER = "upper"


def words(text: str) -> list[tuple[int, int]]:
    """``(start, end)`` of every word and number in ``text``, left to right, in code points.

    An apostrophe inside a word belongs to it ("don't"), a possessive 's does not ("Anna" in "Anna's"); a
    hyphen separates two words; "3.5" and "1,000" are one number each.
    """
    found = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        written = match.group()
        possessive = _POSSESSIVE.search(written)
        if possessive and written.lower().replace("’", "'") not in stopwords():
            end = start + possessive.start()
        found.append((start, end))
    return found


def shape(word: str) -> Shape:
    if not word[:1].isupper():
        return Shape.LOWER
    return Shape.UPPER if len(word) > 1 and word.isupper() else Shape.CAPITALISED


def with_shape(word: str, like: Shape) -> str:
    """``word`` (lexicon spelling) written in the shape ``like``; LOWER leaves it as the lexicon spells it."""
    if like is Shape.UPPER:
        return word.upper()
    if like is Shape.CAPITALISED:
        return word[:1].upper() + word[1:]
    return word


@lru_cache(maxsize=1)
def stopwords() -> frozenset[str]:
    """Function words, lower case: what every text is made of, and the policy `content` keeps."""
    text = files("cmif.enclave").joinpath("data/stopwords.txt").read_text("utf-8")
    return frozenset(line for line in text.split("\n") if line and not line.startswith("#"))


def is_stopword(word: str) -> bool:
    return word.lower().replace("’", "'") in stopwords()


def spelling(word: str, cls: WordClass) -> str:
    """The lexicon's spelling of ``word`` under a class: WORD lower case, NAME capitalised, NUMBER as
    written.
    """
    if cls is WordClass.WORD:
        return word.lower()
    if cls is WordClass.NAME:
        return word[:1].upper() + word[1:].lower()
    return word


def word_class(word: str, index: Index) -> WordClass:
    """The public class of ``word`` as it is written.

    Starting with a digit: NUMBER. Lower case: WORD. Capitalised or upper case: WORD if the lexicon has it
    as one (the beginning of a sentence), else NAME, known or not.
    """
    if word[:1].isdigit():
        return WordClass.NUMBER
    if shape(word) is Shape.LOWER or index(spelling(word, WordClass.WORD), WordClass.WORD) is not None:
        return WordClass.WORD
    return WordClass.NAME
