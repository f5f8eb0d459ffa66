"""Detectors that look only where something can be find what they would find looking everywhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import (
    dates,
    lexicon,
    names,
    national,
    passwords,
    patterns,
    phones,
    records,
    secrets,
    streets,
)
from cmif.enclave.detect.lexicon import special_categories
from cmif.enclave.detect.names import Names
from cmif.enclave.detect.patterns import Patterns
from cmif.enclave.detect.scan import around, caseless, figures, places, starting, within
from cmif.enclave.detect.secrets import Secrets

DETECTORS = (Patterns(), Secrets(), Names(), special_categories())
NARROWED = (dates, lexicon, names, national, passwords, patterns, phones, records, secrets, streets)
FOUND = (
    "12 Acacia Avenue, Springfield", "1600 N. Main St Apt 4B", "Nybyvägen 65", "38 Rue de Virton", "ul. Polna 5",
    "Suite 510", "P.O. Box 77", "CO 80202", "10115-1234", "SW1A 1AA", "1012 AB Amsterdam", "D-10115 Berlin",
    "51.5074, -0.1278", "zip code 90210", "postal code: K1A 0B1", "Annerstad 340 12", "lives at 5 Kings Cross",
    "located in Hamra 12", "delivered to the corner of Elm and 5th", "sent to Lipa 9", "taxi to Dam 4", "meet me at A 3",
    "return address: Kent 44", "bus stop at Mill 2", "north side of Park 7", "you off at Bay 3", "entrance on Low 8",
    "123-45-6789", "AB 12 34 56 C", "943 476 5919", "12345678Z", "756.9217.0769.85", "CHE-123.456.789", "010190-1234",
    "DE 136,695 976", "GB 980 7806 84", "4539 1488 0343 6467", "DE89 3704 0044 0532 0130 00", "+1 (202) 555-0147 extension 991",
    "2 May 2024", "May the second of nineteen ninety", "the beginning of march 2020", "2024-05-02T10:00:00Z", "cath 2/18",
    "date of birth: 19700102", "since 4/12", "MRN: 4471-9025", "driver's licence no. 99 X", "n° de client 4711",
    "sort code 12-34-56", "INV-2024-00123", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "@sam_k", "10.0.0.1", "fe80::1",
    "00:1A:2B:3C:4D:5E", "https://a.example/b?c=d", "www.example.com", "mailto:x@y.example", "a.b@c.example", "a[at]b.com",
    "password: hunter2x9", "PIN is 4471", "my passphrase is correct horse battery staple", "api_key='abcd1234efgh'",
    "dbPass=x9!kk", "cvv 123", "access code 88 21 4", "use dragon7 as the password", "login: bob / x9!kk", "мой пароль: щ9к",
    "-u bob:s3cret9", "mysql -u root -ps3cretX", "machine h login bob password x9kk", "  TOKEN      abc123def",
    "| db_replica_of_the_TOKEN      abc123def", "hasło=a1b2",
    "default_token { default = \"x9kkx9kk\" }", "--token=x9kkx9", "Bearer abcdef1234567890abcdef", "ftp://bob:x9@h.example",
    "Basic dXNlcjpw", "token abc123defg", "apikey abc123defg", "our seed phrase is apple bread chair door",
    "my recovery phrase is apple bread chair door", "mnemonic: apple bread chair door", "secret words are a1 bc cd de fg",
    "creds: bob / x9!kk", "sign in with bob / x9!kk", "user and password: bob / x9!kk", "tel:+15550147", "ftp.x://h/p",
    "my name is xu li", "goes by inessa", "introduce myself as inessa", "speaking with inessa", "it's me, inessa", "aged 45", "a 52-year-old", "he is 61.", "67 y/o",
)  # fmt: skip
WRITTEN = (str, str.upper, str.lower, str.title, str.swapcase)
texts = st.lists(
    st.one_of(
        st.builds(lambda found, write: write(found), st.sampled_from(FOUND), st.sampled_from(WRITTEN)),
        st.text("ſKıİß 0123456789aAkKpPsS.,:;-/#@()'\"\n\t=", max_size=12),
    ),
    max_size=6,
)

# Patterns that are tried where one of some words stands, which each of their matches has to begin with.
OPENED = (
    (records._LABELLED, records._LABELS), (passwords._SETTING, passwords._KEYS), (passwords._BLOCK, passwords._KEYS),
    (re.compile(passwords._LABEL), passwords._KEYS), (passwords._SAID, passwords._WORDS_FOR_IT),
    (passwords._UNLINKED, passwords._WORDS_FOR_IT), (re.compile(passwords._WORD_FOR_IT), passwords._WORDS_FOR_IT),
    (passwords._CLIENT, passwords._CLIENTS), (streets._LABELLED, streets._POSTCODE_LABELS),
    (streets._CUED, streets._CUES), (re.compile(streets._WAY.pattern.replace(r"(?:\d{1,5},? )?", "")), streets._WAYS),
)  # fmt: skip


def openings(nodes: Iterable[Any], most: int = 20) -> set[str]:
    """What the matches of a parsed pattern may begin with, as far as it is spelled out."""
    begun, ended = {""}, set[str]()
    for op, value in nodes:
        name = str(op)
        match name:
            case "AT" | "ASSERT" | "ASSERT_NOT":
                continue
            case "LITERAL":
                more = {chr(value)}
            case "IN" if all(str(kind) == "LITERAL" for kind, _ in value):
                more = {chr(code) for _, code in value}
            case "BRANCH":
                more = set().union(*(openings(branch, most) for branch in value[1]))
            case "SUBPATTERN":
                more = openings(value[3], most)
            case "MAX_REPEAT" if value[1] == 1:
                more = openings(value[2], most) | ({""} if value[0] == 0 else set())
            case _:
                return ended | begun
        begun = {one + "".join(other) for one in begun for other in more}
        ended |= {one for one in begun if len(one) > most}
        begun = {one for one in begun if len(one) <= most}
    return ended | begun


@pytest.mark.parametrize(("pattern", "words"), OPENED, ids=range(len(OPENED)))
def test_every_match_begins_with_one_of_the_words_it_is_looked_for_by(
    pattern: re.Pattern[str], words: tuple[str, ...]
) -> None:
    begun = openings(_parser.parse(pattern.pattern, pattern.flags))
    assert len(begun) > 1
    assert {one for one in begun if not caseless(one).startswith(words)} == set()
    for word in words:
        assert any(caseless(one).startswith(word) for one in begun), f"{word} is not needed"


@contextmanager
def everywhere() -> Iterator[None]:
    """Every place is one at which a pattern is tried."""
    with pytest.MonkeyPatch.context() as patch:
        for module in NARROWED:
            patch.setattr(module, "places", lambda lower, _: range(len(lower) + 1), raising=False)
            patch.setattr(module, "around", lambda *_: [(0, sys.maxsize)], raising=False)
        patch.setattr(national, "_RUN", re.compile(r"(?s).+"))
        patch.setattr(patterns, "_URL_BEGINS", ("",))
        patch.setattr(patterns, "_POINT", re.compile(""))
        yield


@given(texts, st.sampled_from(["", " ", ", ", "\n"]))
def test_nothing_is_missed_by_looking_only_where_it_can_be(parts: list[str], between: str) -> None:
    _same(between.join(parts))


def test_nothing_is_missed_of_each_alone_and_of_all_together() -> None:
    """Where a word stands somewhere in a text, patterns are tried that are not without it."""
    for text in (*FOUND, " ".join(FOUND), "\n".join(FOUND), (" " * 400).join(w(f) for f in FOUND for w in WRITTEN)):
        _same(text)


def _same(text: str) -> None:
    found = [set(detector.detect(text)) for detector in DETECTORS]
    with everywhere():
        assert [set(detector.detect(text)) for detector in DETECTORS] == found


def test_a_letter_that_a_pattern_takes_for_one_of_ascii_becomes_it() -> None:
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
    lower = caseless(every)
    assert len(lower) == len(every)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        assert {lower[m.start()] for m in re.finditer(letter, every, re.IGNORECASE)} == {letter}


def test_stretches_that_touch_are_one_and_begin_in_the_text() -> None:
    assert around(figures("a1 bc 23 d"), 3, 1) == [(0, 9)]
    assert around(figures("1       2"), 1, 1) == [(0, 2), (7, 10)]


def test_matches_are_those_of_the_whole_text() -> None:
    """A match within another one's reach is none, and what stands before a stretch is seen."""
    word = re.compile(r"(?<!\w)ab(?:ab)?")
    text = "abab xab ab"
    assert [m.span() for m in starting(word, text, places(text, ("ab",)))] == [(0, 4), (9, 11)]
    assert [m.span() for m in within(word, text, [(2, 4), (6, 11)])] == [(9, 11)]
