"""Calendar dates in figures and in words. A timestamp counts whole; a year, a time of day or a weekday
alone is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    rf"(?i:(?<![\w.])(?:{_DAY}{_ORDINAL}(?: (?:of|de))? ?[ /-]?{_MONTH}\b\.?(?:,? ?(?:de )?[ /-]?{_YEAR}"
    rf"(?!\d))?"
    rf"|{_MONTH}\.?[ /-]{{1,2}}{_DAY}{_ORDINAL}(?![\d:]|\.\d)(?:,? {{1,2}}{_YEAR}|-{_YEAR})?(?!\d)"
    rf"|{_MONTH}\.?,? ?[ /-]{_YEAR}(?!\d)))"
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
_PARTIAL = re.compile(
    r"(?i:\b(?:on|dob|born|since|until|till|by|from|before|after|dated)\b:? (\d{1,2}/\d{1,2})(?![\d/]))"
)


def dates(text: str) -> Iterator[Span]:
    for match in _IN_WORDS.finditer(text):
        yield Span(*match.span(), Kind.DATE, "patterns")
    for match in _IN_FIGURES.finditer(text):
        first, second = int(match[1] or match[7]), int(match[3] or match[8])
        if 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12:
            time = _TIME.match(text, match.end())
            yield Span(match.start(), time.end() if time else match.end(), Kind.DATE, "patterns")
    for pattern in (_COMPACT, _PARTIAL):
        for match in pattern.finditer(text):
            yield Span(*match.span(1), Kind.DATE, "patterns")
