"""Street addresses, flats, boxes, postcodes and coordinates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmif.enclave.detect.data import entries
from cmif.enclave.detect.scan import around, caseless, figures, places, starting, within
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_REST = r"[\w'’.-]{0,30}"
_WORD = rf"[^\W\d_]{_REST}"
_SUFFIX = (
    r"(?:street|st|avenue|ave|av|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq|"
    r"terrace|ter|way|close|"
    r"crescent|cres|highway|hwy|parkway|pkwy|circle|cir|trail|trl|alley|row|mews|gardens|grove|hill|walk|"
    r"quay|wharf|"
    r"turnpike|plaza|loop|view|rise|green|heights|park)"
)
_STATE = (
    r"(?:A[KLRZ]|AA|AE|AP|C[AOT]|D[CE]|FL|FM|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|"
    r"P[ARW]|RI|S[CD]|T[NX]|"
    r"UT|V[AIT]|W[AIVY])"
)
# "75 mg daily. Follow-up with Dr." is no address.
_MEASURE = (
    r"(?i:mg|mcg|ml|kg|cm|mm|tablets?|units?|doses?|times|percent|minutes?|hours?|days?|weeks?|months?|years?|"
    r"dollars?|euros?|pounds?|patients?|people)"
)
# 12 Acacia Avenue, 1600 N. Main St Apt 4B
_STREET = re.compile(
    rf"(?<![\w.,/-])\d{{1,6}}[A-Za-z]?(?:[/-]\d{{1,4}})?,? (?!{_MEASURE}\b)(?:{_WORD} ){{1,5}}"
    rf"(?i:{_SUFFIX})\b\.?(?! [a-z]+ing\b)"
)
# Friedhofstrasse 33, Puruntie 82, Nybyvägen 65
_ENDING = re.compile(
    r"(?<!\w)[^\W\d_][\w-]{1,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|tie|katu|"
    r"polku|vägen|gatan|"
    r"väg|veien|gata|vej|gade|straat|laan|plein|utca|tér|út|körút|ulica) ?\d{1,5}[a-zA-Z]?(?!\w)"
)
# 38 Rue de Virton, Via Roma 12, Avenida de la Paz 9, ul. Polna 5
_WAY = re.compile(
    rf"(?<!\w)(?:\d{{1,5}},? )?(?i:rue|via|viale|piazza|corso|calle|avenida|paseo|plaza|rua|praça|"
    rf"largo|boulevard|chemin|"
    rf"quai|impasse|ulica|ul\.|os\.|al\.|strada|calea|trg|rruga) (?:(?:de|du|des|della|delle|dei|del|"
    rf"la|las|los|le|do|da|dos|das|di|d['’]|l['’]) ?){{0,3}}"
    rf"[A-ZÀ-Þ]{_REST}(?: [A-ZÀ-Þ]{_REST}){{0,3}}(?:,? \d{{1,5}}[a-zA-Z]?(?!\w))?"
)
_WAYS = (
    "rue ", "via", "piazza ", "corso ", "calle ", "avenida ", "paseo ", "plaza ", "rua ", "pra", "largo ", "boulevard ",
    "chemin ", "quai ", "impasse ", "ulica ", "ul. ", "os. ", "al. ", "strada ", "calea ", "trg ", "rruga ",
)  # fmt: skip
_RULES = tuple(
    re.compile(form)
    for form in (
        # Apt. 864, Suite 510, Flat 3b
        r"(?<!\w)(?i:apt|apartment|suite|ste|unit|flat|room|rm|p\.? ?o\.? ?box|box|psc|postfach|bldg|"
        r"building|floor|fl)\.? ?#? ?\d{1,6}[A-Za-z]?(?!\w)",
        # CO 80202, APO AA 61487
        rf"(?<!\w)(?:(?:APO|FPO|DPO) )?{_STATE},? \d{{5}}(?:-\d{{4}})?(?![\w-])",
        r"(?<![\w-])\d{5}-\d{4}(?![\w-])",
        # SW1A 1AA, K1A 0B1, 1012 AB Amsterdam
        r"(?<!\w)(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d|"
        r"\d{4} ?[A-Z]{2}(?= [A-Z][a-z]))(?!\w)",
        # 10115 Berlin, D-10115 Berlin
        r"(?<![\w.,/-])(?:[A-Z]{1,2}-)?\d{5}(?= [A-ZÀ-Þ][^\W\d_]{2})(?!\w)",
        r"-?\d{1,3}\.\d{4,12}°?,[ ]?-?\d{1,3}\.\d{4,12}",
    )
)
_LABELLED = re.compile(
    r"(?i:\b(?:zip|zipcode|zip code|post ?code|postal code|plz|cap|cp|code postal)\b[ ]?(?:is|was|:|"
    r"=)?[ ]{0,2})([A-Z0-9][A-Z0-9 -]{1,8}[A-Z0-9])(?!\w)"
)
_POSTCODE_LABELS = ("zip", "post", "plz", "cap", "cp", "code p")
# Berlin 10115, Bjert 6091, Annerstad 340 12
_AFTER_PLACE = re.compile(
    r"(?<!\w)([^\W\d_][\w'’-]{1,30}),?[ ](\d{5}|\d{3}[ ]\d{2}|\d{4})(?!\w|[.,:/-]\d|[ ]\d)"
)
# What follows "lives at": capitalised words, numbers and what stands between them.
_CUED = re.compile(
    r"(?i:(?:lives?|living|lived|resid(?:es?|ing)|located|situated|meet me|address(?:es)?|offices? is|"
    r"offices? are|deliver(?:ed)?|"
    r"return|shipped|ship|sent?|arrived|taxi|bus stop|stops?|you off|entrance|corner|north side|south side|"
    r"east side|west side)"
    r"(?: of)?(?: is| are|: ?| with| to| as)?(?: at| on| in| of| to)?(?: the corner of)?)[ \n:]{1,3}"
    r"((?:(?:\d[\w/-]{0,7}|[A-ZÀ-ÞΆ-Ϋ][\w'’.-]{0,30}|d[eiou]l?|la|las|los|of|and|the|corner|u\.|ul\.|str|"
    r"trg|rue|via|nad|na)"
    r"[ \n,.]{1,3}){0,14}(?:\d[\w/-]{0,7}|[A-ZÀ-ÞΆ-Ϋ][\w'’-]{0,30}))"
)
_CUES = (
    "liv", "resid", "locat", "situat", "meet me", "address", "office", "deliver", "return", "ship", "sen", "arrived",
    "taxi", "bus stop", "stop", "you off", "entrance", "corner", "north side", "south side", "east side", "west side",
)
_SHOUTED = 6
"""Letters of a town in capitals; shorter words in capitals name a series."""
_NUMBERS_BEFORE = re.compile(r"(?<![\w.,$€£%-])(?:\d{1,6}[A-Za-z]?,?[ ]{1,2}){1,2}\Z")
_NUMBER_AFTER = re.compile(r"(?:,?[ ]\d{1,6}[A-Za-z]?(?!\w|[.,:/-]\d)){1,2}")
# A line of an address block: a number and capitalised words, or the other way round.
_LINE = re.compile(
    r"(?m)^[^\w\n]{0,8}((?:\d{1,6} )?(?:[A-ZÀ-ÞΆ-Ϋ][\w'’.-]{1,30} ?){1,5}(?:\d{1,6}[A-Za-z]?)?|\d{4,6})"
    r"[^\w\n]{0,8}$"
)
_NOT_A_PLACE = re.compile(
    r"(?i:\b(?:chapter|page|table|figure|section|step|part|phase|type|stage|grade|level|version|day|week|"
    r"month|year|item|"
    r"question|answer|example|option|article|clause|appendix|number|total|task|q|week|act|scene|volume|vol|"
    r"slide|line)\b)"
)

_CODES = re.compile(r"[A-Z]{2,30}[ :]{1,2}[\d./:-]{1,40}")  # "return ECONNREFUSED 127.0.0.1", "sent INVITE 200"

# A full stop after a whole word, or an empty line, ends the address: "12 Acacia Avenue. The rent is due" keeps "The".
_SENTENCE_END = re.compile(
    r"(?<=[^\W\d_]{4})(?<![Bb]lvd)(?<![Pp]kwy)(?<![Cc]res)(?<![Bb]ldg)\.(?!\w)|\n\s*\n"
)


# Suffixes that are everyday words: without capitals they make no street of what stands before them.
_EVERYDAY = frozenset(
    "place park court way close hill walk view rise green circle square drive loop trail row gardens grove "  # noqa: SIM905
    "heights plaza "
    "terrace st av pl ct cir ter way".split()
)


# "NHS 943 476 5919, GP Dr. Patel", "Ward 12, referred by Dr. Ng": a doctor and no drive.
_BEFORE_DOCTOR = frozenset("gp pcp md consultant surgeon physician practitioner specialist by with and to".split())  # noqa: SIM905


def _is_street(written: str) -> bool:
    """ "12 Acacia Avenue" and "12 acacia avenue"; not "5 friends in the park", "2 take place", "3 cars on the road"."""
    words = written.rstrip(".").split()
    names = words[1:-1]
    if words[-1].lower() == "dr" and names and names[-1].lower().rstrip(":") in _BEFORE_DOCTOR:
        return False
    if all(name[0].isupper() or not name[0].isalpha() for name in names):
        return bool(names)
    if any(is_stopword(name) and name.islower() for name in names):
        return False
    suffix = words[-1].lower()
    return len(names) <= 3 and (suffix not in _EVERYDAY or not any(_is_word(name) for name in names))


def _is_word(word: str) -> bool:
    return word.lower() in entries("common_words.txt") or is_stopword(word)


def streets(text: str) -> Iterator[Span]:
    """ADDRESS spans, with the bare numbers directly before and after them."""
    for start, end in _found(text):
        over = _SENTENCE_END.search(text, start, end)
        end = over.start() if over else end
        before = _NUMBERS_BEFORE.search(text, max(0, start - 16), start)
        after = _NUMBER_AFTER.match(text, end)
        yield Span(
            before.start() if before else start, after.end() if after else end, Kind.ADDRESS, "patterns"
        )


def _found(text: str) -> Iterator[tuple[int, int]]:
    lower, numbers = caseless(text), figures(text)
    ways = [(at, at) for at in places(lower, _WAYS)]
    for match in within(_WAY, text, around(ways, 8, 200)):
        yield match.span()
    if not numbers:
        return
    for match in within(_STREET, text, around(numbers, 0, 300)):
        if _is_street(match.group()):
            yield match.span()
    near = around(numbers, 60, 20)
    for match in within(_ENDING, text, near):
        if not _is_word(re.split(r"[\W\d]", match.group(), maxsplit=1)[0]):  # "Spring 2024", "during 1971"
            yield match.span()
    for rule in _RULES:
        for match in within(rule, text, near):
            yield match.span()
    for match in starting(_LABELLED, text, places(lower, _POSTCODE_LABELS)):
        if any(char.isdigit() for char in match[1]):
            yield match.span(1)
    for match in within(_AFTER_PLACE, text, near):
        word, number = match.groups()
        year = len(number) == 4 and number.startswith(("18", "19", "20"))
        unusual = word.lower() not in entries("common_words.txt") and not is_stopword(word)
        series = word.isupper() and len(word) < _SHOUTED  # "ISO 27001", "RTX 4090"
        if unusual and not (year or series) and (word[0].isupper() or len(number) != 4):
            yield match.span(2)
    for match in starting(_CUED, text, places(lower, _CUES)):
        named = any(char.isdigit() for char in match[1]) and not _CODES.fullmatch(match[1])
        if named and not _NOT_A_PLACE.search(match[1]):
            yield match.span(1)
    if "\n" in text:
        for match in _LINE.finditer(text):
            if match[1].isdigit() and not _is_beside_address(text, *match.span(0)):
                continue
            if any(char.isdigit() for char in match[1]) and not _NOT_A_PLACE.search(match[1]):
                yield match.span(1)


_NAMED_LINE = re.compile(r"[^\w\n]{0,8}(?:\d{1,6}[a-zA-Z]? )?[A-ZÀ-ÞΆ-Ϋ][^\W\d_][\w'’., -]{0,60}\Z")


def _is_beside_address(text: str, start: int, end: int) -> bool:
    """Whether the line above or below a number in a line of its own begins with a capital, as a town or street does."""
    above = text[max(0, start - 90) : max(0, start - 1)].rpartition("\n")[2]
    below = text[end + 1 : end + 90].partition("\n")[0]
    return bool(_NAMED_LINE.match(above) or _NAMED_LINE.match(below))
