"""Street addresses, flats, boxes, postcodes and coordinates."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
_RULES = tuple(
    re.compile(form)
    for form in (
        # 12 Acacia Avenue, 1600 N. Main St Apt 4B
        rf"(?<![\w.,/-])\d{{1,6}}[A-Za-z]?(?:[/-]\d{{1,4}})?,? (?:{_WORD} ){{1,5}}"
        rf"(?i:{_SUFFIX})\b\.?(?! [a-z]+ing\b)",
        # Friedhofstrasse 33, Puruntie 82, Nybyvägen 65
        r"(?<!\w)[^\W\d_][\w-]{1,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|tie|katu|"
        r"polku|vägen|gatan|"
        r"väg|veien|gata|vej|gade|straat|laan|plein|utca|tér|út|körút|ulica) ?\d{1,5}[a-zA-Z]?(?!\w)",
        # 38 Rue de Virton, Via Roma 12, Avenida de la Paz 9, ul. Polna 5
        rf"(?<!\w)(?:\d{{1,5}},? )?(?i:rue|via|viale|piazza|corso|calle|avenida|paseo|plaza|rua|praça|"
        rf"largo|boulevard|chemin|"
        rf"quai|impasse|ulica|ul\.|os\.|al\.|strada|calea|trg|rruga) (?:(?:de|du|des|della|delle|dei|del|"
        rf"la|las|los|le|do|da|dos|das|di|d['’]|l['’]) ?){{0,3}}"
        rf"[A-ZÀ-Þ]{_REST}(?: [A-ZÀ-Þ]{_REST}){{0,3}}(?:,? \d{{1,5}}[a-zA-Z]?(?!\w))?",
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
    r"=)?[ ]{0,2})([A-Z0-9][A-Z0-9 -]{2,8}[A-Z0-9])(?!\w)"
)
# Berlin 10115
_AFTER_PLACE = re.compile(r"(?<!\w)[A-ZÀ-Þ][\w'’-]{1,30},? (\d{5})(?!\w|[.,-]\d)")
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


def streets(text: str) -> Iterator[Span]:
    for rule in _RULES:
        for match in rule.finditer(text):
            yield Span(*match.span(), Kind.ADDRESS, "patterns")
    for match in _LABELLED.finditer(text):
        if any(char.isdigit() for char in match[1]):
            yield Span(*match.span(1), Kind.ADDRESS, "patterns")
    for match in _AFTER_PLACE.finditer(text):
        if not _NOT_A_PLACE.search(match[0]):
            yield Span(*match.span(1), Kind.ADDRESS, "patterns")
    if "\n" in text:
        for match in _LINE.finditer(text):
            if any(char.isdigit() for char in match[1]) and not _NOT_A_PLACE.search(match[1]):
                yield Span(*match.span(1), Kind.ADDRESS, "patterns")
