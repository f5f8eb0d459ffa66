"""Names in lower case that no list has, found by what stands before them: a title, a greeting, "ask", "lives in".

Spelling says nothing about "ask inessa in lubbeek about jonsson"; a form of address does, and only before a word that
is no word otherwise, so that "ask the team in advance about it" stays. Listed names in any case are :mod:`names`'.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from cmif.enclave.detect import cues
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.plain import lowered
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_NAME = "address_forms"
_WORD = r"[^\W\d_]{2,30}(?:['’-][^\W\d_]{1,30}){0,3}"
_PARTICLES = r"(?:(?:van|von|de|den|der|del|della|di|da|dos|el|al|bin|ibn|la|le|ter|ten)[ ]){0,3}"
_EACH = re.compile(_WORD)
_EACH_PART = re.compile(r"[^\W_][\w'’&-]*")
_TARGET = rf"({_PARTICLES}{_WORD}(?:[ ]{_WORD}){{0,2}})"
_SENTENCE = re.compile(r"[^.!?\n]{1,600}(?:\.(?=\S)[^.!?\n]{0,600}){0,8}")

_TITLE = re.compile(
    rf"(?:(?<![\w@/])(?:mrs?|ms|mx|dr|prof|professor|doctor|mister|mme|monsieur|madame|herr|frau|señor|señora|"
    rf"nurse|uncle|aunt|auntie|cousin|sgt|capt|rev)(?:\.[ ]?|[ ]))(?={_TARGET})"
)
_GREETING = re.compile(
    rf"(?:(?:\A|[.!?,;:\n]|\b(?:and|say))[ \t]{{0,4}}(?:dear|hi|hello|hey|good (?:morning|evening|afternoon)|cheers|"
    rf"thanks|thank you|regards|best|sincerely|take care)[ ,]{{1,2}}){_TARGET}(?=[ ]{{0,2}}(?:[,.!?;\n]|"
    rf"\Z|and\b|i\b|i['’]m\b))"
)
_PERSON = re.compile(
    rf"(?:\b(?:ask|asks|asked|tell|tells|told|email|emailed|e-mail|texted|remind|reminded|invite|invited|met|"
    rf"(?:mail|letter|message|reply|wrote|write|spoke|speak|spoken|talk|talked|talking) (?:to|with|w/)|discussed w/|"
    rf"married|divorced|"
    rf"(?:my|his|her|our|their) (?:new |old |late |best |own |twin |ex-)?(?:friend|colleague|coworker|"
    rf"boss|manager|wife|"
    rf"husband|partner|fianc[ée]e?|girlfriend|boyfriend|gf|bf|hubby|son|daughter|brother|sister|mother|father|mum|mom|dad|cousin|"
    rf"neighbou?r|flatmate|roommate|teacher|doctor|therapist|lawyer|landlord|tenant|client|patient|student|nephew|niece|"
    rf"ex)(?: is| named| called|,)?|(?:man|woman|boy|girl|person|guy|lady|patient|client|child|"
    rf"baby) (?:is )?(?:named|called))"
    rf"[ ]){_TARGET}"
)
_SELF = re.compile(
    rf"(?:\b(?:i am|i['’]?m|this is|it['’]s|we are)[ ]){_TARGET}(?=[ ]{{0,2}}(?:,|\Z|\n|[ ](?:a|an|from|and my)\b))"
)
_PLACE = re.compile(
    rf"(?:\b(?:lives?|living|lived|resid(?:e|es|ing)|born|raised|moved|moving|relocated|based|located|"
    rf"grew up|stay|staying|"
    rf"home|house|flat|apartment|property|flew|flying|fly|travel(?:l?ed|l?ing)?|drove|arrived|clinic|hospital|school|office)"
    rf"(?: (?:back|over|up|down|out))?[ ](?:in|at|to|near|from)[ ]){_TARGET}"
)
_FIRM = re.compile(
    rf"(?:\b(?:(?:works?|worked|working|job|career|intern|interned) (?:at|for|@)|(?:company|firm|startup|"
    rf"start-up|brand|employer|"
    rf"agency|vendor|supplier|bank|business)(?:['’]s)?(?: name)?(?: is| was| named| called|:)?)[ ]){_TARGET}"
)
_RULES = (
    (_TITLE, Kind.PERSON), (_GREETING, Kind.PERSON), (_PERSON, Kind.PERSON), (_SELF, Kind.PERSON), (_PLACE, Kind.PLACE),
    (_FIRM, Kind.ORGANISATION),
)  # fmt: skip
_LEGAL = re.compile(r"(?<=[ ])(?:inc|ltd|llc|plc|gmbh|corp)\b")
_BACK = re.compile(r"(?:[^\W_][\w'’&-]{0,30}(?:,? and |, |[ ])){1,4}\Z")
# Once a sentence names somebody like this, an unknown word behind a preposition is a name too.
_RELATED = re.compile(rf"\b(in|at|from|near|to|with|about|by|for|and|of)(?=[ ]({_WORD}(?:[ ]{_WORD})?))")
_OF_PLACES = frozenset({"in", "at", "from", "near"})


class AddressForms:
    """PERSON, PLACE and ORGANISATION spans of lower-case words that are in no list."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        spans: list[Span] = []
        lower = lowered(text)
        for rule, kind in _RULES:
            for match in rule.finditer(lower):
                titled = match.group()[:3] if rule is _TITLE else ""
                if name := _name(text, match.start(1), match.end(1), kind, titled):
                    spans.append(Span(*name, kind, _NAME))
        spans.extend(_companies(text, lower))
        people = sorted(span.start for span in spans if span.kind is Kind.PERSON)
        if people:
            for sentence in _SENTENCE.finditer(text):
                at = bisect_left(people, sentence.start())
                if at < len(people) and people[at] < sentence.end():
                    known = {(span.start, span.end) for span in spans}
                    related = _related(text, *sentence.span())
                    spans.extend(span for span in related if (span.start, span.end) not in known)
        return spans


def _companies(text: str, lower: str) -> Iterator[Span]:
    """Words before a legal form, back to the last one that no name has: "works for hubbard, fox and gill ltd". Where
    the last of them has a capital so have all ("at the same time, Halcyon Robotics Ltd").
    """
    for match in _LEGAL.finditer(lower):
        before = _BACK.search(lower, max(0, match.start() - 100), match.start())
        if before is None:
            continue
        words = list(_EACH_PART.finditer(lower, *before.span()))
        first = len(words)
        capital = bool(words) and text[words[-1].start()].isupper()
        while first and (words[first - 1].group() == "and" or not _ends_a_company(words[first - 1].group())):
            at = words[first - 1].start()
            number = text[at].isdigit() and lower[words[first - 1].end()] == " "  # "3 Round Stones Inc"
            if capital and lower[at : at + 4] != "and " and not (text[at].isupper() or number):
                break
            first -= 1
        while first < len(words) and words[first].group() == "and":
            first += 1
        if first < len(words):
            yield Span(words[first].start(), match.end(), Kind.ORGANISATION, _NAME)


def _ends_a_company(word: str) -> bool:
    return is_stopword(word) or word in cues.BEFORE_ORGANISATION or word in cues.AFTER_SUBJECT


def _related(text: str, first: int, last: int) -> Iterator[Span]:
    for match in _RELATED.finditer(text, first, last):
        kind = Kind.PLACE if match[1] in _OF_PLACES else Kind.PERSON
        if name := _name(text, match.start(2), match.end(2), kind):
            yield Span(*name, kind, _NAME)


def _name(text: str, start: int, end: int, kind: Kind, titled: str = "") -> tuple[int, int] | None:
    """The part of ``text[start:end]`` from its start that is a name: unknown words, particles before them, a listed
    surname after them. ``titled``: how the form of address before it begins.
    """
    until = None
    for match in _EACH.finditer(text, start, end):
        word = match.group()
        if not word.islower() or (until is not None and word in cues.AFTER_SUBJECT):
            break
        if until is None and word in _PARTICLE_WORDS:
            continue
        if not (_is_unknown(word) or _may_be_name(word, kind, titled if until is None else "")):
            break
        until = match.end()
    if until is None:
        return None
    return start, until - (2 if text[until - 2 : until] in ("'s", "’s") else 0)


_ENDING = re.compile(r"(?:ies|es|s|ing|ed|er|ly)\Z")
_PARTICLE_WORDS = frozenset(
    "van von de den der del della di da dos el al bin ibn la le ter ten".split()  # noqa: SIM905
)


def _is_unknown(word: str) -> bool:
    words = lists()
    stem = word.replace("’", "'").partition("'s")[0]
    if len(stem) < 3 or is_stopword(stem) or stem in cues.HONORIFICS:
        return False
    forms = {stem, _ENDING.sub("", stem), _ENDING.sub("e", stem), _ENDING.sub("y", stem)}
    known = (
        bool(forms & words.ordinary)
        or stem in words.proper
        or stem in words.special
        or stem.upper() in words.abbreviations
    )
    parts = stem.split("-")
    return not known and not (len(parts) > 1 and all(part in words.ordinary for part in parts))


def _may_be_name(word: str, kind: Kind, titled: str) -> bool:
    """Whether a listed name goes on a name: a surname that is also a word ("brown") only directly behind a title, any
    other word only behind "mr" or "mrs".
    """
    words = lists()
    if titled.startswith("mr"):
        return not is_stopword(word) and word not in cues.TITLES and word not in words.roles
    listed = kind is Kind.PERSON and words.names.get(word) is Kind.PERSON and not is_stopword(word)
    return listed and (bool(titled) or word in words.pure)
