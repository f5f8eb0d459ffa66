"""Names of people, places and organisations, without a model: runs of capitalised words, word lists and cues.

What this can find is what English spelling marks: a capital inside a sentence, an unknown word with a
capital at its beginning, a listed name in any case, what follows "my name is". It finds too much rather
than too little: a word that is replaced without need costs usefulness, a name that is not costs privacy.
What it cannot find: names in lower case that are no listed name, names in scripts without case, people
described and not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from cmif.enclave.detect import cues
from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lexicon import special_categories
from cmif.enclave.detect.tokens import Token, Written, sentences
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_NAME = "names"
_INTRODUCED = re.compile(
    rf"(?i:\b(?:{cues.INTRODUCTION}))[ \t]{{0,3}}((?:[^\W\d_][\w'’-]{{1,30}})(?:[ ][^\W\d_][\w'’-]{{1,30}})?)"
)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return entries("common_words.txt")


@lru_cache(maxsize=1)
def _listed() -> dict[str, Kind]:
    """Every listed name of one word: given names and surnames over places over organisations."""
    names: dict[str, Kind] = {}
    for file, kind in _FILES:
        for entry in entries(file):
            names.setdefault(entry, kind)
    return names


_FILES = (
    ("gazetteer_place.txt", Kind.PLACE),
    ("gazetteer_organisation.txt", Kind.ORGANISATION),
    ("gazetteer_given.txt", Kind.PERSON),
    ("gazetteer_surname.txt", Kind.PERSON),
)


class Names:
    """PERSON, PLACE and ORGANISATION spans; PERSON where nothing says otherwise."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for sentence in sentences(text):
            shouted = _is_shouted(sentence)
            for run in _runs(sentence, shouted):
                spans.extend(_named(text, sentence, run, shouted))
            spans.extend(_lower_case(text, sentence))
        spans.extend(_introduced(text))
        return spans


def _is_shouted(sentence: list[Token]) -> bool:
    """Whether capitals say nothing here: a heading, a form, a title line, or a line in upper case."""
    words = [t for t in sentence if len(t.text) > 2 and t.lower not in cues.JOINERS]
    upper = sum(t.written is Written.UPPER for t in words)
    return len(words) >= 3 and upper >= 0.6 * len(words)


def _runs(sentence: list[Token], shouted: bool) -> Iterator[tuple[int, int]]:
    """``(first, end)`` of each run of capitalised tokens, particles and joiners inside included."""
    i = 0
    while i < len(sentence):
        if not sentence[i].is_capital:
            i += 1
            continue
        end = i + 1
        while end < len(sentence) and sentence[end].follows_closely:
            if sentence[end].is_capital:
                end += 1
                continue
            bridge = end
            while (
                bridge < len(sentence)
                and bridge < end + 2
                and sentence[bridge].follows_closely
                and sentence[bridge].lower in cues.PARTICLES | cues.JOINERS
            ):
                bridge += 1
            bridges = bridge > end and bridge < len(sentence) and sentence[bridge].is_capital
            if not (bridges and sentence[bridge].follows_closely):
                break
            if not _may_bridge(sentence, i, end, bridge):
                break
            end = bridge + 1
        yield i, end
        i = end


def _may_bridge(sentence: list[Token], first: int, end: int, bridge: int) -> bool:
    between = {t.lower for t in sentence[end:bridge]}
    if between <= cues.PARTICLES:
        return True
    # "Bank of England", "Marks and Spencer Ltd": only where the run is an organisation or place
    run = [t.lower for t in sentence[first:end]] + [
        t.lower for t in sentence[bridge : bridge + 3] if t.is_capital
    ]
    return any(word in cues.ORGANISATION or word in cues.PLACE for word in run)


def _named(text: str, sentence: list[Token], run: tuple[int, int], shouted: bool) -> Iterator[Span]:
    first, end = run
    whole = " ".join(t.lower for t in sentence[first:end])
    if whole in _listed() and " " in whole:
        yield _span(sentence, first, end, _listed()[whole])
        return
    organisation = _is_organisation(sentence, first, end)
    start = first
    for i in range(first, end + 1):
        at_break = i == end or (_breaks(sentence, i, first, end) and not (organisation and i > start))
        if at_break:
            if i > start:
                yield from _part(text, sentence, start, i, shouted, organisation)
            start = i + 1


def _breaks(sentence: list[Token], i: int, first: int, end: int) -> bool:
    """Whether token ``i`` of a run is no part of any name."""
    token = sentence[i]
    lower = token.lower
    if len(token.text) == 1 and lower in ("i", "a") and not token.dotted:
        return True
    if lower in cues.CALENDAR:
        return True
    if lower in cues.TITLES:
        if lower not in _listed():
            return True
        return i == first and i + 1 < end  # "King" and "Judge" are surnames too, but not before a name
    if is_stopword(lower):
        if lower not in _listed():
            return not (token.lower in cues.JOINERS and i > first)
        return token.starts and not (i + 1 < end)  # "Will Smith" but not "Will you"
    return False


def _is_organisation(sentence: list[Token], first: int, end: int) -> bool:
    return end - first > 1 and any(
        t.lower.rstrip(".") in cues.ORGANISATION for t in sentence[first:end] if t.is_capital
    )


def _part(
    text: str, sentence: list[Token], first: int, end: int, shouted: bool, organisation: bool
) -> Iterator[Span]:
    """The span of one run without titles and stopwords, if it is a name at all."""
    while first < end and (
        not sentence[first].is_capital or sentence[first].lower in cues.TITLES - _listed().keys()
    ):
        first += 1
    while end > first and not sentence[end - 1].is_capital:
        end -= 1
    if not organisation:
        while first < end and sentence[first].starts and end - first > 1 and _everyday(sentence[first]):
            first += 1
    if first >= end:
        return
    tokens = sentence[first:end]
    if _is_condition(sentence, tokens, end):
        return
    if organisation and len(tokens) > 1:
        yield _span(sentence, first, end, Kind.ORGANISATION)
    elif shouted:
        yield from _shouted(sentence, first, end)
    elif (len(tokens) == 1 and _single(sentence, first)) or (
        len(tokens) > 1 and (not all(_everyday(t) for t in tokens) or _stands_out(sentence, first))
    ):
        yield _span(sentence, first, end, _kind(sentence, first, end))


def _everyday(token: Token) -> bool:
    """A common word, abbreviation or special-category word that is no listed name."""
    lower = token.lower
    if lower in _listed():
        return False
    if token.written is Written.UPPER and token.text in _abbreviations():
        return True
    if any(part not in _common() and not is_stopword(part) for part in lower.split("-")):
        return lower in special_categories()
    return True


def _single(sentence: list[Token], i: int) -> bool:
    """Whether one capitalised token that stands alone is a name."""
    token = sentence[i]
    lower = token.lower
    if token.written is Written.UPPER:
        if len(token.text) == 1:
            return False
        if token.text in _abbreviations() or lower in special_categories():
            return False
        return (lower in _listed() and lower not in _common()) or lower not in _common()
    if lower in special_categories():
        return False
    if lower in _listed() and lower not in _common() and not is_stopword(lower):
        return True
    if not token.starts:
        return not _everyday(token) or _stands_out(sentence, i)
    if lower in _listed():  # "Mark called" but not "Mark the box"
        return _is_subject(sentence, i)
    return not _everyday(token)


def _stands_out(sentence: list[Token], i: int) -> bool:
    """Everyday words with capitals inside a sentence, where there is no defined term and no heading."""
    if sentence[i].starts or i == 0 or sentence[i].written is Written.UPPER:
        return False
    before = sentence[i - 1]
    capitals = sum(t.is_capital for t in sentence)
    return (
        before.lower not in cues.DETERMINERS
        and before.lower not in cues.TITLES
        and before.text[0].islower()
        and capitals <= max(2, 0.5 * len(sentence))
    )


def _is_subject(sentence: list[Token], i: int) -> bool:
    if sentence[i].possessive:
        return True
    if i + 1 >= len(sentence):
        return len(sentence) == 1
    after = sentence[i + 1]
    return (
        after.lower in cues.AFTER_SUBJECT
        or after.lower.endswith("ed")
        or (after.is_capital and not after.starts)
    )


def _shouted(sentence: list[Token], first: int, end: int) -> Iterator[Span]:
    """In a line of capitals only the words tell: what is listed or unknown, with listed neighbours."""
    named = [not _everyday(t) and (len(t.text) > 1 or t.dotted) for t in sentence[first:end]]
    strict = [flag and t.lower not in _common() for flag, t in zip(named, sentence[first:end], strict=True)]
    i = 0
    while i < len(named):
        j = i
        while j < len(named) and named[j]:
            j += 1
        if any(strict[i:j]) or (j - i > 1):
            yield _span(sentence, first + i, first + j, _kind(sentence, first + i, first + j))
        i = max(j, i + 1)


def _is_condition(sentence: list[Token], tokens: list[Token], end: int) -> bool:
    after = sentence[end].lower if end < len(sentence) else ""
    if tokens[-1].lower in cues.EPONYMS and (
        after in cues.AFTER_EPONYM or tokens[-1].lower in special_categories()
    ):
        return True
    return len(tokens) > 1 and tokens[-1].lower in cues.AFTER_EPONYM


def _kind(sentence: list[Token], first: int, end: int) -> Kind:
    tokens = sentence[first:end]
    words = [t.lower for t in tokens]
    whole = " ".join(words)
    if whole in _listed():
        listed = _listed()[whole]
    elif any(w in cues.ORGANISATION for w in words[1:]):
        return Kind.ORGANISATION
    elif (
        len(words) > 1
        and (words[-1] in cues.PLACE or words[0] in cues.COMPASS or words[0] in ("st", "san", "santa"))
    ) or (
        len(words) > 1
        and _listed().get(words[0]) is not Kind.PERSON
        and _listed().get(words[-1]) is Kind.PLACE
    ):
        return Kind.PLACE
    else:
        listed = _listed().get(words[0], Kind.WORD)
    if len(words) == 1 and tokens[0].written is Written.UPPER and listed is Kind.WORD and len(words[0]) <= 6:
        return Kind.ORGANISATION
    before = sentence[first - 1].lower if first else ""
    if listed is not Kind.PERSON and before in cues.BEFORE_PLACE:
        return Kind.PLACE
    if listed is Kind.WORD and len(words) == 1 and before in cues.BEFORE_EITHER:
        return Kind.PLACE
    if listed is Kind.WORD and before in cues.BEFORE_ORGANISATION and len(words) == 1:
        return Kind.ORGANISATION
    return Kind.PERSON if listed is Kind.WORD else listed


def _lower_case(text: str, sentence: list[Token]) -> Iterator[Span]:
    """Listed names without capitals that are no other word: "ask anna in london"."""
    for i, token in enumerate(sentence):
        if token.written is not Written.LOWER or token.lower in _common() or is_stopword(token.lower):
            continue
        kind = _listed().get(token.lower)
        if kind is None or len(token.text) < 3 or token.lower in cues.EPONYMS or token.lower in cues.CALENDAR:
            continue
        end = i + 1
        following = sentence[end] if end < len(sentence) and sentence[end].follows_closely else None
        if kind is Kind.PERSON and following is not None and following.written is Written.LOWER:
            surname = _listed().get(following.lower) is Kind.PERSON and not is_stopword(following.lower)
            unknown = (
                following.lower not in _common()
                and not is_stopword(following.lower)
                and len(following.text) > 2
            )
            end += surname or unknown
        yield _span(sentence, i, end, kind)


def _introduced(text: str) -> Iterator[Span]:
    for match in _INTRODUCED.finditer(text):
        start, end = match.span(1)
        words = match.group(1).split(" ")
        if len(words) == 2 and (is_stopword(words[1]) or words[1].lower() in _common() - _listed().keys()):
            end -= len(words[1]) + 1
        first = words[0].lower()
        if not is_stopword(first) and (first in _listed() or first not in _common()):
            yield Span(start, end - 2 if text[end - 2 : end] in ("'s", "’s") else end, Kind.PERSON, _NAME)


@lru_cache(maxsize=1)
def _abbreviations() -> frozenset[str]:
    return entries("common_words_upper.txt")


def _span(sentence: list[Token], first: int, end: int, kind: Kind) -> Span:
    return Span(sentence[first].start, sentence[end - 1].end, kind, _NAME)
