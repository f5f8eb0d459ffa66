"""Numbers, addresses of machines and secrets: random ones in the layout of the original."""

from __future__ import annotations

import re
import string

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from cmif.enclave.surrogates.lists import RandBelow

_INTERNATIONAL = re.compile(r"\s*(?:\+|00)\s*([\d ().-]*)")


def same_layout(layout: str, randbelow: RandBelow) -> str:
    def replace(char: str) -> str:
        if char.isdigit():
            return str(randbelow(10))
        if char.isalpha():
            letter = string.ascii_lowercase[randbelow(26)]
            return letter.upper() if char.isupper() else letter
        return char

    return "".join(replace(char) for char in layout)


def phone(layout: str, randbelow: RandBelow) -> str:
    """Same layout; the country code of an international number (ITU-T E.164) survives."""
    match = _INTERNATIONAL.match(layout)
    if match is None:
        return same_layout(layout, randbelow)
    for length in (1, 2, 3):
        digits = [m.end() for m in re.finditer(r"\d", match[1])][:length]
        code = re.sub(r"\D", "", match[1][: digits[-1]]) if len(digits) == length else ""
        if code and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            end = match.start(1) + digits[-1]
            return layout[:end] + same_layout(layout[end:], randbelow)
    return same_layout(layout, randbelow)


def card(layout: str, randbelow: RandBelow) -> str:
    """A Luhn-valid number (ISO/IEC 7812-1 annex B) in the same grouping."""
    digits = [randbelow(10) for char in layout if char.isdigit()]
    if not digits:
        return same_layout(layout, randbelow)
    digits[0] = 4
    doubled = [d * 2 - 9 * (d > 4) if i % 2 == 0 else d for i, d in enumerate(reversed(digits[:-1]))]
    digits[-1] = -sum(doubled) % 10
    remaining = iter(digits)
    return "".join(str(next(remaining)) if char.isdigit() else char for char in layout)


def iban(layout: str, randbelow: RandBelow) -> str:
    """Same country and grouping, random digits, valid check digits (ISO 13616, mod 97)."""
    compact = [char for char in layout if char.isalnum()]
    if len(compact) < 5:
        return same_layout(layout, randbelow)
    country = "".join(compact[:2]).upper()
    body = [str(randbelow(10)) if c.isdigit() else string.ascii_uppercase[randbelow(26)] for c in compact[4:]]
    number = int("".join(str(int(char, 36)) for char in [*body, *country, "0", "0"]))
    full = iter([*country, *f"{98 - number % 97:02d}", *body])
    return "".join(next(full) if char.isalnum() else char for char in layout)


def ip(layout: str, randbelow: RandBelow) -> str:
    if ":" in layout:
        return f"2001:db8::{randbelow(65536):x}:{randbelow(65536):x}"
    prefix = "".join(layout.partition("/")[1:])
    return f"198.{18 + randbelow(2)}.{randbelow(256)}.{randbelow(256)}{prefix}"


def secret(_layout: str, randbelow: RandBelow) -> str:
    return f"secret-{randbelow(1 << 32):08x}"
