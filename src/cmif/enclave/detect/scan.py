"""Where in a text a pattern is worth trying. What comes out is what ``pattern.finditer(text)`` gives, for less.

Two facts about a pattern can be used: every match holds something cheap to find (a digit, a month) and reaches at most
so far around it, or every match begins with one of a few words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cmif.enclave.detect.plain import lowered

Stretches = Sequence[tuple[int, int]]
_FIGURES = re.compile(r"\d+")
_ALIKE = (("ſ", "s"), ("ı", "i"), ("İ", "i"), ("\u212a", "k"))
"""What a pattern that ignores case takes for a letter of ASCII."""


def figures(text: str) -> Stretches:
    """Where the runs of digits are."""
    return [match.span() for match in _FIGURES.finditer(text)]


def caseless(text: str) -> str:
    """``text``, the same length, in which a lower-case word of ASCII stands wherever a pattern that ignores case would
    find it."""
    if not text.isascii():
        for written, letter in _ALIKE:
            text = text.replace(written, letter)
    return lowered(text)


def around(found: Stretches, before: int, after: int) -> Stretches:
    """Stretches from ``before`` each of ``found`` (in order) to ``after`` it, those that touch joined."""
    out: list[tuple[int, int]] = []
    for start, end in found:
        start, end = max(0, start - before), end + after
        if out and start <= out[-1][1]:
            start = out.pop()[0]
        out.append((start, end))
    return out


def within(pattern: re.Pattern[str], text: str, stretches: Stretches) -> Iterator[re.Match[str]]:
    """The matches, none of which reaches out of a stretch or looks further than its end."""
    for start, end in stretches:
        yield from pattern.finditer(text, start, end)


def places(lower: str, words: Iterable[str]) -> list[int]:
    """Where one of ``words`` stands in ``lower``, in order."""
    out = []
    for word in words:
        at = lower.find(word)
        while at >= 0:
            out.append(at)
            at = lower.find(word, at + 1)
    return sorted(set(out))


def starting(pattern: re.Pattern[str], text: str, at: Iterable[int]) -> Iterator[re.Match[str]]:
    """The matches, each of which begins at one of ``at`` (in order)."""
    end = 0
    for start in at:
        if start >= end and (match := pattern.match(text, start)):
            end = match.end()
            yield match
