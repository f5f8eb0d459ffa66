"""Runs of capitalised words in a sentence: the stretches in which :mod:`names` looks for names."""

from __future__ import annotations

from collections.abc import Iterator

from cmif.enclave.detect import cues
from cmif.enclave.detect.tokens import Token, Written

Sentence = list[Token]

_INNER = cues.PARTICLES | cues.JOINERS
_NEAR = 12  # tokens of a run that are searched for a word of an organisation


def is_shouted(sentence: Sentence) -> bool:
    """Whether capitals say nothing here: a heading or a line in upper case."""
    upper = words = 0
    for token in sentence:
        if len(token.text) > 2:
            words += 1
            upper += token.written is Written.UPPER
    return words >= 3 and upper >= 0.6 * words


def runs(sentence: Sentence) -> Iterator[tuple[int, int]]:
    """``(first, end)`` of each run of capitalised tokens, with the particles and joiners inside it."""
    i = 0
    while i < len(sentence):
        if not sentence[i].is_capital:
            i += 1
            continue
        end = i + 1
        while (following := _next_in_run(sentence, i, end)) is not None:
            end = following + 1
        yield i, end
        i = end


def _next_in_run(sentence: Sentence, first: int, end: int) -> int | None:
    """Where the run goes on: the next token, or the one after "von der" or "of the"."""
    bridge = end
    if sentence[end - 1].possessive and not any(
        t.lower in cues.ORGANISATION for t in sentence[end : end + 2]
    ):
        return None  # "Anna's Toyota" is two names, "St Mary's Hospital" one
    while bridge < len(sentence) and bridge < end + 3 and sentence[bridge].follows_closely:
        if sentence[bridge].is_capital:
            return bridge if bridge == end or _may_bridge(sentence, first, end, bridge) else None
        if sentence[bridge].lower not in _INNER:
            return None
        bridge += 1
    return None


def _may_bridge(sentence: Sentence, first: int, end: int, bridge: int) -> bool:
    """ "van der", "Bank of England", "Marks and Spencer Ltd"; not "Anna and Ben"."""
    between = {t.lower for t in sentence[end:bridge]}
    if between <= cues.PARTICLES:
        return True
    if "and" in between or "&" in between:
        return any(t.lower in cues.ORGANISATION for t in sentence[bridge : bridge + 3] if t.is_capital)
    near = sentence[max(first, end - _NEAR) : end]
    return any(t.lower in cues.ORGANISATION or t.lower in cues.PLACE for t in near)
