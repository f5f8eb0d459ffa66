"""Surrogates: a replacement for an entity, drawn independently of its value but for the relations a policy keeps.

Guarantee, against whoever sees the sanitised texts (no computational assumption), for two values of one kind whose
shape, as stated below, is equal: epsilon 0, but for dates. What leaks is the kind, the shape, which mentions are equal
(one surrogate a value, distinct values get distinct surrogates), and the relations (policy key `relations`, all by
default). The lists are public. That a surrogate is never the listed place it stands for is a further, small leak.

======================  ==========================================================================================
kind                    surrogate, and what of the original's shape survives
======================  ==========================================================================================
person                  one word of the public given-name or surname list a word; the number of words survives, which
                        stand for a given name and which for a surname (by place, form of address, public lists), and
                        that initials may stand for a known name
place                   a place of a public list
organisation            an invented name; that it holds another name of the conversation (so of places, addresses)
address                 house number and an invented street
email                   the surrogate of the person whose name the mailbox holds, or an invented one, under `.example`
                        (RFC 2606); that the mailbox holds that name survives
url                     invented under `.example`; nothing survives
phone, id, national_id  same layout: a digit for a digit, a letter for a letter, case and separators survive
card, iban              same layout, country letters of an IBAN survive; the checksum is made valid
ip                      198.18.0.0/15 or 2001:db8::/32 (RFC 2544, RFC 3849); the version survives
date                    the layout survives; by relation "dates" moved, else a uniform day of 1950-2029
secret, private         `secret-` and eight hexadecimal digits; nothing survives
======================  ==========================================================================================

======================  ==========================================================================================
relation                what survives beside the shape, and how it is closed: by leaving it out of `relations`
======================  ==========================================================================================
gender                  of a person whose given name is in a public list of one gender, else whose form of address or
                        pronouns near the first mention say it: f, m or nothing
dates                   all dates of a conversation move by one secret number of whole weeks, uniform over -260..260 but
                        0: intervals, order, weekdays, time of day survive (ages are kept, so they stay right). Of
                        where the days lie, conversations whose dates differ by k weeks throughout can be told apart
                        with an advantage of at most (k + 1) / 520: NO epsilon, and one true date known otherwise
                        gives all the others
country                 of a town of the public list; the country code of an international phone number
type                    an organisation's public head nouns and legal form ("Hospital", "Bank", "GmbH"), the word for a
                        street, whether a listed place is a country, a US state, a UK county or a town
======================  ==========================================================================================
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container
from types import MappingProxyType

from cmif.enclave.surrogates import names, numbers
from cmif.enclave.surrogates.dates import Offset, any_day
from cmif.enclave.surrogates.lists import RandBelow, Relation, lists, pick
from cmif.enclave.surrogates.names import Part, gender_of, head_noun, mailbox, name_word, short_name, stem
from cmif.errors import MechanismError
from cmif.types import Kind

__all__ = [
    "Offset",
    "Part",
    "RandBelow",
    "Relation",
    "draw",
    "gender_of",
    "head_noun",
    "lists",
    "mailbox",
    "name_word",
    "short_name",
    "stem",
]

_TRIES = 10_000


def draw(
    kind: Kind,
    layout: str,
    taken: Container[str] = (),
    randbelow: RandBelow = secrets.randbelow,
    relations: Container[Relation] = (),
    known: str | None = None,
) -> str:
    """A surrogate for an entity of ``kind``, not in ``taken``.

    ``layout`` is the original; only the shape and the ``relations`` named in the module's tables are read from it.
    ``known`` is the surrogate of an organisation's first word. Names never run out; raises :class:`MechanismError` when
    no free number of this layout is found.
    """
    if kind is Kind.PERSON:
        return names.person(layout, taken, randbelow)
    if kind is Kind.PLACE:
        return names.place(layout, taken, randbelow, relations)
    if kind is Kind.ORGANISATION:
        return names.organisation(layout, taken, randbelow, relations, known)
    if kind is Kind.ADDRESS:
        return names.address(layout, taken, randbelow, relations)
    if kind is Kind.EMAIL:
        return mailbox(layout, taken, randbelow, lambda _word: None)
    country = kind is Kind.PHONE and Relation.COUNTRY in relations
    maker = numbers.phone if country else _MAKERS[kind]
    for _ in range(_TRIES):
        surrogate = maker(layout, randbelow)
        if surrogate not in taken:
            return surrogate
    # A number of one or two digits has few layouts: a longer one is still restored.
    for _ in range(_TRIES):
        surrogate = maker(f"{layout}0000", randbelow)
        if surrogate not in taken:
            return surrogate
    raise MechanismError(
        f"No unused surrogate of kind {kind.value!r} is left in this conversation.",
        hint="Start a new conversation.",
    )


def _url(_layout: str, randbelow: RandBelow) -> str:
    return f"https://{pick(lists()['site'], randbelow)}-{randbelow(1000)}.example"


_MAKERS: MappingProxyType[Kind, Callable[[str, RandBelow], str]] = MappingProxyType(
    {
        Kind.PHONE: numbers.same_layout,
        Kind.CARD: numbers.card,
        Kind.IBAN: numbers.iban,
        Kind.NATIONAL_ID: numbers.same_layout,
        Kind.IP: numbers.ip,
        Kind.URL: _url,
        Kind.DATE: any_day,
        Kind.ID: numbers.same_layout,
        Kind.SECRET: numbers.secret,
        Kind.PRIVATE: numbers.secret,
    }
)
