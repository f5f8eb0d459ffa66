"""Surrogates in an answer become the originals again, while the answer streams.

A surrogate is a real word, so it is restored only where it stands alone (no letter or digit on either
side), the longest first, and only if it is unambiguous (:func:`unambiguous`); what stays is counted. Other
spellings of a surrogate are known too: all upper case; all lower case unless it is a single capitalised
word ("Mark" is a name, "mark" is not); capitalised if it is lower case; any white space for a space.

Whatever the chunks, the output is that of the whole text. Held back is only what may still become a
surrogate: at most as many characters as the longest one has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_ALNUM = re.compile(r"[^\W_]+")
_SPACES = frozenset(" \t\n\r\u00a0\u2009\u202f")


@dataclass(slots=True)
class _Node:
    """A trie over the spellings. ``original`` is None inside a spelling and for an ambiguous one."""

    next: dict[str, _Node] = field(default_factory=dict)
    ends: bool = False
    original: str | None = None


class OldRestorer:
    """One answer's restoring. ``restored`` and ``left`` count the surrogates replaced and the ambiguous
    ones left.
    """

    def __init__(self, mapping: Mapping[str, str], ambiguous: Iterable[str] = ()) -> None:
        """``mapping``: surrogate to original, words or several words. ``ambiguous``: surrogates to leave
        and count.
        """
        self._root = _Node()
        for spelling, original in _spellings(mapping, frozenset(ambiguous)).items():
            node = self._root
            for char in spelling:
                node = node.next.setdefault(char, _Node())
            node.ends, node.original = True, original
        self._text = ""
        self._previous = ""  # the last character already given out, as the model wrote it
        self.restored = 0
        self.left = 0

    @property
    def held(self) -> int:
        """Characters held back now."""
        return len(self._text)

    def feed(self, chunk: str) -> str:
        """What can be said for certain after ``chunk``."""
        self._text += chunk
        return self._advance(final=False)

    def finish(self) -> str:
        """The rest, once the answer has ended."""
        return self._advance(final=True)

    def _advance(self, final: bool) -> str:
        text, out, position, previous = self._text, [], 0, self._previous
        while position < len(text):
            step = 1
            if (
                text[position] not in self._root.next
                and not (text[position] in _SPACES and " " in self._root.next)
            ) or _joins(previous, text[position]):
                out.append(text[position])
            else:
                match = self._match(text, position, final)
                if match is None:
                    break
                end, original = match
                if end == position:
                    out.append(text[position])
                else:
                    step = end - position
                    out.append(text[position:end] if original is None else original)
                    self.left += original is None
                    self.restored += original is not None
            position += step
            previous = text[position - 1]
        self._text, self._previous = text[position:], previous
        return "".join(out)

    def _match(self, text: str, start: int, final: bool) -> tuple[int, str | None] | None:
        """The end and original of the longest surrogate at ``start`` (end = start for none); None: wait for
        more.
        """
        node, position = self._root, start
        best: tuple[int, str | None] = (start, None)
        while True:
            if node.ends and position < len(text):
                if not _joins(text[position - 1], text[position]):
                    best = (position, node.original)
            elif node.ends:
                if not final:
                    return None
                best = (position, node.original)
            if position == len(text):
                return best if final or not node.next else None
            char = text[position]
            following = node.next.get(" " if char in _SPACES else char)
            if following is None:
                return best
            node, position = following, position + 1


def unambiguous(
    pairs: Iterable[tuple[str, str]], ordinary: Iterable[str] = ()
) -> tuple[dict[str, str], frozenset[str]]:
    """``(mapping, ambiguous)`` for :class:`Restorer` from ``(surrogate, original)`` pairs.

    Ambiguous is a surrogate of two originals that differ in more than case and white space (of those that do not, the
    first counts), and one that also stands in ``ordinary``: texts of the request that were sent as they are, in any
    spelling the Restorer knows. A pair of equals is no surrogate.
    """
    originals: dict[str, dict[str, str]] = {}
    for surrogate, original in pairs:
        if surrogate:
            originals.setdefault(surrogate, {}).setdefault(" ".join(original.split()).casefold(), original)
    texts = tuple(ordinary)
    seen = {word.casefold() for text in texts for word in _ALNUM.findall(text)}
    mapping: dict[str, str] = {}
    unsafe: set[str] = set()
    for surrogate, meanings in originals.items():
        original = next(iter(meanings.values()))
        if len(meanings) > 1 or (original != surrogate and _occurs(surrogate, texts, seen)):
            unsafe.add(surrogate)
        elif original != surrogate:
            mapping[surrogate] = original
    return mapping, frozenset(unsafe)


def _occurs(surrogate: str, texts: tuple[str, ...], seen: set[str]) -> bool:
    if not all(
        word.casefold() in seen for word in _ALNUM.findall(surrogate)
    ):  # the quick answer, nearly always
        return False
    probe = OldRestorer({surrogate: ""})
    for text in texts:
        probe.feed(text)
        probe.feed("\0")
    return probe.restored > 0


def _spellings(mapping: Mapping[str, str], ambiguous: frozenset[str]) -> dict[str, str | None]:
    """Every spelling to look for and what it becomes; None for one that is ambiguous."""
    exact: dict[str, str | None] = {
        _plain(surrogate): original for surrogate, original in mapping.items() if surrogate
    }
    exact.update({_plain(surrogate): None for surrogate in ambiguous if surrogate})
    derived: dict[str, str | None] = {}
    for surrogate, original in exact.items():
        for spelling, meaning in _variants(surrogate, original):
            if spelling in derived and derived[spelling] != meaning:
                meaning = None
            derived[spelling] = meaning
    return {**derived, **exact}


def _variants(surrogate: str, original: str | None) -> list[tuple[str, str | None]]:
    def alike(change: str) -> str | None:
        return None if original is None else str(getattr(original, change)())

    variants = [(surrogate.upper(), alike("upper"))]
    single_name = surrogate.isalpha() and not surrogate.islower()
    if not single_name:
        variants.append((surrogate.lower(), alike("lower")))
    if surrogate[:1].islower() and surrogate.isalpha():
        capital = None if original is None else original[:1].upper() + original[1:]
        variants.append((surrogate[:1].upper() + surrogate[1:], capital))
    return [(spelling, meaning) for spelling, meaning in variants if spelling != surrogate]


def _plain(surrogate: str) -> str:
    return "".join(" " if char in _SPACES else char for char in surrogate)


def _joins(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word."""
    return bool(left) and left[-1].isalnum() and (right.isalnum() or unicodedata.combining(right) != 0)



@dataclass(frozen=True, slots=True)
class Run:
    raw: str
    text: str

class Restorer:
    def __init__(self, originals, *, ordinary=(), json=False, hosts=()):
        m, amb = unambiguous([(o.surrogate, o.original) for o in originals], ordinary)
        self.o = OldRestorer(m, amb); self.withheld = 0; self.raw = ""
    @property
    def restored(self): return self.o.restored
    @property
    def ambiguous(self): return self.o.left
    def feed(self, chunk):
        held = self.o.held
        t = self.o.feed(chunk); self.raw += chunk
        k = len(self.raw) - self.o.held
        raw, self.raw = self.raw[:k], self.raw[k:]
        return [Run(raw, t)] if raw else []
    def finish(self):
        t = self.o.finish(); raw, self.raw = self.raw, ""
        return [Run(raw, t)] if raw else []
