"""Long numbers: telephone numbers where layout, cue or numbering plan say so, else an unknown ID.

phonenumbers (the numbering plans of the world) is the slowest step of detection, so it is asked only about
runs of at least seven digits that nothing else decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmif.enclave.detect.scan import around, figures, within
from cmif.types import Kind, Span

_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT")
_LEAST = 7

# Digits with at most three separators between two of them, from a digit to a digit, and an extension.
_RUN = re.compile(
    r"(?<![\w.,+])(?:\+|\(\+?|00)?\d(?:[ ().\-–/]{0,3}\d){5,24}"
    r"(?:[ ]?(?:x|ext\.?|extension|#)[ ]?\d{1,6})?(?!\w|[.,]\d)"
)
_CUE = re.compile(
    r"(?i:(?:phone|tel|telephone|mobile|cell|fax|call|calls|called|text|texted|ring|dial|whatsapp|desk|"
    r"reach|contact|sms|"
    r"landline|hotline|handy|telefon|tél|number|answering)\b[^\d\n]{0,24}\Z)"
)
_DECIMAL = re.compile(r"\d+\.\d+")
_READINGS = re.compile(
    r"-?\d{1,9}\.\d{1,9}(?:[ ()–/-]{1,3}\d{1,9}\.\d{1,9}){1,12}+\)?"
)  # "21.50 -3.25", "0.0312 (0.0101-0.0577)"
_OPERATOR_BEFORE = re.compile(r"[=*/+<>×÷^][ ]?[(-]?\Z")
_OPERATOR_AFTER = re.compile(r"\)?[ ]?(?:[=*+<>×÷^]|/[ ]?\d)")
_YEARS = re.compile(r"(?:1[5-9]|20|21)\d\d[ ]?[-–/. ][ ]?(?:1[5-9]|20|21)\d\d")
_MONEY = re.compile(r"(?:[$€£¥₹]|(?i:usd|eur|gbp|chf|rs))[ ]?\Z")
_LAYOUT = re.compile(r"[-()/–.+x#]")
# "MRN 4471-9025", "account 88213467", "order no. 555 014 7788": what a record is called by is no phone's.
_RECORD = re.compile(
    r"(?i:(?<![\w/-])(?:(?:m\.?r\.?n\.?|account|acct\.?|a/c|policy|claim|invoice|docket|iban|serial)"
    r"(?: (?:no|nr|number|id|#)\b\.?)?"
    r"|(?:record|chart|order|case|file|matter|ticket|ref(?:erence)?|customer|member|patient|booking|contract|loan)"
    r" (?:no|nr|number|id|#)\b\.?)(?: is)?[ :#=]{1,3})\Z"
)


def numbers(text: str) -> Iterator[Span]:
    """PHONE or ID spans of every run of seven digits or more that is no decimal, amount or span of years."""
    for match in within(_RUN, text, around(figures(text), 4, 160)):
        written = match.group()
        digits = re.sub(r"\D", "", written)
        if len(digits) < _LEAST or _DECIMAL.fullmatch(written) or _YEARS.fullmatch(written):
            continue
        before = text[max(0, match.start() - 40) : match.start()]
        if _READINGS.fullmatch(written) and not _CUE.search(before):
            continue
        if not _CUE.search(before) and _is_sum(text, match.end(), written, before):
            continue
        if _MONEY.search(before) or (written == digits and digits.endswith("000")):
            continue
        kind = Kind.PHONE if len(digits) <= 18 and _is_phone(written, digits, before) else Kind.ID
        yield Span(*match.span(), kind, "patterns")


def _is_sum(text: str, end: int, written: str, before: str) -> bool:
    """ "2000-450 =", "= 12000/60": arithmetic, whose numbers do not begin with a nought."""
    if written.startswith(("0", "+", "(0", "(+")):
        return False
    return (
        " / " in written
        or ")/" in written
        or bool(_OPERATOR_BEFORE.search(before) or _OPERATOR_AFTER.match(text, end))
    )


def _is_phone(written: str, digits: str, before: str) -> bool:
    if written.startswith(("+", "(+", "00")):
        return True
    if _RECORD.search(before):
        return False
    if _CUE.search(before):
        return True
    if len(digits) <= 15 and _LAYOUT.search(written):
        return True
    return len(digits) <= 15 and _is_valid(written)


def _is_valid(written: str) -> bool:
    """Whether some numbering plan has this number."""
    import phonenumbers

    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(written, region)):
                return True
        except phonenumbers.NumberParseException:
            return False
    return False
