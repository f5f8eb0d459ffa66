from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif.types import WordClass
from cmif_lab.eval import lexicon
from tests.lab.eval import tiny


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
    with pytest.raises(InputError, match="Line 2"):
        lexicon.load(path, frozenset())
