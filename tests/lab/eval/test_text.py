from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmif.types import WordClass
from cmif_lab.eval import text
from tests.lab.eval import tiny


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60))
def test_keeping_every_word_gives_the_text_back_but_for_trailing_space(raw: str) -> None:
    corpus = text.read([raw], tiny.words())
    kept = corpus.render(np.full(len(corpus.tokens), -1), tiny.words())
    assert raw.startswith(kept[0])
    assert not raw[len(kept[0]) :].strip()


def test_content_words_are_found_with_their_class_and_replaced_in_shape() -> None:
    lexicon = tiny.words()
    corpus = text.read(["Superb film in London , 1999 !"], lexicon)
    assert [w for w, c in zip(corpus.lower, corpus.content, strict=True) if c] == [
        "superb",
        "film",
        "london",
        "1999",
    ]
    assert corpus.classes[corpus.lower.index("1999")] == WordClass.NUMBER
    assert corpus.index[0] == lexicon.find("superb", WordClass.WORD)
    words = np.full(len(corpus.tokens), -1)
    words[0] = lexicon.find("dull", WordClass.WORD)
    assert corpus.render(words, lexicon) == ["Dull film in London , 1999 !"]


def test_stop_words_and_single_letters_are_kept() -> None:
    assert not text.is_content("the")
    assert not text.is_content("s")
    assert text.is_content("film")
    assert text.is_content("7")
