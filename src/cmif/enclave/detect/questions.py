"""Questions of general knowledge: what a sentence is that asks and is nobody's affair, and what of it is public."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cmif.enclave.detect.data import entries, in_order
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.public_names import NAMES, listed, spelling, tiled
from cmif.enclave.detect.ties import CONTACT, FIRST_PERSON, REQUEST, SOMEBODY
from cmif.types import Kind, Span

_SHORT = 16  # words of a question without its mark
_TOKEN = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*+")
_ASKS = re.compile(
    r"(?i:\s*(?:[\"'“]|so |and |ok |okay )?(?:who(?:se|m|['’]?s)?|what(?:['’]?s)?|when|where(?:['’]s)?|which|"
    r"how|why)\b)"
)
_QUESTION = re.compile(
    _ASKS.pattern
    + r"|(?i:\s*(?:is|are|was|were|did|does|do|can|has|have|(?:in|on|at|to|for|from) (?:what|which|whom)|"
    r"(?:describe|define|explain|mention|list|name) (?:the|a|of|all|two|three)|the|meaning|types?|location|"
    r"[\w'’ -]{0,80}\b(?:who|what|when|where|which|"
    r"how)\b)\b)"
)
# A part in a play is no client: "Who played Mr Lunde in ...".
_PART_PLAYED = re.compile(
    r"(?i)(\bwho (?:plays|played|voices|voiced) )(?:mr|mrs|ms|miss|dr)\b|(?<=[a-z]['’]s )(?:girlfriend|"
    r"boyfriend)(?= in )"
)
# "Who is Jack's mother in when calls the heart": what no preposition has after it but the title of a work.
_TITLE_CLAUSE = re.compile(
    r"\A(?:Who|What|who|what) (?:is|was|plays|played|voices|voiced) (?:[Mm]rs?\.? ?)?[A-Z][\w’'-]{1,20}"
    r"(?:['’]s? (?:last |full |real )?[a-z]{1,12}| (?:last |full |real )?name)? (?:in|on|from) "
    r"((?:where|when|what|how|why|and|you|i|never|to|be|get|hey|if|so|is|are) [\w'’ ]{3,60})\?"
)
# A character of a work is no client: "Who is Mr Lunde in <title>?"
_CHARACTER = re.compile(r"(?i)(\A\s*who (?:is|was) )(?:mr|mrs|ms|miss|dr)\b\.?")
# A question of an examination, that breaks off where the answer belongs: "Bosnia and Croatia were parts of?"
_TO_BE_FILLED = re.compile(r"(?i:\b(?:of|by|as|an?|the|is|are|was|were|called|to)\?\s*\Z)")
# What somebody asks somebody about themselves.
_YOURS = re.compile(
    r"(?i:\s*(?:so |and |hey |hi )?(?:have|has|are|do|did|will|can|could|would|were|who['’]s|wanna|want to) "
    r"(?:you|we|coming|going)\b)"
)
_PUBLIC_LIFE = re.compile(rf"(?i:\b(?:{'|'.join(in_order('public/life.txt'))})\b)")
_OF_ANYBODY = entries("public/of_anybody.txt")
# Beside one of these a question asks about a word, a kind of thing, a part in a play or a contest: what is said of
# nobody's neighbour ("Where does the last name Lunde come from?").
_ASKS_OF_A_THING = re.compile(
    r"(?i:\b(?:(?:term|word|phrase|nickname|surname|name)s? (?:of )?(?:[\w'’-]{1,20} ){1,4}(?:come|"
    r"originate|change|derive)|"
    r"does (?:[\w'’-]{1,20} ){1,4}(?:end up (?:with|together)|play in the)|does it (?:originate|come)|its|"
    r"which of the following|(?:what|which) (?:type|kind|species|breed)s? of|personality test|"
    r"(?:definition|etymology|symbol|synonym) of|associated with (?:which|what)|in which country|"
    r"(?:chromosome|vesicle|enzyme|hormone|mineral|vitamin|molecule|isotope)s?|mitosis|meiosis|"
    r"(?:play|novel|epic|poem|opera) [a-z]{2,12} [a-z]{2,12}|written by|"
    r"grand (?:prix|national)|field goals?|home runs?|wickets?|free kicks?|no-hitters?|lead singers?|"
    r"foundation stone|"
    r"in the (?:play|novel|poem|opera|sitcom)(?=\?)|which means(?=\?)|ways? to say|(?:stanley|world|"
    r"european) cups?|super ?bowl|plane crash|coat of arms|"
    r"(?:biggest|largest|tallest|oldest|longest|highest) [a-z]{2,20} (?:in|of)|(?:declaration|council|"
    r"battles?|articles) of)\b)"
)
# "The Falcons", "a Holden", "the first Orca": not said before a person's name.
_BEFORE_A_THING = re.compile(
    r"(?i:\b(?:the|an?)(?: (?:first|last|big|great|new|old|wild|current|ancient|official|group|most))? )\Z"
)
_BEFORE_A_WORK = frozenset("in on from of by movie film song show series book novel play".split())  # noqa: SIM905
# The words of a name that is none: what a headline gives a capital ("Which Government had ...").
_NO_NAME = re.compile(
    r"(?i:north|south|east|west|northern|southern|eastern|western|royal|imperial|international|national|"
    r"federal|local|oriental|"
    r"allies|apostles?|administration|association|bill|cups?|prix|superbowl|ceos?|guy|rover|park|mills|grand|"
    r"independence|megalithic|supercar|footballer|champion\w*|african|american\w*|asian|european|mexican)"
)
# Affairs of private life and work: a question with one of these is somebody's.
_PRIVATE_LIFE = re.compile(
    r"(?i:(?<!minimum )(?<!average )(?<!living )\b(?:salary|wage)s?(?! caps?)\b|(?<!how many )\bcustomers?\b|"
    r"(?<!national )(?<!public )(?<!us )(?<!student )\bdebt\b|"
    r"(?<!union )(?<!inaugural )(?<!gettysburg )\baddress\b)|"
    r"(?i:(?<!to )\bcontract\b|\b(?:invoice|meeting|meet|paid|pay|owes?|loan|mortgage|account number|"
    r"password|phone|"
    r"e-?mail|call(?:s|ed)? (?:back|in)|appointment|diagnos\w+|symptoms?|medication|prescri\w+|therapy|surgery|"
    r"lab results?|pregnan\w+|"
    r"divorc\w+|custody|lawsuit|sue[sd]?|arrested|fired|hired|resign\w*|promot\w+|vacation|leave request|"
    r"deadline|project|"
    r"colleague|boss|manager|employee|client|patient|tenant|landlord|neighbou?r|roommate|classmate|"
    r"homework|grades?|"
    r"quarter(?:ly)?|budget|forecast|roadmap|confidential|internal|nda|shipment|ticket)\b)"
)


@dataclass(frozen=True, slots=True)
class Question:
    """``public``: it holds a word of public life, ``sure`` one that is not said of anybody. ``alone``: it is the whole
    text."""

    public: bool
    sure: bool
    alone: bool


def question_of(text: str, start: int, end: int, spans: Sequence[Span]) -> Question | None:
    """What a sentence is if it asks and is nobody's affair. A text with private values has no such question."""
    told = text[start:end]
    alone = not text[:start].strip() and not text[end:].strip()
    short = alone and told.count(" ") < _SHORT and "," not in told
    if not told.rstrip().endswith("?") and not (short and _ASKS.match(told)):
        return None
    works = list(_works(told)) + [match.span(1) for match in _TITLE_CLAUSE.finditer(told)]
    for a, b in works:
        told = told[:a] + "_" * (b - a) + told[b:]  # the "our" of "Days of Our Lives" is nobody's
    told = _PART_PLAYED.sub(r"\1", told)
    if works:
        told = _CHARACTER.sub(r"\1", told)
    public = bool(works) or _PUBLIC_LIFE.search(told) is not None
    asked = (
        alone and (public or _TO_BE_FILLED.search(told) is not None or _ASKS_OF_A_THING.search(told) is not None)
    ) or _QUESTION.match(told) is not None
    if not asked:
        return None
    if (
        _YOURS.match(told)
        or SOMEBODY.search(told)
        or _PRIVATE_LIFE.search(told)
        or FIRST_PERSON.search(REQUEST.sub(" ", told))
    ):
        return None
    if any(s.kind in CONTACT and s.kind not in NAMES and s.kind is not Kind.ADDRESS for s in spans):
        return None
    sure = (
        any(m.group().lower() not in _OF_ANYBODY for m in _PUBLIC_LIFE.finditer(told))
        or _ASKS_OF_A_THING.search(told) is not None
        or bool(works)
    )
    return Question(public, sure, alone)


def _works(told: str) -> Iterator[tuple[int, int]]:
    """Where listed works and persons of history stand in a question, in whatever case: those of several words, of which
    one is uncommon or that follow a word such as "in", "movie", "by"; a single uncommon word at its end ("on NCIS?").
    """
    tokens = [(m.start(), m.end(), m.group()) for m in _TOKEN.finditer(told.lower().replace("’", "'"))]
    known = lists()
    i = 0
    while i < len(tokens):
        for n in range(min(6, len(tokens) - i), 0, -1):
            words = [word for _, _, word in tokens[i : i + n]]
            if listed().get(" ".join(words)) not in ("work", "person"):
                continue
            titled = i > 0 and tokens[i - 1][2] in _BEFORE_A_WORK
            rare = any(word not in known.ordinary and word not in known.given for word in words)
            several = n - (words[0] in ("the", "a")) > 1
            if (several and (titled or rare)) or (titled and rare and i + n == len(tokens)):
                yield tokens[i][0], tokens[i + n - 1][1]
                i += n - 1
                break
        i += 1


def is_in_title(text: str, span: Span, sentence: tuple[int, int]) -> bool:
    """Whether a word of a special category stands in the title of a listed work or event: "the Great Depression"."""
    tokens = [
        (m.start(), m.end(), m.group().lower().replace("’", "'"))
        for m in _TOKEN.finditer(text, max(sentence[0], span.start - 60), min(sentence[1], span.end + 60))
    ]
    at = next((i for i, (start, end, _) in enumerate(tokens) if start <= span.start < end), None)
    if at is None:
        return False
    return any(
        listed().get(" ".join(word for _, _, word in tokens[first:end])) in ("work", "place")
        for first in range(max(0, at - 5), at + 1)
        for end in range(max(at + 1, first + 2), min(len(tokens), first + 6) + 1)
    )


def is_asked_about(text: str, span: Span, question: Question) -> bool:
    """Whether an unlisted name, or a date, in a question of general knowledge is public: with a word of public life
    any, without one what looks like nobody's name.
    """
    before = text[max(0, span.start - 12) : span.start]
    if span.kind not in NAMES:
        return span.kind is Kind.DATE and (question.public or question.sure)
    if re.search(r"(?i:\b(?:mr|mrs|ms|miss|dr)\.? ?)\Z", before):
        return question.sure and question.alone
    words = spelling(text[span.start : span.end]).split(" ")
    if len(words) > 1 and tiled(words) == "place":  # "Croatia Macedonia", whose commas were left out
        return question.alone
    if all(_NO_NAME.fullmatch(word) or _PUBLIC_LIFE.fullmatch(word) for word in words):
        return question.alone
    given = any(word in lists().given for word in words)
    if span.kind is not Kind.PERSON or _BEFORE_A_THING.search(before):
        return question.public or (question.alone and not given)
    return question.sure
