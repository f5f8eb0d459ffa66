from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.restore import Restorer, unambiguous

NAMES = {"Anna Weber": "Jo Li", "Weber": "Li", "Anna": "Jo", "asthma": "diabetes", "ada.hill@acorn.example": "jo@li.org"}


def restore(text: str, mapping: dict[str, str] = NAMES, ambiguous: tuple[str, ...] = ()) -> str:
    restorer = Restorer(mapping, ambiguous)
    return restorer.feed(text) + restorer.finish()


@pytest.mark.parametrize(
    ("answer", "restored"),
    [
        ("Dear Anna Weber,", "Dear Jo Li,"),
        ("Anna's and Weber's", "Jo's and Li's"),
        ("Annabel Webers Hanna", "Annabel Webers Hanna"),
        ("**Weber** _Anna_ (Weber)", "**Li** _Jo_ (Li)"),
        ("Anna-Weber", "Jo-Li"),
        ("ANNA WEBER", "JO LI"),
        ("anna weber and anna", "jo li and anna"),
        ("Anna\nWeber", "Jo Li"),
        ("Anna Webers", "Jo Webers"),
        ("Asthma and ASTHMA and asthma", "Diabetes and DIABETES and diabetes"),
        ("mail Ada.Hill@acorn.example, ada.hill@acorn.example.", "mail Ada.Hill@acorn.example, jo@li.org."),
        ("asthmatic", "asthmatic"),
        ("Weber", "Li"),
        ("Anna", "Jo"),
        ("é Anna\u0301", "é Anna\u0301"),
        ("", ""),
    ],
)
def test_surrogates_become_the_originals_at_word_boundaries(answer: str, restored: str) -> None:
    assert restore(answer) == restored


def test_what_is_ambiguous_is_left_and_counted() -> None:
    restorer = Restorer({"Weber": "Li"}, ["Rose", "Anna Weber"])
    out = restorer.feed("Rose, Weber, Anna Weber, ROSE.") + restorer.finish()
    assert out == "Rose, Li, Anna Weber, ROSE."
    assert (restorer.restored, restorer.left) == (1, 3)


def test_spellings_that_two_surrogates_share_are_ambiguous_unless_one_is_written_so() -> None:
    assert restore("AB ab", {"Ab": "x", "aB": "y"}) == "AB ab"
    assert restore("AB Ab", {"Ab": "x", "AB": "y"}) == "y x"


def test_an_original_that_is_a_surrogate_too_is_not_restored_twice() -> None:
    assert restore("Anna met Ben", {"Anna": "Ben", "Ben": "Carl"}) == "Ben met Carl"


WORDS = st.sampled_from(["Anna", "Anna Weber", "Weber", "Web", "An", "a", "A", " ", " ", ".", "'s", "Anna Web", "é", "\n", "ANNA"])


@given(st.lists(WORDS, max_size=30), st.integers(0, 2**32), st.booleans())
def test_any_chunking_gives_what_the_whole_text_gives(parts: list[str], seed: int, single: bool) -> None:
    text, source = "".join(parts), random.Random(seed)
    restorer = Restorer(NAMES, ["An"])
    out, position = [], 0
    while position < len(text):
        step = 1 if single else source.randint(1, 6)
        out.append(restorer.feed(text[position : position + step]))
        assert restorer.held <= max(map(len, NAMES))
        position += step
    out.append(restorer.finish())
    assert restorer.held == 0
    assert "".join(out) == restore(text, ambiguous=("An",))


@given(st.dictionaries(st.text("abAB ", min_size=1, max_size=5), st.text("xyz", max_size=3), max_size=5), st.text("abAB .", max_size=40))
def test_the_same_for_any_mapping(mapping: dict[str, str], text: str) -> None:
    restorer = Restorer(mapping)
    assert "".join(restorer.feed(char) for char in text) + restorer.finish() == restore(text, mapping)


@given(st.text(max_size=60))
def test_without_surrogates_nothing_changes_and_nothing_is_held(text: str) -> None:
    restorer = Restorer({})
    assert restorer.feed(text) == text
    assert restorer.held == 0


def test_only_a_possible_surrogate_is_held_back() -> None:
    restorer = Restorer(NAMES)
    assert restorer.feed("Hello An") == "Hello "
    assert restorer.feed("yone") == "Anyone"
    assert restorer.feed(" Anna We") == " "
    assert restorer.feed("st") == "Jo West"


def test_pairs_of_two_originals_or_words_that_were_sent_anyway_are_ambiguous() -> None:
    pairs = [("Weber", "Li"), ("Weber", "LI"), ("may", "can"), ("may", "must"), ("Rose", "Jo"), ("Same", "Same"), ("Dan", "Ed")]
    mapping, ambiguous = unambiguous(pairs, ["a ROSE, please", "danger"])
    assert mapping == {"Weber": "Li", "Dan": "Ed"}
    assert ambiguous == {"may", "Rose"}


def test_a_word_that_stayed_itself_and_stands_for_another_is_ambiguous() -> None:
    assert unambiguous([("care", "care"), ("care", "cure")]) == ({}, frozenset({"care"}))
