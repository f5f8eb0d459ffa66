"""The public lists that surrogates are drawn from, and names without end where a list is used up.

``surrogates.json`` and ``surrogate_places.json`` were written for CMIF from general knowledge; ``given_female.txt`` and
``given_male.txt`` are derived from Faker's lists (MIT; see the files' heads).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Container, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import count
from types import MappingProxyType

from cmif.enclave.detect.data import entries

RandBelow = Callable[[int], int]
"""``randbelow(n)`` is uniform on 0..n-1: :func:`secrets.randbelow` in the enclave, a seeded one for training data."""

_HEADS = (
    "Alder",
    "Ash",
    "Birk",
    "Brack",
    "Bram",
    "Calder",
    "Clay",
    "Cran",
    "Dun",
    "Elder",
    "Fair",
    "Farn",
    "Gars",
    "Hales",
    "Hart",
    "Hazel",
    "Holl",
    "Ing",
    "Kel",
    "Lang",
    "Lin",
    "Mar",
    "Mel",
    "Nether",
    "Oaken",
    "Ox",
    "Pem",
    "Quarn",
    "Raven",
    "Ros",
    "Sel",
    "Stan",
    "Thorn",
    "Tre",
    "Ulver",
    "Wake",
    "Wel",
    "Whit",
    "Win",
    "Yar",
)
_TAILS = (
    "bourne",
    "brook",
    "bury",
    "by",
    "combe",
    "croft",
    "dale",
    "den",
    "field",
    "ford",
    "grove",
    "ham",
    "hurst",
    "ingdon",
    "ley",
    "mere",
    "mond",
    "ridge",
    "shaw",
    "stead",
    "stoke",
    "thorpe",
    "ton",
    "wick",
    "worth",
)


class Relation(StrEnum):
    """What a surrogate may keep of how its original relates to other things. Each is a leak that a policy may close."""

    GENDER = "gender"  # of a given name, from public lists, a form of address or pronouns near it
    DATES = "dates"  # intervals, order and weekdays of all dates, times of day
    COUNTRY = "country"  # of listed places, and a phone number's country code
    TYPE = "type"  # an organisation's or street's public head noun; country, state or town


def lists() -> MappingProxyType[str, tuple[str, ...]]:
    """The public lists by name: given, surname, place, organisation, street, site."""
    return _json("surrogates.json")


@lru_cache(maxsize=1)
def places() -> MappingProxyType[str, tuple[str, ...]]:
    """Places by group: "country", "US state", "UK county", and the towns of a country under its ISO 3166 code."""
    return _json("surrogate_places.json")


@lru_cache(maxsize=1)
def place_groups() -> Mapping[str, tuple[str, ...]]:
    """The groups that a place, case folded, is listed in."""
    out: dict[str, tuple[str, ...]] = {}
    for group, names in places().items():
        for name in names:
            out[name.casefold()] = (*out.get(name.casefold(), ()), group)
    return out


@lru_cache(maxsize=1)
def genders() -> Mapping[str, str]:
    """ "f" or "m" of a given name, case folded; names of both genders are not in it."""
    return {
        name: g for g, file in (("f", "given_female.txt"), ("m", "given_male.txt")) for name in entries(file)
    }


@lru_cache(maxsize=1)
def stems() -> tuple[str, ...]:
    """A thousand invented proper names that read as an English place or surname."""
    return tuple(head + tail for head in _HEADS for tail in _TAILS)


@lru_cache(maxsize=4)
def given_names(gender: str | None) -> tuple[str, ...]:
    return tuple(n for n in lists()["given"] if gender is None or genders().get(n.casefold()) == gender)


@lru_cache(maxsize=4)
def more_given_names(gender: str | None) -> tuple[str, ...]:
    return tuple(n.capitalize() for n, g in sorted(genders().items()) if gender in (None, g) and len(n) > 3)


def pick(names: Sequence[str], randbelow: RandBelow = secrets.randbelow) -> str:
    return names[randbelow(len(names))]


def free(tiers: Sequence[Sequence[str]], taken: Container[str], randbelow: RandBelow) -> str:
    """A uniform one of the first of ``tiers`` that has any not ``taken``; numbered ones of the last when none has."""
    for names in tiers:
        left = [name for name in names if name not in taken]
        if left:
            return pick(left, randbelow)
    base = pick(tiers[-1], randbelow)
    return next(name for n in count(2) if (name := f"{base} {n}") not in taken)


@lru_cache(maxsize=2)
def _json(name: str) -> MappingProxyType[str, tuple[str, ...]]:
    raw = json.loads(files("cmif.enclave").joinpath(f"data/{name}").read_text("utf-8"))
    return MappingProxyType({group: tuple(names) for group, names in raw.items()})
