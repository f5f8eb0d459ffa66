"""Check digits of cards and accounts; each function takes what was written, separators included.

Sources: ISO/IEC 7812-1 annex B (Luhn), ISO 13616 and ISO/IEC 7064 mod 97-10 (IBAN). National numbers: :mod:`national`.
"""

from __future__ import annotations

import re

from stdnum import luhn

# Total length of an IBAN by country (SWIFT IBAN registry).
_IBAN_LENGTH = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def digits(written: str) -> list[int]:
    return [int(char) for char in written if char.isascii() and char.isdigit()]


def card(written: str) -> bool:
    """12 to 19 digits that begin as a payment card does and pass Luhn."""
    numbers = digits(written)
    if not 12 <= len(numbers) <= 19:
        return False
    first = int("".join(map(str, numbers[:4])))
    old_jcb = len(numbers) == 15 and first in (1800, 2131)
    mastercard = len(numbers) == 16 and 2221 <= first <= 2720
    return (3 <= numbers[0] <= 6 or old_jcb or mastercard) and luhn.is_valid("".join(map(str, numbers)))


def iban(written: str) -> bool:
    compact = re.sub(r"[\s-]", "", written).upper()
    if _IBAN_LENGTH.get(compact[:2]) != len(compact) or not compact.isascii() or not compact.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def iban_length(country: str) -> int | None:
    """Characters of an IBAN of ``country`` (two capital letters), or None where there are none."""
    return _IBAN_LENGTH.get(country)
