"""Fluent decoding: the likeliest reading of a release, and nothing but the release."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cmif.errors import InputError
from cmif.privacy.decode import decode, readings
from cmif.privacy.table import Table


def flat(prefixes: Sequence[tuple[str, ...]], candidates: Sequence[str]) -> np.ndarray:
    return np.zeros((len(prefixes), len(candidates)))


def test_without_a_model_the_mechanism_decides(table: Table) -> None:
    drawn = int(table.entries.columns[0, 0])
    words, evidence = readings(table, drawn)
    assert decode(["the", drawn], table, flat)[0] == "the"
    assert decode([drawn], table, flat) == [table.words[words[evidence.argmax()]]]


def test_a_sure_model_picks_inside_the_bucket(table: Table) -> None:
    wanted = int(table.candidates(3)[4])
    drawn = int(table.candidates(3)[0])

    def likes(prefixes: Sequence[tuple[str, ...]], candidates: Sequence[str]) -> np.ndarray:
        return np.array([[100.0 * (c == table.words[wanted]) for c in candidates] for _ in prefixes])

    assert decode([drawn, drawn], table, likes) == [table.words[wanted]] * 2


def test_a_beam_can_undo_a_greedy_choice(table: Table) -> None:
    """The first word's best reading leads nowhere; the sentence's best begins with another."""
    first, second = (table.words[i] for i in table.candidates(3)[:2])
    drawn = int(table.candidates(3)[0])

    def scorer(prefixes: Sequence[tuple[str, ...]], candidates: Sequence[str]) -> np.ndarray:
        def score(prefix: tuple[str, ...], c: str) -> float:
            if not prefix:
                return {first: 10.0, second: 9.0}.get(c, -50.0)
            return 20.0 if prefix[-1] == second else 0.0

        return np.array([[score(p, c) for c in candidates] for p in prefixes])

    assert decode([drawn, "end"], table, scorer, beam=1)[0] == first
    assert decode([drawn, "end"], table, scorer, beam=8)[0] == second


def test_the_scorer_sees_only_the_release(table: Table) -> None:
    seen: set[str] = set()

    def spy(prefixes: Sequence[tuple[str, ...]], candidates: Sequence[str]) -> np.ndarray:
        seen.update(*prefixes, candidates)
        return flat(prefixes, candidates)

    drawn = 3
    decode(["kept", drawn, "words"], table, spy)
    assert seen == {"kept", "words"} | {table.words[i] for i in table.candidates(drawn)}


def test_kept_text_alone_comes_back(table: Table) -> None:
    assert decode(["nothing", "here"], table, flat) == ["nothing", "here"]
    assert decode([], table, flat) == []


@pytest.mark.parametrize("piece", [-1, 170])
def test_bad_indices_are_refused(table: Table, piece: int) -> None:
    with pytest.raises(InputError):
        decode([piece], table, flat)


def test_a_scorer_of_the_wrong_shape_is_refused(table: Table) -> None:
    with pytest.raises(InputError, match="scorer"):
        decode([3], table, lambda prefixes, candidates: np.zeros(1))
