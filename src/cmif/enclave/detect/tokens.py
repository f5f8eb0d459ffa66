"""A text as sentences of word tokens, with what their spelling says. Knows nothing about names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

# A word: letters with inner apostrophes, hyphens and points ("O'Brien", "Smith-Jones", "U.S.", "J."). Not part of a
# longer run of word characters, so identifiers such as B12 or snake_case are none. Every repeat is possessive.
_TOKEN = re.compile(r"(?<![\w@#$\\])[^\W\d_]+(?:['’-][^\W\d_]+)*+(?:\.[^\W\d_](?![^\W_]))*+(?![\w@])")
_POSSESSIVE = ("'s", "’s", "'S", "’S")
_CLOSE = re.compile(r"[ \t\u00a0]{0,3}\Z")
_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’)\]]*\s|[\n\r\t|>•*=]|[\"“‘(\[{]\Z|\s[-–—]\s")
_ABBREVIATED = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "rev",
        "hon",
        "capt",
        "sgt",
        "lt",
        "col",
        "gen",
        "jr",
        "sr",
        "vs",
        "no",
        "inc",
        "ltd",
        "co",
        "corp",
    ]
)


class Written(Enum):
    """How a token is written; one capital letter counts as upper case."""

    LOWER = "lower"
    CAPITALISED = "capitalised"
    UPPER = "upper"


class Token(NamedTuple):
    """``text`` is at ``start:end``, a possessive 's not included.

    ``starts``: first of a sentence or line. ``follows_closely``: only spaces (or an initial's point, or a
    possessive 's) lie between it and the token before. ``dotted``: a point follows a single letter or
    abbreviation.
    """

    text: str
    lower: str
    start: int
    end: int
    written: Written
    starts: bool
    follows_closely: bool
    dotted: bool
    possessive: bool

    @property
    def is_capital(self) -> bool:
        return self.written is not Written.LOWER


def sentences(text: str) -> Iterator[list[Token]]:
    """The word tokens of ``text``, sentence by sentence; a line end ends a sentence too."""
    sentence: list[Token] = []
    previous: Token | None = None
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word = match.group()
        possessive = word.endswith(_POSSESSIVE)
        if possessive:
            word, end = word[:-2], end - 2
        gap = (
            text[previous.end if previous else 0 : start]
            if previous is None or start - previous.end < 200
            else "\n"
        )
        if previous is not None and gap == " ":  # as nearly always
            begins, close = False, True
        else:
            begins = previous is None or _ends_sentence(previous, gap)
            close = previous is not None and not begins and _is_close(previous, gap)
        token = Token(
            word,
            word.lower(),
            start,
            end,
            _written(word),
            begins,
            close,
            text[end : end + 1] == ".",
            possessive,
        )
        if begins and sentence:
            yield sentence
            sentence = []
        sentence.append(token)
        previous = token
    if sentence:
        yield sentence


def _ends_sentence(previous: Token, gap: str) -> bool:
    if gap.startswith(".") and (
        len(previous.text) == 1 or "." in previous.text or previous.lower in _ABBREVIATED
    ):
        gap = gap[1:]
    return _SENTENCE_END.search(gap) is not None


def _is_close(previous: Token, gap: str) -> bool:
    if previous.possessive:
        gap = gap[2:]
    if previous.dotted:
        gap = gap[1:]
    return _CLOSE.match(gap) is not None and gap != ""


def _written(word: str) -> Written:
    if not word[0].isupper():
        return Written.LOWER
    letters = word.replace("'", "").replace("’", "").replace("-", "").replace(".", "")
    plural = len(letters) > 2 and letters.endswith("s")  # "URLs"
    return Written.UPPER if (letters[:-1] if plural else letters).isupper() else Written.CAPITALISED
