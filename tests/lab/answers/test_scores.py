from __future__ import annotations

import pytest

from cmif_lab.answers.scores import contained, exact, last_number, leaked


@pytest.mark.parametrize("answer", ["The Moon.", "moon", " a  MOON! "])
def test_exact_match_looks_past_case_articles_and_punctuation(answer: str) -> None:
    assert exact(answer, ("the moon", "Luna")) == 1.0


def test_a_sentence_around_the_truth_is_contained_and_not_exact() -> None:
    assert exact("It was Michael Moriarty.", ("Michael Moriarty",)) == 0.0
    assert contained("It was Michael Moriarty.", ("Michael Moriarty",)) == 1.0


def test_a_truth_inside_a_longer_word_is_not_contained() -> None:
    assert contained("In 19380 or so", ("1938",)) == 0.0
    assert contained("anything", ("the",)) == 0.0  # a truth that is nothing in normal form proves nothing


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("3 + 4 = 7, so $1,200.", 1.0),
        ("1200.00", 1.0),
        ("1200 eggs in 3 days", 0.0),
        ("none at all", 0.0),
        ("-1200", 0.0),
    ],
)
def test_the_last_number_of_an_answer_counts(answer: str, right: float) -> None:
    assert last_number(answer, ("1200",)) == right


def test_a_part_is_leaked_as_whole_words_in_any_case() -> None:
    assert (
        leaked(("H&R Technology", "Rachel", "ann", "Noida"), "rachel of H&R TECHNOLOGY, annual report") == 2
    )
