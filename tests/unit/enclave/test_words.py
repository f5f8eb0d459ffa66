from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.words import (
    Shape,
    is_stopword,
    shape,
    spelling,
    stopwords,
    with_shape,
    word_class,
    words,
)
from cmif.types import WordClass

LEXICON = {("patient", WordClass.WORD), ("rose", WordClass.WORD), ("Anna", WordClass.NAME), ("42", WordClass.NUMBER)}


def index(word: str, cls: WordClass) -> int | None:
    return 0 if (word, cls) in LEXICON else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna's patients don't pay.", ["Anna", "patients", "don't", "pay"]),
        ("it's 3.5 or 1,000 or 1,000.25", ["it's", "3.5", "or", "1,000", "or", "1,000.25"]),
        ("well-known e-mail", ["well", "known", "e", "mail"]),
        ("B12 and x_y", ["B12", "and", "x", "y"]),
        ("O’Brien’s café", ["O’Brien", "café"]),
        ("James' and 'quoted'", ["James", "and", "quoted"]),
        ("end.Next", ["end", "Next"]),
        ("10.5.2024", ["10.5.2024"]),
        ("", []),
        ("... !?", []),
    ],
)
def test_the_words_of_a_text(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in words(text)] == expected


@given(st.text(max_size=80))
def test_every_letter_and_digit_is_in_one_word_unless_a_possessive(text: str) -> None:
    spans = words(text)
    assert all(a < b for a, b in spans)
    assert all(x[1] <= y[0] for x, y in zip(spans, spans[1:], strict=False))
    inside = {i for a, b in spans for i in range(a, b)}
    left = "".join(c for i, c in enumerate(text) if i not in inside and c.isalnum())
    assert set(left.lower()) <= {"s", "ſ"} or not left.isalpha()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("patient", Shape.LOWER),
        ("Patient", Shape.CAPITALISED),
        ("PATIENT", Shape.UPPER),
        ("I", Shape.CAPITALISED),
        ("iPhone", Shape.LOWER),
        ("McKay", Shape.CAPITALISED),
        ("42", Shape.LOWER),
        ("Élan", Shape.CAPITALISED),
    ],
)
def test_shapes(word: str, expected: Shape) -> None:
    assert shape(word) is expected


@given(st.sampled_from(["patient", "anna", "don't"]), st.sampled_from([Shape.CAPITALISED, Shape.UPPER]))
def test_a_word_written_in_a_shape_has_it(word: str, like: Shape) -> None:
    assert shape(with_shape(word, like)) is like


def test_a_lower_case_shape_keeps_the_lexicons_spelling() -> None:
    assert with_shape("Anna", Shape.LOWER) == "Anna"


@pytest.mark.parametrize("word", ["the", "The", "DON'T", "don’t", "yourselves"])
def test_stopwords_in_any_case(word: str) -> None:
    assert is_stopword(word)


def test_stopwords_are_function_words() -> None:
    assert 150 < len(stopwords()) < 400
    assert not any(is_stopword(word) for word in ("patient", "cancer", "Anna", "42", "pay"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("patient", WordClass.WORD),
        ("Patient", WordClass.WORD),
        ("Rose", WordClass.WORD),
        ("unheard", WordClass.WORD),
        ("Anna", WordClass.NAME),
        ("Xiu", WordClass.NAME),
        ("XIU", WordClass.NAME),
        ("42", WordClass.NUMBER),
        ("3rd", WordClass.NUMBER),
    ],
)
def test_the_public_class_of_a_word(word: str, expected: WordClass) -> None:
    assert word_class(word, index) is expected


def test_the_lexicons_spelling() -> None:
    assert spelling("PATIENT", WordClass.WORD) == "patient"
    assert spelling("ANNA", WordClass.NAME) == "Anna"
    assert spelling("1,000", WordClass.NUMBER) == "1,000"
