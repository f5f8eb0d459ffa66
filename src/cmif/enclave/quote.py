"""What the engine wrote, found again in a text that the client sends back.

A client may trim, cut, re-wrap, show as plain text or edit an answer before it re-sends it. Runs of words that stand in
an answer of this conversation go back to the engine exactly as it wrote them; only what lies between them is the
client's own text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_WORD_MARK = (
    r"(?:[*~`\u00ad\u200b-\u200d\u2060\ufeff]|\\(?=[*_~`])"
    r"|</?(?:b|i|u|s|em|strong|su[bp]|mark|span|code|small|wbr|kbd|del|ins|font)/?>)"
)
"""What a client takes away from inside a word when it shows it: emphasis, escapes, invisible characters."""
_LETTER = r"(?:\w|&#\w{2,7};)"
_WORD = re.compile(rf"{_LETTER}+(?:{_WORD_MARK}+{_LETTER}+)*")
_MARKS = re.compile(_WORD_MARK)
_OWN = "\0"
"""In the place of a word that is no quote: no word of an answer is alike."""
_MOST = 16
"""Places of one run of words in one answer that are tried: an answer that repeats itself more is all alike."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text`` as the client sent it; ``raw`` what the engine wrote for it, None for the client's own words."""

    text: str
    raw: str | None


class Answer:
    """One text of the engine as its reader got it: pairs (what the engine wrote, what was read)."""

    def __init__(self, runs: Sequence[tuple[str, str]]) -> None:
        self.runs = tuple(runs)
        self.raw = "".join(raw for raw, _ in self.runs)
        self.text = "".join(text for _, text in self.runs)
        self.plain = plain(self.text)
        self._ends = list(accumulate(len(text) for _, text in self.runs))
        self._spans: list[tuple[int, int]] | None = None
        self._words: list[str] = []
        self._places: dict[int, dict[tuple[str, ...], list[int]]] = {}

    @property
    def words(self) -> list[str]:
        """The words of the text, as :func:`_bare` compares them."""
        if self._spans is None:
            self._spans, self._words = _words(self.text)
        return self._words

    def places(self, least: int) -> dict[tuple[str, ...], list[int]]:
        """Where each run of ``least`` words begins."""
        found = self._places.get(least)
        if found is None:
            found = {}
            words = self.words
            for w in range(len(words) - least + 1):
                found.setdefault(tuple(words[w : w + least]), []).append(w)
            self._places[least] = found
        return found

    def wrote(self, first: int, last: int) -> str:
        """What the engine wrote for words ``first`` to ``last`` (inclusive) of the text."""
        assert self._spans is not None
        start, end = self._spans[first][0], self._spans[last][1]
        at = bisect_right(self._ends, start)
        out = []
        begin = self._ends[at - 1] if at else 0
        while begin < end:
            raw, text = self.runs[at]
            if raw == text:
                out.append(text[max(start - begin, 0) : end - begin])
            elif begin >= start or at == bisect_right(self._ends, start):
                out.append(raw)
            begin, at = self._ends[at], at + 1
        return "".join(out)


def plain(text: str) -> str:
    """A text as clients may re-wrap it: every white space one space, none at the ends."""
    return " ".join(text.split())


def edited(text: str, answers: Sequence[Answer]) -> Answer | None:
    """The answer that ``text`` is an edit of: the one with most of its words, and at least half of them."""
    words = _words(text)[1]
    common = [sum((word,) in answer.places(1) for word in words) for answer in answers]
    best = max(range(len(answers)), key=common.__getitem__, default=None)
    return answers[best] if best is not None and 2 * common[best] >= len(words) > 0 else None


def quoted(
    text: str,
    answers: Sequence[Answer],
    least: int,
    own: Sequence[tuple[int, int]] = (),
    of: Answer | None = None,
) -> tuple[Stretch, ...]:
    """``text`` in stretches: those of at least ``least`` words in a row that stand in one of ``answers``, and the rest.

    If it is an edit ``of`` an answer, one word is enough there: a client that shows a list without its numbers, or
    sorts it, leaves no two words in a row. A word that the client cut at either end of the text counts as the whole of
    it. Where a run of words stands in several places, the place that continues the stretch before is taken, then the
    longest. Words that touch one of ``own`` are no quote. Linear in the texts.
    """
    answers = answers if of is None else [of, *(a for a in answers if a is not of)]
    spans, found = _words(text)
    for start, end in own:
        for i in range(bisect_right(spans, start, key=_end), bisect_left(spans, end, key=_start)):
            found[i] = _OWN
    indices = [answer.places(least) for answer in answers]
    out: list[Stretch] = []
    position, at, follows = 0, 0, (-1, -1)
    while at < len(found):
        run = tuple(found[at : at + least])
        here = [(a, w) for a, index in enumerate(indices) if run in index for w in index[run][:_MOST]]
        if not here and of is not None:
            here = [(0, w) for w in of.places(1).get(run[:1], ())[:_MOST]]
        if not here:
            at += 1
            continue
        ahead = [(a, w) for a, w in here if a == follows[0] and w >= follows[1]]
        runs = [(_run(found, at, answers[a].words, w), (a, w)) for a, w in ahead[:1] or here]
        length, (a, w) = max(runs, key=lambda run: run[0])
        words, first, last = answers[a].words, at, at + length
        if (
            first == 1 and w and words[w - 1].endswith(found[0])
        ):  # the text begins inside a word of the answer
            first, w, length = 0, w - 1, length + 1
        if last == len(found) - 1 and w + length < len(words) and words[w + length].startswith(found[last]):
            last, length = last + 1, length + 1  # or ends inside one
        start, end = spans[first][0], spans[last - 1][1]
        if start > position:
            out.append(Stretch(text[position:start], None))
        out.append(Stretch(text[start:end], answers[a].wrote(w, w + length - 1)))
        position, at, follows = end, last, (a, w + length)
    if position < len(text):
        out.append(Stretch(text[position:], None))
    return tuple(out)


def _words(text: str) -> tuple[list[tuple[int, int]], list[str]]:
    spans = [m.span() for m in _WORD.finditer(text)]
    return spans, [_bare(text[a:b]) for a, b in spans]


def _bare(word: str) -> str:
    """A word as its reader sees it, without case and accents."""
    if word.isascii() and word.isalnum():
        return word.casefold()
    shown = unicodedata.normalize("NFKD", html.unescape(_MARKS.sub("", word)))
    return "".join(char for char in shown if char.isalnum()).casefold() or word


def _start(span: tuple[int, int]) -> int:
    return span[0]


def _end(span: tuple[int, int]) -> int:
    return span[1]


def _run(left: Sequence[str], i: int, right: Sequence[str], j: int) -> int:
    n = 0
    while i + n < len(left) and j + n < len(right) and left[i + n] == right[j + n]:
        n += 1
    return n
