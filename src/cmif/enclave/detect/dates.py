"""Calendar dates in figures and in words, whole and partial. A timestamp counts whole; a year, a month, a time of
day or a weekday alone is none: "in 1969" and "in May" say nothing about anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmif.enclave.detect.plain import lowered
from cmif.enclave.detect.scan import around, figures, within
from cmif.types import Kind, Span

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|fevrier|mar(?:ch|s|zo)?|märz|maerz|apr(?:il)?|"
    r"avril|abril|may|mai|"
    r"mayo|maggio|jun[ei]?|juin|junio|giugno|jul[yi]?|juillet|julio|luglio|aug(?:ust)?|août|aout|agosto|"
    r"sep(?:t(?:ember|embre)?)?|"
    r"septiembre|settembre|oct(?:ober|obre)?|oktober|octubre|ottobre|nov(?:ember|embre|iembre)?|"
    r"dec(?:ember)?|dezember|"
    r"décembre|diciembre|dicembre|enero|gennaio|febrero|febbraio|aprile)"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:(?:1[5-9]|20|21)\d{2}|['’]\d{2})"
_ORDINAL = r"(?:st|nd|rd|th|\.)?"
_IN_WORDS = re.compile(
    rf"(?<![\w.])(?:{_DAY}{_ORDINAL}(?: (?:of|de))? ?[ /-]?{_MONTH}\b\.?(?:,? ?(?:de )?[ /-]?{_YEAR}"
    rf"(?!\d))?"
    rf"|{_MONTH}\.?[ /-]{{1,2}}{_DAY}{_ORDINAL}(?![\d:]|\.\d)(?:,? {{1,2}}{_YEAR}|-{_YEAR})?(?!\d)"
    rf"|{_MONTH}\.?,? ?[ /-]{_YEAR}(?!\d))"
)
_IN_FIGURES = re.compile(
    r"(?<![\w./-])(?:(\d{1,2})([./-] ?)(\d{1,2})\2(\d{4}|\d{2})|(\d{4})([./-])(\d{1,2})\6(\d{1,2}))(?!\d|"
    r"[./-]\d)"
)
_TIME = re.compile(r"[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?(?!\w)")
_COMPACT = re.compile(
    r"(?i:\b(?:dob|born|birth(?:day|date)?|date of birth|date)\b[ :=#-]{0,4}(?:is |on )?((?:19|20)\d{6})"
    r"(?!\d))"
)
_CALLED = re.compile(r"\b(?:date|datetime|Date|LocalDate\.of)\(((?:19|20)\d{2}, ?\d{1,2}, ?\d{1,2})(?!\d)")
_PARTIAL = re.compile(
    r"(?i:\b(?:on|dob|born|since|until|till|by|from|before|after|dated)\b:? (\d{1,2}/\d{1,2})(?![\d/]))"
)


_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_BELOW_HUNDRED = rf"(?:(?:{_TENS})(?:[- ](?:{_ONES}))?|{_TEENS}|(?:o |oh )?(?:{_ONES}))"
_SPOKEN_YEAR = (
    rf"(?:two thousand(?:(?: and)? {_BELOW_HUNDRED})?|(?:nineteen|twenty) (?:hundred(?:(?: and)? {_BELOW_HUNDRED})?|"
    rf"{_BELOW_HUNDRED}))"
)
_SPOKEN_DAY = (
    r"(?:thirty[- ]first|thirtieth|twenty[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|twentieth|"
    r"tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|"
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)"
)
# "may second that" and "march first" are no dates without a year or an article.
_PLAIN_MONTH = rf"(?!(?:may|mar|march)\b){_MONTH}"
_ANY_YEAR = rf"(?:,? (?:of |in )?(?:{_YEAR}(?!\d)|{_SPOKEN_YEAR}\b))"
_SPOKEN = re.compile(
    rf"\b(?:{_PLAIN_MONTH}\.? (?:the )?{_SPOKEN_DAY}\b{_ANY_YEAR}?|{_MONTH} the {_SPOKEN_DAY}\b{_ANY_YEAR}?"
    rf"|{_MONTH} {_SPOKEN_DAY}\b{_ANY_YEAR}|(?:the )?{_SPOKEN_DAY} (?:day )?of {_MONTH}\b{_ANY_YEAR}?"
    rf"|{_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_SPOKEN_YEAR}\b|{_MONTH} (?:of )?{_SPOKEN_YEAR}\b"
    rf"|{_MONTH}\.? of (?:the year )?{_YEAR}(?!\d)"
    rf"|(?:early|mid|late|the (?:beginning|start|middle|end) of)[- ]{_MONTH}\b\.?{_ANY_YEAR}?)"
)
# "cath 2/18", "EGD 11/02": month and day after a word. A fraction has a small denominator, or a thing after it.
_MONTH_DAY = re.compile(
    r"(?<=[A-Za-z,;:(-][ (])((?:0?[1-9]|1[0-2])/(?:0[1-9]|1[3-57-9]|2[1-35-9]|3[01]))"
    r"(?!\w|[/.,%-]\d|[ ]?[=*+<>)/%\"”]|[ ]-|[ ]?(?i:of|inch(?:es)?|in|ft|cups?|miles?|hours?|pounds?|lbs?|kg|"
    r"mg|ml|cm|mm|points?|strength|pain|vision|on|scale)\b)"
)
_SUM_BEFORE = re.compile(
    r"[=*+<>/×÷^-][ ]?[(]?[A-Za-z]{0,2}[ ]?\Z|\b(?:ratio|score|fraction|of|by|"
    r"times|gauge)[: ]{1,2}\Z"
)


_ANY_MONTH = re.compile(_MONTH)
_MONTH_WORD = re.compile(rf"(?<![a-z]){_MONTH}(?![a-z])")


def dates(text: str) -> Iterator[Span]:
    """DATE spans; they may overlap."""
    lower = lowered(text)
    months = [match.span() for match in _ANY_MONTH.finditer(lower)] if _MONTH_WORD.search(lower) else []
    for pattern in (_IN_WORDS, _SPOKEN):
        for match in within(pattern, lower, around(months, 40, 100)):
            yield Span(*match.span(), Kind.DATE, "patterns")
    numbers = figures(text)
    for match in _MONTH_DAY.finditer(text) if "/" in text else ():
        if not _SUM_BEFORE.search(text, max(0, match.start() - 12), match.start()):
            yield Span(*match.span(1), Kind.DATE, "patterns")
    for match in within(_IN_FIGURES, text, around(numbers, 0, 20)):
        first, second = int(match[1] or match[7]), int(match[3] or match[8])
        if 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12:
            time = _TIME.match(text, match.end())
            yield Span(match.start(), time.end() if time else match.end(), Kind.DATE, "patterns")
    for pattern in (_COMPACT, _CALLED, _PARTIAL):
        for match in within(pattern, text, around(numbers, 30, 20)):
            yield Span(*match.span(1), Kind.DATE, "patterns")
