"""Record numbers: what a label announces, and codes of letters and digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmif.enclave.detect.scan import around, caseless, figures, places, starting, within
from cmif.types import Kind, Span

_LABEL = (
    r"m\.?r\.?n|medical record|hospital record|record|chart|patient|encounter|visit|specimen|sample|"
    r"prescription|rx|nhs|medicare|"
    r"medicaid|insurance|member|membership|subscriber|group|policy|claim|account|acct|a/c|customer|client|"
    r"user|sort code|"
    r"routing|aba|swift|bic|iban|invoice|order|purchase order|po|transaction|transfer|payment|reference|"
    r"ref|booking|"
    r"reservation|confirmation|ticket|tracking|shipment|case|docket|matter|file|dossier|contract|agreement|"
    r"loan|mortgage|"
    r"passport|driv(?:er|ing)(?:['’]?s)? licen[cs]e|licen[cs]e|licen[cs]e plate|plate|permit|visa|"
    r"registration|vehicle|vin|"
    r"chassis|serial|device|imei|asset|badge|employee|emp|staff|personnel|student|payroll|tax|vat|ein|tin|itin|"
    r"ssn|"
    r"social security|national insurance|national id|identity card|id card|identification|id|employee id|"
    r"cert(?:ificate)?|"
    r"aktenzeichen|kundennummer|rechnungsnummer|versicherungsnummer|steuernummer|dossier|n° de client"
)
_LABELS = (
    "m.r", "mr.", "mrn", "medic", "hospital", "record", "chart", "patient", "encounter", "visit", "specimen", "sample",
    "prescription", "rx", "nhs", "insurance", "member", "subscriber", "group", "policy", "claim", "acc", "a/c",
    "customer", "client", "user", "sort code", "routing", "aba", "swift", "bic", "iban", "invoice", "order",
    "purchase", "po", "transaction", "transfer", "payment", "ref", "booking", "reservation", "confirmation", "ticket",
    "tracking", "shipment", "case", "docket", "matter", "file", "dossier", "contract", "agreement", "loan", "mortgage",
    "pass", "driv", "licen", "plate", "permit", "visa", "registration", "vehicle", "vin", "chassis", "serial", "device",
    "imei", "asset", "badge", "emp", "staff", "personnel", "student", "payroll", "tax", "vat", "ein", "tin",
    "itin", "ssn", "social", "national", "ident", "id", "cert", "aktenzeichen", "kundennummer", "rechnungsnummer",
    "versicherungsnummer", "steuernummer", "n° de",
)  # fmt: skip
_NUMBER_WORD = r"(?:id|number|numbers|no|num|nr|nbr|code|reference|ref|card|plate|identifier|#|№|n°)"
_LABELLED = re.compile(
    rf"(?i:(?<![\w/-])(?:{_LABEL})(?P<word>(?:[ _-]{{0,2}}{_NUMBER_WORD}\.?){{0,3}})[ \t]{{0,3}}"
    rf"(?P<link>(?:is|was|:|#|=|-|–|\(){{0,2}})[ \t]{{0,3}}[#:]?[ ]?)(?P<value>[A-Za-z0-9]"
    rf"[A-Za-z0-9./_-]{{1,38}}[A-Za-z0-9])(?![\w])"
)
_NATIONAL = re.compile(
    r"(?i:ssn|social security|national|nhs|passport|driv|identity card|id card|tax|tin|itin)"
)
# Letters and digits in one code, with four digits or more: INV-2024-00123, U62928788557186.
_CODE = re.compile(
    r"(?<![\w./@-])(?=[A-Za-z0-9]{0,40}\d|[A-Za-z]{1,8}[-/])[A-Za-z0-9]{1,40}+(?:[-/_]"
    r"[A-Za-z0-9]{1,40}+){0,6}(?![\w@]|[./-]\w)"
)
_UUID = re.compile(r"(?<![\w-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w-])")
_PLATE = re.compile(  # of the UK, of Germany
    r"(?<![\w-])(?:[A-Z]{2}\d{2} [A-Z]{3}|[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{1,4}[EH]?)(?![\w-])"
)
_HANDLE = re.compile(r"(?<![\w.@/])@[A-Za-z_]\w{2,30}(?![\w@(])")
_SCIENTIFIC = re.compile(
    r"\d+(?:\.\d+)?(?:e|E)[-+]?\d+|0x[0-9A-Fa-f]{1,8}|\d+(?:st|nd|rd|th|s|px|ms|kb|mb|gb|kg|mg|ml|mcg|km|"
    r"cm|mm|hz|khz|mhz|ghz|k|m|bn|pm|am|h|hrs)",
    re.I,
)
_FORMULA = re.compile(  # C6H12O6, NaHCO3: elements of organic compounds and salts with counts
    r"(?=[A-Za-z0-9]*[HO])(?:(?:[CHONPSFIBK]|Na|Mg|Al|Si|Cl|Ca|Fe|Cu|Zn|Br|Ag|Li|Mn|Cr|Co|Ni|Ba|Pb|Hg|Se)(?:[1-9]\d?)?){2,12}"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


def records(text: str) -> Iterator[Span]:
    """ID spans, NATIONAL_ID where the label says so; labels stay outside."""
    lower, numbers = caseless(text), figures(text)
    for match in starting(_LABELLED, text, places(lower, _LABELS)) if numbers else ():
        value = match["value"]
        digits = sum(char.isdigit() for char in value)
        explicit = (
            bool(match["word"].strip(" _-")) or bool(match["link"].strip("-–(")) or "#" in match.group()
        )
        if digits >= (2 if explicit else 4) and not (_YEAR.fullmatch(value) and not explicit):
            kind = Kind.NATIONAL_ID if _NATIONAL.match(match.group()) else Kind.ID
            yield Span(match.start("value"), match.end("value"), kind, "patterns")
    for match in within(_CODE, text, around(numbers, 300, 300)):
        code = match.group()
        digits = sum(char.isdigit() for char in code)
        if (
            digits >= 4
            and len(code) >= 6
            and any(c.isalpha() for c in code)
            and not _SCIENTIFIC.fullmatch(code)
            and not _FORMULA.fullmatch(code)
        ):
            yield Span(*match.span(), Kind.ID, "patterns")
    for match in _UUID.finditer(text) if text.count("-") > 3 else ():
        yield Span(*match.span(), Kind.ID, "patterns")
    for match in within(_PLATE, text, around(numbers, 10, 10)):
        yield Span(*match.span(), Kind.ID, "patterns")
    for match in _HANDLE.finditer(text) if "@" in text else ():
        if match.start() and text[match.start() - 1] != "\n":
            yield Span(*match.span(), Kind.ID, "patterns")
