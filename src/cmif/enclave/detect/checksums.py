"""Check digits of cards, accounts and national numbers. Every function takes what was written, separators included.

Sources: ISO/IEC 7812-1 annex B (Luhn), ISO 13616 and ISO/IEC 7064 mod 97-10 (IBAN), ISO/IEC 7064 mod 11,10 (German tax
number), the NHS data dictionary (mod 11), and the issuing authorities' published rules for the others.
"""

from __future__ import annotations

import re

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
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)


def digits(written: str) -> list[int]:
    return [int(char) for char in written if char.isascii() and char.isdigit()]


def luhn(written: str) -> bool:
    """The last digit makes the sum of the digits, every second from the right doubled and cast out of
    nines, 0 mod 10.
    """
    numbers = digits(written)
    doubled = [d * 2 - 9 * (d > 4) if i % 2 else d for i, d in enumerate(reversed(numbers))]
    return len(numbers) > 1 and any(numbers) and sum(doubled) % 10 == 0


def card(written: str) -> bool:
    """12 to 19 digits that begin as a payment card does and pass Luhn."""
    numbers = digits(written)
    if not 12 <= len(numbers) <= 19:
        return False
    first = int("".join(map(str, numbers[:4])))
    old_jcb = len(numbers) == 15 and first in (1800, 2131)
    mastercard = len(numbers) == 16 and 2221 <= first <= 2720
    return (3 <= numbers[0] <= 6 or old_jcb or mastercard) and luhn(written)


def iban(written: str) -> bool:
    compact = re.sub(r"[\s-]", "", written).upper()
    if _IBAN_LENGTH.get(compact[:2]) != len(compact) or not compact.isascii() or not compact.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def iban_length(country: str) -> int | None:
    """Characters of an IBAN of ``country`` (two capital letters), or None where there are none."""
    return _IBAN_LENGTH.get(country)


def us_ssn(written: str) -> bool:
    """No check digit; areas 000, 666, group 00 and serial 0000 were never issued (9xx is an ITIN and counts)."""
    numbers = "".join(map(str, digits(written)))
    return (
        len(numbers) == 9
        and numbers[:3] not in ("000", "666")
        and numbers[3:5] != "00"
        and numbers[5:] != "0000"
    )


def nhs_number(written: str) -> bool:
    """UK NHS number: ten digits, weights 10 to 2, 11 minus the sum mod 11."""
    numbers = digits(written)
    if len(numbers) != 10 or not any(numbers):
        return False
    check = 11 - sum(d * (10 - i) for i, d in enumerate(numbers[:9])) % 11
    return check != 10 and check % 11 == numbers[9]


def german_tax_id(written: str) -> bool:
    """Steuerliche Identifikationsnummer: eleven digits, ISO/IEC 7064 mod 11,10, one digit of the ten repeated."""
    numbers = digits(written)
    if len(numbers) != 11 or numbers[0] == 0 or not 8 <= len(set(numbers[:10])) <= 9:
        return False
    product = 10
    for digit in numbers[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == numbers[10]


def spanish_id(written: str) -> bool:
    """DNI and NIE: the letter is the number mod 23; X, Y, Z count as 0, 1, 2."""
    compact = re.sub(r"[\s.-]", "", written).upper()
    if re.fullmatch(r"[XYZ\d]\d{7}[A-Z]", compact, re.ASCII) is None:
        return False
    number = int("XYZ".index(compact[0]) if compact[0] in "XYZ" else compact[0]) * 10**7 + int(compact[1:8])
    return _DNI_LETTERS[number % 23] == compact[8]


def french_nir(written: str) -> bool:
    """Social security number: fifteen digits, key 97 minus the number mod 97; 2A and 2B count as 19 and 18."""
    compact = re.sub(r"\s", "", written).upper()
    if re.fullmatch(r"[12]\d{4}(?:\d\d|2[AB])\d{8}", compact, re.ASCII) is None:
        return False
    number = int(compact[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(compact[13:])


def polish_pesel(written: str) -> bool:
    numbers = digits(written)
    if len(numbers) != 11:
        return False
    month = numbers[2] * 10 + numbers[3]
    day = numbers[4] * 10 + numbers[5]
    total = sum(w * d for w, d in zip(_PESEL_WEIGHTS, numbers, strict=False))
    return 1 <= month % 20 <= 12 and 1 <= day <= 31 and (10 - total % 10) % 10 == numbers[10]


def dutch_bsn(written: str) -> bool:
    """Burgerservicenummer: nine digits, weights 9 to 2 and -1, sum 0 mod 11."""
    numbers = digits(written)
    if len(numbers) != 9 or not any(numbers):
        return False
    return (sum(d * (9 - i) for i, d in enumerate(numbers[:8])) - numbers[8]) % 11 == 0


def canadian_sin(written: str) -> bool:
    return len(digits(written)) == 9 and luhn(written)


def aadhaar(written: str) -> bool:
    """Indian identity number: twelve digits, Verhoeff's scheme over the dihedral group of order ten."""
    numbers = digits(written)
    if len(numbers) != 12 or numbers[0] < 2:
        return False
    check = 0
    for i, digit in enumerate(reversed(numbers)):
        check = _dihedral(check, _verhoeff(i % 8, digit))
    return check == 0


def _dihedral(a: int, b: int) -> int:
    """The product in the dihedral group of order ten: 0 to 4 are rotations, 5 to 9 reflections."""
    turned = a % 5 + b % 5 if a < 5 else a % 5 - b % 5
    return turned % 5 + 5 * ((a < 5) != (b < 5))


def _verhoeff(times: int, digit: int) -> int:
    """Verhoeff's permutation (1 5 8 9 4 2 7 0)(3 6) applied ``times`` times."""
    cycle = (1, 5, 8, 9, 4, 2, 7, 0)
    if digit in cycle:
        return cycle[(cycle.index(digit) + times) % 8]
    return digit if times % 2 == 0 else 9 - digit
