"""The word lists of :mod:`names`, joined once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cmif.enclave.detect import cues
from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lexicon import SpecialCategories, special_categories
from cmif.enclave.detect.tokens import Token, Written
from cmif.enclave.words import stopwords
from cmif.types import Kind

_CLITICS = frozenset({"ve", "d", "ll", "re", "s", "m", "t", "em", "n"})
_FILES = (
    ("gazetteer_place.txt", Kind.PLACE),
    ("gazetteer_organisation.txt", Kind.ORGANISATION),
    ("gazetteer_given.txt", Kind.PERSON),
    ("gazetteer_surname.txt", Kind.PERSON),
)


@dataclass(frozen=True, slots=True)
class Lists:
    """``names``: every listed name and its kind, the first list of the above that has it. ``ordinary``:
    common words and stopwords. ``modern``: words of today, ordinary where every word has a capital. ``given``:
    given names. ``pure``: names that are neither. ``proper``: public
    proper names. ``roles``: titles that are no listed name."""

    names: dict[str, Kind]
    ordinary: frozenset[str]
    modern: frozenset[str]
    given: frozenset[str]
    pure: frozenset[str]
    proper: frozenset[str]
    abbreviations: frozenset[str]
    roles: frozenset[str]
    special: SpecialCategories

    def everyday(self, token: Token, *, heading: bool = False) -> bool:
        """Whether a token is a common word, abbreviation or special-category word and no listed name."""
        lower = token.lower
        if lower in self.ordinary or len(lower) == 1:
            return lower not in self.names
        if lower in self.modern and (heading or token.starts or not token.is_capital):
            return True
        if lower in self.names:
            return False
        if token.written is Written.UPPER and token.text in self.abbreviations:
            return True
        if lower in self.proper or lower in self.special or token.text.endswith(("Error", "Exception", "Warning")):
            return True
        if "-" in lower:
            return all(len(part) < 3 or part in self.ordinary for part in lower.split("-"))
        head, apostrophe, tail = lower.replace("’", "'").partition("'")
        return bool(apostrophe) and head in self.ordinary and tail in _CLITICS

    def is_public(self, lower: str) -> bool:
        """Whether a listed name is a place or organisation: nobody is called that."""
        return self.names.get(lower) is not Kind.PERSON

    def neither(self, lower: str) -> bool:
        """Whether a word is no listed name and no common word."""
        return lower not in self.names and lower not in self.ordinary


@lru_cache(maxsize=1)
def lists() -> Lists:
    names: dict[str, Kind] = {}
    for file, kind in _FILES:
        for entry in sorted(entries(file)):
            names.setdefault(entry.rstrip("."), kind)
    ordinary = entries("common_words.txt") | entries("common_words_extra.txt") | stopwords()
    proper = entries("common_words_proper.txt")
    return Lists(
        names=names,
        ordinary=ordinary,
        modern=entries("common_words_modern.txt"),
        pure=frozenset(name for name in names.keys() - ordinary - proper if len(name) > 2),
        given=entries("gazetteer_given.txt"),
        proper=proper,
        abbreviations=entries("common_words_upper.txt"),
        roles=cues.TITLES - names.keys(),
        special=special_categories(),
    )
