"""Texts as they are compared: without case, accents and kinds of white space; and which words are nobody's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from cmif.enclave.detect.lists import lists

_SPACE_RUN = re.compile(r"\s\s")
_TO_SPACE = dict.fromkeys(map(ord, "\t\n\r\f\v\x1c\x1d\x1e\x1f"), " ")


def folded(text: str) -> tuple[str, Sequence[int]]:
    """``text`` without case and accents and with every white space one space, and for each place in it where it is in
    ``text``.
    """
    if text.isascii() and not _SPACE_RUN.search(text):
        return text.lower().translate(_TO_SPACE), range(len(text) + 1)
    out: list[str] = []
    at: list[int] = []
    previous = ""
    for i, char in enumerate(text):
        char = char.lower() if char.isascii() and not char.isspace() else _fold(char)
        if char == " " and previous == " ":
            continue
        previous = char
        for one in char:
            out.append(one)
            at.append(i)
    return "".join(out), [*at, len(text)]


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    if char.isspace():
        return " "
    if char in "‘’ʼ":
        return "'"
    return "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c)).casefold()


def reads_alike(one: str, other: str) -> bool:
    """Whether two writings differ in case, accents and white space only."""
    return folded(one)[0].strip() == folded(other)[0].strip()


def caseless(char: str) -> bool:
    return char.isalpha() and char.lower() == char.upper()


def one_word(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word. Scripts without case (Han, kana, Hangul, Thai, Arabic,
    ...) set particles and titles beside a name with nothing between, so a name of another script ends there.
    """
    return left.isalnum() and right.isalnum() and caseless(left) == caseless(right)


def ordinary(word: str) -> bool:
    """Whether a word, whatever its case, is a common one of the public list."""
    return word.lower() in lists().ordinary


def is_known(word: str) -> bool:
    """Whether a run of letters is an ordinary word or a name of the public lists, so that no other is meant in it."""
    return ordinary(word) or word.lower() in lists().names
