from __future__ import annotations

from importlib.resources import files

import pytest

from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lexicon import CATEGORIES, SpecialCategories, WordList, is_medical
from cmif.enclave.surrogates import lists
from cmif.types import Kind


def words_of(lexicon: WordList, text: str) -> list[str]:
    return [text[s.start : s.end] for s in lexicon.detect(text)]


SPECIAL = [
    ("She has diabetes and two Allergies.", ["diabetes", "Allergies"]),
    ("a heart attack, tonsillitis and rosuvastatin", ["heart attack", "tonsillitis", "rosuvastatin"]),
    ("Parkinson's disease", ["Parkinson's disease"]),
    ("I am bankrupt; my debts grow.", ["bankrupt", "debts"]),
    ("a devout Muslim and a Catholic", ["devout", "Muslim", "Catholic"]),
    ("an asylum seeker from the Kurdish region", ["asylum seeker", "Kurdish"]),
    ("a black woman voted", ["black woman", "voted"]),
    ("she is bisexual", ["bisexual"]),
    ("the trade union and the works council", ["trade", "union", "works", "council"]),
    ("convicted of burglary", ["convicted", "burglary"]),
    ("a drug-related overdose", ["overdose"]),
    ("drug-overdose", ["overdose"]),
    ("a 34-year-old, aged 34, he was 34.", ["34", "34", "34"]),
    ("turned 60 last week", ["60"]),
]


@pytest.mark.parametrize(("text", "words"), SPECIAL)
def test_words_of_special_categories(text: str, words: list[str]) -> None:
    found = SpecialCategories().detect(text)
    assert sorted(text[s.start : s.end] for s in found) == sorted(words)
    assert {s.kind for s in found} == {Kind.WORD}


@pytest.mark.parametrize(
    "text", ["a black car and white walls", "Write one sentence.", "my diploma, in one season, a person", "at 30% of 50"]
)
def test_everyday_words_are_left(text: str) -> None:
    assert SpecialCategories().detect(text) == []


def test_a_users_words_go_through_the_mechanism_too() -> None:
    assert words_of(SpecialCategories(["Project Falcon", "gearbox"]), "the gearboxes of project falcon") == [
        "gearboxes",
        "project",
        "falcon",
    ]


def test_a_users_private_phrases_are_one_span_each() -> None:
    private = WordList(["Project Falcon"], name="own", kind=Kind.PRIVATE)
    text = "about PROJECT FALCON's wing"
    [span] = private.detect(text)
    assert (text[span.start : span.end], span.kind, span.detector) == ("PROJECT FALCON", Kind.PRIVATE, "own")


def test_an_empty_list_finds_nothing() -> None:
    assert WordList([]).detect("anything") == []
    assert WordList(["", " - "]).detect("anything - at all") == []


def test_medical_endings() -> None:
    assert is_medical("pancreatitis")
    assert not is_medical("diploma")
    assert not is_medical("oma")


@pytest.mark.parametrize("name", sorted(p.name for p in files("cmif.enclave").joinpath("data").iterdir() if p.name.endswith(".txt")))
def test_word_lists_are_plain(name: str) -> None:
    for entry in entries(name):
        assert entry == entry.strip()
        assert entry == entry.lower() or name == "common_words_upper.txt"


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_category_has_a_list(name: str) -> None:
    assert len(entries(f"special/{name}.txt")) > 10


def test_surrogate_names_are_names_to_the_detector() -> None:
    """Else a re-sent answer, not yet restored, would look like ordinary text."""
    listed = entries("gazetteer_given.txt") | entries("gazetteer_surname.txt") | entries("gazetteer_place.txt")
    for kind in ("given", "surname", "place"):
        unknown = [name for name in lists()[kind] if name.lower() not in listed and name.lower() in entries("common_words.txt")]
        assert unknown == []


def test_a_phrase_of_any_length_is_found_whole() -> None:
    phrase = "the old mill by the deep blue river behind Kent"
    found = WordList([phrase, "mill"], kind=Kind.PRIVATE).detect(f"Meet at {phrase.upper()}, not before.")
    assert [(span.start, span.end) for span in found] == [(8, 8 + len(phrase))]
