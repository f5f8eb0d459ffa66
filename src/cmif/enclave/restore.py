"""Surrogates in an answer become the originals again, while the answer streams.

A surrogate is a real word, so it is restored only where it stands alone (beside no letter or digit of its own script),
the longest first, in any spelling of :func:`~cmif.enclave.originals.spellings`, with any white space for a space; and
only if it is unambiguous: one that stands for two originals, or also stands in text of the request that was sent as it
is, is left and counted. Restoring is an output channel: where a client would fetch or run what is written
(:mod:`~cmif.enclave.places`), nothing is restored, and that is counted too.

Dates that the engine reckoned from those it was sent are moved back (:mod:`~cmif.enclave.reckoned`).

Whatever the chunks, the output is that of the whole text. Held back is only what may still become a surrogate.
"""

from __future__ import annotations

import json as jsonlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass

from cmif.enclave.folding import one_word, reads_alike
from cmif.enclave.originals import Original, spellings
from cmif.enclave.places import Place
from cmif.enclave.prefixes import Prefixes
from cmif.enclave.reckoned import FIRST, Reckoned
from cmif.enclave.urls import goes_on, url_goes_on
from cmif.types import Kind

_NOT_WITHIN = "(?:(?<![A-Za-z0-9])|(?![A-Za-z0-9]))"
"""Not between two letters or digits of ASCII, which always belong to one word (:func:`_joins`)."""
_ALNUM = re.compile(r"[^\W_]+")
_WHITE = re.compile(r"\s{1,3}")
_SPACES = str.maketrans(dict.fromkeys("\t\n\r\u00a0\u2009\u202f", " "))
_ESCAPED = 6
"""The length of the longest escape of JSON: characters before a word that say whether one begins there."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of an answer: ``raw`` as the engine wrote it, ``text`` as its reader gets it."""

    raw: str
    text: str


Meaning = tuple[str, Original] | None
"""What a spelling becomes, and whose it is; None for one that could mean two things."""


class Restorer:
    """One answer's restoring. ``restored``, ``ambiguous`` and ``withheld`` count the surrogates replaced, left because
    they could mean two things, and left because of where they stood.
    """

    def __init__(
        self,
        originals: Iterable[Original],
        *,
        ordinary: Iterable[str] = (),
        json: bool = False,
        hosts: Collection[str] = (),
        reckoned: Reckoned | None = None,
    ) -> None:
        """``ordinary``: texts of the request that were sent as they are. ``json``: the answer is a JSON text.
        ``hosts``: those to whose URLs originals may be restored. ``reckoned`` reads dates that are no surrogates.
        """
        meanings = _meanings(originals)
        self._kept = kept = tuple(ordinary)
        self._reckoned = reckoned
        seen = {word.casefold() for text in kept for word in _ALNUM.findall(text)} if meanings else set()
        known = {s: None if _occurs(s, kept, seen) else meaning for s, meaning in meanings.items()}
        self._spelled: Prefixes[Meaning] = Prefixes(known, 2)
        begun = {spelled[0] for spelled in known} | (FIRST if reckoned else frozenset())
        first = "".join(re.escape(char) for char in sorted(begun))
        self._begins = re.compile(f"[{first}]") if first else None
        self._starts = re.compile(f"{_NOT_WITHIN}[{first}]") if first else None
        self._hosts = frozenset(host.casefold() for host in hosts)
        self._place = Place(True if json else None)
        self._text = ""
        self._tail = ""  # the last characters already given out, as the model wrote them
        self.restored = 0
        self.ambiguous = 0
        self.withheld = 0

    def beside(self) -> Restorer:
        """A restorer of another text of the same answer."""
        other = copy(self)
        other._place, other._text, other._tail = Place(), "", ""
        other.restored = other.ambiguous = other.withheld = 0
        return other

    def feed(self, chunk: str) -> list[Run]:
        """What can be said for certain after ``chunk``."""
        self._text += chunk
        return self._advance(final=False)

    def finish(self) -> list[Run]:
        """The rest, once the answer has ended."""
        return self._advance(final=True)

    def _advance(self, final: bool) -> list[Run]:
        text, out, position, plain, placed = self._text, [], 0, 0, 0
        begins, place = self._starts, self._place
        if "\\" in text or "\\" in self._tail:  # what looks like a letter may be the end of an escape
            begins = self._begins
        if begins is None:
            self._text = ""
            return [Run(text, text)] if text else []
        while position < len(text):
            found = begins.search(text, position)
            if found is None:
                position = len(text)
                break
            position, char = found.start(), found.group()
            before = text[max(0, position - _ESCAPED) : position]
            before = (self._tail + before)[-_ESCAPED:] if len(before) < _ESCAPED else before
            joined = _joins(before, char)
            if joined and "\\" not in before:
                position += 1
                continue
            if placed < position:
                place.feed(text[placed:position])
                placed = position
            if place.json is not None and place.json.inside:
                joined = place.json.escape or _joins(place.json.previous, char)
            if joined:
                position += 1
                continue
            match = self._match(text, position, final, before)
            if match is None:
                break
            end, meaning = match
            if end == position:
                position += 1
                continue
            decided = self._decide(text, position, end, meaning, final)
            if decided is None:
                break
            if decided != text[position:end]:
                if plain < position:
                    out.append(Run(text[plain:position], text[plain:position]))
                out.append(Run(text[position:end], decided))
                plain = end
            place.feed(decided)
            position = placed = end
        if placed < position:
            place.feed(text[placed:position])
        if plain < position:
            out.append(Run(text[plain:position], text[plain:position]))
        self._tail = (self._tail + text[:position])[-_ESCAPED:] if position else self._tail
        self._text = text[position:]
        return out

    def _match(self, text: str, start: int, final: bool, before: str) -> tuple[int, Meaning] | None:
        """End and meaning of the longest surrogate at ``start`` (end = start for none); None: wait for more.
        ``before``: the characters before it.
        """
        left = len(text) - start
        if left < 2 and not final:
            return None
        if self._reckoned is not None and text[start] in FIRST:
            if not final and self._reckoned.begun(text, start):
                return None
            if (whole := self._reckoned.whole(text, start, before)) is not None:
                written, moved = text[start : whole[0]], whole[1]
                if written not in self._spelled.values and not any(written in kept for kept in self._kept):
                    return whole[0], (moved, Original(Kind.DATE, moved, written))
        keys = self._spelled.keys
        if _spaced(text[start : start + 2]) not in keys and text[start] not in keys:
            return start, None
        stop = start + 3 * self._spelled.longest
        said = _WHITE.sub(_one_space, text[start:stop])
        if not final and stop >= len(text) and self._spelled.begun(said):
            return None
        for spelled, meaning in self._spelled.at(said, 0, len(said)):
            end = _end(spelled, text, start)
            if not (end < len(text) and _joins(spelled, text[end])):
                return end, meaning
        return start, None

    def _decide(self, text: str, start: int, end: int, meaning: Meaning, final: bool) -> str | None:
        """What to put for the surrogate ``text[start:end]``, itself to leave it; None: wait for more."""
        written, place, strings = text[start:end], self._place, self._place.json
        if meaning is None:
            self.ambiguous += 1
            return written
        original, of = meaning
        if original == written:
            return written
        inside = strings is not None and strings.inside
        open_, markup = False, place.markup
        host = place.host() if self._hosts and place.url else None
        if host is not None and host in self._hosts:
            original, open_ = _percent(original), True
        elif not markup and (place.begins if of.kind is Kind.URL else not place.url):
            ahead = url_goes_on if of.kind is Kind.URL else goes_on
            on = ahead(text, end, final=final, json=inside)
            if on is None:
                return None
            open_ = not on
        if inside:
            original = jsonlib.dumps(original, ensure_ascii=False)[1:-1]
        elif strings is not None and _is_number(written) and not _is_number(original):
            open_ = False
        self.restored += open_
        self.withheld += not open_
        return original if open_ else written


def _meanings(originals: Iterable[Original]) -> dict[str, Meaning]:
    """Every spelling to look for and what it becomes, None for one with two meanings. An exact surrogate outdoes
    another spelling; originals that differ in case, accents and white space only are one, the first that has
    its capitals.
    """
    exact: dict[str, Meaning] = {}
    derived: dict[str, Meaning] = {}
    for o in originals:
        for i, (surrogate, original) in enumerate(spellings(o)):
            if not surrogate or surrogate == original:
                continue
            into = exact if i == 0 else derived
            spelled = _spaced(surrogate)
            known = into.setdefault(spelled, (original, o))
            if known is None or known[1] is o:
                continue
            if not reads_alike(known[0], original):
                into[spelled] = None
            elif known[0].islower() and not surrogate.islower():  # written in small letters first, then properly
                into[spelled] = (original, o)
    return {**derived, **exact}


def _occurs(spelled: str, texts: tuple[str, ...], seen: set[str]) -> bool:
    """Whether a text says ``spelled`` as whole words."""
    if not texts:
        return False
    if not all(
        word.casefold() in seen for word in _ALNUM.findall(spelled)
    ):  # the quick answer, nearly always
        return False
    pattern = r"(?<![^\W_])" + r"\s".join(map(re.escape, spelled.split(" "))) + r"(?![^\W_])"
    return any(re.search(pattern, text, re.IGNORECASE if spelled.islower() else 0) for text in texts)


def _percent(text: str) -> str:
    """``text`` with everything but RFC 3986's unreserved characters escaped."""
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "-._~") else "".join(f"%{b:02X}" for b in c.encode("utf-8"))
        for c in text
    )


def _end(spelled: str, text: str, start: int) -> int:
    """Where ``spelled``, which stands at ``start`` of ``text``, ends there."""
    at = start
    for char in spelled:
        match = _WHITE.match(text, at) if char == " " else None
        at = match.end() if match else at + 1
    return at


def _one_space(white: re.Match[str]) -> str:
    """A space is up to three white spaces with at most one line break; of another kind is no surrogate's."""
    return " " if white.group().count("\n") < 2 else "\0"


def _spaced(text: str) -> str:
    """``text`` with every white space a plain one; the same length."""
    return text.translate(_SPACES)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", text) is not None


def _joins(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word."""
    if not left:
        return False
    return one_word(left[-1], right) or (left[-1].isalnum() and unicodedata.combining(right) != 0)
