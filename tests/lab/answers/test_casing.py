from __future__ import annotations

from cmif_lab.answers.casing import cased, forms

KNOWN = forms(
    ["He met Mary in the park, and Mary was with a friend of Paris. Stone was the stone, the stone."]
)


def test_a_word_gets_the_form_it_has_inside_sentences() -> None:
    assert (KNOWN["mary"], KNOWN["stone"], KNOWN["paris"]) == ("Mary", "stone", "Paris")


def test_the_first_word_of_a_sentence_teaches_nothing() -> None:
    assert forms(["It ended. Stone walls stood."]).get("stone") is None


def test_a_question_gets_capitals_and_a_mark_and_a_word_without_record_is_a_name() -> None:
    assert cased("the friend of mary in zanzibar", KNOWN) == "The friend of Mary in Zanzibar?"
    assert cased("stone in the park?", KNOWN) == "Stone in the park?"
