from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif.eval import lexicon
from cmif.types import WordClass
from tests.unit.eval import tiny


def test_stop_words_come_after_what_is_sanitised() -> None:
    words = tiny.words()
    assert words.sanitised == len(tiny.WORDS)
    assert set(words.words[words.sanitised :]) == tiny.STOPS


def test_a_name_and_a_word_of_the_same_letters_are_two_entries() -> None:
    words = lexicon.build(["rose", "Rose"], [WordClass.WORD, WordClass.NAME], [2.0, 1.0], frozenset())
    assert words.find("Rose", WordClass.NAME) == 1
    assert words.find("ROSE", WordClass.WORD) == 0


@pytest.mark.parametrize(("words", "said"), [([], "empty"), (["film", "film"], "twice")])
def test_empty_lists_and_duplicates_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lexicon.build(words, [WordClass.WORD] * len(words), [1.0] * len(words), frozenset())


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv.gz"
    path.write_bytes(gzip.compress(b"film\tword\t3\nplot\tverb\t1\n"))
    with pytest.raises(InputError, match="line 2"):
        lexicon.load(path, frozenset())


def test_whole_words_of_a_vocabulary_join_once() -> None:
    vocabulary = {"film": 5, "##ing": 6, "thriller": 7, "the": 1, "1999": 9, "[PAD]": 0, "é": 8}
    words = lexicon.with_vocabulary(tiny.words(), vocabulary, tiny.STOPS)
    added = set(words.words[: words.sanitised]) - set(tiny.WORDS)
    assert added == {"thriller", "1999"}
    assert words.find("1999", WordClass.NUMBER) is not None


def test_only_marked_tokens_of_a_byte_level_vocabulary_are_words() -> None:
    vocabulary = {"Ġthriller": 1, "ing": 2, "Ġfilm": 3}
    words = lexicon.with_vocabulary(tiny.words(), vocabulary, tiny.STOPS)
    assert set(words.words[: words.sanitised]) - set(tiny.WORDS) == {"thriller"}
