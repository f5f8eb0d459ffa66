"""The public word list: what joins it, under which class, with which count."""

from __future__ import annotations

import pytest
from lexicon.words import bert_words, count, modern

ROWS = [("film", "word", 100), ("plot", "word", 40), ("Anna", "name", 30), ("1999", "number", 2)]


def test_capitals_inside_a_sentence_make_a_name_and_capitals_at_its_start_do_not() -> None:
    lower, middle, start = count(["The film was good. The plot, said Anna, was not."])
    assert (lower["film"], middle["anna"], start["the"], middle["the"]) == (1, 1, 2, 0)


def test_a_modern_word_gets_half_the_count_of_its_rank() -> None:
    rows = modern(ROWS, ["tv", "airport"], [])
    assert ("tv", "word", 50) in rows
    assert ("airport", "word", 20) in rows


def test_a_known_word_gets_the_mean_of_both_counts() -> None:
    assert ("plot", "word", 70) in modern(ROWS, ["plot"], [])


@pytest.mark.parametrize("word", ["the", "wasn", "a", "é", "X-ray", "007", "xiv", "tokyo"])
def test_pieces_stop_words_marks_and_names_do_not_join(word: str) -> None:
    assert modern(ROWS, [word], ["tokyo"]) == ROWS


def test_numbers_join_their_class_and_the_rows_stay_in_order() -> None:
    rows = modern(ROWS, ["tv", "1815"], [])
    assert [cls for _, cls, _ in rows] == ["word", "word", "word", "name", "number", "number"]
    assert rows[-2:] == [("1815", "number", 20), ("1999", "number", 2)]


def test_the_vocabulary_has_the_words_that_old_books_lack() -> None:
    words = bert_words()
    assert {"airport", "footage", "documentary"} <= set(words)
    assert not any(word.startswith("##") for word in words)
