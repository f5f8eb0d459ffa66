"""Names of people, places and organisations, without a model: runs of capitalised words, word lists and cues.

What this finds is what English spelling marks: a capital inside a sentence, an unknown word with a capital at its
beginning, a listed name in any case, what follows "my name is". It finds too much rather than too little: a word
that is replaced without need costs usefulness, a name that is not replaced costs privacy. What it cannot find: unlisted
names in lower case, names in scripts without case, people who are described and not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmif.enclave.detect import cues
from cmif.enclave.detect.code import examined
from cmif.enclave.detect.kinds import kind_of
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.runs import Sentence, is_shouted, runs
from cmif.enclave.detect.scan import around, caseless, places, within
from cmif.enclave.detect.tokens import Token, Written, sentences
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_NAME = "names"
_WORD = r"[^\W\d_][\w'’-]{1,30}"
_INTRODUCED = re.compile(rf"(?i:\b(?:{cues.INTRODUCTION}))[ \t]{{0,3}}({_WORD}(?:[ ]{_WORD})?)")
_SAID = ("name", "goes by", "introduce", "speaking with", "it's me,")  # one is in each of these
_ABBREVIATION = re.compile(r"\(([A-Z]{2,8})s?\)")
_TITLE_BEFORE = re.compile(r"(?<!\w)(?:Mrs?|Ms|Dr|Prof|Herr|Frau|Mme)\.? \Z")
# "04 MAY  TFR": a month behind its day is no name.
_DAY = re.compile(r"(?<![\w.])([0-3]?\d(?:st|nd|rd|th)?[ ])(May|June|April|August|MAY|JUNE|APRIL|AUGUST)(?!\w)")
_LETTER_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_NAME = 3  # words
_NEAR = 12  # tokens on either side that show whether capitals are usual here


class Names:
    """PERSON, PLACE and ORGANISATION spans; PERSON where nothing says otherwise."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        spans: list[Span] = []
        code = examined(text)
        whole = text
        text = _DAY.sub(lambda match: match[1] + "0" * len(match[2]), code.text)
        for sentence in sentences(text):
            shouted = is_shouted(sentence)
            for first, end in runs(sentence):
                spans.extend(_named(sentence, first, end, shouted))
            spans.extend(_lower_case(sentence))
        spans.extend(_introduced(text))
        defined = _defined_abbreviations(text)
        return [
            span
            for span in spans
            if whole[span.start : span.end] not in defined
            and not _is_call(whole, span)
            and (
                _is_listed(whole[span.start : span.end])
                or not (code.is_code(span.start) or _is_identifier(whole, span))
                or _TITLE_BEFORE.search(whole, max(0, span.start - 6), span.start)
            )
        ]


_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*+")
_BEFORE_IDENTIFIER = re.compile(r"(?:->|::|[.\\_@$`#~])\Z")
_AFTER_IDENTIFIER = re.compile(r"\((?!e?s\))|_|::|->|\.[^\W\d_]|\[|`|=\S|/[\w.]+/")


def _is_listed(name: str) -> bool:
    """Whether a listed name, that is no common word besides, is part of ``name``."""
    words = lists()
    found = [word.lower() for word in _WORDS.findall(name)]
    if any(word in words.pure and not words.is_public(word) for word in found):
        return True
    return len(found) > 1 and (found[-1] in cues.LEGAL_FORMS or (found[0] in words.given and name.istitle()))


def _is_call(text: str, span: Span) -> bool:
    """A listed name in lower case before a parenthesis: `max(a, b)`."""
    return text[span.end : span.end + 1] == "(" and text[span.start : span.end].islower()


def _is_identifier(text: str, span: Span) -> bool:
    """Whether a name stands where identifiers of code do: `http.Status`, `Route(`, `Foo::Bar`."""
    before = _BEFORE_IDENTIFIER.search(text, max(0, span.start - 2), span.start)
    joined = before is not None and before.start() > 0 and not text[before.start() - 1].isspace()
    if before and joined and not (before.group() == "." and _is_initial(text, before.start())):
        return True
    if text[span.start - 1 : span.start] == "/" and text[span.end : span.end + 1] in ("/", "_"):
        return True  # but not "PWC/Frankfurt"
    return _AFTER_IDENTIFIER.match(text, span.end) is not None


def _is_initial(text: str, point: int) -> bool:
    """Whether the point ends a sentence or an initial rather than joining identifiers: "J.Smith", "Mr.Smith"."""
    before = text[max(0, point - 5) : point].rpartition(" ")[2]
    return not before[-3:].islower() or before in cues.HONORIFICS  # "mr.Rana"


def _named(sentence: Sentence, first: int, end: int, shouted: bool) -> Iterator[Span]:
    """The names in one run: the whole if it is listed or an organisation, else the parts between words of no name."""
    words = [t.lower for t in sentence[first:end]]
    if len(words) > 1 and (listed := lists().names.get(" ".join(words))):
        yield _span(sentence, first, end, listed)
        return
    if len(words) > 1 and " ".join(words) in lists().proper:
        return
    company = len(words) > 1 and words[-1] in cues.LEGAL_FORMS
    organisation = company or (not shouted and _is_organisation(sentence, first, end))
    start = first
    for i in range(first, end + 1):
        if i == end or _breaks(sentence, i, first, end, company, organisation and i > start):
            if i > start:
                yield from _part(sentence, start, i, shouted, organisation)
            start = i + 1


def _is_organisation(sentence: Sentence, first: int, end: int) -> bool:
    """ "Alder Bank", "University of Oslo"; not "the Emergency Department", "Software Engineer"."""
    words = [t.lower for t in sentence[first:end]]
    if len(words) < 2 or not (
        words[-1] in cues.ORGANISATION or (words[0] in cues.ORGANISATION and "of" in words)
    ):
        return False
    everyday = all(t.lower in lists().ordinary for t in sentence[first:end])
    defined = first > 0 and sentence[first - 1].lower in cues.DETERMINERS
    return not (everyday and len(words) == 2 and (defined or sentence[first].starts))


def _breaks(sentence: Sentence, i: int, first: int, end: int, company: bool, inside: bool) -> bool:
    """Whether token ``i`` of the run ``first:end`` is no part of any name."""
    token = sentence[i]
    lower = token.lower
    if lower in cues.HONORIFICS or (lower == "i" and not token.dotted):
        return True
    if company or inside:
        return False
    last = i + 1 == end
    if lower in cues.CALENDAR:  # "Jan Novak", "April Jones"
        return last or lower not in lists().names
    if lower in cues.TITLES:  # "King" and "Judge" are surnames too, but not before a name
        return lower not in lists().names or (i == first and not last and not token.possessive)
    if is_stopword(lower):
        if i > first and not last and (lower in cues.JOINERS or lower in cues.PARTICLES):
            return False
        return lower not in lists().names or (token.starts and last)  # "Will Smith" but not "Will you"
    return False


def _part(sentence: Sentence, first: int, end: int, shouted: bool, organisation: bool) -> Iterator[Span]:
    """The span of one part of a run, if it is a name at all."""
    words = lists()
    while first < end and (
        not sentence[first].is_capital or (sentence[first].lower in words.roles and not organisation)
    ):
        first += 1
    while end > first and not sentence[end - 1].is_capital:
        end -= 1
    organisation = organisation or (not shouted and _is_organisation(sentence, first, end))  # "Alder Bank on May 4"
    if not organisation and not shouted:
        while end - first > 1 and _is_lead(sentence, first, end):
            first += 1
    if (
        first >= end
        or _is_condition(sentence, first, end)
        or all(len(t.text) == 1 for t in sentence[first:end])
    ):
        return
    if organisation and end - first > 1:
        yield _span(sentence, first, end, Kind.ORGANISATION)
    elif shouted:
        yield from _shouted(sentence, first, end)
    elif end - first == 1:
        if _single(sentence, first):
            yield _span(sentence, first, end, kind_of(sentence, first, end))
    elif not _are_everyday(sentence, first, end) or _is_titled(sentence, first) or (
        _is_cued(sentence, first, end)
        and (_stands_out(sentence, first, end) or any(t.lower in lists().modern for t in sentence[first:end]))
    ):
        kind = kind_of(sentence, first, end)
        if kind is Kind.PERSON and end - first > _LONGEST_NAME:
            yield from _uncommon(sentence, first, end)
        else:
            yield _span(sentence, first, end, kind)


def _uncommon(sentence: Sentence, first: int, end: int) -> Iterator[Span]:
    """The names in more capitalised words than a person's name has: "Data Analysis Zhihao Yao Breast Cancer"."""
    words = lists()
    i = first
    while i < end:
        j = i
        while j < end and not (words.everyday(sentence[j]) or sentence[j].lower in words.modern):
            j += 1
        if j > i:
            yield _span(sentence, i, j, kind_of(sentence, i, j))
        i = max(j, i + 1)


def _are_everyday(sentence: Sentence, first: int, end: int) -> bool:
    """Whether several capitalised words are everyday ones: "Business Analyst", "Decentralized Exchange"."""
    words = lists()
    return all(words.everyday(t, heading=True) for t in sentence[first:end])


def _is_lead(sentence: Sentence, i: int, end: int) -> bool:
    """Whether a token only begins the sentence: an everyday word, or the letter of a list ("B. Difficult")."""
    words = lists()
    letter = len(sentence[i].text) == 1 and words.everyday(sentence[i + 1])
    if sentence[i].lower in words.modern and all(words.everyday(t) for t in sentence[i + 1 : end]):
        return False  # "Wolfram Research" rather than "Review Anna's lease"
    return sentence[i].starts and (letter or words.everyday(sentence[i]))


def _single(sentence: Sentence, i: int) -> bool:
    """Whether one capitalised token that stands alone is a name."""
    token, words = sentence[i], lists()
    lower = token.lower
    if _is_titled(sentence, i) and len(lower) > 1:
        return True
    if token.written is Written.UPPER:
        singular = token.text[:-1] if token.text.endswith("s") else token.text
        known = len(token.text) == 1 or singular in words.abbreviations or lower in words.ordinary
        return not known and lower not in words.special and lower not in words.proper
    if lower in words.special or (lower == "may" and i > 0 and sentence[i - 1].lower in cues.BEFORE_MONTH):
        return False
    if lower in words.pure:
        return True
    if not token.starts:
        if not words.everyday(token, heading=True):
            return True
        return (lower in words.modern or _stands_out(sentence, i, i + 1)) and _is_cued(sentence, i, i + 1)
    if lower in words.names:  # "Mark called" but not "Mark the box"
        return _is_subject(sentence, i)
    return not words.everyday(token)


def _is_titled(sentence: Sentence, i: int) -> bool:
    """Whether token ``i`` is said of a person whatever word it is: "Ms Farthing", but not "Mr President"; or begins
    with an initial where no sentence or list does: "signed, J. Farthing".
    """
    token, words = sentence[i], lists()
    before = sentence[i - 1] if i and token.follows_closely else None
    if before is not None and before.lower in cues.HONORIFICS and before.text != "MS":  # "MS Word"
        return token.lower not in words.roles and token.lower not in cues.TITLES
    initial = len(token.text) == 1 and token.dotted and not token.starts
    return initial and i + 1 < len(sentence) and not token.follows_closely


def _stands_out(sentence: Sentence, first: int, end: int) -> bool:
    """Everyday words with capitals inside a sentence, where there is no defined term and no heading."""
    if first == 0 or sentence[first].starts or sentence[first].written is Written.UPPER:
        return False
    before = sentence[first - 1]
    if before.is_capital or before.lower in cues.DETERMINERS:
        return False
    if before.lower in cues.TITLES and before.lower not in cues.BEFORE_EITHER:  # "to" is the head of a letter too
        return False
    if all(t.lower in lists().special or t.lower in lists().proper for t in sentence[first:end]):
        return False
    around = sentence[max(0, first - _NEAR) : first] + sentence[end : end + _NEAR]
    return sum(t.is_capital for t in around) <= max(2, 0.6 * len(around))


def _is_cued(sentence: Sentence, first: int, end: int) -> bool:
    """Whether everyday words with capitals have a neighbour that names have: "at Pave", "Pave's", "Pave said"."""
    before = sentence[first - 1].lower if first else ""
    cued = before in cues.BEFORE_ORGANISATION or before in cues.BEFORE_EITHER or before in cues.BEFORE_PLACE
    if cued or _is_subject(sentence, end - 1):
        return True
    after = sentence[end] if end < len(sentence) else None  # "which Crown Point received"
    return end - first > 1 and after is not None and after.lower.endswith("ed") and not after.is_capital


def _is_subject(sentence: Sentence, i: int) -> bool:
    """Whether a sentence goes on after token ``i`` as it does after a name: "Mark called", not "Mark the box"."""
    given = sentence[i].lower in lists().given
    if sentence[i].possessive:
        return True
    if i + 1 >= len(sentence):
        return given and len(sentence) == 1
    after = sentence[i + 1]
    if after.is_capital:
        return after.follows_closely and after.lower != "i"
    if not given:
        return after.lower in cues.AFTER_SPEAKER
    return after.lower in cues.AFTER_SUBJECT or after.lower.endswith("ed")


def _shouted(sentence: Sentence, first: int, end: int) -> Iterator[Span]:
    """In a line of capitals only the words tell: unknown and listed ones, with listed neighbours."""
    words = lists()
    i = first
    while i < end:
        j = i
        titled = _is_titled(sentence, i)
        j += titled
        while (
            j < end and not words.everyday(sentence[j]) and (len(sentence[j].text) > 1 or sentence[j].dotted)
        ):
            j += 1
        if titled or j - i > 1 or any(t.lower not in words.ordinary for t in sentence[i:j]):
            yield _span(sentence, i, j, kind_of(sentence, i, j))
        i = max(j, i + 1)


def _is_condition(sentence: Sentence, first: int, end: int) -> bool:
    """ "Parkinson's disease", "Down Syndrome": the lexicon of conditions has them."""
    last = sentence[end - 1]
    if last.lower in cues.AFTER_EPONYM and end - first > 1:
        return True
    after = sentence[end].lower if end < len(sentence) else ""
    return last.lower in cues.EPONYMS and (after in cues.AFTER_EPONYM or last.lower in lists().special)


def _lower_case(sentence: Sentence) -> Iterator[Span]:
    """Listed names without capitals that are no other word, and the surname after one: "ask anna weber in london"."""
    words = lists()
    skip = 0
    for i, token in enumerate(sentence):
        if i < skip or token.lower not in words.pure or token.is_capital:
            continue
        if token.lower in cues.EPONYMS or token.lower in cues.CALENDAR:
            continue
        kind, end = words.names[token.lower], i + 1
        while (
            kind is Kind.PERSON
            and end < min(len(sentence), i + 4)
            and _goes_on(sentence[end - 1], sentence[end])
        ):
            end += 1
        skip = end
        yield _span(sentence, i, end, kind)


def _goes_on(before: Token, token: Token) -> bool:
    """Whether a lower-case token after a given name belongs to the name: an initial, a surname, an unknown word."""
    if before.possessive or not token.follows_closely or token.is_capital:
        return False
    if len(token.text) == 1:
        return token.lower not in ("a", "i")
    words = lists()
    surname = words.names.get(token.lower) is Kind.PERSON and not is_stopword(token.lower)
    return surname or (words.neither(token.lower) and token.lower not in words.special)


def _introduced(text: str) -> Iterator[Span]:
    """ "my name is xu li", whatever the case and whether listed or not."""
    words = lists()
    said = [(at, at) for at in places(caseless(text), _SAID)]
    for match in within(_INTRODUCED, text, around(said, 40, 120)):
        start, end = match.span(1)
        found = [word.lower() for word in match.group(1).split(" ")]
        if len(found) == 2 and (
            is_stopword(found[1]) or (found[1] in words.ordinary and found[1] not in words.names)
        ):
            end -= len(found[1]) + 1
        if not is_stopword(found[0]) and (found[0] in words.names or found[0] not in words.ordinary):
            yield Span(start, end - 2 if text[end - 2 : end] in ("'s", "’s") else end, Kind.PERSON, _NAME)


def _defined_abbreviations(text: str) -> set[str]:
    """Abbreviations that the text itself spells out in everyday words: "fragile X syndrome (FXS)" hides nothing."""
    defined = set()
    for match in _ABBREVIATION.finditer(text):
        letters = match.group(1)
        before = _LETTER_WORD.findall(text, max(0, match.start() - 120), match.start())[-len(letters) - 2 :]
        initials = iter("".join(word[0] for word in before if is_stopword(word) is False).lower())
        spelled = all(letter in initials for letter in letters.lower())
        if spelled and all(
            word.lower() in lists().ordinary or word.lower() in lists().special for word in before
        ):
            defined |= {letters, letters + "s"}
    return defined


def _span(sentence: Sentence, first: int, end: int, kind: Kind) -> Span:
    return Span(sentence[first].start, sentence[end - 1].end, kind, _NAME)
