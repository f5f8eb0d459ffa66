"""Words of special categories (GDPR art. 9 and 10, and money trouble), and a user's own lists.

A found word is a ``Kind.WORD`` span: the mechanism replaces it under epsilon, it gets no surrogate. An entry of several
words gives one span a word, a member of a public type (:mod:`cmif.enclave.special`) one span in all. A user's list may
be PRIVATE instead: entries like code names, which get surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cmif.enclave.detect.data import entries
from cmif.enclave.detect.scan import around, figures, within
from cmif.enclave.special import special
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

CATEGORIES = ("health", "money", "faith", "origin", "politics", "sexuality", "union", "crime")

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*+")
_PLURAL = re.compile(r"(?:'s|’s|s|es)\Z")

_AGE = re.compile(
    r"(?i:(?<![\w.])(\d{1,3})(?=[ -]?(?:years?|yrs?|months?|weeks?)[ -]old\b|[ -]?(?:y/?o|yo|y\.o\.)(?!\w)|"
    r"[- ]year[- ]old)"
    r"|\b(?:aged?|age of|age is|age:|turned|turning|turn|i am|i'm|he is|she is|he's|she's)[ ]?(\d{1,3})"
    r"(?![\w.,]?\d|[%:/]))"
    r"|(?i:\b(?:he|she|they|i) (?:was|were|am|is|are) (\d{1,3})(?=[.,;!?]|$| (?:when|and|at)\b))"
)


class WordList:
    """Finds the entries of word lists, whole words, any case, singular or plural."""

    def __init__(self, words: Iterable[str], *, name: str = "lexicon", kind: Kind = Kind.WORD) -> None:
        """``words``: entries, words or phrases. ``kind``: WORD (the mechanism) or PRIVATE (a surrogate)."""
        self.name = name
        self._kind = kind
        self._entries = frozenset(_key(entry) for entry in words if _key(entry))
        self._first = frozenset(entry.split(" ")[0] for entry in self._entries if " " in entry)
        self._longest = max((entry.count(" ") + 1 for entry in self._entries), default=1)

    def __contains__(self, word: str) -> bool:
        return not self._entries.isdisjoint(_forms(word.lower()))

    def detect(self, text: str) -> list[Span]:
        tokens = [(*m.span(), m.group().lower().replace("’", "'")) for m in _TOKEN.finditer(text)]
        spans: list[Span] = []
        skip = 0
        for i, (start, end, word) in enumerate(tokens):
            if i < skip:
                continue
            length = self._length(tokens, i)
            if length > 1:
                skip = i + length
                inner = [t for t in tokens[i:skip] if not is_stopword(t[2])]
                if self._kind is Kind.WORD:
                    spans.extend(Span(a, _bare_end(text, a, b), self._kind, self.name) for a, b, _ in inner)
                else:
                    last_start, last_end, _ = tokens[skip - 1]
                    spans.append(Span(start, _bare_end(text, last_start, last_end), self._kind, self.name))
            elif length:
                spans.append(Span(start, _bare_end(text, start, end), self._kind, self.name))
            elif "-" in word:
                spans.extend(self._parts(start, word))
        return spans

    def _length(self, tokens: list[tuple[int, int, str]], i: int) -> int:
        """How many tokens from ``i`` are one entry, the longest; 0 for none."""
        word = tokens[i][2]
        if not self._first.isdisjoint(_forms(word)):
            following = [token for _, _, token in tokens[i : i + self._longest]]
            for n in range(len(following), 1, -1):
                head = " ".join(following[: n - 1])
                if any(f"{head} {form}" in self._entries for form in _forms(following[n - 1])):
                    return n
        return int(word in self)

    def _parts(self, start: int, word: str) -> list[Span]:
        spans = []
        for match in re.finditer(r"[^-]+", word):
            if match.group() in self:
                spans.append(Span(start + match.start(), start + match.end(), self._kind, self.name))
        return spans


class SpecialCategories(WordList):
    """The packaged lists and types, words with medical endings, and ages."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        """``extra``: a user's own entries, one to four words each."""
        listed = {entry for category in CATEGORIES for entry in entries(f"special/{category}.txt")}
        super().__init__(listed | set(extra), name="special")

    def __contains__(self, word: str) -> bool:
        lower = word.lower()
        return super().__contains__(lower) or is_medical(lower) or lower in special().forms

    def detect(self, text: str) -> list[Span]:
        aged = within(_AGE, text, around(figures(text), 25, 25))
        ages = [match.span(match.lastindex or 0) for match in aged]
        typed = [(start, end) for start, end, _ in special().find(text)]
        inside = {i for start, end in typed for i in range(start, end)}
        words = [s for s in super().detect(text) if not (s.start in inside and s.end - 1 in inside)]
        return words + [Span(start, end, Kind.WORD, self.name) for start, end in (*typed, *ages)]


def is_medical(word: str) -> bool:
    """Whether a lower-case word ends as only medical words do ("tonsillitis", "rosuvastatin")."""
    stem = word[:-1] if word.endswith("s") and not word.endswith(("ss", "is")) else word
    return len(stem) > 6 and stem.endswith(_endings()) and stem not in entries("special/ordinary_endings.txt")


@lru_cache(maxsize=1)
def _endings() -> tuple[str, ...]:
    return tuple(sorted(entries("special/medical_endings.txt")))


@lru_cache(maxsize=1)
def special_categories() -> SpecialCategories:
    """The detector of special categories over the packaged lists, read once."""
    return SpecialCategories()


def _key(entry: str) -> str:
    return " ".join(m.group().lower().replace("’", "'") for m in _TOKEN.finditer(entry))


def _forms(word: str) -> tuple[str, ...]:
    if not word.endswith("s"):
        return (word,)
    forms = (word, _PLURAL.sub("", word), word[:-1])
    return (*forms, word[:-3] + "y") if word.endswith("ies") else forms


def _bare_end(text: str, start: int, end: int) -> int:
    return end - 2 if text[end - 2 : end].lower() in ("'s", "’s") and end - start > 2 else end
