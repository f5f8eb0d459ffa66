"""Names of persons, places, organisations, addresses and mailboxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from enum import StrEnum

from cmif.enclave.detect.data import entries
from cmif.enclave.surrogates.lists import (
    RandBelow,
    Relation,
    free,
    genders,
    given_names,
    lists,
    more_given_names,
    pick,
    place_groups,
    places,
    stems,
)

Relations = Container[Relation]


class Part(StrEnum):
    """What part of a person's name a word is, as its place and the words around it say; public, part of the shape."""

    GIVEN = "given"
    SURNAME = "surname"
    INITIALS = "initials"  # with the surname behind them


_OF = re.compile(
    r"(?i)(university|bank|church|college|ministry|department|city|county|court|institute|diocese)"
    r" of (?:the )?"
)
_STREET = re.compile(
    r"(?i)\b(street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq|way|close|crescent|"
    r"terrace|gardens|grove|hill|row|walk|parkway|highway|hwy)\b\.?"
)
_STRASSE = re.compile(r"(?i)(straße|strasse|str\.|weg|platz|gasse|allee|straat|laan)")
_RUE = re.compile(
    r"(?i)\b(rue|avenue|boulevard|calle|avenida|plaza|via|viale|piazza|rua)\b(?: de la| du| de| del)?"
)
_JOINTS = frozenset({"of", "the", "and", "&", "for", "de", "von"})
_LOCAL = re.compile(r"[^\W\d_]+|\d+")
_SMALL = 4


def name_word(part: Part, gender: str | None, taken: Container[str], randbelow: RandBelow) -> str:
    """One word of a person's name. ``gender`` "f", "m" or None for any."""
    if part is Part.SURNAME:
        return free((lists()["surname"], stems()), taken, randbelow)
    return free((given_names(gender), more_given_names(gender)), taken, randbelow)


def gender_of(given: str) -> str | None:
    return genders().get(given.casefold())


def person(layout: str, taken: Container[str], randbelow: RandBelow) -> str:
    words = layout.split() or [""]
    parts = [Part.SURNAME if i and i == len(words) - 1 else Part.GIVEN for i in range(len(words))]
    return " ".join(name_word(part, None, taken, randbelow) for part in parts)


def place(written: str, taken: Container[str], randbelow: RandBelow, relations: Relations) -> str:
    """A place of the same public group: a country for a country, a town for a town of the same country."""
    groups = place_groups().get(" ".join(written.split()).casefold(), ())
    countries = Relation.COUNTRY in relations
    kinds = [g for g in groups if len(g) > 2] if Relation.TYPE in relations else []
    if kinds:
        return free((_others(kinds, written), stems()), taken, randbelow)
    towns = [g for g in groups if len(g) == 2] if countries else []
    if towns:
        return free((_others(towns, written), stems()), taken, randbelow)
    return free((lists()["place"], stems()), taken, randbelow)


def organisation(
    written: str, taken: Container[str], randbelow: RandBelow, relations: Relations, known: str | None
) -> str:
    """An invented name before the public head nouns of ``written``. ``known`` is what its first word is called."""
    if Relation.TYPE not in relations:
        return free((lists()["organisation"], [f"{s} Group" for s in stems()]), taken, randbelow)
    of = _OF.match(written)
    words = written.split()
    first = known or stem(taken if isinstance(taken, Iterable) else (), randbelow)
    if of:
        return _distinct(lambda s: f"{of.group()}{s}", first, taken)
    tail: list[str] = []
    for word in reversed(words):
        if not head_noun(word) or word in _JOINTS:
            break
        tail.insert(0, word)
    if len(tail) == len(words) and len(words) > 1:
        tail = tail[1:]
    return _distinct(lambda s: " ".join([s, *tail]), first, taken)


def stem(taken: Iterable[str], randbelow: RandBelow) -> str:
    """An invented name with which nothing ``taken`` begins."""
    return free((stems(),), {name.split()[0] for name in taken if name}, randbelow)


def head_noun(word: str) -> bool:
    """Whether a word is a public head noun or legal form of organisations, in singular or plural, or joins words."""
    bare = word.strip(".,").casefold()
    heads = entries("organisation_heads.txt") | entries("organisation_forms.txt")
    return bool({bare, bare.removesuffix("s")} & heads) or bare in _JOINTS


def short_name(organisation: str) -> str | None:
    """What an organisation may be called for short, case folded: its first word, unless that is no name of its own."""
    first = organisation.split()[0].strip(".,").casefold()
    return (
        None
        if _OF.match(organisation)
        or first in entries("organisation_heads.txt")
        or first in ("the", "st", "saint")
        else first
    )


def address(layout: str, taken: Container[str], randbelow: RandBelow, relations: Relations) -> str:
    """A house number and an invented street; of the original's only the public word for a street survives."""
    if " ".join(layout.split()).casefold() in place_groups():  # "lives in Lagos" is found as an address
        return place(layout, taken, randbelow, relations)
    number = 1 + randbelow(199)
    plain = f"{number} {pick(lists()['street'], randbelow)}"
    street = pick(stems(), randbelow)
    if Relation.TYPE not in relations:
        return _distinct(lambda s: s, plain, taken)
    match = _RUE.search(layout)
    if match and match.start() < len(layout) // 2 and not _STREET.search(layout, match.end()):
        return _distinct(lambda s: s, f"{number} {match[1]} {street}", taken)
    if match := _STRASSE.search(layout):
        return _distinct(lambda s: s, f"{street}{match[1].lower()} {number}", taken)
    if match := _STREET.search(layout):
        return _distinct(lambda s: s, f"{number} {street} {match.group()}", taken)
    return _distinct(lambda s: s, plain, taken)


def mailbox(
    written: str, taken: Container[str], randbelow: RandBelow, called: Callable[[str], str | None]
) -> str:
    """The owner's surrogate at an invented site. ``called`` gives what a word of a person's name is sent as, if known;
    every other letter of the mailbox is left out.
    """
    site = f"{pick(lists()['site'], randbelow)}.example"
    local = written.partition("@")[0]
    out = [name.lower() for word in _LOCAL.findall(local) if (name := _owner(word, called))]
    if not out:
        out = [pick(lists()["given"], randbelow).lower(), pick(lists()["surname"], randbelow).lower()]
    return _distinct(lambda s: f"{'.'.join(out)}{s}@{site}", "", taken)


def _owner(word: str, called: Callable[[str], str | None]) -> str | None:
    """ "okafor" and "aokafor" and "okafora" all name Okafor."""
    for inner in (word, word[1:], word[:-1]):
        if len(inner) >= _SMALL or inner == word:
            sent = called(inner)
            if sent is not None:
                return sent
    return None


def _others(groups: Iterable[str], written: str) -> list[str]:
    return [name for g in groups for name in places()[g] if name.casefold() != written.casefold()]


def _distinct(make: Callable[[str], str], base: str, taken: Container[str]) -> str:
    """``make(base)``, with a number where that is taken."""
    name, n = make(base), 1
    while name in taken:
        n += 1
        name = make(f"{base}{n}" if not base else f"{base} {n}")
    return name
