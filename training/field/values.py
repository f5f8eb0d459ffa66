"""Values for the slots of a document, by kind, and the split that keeps held-out originals out of training.

Training values are mostly surrogates drawn as the enclave draws them (what the engine will see), else invented.
Held-out originals are name words, and whole values of every other kind, whose hash is reserved; training
never produces those (:func:`reserved`). The surrogate lists are public and belong to no side.
"""

from __future__ import annotations

import hashlib
import random
import string
from dataclasses import dataclass, field
from functools import lru_cache

from faker import Faker
from faker.providers.person.de_DE import Provider as German
from faker.providers.person.en_GB import Provider as British
from faker.providers.person.en_US import Provider as American
from faker.providers.person.es_ES import Provider as Spanish
from faker.providers.person.pl_PL import Provider as Polish

from cmif.enclave.surrogates import draw, lists
from cmif.types import Kind

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

NAMELIKE = (Kind.PERSON, Kind.PLACE, Kind.ORGANISATION)
_ORG_WORDS = {
    "clinic": ("Clinic", "Hospital", "Medical Centre", "Health", "Surgery", "Practice"),
    "bank": ("Bank", "Savings", "Trust", "Credit Union", "Finance"),
    "company": (
        "Group",
        "Partners",
        "Systems",
        "Services",
        "Holdings",
        "Foods",
        "Motors",
        "Stores",
        "Logistics",
        "Ltd",
    ),
}
_SYLLABLES = (
    "ba",
    "bel",
    "bro",
    "ca",
    "cor",
    "da",
    "del",
    "dri",
    "el",
    "fa",
    "fen",
    "ga",
    "gor",
    "ha",
    "hol",
    "in",
    "ja",
    "kar",
    "ko",
    "la",
    "len",
    "lo",
    "ma",
    "mer",
    "mi",
    "na",
    "nor",
    "o",
    "pa",
    "pel",
    "qui",
    "ra",
    "rin",
    "ro",
    "sa",
    "sen",
    "so",
    "ta",
    "tor",
    "tu",
    "u",
    "va",
    "ven",
    "wil",
    "ya",
    "zo",
    "sky",
    "ton",
    "berg",
    "man",
    "ez",
    "ich",
    "ova",
    "ford",
    "well",
    "stein",
)


def reserved(value: str) -> bool:
    """Whether a value belongs to the held-out tenth. Case and spacing do not matter."""
    key = "".join(value.lower().split())
    return hashlib.sha256(b"held-out " + key.encode()).digest()[0] % 10 == 0


@lru_cache(maxsize=1)
def _pools() -> dict[str, tuple[str, ...]]:
    listed = {word for group in ("given", "surname", "place") for word in lists()[group]}
    given: set[str] = set()
    family: set[str] = set()
    for provider in (American, British, German, Spanish, Polish):
        given |= {str(n) for n in provider.first_names}
        family |= {str(n) for n in provider.last_names}

    def clean(words: set[str]) -> tuple[str, ...]:
        return tuple(
            sorted(w for w in words - listed if w.isascii() and w.isalpha() and w.istitle() and len(w) > 2)
        )

    return {"given": clean(given), "surname": clean(family)}


@dataclass
class Values:
    """A seeded source of values; every value of one document is distinct."""

    rng: random.Random
    held: bool = False
    surrogate_share: float = 0.7
    cross_share: float = 0.06
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.fake = Faker("en_US")
        self.fake.seed_instance(self.rng.randrange(1 << 30))

    def fresh(self) -> None:
        """Forget the values of the last document; draw anew how this one's entities are made."""
        self.taken.clear()
        self.listed = not self.held and self.rng.random() < self.surrogate_share

    def make(self, kind: Kind | str, flavour: str = "") -> str:
        """A value of an entity kind, or of the plain kinds ``amount``, ``age``, ``days``, ``dose``."""
        for _ in range(2000):
            value = self._one(kind, flavour)
            if value not in self.taken and (
                (self.listed and kind != "amount") or self._right_side(kind, value)
            ):
                self.taken.add(value)
                return value
        raise RuntimeError(f"no value of kind {kind} left")

    def _right_side(self, kind: Kind | str, value: str) -> bool:
        if kind in ("age", "days", "dose"):  # too few values to hold some out
            return True
        if kind in NAMELIKE or kind is Kind.EMAIL:
            return True  # decided word by word in _word
        return reserved(value) == self.held

    def _one(self, kind: Kind | str, flavour: str) -> str:
        rng = self.rng
        if not isinstance(kind, Kind):
            return self._plain(kind)
        if self.listed:
            if (
                kind in NAMELIKE and rng.random() < self.cross_share
            ):  # a detector may take one kind for another
                kind = rng.choice(NAMELIKE)
            value = draw(kind, self._layout(kind), (), rng.randrange)
            return (
                value
                if kind in (*NAMELIKE, Kind.EMAIL, Kind.ADDRESS) or not reserved(value)
                else self._one(kind, flavour)
            )
        if kind is Kind.PERSON:
            words = rng.choices((1, 2, 3), (6, 90, 4))[0]
            return " ".join(
                self._word("given" if n < words - 1 or words == 1 else "surname") for n in range(words)
            )
        if kind is Kind.PLACE:
            return self._word("place")
        if kind is Kind.ORGANISATION:
            return f"{self._word('surname')} {rng.choice(_ORG_WORDS.get(flavour or 'company', _ORG_WORDS['company']))}"
        if kind is Kind.EMAIL:
            at = rng.choice(("mail", "post", "inbox", "web"))
            domain = f"{at}.{rng.choice(('com', 'org', 'net', 'co.uk'))}"
            return f"{self._word('given')}.{self._word('surname')}@{domain}".lower()
        if kind is Kind.ADDRESS:
            tail = rng.choice(("Road", "Street", "Lane", "Avenue", "Close", "Drive"))
            return f"{rng.randrange(1, 300)} {self._word('surname')} {tail}"
        return draw(kind, self._layout(kind), (), rng.randrange)

    def _word(self, pool: str) -> str:
        rng = self.rng
        while True:
            if pool == "place":
                word = self.fake.city().split()[-1] if rng.random() < 0.3 else ""
                word = word if word.isalpha() else self._invented()
            elif rng.random() < 0.35:
                word = self._invented()
            else:
                word = rng.choice(_pools()[pool])
            listed = any(word in lists()[group] for group in ("given", "surname", "place"))
            if not listed and reserved(word) == self.held:
                return word

    def _invented(self) -> str:
        return "".join(
            self.rng.choice(_SYLLABLES) for _ in range(self.rng.choice((2, 2, 3, 3, 4)))
        ).capitalize()

    def _layout(self, kind: Kind) -> str:
        rng = self.rng
        pick = rng.choice
        digits = lambda n: "".join(pick(string.digits) for _ in range(n))  # noqa: E731
        letters = lambda n: "".join(pick(string.ascii_uppercase) for _ in range(n))  # noqa: E731
        if kind is Kind.PERSON:
            return " ".join(["X"] * rng.choices((1, 2, 3), (10, 85, 5))[0])
        if kind is Kind.PHONE:
            return pick(
                ("+44 20 7946 0", "(555) 014-2", "555-014-22", "+1 202 555 01", "020 7946 0", "+49 30 5550 0")
            ) + digits(3)
        if kind is Kind.ID:
            return pick(
                (
                    f"{letters(2)}-{digits(6)}",
                    f"{letters(1)}{digits(7)}",
                    f"{letters(3)}-{digits(4)}-{digits(2)}",
                    f"{letters(2)}{digits(5)}",
                    f"{digits(4)}-{digits(4)}",
                    f"{digits(8)}",
                    f"{letters(2)}-{digits(4)}",
                )
            )
        if kind is Kind.NATIONAL_ID:
            return f"{digits(3)}-{digits(2)}-{digits(4)}"
        if kind is Kind.CARD:
            return pick(("4000 0000 0000 0000", "4000000000000000", "4000-0000-0000-0000"))
        if kind is Kind.IBAN:
            return pick(
                ("DE00 0000 0000 0000 0000 00", "GB00 ABCD 0000 0000 0000 00", "NL00 ABCD 0000 0000 00")
            )
        if kind is Kind.DATE:
            return pick(
                (
                    "12 May 2024",
                    "12 June 2024",
                    "June 12, 2024",
                    "2024-06-12",
                    "12/06/2024",
                    "12.06.2024",
                    "3 Mar 2021",
                    "12 March 2024",
                    "April 2, 2024",
                )
            )
        return ""

    def _plain(self, kind: str) -> str:
        rng = self.rng
        if kind == "age":
            return str(rng.randrange(18, 96))
        if kind == "days":
            return f"{rng.choice((3, 5, 7, 10, 14, 21, 28, 30, 45, 60, 90))} days"
        if kind == "dose":
            sizes = (2, 5, 10, 20, 25, 40, 50, 75, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600, 850)
            return f"{rng.choice(sizes)} mg"
        size = rng.choice((99, 999, 9_999, 99_999))
        number = rng.randrange(5, size)
        text = f"{number:,}" + (f".{rng.randrange(100):02d}" if rng.random() < 0.4 else "")
        return rng.choice(("$", "$", "£", "€", "EUR ", "USD ")) + text
