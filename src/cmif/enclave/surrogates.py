"""Surrogates: a replacement for an entity, drawn independently of its value.

Guarantee: epsilon 0 for the value. What leaks is the kind, the shape stated below for each kind, and which mentions
are equal (one surrogate a value, distinct values get distinct surrogates). The lists are public.

======================  ==========================================================================================
kind                    surrogate, and what of the original's shape survives
======================  ==========================================================================================
person                  one word of the public given-name or surname list a word; the number of words survives
place, organisation     one entry of a public list; nothing survives
address                 house number and street of a public list; nothing survives
email, url              invented under `.example` (RFC 2606); nothing survives
phone, id, national_id  same layout: a digit for a digit, a letter for a letter, case and separators survive
card, iban              same layout, country letters of an IBAN survive; the checksum is made valid
ip                      198.18.0.0/15 or 2001:db8::/32 (RFC 2544, RFC 3849); the version survives
date                    uniform day of 1950-2029 in the same layout; the layout survives
secret, private         `secret-` and eight hexadecimal digits; nothing survives
======================  ==========================================================================================
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable, Container, Sequence
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from cmif.errors import MechanismError
from cmif.types import Kind

RandBelow = Callable[[int], int]
"""``randbelow(n)`` is uniform on 0..n-1: :func:`secrets.randbelow` in the enclave, a seeded one for training data."""

_FIRST_DAY = date(1950, 1, 1)
_DAYS = (date(2030, 1, 1) - _FIRST_DAY).days
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_MONTH_WORD = re.compile(r"[A-Za-z]{3,9}")
_TRIES = 10_000


@lru_cache(maxsize=1)
def lists() -> MappingProxyType[str, tuple[str, ...]]:
    """The public lists by name: given, surname, place, organisation, street, site."""
    raw = json.loads(files("cmif.enclave").joinpath("data/surrogates.json").read_text("utf-8"))
    return MappingProxyType({name: tuple(entries) for name, entries in raw.items()})


def draw(
    kind: Kind, layout: str, taken: Container[str] = (), randbelow: RandBelow = secrets.randbelow
) -> str:
    """A surrogate for an entity of ``kind``, not in ``taken``.

    ``layout`` is the original; only the shape named in the module's table is read from it. Raises
    :class:`MechanismError` when no free surrogate is found (the list of this kind is used up).
    """
    maker = _MAKERS[kind]
    for _ in range(_TRIES):
        surrogate = maker(layout, randbelow)
        if surrogate not in taken:
            return surrogate
    raise MechanismError(
        f"No unused surrogate of kind {kind.value!r} is left in this conversation.",
        hint="Start a new conversation, or extend the public lists.",
    )


def draw_name_word(last: bool, taken: Container[str] = (), randbelow: RandBelow = secrets.randbelow) -> str:
    """One word of a person's name: from the surname list if it is the last of several words, else a given name."""
    return _draw_from(lists()["surname" if last else "given"], taken, randbelow)


def _draw_from(entries: Sequence[str], taken: Container[str], randbelow: RandBelow) -> str:
    free = [entry for entry in entries if entry not in taken]
    if not free:  # every entry is in use: number them, which stays unambiguous and restorable
        for _ in range(_TRIES):
            entry = f"{_pick(entries, randbelow)}{_pick(string.ascii_lowercase, randbelow)}{randbelow(100)}"
            if entry not in taken:
                return entry
        raise MechanismError("The public surrogate list is used up.", hint="Start a new conversation.")
    return _pick(free, randbelow)


def _pick(entries: Sequence[str], randbelow: RandBelow) -> str:
    return entries[randbelow(len(entries))]


def _person(layout: str, randbelow: RandBelow) -> str:
    words = layout.split() or [""]
    return " ".join(
        draw_name_word(last=i > 0 and i == len(words) - 1, randbelow=randbelow) for i in range(len(words))
    )


def _same_layout(layout: str, randbelow: RandBelow) -> str:
    def replace(char: str) -> str:
        if char.isdigit():
            return str(randbelow(10))
        if char.isalpha():
            letter = string.ascii_lowercase[randbelow(26)]
            return letter.upper() if char.isupper() else letter
        return char

    return "".join(replace(char) for char in layout)


def _card(layout: str, randbelow: RandBelow) -> str:
    """A Luhn-valid number (ISO/IEC 7812-1 annex B) in the same grouping."""
    digits = [randbelow(10) for char in layout if char.isdigit()]
    if not digits:
        return _same_layout(layout, randbelow)
    digits[0] = 4
    doubled = [d * 2 - 9 * (d > 4) if i % 2 == 0 else d for i, d in enumerate(reversed(digits[:-1]))]
    digits[-1] = -sum(doubled) % 10
    remaining = iter(digits)
    return "".join(str(next(remaining)) if char.isdigit() else char for char in layout)


def _iban(layout: str, randbelow: RandBelow) -> str:
    """Same country and grouping, random digits, valid check digits (ISO 13616, mod 97)."""
    compact = [char for char in layout if char.isalnum()]
    if len(compact) < 5:
        return _same_layout(layout, randbelow)
    country = "".join(compact[:2]).upper()
    body = [str(randbelow(10)) if c.isdigit() else string.ascii_uppercase[randbelow(26)] for c in compact[4:]]
    number = int("".join(str(int(char, 36)) for char in [*body, *country, "0", "0"]))
    full = iter([*country, *f"{98 - number % 97:02d}", *body])
    return "".join(next(full) if char.isalnum() else char for char in layout)


def _date(layout: str, randbelow: RandBelow) -> str:
    day = _FIRST_DAY + timedelta(days=randbelow(_DAYS))
    word = _MONTH_WORD.search(layout)
    if word and any(m.lower().startswith(word.group()[:3].lower()) for m in _MONTHS):
        month = _MONTHS[day.month - 1]
        month = month[:3] if len(word.group()) <= 3 and word.group().lower() != "may" else month
        numbers = re.findall(r"\d+", layout)
        out = layout.replace(word.group(), "\0", 1)
        for number in numbers:
            out = out.replace(number, f"{day.year}" if len(number) == 4 else f"{min(day.day, 28)}", 1)
        return out.replace("\0", month)
    fields = re.split(r"(\d+)", layout)
    values = [f for f in fields if f.isdigit()]
    if len(values) != 3:
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    # day and month both <= 12 where either may come first, so that each reading of the layout is a real date
    order = [day.year, day.month, day.day] if len(values[0]) == 4 else [min(day.day, 12), day.month, day.year]
    texts = iter(
        f"{v % 10 ** len(t):0{len(t)}d}" if len(t) in (2, 4) else str(v)
        for v, t in zip(order, values, strict=True)
    )
    return "".join(next(texts) if f.isdigit() else f for f in fields)


def _address(_layout: str, randbelow: RandBelow) -> str:
    return f"{1 + randbelow(199)} {_pick(lists()['street'], randbelow)}"


def _email(_layout: str, randbelow: RandBelow) -> str:
    given = _pick(lists()["given"], randbelow).lower()
    return (
        f"{given}.{_pick(lists()['surname'], randbelow).lower()}@{_pick(lists()['site'], randbelow)}.example"
    )


def _url(_layout: str, randbelow: RandBelow) -> str:
    return f"https://{_pick(lists()['site'], randbelow)}-{randbelow(1000)}.example"


def _ip(layout: str, randbelow: RandBelow) -> str:
    if ":" in layout:
        return f"2001:db8::{randbelow(65536):x}:{randbelow(65536):x}"
    return f"198.{18 + randbelow(2)}.{randbelow(256)}.{randbelow(256)}"


def _secret(_layout: str, randbelow: RandBelow) -> str:
    return f"secret-{randbelow(1 << 32):08x}"


def _from_list(name: str) -> Callable[[str, RandBelow], str]:
    return lambda _layout, randbelow: _pick(lists()[name], randbelow)


_MAKERS: MappingProxyType[Kind, Callable[[str, RandBelow], str]] = MappingProxyType(
    {
        Kind.PERSON: _person,
        Kind.PLACE: _from_list("place"),
        Kind.ORGANISATION: _from_list("organisation"),
        Kind.ADDRESS: _address,
        Kind.EMAIL: _email,
        Kind.PHONE: _same_layout,
        Kind.CARD: _card,
        Kind.IBAN: _iban,
        Kind.NATIONAL_ID: _same_layout,
        Kind.IP: _ip,
        Kind.URL: _url,
        Kind.DATE: _date,
        Kind.ID: _same_layout,
        Kind.SECRET: _secret,
        Kind.PRIVATE: _secret,
    }
)
