"""How an answer is scored, and what the engine could read. Pure functions of strings.

Exact match follows SQuAD (Rajpurkar et al. 2016): lower case, no punctuation, no articles. A chat model seldom
answers with nothing but the phrase, so `contained` also counts it inside a sentence, at word borders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def normal(text: str) -> str:
    """SQuAD's normal form: lower case, letters and digits, no articles, single spaces."""
    letters = re.sub(r"[^\w\s]", " ", text.lower().replace("'", "").replace("’", ""))
    return " ".join(_ARTICLE.sub(" ", letters).split())


def exact(answer: str, truth: Sequence[str]) -> float:
    """1.0 where ``answer`` is one of ``truth`` in normal form."""
    return float(normal(answer) in {normal(t) for t in truth})


def contained(answer: str, truth: Sequence[str]) -> float:
    """1.0 where one of ``truth`` stands in ``answer`` as whole words, both in normal form."""
    padded = f" {normal(answer)} "
    return float(any(normal(t) and f" {normal(t)} " in padded for t in truth))


def last_number(answer: str, truth: Sequence[str]) -> float:
    """1.0 where the last number in ``answer`` is the one of ``truth`` (GSM8K's rule)."""
    numbers = _NUMBER.findall(answer)
    if not numbers:
        return 0.0
    return float(_value(numbers[-1]) == _value(truth[0]))


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def leaked(private: Sequence[str], seen: str) -> int:
    """How many of ``private`` stand in ``seen`` as they are, at word borders, case aside."""
    return sum(
        re.search(rf"(?<!\w){re.escape(part)}(?!\w)", seen, re.IGNORECASE) is not None for part in private
    )


METRICS = {
    "nq": (("exact match", exact), ("contained", contained)),
    "gsm8k": (("last number", last_number),),
    "notes": (("contained", contained),),
}
"""Metrics of the tasks whose truth is known; the others are scored by similarity to the unprotected answer."""
