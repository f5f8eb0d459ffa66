from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmif.enclave.bundle import Bundle
from cmif.errors import InputError
from cmif.gateway.bundles import open_bundle
from cmif_lab.eval import cover as lab
from cmif_lab.eval.lm_attack import Attacker

K = 8
PROMPTS = [
    ("clinic", "I have gout. Help?"),
    ("clinic", "Is shingles bad?"),
    ("clinic", "I have gout and asthma."),
    ("clinic", "I have pain."),  # of no group: the mechanism draws
    ("law", "I was arrested for theft."),
]


@pytest.fixture(scope="module")
def bundle(tiny_split: Path) -> Bundle:
    return open_bundle(tiny_split / "client")


class Knows:
    """An attacker that was told the true texts: ``texts`` score 1, all else 0."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = set(texts)

    def score(self, texts: Sequence[str], spans: Sequence[tuple[int, int]]) -> np.ndarray:
        assert [end - start for start, end in spans] == list(map(len, texts))
        return np.array([float(text in self._texts) for text in texts])


def rows(bundle: Bundle, attacker: Any, prompts: list[tuple[str, str]] = PROMPTS, **changes: Any) -> list[lab.Row]:
    settings = {"k": K, "words": 3, "timed": 0, "answer": lambda _: pytest.fail("nothing is timed")} | changes
    return lab.evaluate(bundle, attacker, prompts, **settings)


def test_the_report_has_a_row_for_each_set_and_number_of_words_and_the_contracts_keys(
    bundle: Bundle, tiny_model: Path, tiny_split: Path
) -> None:
    """A real model attacks and a real engine is timed."""
    found = rows(bundle, Attacker(str(tiny_model)), timed=1, answer=lab.timer(tiny_split / "server"))
    told = json.loads(json.dumps(lab.contract(found)))["rows"]
    assert [(row["set"], row["k"], row["words"], row["n"]) for row in told] == [
        ("clinic", K, 1, 2), ("clinic", K, 2, 1), ("law", K, 1, 1),
    ]  # fmt: skip
    for row in told:
        assert {
            "set", "k", "words", "attack_top1", "attack_top1_prior_corrected", "chance", "latency_ratio", "bytes_ratio",
        } <= row.keys()  # fmt: skip
        assert row["chance"] == 1 / K
        assert 0 <= row["attack_top1"] <= 1
        assert 0 <= row["attack_top1_prior_corrected"] <= 1
        assert row["latency_ratio"] > 0
        assert row["bytes_ratio"] > 1


def test_an_attacker_that_knows_the_row_finds_it_always(bundle: Bundle) -> None:
    for row in rows(bundle, Knows([text for _, text in PROMPTS])):
        assert row.attack_top1 == row.attack_top1_prior_corrected == 1.0
        assert row.latency_ratio is None


def test_an_attacker_that_believes_a_decoy_never_finds_it(bundle: Bundle) -> None:
    (case,) = lab.cases(bundle, K, 3, PROMPTS[:1])
    (row,) = rows(bundle, Knows(case.rows[3:4]), PROMPTS[:1])
    assert row.attack_top1 == row.attack_top1_prior_corrected == 0.0


def test_an_attacker_to_whom_all_rows_are_alike_is_right_by_chance(bundle: Bundle) -> None:
    for row in rows(bundle, Knows([])):
        assert row.attack_top1 == row.attack_top1_prior_corrected == row.chance == 1 / K


def test_what_the_words_say_by_themselves_is_taken_off(bundle: Bundle) -> None:
    """An attacker that likes the true word wherever it stands finds the row, but not by the text around it."""
    (case,) = lab.cases(bundle, K, 3, PROMPTS[:1])
    assert case.words[0] == "gout"
    (row,) = rows(bundle, Knows([case.rows[0], case.words[0]]), PROMPTS[:1])
    assert (row.attack_top1, row.attack_top1_prior_corrected) == (1.0, 1 / K)


def test_the_rows_of_a_case_are_the_texts_that_the_engine_gets(bundle: Bundle) -> None:
    """Row 0 is what was typed; the rows differ in the covered words only."""
    for case, (_, text) in zip(lab.cases(bundle, K, 3, PROMPTS[:3]), PROMPTS[:3], strict=True):
        assert case.rows[0] == text
        assert len(set(case.rows)) == len(case.rows) == len(case.prepared.variants.lengths) == K  # type: ignore[union-attr]
        around = set()
        for row, words in zip(case.rows, case.words, strict=True):
            for word in words.split():
                assert word in row
                row = row.replace(word, "_", 1)
            around.add(row)
        assert len(around) == 1


@pytest.mark.parametrize("line", ["[1]", '{"set": "a"}', "{"])
def test_a_file_that_is_no_list_of_prompts_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text(line + "\n", "utf-8")
    with pytest.raises(InputError, match="--data"):
        lab.read(tmp_path / "data")
